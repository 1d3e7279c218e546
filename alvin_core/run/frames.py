"""A run as pandas frames: examples, selection, provenance, anchors, labels, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import ADDED, UNLABELED, Dataset
from alvin_core.run.archive import dynamics_of, rankings_of
from alvin_core.run.handle import RunHandle
from alvin_core.run.values import RoundRecord
from alvin_core.store.labels import HeldLabel, current_labels
from alvin_core.store.rounds import list_rounds
from alvin_core.strategies.ranking import entropy_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "anchors_frame",
    "class_names",
    "example_columns",
    "examples_frame",
    "labels_frame",
    "metrics_frame",
    "pending_frame",
    "places_in",
    "provenance_frame",
    "selection_frame",
]

Arrays = dict[str, NDArray[Any]]


def examples_frame(handle: RunHandle, round_no: int, *, oracle: bool = False) -> pd.DataFrame:
    """Return every example of the data set as it was in a round; what people added since is left out.

    Parameters
    ----------
    handle : RunHandle
    round_no : int
    oracle : bool
        Add the column ``oracle_label``: what the data set says of every example, annotated or not.

    Returns
    -------
    DataFrame
        ``id, split, text`` (or ``text_a, text_b``), ``label`` (where annotated by then, and in evaluation splits),
        ``attribute, labeled, label_source, round_labeled``; ``is_minority, mean_gold_prob, variability, n_forgotten``
        of the labeled; ``predicted, confidence, entropy`` (nats), ``prob_<class>``; ``selected``, and
        ``rank_<strategy>`` from 1 for whatever each strategy ranked. Missing where it does not apply.
    """
    stored, arrays = handle.round(round_no)
    with handle.store.read() as session:
        labels = current_labels(session, handle.row.id, up_to=stored.last_seq)
        ends = [row.last_seq for row in list_rounds(session, handle.row.id)]
    dataset = handle.dataset_of(len(arrays["probs"]))
    columns = {
        **example_columns(dataset, np.arange(len(dataset))),
        **_label_columns(handle, dataset, labels, ends),
        **_dynamics_columns(dataset, arrays),
        **_prediction_columns(dataset, arrays["probs"]),
        **_ranking_columns(len(dataset), arrays),
    }
    frame = _frame(columns)
    if oracle:
        frame.insert(frame.columns.tolist().index("label") + 1, "oracle_label", class_names(dataset, dataset.labels))
    return frame


def selection_frame(handle: RunHandle, round_no: int) -> pd.DataFrame:
    """Return what a round selected, best first.

    Returns
    -------
    DataFrame
        ``rank`` (from 1), ``id``, the text, ``attribute, predicted, score, confidence, entropy``; ``n_anchors`` and
        ``nearest_distance`` of strategies with anchors; ``rank_<strategy>`` under each other strategy.
    """
    _, arrays = handle.round(round_no)
    dataset, rows = handle.dataset, arrays["selected_rows"]
    probs = arrays["probs"][rows]
    columns = {
        "rank": np.arange(1, len(rows) + 1),
        **example_columns(dataset, rows),
        "predicted": class_names(dataset, probs.argmax(axis=1)),
        "score": arrays["scores"],
        "confidence": probs.max(axis=1, initial=0),
        "entropy": entropy_of(probs),
        **_retrieval_columns(len(dataset), rows, arrays),
    }
    del columns["split"]
    _, *others = rankings_of(arrays).items()
    for name, ranking in others:
        columns[f"rank_{name}"] = _masked(places_in(len(dataset), ranking)[rows], 0)
    return _frame(columns)


def provenance_frame(handle: RunHandle, round_no: int) -> pd.DataFrame:
    """Return a row for each anchor that retrieved a selected example; empty for strategies without anchors.

    Returns
    -------
    DataFrame
        ``id``, ``anchor`` (its row in `anchors_frame`), ``distance, class, minority_id, majority_id, weight``.
    """
    _, arrays = handle.round(round_no)
    anchors = _anchor_columns(handle.dataset, arrays)
    links = arrays.get("link_anchors", np.empty(0, dtype=np.int32))
    selected = handle.dataset.ids[arrays["selected_rows"]]
    columns = {
        "id": selected[arrays.get("link_places", links)],
        "anchor": links,
        "distance": arrays.get("link_distances", np.empty(0)),
    }
    return _frame({**columns, **{name: values[links] for name, values in anchors.items()}})


def anchors_frame(handle: RunHandle, round_no: int) -> pd.DataFrame:
    """Return a round's anchors: ``anchor, class, minority_id, majority_id, weight``; empty where there are none."""
    _, arrays = handle.round(round_no)
    columns = _anchor_columns(handle.dataset, arrays)
    return _frame({"anchor": np.arange(len(columns["weight"])), **columns})


