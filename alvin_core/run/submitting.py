"""Labels from people: checked all together, stored all or none, on disk before the call returns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from alvin_core.data.packing import WHOLE_NUMBER, NestedValueError, as_text
from alvin_core.data.problems import shorten
from alvin_core.errors import LabelError
from alvin_core.run.handle import RunHandle, missing_labels
from alvin_core.run.values import SubmitReport
from alvin_core.store.labels import HeldLabel, add_labels, add_undos, current_labels

__all__ = ["check_annotator", "submit_labels", "undo_labels"]

LONGEST_ANNOTATOR = 200


def submit_labels(handle: RunHandle, labels: Any, annotator: str) -> SubmitReport:
    """Store labels; see `Run.submit`."""
    check_annotator(annotator)
    classes = handle.dataset.classes
    given = [
        (example_id, label if label is None else _class_name(label, classes)) for example_id, label in _pairs(labels)
    ]
    wanted = [(example_id, label) for example_id, label in given if label is not None]
    with handle.store.write() as session:
        handle.check_exists(session)
        missing = set(missing_labels(session, handle.row.id, ())[0])
        asked = missing.union(example_id for example_id, _ in wanted if example_id in handle.row_of_id)
        held = current_labels(session, handle.row.id, example_ids=asked)
        new = _check(handle, wanted, held)
        add_labels(session, handle.row.id, new.items(), source="person", annotator=annotator)
    return SubmitReport(
        n_new=len(new),
        n_same=len(wanted) - len(new),
        n_blank=len(given) - len(wanted),
        n_outside=len(new.keys() - missing),
        n_pending=len(missing - held.keys() - new.keys()),
    )


def undo_labels(handle: RunHandle, example_ids: Collection[str], annotator: str) -> None:
    """Take labels back, all of them or none; see `Run.undo`."""
    check_annotator(annotator)
    with handle.store.write() as session:
        handle.check_exists(session)
        known = [one for one in example_ids if one in handle.row_of_id]
        held = current_labels(session, handle.row.id, example_ids=known)
        missing = [one for one in example_ids if one not in held]
        if missing:
            more = "" if len(example_ids) == 1 else f"; none of the {len(example_ids)} was taken back"
            raise LabelError(
                f"example {missing[0]!r} has no label in the run {handle.row.name!r}, nothing to undo{more}"
            )
        add_undos(session, handle.row.id, [held[one] for one in example_ids], annotator=annotator)


def check_annotator(annotator: str) -> None:
    """Raise when an annotator's name is empty or overlong."""
    if not annotator.strip() or len(annotator) > LONGEST_ANNOTATOR or not annotator.isprintable():
        raise LabelError(
            f"annotator = {annotator[:20]!r} must be a name of 1 to {LONGEST_ANNOTATOR} printable characters"
        )


def _check(handle: RunHandle, wanted: list[tuple[str, str]], held: Mapping[str, HeldLabel]) -> dict[str, str]:
    """Return the labels that are new; raise when any label cannot be stored."""
    problems = []
    new: dict[str, str] = {}
    for example_id, label in wanted:
        known = held[example_id].label if example_id in held else None
        problem = _problem(handle, example_id, label, known)
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


def _problem(handle: RunHandle, example_id: str, label: str, known: str | None) -> str:
    dataset = handle.dataset
    row = handle.row_of_id.get(example_id)
    if row is None:
        return f"the run {handle.row.name!r} has no example {example_id!r}"
    if dataset.splits[row] != "pool":
        return f"example {example_id!r} is in the split {str(dataset.splits[row])!r}; only pool examples are annotated"
    if label not in dataset.classes:
        return f"example {example_id!r} has the unknown class {label!r}; the classes are: {', '.join(dataset.classes)}"
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
