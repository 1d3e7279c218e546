"""Skips, flags and notes: on disk, idempotent, and no business of the rounds."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from alvin_core.errors import LabelError, RunNotFoundError
from alvin_core.run import Run, create_run, delete_run, open_run
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=5, initial=10)


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    """A run whose ten first proposals wait for a person."""
    return create_run(tmp_path, fake.make_dataset(labeled=0.0), SETTINGS, name="hand")


def actions(run: Run) -> list[str]:
    return run.history()["action"].tolist()


def test_a_skipped_example_comes_last_for_who_skipped_it_and_for_nobody_else(run: Run) -> None:
    first, second, *rest = run.pending()["id"].tolist()
    run.skip(first, "Ada")
    run.skip(second, "Ada")
    assert run.queue("Ada") == [*rest, first, second]
    assert run.queue("Ben") == [first, second, *rest]
    run.skip(first, "Ada")
    assert run.queue("Ada") == [*rest, second, first]
    run.unskip(second, "Ada")
    assert run.queue("Ada") == [second, *rest, first]


def test_the_queue_has_only_what_is_proposed_and_unlabeled(run: Run) -> None:
    first, second, *rest = run.pending()["id"].tolist()
    elsewhere = next(one for one in run.dataset.ids.tolist() if one not in {first, second, *rest})
    run.skip(second, "Ada")
    run.skip(elsewhere, "Ada")
    run.submit({first: "pos", second: "neg"}, annotator="Ada")
    assert run.queue("Ada") == rest
    run.undo(second, "Ada")
    assert run.queue("Ada") == [*rest, second]


def test_what_changes_nothing_is_not_logged(run: Run) -> None:
    first, second = run.pending()["id"].tolist()[:2]
    for _ in range(2):
        run.unskip(first)
        run.unflag(first)
        run.note(first, " \n ")
    assert actions(run) == []
    for _ in range(2):
        run.skip(first)
        run.flag(first)
        run.note(first, "odd")
    assert actions(run) == ["skip", "flag", "note"]
    run.flag(second)
    for _ in range(2):
        run.unskip(first)
        run.unflag(first)
        run.note(first, "")
    assert actions(run)[4:] == ["unskip", "unflag", "note"]
    assert run.marks()["id"].tolist() == [second]


def test_the_marks_that_hold(run: Run) -> None:
    first, second, third = run.pending()["id"].tolist()[:3]
    run.flag(first, "Ada")
    run.note(second, "two\nlines", "Ada")
    run.skip(third, "Ada")
    run.skip(third, "Ben")
    run.note(first, "<script>alert(1)</script> $x$", "Ben")
    marks = run.marks()
    assert marks.columns.tolist() == ["id", "skipped", "flagged", "note", "annotator", "time", "skipped_by"]
    assert marks.drop(columns="time").to_numpy().tolist() == [
        [second, False, False, "two\nlines", "Ada", ()],
        [third, True, False, "", "Ben", ("Ada", "Ben")],
        [first, False, True, "<script>alert(1)</script> $x$", "Ben", ()],
    ]


def test_frames_without_marks_have_their_columns(run: Run) -> None:
    assert run.marks()["skipped"].dtype.kind == "b"
    assert (len(run.marks()), len(run.history())) == (0, 0)
    assert run.history().columns.tolist() == ["time", "annotator", "action", "id", "label", "source", "note"]


def test_the_history_is_labels_and_marks_in_order_of_time(run: Run) -> None:
    first, second = run.pending()["id"].tolist()[:2]
    run.flag(second, "Ada")
    run.submit({first: "pos"}, annotator="Ben")
    run.note(first, "sure?", "Ada")
    run.undo(first, "Ada")
    history = run.history()
    assert history[["annotator", "action", "id", "label", "source", "note"]].to_numpy().tolist() == [
        ["Ada", "flag", second, None, None, None],
        ["Ben", "label", first, "pos", "person", None],
        ["Ada", "note", first, None, None, "sure?"],
        ["Ada", "undo", first, "pos", "person", None],
    ]
    assert history["time"].is_monotonic_increasing


def test_a_clock_that_goes_back_does_not_turn_a_log_round(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run.pending()["id"].tolist()[0]
    for hour, act in ((9, run.flag), (8, run.unflag), (10, run.flag)):
        monkeypatch.setattr("alvin_core.store.marks.now", lambda hour=hour: f"2026-01-01T{hour:02d}:00:00+00:00")
        act(first)
    assert actions(run) == ["flag", "unflag", "flag"]


def test_marks_change_nothing_of_what_a_round_sees(tmp_path: Path, fake: ModuleType) -> None:
    plain, marked = (create_run(tmp_path, fake.make_dataset(), SETTINGS, name=name) for name in ("plain", "marked"))
    for example_id in marked.dataset.ids.tolist():
        marked.skip(example_id)
        marked.flag(example_id)
        marked.note(example_id, "seen")
    assert marked.state == "ready"
    for run in (plain, marked):
        list(run.run_rounds(2))
    pd.testing.assert_frame_equal(marked.selection(2), plain.selection(2))
    pd.testing.assert_frame_equal(marked.labels().drop(columns="time"), plain.labels().drop(columns="time"))


def test_examples_of_any_split_can_be_marked_and_others_cannot(run: Run) -> None:
    run.flag(run.dataset.ids[run.dataset.rows_of("test")[0]].item())
    with pytest.raises(LabelError, match="the run 'hand' has no example 'nobody'; nothing was marked"):
        run.flag("nobody")


@pytest.mark.parametrize("annotator", ["", "  ", "x" * 201, "two\nlines", "\ud800"])
def test_a_bad_name_marks_nothing_and_has_no_queue(run: Run, annotator: str) -> None:
    with pytest.raises(LabelError, match="must be a name of 1 to 200 printable characters"):
        run.flag(run.pending()["id"].tolist()[0], annotator)
    with pytest.raises(LabelError, match="must be a name"):
        run.queue(annotator)
    assert actions(run) == []


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ("x" * 10_001, "the note has 10,001 characters, at most 10,000 are kept; shorten it"),
        ("a\x00b", r"the note has the control character U\+0000; leave it out"),
        ("a\rb", r"U\+000D"),
        ("\x1b[2J", r"U\+001B"),
        ("\x85", r"U\+0085"),
        ("\ud800", r"U\+D800"),
    ],
)
def test_a_bad_note_is_refused(run: Run, note: str, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        run.note(run.pending()["id"].tolist()[0], note)
    assert actions(run) == []


def test_a_long_note_in_any_script_is_kept_as_it_is(run: Run, tmp_path: Path) -> None:
    first = run.pending()["id"].tolist()[0]
    note = "\u202eשלום\t🙂\r\n*x*" + "x" * 9_980
    run.note(first, note)
    assert open_run(tmp_path, "hand").marks()["note"].tolist() == [note.replace("\r\n", "\n")]


def test_many_marks_at_once_are_all_kept(run: Run, tmp_path: Path) -> None:
    ids = run.dataset.ids.tolist()[:24]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: open_run(tmp_path, "hand").flag(one, "Ada"), ids))
    assert sorted(run.marks()["id"]) == sorted(ids)
    assert len(run.history()) == 24


def test_a_deleted_run_takes_no_marks(run: Run, tmp_path: Path) -> None:
    first = run.pending()["id"].tolist()[0]
    run.flag(first)
    delete_run(tmp_path, "hand")
    for use in (lambda: run.flag(first), lambda: run.queue("Ada"), run.marks, run.history):
        with pytest.raises(RunNotFoundError, match="'hand' has been deleted"):
            use()


def test_a_fork_takes_flags_and_notes_along_and_leaves_skips(run: Run) -> None:
    first, second = run.pending()["id"].tolist()[:2]
    run.flag(first, "Ada")
    run.note(second, "odd", "Ben")
    run.skip(second, "Ben")
    child = run.fork(0, name="child")
    assert child.marks()[["id", "skipped", "flagged", "note", "annotator"]].to_numpy().tolist() == [
        [first, False, True, "", "Ada"],
        [second, False, False, "odd", "Ben"],
    ]
    child.unflag(first, "Ada")
    assert run.marks()["flagged"].sum() == 1