def labels_frame(handle: RunHandle) -> pd.DataFrame:
    """Return the labels that hold now, in the order of annotation.

    Returns
    -------
    DataFrame
        ``id, round`` (the first that trained, or will train, on the label; 0 = initial set), ``label, source``, the
        text, ``attribute, annotator, time``, and ``parent_id``: of an example that a person wrote (``source`` is
        ``counterfactual``), the one that it was made of, else missing.
    """
    with handle.store.read() as session:
        handle.check_exists(session)
        labels = current_labels(session, handle.row.id)
        ends = [row.last_seq for row in list_rounds(session, handle.row.id)]
    rows, _ = handle.labeled(labels)
    events = list(labels.values())
    parents = {one.id: one.parent_id for one in handle.added if one.parent_id}
    examples = example_columns(handle.dataset, rows)
    del examples["split"]
    columns = {
        "id": examples.pop("id"),
        "round": np.searchsorted(ends, [one.seq for one in events]).astype(np.int64),
        "label": [one.label for one in events],
        "source": [one.source for one in events],
        **examples,
        "annotator": [one.annotator for one in events],
        "time": [one.created_at for one in events],
        "parent_id": np.asarray([parents.get(one.example_id) for one in events], dtype=object),
    }
    return _frame(columns)


def pending_frame(handle: RunHandle, ids: Sequence[str]) -> pd.DataFrame:
    """Return examples to be annotated: ``id``, the text, ``attribute``."""
    rows = np.fromiter((handle.row_of_id[one] for one in ids), dtype=np.int64, count=len(ids))
    columns = example_columns(handle.dataset, rows)
    del columns["split"]
    return _frame(columns)


def metrics_frame(records: Sequence[RoundRecord]) -> pd.DataFrame:
    """Return a row for each round and evaluation split; the figures of groups, anchors and selection repeat."""
    rows = []
    for record in records:
        about = {"run": record.run, "round": record.round, "strategy": record.strategy, "n_labeled": record.n_labeled}
        for split, figures in (record.metrics or {"": {}}).items():
            rows.append(
                {**about, "split": split or None, **_scalars(figures), "n_anchors": record.anchors.get("n")}
                | {f"groups_{name}": value for name, value in _scalars(record.groups).items()}
                | {f"selection_{name}": value for name, value in _scalars(record.selection).items()}
            )
    import pandas as pd

    return pd.DataFrame(rows)


def _frame(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)


def _scalars(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if not isinstance(value, dict | list)}


def example_columns(dataset: Dataset, rows: NDArray[Any]) -> dict[str, Any]:
    """Return ``id, split, text`` (or ``text_a, text_b``) and ``attribute`` of some examples."""
    columns: dict[str, Any] = {"id": dataset.ids[rows].tolist(), "split": dataset.splits[rows].tolist()}
    if dataset.second_texts is None:
        columns["text"] = dataset.texts.take(rows)
    else:
        columns["text_a"], columns["text_b"] = dataset.texts.take(rows), dataset.second_texts.take(rows)
    known = [""] * len(rows) if dataset.attributes is None else dataset.attributes[rows].tolist()
    columns["attribute"] = [value or None for value in known]
    return columns


