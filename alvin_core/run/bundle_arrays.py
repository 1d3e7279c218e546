"""The arrays of a packed run: each of the type, shape and range that later code relies on, or the run is refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Dataset
from alvin_core.run.archive import VECTORS, rankings_of
from alvin_core.run.bundle_reading import DATASET, damaged
from alvin_core.store.datasets import dataset_of

__all__ = ["check_dataset_arrays", "check_round_arrays"]

Arrays = Mapping[str, NDArray[Any]]

# Name -> kinds of numbers, and what its lengths count: N examples, C classes, L labeled, E epochs, V vectors, D
# dimensions, B selected, A anchors, K candidates, Q links from selected examples to anchors.
ALWAYS = {
    "labeled_rows": ("i", "L"),
    "correct": ("b", "EL"),
    "gold_prob": ("f", "EL"),
    "is_minority": ("b", "L"),
    "filled": ("b", "L"),
    "probs": ("f", "NC"),
    "vector_rows": ("i", "V"),
    "selected_rows": ("i", "B"),
    "scores": ("fiu", "B"),
    VECTORS: ("f", "VD"),
}
ANCHORS = {
    "anchor_minority_rows": ("i", "A"),
    "anchor_majority_rows": ("i", "A"),
    "anchor_weights": ("f", "A"),
    "anchor_classes": ("i", "A"),
}
CANDIDATES = {
    "candidate_rows": ("i", "K"),
    "candidate_n_anchors": ("i", "K"),
    "candidate_nearest": ("f", "K"),
}
LINKS = {"link_places": ("i", "Q"), "link_anchors": ("i", "Q"), "link_distances": ("f", "Q")}
RANKING = re.compile(r"ranking:[\w.-]{1,64}", re.ASCII)
FINITE = ("gold_prob", "probs", "anchor_weights", VECTORS)

COLUMNS = ("ids", "texts", "second_texts", "classes", "splits", "attributes", "warnings")
SPLIT = re.compile(r"pool|test|ood:.+")
LARGEST_COLUMN = 2**32  # bytes that ids, splits or attributes may take in memory, as wide as the longest of them
LONGEST_WORD = 100_000  # bytes of one of them


def check_dataset_arrays(arrays: Arrays) -> Dataset:
    """Return the data set that packed arrays hold, after all that it takes for granted has been checked."""
    allowed = {"labels", *(f"{name}.{part}" for name in COLUMNS for part in ("blob", "offsets"))}
    if not arrays.keys() <= allowed or "labels" not in arrays:
        raise damaged(DATASET, f"has the arrays {', '.join(arrays)[:100]}")
    for name in COLUMNS:
        if f"{name}.blob" in arrays or f"{name}.offsets" in arrays:
            _check_texts(arrays, name)
    try:
        dataset = dataset_of(arrays)
    except (KeyError, ValueError) as error:
        raise damaged(DATASET, f"its columns do not fit together: {error}") from error
    ids, labels = dataset.ids.tolist(), dataset.labels
    problems = {
        "there are no examples": not len(dataset),
        "its ids are not unique, or empty": len(set(ids)) < len(ids) or not all(ids),
        "its classes are not unique, or fewer than 2": not 2 <= len(set(dataset.classes)) == len(dataset.classes),
        "it has a split of an unknown name": not all(map(SPLIT.fullmatch, np.unique(dataset.splits).tolist())),
        "it has no pool": "pool" not in dataset.splits,
        "its labels are no classes": labels.dtype != np.int64
        or labels.ndim != 1
        or bool(((labels < -1) | (labels >= len(dataset.classes))).any()),
    }
    _refuse(problems, DATASET)
    return dataset


def check_round_arrays(
    arrays: Arrays,
    dataset: Dataset,
    labeled: Sequence[int],
    proposed: Sequence[int],
    strategy: str,
    where: str,
    *,
    n_added: int = 0,
) -> None:
    """Check the arrays of one round.

    Parameters
    ----------
    arrays : mapping of name to array
        Packed and mapped alike.
    dataset : Dataset
    labeled : sequence of int
        Rows of the examples that the round trained on, as the labels tell.
    proposed : sequence of int
        Rows of what it proposed.
    strategy : str
        What selected in it.
    where : str
        For messages.
    n_added : int
        Examples that people had added by then; their rows follow those of the data set.
    """
    n = len(dataset) + n_added
    _check_shapes(arrays, {"N": n, "C": len(dataset.classes), "L": len(labeled), "B": len(proposed)}, where)
    pool = dataset.rows_of("pool")
    is_open = np.zeros(n, dtype=bool)
    is_open[pool] = True
    is_open[list(labeled)] = False
    rankings = rankings_of(dict(arrays))
    own = next(iter(rankings.values()), np.empty(0, dtype=np.int64))
    problems = {
        "labeled_rows are not those that the labels tell": arrays["labeled_rows"].tolist() != list(labeled),
        "vector_rows are not the pool's, with those that it trained on": not np.array_equal(
            arrays["vector_rows"], np.union1d(pool, labeled).astype(np.int64)
        ),
        "selected_rows are not what was proposed": arrays["selected_rows"].tolist() != list(proposed),
        "there is no ranking of its own strategy": next(iter(rankings), None) != strategy,
        "what was selected is not the top of its ranking": own[: len(proposed)].tolist() != list(proposed),
        "it selected, ranked or retrieved what is not open": not all(
            _are_open(rows, is_open) for rows in (*rankings.values(), arrays.get("candidate_rows", own))
        ),
        **_anchor_problems(arrays, dataset, labeled),
        **{f"{name} is not finite": not _is_finite(arrays[name]) for name in FINITE if name in arrays},
    }
    _refuse(problems, where)


def _anchor_problems(arrays: Arrays, dataset: Dataset, labeled: Collection[int]) -> dict[str, bool]:
    if "anchor_weights" not in arrays:
        return {}
    parents = np.concatenate([arrays["anchor_minority_rows"], arrays["anchor_majority_rows"]])
    problems = {
        "an anchor has a parent without a label": not np.isin(parents, list(labeled)).all(),
        "an anchor has an unknown class": not _are_within(arrays["anchor_classes"], len(dataset.classes)),
    }
    if "link_anchors" in arrays:
        problems["a link names no anchor"] = not _are_within(arrays["link_anchors"], len(arrays["anchor_weights"]))
        problems["a link names nothing selected"] = not _are_within(arrays["link_places"], len(arrays["selected_rows"]))
    return problems


def _check_shapes(arrays: Arrays, lengths: dict[str, int], where: str) -> None:
    """Check that the arrays are those of a round, each of its kind, and that lengths of one meaning are the same."""
    expected = dict(ALWAYS)
    for group in (ANCHORS, CANDIDATES, LINKS):
        if group.keys() & arrays.keys():
            expected |= group
    if LINKS.keys() & expected.keys() and not ANCHORS.keys() & expected.keys():
        raise damaged(where, "has links to anchors, and no anchors")
    unknown = [name for name in arrays if name not in expected and not RANKING.fullmatch(name)]
    missing = [name for name in expected if name not in arrays]
    if unknown or missing:
        raise damaged(where, f"the array {(unknown + missing)[0][:40]!r} is {'unknown' if unknown else 'missing'}")
    for name, array in arrays.items():
        kinds, shape = expected.get(name, ("i", "*"))
        if array.dtype.kind not in kinds or array.ndim != len(shape):
            raise damaged(where, f"{name} has the type {array.dtype.str} and the shape {array.shape}")
        for meaning, length in zip(shape, array.shape, strict=True):
            if meaning in "ED" and length < 1:
                raise damaged(where, f"{name} has the shape {array.shape}")
            if meaning != "*" and lengths.setdefault(meaning, length) != length:
                raise damaged(where, f"{name} has the shape {array.shape}, {lengths[meaning]} is expected in it")


def _check_texts(arrays: Arrays, name: str) -> None:
    """Check a packed column of texts: its borders, and that each text is UTF-8 by itself."""
    blob, offsets = arrays.get(f"{name}.blob"), arrays.get(f"{name}.offsets")
    if blob is None or offsets is None or blob.dtype != np.uint8 or offsets.dtype != np.int64:
        raise damaged(DATASET, f"{name} is no column of texts")
    lengths = np.diff(offsets)
    if blob.ndim != 1 or offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or offsets[-1] != len(blob):
        raise damaged(DATASET, f"{name} has borders that are not those of its texts")
    if (lengths < 0).any():
        raise damaged(DATASET, f"{name} has a text that ends before it begins")
    starts = offsets[:-1][lengths > 0]
    try:
        blob.tobytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(DATASET, f"{name} is not UTF-8") from error
    if ((blob[starts] & 0xC0) == 0x80).any():  # the whole is UTF-8, so is each part that begins where a character does
        raise damaged(DATASET, f"{name} has a text that begins within a character")
    if name in ("ids", "splits", "attributes") and len(lengths):
        longest = int(lengths.max())
        if longest > LONGEST_WORD or 4 * longest * len(lengths) > LARGEST_COLUMN:
            raise damaged(DATASET, f"{name} of up to {longest:,} bytes for {len(lengths):,} examples are not read")


def _refuse(problems: Mapping[str, bool], where: str) -> None:
    for problem, is_there in problems.items():
        if is_there:
            raise damaged(where, problem)


def _are_open(rows: NDArray[Any], is_open: NDArray[np.bool_]) -> bool:
    return _are_within(rows, len(is_open)) and bool(is_open[rows].all()) and len(np.unique(rows)) == len(rows)


def _are_within(values: NDArray[Any], length: int) -> bool:
    return bool(((values >= 0) & (values < length)).all())


def _is_finite(values: NDArray[Any]) -> bool:
    step = 2**16  # rows at a time: a pool's vectors take gigabytes
    return all(bool(np.isfinite(values[at : at + step]).all()) for at in range(0, len(values), step))
