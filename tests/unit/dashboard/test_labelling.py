"""Labelling without a screen."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from alvin_core import LabelError, Run, RunSettings, create_run, delete_run
from dashboard.labelling import (
    class_keys,
    other_classes,
    pace_of,
    plan_bulk,
    press_token,
    recent_labels,
    successor,
)
from dashboard.labelling_desk import Desk
from dashboard.plain_text import plain


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    return create_run(tmp_path / "s", fake.make_dataset(labeled=0.0), RunSettings(budget=5, initial=10), name="r")


@pytest.fixture
def desk(run: Run) -> Desk:
    made = Desk(run.id)
    made.look(run, "Ada")
    return made


def labels_of(run: Run) -> dict[str, str]:
    frame = run.labels()
    return dict(zip(frame["id"], frame["label"], strict=True))


def test_the_first_ten_classes_have_the_keys_of_the_keyboards_top_row() -> None:
    classes = tuple(f"class {number:02d}" for number in range(13))
    keys = class_keys(classes)
    assert [one.key for one in keys] == list("1234567890")
    assert keys[9].element == "label_9"
    assert other_classes(classes) == ("class 10", "class 11", "class 12")
    assert other_classes(classes[:2]) == ()


def test_markdown_in_a_class_name_is_escaped_and_shorthand_cut() -> None:
    assert plain("**n** [a](b)") == r"\*\*n\*\* \[a\]\(b\)"
    assert ":smile:" not in plain(":smile:").replace("\\", "")
    assert "->" not in plain("a -> b").replace("\\", "")
    assert plain("non-toxic").replace("\\", "") == "non-toxic"
    assert plain(" \n ") == r"\(blank\)"


def test_other_examples_have_other_button_names() -> None:
    assert press_token("e1") == press_token("e1")
    assert press_token("e1") != press_token("e2")
    assert press_token("a", "b") != press_token("ab")


@pytest.mark.parametrize(
    ("before", "done", "after", "expected"),
    [
        ("abc", "a", "bc", "b"),
        ("abc", "b", "ac", "c"),
        ("abc", "a", "c", "c"),  # a colleague took b
        ("abc", "c", "ab", "a"),
        ("abc", "a", "bca", "b"),  # skipped: it comes last
        ("a", "a", "a", None),
        ("a", "a", "", None),
        ("abc", "x", "bc", "b"),
    ],
)
def test_what_comes_next(before: str, done: str, after: str, expected: str | None) -> None:
    assert successor(list(before), done, list(after)) == expected


def test_pace_counts_the_gaps_between_the_last_labels() -> None:
    assert pace_of([]) is None
    assert pace_of([5.0]) is None
    assert pace_of([5.0, 5.0]) is None
    pace = pace_of([0.0, 1000.0, 1002.0, 1004.0, 1012.0], most=4)
    assert pace is not None
    assert (pace.per_minute, pace.median_seconds, pace.n) == (pytest.approx(15.0), 2.0, 4)


def test_labels_given_in_one_go_are_one_entry_and_only_those_of_people() -> None:
    rows = [
        ("e0", "pos", "oracle", "t0", "oracle"),
        ("e1", "pos", "Ada", "t1", "person"),
        ("e2", "neg", "Ada", "t2", "person"),
        ("e3", "neg", "Ada", "t2", "person"),
        ("e4", "neg", "Bob", "t3", "person"),
    ]
    frame = pd.DataFrame(rows, columns=["id", "label", "annotator", "time", "source"])
    entries = recent_labels(frame)
    assert [one.ids for one in entries] == [("e4",), ("e2", "e3"), ("e1",)]
    assert [one.is_bulk for one in entries] == [False, True, False]
    assert [one.ids for one in recent_labels(frame, most=2)] == [("e4",), ("e2", "e3")]
    assert recent_labels(frame.iloc[:0]) == []


def test_a_bulk_label_leaves_given_labels_alone_and_counts_them() -> None:
    plan = plan_bulk(["a", "b", "c", "d"], {"b": "pos", "d": "neg", "x": "neg"})
    assert plan.ids == ("a", "c")
    assert plan.given == {"neg": 1, "pos": 1}
    assert (plan.n_region, plan.n_labeled) == (4, 2)


def test_a_label_is_in_the_store_and_the_next_example_in_front(run: Run, desk: Desk) -> None:
    first, second = desk.queue[:2]
    desk.label(run, first, "pos", "Ada")
    assert labels_of(run) == {first: "pos"}
    assert run.labels()["annotator"].tolist() == ["Ada"]
    assert desk.current == second
    assert desk.message is None


def test_a_second_press_for_the_same_example_labels_nothing_else(run: Run, desk: Desk) -> None:
    first, second = desk.queue[:2]
    desk.label(run, first, "pos", "Ada")
    desk.label(run, first, "pos", "Ada")
    assert desk.message is None
    desk.label(run, first, "neg", "Ada")
    assert desk.message is not None
    assert "just labeled pos" in desk.message.text
    assert labels_of(run) == {first: "pos"}
    assert desk.current == second


def test_a_press_for_an_example_that_is_in_front_no_longer_is_not_taken(run: Run, desk: Desk) -> None:
    first, second = desk.queue[:2]
    desk.skip(run, first, "Ada")
    desk.label(run, first, "pos", "Ada")
    assert labels_of(run) == {}
    assert desk.current == second


def test_an_example_undone_elsewhere_can_be_labeled_again(run: Run, desk: Desk) -> None:
    first = desk.queue[0]
    desk.label(run, first, "pos", "Ada")
    run.undo(first, "Bob")
    desk.look(run, "Ada")
    desk.show(first)
    desk.label(run, first, "neg", "Ada")
    assert labels_of(run) == {first: "neg"}


def test_a_colleagues_other_label_is_said_and_the_example_stays(run: Run, desk: Desk) -> None:
    first = desk.queue[0]
    run.submit({first: "neg"}, annotator="Bob", force=True)
    desk.label(run, first, "pos", "Ada")
    assert labels_of(run) == {first: "neg"}
    assert desk.current == first
    assert desk.message is not None
    assert desk.message.kind == "error"
    assert desk.message.text == f"Not stored: Bob labeled {first} neg meanwhile."
    desk.look(run, "Ada")
    assert desk.current == first
    desk.skip(run, first, "Ada")
    assert desk.current == desk.queue[0] != first
    assert not run.marks()["skipped"].any()


def test_a_colleagues_same_label_is_no_error(run: Run, desk: Desk) -> None:
    first, second = desk.queue[:2]
    run.submit({first: "pos"}, annotator="Bob", force=True)
    desk.label(run, first, "pos", "Ada")
    assert desk.current == second
    assert run.labels()["annotator"].tolist() == ["Bob"]


def test_a_deleted_run_is_said_and_the_example_stays(tmp_path: Path, run: Run, desk: Desk) -> None:
    first = desk.current
    assert first is not None
    delete_run(tmp_path / "s", "r")
    desk.label(run, first, "pos", "Ada")
    assert desk.current == first
    assert desk.message is not None
    assert "has been deleted" in desk.message.text


def test_undo_brings_the_example_back_in_front_and_a_second_undo_does_nothing(run: Run, desk: Desk) -> None:
    first, second = desk.queue[:2]
    desk.label(run, first, "pos", "Ada")
    desk.label(run, second, "neg", "Ada")
    last = desk.last_of("Ada")
    assert last is not None
    desk.undo(run, last, "Ada")
    assert labels_of(run) == {first: "pos"}
    assert desk.current == second
    desk.undo(run, last, "Ada")
    assert labels_of(run) == {first: "pos"}
    assert desk.message is not None
    assert desk.message.text.startswith("Nothing was taken back")


def test_undo_leaves_alone_what_a_colleague_has_changed_since(run: Run, desk: Desk) -> None:
    first = desk.queue[0]
    desk.label(run, first, "pos", "Ada")
    last = desk.last_of("Ada")
    assert last is not None
    run.undo(first, "Bob")
    run.submit({first: "neg"}, annotator="Bob")
    desk.undo(run, last, "Ada")
    assert labels_of(run) == {first: "neg"}


def test_a_region_is_labeled_all_at_once_and_taken_back_all_at_once(run: Run, desk: Desk) -> None:
    ids = run.dataset.ids[20:29].tolist()
    run.submit({ids[0]: "neg"}, annotator="Bob")
    desk.look_again(run, "Ada")
    plan = plan_bulk(ids, {one: label for one, (label, _) in desk.held.items()})
    desk.label_region(run, plan, "pos", "Ada")
    assert labels_of(run) == {ids[0]: "neg"} | dict.fromkeys(ids[1:], "pos")
    # What can be undone in one go comes from the store: another tab, or a reload, can do it as well.
    other = Desk(run.id)
    other.look(run, "Ada")
    last = other.last_of("Ada")
    assert last is not None
    assert last.ids == tuple(ids[1:])
    other.undo(run, last, "Ada")
    assert labels_of(run) == {ids[0]: "neg"}


def test_a_region_that_a_colleague_answered_otherwise_is_refused_whole(run: Run, desk: Desk) -> None:
    ids = run.dataset.ids[20:23].tolist()
    plan = plan_bulk(ids, {})
    run.submit({ids[2]: "neg"}, annotator="Bob")
    desk.label_region(run, plan, "pos", "Ada")
    assert labels_of(run) == {ids[2]: "neg"}
    assert desk.message is not None
    assert desk.message.text.startswith("Nothing was stored")


def test_skips_go_round_and_are_ones_own(run: Run, desk: Desk) -> None:
    queue = list(desk.queue)
    seen = []
    for _ in range(len(queue)):
        assert desk.current is not None
        seen.append(desk.current)
        desk.skip(run, desk.current, "Ada")
    assert seen == queue
    assert desk.current == queue[0]
    assert run.queue("Bob") == queue


def test_flags_and_notes_are_stored_and_taken_off(run: Run, desk: Desk) -> None:
    first = desk.queue[0]
    desk.turn_flag(run, first, "Ada", on=True)
    desk.write_note(run, first, "<b>odd</b>", "Ada")
    other = Desk(run.id)
    other.look(run, "Bob")
    assert other.flagged == {first}
    assert other.notes == {first: "<b>odd</b>"}
    other.turn_flag(run, first, "Bob", on=False)
    other.write_note(run, first, "", "Bob")
    assert other.flagged == set()
    assert other.notes == {}
    desk.write_note(run, first, "\x01", "Ada")
    assert desk.message is not None
    assert desk.message.kind == "error"


def test_two_hundred_labels_are_two_hundred_labels(tmp_path: Path, fake: ModuleType) -> None:
    settings = RunSettings(budget=5, initial=200)
    run = create_run(tmp_path / "big", fake.make_dataset(n_pool=300, labeled=0.0), settings, name="big")
    desk = Desk(run.id)
    desk.look(run, "Ada")
    said = {}
    while desk.current is not None:
        label = "pos" if len(said) % 3 else "neg"
        said[desk.current] = label
        desk.label(run, desk.current, label, "Ada")
        desk.look(run, "Ada")
    assert len(said) == 200
    assert labels_of(run) == said
    assert len(run.history()) == 200
    with pytest.raises(LabelError):
        run.submit({next(iter(said)): "unknown"})
