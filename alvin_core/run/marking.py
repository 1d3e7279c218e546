"""Marks on examples, the queue that skips reorder, and the log of all that people did."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from alvin_core.errors import LabelError
from alvin_core.run.handle import RunHandle, pending_ids
from alvin_core.run.submitting import check_annotator
from alvin_core.store.labels import label_events
from alvin_core.store.leases import drop_leases
from alvin_core.store.marks import Action, add_mark, held_marks, mark_events, skipped_by
from alvin_core.store.opinions import held_opinions, opinion_events
from alvin_core.store.tables import LabelRow, MarkRow, OpinionRow

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LONGEST_NOTE", "check_note", "history_frame", "mark", "marks_frame", "queue_of"]

LONGEST_NOTE = 10_000
ALLOWED_CONTROLS = "\n\t"

Event = LabelRow | OpinionRow | MarkRow


def mark(handle: RunHandle, example_id: str, action: Action, annotator: str, note: str = "") -> None:
    """Add a mark to an example, or take one off; on disk when it returns.

    What would change nothing, such as a second flag, or an unskip of what is not skipped, adds nothing to the log: a
    screen may send a click twice.

    Parameters
    ----------
    handle : RunHandle
    example_id : str
        Any example of the data set.
    action : {"skip", "unskip", "flag", "unflag", "note"}
        Skips are the annotator's own; flags and notes are everybody's. A second skip puts the example behind those
        skipped since.
    annotator : str
    note : str
        The text of a note, at most 10,000 characters; a blank one takes the note off.

    Raises
    ------
    LabelError
        When there is no such example, or the annotator's name or the note is refused.
    RunNotFoundError
        When the run has been deleted.
    """
    check_annotator(annotator)
    text = check_note(note) if action == "note" else ""
    if example_id not in handle.row_of_id:
        raise LabelError(f"the run {handle.row.name!r} has no example {example_id!r}; nothing was marked")
    with handle.store.write() as session:
        handle.check_exists(session)
        if _changes(session, handle.row.id, example_id, action, annotator, text):
            add_mark(session, handle.row.id, example_id, action, annotator=annotator, note=text)
        if action == "skip":  # it is others' to take, at once
            drop_leases(session, handle.row.id, [example_id], annotator=annotator)


def check_note(note: str) -> str:
    """Return a note as it is stored: empty where it is blank.

    Raises
    ------
    LabelError
        When it is too long, or has characters that are none of a text.
    """
    text = note.replace("\r\n", "\n")  # as forms send it
    if len(text) > LONGEST_NOTE:
        raise LabelError(f"the note has {len(text):,} characters, at most {LONGEST_NOTE:,} are kept; shorten it")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in ALLOWED_CONTROLS:
            raise LabelError(f"the note has the control character U+{ord(character):04X}; leave it out")
    return text if text.strip() else ""


def queue_of(handle: RunHandle, annotator: str) -> list[str]:
    """Return ids of proposed examples without a label: best first, then what the annotator skipped, oldest first.

    Those that the annotator has given an opinion on are left out: they wait for others.
    """
    check_annotator(annotator)
    with handle.store.read() as session:
        handle.check_exists(session)
        missing = pending_ids(session, handle.row.id)
        opinions = held_opinions(session, handle.row.id, missing)
        missing = [one for one in missing if annotator not in opinions.get(one, ())]
        skipped = skipped_by(session, handle.row.id, annotator)
    open_ids, put_off = set(missing), set(skipped)
    return [one for one in missing if one not in put_off] + [one for one in skipped if one in open_ids]


def marks_frame(handle: RunHandle) -> pd.DataFrame:
    """Return the marks that hold now, an example a row, the last touched at the end.

    Returns
    -------
    DataFrame
        ``id``, ``skipped`` (by anybody), ``flagged``, ``note``; ``annotator`` and ``time`` of the newest mark;
        ``skipped_by``, a tuple of names.
    """
    import pandas as pd

    with handle.store.read() as session:
        handle.check_exists(session)
        held = held_marks(mark_events(session, handle.row.id))
    marks = list(held.values())
    columns: dict[str, Any] = {
        "id": _strings(held),
        "skipped": pd.Series([bool(one.skipped_by) for one in marks], dtype=bool),
        "flagged": pd.Series([one.is_flagged for one in marks], dtype=bool),
        "note": _strings(one.note for one in marks),
        "annotator": _strings(one.last.annotator for one in marks),
        "time": _strings(one.last.created_at for one in marks),
        "skipped_by": pd.Series([one.skipped_by for one in marks], dtype=object),
    }
    return pd.DataFrame(columns)


def history_frame(handle: RunHandle) -> pd.DataFrame:
    """Return the audit log: every label, opinion, undo and mark, in order of time.

    Returns
    -------
    DataFrame
        ``time, annotator, action`` (label, undo, opinion, withdraw, skip, unskip, flag, unflag or note), ``id``;
        ``label`` of all but marks, ``source`` of labels and undos, ``note`` of notes, else missing. An opinion that
        another person took back names them, and whose it was in ``note``.
    """
    import pandas as pd

    with handle.store.read() as session:
        handle.check_exists(session)
        labels: list[LabelRow] = label_events(session, handle.row.id)
        marks: list[MarkRow] = mark_events(session, handle.row.id)
        opinions = opinion_events(session, handle.row.id)
    # Each log keeps its own order, even where a clock went back; of one instant, opinions come before the labels that
    # they make, and labels before marks.
    dated = [*_dated(opinions, 0), *_dated(labels, 1), *_dated(marks, 2)]
    events = [one for *_, one in sorted(dated, key=lambda entry: entry[:3])]
    columns: dict[str, Any] = {
        "time": _strings(one.created_at for one in events),
        "annotator": _strings(one.by if isinstance(one, OpinionRow) else one.annotator for one in events),
        "action": _strings(_action(one) for one in events),
        "id": _strings(one.example_id for one in events),
        "label": _strings(None if isinstance(one, MarkRow) else one.label for one in events),
        "source": _strings(one.source if isinstance(one, LabelRow) else None for one in events),
        "note": _strings(_note(one) for one in events),
    }
    return pd.DataFrame(columns)


def _changes(session: Session, run_id: str, example_id: str, action: Action, annotator: str, note: str) -> bool:
    """Return whether an event would change what holds."""
    if action in ("skip", "unskip"):
        skipped = skipped_by(session, run_id, annotator)
        return skipped[-1:] != [example_id] if action == "skip" else example_id in skipped
    held = held_marks(mark_events(session, run_id, example_id)).get(example_id)
    if action == "note":
        return note != (held.note if held else "")
    return (action == "flag") is not bool(held and held.is_flagged)


def _action(event: Event) -> str:
    return "withdraw" if isinstance(event, OpinionRow) and event.action == "undo" else event.action


def _note(event: Event) -> str | None:
    if isinstance(event, OpinionRow) and event.by != event.annotator:
        return f"opinion of {event.annotator}"
    return event.note if isinstance(event, MarkRow) and event.action == "note" else None


def _dated(events: Iterable[Event], log: int) -> Iterator[tuple[str, int, int, Event]]:
    latest = ""
    for one in events:
        latest = max(latest, one.created_at)
        yield latest, log, one.seq, one


def _strings(values: Iterable[str | None]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(list(values), dtype=object)
