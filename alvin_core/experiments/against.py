"""Which groups contradict a shortcut: those whose attribute is not the usual one of their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from alvin_core.data.dataset import Dataset
    from alvin_core.run.values import RoundRecord

__all__ = ["groups_against", "smaller_groups"]


def groups_against(dataset: Dataset) -> tuple[str, ...]:
    """Name the groups of a pool whose attribute is not the most frequent one of their class.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    tuple of str
        Groups as ``class × attribute``, sorted; none where attributes or the pool's labels are not known. A class with
        two equally frequent values has no usual one, and adds none.
    """
    from alvin_core.metrics import group_names

    if dataset.attributes is None:
        return ()
    rows = dataset.rows_of("pool")
    found: list[str] = []
    for label in range(len(dataset.classes)):
        of_class = rows[dataset.labels[rows] == label]
        names = group_names(dataset.labels[of_class], dataset.classes, dataset.attributes[of_class])
        known = names[names != None].astype(np.str_)  # noqa: E711  (element by element)
        groups, counts = np.unique(known, return_counts=True)
        found += _all_but_the_largest(dict(zip(groups.tolist(), counts.tolist(), strict=True)))
    return tuple(sorted(found))


def smaller_groups(records: Sequence[RoundRecord]) -> tuple[str, ...]:
    """Name the groups that are not the largest of their class in the split ``test``."""
    classes = {class_ for record in records for class_ in record.selection.get("class_shares", {})}
    sizes = next((one for record in records if (one := _group_sizes(record))), {})
    found: list[str] = []
    for class_ in classes:
        # A class may itself hold a ×, so the longest that fits is the group's own.
        own = {group: n for group, n in sizes.items() if _class_of(group, classes) == class_}
        found += _all_but_the_largest(own)
    return tuple(sorted(found))


def _group_sizes(record: RoundRecord) -> dict[str, int]:
    groups: Mapping[str, Any] = record.metrics.get("test", {}).get("groups") or {}
    return {group: int(figures["n"]) for group, figures in groups.items()}


def _class_of(group: str, classes: set[str]) -> str:
    return max((class_ for class_ in classes if group.startswith(f"{class_} × ")), key=len, default="")


def _all_but_the_largest(sizes: Mapping[str, int]) -> list[str]:
    largest = max(sizes.values(), default=0)
    if list(sizes.values()).count(largest) != 1:
        return []
    return [group for group, size in sizes.items() if size != largest]
