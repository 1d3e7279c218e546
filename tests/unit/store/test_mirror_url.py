from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fsspec.registry import known_implementations

from alvin_core.errors import StoreError
from alvin_core.store.mirror import mirror_at
from alvin_core.store.remote_url import check_arrays_url, missing_package

SECRET = "t0p-s3cr3t"


@pytest.mark.parametrize(
    "url",
    ["file:///shared/arrays", "/shared/arrays", "local:///shared/a b", "simplecache::file:///shared", "dir::file:///x"],
)
def test_a_place_of_its_own_is_taken_as_it_is_named(url: str) -> None:
    assert check_arrays_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://user:{SECRET}@host/folder",
        f"s3://AKIA:{SECRET}@bucket/folder",
        f"simplecache::sftp://user:{SECRET}@host/folder",
        f"abfs://container/folder?sig={SECRET}",
        f"s3://bucket/folder?secret={SECRET}",
        f"https://host/folder?X-Amz-Credential={SECRET}",
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_shown(url: str, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"database": None, "arrays": url}))
    with pytest.raises(StoreError, match=r"reads credentials from the environment .*leave them out") as caught:
        mirror_at(tmp_path)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is no address for arrays"),
        (" s3://bucket/x", "is no address for arrays"),
        ("s3://bucket/\nx", "is no address for arrays"),
        ("shared/arrays", "depends on where a process is started"),
        ("file://shared/arrays", "depends on where a process is started"),
        ("file:///", "names no place"),
        ("memory://arrays", "is no place that arrays could be kept at"),
        ("zip::file:///shared/arrays.zip", "is no place that arrays could be kept at"),
        ("gopher://host/folder", "fsspec knows no 'gopher'"),
        ("ftp://[host/folder", "cannot be read"),
    ],
    ids=range(10),
)
def test_what_is_no_place_for_arrays_is_refused_with_a_remedy(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=rf"{said}.*; .*name|{said}.*; .*add"):
        check_arrays_url(url)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(known_implementations, "bucket1", {"class": "a_package_of_buckets.FileSystem", "err": "no"})
    with pytest.raises(StoreError, match=r"arrays at bucket1:// need the package a_package_of_buckets; pip install"):
        check_arrays_url("bucket1://name/folder")
    monkeypatch.setitem(sys.modules, "paramiko", None)  # what is in fsspec itself may need another package as well
    monkeypatch.delitem(sys.modules, "fsspec.implementations.sftp", raising=False)
    assert missing_package("sftp") == "paramiko"
    assert missing_package("file") is None


def test_a_store_without_a_mirror_needs_no_fsspec(tmp_path: Path) -> None:
    program = (
        "import sys; import numpy as np; from pathlib import Path\n"
        "from alvin_core.store.database import open_store\n"
        "from alvin_core.store.arrays import load_packed, save_packed\n"
        "from alvin_core.store.mirror import publish\n"
        "path = open_store(sys.argv[1], create=True).run_folder('0') / 'a.npz'\n"
        "save_packed(path, {'a': np.arange(3)}); publish(path); load_packed(path)\n"
        "print([name for name in ('fsspec', 's3fs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
