"""A sign-in file that is not one is told so first, and nothing of it is taken before all of it was checked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alvin_core import SettingsError
from dashboard.sign_in_file import MAX_BYTES, read_sign_in_file

WHOLE = f"""
[auth]
redirect_uri = "https://lab.example.org/oauth2callback"
cookie_secret = "{"s" * 40}"
client_id = "alvin"
client_secret = "secret"
server_metadata_url = "https://id.example.org/.well-known/openid-configuration"

[roles]
owner = ["ada@lab.org"]
"""


def written(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("content", ["id,text,label\n1,a,b\n", b"\x89PNG\r\n", "[auth\n"], ids=["csv", "png", "cut"])
def test_a_file_that_is_something_else_is_told_so_whatever_its_permissions(
    tmp_path: Path, content: str | bytes, mode: int
) -> None:
    path = written(tmp_path / "reviews.csv", content, mode)
    with pytest.raises(SettingsError, match=r"reviews\.csv is no TOML: .*; check --sign-in"):
        read_sign_in_file(path, tmp_path)


def test_a_whole_file_is_refused_while_others_may_read_it_or_it_lies_in_the_store(tmp_path: Path) -> None:
    path = written(tmp_path / "sign-in.toml", WHOLE, 0o640)
    if os.name == "posix":
        with pytest.raises(
            SettingsError, match=r"others on this machine may read or change it \(mode 640\): chmod 600"
        ):
            read_sign_in_file(path)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="lies in the store"):
        read_sign_in_file(path, tmp_path)
    assert read_sign_in_file(path, tmp_path / "store").role_of("ada@lab.org") == "owner"


def test_of_a_file_that_is_too_long_no_part_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "sign-in.toml", WHOLE + "#" * (MAX_BYTES - len(WHOLE)))
    assert read_sign_in_file(path).role_of("ada@lab.org") == "owner"
    written(path, WHOLE + "#" * (MAX_BYTES - len(WHOLE)) + "\n")
    with pytest.raises(SettingsError, match="is longer than 1,048,576 bytes"):
        read_sign_in_file(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(SettingsError, match="is no file; check --sign-in"):
            read_sign_in_file(path)
    with pytest.raises(SettingsError, match="No such file or directory; check --sign-in"):
        read_sign_in_file(tmp_path / "none")
