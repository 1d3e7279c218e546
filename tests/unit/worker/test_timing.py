"""The time left: from earlier rounds, from the stage, never negative, never wild."""

from __future__ import annotations

import pytest

from alvin_core.progress import ProgressEvent
from alvin_core.worker.timing import TimeLeft, round_seconds


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def event(done: int, total: int, stage: str = "train") -> ProgressEvent:
    return ProgressEvent(stage, done, total)


def test_a_round_takes_the_median_of_the_last_three_without_what_is_done_once() -> None:
    assert round_seconds([]) is None
    assert round_seconds([{"load": 9.0, "encode": 90.0, "train": 2.0, "select": 1.0}]) == 3.0
    assert round_seconds([{"train": 100.0}, {"train": 4.0}, {"train": 6.0}, {"train": 5.0}]) == 5.0


def test_nothing_is_said_while_nothing_is_known(clock: Clock) -> None:
    left = TimeLeft(clock)
    assert left(event(0, 0)) is None
    assert left(event(0, 10)) is None
    clock.now += 0.1
    assert left(event(1, 10)) is None  # too short a time to tell from


def test_with_no_earlier_round_a_stage_takes_as_long_as_its_share_says(clock: Clock) -> None:
    left = TimeLeft(clock)
    left.begin_round(0, None, None)
    left(event(0, 10))
    clock.now += 4.0
    assert left(event(4, 10)) == pytest.approx(6.0)


def test_with_earlier_rounds_the_rounds_and_maps_to_come_are_counted(clock: Clock) -> None:
    left = TimeLeft(clock)
    left.begin_round(2, 10.0, 5.0)
    assert left(event(0, 10)) == pytest.approx(45.0)
    clock.now += 10.0
    assert left(event(9, 10)) == pytest.approx(35.0)
    left.begin_map(5.0)
    assert left(event(0, 0, "map")) == pytest.approx(35.0)
    clock.now += 5.0
    assert left(event(1, 2, "map")) == pytest.approx(30.0)


def test_it_is_never_negative_however_long_a_round_takes(clock: Clock) -> None:
    left = TimeLeft(clock)
    left.begin_round(0, 3.0, 0.0)
    for step in range(20):
        value = left(event(step, 20))
        assert value is not None
        assert value >= 0
        clock.now += 1.0
    assert left(event(20, 20)) == pytest.approx(0.0, abs=1e-9)


def test_a_jump_in_what_is_found_is_followed_in_small_steps(clock: Clock) -> None:
    left = TimeLeft(clock)
    left.begin_round(0, 10.0, 0.0)
    assert left(event(0, 10)) == pytest.approx(10.0)
    left.begin_round(9, 10.0, 0.0)  # as if nine rounds more were asked for
    assert left(event(0, 10)) == pytest.approx(10.0 + 0.25 * 90.0)
