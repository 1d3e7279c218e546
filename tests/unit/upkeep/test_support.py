"""The report for support tells what a helper needs, and nothing of the data, of people or of folders."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.cli import main
from alvin_core.data.dataset import Texts
from alvin_core.run import Run, create_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store.jobs import add_job
from alvin_core.store.locks import file_lock
from alvin_core.store.tables import RoundRow
from alvin_core.upkeep.log_tail import tail_of
from alvin_core.upkeep.probes import clock_facts, disk_facts, held_locks, sizes_of
from alvin_core.upkeep.support import support_report
from alvin_core.upkeep.support_text import as_text

SECRET = "Hunter2"
TRACEBACK = f"""Traceback (most recent call last):
  File "/home/{SECRET}/site-packages/alvin_core/run/stepping.py", line 52, in step_run
    work("{SECRET}")
  File "/home/{SECRET}/{SECRET}.py", line 1, in {SECRET}
{SECRET}: a line of a message
alvin_core.errors.DataError: row 3 holds {SECRET}
"""


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run in whose every field, and in whose store's every corner, the secret stands."""

    def compute(*arguments: Any) -> Any:
        result, told = fake.compute(*arguments)
        return replace(result, warnings=(SECRET,)), {**told, "device": f"the device of {SECRET}", "origin": SECRET}

    monkeypatch.setattr(Engine, "compute", compute)
    plain = fake.make_dataset()
    dataset = replace(
        plain,
        ids=np.char.add(plain.ids, SECRET),
        texts=Texts.pack(f"{SECRET} {row}" for row in range(len(plain))),
        classes=(f"a{SECRET}", f"b{SECRET}"),
        attributes=np.full(len(plain), SECRET),
        warnings=(SECRET,),
    )
    settings = RunSettings(budget=4, initial=8).with_value("encoder.name", f"{SECRET}/{SECRET}")
    store = tmp_path / f"home-of-{SECRET}"
    made = create_run(store, dataset, settings, name=SECRET, source=f"/home/{SECRET}/{SECRET}.csv")
    made.step()
    made.flag(str(made.dataset.ids[20]), annotator=SECRET)
    made.note(str(made.dataset.ids[20]), f"a note on {SECRET}", annotator=SECRET)
    made.undo(str(made.labels()["id"].iloc[0]), annotator=SECRET)
    with made._handle.store.write() as session:
        row = add_job(session, "create", None, {"name": SECRET, "path": f"/home/{SECRET}/x.csv"})
        row.state, row.error, row.traceback = "failed", f"{SECRET} is bad", TRACEBACK
        row.note, row.result, row.stage = SECRET, {"run": SECRET}, SECRET
        record = session.get(RoundRow, (made.id, 0))
        assert record is not None
        record.summary = {**record.summary, SECRET: SECRET}
    _write_log(store / "worker.log")
    monkeypatch.setenv("PGPASSWORD", SECRET)
    monkeypatch.setenv("ALVIN_STORE", f"postgresql+psycopg://ada:{SECRET}@{SECRET}/db")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"{SECRET} {SECRET}")
    return made


def _write_log(path: Path) -> None:
    when = "2026-01-02T03:04:05.000006Z"
    path.write_text(
        f"{when} INFO alvin_core.run: round begins run_id=ab12cd34 run={SECRET} round=3 person={SECRET} budget=4\n"
        f"{when} INFO alvin_core.worker: the worker of /home/{SECRET}/store is ready: process 12\n"
        f'{when} ERROR alvin_core.run: round fails run="{SECRET} {SECRET}" seconds=1.5 kind=StoreError\n'
        "    alvin_core/run/stepping.py:52 in step_run\n"
        f"    StoreError: {SECRET}\n"
        f"{when} INFO alvin_core.run: {SECRET} strategy={SECRET}!\n"
        f"{when} INFO dashboard.acting: {SECRET} did it job=3 kind={SECRET}\n"
        f"a library printed {SECRET}\n"
        + "\n".join(
            json.dumps(one)
            for one in (
                {"time": when, "level": "info", "logger": "alvin_core.run", "message": "round ends", "run": SECRET},
                {"time": SECRET, "level": SECRET, "logger": SECRET, "message": SECRET, "kind": SECRET, SECRET: 1},
                {
                    "time": when, "level": "error", "logger": "alvin_core.run", "message": "round fails",
                    "error": {"kind": "ValueError", "words": SECRET, "places": [SECRET, "alvin_core/x.py:3 in f"]},
                },
                [SECRET],
            )
        ),
        encoding="utf-8",
    )  # fmt: skip


