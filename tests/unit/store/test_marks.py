"""Marks as a log: what holds after any events, and what a new run takes along."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvin_core.store.database import Store, open_store
from alvin_core.store.marks import ACTIONS, add_mark, copy_marks, held_marks, mark_events, skipped_by
from alvin_core.store.tables import RunRow

EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(ACTIONS), st.sampled_from(["Ada", "Ben"])), max_size=15
)


@settings(max_examples=25)
@given(events=EVENTS)
def test_the_log_gives_the_marks_that_hold(events: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder), create=True)
        skips: dict[tuple[str, str], None] = {}
        flags: set[str] = set()
        notes: dict[str, str] = {}
        with store.write() as session:
            session.add(run_row("r"))
            session.flush()
            for number, (example_id, action, annotator) in enumerate(events):
                note = f"note {number}" if number % 3 else ""
                add_mark(session, "r", example_id, action, annotator=annotator, note=note if action == "note" else "")
                if action in ("skip", "unskip"):
                    skips.pop((annotator, example_id), None)
                if action == "skip":
                    skips[annotator, example_id] = None
                elif action in ("flag", "unflag"):
                    (flags.add if action == "flag" else flags.discard)(example_id)
                elif action == "note":
                    notes[example_id] = note
        with store.read() as session:
            log = mark_events(session, "r")
            held = held_marks(log)
            for annotator in ("Ada", "Ben"):
                assert skipped_by(session, "r", annotator) == [one for name, one in skips if name == annotator]
        assert [one.seq for one in log] == list(range(1, len(events) + 1))
        noted = {one for one, note in notes.items() if note}
        assert held.keys() == {one for _, one in skips} | flags | noted
        for example_id, one in held.items():
            assert one.is_flagged == (example_id in flags)
            assert one.note == notes.get(example_id, "")
            assert one.skipped_by == tuple(name for name, skipped in skips if skipped == example_id)


def test_a_copy_has_flags_and_notes_with_who_and_when_and_no_skips(tmp_path: Path) -> None:
    store = two_runs(tmp_path)
    with store.write() as session:
        for action, note in (("skip", ""), ("flag", ""), ("note", "odd"), ("unflag", "")):
            add_mark(session, "r", "a", action, annotator="Ada", note=note)
        copy_marks(session, "r", "s")
    with store.read() as session:
        there, here = mark_events(session, "r"), mark_events(session, "s")
    assert [(one.seq, one.action, one.note, one.annotator) for one in here] == [
        (1, "flag", "", "Ada"),
        (2, "note", "odd", "Ada"),
        (3, "unflag", "", "Ada"),
    ]
    assert [one.created_at for one in here] == [one.created_at for one in there[1:]]


def test_a_transaction_that_fails_marks_nothing(tmp_path: Path) -> None:
    store = two_runs(tmp_path)
    with pytest.raises(ZeroDivisionError):
        mark_and_fail(store)
    with store.read() as session:
        assert mark_events(session, "r") == []


def mark_and_fail(store: Store) -> None:
    with store.write() as session:
        add_mark(session, "r", "a", "flag", annotator="Ada")
        session.flush()
        _ = 1 / 0


def two_runs(folder: Path) -> Store:
    store = open_store(folder, create=True)
    with store.write() as session:
        session.add_all([run_row("r"), run_row("s")])
    return store


def run_row(name: str) -> RunRow:
    return RunRow(
        id=name, name=name, settings={}, annotator="person", dataset="", source="", environment={}, created_at=""
    )
