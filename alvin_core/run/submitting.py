"""Labels from people: checked all together, stored all or none, on disk before the call returns.

Of an example that several people annotate, a label is an opinion; what they come to is the label, stored with the last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from sqlalchemy.orm import Session

from alvin_core.data.packing import WHOLE_NUMBER, NestedValueError, as_text
from alvin_core.data.problems import shorten
from alvin_core.errors import LabelError
from alvin_core.run.desk import Desk, read_desk
from alvin_core.run.handle import RunHandle
from alvin_core.run.values import SubmitReport
from alvin_core.store.labels import HeldLabel, add_labels, add_undos, last_seq, now
from alvin_core.store.leases import drop_leases
from alvin_core.store.opinions import HeldOpinion, add_opinion_undos, add_opinions, majority
from alvin_core.store.rounds import count_pending

__all__ = ["check_annotator", "joined", "submit_labels", "undo_labels"]

LONGEST_ANNOTATOR = 200


def submit_labels(handle: RunHandle, labels: Any, annotator: str, *, force: bool = False) -> SubmitReport:
    """Store labels; see `Run.submit`."""
    check_annotator(annotator)
    classes = handle.dataset.classes
    given = [
        (example_id, label if label is None else _class_name(label, classes)) for example_id, label in _pairs(labels)
    ]
    wanted = [(example_id, label) for example_id, label in given if label is not None]
    with handle.store.write() as session:
        handle.check_exists(session)
        desk = read_desk(session, handle, only={one for one, _ in wanted if one in handle.row_of_id})
        new = _check(handle, desk, wanted, annotator, force=force)
        opinions = {one: label for one, label in new.items() if desk.is_shared(one)}
        direct = {one: label for one, label in new.items() if one not in opinions}
        decided = _store(session, handle, desk, direct, opinions, annotator)
        _end_holds(session, handle, {one for one, _ in wanted}, direct, annotator)
        n_pending = count_pending(session, handle.row.id, desk.round_no)
    return SubmitReport(
        n_new=len(decided),
        n_same=len(wanted) - len(new),
        n_blank=len(given) - len(wanted),
        n_outside=len(new.keys() - desk.wanted.keys()),
        n_pending=n_pending,
        n_opinions=len(opinions),
    )


def _store(
    session: Session,
    handle: RunHandle,
    desk: Desk,
    direct: Mapping[str, str],
    opinions: Mapping[str, str],
    annotator: str,
) -> set[str]:
    """Append what is new, and the labels that opinions come to; return the ids that have a label now."""
    run_id, time = handle.row.id, now()
    decided: dict[str, dict[str, str]] = {annotator: dict(direct)}  # by the names of those who gave the label
    for example_id, label in opinions.items():
        votes = {name: one.label for name, one in desk.opinions.get(example_id, {}).items()} | {annotator: label}
        # One more opinion on what has its label already, of somebody who still held it, changes no label.
        winner = None if example_id in desk.labels else majority(votes.values(), desk.wanted[example_id])
        if winner is not None:
            names = joined([name for name, vote in votes.items() if vote == winner])
            decided.setdefault(names, {})[example_id] = winner
    for names, labels in decided.items():
        add_labels(session, run_id, labels.items(), source="person", annotator=names)
    if opinions:
        add_opinions(
            session,
            run_id,
            opinions.items(),
            annotator=annotator,
            round_no=desk.round_no,
            label_seq=last_seq(session, run_id),
            created_at=time,
        )
    return {example_id for labels in decided.values() for example_id in labels}


def _end_holds(
    session: Session, handle: RunHandle, submitted: Set[str], direct: Mapping[str, str], annotator: str
) -> None:
    """Let go of what was answered: the annotator of what they submitted, everybody of what one person labels.

    Who holds what others' opinions have decided holds it still: what they think of it is yet to be heard.
    """
    drop_leases(session, handle.row.id, submitted - direct.keys(), annotator=annotator)
    drop_leases(session, handle.row.id, direct)


def undo_labels(handle: RunHandle, example_ids: Collection[str], annotator: str, *, only_own: bool = False) -> None:
    """Take labels and opinions back, all of them or none; see `Run.undo`."""
    check_annotator(annotator)
    with handle.store.write() as session:
        handle.check_exists(session)
        known = [one for one in example_ids if one in handle.row_of_id]
        desk = read_desk(session, handle, only=known)
        labels, opinions = desk.labels, desk.opinions
        missing = [one for one in example_ids if one not in labels and annotator not in opinions.get(one, ())]
        if missing:
            raise LabelError(_nothing_to_undo(handle, missing[0], opinions.get(missing[0], {}), len(example_ids)))
        back = [_taken_back(desk, one, labels.get(one), opinions.get(one, {}), annotator) for one in example_ids]
        if only_own:
            _refuse_others(example_ids, back, annotator)
        add_undos(session, handle.row.id, [label for label, _ in back if label is not None], annotator=annotator)
        seq = last_seq(session, handle.row.id)
        given = [one for _, some in back for one in some]
        add_opinion_undos(session, handle.row.id, given, by=annotator, label_seq=seq)


def _taken_back(
    desk: Desk, example_id: str, label: HeldLabel | None, opinions: Mapping[str, HeldOpinion], annotator: str
) -> tuple[HeldLabel | None, list[HeldOpinion]]:
    """Return the label and the opinions that go when an annotator takes an example back.

    Of an example of the current proposal only their own opinion goes, and the label if it has no majority without it.
    Who gave no opinion takes back the label and all that it was made of; so does anybody once the round was trained,
    since nobody is asked for the rest.
    """
    own = opinions.get(annotator)
    if own is None or not desk.is_shared(example_id):
        return label, list(opinions.values())
    left = [one.label for name, one in opinions.items() if name != annotator]
    keeps = label is not None and majority(left, desk.wanted[example_id]) == label.label
    return (None if keeps else label), [own]


def _refuse_others(
    example_ids: Collection[str], back: Sequence[tuple[HeldLabel | None, list[HeldOpinion]]], annotator: str
) -> None:
    """Raise when anything that goes was given by somebody else: a label is of those whose opinions it was made of."""
    for example_id, (label, opinions) in zip(example_ids, back, strict=True):
        gave = [one.annotator for one in opinions] or ([] if label is None else [label.annotator])
        others = [name for name in gave if name != annotator]
        if others:
            also = " as well" if annotator in gave else ""
            who = "they, or an owner," if len(gave) == 1 else "an owner"  # none of several may take back the others'
            more = "" if len(back) == 1 else f"; none of the {len(back)} was taken back"
            raise LabelError(
                f"example {example_id!r} was labeled by {joined(others)}{also}: {who} may take that back{more}"
            )


def _nothing_to_undo(handle: RunHandle, example_id: str, opinions: Collection[str], n_asked: int) -> str:
    more = "" if n_asked == 1 else f"; none of the {n_asked} was taken back"
    run = handle.row.name
    if opinions:
        names = joined(list(opinions))
        return f"example {example_id!r} has no label in the run {run!r} yet, only opinions of {names}{more}"
    return f"example {example_id!r} has no label in the run {run!r}, nothing to undo{more}"


def joined(names: list[str]) -> str:
    """Return the annotators of one label as one name, or how many there are where that would be too long."""
    together = ", ".join(names)
    return together if len(together) <= LONGEST_ANNOTATOR else f"{len(names)} annotators"


def check_annotator(annotator: str) -> None:
    """Raise when an annotator's name is empty or overlong."""
    if not annotator.strip() or len(annotator) > LONGEST_ANNOTATOR or not annotator.isprintable():
        raise LabelError(
            f"annotator = {annotator[:20]!r} must be a name of 1 to {LONGEST_ANNOTATOR} printable characters"
        )


