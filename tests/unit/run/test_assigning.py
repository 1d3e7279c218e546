"""Many people on one queue: what is held for whom, whose opinions make a label, and what is taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alvin_core.annotation_settings import AnnotationSettings
from alvin_core.errors import AnnotationNeeded, LabelError, RunNotFoundError, SettingsError
from alvin_core.run import Run, SubmitReport, create_run, delete_run, open_run
from alvin_core.run.desk import draw_wanted
from alvin_core.settings import RunSettings
from alvin_core.store import leases
from alvin_core.store.leases import Moment
from alvin_core.store.opinions import majority
from alvin_core.upkeep.counting import count_store

NewRun = Callable[..., Run]


@pytest.fixture
def new_run(tmp_path: Path, fake: ModuleType) -> NewRun:
    def make(overlap: int = 1, share: float = 1.0, initial: int = 4, seed: int = 0) -> Run:
        settings = RunSettings(budget=3, initial=initial, seed=seed)
        settings = replace(settings, annotation=AnnotationSettings(overlap=overlap, overlap_share=share))
        return create_run(tmp_path, fake.make_dataset(labeled=0.0), settings, name="r")

    return make


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.name, self.seconds = "boot one", 1000.0

    def __call__(self, _session: object) -> Moment:
        return Moment(self.name, self.seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("alvin_core.run.desk.moment", clock)
    monkeypatch.setattr("alvin_core.run.assigning.moment", clock)
    return clock


def holders(run: Run) -> dict[str, list[str]]:
    """Example -> who holds it; what nobody holds is left out."""
    return {one.id: [hold.annotator for hold in one.held_by] for one in run.queue_state().examples if one.held_by}


def test_each_gets_the_best_that_nobody_else_holds(new_run: NewRun) -> None:
    run = new_run()
    queue = run.queue()
    assert run.take("ada", 2) == tuple(queue[:2])
    assert run.take("ben") == (queue[2],)
    assert run.take("cleo", 5) == (queue[3],)
    assert run.take("dan") == ()
    assert holders(run) == {queue[0]: ["ada"], queue[1]: ["ada"], queue[2]: ["ben"], queue[3]: ["cleo"]}


def test_who_holds_examples_gets_those_again_before_others(new_run: NewRun) -> None:
    run = new_run()
    first = run.take("ada", 2)
    assert run.take("ada", 1) == first[:1]
    assert run.take("ada", 3) == (*first, run.queue()[2])


def test_what_is_given_back_is_the_next_to_be_taken(new_run: NewRun) -> None:
    run = new_run()
    queue = run.queue()
    run.take("ada", 3)
    assert run.give_back("ada", [queue[1], queue[3]]) == (queue[1],)
    assert run.take("ben") == (queue[1],)
    assert run.give_back("ada") == (queue[0], queue[2])
    assert run.give_back("ada") == ()
    assert holders(run) == {queue[1]: ["ben"]}


def test_an_unknown_id_is_refused_and_nothing_is_given_back(new_run: NewRun) -> None:
    run = new_run()
    [one] = run.take("ada")
    with pytest.raises(LabelError, match="the run 'r' has no example 'nothing'; nothing was given back"):
        run.give_back("ada", [one, "nothing"])
    assert holders(run) == {one: ["ada"]}


def test_a_label_of_what_another_holds_is_refused_with_who_and_how_long_unless_it_is_forced(
    new_run: NewRun, clock: Clock
) -> None:
    run = new_run()
    [one] = run.take("ada", seconds=300)
    clock.seconds += 60
    with pytest.raises(LabelError, match=rf"'{one}' is held by ada for another 4 min; .*; nothing was stored"):
        run.submit({run.queue()[1]: "pos", one: "neg"}, annotator="ben")
    assert len(run.labels()) == 0
    assert run.submit({one: "neg"}, annotator="ben", force=True).n_new == 1
    assert holders(run) == {}
    assert run.submit({one: "neg"}, annotator="ada").n_same == 1
    with pytest.raises(LabelError, match="is labeled 'neg' and cannot become 'pos'"):
        run.submit({one: "pos"}, annotator="ada")


def test_a_lease_ends_by_itself_and_a_late_label_counts_while_nobody_else_has_the_example(
    new_run: NewRun, clock: Clock
) -> None:
    run = new_run()
    first, second = run.take("ada", 2, seconds=100)
    clock.seconds += 100
    assert holders(run) == {}
    assert run.take("ben", 1) == (first,)
    with pytest.raises(LabelError, match="is held by ben"):
        run.submit({first: "pos", second: "pos"}, annotator="ada")
    assert run.submit({second: "pos"}, annotator="ada").n_new == 1
    assert run.submit({first: "neg"}, annotator="ben").n_new == 1


def test_taking_again_lets_the_time_begin_anew_and_never_makes_it_shorter(new_run: NewRun, clock: Clock) -> None:
    run = new_run()
    [one] = run.take("ada", seconds=600)
    clock.seconds += 10
    run.take("ada", seconds=60)
    [[hold]] = [example.held_by for example in run.queue_state().examples if example.id == one]
    assert hold.seconds_left == pytest.approx(590)
    clock.seconds += 500
    run.take("ada", seconds=600)
    clock.seconds += 599
    assert holders(run) == {one: ["ada"]}


@pytest.mark.parametrize("jump", [-5.0, -500.0, 86_400.0])
def test_a_lease_of_a_clock_that_jumped_ends_and_its_example_is_labeled_once(
    new_run: NewRun, clock: Clock, jump: float
) -> None:
    run = new_run()
    [one] = run.take("ada", seconds=600)
    clock.seconds += jump  # back before the lease was taken, or past its end
    assert run.take("ben") == (one,)
    assert run.submit({one: "pos"}, annotator="ben").n_new == 1
    with pytest.raises(LabelError, match="is labeled 'pos'"):
        run.submit({one: "neg"}, annotator="ada")
    assert run.labels()["annotator"].tolist() == ["ben"]


def test_leases_of_another_boot_or_machine_have_ended(new_run: NewRun, clock: Clock) -> None:
    run = new_run()
    [one] = run.take("ada", seconds=600)
    clock.name = "boot two"
    assert holders(run) == {}
    assert run.take("ben") == (one,)
    clock.name = "boot one"
    assert holders(run) == {}


def test_the_clock_of_a_store_on_this_machine_does_not_follow_the_wall_clock(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run()
    [one] = run.take("ada", seconds=600)
    for wrong in (0.0, 4e9):
        monkeypatch.setattr("time.time", lambda wrong=wrong: wrong)
        assert holders(run) == {one: ["ada"]}
        assert one not in run.take("ben", 10)
        run.give_back("ben")
    assert leases._clock_of_this_boot().startswith("boot")


def test_who_skips_an_example_lets_go_of_it_and_takes_it_from_nobody_else(new_run: NewRun) -> None:
    run = new_run()
    queue = run.queue()
    run.take("ada", 1)
    run.skip(queue[0], "ada")
    assert run.take("ben", 1) == (queue[0],)
    assert queue[0] not in run.take("ada", 10)
    run.give_back("ben")
    run.unskip(queue[0], "ada")
    assert queue[0] in run.take("ada", 10)


def test_an_undone_label_is_anybodys_to_take(new_run: NewRun) -> None:
    run = new_run()
    [one] = run.take("ada")
    run.submit({one: "pos"}, annotator="ada")
    run.undo(one, annotator="ben")
    assert run.take("ben") == (one,)


def test_two_agree_and_the_label_is_theirs(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    one = run.queue()[0]
    assert run.take("ada") == run.take("ben") == (one,)
    assert one not in run.take("cleo", 10)
    assert run.submit({one: "pos"}, annotator="ada") == SubmitReport(0, 0, 0, 0, n_pending=4, n_opinions=1)
    assert run.state == "waiting"
    assert one not in run.queue("ada")
    assert one in run.queue("ben")
    assert run.take("ada", 10)[:1] == (run.queue()[1],)
    assert run.submit({one: "pos"}, annotator="ben") == SubmitReport(1, 0, 0, 0, n_pending=3, n_opinions=1)
    labels = run.labels()
    assert labels[["id", "label", "annotator", "source"]].to_numpy().tolist() == [[one, "pos", "ada, ben", "person"]]
    assert run.opinions()[["id", "label", "annotator", "decided"]].to_numpy().tolist() == [
        [one, "pos", "ada", "pos"],
        [one, "pos", "ben", "pos"],
    ]


def test_opinions_are_counted_for_whoever_watches_the_store(new_run: NewRun, tmp_path: Path) -> None:
    run = new_run(overlap=2)
    one, two, *_ = run.queue()
    assert count_store(tmp_path).n_opinions == 0
    run.submit({one: "pos", two: "pos"}, annotator="ada")
    run.undo([one], annotator="ada")
    assert count_store(tmp_path).n_opinions == 3


def test_a_tie_asks_one_more_person_and_names_those_of_the_majority(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    one = run.queue()[0]
    run.submit({one: "pos"}, annotator="ada")
    assert run.submit({one: "neg"}, annotator="ben").n_new == 0
    [example] = [example for example in run.queue_state().examples if example.id == one]
    assert (example.is_tied, example.given, example.wanted, example.label) == (True, 2, 2, None)
    assert run.queue_state().n_wanting == 1 + 3 * 2
    assert one not in run.take("ada", 10)
    assert run.take("cleo") == (one,)
    assert one not in run.take("dan", 10)
    assert run.submit({one: "neg"}, annotator="cleo").n_new == 1
    assert run.labels()["annotator"].tolist() == ["ben, cleo"]
    [example] = [example for example in run.queue_state().examples if example.id == one]
    assert (example.is_tied, example.given, example.label) == (False, 3, "neg")


def test_nobody_gives_two_opinions_on_one_example(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    one = run.queue()[0]
    run.submit({one: "pos"}, annotator="ada")
    assert run.submit({one: "pos"}, annotator="ada").n_same == 1
    with pytest.raises(LabelError, match=f"ada called example '{one}' 'pos' and cannot call it 'neg' too; undo first"):
        run.submit({one: "neg"}, annotator="ada")
    run.undo(one, annotator="ada")
    run.submit({one: "neg"}, annotator="ada")
    assert run.opinions()["label"].tolist() == ["neg"]


def test_places_that_others_hold_are_theirs_but_who_holds_one_is_never_refused(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    one = run.queue()[0]
    run.take("ada")
    run.take("ben")
    with pytest.raises(LabelError, match="is held by ada, ben for another"):
        run.submit({one: "pos"}, annotator="cleo")
    run.submit({one: "pos"}, annotator="cleo", force=True)
    assert run.submit({one: "pos"}, annotator="ben").n_new == 1
    assert holders(run) == {one: ["ada"]}


@pytest.mark.parametrize("label", ["pos", "neg"])
def test_who_still_holds_what_others_decided_is_heard_and_changes_no_label(new_run: NewRun, label: str) -> None:
    run = new_run(overlap=2)
    one = run.queue()[0]
    for name in ("ada", "ben"):
        run.take(name)
    for name in ("cleo", "ben"):
        run.submit({one: "pos"}, annotator=name, force=True)
    before = run.labels()
    with pytest.raises(LabelError, match="is labeled 'pos' and cannot become 'neg'"):
        run.submit({one: "neg"}, annotator="dan", force=True)
    assert run.submit({one: label}, annotator="ada") == SubmitReport(0, 0, 0, n_outside=0, n_pending=3, n_opinions=1)
    assert run.labels().equals(before)
    assert run.opinions()["label"].tolist() == ["pos", "pos", label]
    assert holders(run) == {}
    assert run.submit({one: label}, annotator="ada").n_same == 1
    run.undo(one, annotator="ada")
    assert run.labels().equals(before)
    assert run.opinions()["annotator"].tolist() == ["cleo", "ben"]


def test_a_late_opinion_that_makes_a_tie_leaves_the_label_of_the_majority_before_it(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    one = run.queue()[0]
    for name, label in (("ada", "pos"), ("ben", "neg")):
        run.submit({one: label}, annotator=name)
    run.take("cleo")
    run.submit({one: "pos"}, annotator="dan", force=True)
    assert run.submit({one: "neg"}, annotator="cleo").n_opinions == 1
    assert run.labels()["label"].tolist() == ["pos"]
    assert run.labels()["annotator"].tolist() == ["ada, dan"]


def test_an_opinion_taken_back_takes_the_label_only_where_the_rest_has_no_majority(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    one, two = run.queue()[:2]
    for name, label in (("ada", "pos"), ("ben", "neg"), ("cleo", "pos")):
        run.submit({one: label}, annotator=name)
    run.undo(one, annotator="ben")
    assert run.labels()["label"].tolist() == ["pos"]
    run.undo(one, annotator="cleo")
    assert len(run.labels()) == 0
    assert run.opinions()["annotator"].tolist() == ["ada"]
    assert one in run.take("cleo", 10)
    with pytest.raises(LabelError, match="has no label in the run 'r' yet, only opinions of ada"):
        run.undo(one, annotator="ben")
    with pytest.raises(LabelError, match="nothing to undo; none of the 2 was taken back"):
        run.undo([one, two], annotator="ada")
    assert run.opinions()["annotator"].tolist() == ["ada"]


def test_who_gave_no_opinion_takes_back_the_label_with_all_of_them(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    one = run.queue()[0]
    run.submit({one: "pos"}, annotator="ada")
    run.submit({one: "pos"}, annotator="ben")
    run.undo(one, annotator="owner")
    assert len(run.labels()) == len(run.opinions()) == 0
    history = run.history()
    assert history[["action", "annotator", "note"]].fillna("").to_numpy().tolist() == [
        ["opinion", "ada", ""],
        ["opinion", "ben", ""],
        ["label", "ada, ben", ""],
        ["undo", "owner", ""],
        ["withdraw", "owner", "opinion of ada"],
        ["withdraw", "owner", "opinion of ben"],
    ]


def test_a_step_waits_for_every_opinion_and_later_undos_take_the_whole_label(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    queue = run.queue()
    run.submit({one: ("neg", "pos")[place % 2] for place, one in enumerate(queue)}, annotator="ada")
    with pytest.raises(AnnotationNeeded, match="4 of the 4 examples"):
        run.step()
    run.submit({one: ("neg", "pos")[place % 2] for place, one in enumerate(queue)}, annotator="ben")
    assert run.step().n_labeled == 4
    assert run.queue_state().round_no == 0
    assert not set(run.take("ada", 10)) & set(queue)
    run.undo(queue[0], annotator="ada")  # nobody is asked for what is left
    assert queue[0] not in set(run.opinions()["id"])
    assert run.submit({queue[0]: "pos"}, annotator="ada") == SubmitReport(1, 0, 0, n_outside=1, n_pending=3)


def test_examples_that_were_not_asked_for_need_one_label(new_run: NewRun) -> None:
    run = new_run(overlap=3)
    other = next(one for one in run.dataset.ids.tolist()[:60] if one not in run.queue())
    assert run.submit({other: "pos"}, annotator="ada") == SubmitReport(1, 0, 0, n_outside=1, n_pending=4)


def test_a_bulk_of_labels_is_stored_whole_or_not_at_all(new_run: NewRun) -> None:
    run = new_run(overlap=2, share=0.5)
    queue = run.queue()
    [held] = run.take("ben", 1)
    wanted = {one.id: one.wanted for one in run.queue_state().examples}
    assert sorted(wanted.values()) == [1, 1, 2, 2]
    everything = dict.fromkeys(queue, "pos")
    if wanted[held] == 2:
        run.take("cleo", 1)
    with pytest.raises(LabelError, match="is held by"):
        run.submit(everything, annotator="ada")
    assert len(run.labels()) == len(run.opinions()) == 0
    report = run.submit(everything, annotator="ada", force=True)
    assert (report.n_new, report.n_opinions, report.n_pending) == (2, 2, 2)


@pytest.mark.parametrize("seed", range(4))
def test_a_submit_counts_what_is_left_as_who_reads_the_queue_does(new_run: NewRun, seed: int) -> None:
    rng = np.random.default_rng(seed)
    run = new_run(initial=20, overlap=2, share=0.5)
    queue = run.queue()
    for _ in range(40):
        name, some = rng.choice(["ada", "ben", "cleo"]), rng.choice(queue, size=rng.integers(1, 4), replace=False)
        state = {one.id: one for one in run.queue_state().examples}
        mine = [one for one in some.tolist() if name in state[one].annotators]
        if mine and rng.random() < 0.5:
            run.undo(mine, annotator=name)
            continue
        new = [one for one in some.tolist() if state[one].label is None and one not in mine]
        report = run.submit({one: str(rng.choice(["pos", "neg"])) for one in new}, annotator=name)
        assert report.n_pending == run.queue_state().n_open == len(run.pending())


def test_holds_of_more_examples_than_one_statement_names_are_each_found(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alvin_core.store.leases.MOST_ASKED", 3)
    run = new_run(initial=10)
    queue = run.queue()
    assert list(run.take("ada", 8)) == queue[:8]
    with pytest.raises(LabelError, match=f"{queue[4]!r} is held by ada"):
        run.submit(dict.fromkeys(queue[4:], "pos"), annotator="ben")
    run.submit(dict.fromkeys(queue[:5], "pos"), annotator="ada")
    assert holders(run) == {one: ["ada"] for one in queue[5:8]}


def test_the_share_is_drawn_by_the_seed_and_differs_from_round_to_round() -> None:
    ids = [f"e{number}" for number in range(40)]

    def drawn(seed: int, round_no: int, share: float = 0.25) -> dict[str, int]:
        settings = RunSettings(seed=seed, annotation=AnnotationSettings(overlap=3, overlap_share=share))
        return draw_wanted(settings, round_no, ids)

    assert drawn(0, -1) == drawn(0, -1)
    assert len({str(drawn(seed, round_no)) for seed in (0, 1) for round_no in (-1, 0, 1)}) == 6
    assert sorted(drawn(0, 0).values()) == [1] * 30 + [3] * 10
    assert set(drawn(0, 0, 0.0).values()) == {1}
    assert sum(one == 3 for one in drawn(0, 0, 0.01).values()) == 1
    assert set(drawn(0, 0, 1.0).values()) == {3}


@pytest.mark.parametrize(
    ("labels", "wanted", "expected"),
    [
        ([], 1, None),
        (["a"], 2, None),
        (["a", "b"], 2, None),
        (["a", "b", "b"], 2, "b"),
        (["a", "b", "c", "b"], 4, "b"),
        (["a", "a", "b", "b"], 3, None),
    ],
)
def test_a_majority_is_the_one_label_that_most_opinions_name(
    labels: list[str], wanted: int, expected: str | None
) -> None:
    assert majority(labels, wanted) == expected


def test_names_too_long_to_stand_together_become_their_number(new_run: NewRun) -> None:
    run = new_run(overlap=2)
    one = run.queue()[0]
    for name in ("a" * 150, "b" * 150):
        run.submit({one: "pos"}, annotator=name)
    assert run.labels()["annotator"].tolist() == ["2 annotators"]


@pytest.mark.parametrize(
    ("n", "seconds", "message"),
    [
        (0, 600.0, "n = 0 is out of range: it must be between 1 and 10,000"),
        (10_001, 600.0, "n = 10001 is out of range"),
        (1, 0.0, "seconds = 0.0 is out of range: it must be above 0 and at most 604,800"),
        (1, float("nan"), "seconds = nan"),
        (1, float("inf"), "seconds = inf"),
    ],
)
def test_what_cannot_be_taken_is_refused(new_run: NewRun, n: int, seconds: float, message: str) -> None:
    run = new_run()
    with pytest.raises(SettingsError, match=message):
        run.take("ada", n, seconds=seconds)
    with pytest.raises(LabelError, match="must be a name"):
        run.take(" ", 1)
    assert holders(run) == {}


def test_a_deleted_run_gives_nothing_and_leaves_no_lease(new_run: NewRun, tmp_path: Path) -> None:
    run = new_run(overlap=2)
    [one] = run.take("ada")
    run.submit({one: "pos"}, annotator="ben")
    delete_run(tmp_path, "r")
    for call in (lambda: run.take("ada"), lambda: run.give_back("ada"), run.queue_state, run.opinions):
        with pytest.raises(RunNotFoundError):
            call()


def test_another_process_sees_who_holds_what(new_run: NewRun, tmp_path: Path) -> None:
    run = new_run()
    [one] = run.take("ada")
    assert holders(open_run(tmp_path, "r")) == {one: ["ada"]}
    state = open_run(tmp_path, "r").queue_state()
    assert state.annotators == {"ada": (0, 1)}
    assert state.to_dict()["examples"][0]["held_by"][0]["annotator"] == "ada"
