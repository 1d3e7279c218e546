"""Progress: bars with the time left on a terminal, a line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import re
import time

import pytest

from alvin_core.cli import progress_bar
from alvin_core.cli.output import figure, one_line, seconds
from alvin_core.cli.progress_bar import Watch
from alvin_core.progress import ProgressEvent

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress_bar.time, "monotonic", clock.monotonic)
    return clock


def test_a_terminal_shows_rounds_stage_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Watch(3) as watch:
        for done in range(1, 8):
            watch(ProgressEvent("encode", done, 10))
            time.sleep(0.08)  # the bar measures its own speed
        watch.round_done()
        watch(ProgressEvent("select", 1, 5, "margin"))
        time.sleep(0.3)
    shown = capsys.readouterr()
    words = ESCAPES.sub("", shown.err)
    assert shown.out == ""
    assert "round 1 of 3" in words
    assert "encode texts" in words
    assert re.search(r"about \d+\.\d s left", words)
    assert "round 2 of 3" in words
    assert "margin" in words
    assert shown.err.endswith("\x1b[2K")  # the bars are gone when the work is done


def test_elsewhere_there_is_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    with Watch(3) as watch:
        for done in range(101):
            watch(ProgressEvent("train", done, 100))
            clock.now += 0.5
    assert capsys.readouterr().err.splitlines() == [
        "round 1 of 3: train 20%, about 40 s left",
        "round 1 of 3: train 40%, about 30 s left",
        "round 1 of 3: train 60%, about 20 s left",
        "round 1 of 3: train 80%, about 10 s left",
    ]


def test_encoding_is_told_in_texts_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    with Watch(2) as watch:
        watch.round_done({"n_encoded": 3000, "from_cache": False, "texts_per_second": 750.0})
        watch.round_done({"n_encoded": 0, "from_cache": False, "texts_per_second": None})
    assert capsys.readouterr().err == "encoded 3,000 texts in 4.0 s, 750 texts a second\n"


def test_quiet_says_nothing_but_what_a_user_must_know(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    with Watch(2, quiet=True) as watch:
        watch(ProgressEvent("encode", 1, 10))
        clock.now += 60
        watch(ProgressEvent("encode", 10, 10))
        watch(ProgressEvent("encode", 0, 0, "out of memory with 64 examples at once; going on with 32"))
    assert capsys.readouterr().err == "warning: out of memory with 64 examples at once; going on with 32\n"


def test_a_note_is_told_once_whatever_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    with Watch() as watch:
        for n in (64, 32, 16):
            watch(ProgressEvent("train", 0, 0, f"out of memory with {n} examples at once; going on with {n // 2}"))
        watch(ProgressEvent("select", 1, 5, "entropy"))
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7500, "2 h 5 min")],
)
def test_durations_read_well(value: float | None, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(None, "–"), (0.5, ".500"), (1.0, "1.000"), (0.9996, "1.000"), (0.0, ".000")]
)
def test_scores_read_well(value: float | None, words: str) -> None:
    assert figure(value) == words


def test_a_text_is_one_printable_line_of_the_length_asked_for() -> None:
    assert one_line("a\n b\t\x1b[31mc") == "a b �[31mc"
    assert one_line("abcdef ghij", 8) == "abcdef…"
    assert len(one_line("x" * 50, 10)) == 10
