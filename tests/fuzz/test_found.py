"""What made-up input broke once, each as it was found, made small."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from alvin_core.classroom.phase_plan import WorldPhasePlan
from alvin_core.cli.json_file import check_json_file, write_json_file
from alvin_core.cli.labels import read_labels
from alvin_core.cli.options import parse_set
from alvin_core.cli.sources import resolve
from alvin_core.data.checking import check_dataset
from alvin_core.data.columns import Columns
from alvin_core.data.limits import largest_data
from alvin_core.data.reading import load_dataset
from alvin_core.data.textfiles import DelimitedFile
from alvin_core.errors import AlvinError, SettingsError, StoreError
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.run.bundle import unpack_run
from alvin_core.run.slice_rules import SliceRule
from alvin_core.settings import RunSettings
from alvin_core.shown import shown
from alvin_core.store.arrays import load_array, load_arrays
from alvin_core.toml_text import LARGEST_TOML
from alvin_core.upkeep.backup_format import TABLES, rows_in
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.records import _check_numbers
from alvin_core.upkeep.restoring import is_backup, restore_store
from alvin_core.worker.answering import Desk
from dashboard.previewing import read_preview
from dashboard.regions import RegionError, points_in
from dashboard.state import read_wish

GOOD = "text,label\n" + "".join(f"text {row},{'pos' if row % 2 else 'neg'}\n" for row in range(40))


def refusal(act: Any, *given: Any, **named: Any) -> str:
    """Return in which words an act is refused: one printable line of no great length."""
    with pytest.raises(AlvinError) as caught:
        act(*given, **named)
    message = str(caught.value)
    assert len(message) < 4000
    assert "\n" not in message
    return message


@pytest.mark.parametrize("sign", ["[", "{a="], ids=["list", "table"])
def test_toml_that_is_nested_deeply_is_refused(sign: str) -> None:
    assert "nested too deeply" in refusal(parse_set, ["alvin.alpha=" + sign * 5000])


def test_numbers_of_thousands_of_digits_are_refused_and_shown_short(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("seed = " + "9" * 5000, encoding="utf-8")
    assert "too many digits" in refusal(RunSettings.from_toml, path)
    path.write_text("seed = 0x" + "f" * 9000, encoding="utf-8")
    assert "seed = a whole number of 36,000 bits is out of range" in refusal(RunSettings.from_toml, path)
    assert "alvin.alpha = a whole number of 1,329 bits" in refusal(RunSettings().with_value, "alvin.alpha", 10**400)
    assert shown(10**5000) == "a whole number of 16,610 bits"


def test_a_settings_file_has_a_limit_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("#" * (LARGEST_TOML + 1), encoding="utf-8")
    assert "longer than 32,768 bytes" in refusal(RunSettings.from_toml, path)
    assert "longer than 32,768 bytes" in refusal(RunSettings.from_toml_text, "#" * (LARGEST_TOML + 1))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_is_no_file_for_anything_that_reads(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    assert "is no regular file" in refusal(RunSettings.from_toml, pipe)
    assert "it is no regular file" in refusal(unpack_run, tmp_path / "a", pipe)
    assert "it is no regular file" in refusal(restore_store, pipe, tmp_path / "b")
    assert "not a regular file" in refusal(load_dataset, pipe)
    assert not is_backup(pipe)


def test_a_plan_that_is_none_is_refused() -> None:
    good = ComparisonPlan(("alvin", "random"), (0,), 1).to_dict()
    for bad in ({}, {**good, "seeds": None}, {**good, "strategies": [1]}, {**good, "vary": [["alvin.k"]]}, []):
        refusal(ComparisonPlan.from_dict, bad)
    assert "seeds must be whole numbers" in refusal(WorldPhasePlan.from_dict, {"seeds": [[1]]})


def test_a_rule_of_a_slice_that_is_none_is_refused() -> None:
    assert "is no rule of a slice" in refusal(SliceRule.from_dict, [])
    assert "is no round" in refusal(SliceRule, "filter", ("status=right", "round=" + "9" * 5000))


def test_a_question_without_a_run_or_a_round_is_refused_in_words(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for params in ({}, {"run": 1}, {"run": "r", "round": "x"}, {"run": "r", "round": 10**400}):
        with pytest.raises(SettingsError, match=r"^(run|round) = "):
            desk.answer("counterfactual", {"texts": [["a"]], **params})
        with pytest.raises(SettingsError, match=r"^(run|round) = "):
            desk.answer("attribution", params)
    assert "k = 'x' is out of range" in refusal(desk.answer, "counterfactual", {"k": "x"})
    assert "the method ['x'] is unknown" in refusal(desk.answer, "attribution", {"method": ["x"]})


def test_figures_with_half_a_character_are_written_and_leave_no_part(tmp_path: Path) -> None:
    write_json_file(str(tmp_path / "a.json"), {"a": "\ud800"})
    assert "\\ud800" in (tmp_path / "a.json").read_text(encoding="utf-8")
    long = str(tmp_path / ("x" * 300))
    assert "cannot write" in refusal(check_json_file, long + "/a")
    assert "cannot write" in refusal(write_json_file, long, {})
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_a_name_that_no_file_can_have_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x" * 5000 + ".csv", "~nobody-here/x.csv", "a\0b.csv", "\ud800.csv"):
        refusal(load_dataset, resolve(name))
    assert len(refusal(resolve, "9" * 5000)) < 1000


def test_a_corner_too_large_for_a_fraction_is_no_corner() -> None:
    with pytest.raises(RegionError, match="not pairs of numbers; draw it again"):
        points_in([[10**400, 0], [1, 0], [1, 1]], np.zeros((3, 2)))


def test_long_names_and_control_characters_are_shown_short_and_harmless(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("9" * 5000 + "\n1\n", encoding="utf-8")
    assert len(refusal(load_dataset, path)) < 1000
    path.write_text(GOOD, encoding="utf-8")
    assert "\x1b" not in refusal(load_dataset, path, columns=Columns(text="\x1b[31m"))
    wish = read_wish({"page": "\0\ud800\u202e"})
    assert wish.problems[0].startswith("The address asks for page “\ufffd\ufffd\ufffd”;")


def test_a_key_that_is_there_twice_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "a", "text": "b"}\n', encoding="utf-8")
    report = check_dataset(path)
    assert any("the key 'text' is there twice" in str(one) for one in report.problems)


def test_a_record_over_endless_lines_ends_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The limit was read when the module was made.
    monkeypatch.setattr(DelimitedFile._reader, "__defaults__", (1000,))
    path = tmp_path / "d.csv"
    path.write_text(GOOD + '"a\n",' * 1000, encoding="utf-8")
    report = check_dataset(path)
    assert any("record too long; at most 1,000 characters" in str(one) for one in report.problems)


def test_data_larger_than_the_limit_are_refused_with_the_limit_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(GOOD, encoding="utf-8")
    monkeypatch.setenv("ALVIN_LARGEST_DATA", "0.000001")
    message = refusal(load_dataset, path)
    assert "more than 1,073 bytes of texts and rows; take a sample of it, or set ALVIN_LARGEST_DATA" in message
    for bad in ("0", "-1", "nan", "x", "1e999"):
        monkeypatch.setenv("ALVIN_LARGEST_DATA", bad)
        assert "must be a number of GiB above 0" in refusal(largest_data)


def test_a_packed_text_file_unpacks_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alvin_core.data.limits.SMALL", 1000)
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + b"a,pos\n" * 100_000))
    assert "unpacks to too much; at most" in refusal(load_dataset, path)


def test_a_date_that_python_does_not_have_ends_the_reading_in_words(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    days = pa.array([-62_135_683_200_000] * 12, pa.int64()).view(pa.date64())
    pq.write_table(pa.table({"text": days, "label": days}), path)
    assert "damaged after row 0: date value out of range" in refusal(load_dataset, path)
    assert read_preview(path).rows == ()


def test_a_reason_of_many_lines_is_told_in_one(tmp_path: Path) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), file)
    content = bytearray(file.getvalue())
    (size,) = struct.unpack("<I", content[-8:-4])
    content[-8 - size : -8] = b"\xff" * size
    path = tmp_path / "d.parquet"
    path.write_bytes(content)
    refusal(load_dataset, path)
    (tmp_path / "empty.tar").write_bytes(b"")
    refusal(restore_store, tmp_path / "empty.tar", tmp_path / "store")


def test_a_header_of_an_array_that_is_no_python_is_damage(tmp_path: Path) -> None:
    for header in (b"(((((", b"{'shape': (1,", b"{1: 2, 'a': 3}", b"'" * 9):
        padded = header.ljust(117) + b"\n"
        (tmp_path / "m.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded)
        with pytest.raises(
            StoreError, match=r"cannot read .*; (`alvin verify` says how|start a run on the same data again)"
        ):
            load_array(tmp_path, "m")


def test_rows_of_a_backup_have_the_types_of_their_columns() -> None:
    good = {"run_id": "0" * 8, "round_no": 0, "rank": 0, "example_id": "e1"}
    table = next(one for one in TABLES if one.name == "proposals")
    assert list(rows_in(io.BytesIO(json.dumps(good).encode()), table)) == [good]
    for bad in ({"round_no": ""}, {"round_no": 10**30}, {"rank": None}, {"example_id": 1}, {"run_id": ["x"]}):
        message = refusal(lambda bad=bad: list(rows_in(io.BytesIO(json.dumps({**good, **bad}).encode()), table)))
        assert "line 1: " in message


def test_a_round_of_a_number_in_billions_is_found_missing_its_elders_at_once() -> None:
    """The gap was looked for by counting to the number, and the proposals by a question for each."""
    report = StoreReport(store="s", n_runs=1)
    counted = SimpleNamespace(seq=2**31, source="person", action="label", example_id="e1")
    records: Any = SimpleNamespace(
        subject="run 'r'", labels=[counted], opinions=[], marks=[], added=[], rounds=[SimpleNamespace(round_no=2**31)]
    )
    _check_numbers(records, report)
    assert [one.what for one in report.findings] == ["number 1 is missing", "number 0 is missing"]


def test_stored_arrays_that_are_compressed_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "arrays.npz", a=np.zeros(9))
    assert "its arrays are compressed, as stored ones never are" in refusal(load_arrays, tmp_path)


def test_a_file_of_labels_that_is_cut_off_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "l.csv.gz"
    path.write_bytes(gzip.compress(b"id,label\n" + os.urandom(4000).hex().encode())[:-900])
    assert "l.csv.gz: cut off or damaged: " in refusal(read_labels, path)


def test_the_limit_of_uploads_is_one_number_that_the_server_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard import serving
    from dashboard.uploading import MAX_BYTES

    assert serving.MAX_UPLOAD * 2**20 == MAX_BYTES
    assert largest_upload_that_passes(monkeypatch, 1) == 2**20 - 4096


def largest_upload_that_passes(monkeypatch: pytest.MonkeyPatch, limit: int) -> int:
    """Send files to Streamlit's own route, with and without saying how long they are; the answer is 204 or 413."""
    from streamlit import config
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
    from streamlit.web.server.starlette.starlette_routes import create_upload_routes

    options = {"server.maxUploadSize": limit, "server.enableXsrfProtection": False}
    known = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: options.get(name, known(name)))
    runtime: Any = SimpleNamespace(is_active_session=lambda session_id: True)
    client = TestClient(Starlette(routes=create_upload_routes(runtime, MemoryUploadedFileManager("/x"), None)))
    passed = []
    for n_bytes in (1000, limit * 2**20 - 4096, 3 * limit * 2**20):
        answer = client.put("/_stcore/upload_file/s/f", files={"file": ("a.csv", b"x" * n_bytes)})
        assert answer.status_code in (204, 413), answer.text
        body = [
            b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n',
            b"x" * n_bytes,
            b"\r\n--b--\r\n",
        ]
        streamed = client.put(
            "/_stcore/upload_file/s/g", content=iter(body), headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert streamed.status_code == answer.status_code
        passed += [n_bytes] if answer.status_code == 204 else []
    return max(passed)


def test_tables_offer_no_download_of_their_own_with_formulas_in_it() -> None:
    import tomllib

    import dashboard

    place = Path(dashboard.__file__).parent / ".streamlit" / "config.toml"
    assert tomllib.loads(place.read_text(encoding="utf-8"))["client"]["disableDataExport"] is True
