"""The records of a packed run: which fields each has, and what must hold of them, one by one and together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from alvin_core.errors import AlvinError
from alvin_core.run.bundle_reading import LABELS, damaged
from alvin_core.run.marking import check_note
from alvin_core.run.submitting import check_annotator
from alvin_core.settings import RunSettings
from alvin_core.store.added import COUNTERFACTUAL
from alvin_core.store.marks import ACTIONS
from alvin_core.store.tables import INITIAL_PROPOSAL

__all__ = [
    "LABEL_FIELDS",
    "MARK_FIELDS",
    "PROPOSAL_FIELDS",
    "ROUND_FIELDS",
    "RUN_FIELDS",
    "Fields",
    "Record",
    "check_labels",
    "check_marks",
    "check_proposals",
    "check_rounds",
    "typed",
]

Record = dict[str, Any]
Fields = Mapping[str, tuple[type, ...]]

TEXT, WHOLE, TABLE = (str,), (int,), (dict,)
# Named as the columns of the tables that they come from and go to.
RUN_FIELDS: Fields = {
    "id": TEXT,
    "name": TEXT,
    "settings": TABLE,
    "annotator": TEXT,
    "dataset": TEXT,
    "source": TEXT,
    "environment": TABLE,
    "parent_id": (str, type(None)),
    "parent_round": (int, type(None)),
    "created_at": TEXT,
}
ROUND_FIELDS: Fields = {
    "round_no": WHOLE,
    "settings": TABLE,
    "last_seq": WHOLE,
    "n_labeled": WHOLE,
    "metrics": TABLE,
    "summary": TABLE,
    "seconds": TABLE,
    "warnings": (list,),
    "environment": TABLE,
    "created_at": TEXT,
}
PROPOSAL_FIELDS: Fields = {"round_no": WHOLE, "rank": WHOLE, "example_id": TEXT}
LABEL_FIELDS: Fields = {
    "seq": WHOLE,
    "example_id": TEXT,
    "label": TEXT,
    "source": TEXT,
    "annotator": TEXT,
    "action": TEXT,
    "created_at": TEXT,
}
MARK_FIELDS: Fields = {
    "seq": WHOLE,
    "example_id": TEXT,
    "action": TEXT,
    "note": TEXT,
    "annotator": TEXT,
    "created_at": TEXT,
}

SOURCES = ("initial", "oracle", "person")
LONGEST_TIME = 32
SUMMARIES = ("groups", "anchors", "selection", "encoding")
# Of all figures, those that are no numbers; of the tables among them, what their entries are.
NAMES = ("rule", "worst_group")
LISTS_OF_NAMES = ("filled_classes",)
TABLES: dict[str, type] = {
    "groups": dict,
    "others": dict,
    "left_out": float,
    "class_shares": float,
    "group_shares": float,
}


def typed(value: Any, fields: Fields, where: str) -> Record:
    """Return a record whose fields are those expected, each of its type, its times and settings well formed."""
    if not isinstance(value, dict) or value.keys() != fields.keys():
        raise damaged(where, f"is no record of {', '.join(fields)}")
    for name, types in fields.items():
        if type(value[name]) not in types:  # a truth value is no whole number here
            raise damaged(where, f"{name} is {_short(value[name])}")
    if "created_at" in fields:
        _check_time(value["created_at"], where)
    if "settings" in fields:
        value["settings"] = _asked(lambda: RunSettings.from_dict(value["settings"]), where).to_dict()
    if "annotator" in fields and fields is not RUN_FIELDS:
        _asked(lambda: check_annotator(value["annotator"]), where)
    return value


def check_labels(
    lines: Iterable[tuple[str, Any]],
    pool: Collection[str],
    classes: Collection[str],
    added: Sequence[str] = (),
) -> list[Record]:
    """Return the label events: numbered without gaps, of pool examples, each one possible after those before it.

    Each added example has one label, of its own source, and they come in the order of their numbers.
    """
    events: list[Record] = []
    held: dict[str, str] = {}
    to_come = list(reversed(added))
    allowed = {*pool, *added}
    for where, value in lines:
        one = typed(value, LABEL_FIELDS, where)
        example_id, label = one["example_id"], one["label"]
        _expect(one, "seq", len(events) + 1, where)
        _expect_one_of(one, "action", ("label", "undo"), where)
        _expect_one_of(one, "example_id", allowed, where)
        _expect_one_of(one, "source", SOURCES if example_id in pool else (COUNTERFACTUAL,), where)
        if example_id not in pool and one["action"] == "label" and (not to_come or to_come.pop() != example_id):
            raise damaged(where, f"example_id {_short(example_id)} was not the next to be added")
        _expect_one_of(one, "label", classes, where)
        if (held.get(example_id) is not None) is not (one["action"] == "undo"):
            raise damaged(where, f"example_id {_short(example_id)} has a label already, or none to take back")
        if one["action"] == "label":
            held[example_id] = label
        elif held.pop(example_id) != label:
            raise damaged(where, "another label is taken back than was given")
        events.append(one)
    if to_come:
        raise damaged(LABELS, f"the added example {_short(to_come[-1])} has no label")
    return events


def check_marks(lines: Iterable[tuple[str, Any]], ids: Collection[str]) -> list[Record]:
    """Return the mark events: numbered without gaps, of examples that are there."""
    events: list[Record] = []
    for where, value in lines:
        one = typed(value, MARK_FIELDS, where)
        _expect(one, "seq", len(events) + 1, where)
        _expect_one_of(one, "action", ACTIONS, where)
        _expect_one_of(one, "example_id", ids, where)
        note: str = one["note"]
        if _asked(partial(check_note, note), where) != note or (note and one["action"] != "note"):
            raise damaged(where, "note is none that is stored")
        events.append(one)
    return events


def check_proposals(lines: Iterable[tuple[str, Any]], pool: Collection[str], n_rounds: int) -> dict[int, list[str]]:
    """Return the ids that each round proposed, best first: pool examples, none twice in a round."""
    proposals: dict[int, list[str]] = {round_no: [] for round_no in range(INITIAL_PROPOSAL, n_rounds)}
    seen: set[tuple[int, str]] = set()
    for where, value in lines:
        one = typed(value, PROPOSAL_FIELDS, where)
        _expect_one_of(one, "round_no", proposals, where)
        _expect_one_of(one, "example_id", pool, where)
        proposed, key = proposals[one["round_no"]], (one["round_no"], one["example_id"])
        _expect(one, "rank", len(proposed), where)
        if key in seen:
            raise damaged(where, f"proposes {_short(key[1])} twice")
        seen.add(key)
        proposed.append(one["example_id"])
    return proposals


def check_rounds(
    lines: Iterable[tuple[str, Any]], labels: list[Record], splits: Collection[str]
) -> tuple[list[Record], list[list[str]], list[tuple[str, str]]]:
    """Return the rounds, numbered without gaps; the ids each trained on, in order; and the hashes of its arrays."""
    rounds: list[Record] = []
    trained_on: list[list[str]] = []
    hashes: list[tuple[str, str]] = []
    held: dict[str, None] = {}
    read = 0  # label events so far
    fields = {**ROUND_FIELDS, "arrays": TEXT, "vectors": TEXT}
    for where, value in lines:
        one = typed(value, fields, where)
        _expect(one, "round_no", len(rounds), where)
        if not read <= one["last_seq"] <= len(labels):
            raise damaged(where, f"last_seq is {one['last_seq']}; from {read} to {len(labels)} there are labels")
        for event in labels[read : one["last_seq"]]:
            held.pop(event["example_id"], None)
            if event["action"] == "label":
                held[event["example_id"]] = None
        read = one["last_seq"]
        _expect(one, "n_labeled", len(held), where)
        _check_facts(one, splits, where)
        trained_on.append(list(held))
        hashes.append((one.pop("arrays"), one.pop("vectors")))
        rounds.append(one)
    return rounds, trained_on, hashes


def _check_facts(one: Record, splits: Collection[str], where: str) -> None:
    """Check what a round tells of itself in figures: lists and charts format them without asking."""
    for split, figures in one["metrics"].items():
        if split not in splits or not isinstance(figures, dict):
            raise damaged(where, f"metrics has {_short(split)}")
        _check_figures(figures, f"{where}, metrics of {split}")
    for name, figures in one["summary"].items():
        if name not in SUMMARIES or not isinstance(figures, dict):
            raise damaged(where, f"summary has {_short(name)}")
        _check_figures(figures, f"{where}, summary of {name}")
    if not all(_is_number(value) and value >= 0 for value in one["seconds"].values()):
        raise damaged(where, "seconds holds what is no duration")
    if not all(isinstance(value, str) for value in one["warnings"]):
        raise damaged(where, "warnings holds what is no text")


def _check_figures(figures: Record, where: str) -> None:
    for name, value in figures.items():
        if name in NAMES:
            sound = value is None or isinstance(value, str)
        elif name in LISTS_OF_NAMES:
            sound = isinstance(value, list) and all(isinstance(one, str) for one in value)
        elif name in TABLES and TABLES[name] is dict:
            sound = isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
            for inner in value.values() if sound else ():
                _check_figures(inner, where)
        elif name in TABLES:
            sound = isinstance(value, dict) and all(map(_is_number, value.values()))
        else:
            sound = value is None or _is_number(value)
        if not sound:
            raise damaged(where, f"{name[:40]} is {_short(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 2**63  # what a whole number of a database holds


def _check_time(value: str, where: str) -> None:
    try:
        is_time = len(value) <= LONGEST_TIME and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        is_time = False
    if not is_time:
        raise damaged(where, f"created_at is {_short(value)}, no time with its zone")


def _asked(check: Callable[[], Any], where: str) -> Any:
    """Return what a check of the engine's own says, its refusal in a packed run's words."""
    try:
        return check()
    except AlvinError as error:
        raise damaged(where, str(error)) from error


def _expect(one: Record, name: str, value: int, where: str) -> None:
    if one[name] != value:
        raise damaged(where, f"{name} is {one[name]}, {value} is expected")


def _expect_one_of(one: Record, name: str, allowed: Collection[Any], where: str) -> None:
    if one[name] not in allowed:
        raise damaged(where, f"{name} is {_short(one[name])}, which is none of this run's")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
