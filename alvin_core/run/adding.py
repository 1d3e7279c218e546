"""Examples that a person wrote, such as a counterfactual edit: added to a run with their label, in one transaction."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from alvin_core.data.dataset import ADDED, Dataset, Texts
from alvin_core.data.gathering import MAX_NAME
from alvin_core.data.problems import shorten
from alvin_core.data.textfiles import MAX_FIELD
from alvin_core.errors import DataError, LabelError
from alvin_core.run.handle import RunHandle
from alvin_core.run.submitting import check_annotator
from alvin_core.store.added import add_example
from alvin_core.store.labels import HeldLabel, current_labels
from alvin_core.store.tables import ComparisonCellRow

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NEW_ID", "RunAdding", "add_written_example", "added_frame", "check_attribute", "check_texts"]

NEW_ID = re.compile(r"edit-\d{4,9}", re.ASCII)


class RunAdding:
    """The part of `Run` for examples that people write."""

    _handle: RunHandle

    def add_example(
        self,
        texts: tuple[str, ...],
        label: str,
        *,
        parent_id: str = "",
        attribute: str = "",
        annotator: str = "person",
    ) -> str:
        """Add an example that a person wrote, with its label; on disk when it returns.

        From the next round on it is trained on; it is never selected, evaluated on or drawn on a map. `undo` takes it
        out of training as it does any label.

        Parameters
        ----------
        texts : tuple of str
            One text, or the two of a pair, as the data set has.
        label : str
            One of the data set's classes.
        parent_id : str
            The example that it was made of: one of the pool, or one that was added before.
        attribute : str
            Where the data set has attributes; empty where it is not known.
        annotator : str
            Who wrote it.

        Returns
        -------
        str
            Its id, such as ``edit-0001``.

        Raises
        ------
        DataError
            When the texts are too few, too many, empty, too long or no Unicode, or the attribute is refused.
        LabelError
            When the class or the parent is unknown, the run is a comparison's, or the very texts are those of a labeled
            example, or of one that is there to be labeled or evaluated on.

        Notes
        -----
        Counterfactually augmented data: Kaushik et al. (2020). An edit of an example of an evaluation split is refused:
        the model would be trained on next to what it is measured on.
        """
        return add_written_example(self._handle, texts, label, parent_id, attribute, annotator)

    def added(self) -> pd.DataFrame:
        """Return the examples that people wrote, in the order in which they came.

        Returns
        -------
        DataFrame
            ``id``, the text, ``written_for`` (the class that it came with), ``label`` (the one that holds now; missing
            where it was taken back), ``attribute, parent_id, annotator, time``.
        """
        return added_frame(self._handle)


def add_written_example(
    handle: RunHandle, texts: tuple[str, ...], label: str, parent_id: str, attribute: str, annotator: str
) -> str:
    """Add an example; see `RunAdding.add_example`."""
    check_annotator(annotator)
    stored = handle.stored_dataset
    check_texts(texts, is_pairs=stored.is_pairs)
    check_attribute(attribute, has_attributes=stored.attributes is not None)
    if label not in stored.classes:
        raise LabelError(f"the class {shorten(label)} is unknown; the classes are: {', '.join(stored.classes)}")
    with handle.store.write() as session:
        handle.check_exists(session)
        _refuse_cell(session, handle)
        dataset = handle.look()  # nobody else can write now
        _check_parent(handle, dataset, parent_id)
        _refuse_repeated(dataset, texts, current_labels(session, handle.row.id))
        example_id = _free_id(handle.row_of_id, len(handle.added) + 1)
        add_example(
            session,
            handle.row.id,
            example_id,
            tuple(texts),
            label,
            attribute=attribute,
            parent_id=parent_id,
            annotator=annotator,
        )
    handle.look()
    return example_id


def added_frame(handle: RunHandle) -> pd.DataFrame:
    """Return the added examples; see `RunAdding.added`."""
    import pandas as pd

    from alvin_core.run.frames import example_columns

    dataset = handle.look()
    added = handle.added[: len(dataset) - len(handle.stored_dataset)]
    with handle.store.read() as session:
        handle.check_exists(session)
        held = current_labels(session, handle.row.id, example_ids=[one.id for one in added])
    examples = example_columns(dataset, np.arange(len(dataset) - len(added), len(dataset)))
    attributes = examples.pop("attribute")
    del examples["split"]
    columns = {
        **examples,
        "written_for": [one.label for one in added],
        "label": [held[one.id].label if one.id in held else None for one in added],
        "attribute": attributes,
        "parent_id": [one.parent_id or None for one in added],
        "annotator": [one.annotator for one in added],
        "time": [one.created_at for one in added],
    }
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def check_texts(texts: Collection[str], *, is_pairs: bool) -> None:
    """Raise unless these can be the texts of one example.

    Raises
    ------
    DataError
    """
    wanted = 2 if is_pairs else 1
    if isinstance(texts, str) or len(texts) != wanted:
        found = "a single string" if isinstance(texts, str) else f"{len(texts)}"
        raise DataError(f"an example of this data has {wanted} text{'s' * is_pairs}, given: {found}; give {wanted}")
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"the text {shorten(text)} is empty; write one")
        if len(text) > MAX_FIELD:
            raise DataError(f"the text has {len(text):,} characters, at most {MAX_FIELD:,} are read; shorten it")
        if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
            raise DataError(f"the text {shorten(text)} holds U+0000 or half a character; leave it out")


def check_attribute(attribute: str, *, has_attributes: bool) -> None:
    """Raise unless this can be an example's attribute; an empty one can always.

    Raises
    ------
    DataError
    """
    if attribute and not has_attributes:
        raise DataError(f"the attribute {shorten(attribute)} is given, and the data set has none; leave it out")
    if len(attribute) > MAX_NAME or not attribute.isprintable() or attribute != attribute.strip():
        raise DataError(
            f"the attribute {shorten(attribute)} is refused: at most {MAX_NAME} printable characters, no blanks around"
        )


def _refuse_cell(session: Session, handle: RunHandle) -> None:
    cell = select(ComparisonCellRow.run_id).where(ComparisonCellRow.run_id == handle.row.id)
    if session.scalar(cell) is not None:
        raise LabelError(
            f"the run {handle.row.name!r} is part of a comparison, whose runs must differ in nothing but strategy and "
            "seed; fork it, and add the example to the fork"
        )


def _check_parent(handle: RunHandle, dataset: Dataset, parent_id: str) -> None:
    if not parent_id:
        return
    row = handle.row_of_id.get(parent_id)
    if row is None:
        raise LabelError(f"the run {handle.row.name!r} has no example {shorten(parent_id)} that this could be made of")
    split = str(dataset.splits[row])
    if split not in ("pool", ADDED):
        raise LabelError(
            f"{parent_id!r} is in the split {split!r}, which the model is only evaluated on; edit an example of the "
            "pool instead"
        )


def _refuse_repeated(dataset: Dataset, texts: tuple[str, ...], held: Mapping[str, HeldLabel]) -> None:
    """Raise where the very texts are there already, unless they are an added example's that was taken back."""
    for row in _same_rows(dataset, texts):
        example_id, split = str(dataset.ids[row]), str(dataset.splits[row])
        if example_id in held:
            raise LabelError(
                f"{example_id!r} has this text and is labeled {held[example_id].label!r} already; change the text, or "
                "take that label back with `alvin undo`"
            )
        if split == "pool":
            raise LabelError(f"{example_id!r} of the pool has this text; label that one with `alvin submit`")
        if split != ADDED:
            raise LabelError(
                f"{example_id!r} in the split {split!r} has this text, and is there to evaluate on; change it"
            )


def _same_rows(dataset: Dataset, texts: tuple[str, ...]) -> list[int]:
    """Return rows that have the same texts, to the character."""
    columns = [dataset.texts] if dataset.second_texts is None else [dataset.texts, dataset.second_texts]
    rows = np.arange(len(dataset))
    for column, text in zip(columns, texts, strict=True):
        rows = rows[np.diff(column.offsets)[rows] == len(text.encode())]
    pairs = list(zip(columns, texts, strict=True))
    return [row for row in rows.tolist() if all(_is_text(column, row, text) for column, text in pairs)]


def _is_text(column: Texts, row: int, text: str) -> bool:
    return column.blob[column.offsets[row] : column.offsets[row + 1]].tobytes() == text.encode()


def _free_id(taken: Collection[str], number: int) -> str:
    """Return the first id of this number or a higher one that no example has: data may hold such ids of its own."""
    return next(name for name in (f"edit-{place:04d}" for place in count(number)) if name not in taken)
