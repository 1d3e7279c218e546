"""A round's stages, in order, and how far what it computed at each is what another computation found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.run.archive import ranking_name
from alvin_core.store.rearranged import MappedArray, blocks_of

__all__ = ["STAGES", "RoundArrays", "StageComparison", "compare_stages"]

STAGES = (
    "labels",
    "encoding",
    "training",
    "predictions",
    "representations",
    "groups",
    "anchors",
    "neighbours",
    "scores",
    "selection",
)


@dataclass(frozen=True)
class RoundArrays:
    """What a round left: its packed arrays, its representations, and what it was computed in.

    Attributes
    ----------
    packed : mapping of str to array
    vectors : array or Rearranged of shape (n_vectors, dim)
        By ascending row.
    environment : mapping
    """

    packed: Mapping[str, NDArray[Any]]
    vectors: MappedArray
    environment: Mapping[str, Any]


@dataclass(frozen=True)
class StageComparison:
    """One stage, then and now.

    Attributes
    ----------
    stage : str
        One of `STAGES`.
    same : bool or None
        Whether it is the same to the bit; None where nothing of it was recorded.
    words : str
        How it differs; empty where it does not.
    largest : float or None
        The largest absolute difference of two numbers, where they can be compared.
    n : int
        How many things differ: examples, epochs, anchors, candidates, places.
    """

    stage: str
    same: bool | None
    words: str = ""
    largest: float | None = None
    n: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def compare_stages(then: RoundArrays, now: RoundArrays, settings: Mapping[str, Any]) -> list[StageComparison]:
    """Compare two computations of one round, stage by stage in the round's order.

    Parameters
    ----------
    then, now : RoundArrays
    settings : mapping
        Of the round, as its record has them.

    Returns
    -------
    list of StageComparison
        One for each of `STAGES`.
    """
    comparers = {
        "labels": _labels,
        "encoding": _encoding,
        "training": _training,
        "predictions": _predictions,
        "representations": _representations,
        "groups": _groups,
        "anchors": _anchors,
        "neighbours": _neighbours,
        "scores": _scores,
        "selection": _selection,
    }
    return [comparers[stage](stage, then, now, settings) for stage in STAGES]


def _labels(stage: str, then: RoundArrays, now: RoundArrays, _: Mapping[str, Any]) -> StageComparison:
    one, other = then.packed["labeled_rows"], now.packed["labeled_rows"]
    if np.array_equal(one, other):
        return StageComparison(stage, True)
    n = len(np.setxor1d(one, other))
    words = f"{n} examples are in one labeled set alone ({len(one)} then, {len(other)} now)"
    return StageComparison(stage, False, words if n else "the same examples in another order", n=n)


def _encoding(stage: str, then: RoundArrays, now: RoundArrays, settings: Mapping[str, Any]) -> StageComparison:
    """Compare the sample of what training read; of an older record, the vectors where they are the frozen encoder's."""
    one, other = then.environment.get("features"), now.environment.get("features")
    if not one or not other:
        if settings.get("space") != "encoder":
            return StageComparison(stage, None)
        found = _representations(stage, then, now, settings)
        return StageComparison(stage, found.same, found.words, found.largest, found.n)
    if one["digest"] == other["digest"]:
        return StageComparison(stage, True)
    numbers = [np.asarray(values, dtype=np.float64) for values in (one["values"], other["values"])]
    if numbers[0].shape != numbers[1].shape or not len(numbers[0]):
        return StageComparison(stage, False, "what the encoder made of the texts is of another form")
    largest = float(np.abs(numbers[0] - numbers[1]).max())
    words = f"what the encoder made of the texts differs, in a sample by up to {largest:.1e}"
    return StageComparison(stage, False, words, largest)


def _training(stage: str, then: RoundArrays, now: RoundArrays, _: Mapping[str, Any]) -> StageComparison:
    one, other = then.packed["gold_prob"], now.packed["gold_prob"]
    if one.shape != other.shape:
        return StageComparison(stage, False, f"{_shape(one)} epochs and examples then, {_shape(other)} now")
    gaps = np.abs(one.astype(np.float64) - other)  # (n_epochs, n_labeled)
    n_turned = int((then.packed["correct"] != now.packed["correct"]).any(axis=0).sum())
    if not gaps.any() and not n_turned:
        return StageComparison(stage, True)
    epoch = int(np.argmax(gaps.any(axis=1)))
    words = (
        f"from epoch {epoch + 1} of {len(one)} on, probabilities of the labels differ, at first by up to "
        f"{gaps[epoch].max():.1e}, in the end by up to {gaps[-1].max():.1e}; {n_turned} of {one.shape[1]} examples are "
        "right in one and wrong in the other at some epoch"
    )
    return StageComparison(stage, False, words, float(gaps.max()), n_turned)


def _predictions(stage: str, then: RoundArrays, now: RoundArrays, _: Mapping[str, Any]) -> StageComparison:
    one, other = then.packed["probs"], now.packed["probs"]
    if one.shape != other.shape:
        return StageComparison(stage, False, f"{_shape(one)} examples and classes then, {_shape(other)} now")
    gaps = np.abs(one.astype(np.float64) - other)
    if not gaps.any():
        return StageComparison(stage, True)
    n = int((one.argmax(axis=1) != other.argmax(axis=1)).sum())
    words = f"probabilities differ by up to {gaps.max():.1e}; {n} of {len(one)} examples get another class"
    return StageComparison(stage, False, words, float(gaps.max()), n)


