"""What a screen looks up of a run: map columns, texts, a search, one example's predictions and neighbors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import UNLABELED
from alvin_core.errors import DataError, SettingsError
from alvin_core.run.archive import ranking_name, rankings_of
from alvin_core.run.frames import class_names, example_columns
from alvin_core.run.handle import RunHandle
from alvin_core.run.held import held_classes
from alvin_core.run.mapping import MapAnchors, MapColumns, map_anchors, map_columns
from alvin_core.run.measuring import nearest_places, round_space
from alvin_core.run.searching import search_pool
from alvin_core.store.arrays import load_arrays
from alvin_core.store.rounds import list_rounds
from alvin_core.strategies.ranking import entropy_of
from alvin_core.types import IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MapAnchors",
    "MapColumns",
    "map_anchors",
    "map_columns",
    "nearest_frame",
    "predictions_frame",
    "row_of",
    "search_pool",
    "texts_of",
]


def row_of(handle: RunHandle, example_id: str) -> int:
    """Return an example's row in the data set.

    Raises
    ------
    DataError
        When there is no such example.
    """
    row = handle.row_of_id.get(example_id)
    if row is None:
        first = handle.dataset.ids[0]
        raise DataError(
            f"the run {handle.row.name!r} has no example {example_id!r}; ids are those of its data, such as {first!s}"
        )
    return row


def texts_of(handle: RunHandle, rows: Sequence[int] | IntArray) -> list[tuple[str, ...]]:
    """Return the texts of examples, one or two each.

    Parameters
    ----------
    handle : RunHandle
    rows : sequence of int
        Rows in the data set.

    Raises
    ------
    DataError
        When there is no such row.
    """
    dataset = handle.dataset
    wanted = np.asarray(rows, dtype=np.int64).reshape(-1)
    outside = wanted[(wanted < 0) | (wanted >= len(dataset))]
    if len(outside):
        raise DataError(f"no example has the row {outside[0]}; rows run from 0 to {len(dataset) - 1}")
    columns = [texts.take(wanted) for texts in (dataset.texts, dataset.second_texts) if texts is not None]
    return list(zip(*columns, strict=True))


def predictions_frame(handle: RunHandle, example_id: str) -> pd.DataFrame:
    """Return what the model said of an example in each round.

    Returns
    -------
    DataFrame
        ``round, predicted, confidence, prob_<class>``, ``entropy`` (nats), ``labeled`` (whether the round trained on
        it), and ``rank`` under the round's strategy, from 1; missing where it was not ranked. A row for each round
        that knew the example: one that was added later has none of those before.

    Raises
    ------
    DataError
        When there is no such example.
    """
    import pandas as pd

    row, dataset = row_of(handle, example_id), handle.dataset
    with handle.store.read() as session:
        handle.check_exists(session)
        rounds = list_rounds(session, handle.row.id)
    probs = np.empty((len(rounds), len(dataset.classes)), dtype=np.float32)
    labeled = np.zeros(len(rounds), dtype=bool)
    ranks = np.zeros(len(rounds), dtype=np.int64)
    knew = np.ones(len(rounds), dtype=bool)
    for place, stored in enumerate(rounds):
        wanted = ("probs", "labeled_rows", ranking_name(str(stored.settings["strategy"])))
        arrays = load_arrays(handle.folder / stored.folder, wanted)
        knew[place] = row < len(arrays["probs"])
        if not knew[place]:
            continue
        probs[place] = arrays["probs"][row]
        labeled[place] = row in arrays["labeled_rows"]
        ranks[place] = _rank(arrays, row)
    rounds = [stored for stored, is_known in zip(rounds, knew, strict=True) if is_known]
    probs, labeled, ranks = probs[knew], labeled[knew], ranks[knew]
    return pd.DataFrame(
        {
            "round": np.asarray([stored.round_no for stored in rounds], dtype=np.int64),
            "predicted": class_names(dataset, probs.argmax(axis=1)),
            "confidence": probs.max(axis=1),
            **{f"prob_{name}": probs[:, class_] for class_, name in enumerate(dataset.classes)},
            "entropy": entropy_of(probs),
            "labeled": labeled,
            "rank": pd.arrays.IntegerArray(ranks, ranks == 0),
        }
    )


def nearest_frame(handle: RunHandle, round_no: int, example_id: str, k: int = 10) -> pd.DataFrame:
    """Return the pool examples nearest to one, labeled or not, by their true distances in the round's space.

    Returns
    -------
    DataFrame
        ``id, distance, label`` (that the round trained on; missing where it had none), ``labeled, predicted,
        confidence``, the text, ``attribute``; nearest first, of equal distances the lower id.

    Raises
    ------
    StoreError
        When there is no such round.
    DataError
        When there is no such example, or it is none of the pool and was not trained on: it has no place in the space.
    SettingsError
        When ``k`` is below 1.
    """
    if k < 1:
        raise SettingsError(f"k = {k} is out of range: it must be at least 1")
    import pandas as pd

    row, dataset = row_of(handle, example_id), handle.dataset
    stored, arrays = handle.round(round_no)
    if row not in arrays["vector_rows"]:
        raise DataError(
            f"the example {example_id!r} is in the split {str(dataset.splits[row])!r}; only pool examples, and others "
            f"that round {round_no} was trained on, have a place in its representation space"
        )
    space = round_space(handle, stored, arrays)
    place = int(space.places_of(np.asarray([row]))[0])
    others = space.rows < len(handle.stored_dataset)  # what people added is no pool example
    others[place] = False
    [(places, distances)] = nearest_places(space, space.vectors[[place]], k, among=others)
    rows = space.rows[places]
    classes = held_classes(handle, stored.last_seq)[0][rows]
    probs, examples = arrays["probs"][rows], example_columns(dataset, rows)
    del examples["split"]
    return pd.DataFrame(
        {
            "id": examples.pop("id"),
            "distance": distances,
            "label": class_names(dataset, classes),
            "labeled": classes != UNLABELED,
            "predicted": class_names(dataset, probs.argmax(axis=1)),
            "confidence": probs.max(axis=1, initial=0),
            **examples,
        }
    )


def _rank(arrays: dict[str, NDArray[Any]], row: int) -> int:
    """Return an example's place in the ranking of the round's own strategy, from 1; 0 where it has none."""
    own = next(iter(rankings_of(arrays).values()), np.empty(0))
    found = np.flatnonzero(own == row)
    return int(found[0]) + 1 if len(found) else 0