def test_no_part_of_the_report_holds_a_text_a_label_a_name_a_password_or_a_folder(run: Run, tmp_path: Path) -> None:
    report = support_report(run._handle.store.path)
    assert not [name for name, part in report.items() if isinstance(part, dict) and "failed" in part]
    for told in (json.dumps(report), as_text(report)):
        assert SECRET.lower() not in told.lower()
        assert str(tmp_path) not in told
        assert str(Path.home()) + "/" not in told


def test_it_tells_what_a_helper_asks_for(run: Run) -> None:
    report = support_report(run._handle.store.path)
    assert report["store"] == {"opens": True, "database": "sqlite", "arrays": "folder", "schema_version": 5}
    assert (report["counts"]["n_runs"], report["counts"]["n_rounds"], report["counts"]["n_marks"]) == (1, 1, 2)
    assert report["disk"]["writable"]
    assert report["disk"]["fsync_median_ms"] > 0
    assert abs(report["clock"]["disk_ahead_seconds"]) < 60
    assert report["verify"]["n_runs"] == 1
    assert report["sizes"]["runs"]["files"] > 0
    assert report["rounds"][0]["run_id"] == run.id
    assert report["rounds"][0]["seconds"] == {"train": 0.1}
    (job,) = report["jobs"]
    assert (job["kind"], job["state"], job["error"]) == ("create", "failed", "DataError")
    assert job["places"] == ["alvin_core/run/stepping.py:52 in step_run"]
    assert report["runs"][0]["settings"]["encoder.name"] == "…"
    assert report["runs"][0]["settings"]["budget"] == 4
    assert report["variables"]["PGPASSWORD"] == "set"
    assert report["variables"]["CUDA_VISIBLE_DEVICES"] == "…"


def test_of_the_logs_the_lines_of_this_program_are_kept_without_names(run: Run) -> None:
    lines = tail_of(run._handle.store.path / "worker.log")
    assert lines[0] == {
        "time": "2026-01-02T03:04:05.000006Z",
        "level": "info",
        "logger": "alvin_core.run",
        "message": "round begins",
        "run_id": "ab12cd34",
        "round": 3,
        "budget": 4,
    }
    assert lines[1]["message"] == "the worker is ready: process 12"
    assert (lines[2]["message"], lines[2]["kind"], lines[2]["places"]) == (
        "round fails", "StoreError", ["alvin_core/run/stepping.py:52 in step_run"],
    )  # fmt: skip
    assert lines[3]["message"] == "…"
    assert lines[4].keys() == {"time", "level", "logger"}
    errors = [one["error"] for one in lines if "error" in one]
    assert errors == [{"kind": "ValueError", "places": ["alvin_core/x.py:3 in f"]}]
    assert lines[-1] == {"lines_of_another_form": 3}


