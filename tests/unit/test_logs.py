"""Logs: one line an event with what it is about, and nothing of the data in any."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.cli import main
from alvin_core.errors import DataError, LabelError, SettingsError, StoreError
from alvin_core.log_files import BoundedFileHandler
from alvin_core.log_templates import with_numbers
from alvin_core.logs import JsonLines, ReadableLines, facts, log_about, log_error, run_log, set_up_logs, words_of
from alvin_core.run import create_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings

log = logging.getLogger("alvin_core.test")
SECRET = "the patient's diagnosis"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("ALVIN_LOG", "ALVIN_LOG_LEVEL", "ALVIN_LOG_FILE"):
        monkeypatch.setenv(name, "")
    before = list(logging.getLogger().handlers)
    levels = {name: logging.getLogger(name).level for name in ("alvin_core", "dashboard")}
    yield
    root = logging.getLogger()
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
        handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The lines that were written, as JSON."""
    monkeypatch.setenv("ALVIN_LOG", "json")
    monkeypatch.setenv("ALVIN_LOG_LEVEL", "debug")
    stream = io.StringIO()
    set_up_logs(screen=True, stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_what_where_and_what_it_is_about(lines: Any) -> None:
    with run_log("ab12cd34", "first"), log_about(round=3, job=7, person="ada"):
        log.info("round ends", extra=facts(seconds=1.23456789, n=4, strategy="alvin"))
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("time"))
    assert isinstance(line.pop("process"), int)
    assert line == {
        "level": "info",
        "logger": "alvin_core.test",
        "message": "round ends",
        "run_id": "ab12cd34",
        "run": "first",
        "round": 3,
        "job": 7,
        "person": "ada",
        "seconds": 1.234568,
        "n": 4,
        "strategy": "alvin",
    }


def test_what_a_line_is_about_ends_with_its_block(lines: Any) -> None:
    with run_log("ab12cd34", "first"):
        with log_about(round=1, run=None):
            log.info("in")
        log.info("out")
    log.info("beyond")
    inner, outer, beyond = lines()
    assert (inner["round"], inner["run"], outer.get("round"), "run" in beyond) == (1, "first", None, False)
    with pytest.raises(ValueError, match="not 'text'"), log_about(text="x"):
        pass


@pytest.mark.parametrize("value", [SECRET, ["a"], {"a": 1}, b"x", "x" * 81, "two\nlines", object()], ids=range(7))
def test_a_fact_that_could_be_a_text_becomes_an_ellipsis(value: object) -> None:
    assert facts(value=value) == {"facts": {"value": "…"}}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreError(f"the run {SECRET!r} is gone"), "StoreError: the run '…' is gone"),
        (DataError(f"row 3: {SECRET}"), "DataError"),
        (LabelError(SECRET), "LabelError"),
        (ValueError(SECRET), "ValueError"),
        (KeyError(SECRET), "KeyError"),
        (OSError(28, "No space left on device", f"/home/{SECRET}"), "OSError: No space left on device"),
        (SettingsError("see postgresql://ada:hunter2@host/db for it"), "SettingsError: see … for it"),
        (StoreError(f"bad [SQL: INSERT] [parameters: ({SECRET})]"), "StoreError: bad …"),
        (StoreError(f"refused DETAIL: Key (id)=({SECRET})"), "StoreError: refused …"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "words",
)
def test_an_error_is_told_without_what_it_holds_of_the_data(error: Exception, words: str) -> None:
    assert words_of(error) == words


def test_an_error_has_its_traceback_once_and_its_places_hold_no_folder_of_a_person(lines: Any) -> None:
    def fail() -> None:
        try:
            int(SECRET)
        except ValueError as error:
            raise StoreError(f"cannot read {SECRET!r}") from error

    with pytest.raises(StoreError) as caught:
        fail()
    log_error(log, "round fails", caught.value)
    log_error(log, "job fails", caught.value)
    first, second = lines()
    assert first["error"]["words"] == "StoreError: cannot read '…'"
    assert first["error"]["cause"]["kind"] == "ValueError"
    assert first["error"]["places"][-1].endswith(" in fail")
    assert "error" not in second
    assert second["kind"] == "StoreError"
    assert SECRET not in json.dumps([first, second])
    assert str(Path.home()) not in json.dumps(first)


