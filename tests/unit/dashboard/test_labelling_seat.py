"""Seats at a queue, and what several people see of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from alvin_core import Run, RunSettings, SettingsError, create_run, open_run
from dashboard.api import ROUTES
from dashboard.labelling import plan_bulk
from dashboard.labelling_desk import Desk
from dashboard.labelling_queue import left_of, names_of, reserved_for_others
from dashboard.labelling_seat import AHEAD, SeatGoneError, hear, lease_seconds

N = 10


@pytest.fixture
def make(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Run]:
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "s"))

    def made(overlap: int) -> Run:
        settings = RunSettings(budget=5, initial=N).with_value("annotation.overlap", overlap)
        return create_run(tmp_path / "s", fake.make_dataset(labeled=0.0), settings, name="r")

    return made


@pytest.fixture
def run(make: Callable[[int], Run]) -> Run:
    return make(1)


def desk_of(run: Run, name: str) -> Desk:
    desk = Desk(run.id)
    desk.look(run, name)
    return desk


def held_by(run: Run, name: str) -> list[str]:
    return [one.id for one in run.queue_state().examples if name in [hold.annotator for hold in one.held_by]]


def token(desk: Desk) -> str:
    assert desk.seat is not None
    return desk.seat.token


def test_people_at_one_queue_have_different_examples_in_front_until_it_is_done(run: Run) -> None:
    desks = {name: desk_of(run, name) for name in ("Ada", "Bo", "Cy")}
    seen: list[str] = []
    while any(desk.current for desk in desks.values()):
        fronts = [desk.current for desk in desks.values() if desk.current]
        assert len(fronts) == len(set(fronts))
        for name, desk in desks.items():
            if desk.current is not None:
                seen.append(desk.current)
                desk.label(run, desk.current, "pos", name)
            desk.look(run, name)
    assert sorted(seen) == sorted(run.labels()["id"])
    assert len(seen) == N


def test_a_desk_holds_a_few_examples_and_gives_them_back(run: Run) -> None:
    desk = desk_of(run, "Ada")
    assert held_by(run, "Ada") == desk.queue[:AHEAD]
    desk.leave(run)
    assert held_by(run, "Ada") == []


def test_what_was_just_taken_back_is_held_again(run: Run) -> None:
    desk = desk_of(run, "Ada")
    first = desk.current
    assert first is not None
    desk.label(run, first, "pos", "Ada")
    last = desk.last_of("Ada")
    assert last is not None
    desk.undo(run, last, "Ada")
    assert desk.current == first
    assert first in held_by(run, "Ada")


def test_a_skipped_example_is_held_once_its_turn_comes_again(run: Run) -> None:
    run.submit(dict.fromkeys(run.queue("Bo")[2:], "neg"), annotator="Bo")
    desk = desk_of(run, "Ada")
    first, second = desk.queue
    desk.skip(run, first, "Ada")
    desk.look(run, "Ada")
    assert desk.current == second
    assert held_by(run, "Ada") == [second]  # others may take what was skipped
    desk.label(run, second, "pos", "Ada")
    desk.look(run, "Ada")
    assert desk.current == first
    assert held_by(run, "Ada") == [first]
    assert held_by(run, "Bo") == []


def test_browsing_holds_no_more_than_the_example_in_front(run: Run) -> None:
    desk = desk_of(run, "Ada")
    desk.turn_to("browse")
    desk.look(run, "Ada")
    assert held_by(run, "Ada") == [desk.current]
    desk.show(desk.queue[4])
    desk.look(run, "Ada")
    assert held_by(run, "Ada") == []


def test_a_sign_renews_what_is_held_and_a_farewell_gives_it_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = desk_of(run, "Ada")
    monkeypatch.setenv("ALVIN_LEASE_SECONDS", "3600")  # by that, what is held for ten minutes is nearly over
    before = run.queue_state().examples[0].held_by[0].seconds_left
    hear(token(desk), "idle")
    assert run.queue_state().examples[0].held_by[0].seconds_left <= before
    hear(token(desk), "here")
    assert run.queue_state().examples[0].held_by[0].seconds_left > 3000
    hear(token(desk), "leave")
    assert held_by(run, "Ada") == []
    desk.look(run, "Ada")  # the tab was only hidden
    assert desk.current in held_by(run, "Ada")


def test_one_of_two_tabs_that_closes_takes_nothing_from_the_other(run: Run) -> None:
    one, other = desk_of(run, "Ada"), desk_of(run, "Ada")
    hear(token(one), "leave")
    assert other.current in held_by(run, "Ada")
    hear(token(other), "leave")
    assert held_by(run, "Ada") == []


def test_the_stamp_changes_with_what_others_do_and_not_without(run: Run) -> None:
    desk = desk_of(run, "Ada")
    stamp = hear(token(desk), "idle")["stamp"]
    assert hear(token(desk), "idle")["stamp"] == stamp
    run.take("Bo", 2)
    assert hear(token(desk), "idle")["stamp"] != stamp


def test_a_seat_is_its_own_persons_alone(run: Run) -> None:
    desk = desk_of(run, "Ada")
    with pytest.raises(SeatGoneError):
        hear(token(desk), "leave", ("Mallory",))
    with pytest.raises(SeatGoneError):
        hear("0" * 32, "leave")
    assert held_by(run, "Ada")
    client = TestClient(Starlette(routes=ROUTES))
    assert client.post(f"/api/seats/{'0' * 32}/leave").status_code == 404
    assert client.post(f"/api/seats/{token(desk)}/steal").status_code == 400
    assert client.get(f"/api/seats/{token(desk)}/leave").status_code == 405
    assert client.post(f"/api/seats/{token(desk)}/leave").status_code == 200
    assert held_by(run, "Ada") == []


@pytest.mark.parametrize("said", ["soon", "0.5", "-3", "nan", "86401"])
def test_a_time_that_is_none_is_refused_by_name(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALVIN_LEASE_SECONDS", said)
    with pytest.raises(SettingsError, match=f"ALVIN_LEASE_SECONDS = '{said}' must be a number of seconds"):
        lease_seconds()


def test_what_is_left_is_said_in_words(make: Callable[[int], Run]) -> None:
    run = make(1)
    run.take("Ada", 3)
    run.take("Bo", 4)
    run.take("Cy", 2)
    state = run.queue_state()
    assert left_of(state, "Ada").words == "10 left: 3 yours, 1 free, 6 with Bo and Cy"
    assert left_of(state, "Dora").words == "10 left: 1 free, 9 with Bo, Ada and Cy"
    assert len(reserved_for_others(state, "Dora")) == 9
    assert names_of(["a", "b", "c", "d", "e"]) == "a, b and 3 others"
    assert names_of([]) == ""


def test_with_overlap_an_example_is_free_until_as_many_hold_it_as_are_wanted(make: Callable[[int], Run]) -> None:
    run = make(2)
    first = run.queue("Ada")[0]
    run.submit({first: "pos"}, annotator="Ada")
    assert first not in reserved_for_others(run.queue_state(), "Bo")
    run.take("Bo", 1)
    assert reserved_for_others(run.queue_state(), "Cy") == {first: ("Bo",)}
    left = left_of(run.queue_state(), "Ada")
    assert (left.n_waiting, left.n_others, left.n_opinions) == (1, 0, 2 * N - 1)


def test_a_region_leaves_out_what_others_hold(run: Run) -> None:
    theirs = run.take("Bo", 2)
    desk = desk_of(run, "Ada")
    ids = run.queue("Ada")
    plan = plan_bulk(ids, {}, desk.reserved)
    assert plan.reserved == dict.fromkeys(theirs, ("Bo",))
    assert plan.n_labeled == 0
    desk.label_region(run, plan, "pos", "Ada")
    assert sorted(run.labels()["id"]) == sorted(set(ids) - set(theirs))


def test_a_region_of_shared_examples_gets_one_opinion_each_and_is_taken_back_whole(make: Callable[[int], Run]) -> None:
    run = make(2)
    ids = run.queue("Ada")[:4]
    desk = desk_of(run, "Ada")
    desk.label_region(run, plan_bulk(ids, {}, {}), "pos", "Ada")
    assert desk.message is not None
    assert "4 of them want several people: there it is your opinion." in desk.message.text
    last = desk.last_of("Ada")
    assert last is not None
    assert sorted(last.ids) == sorted(ids)
    desk.undo(run, last, "Ada")
    assert open_run(run._handle.store.path, "r").opinions().empty
