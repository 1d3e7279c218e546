"""Warming up gives way to a job, wherever it is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from alvin_core.worker.warming import WarmUp


def warm_up_of(*pieces: tuple[Callable[[], None], bool]) -> WarmUp:
    warm = WarmUp()
    warm._pieces = list(pieces)
    return warm


@pytest.fixture
def on_signal() -> Iterator[Callable[[WarmUp], None]]:
    before = signal.getsignal(signal.SIGINT)

    def use(warm: WarmUp) -> None:
        signal.signal(signal.SIGINT, warm.on_signal)

    yield use
    signal.signal(signal.SIGINT, before)


def never() -> bool:
    return False


def test_the_pieces_are_done_one_a_step_and_a_failure_is_a_note() -> None:
    done = []

    def broken() -> None:
        raise ImportError("umap is\nnot installed")

    warm = warm_up_of((lambda: done.append(1), False), (broken, True), (lambda: done.append(2), True))
    assert [warm.step(never) for _ in range(3)] == [True, True, True]
    assert not warm.step(never)
    assert done == [1, 2]
    assert warm.notes == ["ImportError: umap is not installed"]


def test_a_long_piece_is_broken_off_by_a_job_and_begun_anew_later(on_signal: Callable[[WarmUp], None]) -> None:
    begun = []

    def long_piece() -> None:
        begun.append(1)
        if len(begun) == 1:
            time.sleep(20)

    warm = warm_up_of((long_piece, True))
    on_signal(warm)
    start = time.monotonic()
    threading.Timer(0.2, warm.interrupt).start()
    assert warm.step(never)
    assert time.monotonic() - start < 5
    assert warm.step(never)
    assert not warm.step(never)
    assert len(begun) == 2


def test_a_job_that_came_just_before_a_long_piece_goes_first() -> None:
    done = []
    warm = warm_up_of((lambda: done.append(1), True))
    assert warm.step(lambda: True)
    assert done == []
    assert warm.step(never)
    assert done == [1]


def test_a_short_piece_and_the_time_after_are_not_disturbed(on_signal: Callable[[WarmUp], None]) -> None:
    done = []

    def short_piece() -> None:
        warm.interrupt()
        done.append(1)

    warm = warm_up_of((short_piece, False))
    on_signal(warm)
    assert warm.step(never)
    warm.interrupt()
    signal.raise_signal(signal.SIGINT)  # Ctrl-C in the supervisor's terminal
    assert done == [1]
    assert warm.notes == []


def test_what_a_round_has_loaded_is_not_loaded_again() -> None:
    done = []
    warm = warm_up_of((lambda: done.append("short"), False), (lambda: done.append("long"), True))
    warm.leave_out_loaded()
    while warm.step(never):
        pass
    assert done == ["long"]