def test_other_libraries_are_told_by_what_stands_in_their_code_and_by_numbers_alone(lines: Any) -> None:
    log = logging.getLogger("urllib3")
    log.warning("retrying %s after 'x y', try %d of %.1f", SECRET, 2, 3.25)
    log.warning("%(text)s in %(count)05d, 100%%", {"text": SECRET, "count": 7})
    log.warning("100% sure, no values")
    log.warning("Started server process [%d] on %s://%s:%d", 12, SECRET, SECRET, 8501)
    assert [line["message"] for line in lines()] == [
        "retrying … after '…', try 2 of 3.2",
        "… in 00007, 100%",
        "100% sure, no values",
        "Started server process [12] on …://…:8501",
    ]


def test_a_number_that_writes_itself_as_a_text_is_told_as_a_number() -> None:
    class Named(int):
        def __str__(self) -> str:
            return SECRET

        __repr__ = __str__

    told = with_numbers("%s %r %a %d %s %s", (Named(3), Named(3), Named(3), Named(3), np.float64(0.5), True))
    assert told == "3 3 3 3 0.5 True"


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("%s", (SECRET,)),
        ("%r", ([1, SECRET],)),
        ("%d", (SECRET,)),
        ("%c", (65,)),
        ("%*d", (5, SECRET)),
        ("%s %s", (SECRET,)),
        ("%(x)s", ({"x": SECRET},)),
        ("%(x)s", {"y": SECRET}),
        ("%s", {"y": SECRET}),
        ("%d", (float("nan"),)),
        ("%d", (10**5000,)),
        ("% ", (SECRET,)),
        ("%(", (SECRET,)),
        ("%s", SECRET),
    ],
    ids=range(14),
)
def test_a_message_that_does_not_fit_its_values_is_told_without_them(template: str, arguments: Any) -> None:
    told = with_numbers(template, arguments)
    assert set(told) <= {*template, "…"}


def test_nobody_can_forge_a_line_by_a_name() -> None:
    record = logging.LogRecord("alvin_core.x", logging.INFO, "", 0, "begins", (), None)
    with log_about(person="ada\n2026-01-01T00:00:00.000000Z ERROR alvin_core.x: forged", run="a b"):
        line = ReadableLines().format(record)
        assert json.loads(JsonLines().format(record))["person"].startswith("ada 2026")
    assert "\n" not in line
    assert 'run="a b"' in line
    assert ' person="ada 2026-01-01' in line


def test_nothing_is_written_unless_somebody_asks(capfd: pytest.CaptureFixture[str]) -> None:
    assert not set_up_logs()
    log.error("unheard")
    assert main(["samples"]) == 0
    assert capfd.readouterr().err == ""


