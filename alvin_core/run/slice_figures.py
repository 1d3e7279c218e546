"""How a run does on slices, round by round: read from the stored predictions, so that a new slice has a past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.run.handle import RunHandle
from alvin_core.run.slice_members import members_by_name
from alvin_core.store.arrays import load_arrays
from alvin_core.store.rounds import list_rounds
from alvin_core.types import BoolArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["slice_metrics_frame", "with_membership", "with_slice_accuracy"]

COLUMN = "slice:"
STORED = ("probs", "labeled_rows", "selected_rows")


def with_membership(handle: RunHandle, examples: pd.DataFrame) -> pd.DataFrame:
    """Add to the first rows of a run's data set a column ``slice:NAME`` for each slice: whether it holds them."""
    added = {COLUMN + name: is_member[: len(examples)] for name, is_member in members_by_name(handle).items()}
    return examples.assign(**added) if added else examples


def slice_metrics_frame(handle: RunHandle, members: Mapping[str, BoolArray]) -> pd.DataFrame:
    """Return how the rounds of a run did on some slices.

    Parameters
    ----------
    handle : RunHandle
    members : mapping of name to bool array of shape (n_dataset,)

    Returns
    -------
    DataFrame
        ``round, slice, split, n`` (members), ``accuracy``. A row for each evaluation split that has members, then one
        for the pool, whose ``n`` counts labeled and unlabeled, with ``n_labeled`` (of those that the round trained
        on, added ones among them), ``n_selected, share_selected`` (of what the round selected), ``share_unlabeled``
        (of what it selected from) and ``enrichment``, the ratio of the two. NaN where it does not apply.
    """
    import pandas as pd

    dataset = handle.dataset
    with handle.store.read() as session:
        handle.check_exists(session)
        rounds = list_rounds(session, handle.row.id)
    evaluated = {split: dataset.rows_of(split) for split in dataset.evaluation_splits}
    in_pool = dataset.splits == "pool"
    rows = []
    for stored in rounds:
        arrays = load_arrays(handle.folder / stored.folder, STORED)
        right = arrays["probs"].argmax(axis=1) == dataset.labels[: len(arrays["probs"])]
        for name, is_member in members.items():
            about = {"round": stored.round_no, "slice": name}
            rows += [about | figures for figures in _accuracies(evaluated, right, is_member)]
            rows.append(about | _pool_figures(in_pool, arrays, is_member))
    columns = ["round", "slice", "split", "n", "accuracy", "n_labeled", "n_selected", "share_selected"]
    frame = pd.DataFrame(rows, columns=[*columns, "share_unlabeled", "enrichment"])
    return frame.astype(dict.fromkeys(("n_labeled", "n_selected"), "Int64"))


def with_slice_accuracy(handle: RunHandle, metrics: pd.DataFrame) -> pd.DataFrame:
    """Add to the metrics of a run a column ``slice:NAME`` for each slice: its accuracy in the row's round and split."""
    members = members_by_name(handle)
    if not members or metrics.empty:
        return metrics
    figures = slice_metrics_frame(handle, members)
    accuracy = figures.set_index(["slice", "round", "split"])["accuracy"].to_dict()
    keys = list(zip(metrics["round"], metrics["split"], strict=True))
    added = {COLUMN + name: [accuracy.get((name, *key), np.nan) for key in keys] for name in members}
    return metrics.assign(**added)


def _accuracies(evaluated: Mapping[str, IntArray], right: BoolArray, is_member: BoolArray) -> list[dict[str, Any]]:
    figures = []
    for split, split_rows in evaluated.items():
        held = right[split_rows[is_member[split_rows]]]
        if len(held):
            figures.append({"split": split, "n": len(held), "accuracy": float(held.mean())})
    return figures


def _pool_figures(in_pool: BoolArray, arrays: Mapping[str, NDArray[Any]], is_member: BoolArray) -> dict[str, Any]:
    labeled, selected = arrays["labeled_rows"], arrays["selected_rows"]
    is_open = in_pool.copy()
    is_open[labeled] = False
    n_selected = int(is_member[selected].sum())
    share_selected = n_selected / len(selected) if len(selected) else np.nan
    n_open = int(is_open.sum())
    share_open = int((is_member & is_open).sum()) / n_open if n_open else np.nan
    return {
        "split": "pool",
        "n": int((is_member & in_pool).sum()),
        "accuracy": np.nan,
        "n_labeled": int(is_member[labeled].sum()),
        "n_selected": n_selected,
        "share_selected": share_selected,
        "share_unlabeled": share_open,
        "enrichment": share_selected / share_open if share_open else np.nan,
    }
