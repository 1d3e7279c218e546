"""What a map of a round shows: a few numbers for each pool example, and the anchors behind the selected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import UNLABELED, Dataset
from alvin_core.errors import SettingsError
from alvin_core.run.archive import dynamics_of, rankings_of
from alvin_core.run.frames import places_in
from alvin_core.run.handle import RunHandle
from alvin_core.run.held import held_classes
from alvin_core.run.measuring import round_anchors, round_space
from alvin_core.strategies.ranking import entropy_of
from alvin_core.types import BoolArray, Float32Array, IdArray, IntArray, check_lengths

if TYPE_CHECKING:
    from alvin_core.projection import Projection

__all__ = ["MapAnchors", "MapColumns", "map_anchors", "map_columns"]

Int8Array = NDArray[np.int8]
Int16Array = NDArray[np.int16]
Int32Array = NDArray[np.int32]
PARENTS = ("anchor_minority_rows", "anchor_majority_rows")
HIGHEST_CODE = np.iinfo(np.int16).max


@dataclass(frozen=True)
class MapColumns:
    """What is known of every pool example in a round, in an order that is the same in every round. No texts.

    Attributes
    ----------
    ids : str array of shape (n,)
    rows : int64 array of shape (n,)
        Rows in the data set.
    classes : tuple of str
        What ``label``, ``label_now`` and ``predicted`` are codes of.
    attributes : tuple of str
        What ``attribute`` is a code of; empty where nothing is known.
    labeled : bool array of shape (n,)
        Whether the round trained on it.
    selected : bool array of shape (n,)
        Whether the round selected it.
    label : int16 array of shape (n,)
        The label that the round trained on; -1 where there was none. An oracle's answer is never in it early.
    label_now : int16 array of shape (n,)
        The label that holds now: also one that was given after the round.
    predicted : int16 array of shape (n,)
    confidence, entropy : float32 arrays of shape (n,)
        The largest probability, and the entropy in nats.
    is_minority : int8 array of shape (n,)
        The inferred group: 1 minority, 0 majority, -1 unlabeled.
    n_forgotten : int16 array of shape (n,)
        How often it was forgotten in training; -1 where unlabeled.
    attribute : int16 array of shape (n,)
        -1 where none is known; int32 where there are more values than int16 can count.
    correct : int8 array of shape (n,)
        Whether the prediction is the label that the round trained on; -1 where unlabeled.
    ranks : dict of str to int32 array of shape (n,)
        Strategy -> the place it gave each example, from 1; 0 where it did not rank it. The round's own comes first.
    budget : int
        How many the round was to select.
    """

    ids: IdArray
    rows: NDArray[np.int64]
    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    labeled: BoolArray
    selected: BoolArray
    label: Int16Array
    label_now: Int16Array
    predicted: Int16Array
    confidence: Float32Array
    entropy: Float32Array
    is_minority: Int8Array
    n_forgotten: Int16Array
    attribute: IntArray
    correct: Int8Array
    ranks: dict[str, Int32Array]
    budget: int

    def __post_init__(self) -> None:
        columns = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        check_lengths("MapColumns", **columns, **{f"ranks[{name!r}]": places for name, places in self.ranks.items()})

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class MapAnchors:
    """Anchors that retrieved a round's selected examples, with approximate places on a map.

    Attributes
    ----------
    xy : float32 array of shape (n, 2)
        The barycentre of the places of its true neighbors: a point between two examples has no place of its own.
    minority, majority : int32 arrays of shape (n,)
        Places of both parents in the order of `MapColumns`. Named for ALVIN's own pairing; in an ablation they are
        simply the first and the second parent.
    weight : float32 array of shape (n,)
        Of the first parent.
    class_ : int16 array of shape (n,)
        Class of the first parent.
    anchor : int32 array of shape (n,)
        Rows in `Run.anchors`.
    picks : int32 array of shape (n_picks, 2)
        A row for each link: the anchor, as a row of this object, and the selected example, as in `MapColumns`.
    n_total : int
        All anchors of the round.
    n_linked : int
        Those that retrieved a selected example, shown or not.
    n_without_place : int
        Of these, those with a parent that a person added, which has no place on the map: they cannot be drawn.
    """

    xy: Float32Array
    minority: Int32Array
    majority: Int32Array
    weight: Float32Array
    class_: Int16Array
    anchor: Int32Array
    picks: Int32Array
    n_total: int
    n_linked: int
    n_without_place: int = 0

    def __post_init__(self) -> None:
        check_lengths(
            "MapAnchors",
            xy=self.xy,
            minority=self.minority,
            majority=self.majority,
            weight=self.weight,
            class_=self.class_,
            anchor=self.anchor,
        )
        if self.xy.shape[1:] != (2,) or self.picks.shape[1:] != (2,):
            raise ValueError(f"MapAnchors: xy {self.xy.shape} and picks {self.picks.shape} must be (n, 2)")

    def __len__(self) -> int:
        return len(self.anchor)


def map_columns(handle: RunHandle, round_no: int) -> MapColumns:
    """Return what a map of a round shows of every pool example; see `MapColumns`.

    Raises
    ------
    StoreError
        When there is no such round.
    """
    stored, arrays = handle.round(round_no)
    dataset = handle.dataset
    rows = dataset.rows_of("pool")
    label, label_now = (classes[rows] for classes in held_classes(handle, stored.last_seq, None))
    n, labeled_rows, probs = len(dataset), arrays["labeled_rows"], arrays["probs"][rows]
    predicted = probs.argmax(axis=1).astype(np.int16)
    names, attribute = _attribute_codes(dataset, rows)
    ranks = {name: places_in(n, ranking)[rows].astype(np.int32) for name, ranking in rankings_of(arrays).items()}
    return MapColumns(
        ids=dataset.ids[rows],
        rows=rows,
        classes=dataset.classes,
        attributes=names,
        labeled=_spread(n, labeled_rows, True, missing=False)[rows].astype(bool),
        selected=_spread(n, arrays["selected_rows"], True, missing=False)[rows].astype(bool),
        label=label,
        label_now=label_now,
        predicted=predicted,
        confidence=probs.max(axis=1).astype(np.float32),
        entropy=entropy_of(probs).astype(np.float32),
        is_minority=_spread(n, labeled_rows, arrays["is_minority"])[rows].astype(np.int8),
        n_forgotten=_spread(n, labeled_rows, dynamics_of(arrays, dataset).n_forgotten)[rows].astype(np.int16),
        attribute=attribute,
        correct=np.where(label == UNLABELED, UNLABELED, predicted == label).astype(np.int8),
        ranks=ranks,
        budget=int(stored.settings["budget"]),
    )


def map_anchors(handle: RunHandle, round_no: int, projection: Projection, most: int = 500) -> MapAnchors:
    """Return the anchors that retrieved a round's selected examples, with places on a map.

    Parameters
    ----------
    handle : RunHandle
    round_no : int
    projection : Projection
        The map; of this round, or of another one whose places are shown.
    most : int
        Where more were linked: first the nearest anchor of each selected example, best-ranked first, then the second
        nearest of each, and so on, so that every selected example keeps at least one while there is room.

    Returns
    -------
    MapAnchors
        Empty for strategies without anchors.

    Raises
    ------
    StoreError
        When there is no such round.
    SettingsError
        When ``most`` is negative.
    """
    if most < 0:
        raise SettingsError(f"most = {most} is out of range: it must be at least 0")
    stored, arrays = handle.round(round_no)
    rows = handle.dataset.rows_of("pool")
    places, links = (arrays.get(name, np.empty(0, dtype=np.int32)) for name in ("link_places", "link_anchors"))
    linked = _nearest_first(places, links)
    drawable = linked[_has_parents_on_map(handle, arrays, linked)]
    shown = drawable[:most]
    space = round_space(handle, stored, arrays)
    anchors = round_anchors(space, arrays, shown)
    first, second = (arrays.get(name, shown)[shown] for name in PARENTS)
    place_of_anchor = _spread(int(links.max(initial=-1)) + 1, shown, np.arange(len(shown)))
    is_shown = place_of_anchor[links] >= 0
    selected = np.searchsorted(rows, arrays["selected_rows"])
    picks = np.stack([place_of_anchor[links[is_shown]], selected[places[is_shown]]], axis=1)
    return MapAnchors(
        xy=_placed(handle, round_no, anchors.vectors, projection),
        minority=np.searchsorted(rows, first).astype(np.int32),
        majority=np.searchsorted(rows, second).astype(np.int32),
        weight=anchors.weights,
        class_=anchors.classes.astype(np.int16),
        anchor=shown.astype(np.int32),
        picks=picks.astype(np.int32),
        n_total=len(arrays.get("anchor_weights", ())),
        n_linked=len(linked),
        n_without_place=len(linked) - len(drawable),
    )


def _has_parents_on_map(handle: RunHandle, arrays: dict[str, NDArray[Any]], anchors: IntArray) -> BoolArray:
    """Return which anchors lie between two examples of the pool: what people added has no place on a map."""
    n_stored = len(handle.stored_dataset)
    first, second = (arrays.get(name, anchors)[anchors] for name in PARENTS)
    return np.asarray((first < n_stored) & (second < n_stored))


def _spread(n: int, rows: IntArray, values: Any, *, missing: int = UNLABELED) -> NDArray[np.int64]:
    """Return an array of length n that has the values at these rows, and ``missing`` elsewhere."""
    spread = np.full(n, missing, dtype=np.int64)
    spread[rows] = values
    return spread


def _attribute_codes(dataset: Dataset, rows: IntArray) -> tuple[tuple[str, ...], IntArray]:
    """Return the known attribute's values, sorted, and a code for each example, -1 where it is unknown."""
    if dataset.attributes is None:
        return (), np.full(len(rows), -1, dtype=np.int16)
    values, codes = np.unique(dataset.attributes[rows], return_inverse=True)
    if len(values) and values[0] == "":  # the empty string is sorted first
        values, codes = values[1:], codes - 1
    return tuple(values.tolist()), codes.astype(np.int16 if len(values) <= HIGHEST_CODE else np.int32)


def _nearest_first(places: IntArray, anchors: IntArray) -> IntArray:
    """Order the linked anchors, each once: by how near they are to an example, then by that example's place.

    Links come sorted by place, and by distance within.
    """
    numbers = np.arange(len(places))
    is_first = np.append(True, places[1:] != places[:-1])[: len(places)]
    depth = numbers - np.maximum.accumulate(np.where(is_first, numbers, 0))
    ordered = anchors[np.lexsort((places, depth))]
    _, firsts = np.unique(ordered, return_index=True)
    return np.asarray(ordered[np.sort(firsts)])


def _placed(handle: RunHandle, round_no: int, vectors: Float32Array, projection: Projection) -> Float32Array:
    if not len(vectors):
        return np.empty((0, 2), dtype=np.float32)
    from alvin_core.run.projecting import place_vectors

    return place_vectors(handle, round_no, vectors, projection)