def test_the_command_prints_it_and_writes_a_bundle_once(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("alvin_core.cli.doctor._encoder", lambda: ("ok", "not looked at"))
    store, bundle = str(run._handle.store.path), tmp_path / "report.zip"
    assert main(["doctor", "--store", store]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("ALVIN Studio, for support.")
    assert "[worker]\nalive: no\nwarm: no\nprocess: –\n" in shown
    assert main(["doctor", "--store", store, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["machine"]["torch"] == "ok"
    assert told["worker"] == {"alive": False, "warm": False, "process": None, "since": None}
    assert told["versions"]["installed"]["numpy"] == np.__version__
    assert main(["doctor", "--store", store, "--output", str(bundle)]) == 0
    assert "look into it before you send it" in capsys.readouterr().out
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == ["report.txt", "report.json", "worker.log.jsonl"]
        texts = [archive.read(name).decode() for name in archive.namelist()]
    for one in (shown, json.dumps(told), *texts):
        assert SECRET not in one
    assert main(["doctor", "--output", str(tmp_path / "report.txt")]) == 2
    assert "report.txt is no zip file, which --output writes" in capsys.readouterr().err
    assert main(["doctor", "--store", store, "--output", str(bundle)]) == 2
    assert "is there already; name another file" in capsys.readouterr().err
    (tmp_path / "new").mkdir()
    assert main(["doctor", "--store", str(tmp_path / "new")]) == 0
    told_of_new = capsys.readouterr()
    assert "[store]\nopens: no\n" in told_of_new.out
    assert "no store was made there yet; the first run makes it" in told_of_new.err
    assert main(["doctor", "--store", str(tmp_path / "nowhere")]) == 2
    assert "there is no store at" in capsys.readouterr().err


def test_the_text_is_for_people_in_lines_that_a_screen_holds(run: Run) -> None:
    report = support_report(run._handle.store.path)
    text = as_text(report)
    assert max(map(len, text.splitlines())) <= 100
    assert not any(word in text for word in ("None", "True", "False", "{", "}", '"'))
    assert f"numpy={np.__version__}," in text
    assert "\nsound: yes\n" in text


@pytest.mark.parametrize(
    ("part", "lines"),
    [
        ({"alive": False, "since": None, "leases": 0}, ["alive: no", "since: –", "leases: 0"]),
        (
            {"free_bytes": 53_115_465_728, "small_bytes": 17, "bytes": 999_600},
            ["free_bytes: 53.1 GB", "small_bytes: 17 B", "bytes: 1 MB"],
        ),
        ({"ahead_seconds": -0.0, "median_ms": 0.1234567}, ["ahead_seconds: 0", "median_ms: 0.1235"]),
        ({"labels": {"oracle label": 3}, "findings": {}}, ["labels: oracle label=3", "findings: none"]),
        (
            [{"id": 1, "settings": {}, "seconds": {"train": 1.5, "n": None}}],
            ["- id=1, settings=none, seconds=(train=1.5, n=–)"],
        ),
        (
            {"log": [{"level": "info"}, {"places": ["a.py:1 in f", "b.py:2 in g"]}]},
            ["log:", "- level=info", "- places=(a.py:1 in f; b.py:2 in g)"],
        ),
        ({"failed": "JSONDecodeError"}, ["failed: JSONDecodeError"]),
        ([], ["none"]),
        ({}, ["none"]),
        (
            {"words": " ".join(["word-of-9"] * 12)},
            ["words: " + " ".join(["word-of-9"] * 9), "    " + " ".join(["word-of-9"] * 3)],
        ),
    ],
)
def test_each_kind_of_value_has_its_words(part: Any, lines: list[str]) -> None:
    assert as_text({"part": part}).splitlines()[2:] == ["[part]", *lines]


def test_a_store_that_cannot_be_opened_or_read_is_told_of_and_breaks_nothing(run: Run, tmp_path: Path) -> None:
    assert support_report(tmp_path / "none")["store"] == {"opens": False, "error": "StoreError"}
    path = run._handle.store.path
    with run._handle.store.write() as session:
        session.connection().exec_driver_sql("UPDATE rounds SET seconds = '{broken'")
    report = support_report(path)
    assert report["rounds"] == {"failed": "JSONDecodeError"}
    assert report["counts"]["n_rounds"] == 1


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system does not tell who holds a lock")
def test_locks_that_are_held_are_told_with_their_holder_and_none_is_taken(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    free, held = tmp_path / "locks" / "free.lock", tmp_path / "locks" / "ab12cd34.lock"
    free.touch()
    with file_lock(held, subject="x"):
        assert held_locks(tmp_path) == [{"lock": "ab12cd34", "process": os.getpid(), "alive": True}]
    assert held_locks(tmp_path) == []


def test_where_the_system_does_not_tell_the_process_that_a_lock_names_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alvin_core.upkeep.probes.PROC_LOCKS", tmp_path / "none")
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "a.lock").write_text(str(os.getpid()))
    (tmp_path / "locks" / "b.lock").write_text("")
    assert held_locks(tmp_path) == [{"lock": "a", "process": os.getpid(), "alive": True}]


def test_a_disk_that_refuses_and_a_clock_that_jumped_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    assert clock_facts(tmp_path, "2999-01-01T00:00:00+00:00")["stored_ahead_seconds"] > 1e9
    assert clock_facts(tmp_path, "2001-01-01T00:00:00+00:00")["stored_ahead_seconds"] == 0.0
    monkeypatch.setattr("os.fsync", full)
    facts = disk_facts(tmp_path)
    assert (facts["writable"], facts["why_not"]) == (False, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_two_names_takes_its_room_once(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a").write_bytes(b"x" * 100)
    os.link(tmp_path / "runs" / "a", tmp_path / "runs" / "b")
    assert sizes_of(tmp_path)["runs"] == {"files": 2, "bytes": 100}
