"""The opinions in a packed run: each one possible after those before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from alvin_core.errors import LabelError
from alvin_core.run.bundle_reading import damaged
from alvin_core.run.bundle_records import Fields, Record, typed
from alvin_core.run.submitting import check_annotator

__all__ = ["OPINION_FIELDS", "check_opinions"]

OPINION_FIELDS: Fields = {
    "seq": (int,),
    "example_id": (str,),
    "label": (str,),
    "annotator": (str,),
    "by": (str,),
    "action": (str,),
    "round_no": (int,),
    "label_seq": (int,),
    "created_at": (str,),
}


def check_opinions(
    lines: Iterable[tuple[str, Any]],
    proposals: Mapping[int, Collection[str]],
    classes: Collection[str],
    n_labels: int,
) -> list[Record]:
    """Return the opinion events: numbered without gaps, of proposed examples, one of each annotator at a time.

    Parameters
    ----------
    lines : iterable of (where it stands, value)
    proposals : mapping of round to collection of str
        The ids that each proposed.
    classes : collection of str
    n_labels : int
        How many label events the run has.
    """
    events: list[Record] = []
    held: dict[tuple[str, str], str] = {}
    proposed = {number: set(ids) for number, ids in proposals.items()}
    newest = 0  # label event, as far as the log has come
    for where, value in lines:
        one = typed(value, OPINION_FIELDS, where)
        key = one["example_id"], one["annotator"]
        is_undo = one["action"] == "undo"
        problems = {
            "seq is not the next": one["seq"] != len(events) + 1,
            "action is none of an opinion": one["action"] not in ("opinion", "undo"),
            "round_no is of no proposal with this example_id": one["example_id"]
            not in proposed.get(one["round_no"], ()),
            "label is no class of this run's": one["label"] not in classes,
            "label_seq goes back, or is of no label": not newest <= one["label_seq"] <= n_labels,
            "by is no name": not _is_name(one["by"]),
            "the annotator has an opinion already, or none to take back": (key in held) is not is_undo,
            "another opinion is taken back than was given": is_undo and held.get(key) != one["label"],
        }
        for problem, is_there in problems.items():
            if is_there:
                raise damaged(where, problem)
        newest = one["label_seq"]
        held.pop(key, None)
        if not is_undo:
            held[key] = one["label"]
        events.append(one)
    return events


def _is_name(name: str) -> bool:
    try:
        check_annotator(name)
    except LabelError:
        return False
    return True