def test_a_command_takes_the_options_of_logs_wherever_they_stand(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alvin.log"
    assert main(["samples", "--log-level=debug", "--log-file", str(path)]) == 0
    begins, ends = path.read_text(encoding="utf-8").splitlines()
    assert begins.endswith("INFO alvin_core.cli: command begins command=samples")
    assert re.search(r"command ends command=samples code=0 seconds=[\d.]+$", ends)
    assert capfd.readouterr().err == ""
    assert main(["samples", "--log-level", "loud"]) == 2
    assert "'loud' is no level of logs (--log-level, or ALVIN_LOG_LEVEL); choose debug" in capfd.readouterr().err
    assert main(["samples", "--log-file"]) == 2
    assert "--log-file needs a value" in capfd.readouterr().err


def test_a_command_that_fails_is_told_with_its_error_and_without_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALVIN_LOG", "json")
    path = tmp_path / "alvin.log"
    assert main(["show", "secret-run", "--store", str(tmp_path / "none"), "--log-file", str(path)]) == 2
    text = path.read_text(encoding="utf-8")
    last = json.loads(text.splitlines()[-1])
    assert (last["message"], last["kind"], last["error"]["kind"]) == ("command fails", "StoreError", "StoreError")
    assert "secret-run" not in text


def test_every_round_tells_its_begin_its_end_and_key_numbers_and_none_of_its_texts(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch, lines: Any
) -> None:
    monkeypatch.setattr(Engine, "compute", fake.compute)
    run = create_run(tmp_path, fake.make_dataset(20), RunSettings(budget=4, initial=8), name="first")
    list(run.run_rounds(1))
    told = [line for line in lines() if line["logger"] == "alvin_core.run"]
    assert [(line["message"], line["round"], line["run_id"]) for line in told] == [
        ("round begins", 0, run.id),
        ("round ends", 0, run.id),
        ("round begins", 1, run.id),
        ("round ends", 1, run.id),
    ]
    assert told[3]["n_labeled"] == 12
    assert told[3]["n_selected"] == 4
    assert told[3]["train_seconds"] == 0.1
    assert told[3]["seconds"] > 0
    assert not re.search(r"e\d{5}|with a comma|\bneg\b|\bpos\b", json.dumps(told))


def test_a_round_that_fails_says_so_once_and_one_that_waits_is_no_error(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch, lines: Any
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(Engine, "compute", broken)
    run = create_run(tmp_path, fake.make_dataset(20), RunSettings(budget=4, initial=8), name="first")
    with pytest.raises(ZeroDivisionError):
        run.step()
    failed = lines()[-1]
    assert (failed["message"], failed["level"], failed["error"]["kind"]) == (
        "round fails",
        "error",
        "ZeroDivisionError",
    )
    waiting = create_run(tmp_path, fake.make_dataset(labeled=0.0), RunSettings(budget=4, initial=8), name="second")
    with pytest.raises(Exception, match="label"):
        waiting.step()
    assert (lines()[-1]["level"], lines()[-1]["why"]) == ("info", "AnnotationNeeded")
    assert SECRET not in json.dumps(lines())


def test_a_log_file_never_grows_without_end_and_loses_no_line_while_it_turns(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    handler = BoundedFileHandler(path, largest=1000, kept=3)
    for number in range(90):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, f"line {number:04d} {'.' * 20}", (), None))
    handler.close()
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["a.log", "a.log.1", "a.log.2"]
    numbers = [int(one.split()[1]) for file in reversed(files) for one in file.read_text().splitlines()]
    assert numbers == list(range(90))
    assert max(one.stat().st_size for one in files) < 1000 + 31
    assert path.stat().st_mode & 0o077 == 0


WRITER = """
import logging, sys
from pathlib import Path
from alvin_core.log_files import BoundedFileHandler
handler = BoundedFileHandler(Path(sys.argv[1]), largest=3000, kept=100)
for number in range(150):
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, f"{sys.argv[2]} {number} " + "." * 40, (), None))
"""


def test_several_processes_write_whole_lines_to_one_file_that_turns(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    started = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(which)]) for which in range(3)]
    assert [one.wait() for one in started] == [0, 0, 0]
    texts = [file.read_text() for file in tmp_path.iterdir()]
    found = sorted(tuple(map(int, line.split()[:2])) for text in texts for line in text.splitlines())
    assert found == [(which, number) for which in range(3) for number in range(150)]
    assert len(texts) > 3


def test_a_log_that_cannot_be_written_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALVIN_LOG_FILE", str(tmp_path / "no" / "such" / "a.log"))
    with pytest.raises(SettingsError, match="cannot be written: No such file or directory; name another file"):
        set_up_logs()
    monkeypatch.setenv("ALVIN_LOG_FILE", "")
    monkeypatch.setenv("ALVIN_LOG", "xml")
    with pytest.raises(SettingsError, match="ALVIN_LOG='xml' is unknown; set it to text or json"):
        set_up_logs()