def _check(
    handle: RunHandle,
    desk: Desk,
    wanted: list[tuple[str, str]],
    annotator: str,
    *,
    force: bool,
) -> dict[str, str]:
    """Return the labels and opinions that are new; raise when any cannot be stored."""
    problems = []
    new: dict[str, str] = {}
    for example_id, label in wanted:
        own = desk.opinions.get(example_id, {}).get(annotator)
        known = own.label if own else desk.labels[example_id].label if example_id in desk.labels else None
        if own is None and desk.is_heard_late(example_id, annotator):
            known = None
        problem = _problem(handle, example_id, label, known, own)
        if not problem and known is None and not force:
            problem = _held_problem(desk, example_id, annotator)
        if not problem and new.get(example_id, label) != label:
            problem = f"example {example_id!r} is given two labels, {new[example_id]!r} and {label!r}; decide for one"
        if problem:
            problems.append(problem)
        elif known is None:
            new[example_id] = label
    if problems:
        more = "" if len(problems) == 1 else f" (the first of {len(problems)} such labels)"
        raise LabelError(f"{problems[0]}{more}; nothing was stored")
    return new


def _held_problem(desk: Desk, example_id: str, annotator: str) -> str:
    """Say who holds an example when nobody else may annotate it now."""
    if desk.is_free(example_id, annotator):
        return ""
    others = desk.others(example_id, annotator)
    left = max(1, round(max(one.until for one in others) - desk.at.seconds))
    minutes = f"{left} s" if left < 120 else f"{round(left / 60)} min"
    names = joined([one.annotator for one in others])
    return f"example {example_id!r} is held by {names} for another {minutes}; take another one, or wait"


