"""The examples that people added to a packed run: each as one may be added, under an id of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from alvin_core.errors import DataError
from alvin_core.run.adding import NEW_ID, check_attribute, check_texts
from alvin_core.run.bundle_reading import damaged
from alvin_core.run.bundle_records import Fields, Record, typed

__all__ = ["ADDED_FIELDS", "check_added"]

ADDED_FIELDS: Fields = {
    "number": (int,),
    "example_id": (str,),
    "text": (str,),
    "second_text": (str, type(None)),
    "attribute": (str,),
    "parent_id": (str,),
    "annotator": (str,),
    "created_at": (str,),
}


def check_added(
    lines: Iterable[tuple[str, Any]],
    ids: Collection[str],
    pool: Collection[str],
    *,
    is_pairs: bool,
    has_attributes: bool,
) -> list[Record]:
    """Return the added examples: numbered without gaps, made of pool examples, of each other, or of none.

    Parameters
    ----------
    lines : iterable of (where it stands, value)
    ids, pool : collection of str
        Of all examples of the data set, and of those in the pool.
    is_pairs, has_attributes : bool
        Of the data set.
    """
    added: list[Record] = []
    parents = {"", *pool}
    for where, value in lines:
        one = typed(value, ADDED_FIELDS, where)
        example_id, seconds = one["example_id"], [] if one["second_text"] is None else [one["second_text"]]
        try:
            check_texts([one["text"], *seconds], is_pairs=is_pairs)
            check_attribute(one["attribute"], has_attributes=has_attributes)
        except DataError as error:
            raise damaged(where, str(error)) from error
        problems = {
            "number is not the next": one["number"] != len(added),
            "example_id is none of an added example, or is taken": not NEW_ID.fullmatch(example_id)
            or example_id in ids
            or example_id in parents,
            "parent_id is none of this run's": one["parent_id"] not in parents,
        }
        for problem, is_there in problems.items():
            if is_there:
                raise damaged(where, problem)
        parents.add(example_id)
        added.append(one)
    return added
