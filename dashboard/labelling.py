"""Labelling without a screen: keys, the place in the queue, pace, progress, and what a bulk label would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLASS_KEYS",
    "FLAG_KEY",
    "SKIP_KEY",
    "UNDO_KEY",
    "BulkPlan",
    "ClassKey",
    "Given",
    "Pace",
    "Progress",
    "class_keys",
    "other_classes",
    "pace_of",
    "plan_bulk",
    "press_token",
    "recent_labels",
    "successor",
]

CLASS_KEYS: Final = "1234567890"  # in the order of the keyboard: zero is the tenth
# Streamlit keeps C (clear the cache) and R (rerun) for itself.
SKIP_KEY, UNDO_KEY, FLAG_KEY = "S", "U", "F"


@dataclass(frozen=True)
class ClassKey:
    """One class that has a key of its own.

    Attributes
    ----------
    place : int
        Row of the class in ``dataset.classes``.
    name : str
    key : str
        What to press.
    """

    place: int
    name: str
    key: str

    @property
    def element(self) -> str:
        """Key of the element on the page."""
        return f"label_{self.place}"


@dataclass(frozen=True)
class Given:
    """Labels that one person gave in one go: of one example, or of a region.

    Attributes
    ----------
    ids : tuple of str
    label : str
    annotator : str
    time : str
        ISO 8601, UTC.
    """

    ids: tuple[str, ...]
    label: str
    annotator: str
    time: str

    @property
    def is_bulk(self) -> bool:
        return len(self.ids) > 1

    @property
    def seconds(self) -> float:
        """Seconds since 1970."""
        return datetime.fromisoformat(self.time).timestamp()


@dataclass(frozen=True)
class Pace:
    """How fast the last labels came.

    Attributes
    ----------
    per_minute : float
    median_seconds : float
        Between one label and the next.
    n : int
        Labels looked at.
    """

    per_minute: float
    median_seconds: float
    n: int


@dataclass(frozen=True)
class Progress:
    """How much of a proposal is labeled."""

    done: int
    total: int

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 0.0


@dataclass(frozen=True)
class BulkPlan:
    """What labelling a region at once would do, counted before anybody is asked to confirm it.

    Attributes
    ----------
    ids : tuple of str
        Unlabeled examples of the region: those that would get the label.
    n_region : int
        All examples of the region.
    given : dict of str to int
        Class -> examples of the region that have this label already; they stay as they are.
    reserved : dict of id to tuple of str
        Examples of the region that others have in hand, and who; they are left out.
    """

    ids: tuple[str, ...]
    n_region: int
    given: dict[str, int]
    reserved: dict[str, tuple[str, ...]]

    @property
    def n_labeled(self) -> int:
        return self.n_region - len(self.ids) - len(self.reserved)


def class_keys(classes: Sequence[str]) -> tuple[ClassKey, ...]:
    """Return the classes that have a key: the first ten."""
    return tuple(ClassKey(place, name, key) for place, (name, key) in enumerate(zip(classes, CLASS_KEYS, strict=False)))


def other_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that have no key of their own."""
    return tuple(classes[len(CLASS_KEYS) :])


def press_token(*parts: str) -> str:
    """Return a short name for what is on the screen, such as an example.

    A press of a key or a button carries it back, so that one that comes late is not taken for the next example's.
    """
    return sha256("\0".join(parts).encode()).hexdigest()[:12]


def successor(before: Sequence[str], example_id: str, after: Sequence[str]) -> str | None:
    """Return what comes next once an example is done with.

    Parameters
    ----------
    before : sequence of str
        The queue that the example was shown from.
    example_id : str
    after : sequence of str
        The queue as it is now.

    Returns
    -------
    str or None
        The first that stood behind the example and is still to be done; else the first of the new queue; else None.
        Never the example itself while another is left.
    """
    left = set(after) - {example_id}
    if example_id in before:
        for one in before[before.index(example_id) + 1 :]:
            if one in left:
                return one
    return next((one for one in after if one in left), None)


def pace_of(times: Sequence[float], most: int = 10) -> Pace | None:
    """Return the pace of the last labels, or None before there are two.

    Parameters
    ----------
    times : sequence of float
        When each label was given, in seconds, ascending.
    most : int
        How many of the last ones count.
    """
    last = times[-most:]
    if len(last) < 2 or last[-1] <= last[0]:
        return None
    gaps = [later - earlier for earlier, later in pairwise(last)]
    return Pace(per_minute=60 * len(gaps) / (last[-1] - last[0]), median_seconds=median(gaps), n=len(last))


def recent_labels(labels: pd.DataFrame, most: int = 8, own: pd.DataFrame | None = None) -> list[Given]:
    """Return what people labeled last, newest first; labels that were given in one go are one entry.

    Parameters
    ----------
    labels : DataFrame
        As `Run.labels` returns it.
    most : int
        Entries.
    own : DataFrame, optional
        Opinions of one person, as `Run.opinions` returns them. They stand in place of the labels that they led to.
    """
    labels = labels[labels["source"] == "person"]
    if own is not None and len(own):
        import pandas as pd

        labels = pd.concat([labels[~labels["id"].isin(own["id"])], own]).sort_values("time", kind="stable")
    columns = (labels[name].tolist() for name in ("id", "label", "annotator", "time"))
    entries: list[Given] = []
    ids: list[str] = []
    newest: tuple[str, ...] = ()
    for example_id, *about in reversed(list(zip(*columns, strict=True))):
        if ids and tuple(about) != newest:
            entries.append(Given(tuple(reversed(ids)), *newest))
            ids = []
        if len(entries) == most:
            return entries
        ids.append(example_id)
        newest = tuple(about)
    return [*entries, Given(tuple(reversed(ids)), *newest)] if ids else entries


def plan_bulk(
    region: Sequence[str], labels: Mapping[str, str], reserved: Mapping[str, tuple[str, ...]] | None = None
) -> BulkPlan:
    """Return what labelling a region would do.

    Parameters
    ----------
    region : sequence of str
        Ids of all examples in it.
    labels : mapping of id to class name
        Labels that hold now.
    reserved : mapping of id to names, optional
        Unlabeled examples that others have in hand.
    """
    given = Counter(labels[one] for one in region if one in labels)
    kept = {one: reserved[one] for one in region if one in reserved and one not in labels} if reserved else {}
    return BulkPlan(
        ids=tuple(one for one in region if one not in labels and one not in kept),
        n_region=len(region),
        given=dict(sorted(given.items())),
        reserved=kept,
    )
