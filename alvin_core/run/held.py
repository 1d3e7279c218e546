"""The labels that held at some moments, as one class code for each example: quick enough to answer a click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from alvin_core.data.dataset import UNLABELED
from alvin_core.run.handle import RunHandle
from alvin_core.store.tables import LabelRow

__all__ = ["held_classes"]


def held_classes(handle: RunHandle, *moments: int | None) -> list[NDArray[np.int16]]:
    """Return the class that was held of every example, for each of some moments.

    Parameters
    ----------
    handle : RunHandle
    *moments : int or None
        Numbers of label events: what held after it, such as a round's ``last_seq``. None is now.

    Returns
    -------
    list of int16 arrays of shape (n,)
        In the order of the data set; -1 where no label was held.

    Notes
    -----
    What `alvin_core.store.labels.current_labels` answers for one moment, for several in one reading.
    """
    query = select(LabelRow.seq, LabelRow.example_id, LabelRow.label, LabelRow.action)
    with handle.store.read() as session:
        events = session.execute(query.where(LabelRow.run_id == handle.row.id).order_by(LabelRow.seq)).all()
    code_of_name = {name: code for code, name in enumerate(handle.dataset.classes)}
    seqs = [seq for seq, *_ in events]
    rows = np.asarray([handle.row_of_id[example_id] for _, example_id, _, _ in events], dtype=np.int64)
    codes = np.asarray(
        [code_of_name[label] if action == "label" else UNLABELED for *_, label, action in events], dtype=np.int16
    )
    held = []
    for moment in moments:
        n_events = len(seqs) if moment is None else int(np.searchsorted(seqs, moment, side="right"))
        classes = np.full(len(handle.dataset), UNLABELED, dtype=np.int16)
        classes[rows[:n_events]] = codes[:n_events]  # of several events of one example the last one holds
        held.append(classes)
    return held