def _label_columns(
    handle: RunHandle, dataset: Dataset, labels: dict[str, HeldLabel], ends: list[int]
) -> dict[str, Any]:
    rows, classes = handle.labeled(labels)
    shown = np.where(np.isin(dataset.splits, ("pool", ADDED)), UNLABELED, dataset.labels)
    shown[rows] = classes
    labeled = np.zeros(len(dataset), dtype=bool)
    labeled[rows] = True
    sources = np.full(len(dataset), None, dtype=object)
    sources[rows] = [one.source for one in labels.values()]
    rounds = np.full(len(dataset), -1)
    rounds[rows] = np.searchsorted(ends, [one.seq for one in labels.values()])
    return {
        "label": class_names(dataset, shown),
        "labeled": labeled,
        "label_source": sources,
        "round_labeled": _masked(rounds, -1),
    }


def _dynamics_columns(dataset: Dataset, arrays: Arrays) -> dict[str, Any]:
    import pandas as pd

    dynamics, rows = dynamics_of(arrays, dataset), arrays["labeled_rows"]
    is_minority = np.full(len(dataset), None, dtype=object)
    is_minority[rows] = arrays["is_minority"]
    columns: dict[str, Any] = {"is_minority": pd.array(is_minority, dtype="boolean")}
    for name, values in (("mean_gold_prob", dynamics.confidence), ("variability", dynamics.variability)):
        columns[name] = np.full(len(dataset), np.nan)
        columns[name][rows] = values
    n_forgotten = np.full(len(dataset), -1)
    n_forgotten[rows] = dynamics.n_forgotten
    return {**columns, "n_forgotten": _masked(n_forgotten, -1)}


def _prediction_columns(dataset: Dataset, probs: NDArray[np.float32]) -> dict[str, Any]:
    return {
        "predicted": class_names(dataset, probs.argmax(axis=1)),
        "confidence": probs.max(axis=1),
        "entropy": entropy_of(probs),
        **{f"prob_{name}": probs[:, class_] for class_, name in enumerate(dataset.classes)},
    }


def _ranking_columns(n: int, arrays: Arrays) -> dict[str, Any]:
    selected = np.zeros(n, dtype=bool)
    selected[arrays["selected_rows"]] = True
    ranks = {f"rank_{name}": _masked(places_in(n, rows), 0) for name, rows in rankings_of(arrays).items()}
    return {"selected": selected, **ranks}


def _retrieval_columns(n: int, rows: NDArray[Any], arrays: Arrays) -> dict[str, Any]:
    n_anchors, nearest = np.full(n, -1), np.full(n, np.nan)
    if "candidate_rows" in arrays:
        n_anchors[arrays["candidate_rows"]] = arrays["candidate_n_anchors"]
        nearest[arrays["candidate_rows"]] = arrays["candidate_nearest"]
    return {"n_anchors": _masked(n_anchors[rows], -1), "nearest_distance": nearest[rows]}


def _anchor_columns(dataset: Dataset, arrays: Arrays) -> dict[str, NDArray[Any]]:
    nothing = np.empty(0, dtype=np.int32)
    return {
        "class": class_names(dataset, arrays.get("anchor_classes", nothing)),
        "minority_id": dataset.ids[arrays.get("anchor_minority_rows", nothing)].astype(object),
        "majority_id": dataset.ids[arrays.get("anchor_majority_rows", nothing)].astype(object),
        "weight": arrays.get("anchor_weights", np.empty(0, dtype=np.float32)),
    }


def places_in(n: int, ranking: NDArray[Any]) -> NDArray[np.int64]:
    """Return each row's place in a ranking, from 1; 0 where it was not ranked; shape (n,)."""
    places = np.zeros(n, dtype=np.int64)
    places[ranking] = np.arange(1, len(ranking) + 1)
    return places


def class_names(dataset: Dataset, classes: NDArray[Any]) -> NDArray[np.object_]:
    """Return the name of each class; None where it is -1, which is unlabeled."""
    names = np.array([*dataset.classes, None], dtype=object)  # -1 takes the last
    return np.asarray(names[classes])


def _masked(values: NDArray[Any], missing: int) -> Any:
    """Return whole numbers that can be missing, as pandas has them."""
    import pandas as pd

    return pd.arrays.IntegerArray(values.astype(np.int64), values == missing)