def _representations(stage: str, then: RoundArrays, now: RoundArrays, _: Mapping[str, Any]) -> StageComparison:
    rows, rows_now = then.packed["vector_rows"], now.packed["vector_rows"]
    if then.vectors.shape != now.vectors.shape or not np.array_equal(rows, rows_now):
        return StageComparison(stage, False, "vectors of other examples, or of another width")
    largest, n = 0.0, 0
    for part, block in blocks_of(now.vectors):
        gaps = np.abs(np.asarray(then.vectors[part], dtype=np.float64) - block)
        largest = max(largest, float(gaps.max(initial=0.0)))
        n += int(gaps.any(axis=tuple(range(1, gaps.ndim))).sum())
    if not n:
        return StageComparison(stage, True)
    return StageComparison(
        stage, False, f"vectors of {n} of {len(rows)} examples differ, by up to {largest:.1e}", largest, n
    )


def _groups(stage: str, then: RoundArrays, now: RoundArrays, _: Mapping[str, Any]) -> StageComparison:
    names = ("is_minority", "filled")
    if any(then.packed[name].shape != now.packed[name].shape for name in names):
        return StageComparison(stage, False, "groups of other labeled examples")
    minority, filled = (int((then.packed[name] != now.packed[name]).sum()) for name in names)
    if not minority + filled:
        return StageComparison(stage, True)
    n_labeled = len(then.packed["is_minority"])
    words = f"{minority} of {n_labeled} labeled examples change sides between minority and majority"
    return StageComparison(stage, False, words if minority else f"{filled} were filled up in one alone", n=minority)


def _anchors(stage: str, then: RoundArrays, now: RoundArrays, _: Mapping[str, Any]) -> StageComparison:
    return _named(stage, "anchors", then, now, "anchor_minority_rows", "anchor_majority_rows", "anchor_weights")


def _neighbours(stage: str, then: RoundArrays, now: RoundArrays, _: Mapping[str, Any]) -> StageComparison:
    one, other = then.packed.get("candidate_rows"), now.packed.get("candidate_rows")
    if one is None or other is None:
        return StageComparison(stage, one is other, "" if one is other else "in one alone")
    if n := len(np.setxor1d(one, other)):
        return StageComparison(
            stage, False, f"{n} candidates were retrieved in one alone ({len(one)} then, {len(other)} now)", n=n
        )
    return _named(stage, "candidates", then, now, "candidate_n_anchors", "candidate_nearest")


def _scores(stage: str, then: RoundArrays, now: RoundArrays, settings: Mapping[str, Any]) -> StageComparison:
    name = ranking_name(str(settings["strategy"]))
    one, other = then.packed[name], now.packed[name]
    before, after = then.packed["scores"], now.packed["scores"]
    if np.array_equal(one, other) and np.array_equal(before, after):
        return StageComparison(stage, True)
    common, first, second = np.intersect1d(
        then.packed["selected_rows"], now.packed["selected_rows"], return_indices=True
    )
    largest = float(np.abs(before[first] - after[second]).max()) if len(common) else None
    if len(one) != len(other):
        return StageComparison(stage, False, f"{len(one)} were ranked then, {len(other)} now", largest)
    n = int((one != other).sum())
    by = "" if largest is None else f"; scores of those picked in both differ by up to {largest:.1e}"
    return StageComparison(
        stage, False, f"{n} of {len(one)} places of the ranking hold another example{by}", largest, n
    )


def _selection(stage: str, then: RoundArrays, now: RoundArrays, _: Mapping[str, Any]) -> StageComparison:
    one, other = then.packed["selected_rows"], now.packed["selected_rows"]
    if np.array_equal(one, other):
        return StageComparison(stage, True)
    n = len(np.setdiff1d(one, other))
    words = f"{n} of {len(one)} picks are others" if n else "the same picks in another order"
    return StageComparison(stage, False, words, n=n)


def _named(stage: str, what: str, then: RoundArrays, now: RoundArrays, *names: str) -> StageComparison:
    """Compare arrays with a row for each of something; what neither has is the same."""
    pairs = list(_pairs(then, now, names))
    if any(one is None or other is None or one.shape != other.shape for one, other in pairs):
        sizes = [0 if one is None else len(one) for one in pairs[0]]
        return StageComparison(stage, False, f"{sizes[0]} {what} then, {sizes[1]} now", n=abs(sizes[0] - sizes[1]))
    if not pairs:
        return StageComparison(stage, True)
    differ = np.any([one != other for one, other in pairs], axis=0)
    if not differ.any():
        return StageComparison(stage, True)
    last = [np.asarray(one, dtype=np.float64) for one in pairs[-1]]
    largest = float(np.abs(last[0] - last[1]).max())
    n = int(differ.sum())
    return StageComparison(
        stage,
        False,
        f"{n} of {len(differ)} {what} differ, {names[-1].split('_')[-1]} by up to {largest:.1e}",
        largest,
        n,
    )


def _pairs(then: RoundArrays, now: RoundArrays, names: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    for name in names:
        one, other = then.packed.get(name), now.packed.get(name)
        if one is not None or other is not None:
            yield one, other


def _shape(array: NDArray[Any]) -> str:
    return " × ".join(map(str, array.shape))