def _problem(handle: RunHandle, example_id: str, label: str, known: str | None, own: HeldOpinion | None) -> str:
    dataset = handle.dataset
    row = handle.row_of_id.get(example_id)
    if row is None:
        return f"the run {handle.row.name!r} has no example {example_id!r}"
    if dataset.splits[row] != "pool":
        return f"example {example_id!r} is in the split {str(dataset.splits[row])!r}; only pool examples are annotated"
    if label not in dataset.classes:
        return f"example {example_id!r} has the unknown class {label!r}; the classes are: {', '.join(dataset.classes)}"
    if own is not None and own.label != label:
        return (
            f"{own.annotator} called example {example_id!r} {own.label!r} and cannot call it {label!r} too; undo first"
        )
    if known is not None and known != label:
        return f"example {example_id!r} is labeled {known!r} and cannot become {label!r}; undo its label first"
    return ""


def _pairs(labels: Any) -> Iterator[tuple[str, str | None]]:
    """Read (id, label) pairs from a mapping or a frame; the label is None where the cell is blank."""
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(labels, Mapping):
        pairs = labels.items()
    elif hasattr(labels, "columns"):
        absent = [name for name in ("id", "label") if name not in labels.columns]
        if absent:
            have = ", ".join(map(str, labels.columns))
            raise LabelError(f"labels need the columns 'id' and 'label'; {absent[0]!r} is missing among: {have}")
        pairs = zip(labels["id"].tolist(), labels["label"].tolist(), strict=True)
    else:
        raise LabelError(f"labels must be a mapping of id to label or a frame, not {type(labels).__name__}")
    for example_id, label in pairs:
        yield _text(example_id), _text(label) or None


def _text(value: Any) -> str:
    """Return a value as data sets are read; nothing for what is missing."""
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):  # None, NaN and pandas's own NA and NaT
        return ""
    try:
        return as_text(value).strip()
    except NestedValueError:
        raise LabelError(f"{shorten(value)} stands where one id or one label is expected") from None


def _class_name(label: str, classes: Collection[str]) -> str:
    """Return the class that a label means: whole numbers beside blanks are often written as 1.0, data sets hold 1."""
    whole = WHOLE_NUMBER.fullmatch(label)
    return whole[1] if whole and label not in classes else label
