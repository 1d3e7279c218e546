"""Classes against the known attribute, and the map of a round's training dynamics, as frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import UNLABELED, Dataset
from alvin_core.errors import DataError
from alvin_core.run.archive import dynamics_of
from alvin_core.run.cue_statistics import labeled_classes
from alvin_core.run.frames import class_names
from alvin_core.run.handle import RunHandle
from alvin_core.types import BoolArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["dataset_map_frame", "group_frame"]


def group_frame(handle: RunHandle, round_no: int, split: str) -> pd.DataFrame:
    """Return size and accuracy of each class with each attribute value; see `RunCues.group_matrix`."""
    import pandas as pd

    stored, arrays = handle.round(round_no)
    held = labeled_classes(handle, stored.last_seq)
    dataset = handle.dataset_of(len(arrays["probs"]))
    rows = dataset.rows_of(split)
    names, values = np.unique(_attributes(handle, dataset)[rows], return_inverse=True)
    is_shown = names != ""
    labeled = held[rows] != UNLABELED
    # An oracle's answers are the data set's; where a person annotates, those that were given are all that is known.
    hidden = split == "pool" and handle.row.annotator == "person"
    # 64 bits, as cells are numbered by them: of a class and a value, and values can be as many as examples.
    labels = np.where(labeled, held[rows], UNLABELED if hidden else dataset.labels[rows]).astype(np.int64)
    known = (labels != UNLABELED) & is_shown[values]
    n_classes = len(dataset.classes)
    cell = labels * len(names) + values
    right = arrays["probs"][rows].argmax(axis=1) == labels

    def count(among: BoolArray) -> IntArray:
        cells = np.bincount(cell[known & among], minlength=n_classes * len(names))
        return np.asarray(cells.reshape(n_classes, len(names))[:, is_shown].ravel())

    n, n_open = count(np.ones(len(rows), dtype=bool)), count(~labeled)
    accuracy = np.full(len(n), np.nan)
    np.divide(count(~labeled & right), n_open, out=accuracy, where=n_open > 0)
    return pd.DataFrame(
        {
            "label": np.repeat(np.asarray(dataset.classes, dtype=object), int(is_shown.sum())),
            "attribute": names[is_shown].tolist() * n_classes,
            "n": n,
            "share": n / max(int(n.sum()), 1),
            "accuracy": accuracy,
            "n_labeled": count(labeled),
            "n_selected": count(np.isin(rows, arrays["selected_rows"])),
        }
    )


def _attributes(handle: RunHandle, dataset: Dataset) -> NDArray[np.str_]:
    if dataset.attributes is None:
        raise DataError(
            f"the data of the run {handle.row.name!r} has no attribute column; give one when a run is created "
            "(attribute=…, or --attribute COLUMN), or look at its tokens"
        )
    return dataset.attributes


def dataset_map_frame(handle: RunHandle, round_no: int) -> pd.DataFrame:
    """Return how training went for each labeled example; see `RunCues.dataset_map`."""
    import pandas as pd

    stored, arrays = handle.round(round_no)
    rows = arrays["labeled_rows"]
    held = labeled_classes(handle, stored.last_seq)
    dataset = handle.dataset
    dynamics = dynamics_of(arrays, dataset)
    return pd.DataFrame(
        {
            "id": dynamics.ids.tolist(),
            "label": class_names(dataset, held[rows]),
            "confidence": dynamics.confidence,
            "variability": dynamics.variability,
            "correctness": dynamics.correct.mean(axis=0),
            "forgotten": dynamics.n_forgotten,
            "is_minority": arrays["is_minority"],
        }
    )
