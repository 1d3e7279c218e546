"""Slices: named parts of a data set, and the rules that they were made by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from alvin_core.errors import DataError
from alvin_core.shown import shown

__all__ = ["FILTER_COLUMNS", "SliceInfo", "SliceKind", "SliceRule", "conditions_of"]

SliceKind = Literal["cue", "search", "filter", "ids"]

MOST_DIGITS = 9
FILTER_COLUMNS = ("label", "attribute", "predicted", "status", "split", "round")
READS_LABELS = ("right", "wrong")  # statuses that compare a prediction with the example's label
OF_A_ROUND = ("predicted", "status")
CUE_WORDS = {"token": "the word", "ngram": "the words", "attribute": "the attribute", "overlap": "word overlap"}


@dataclass(frozen=True)
class SliceRule:
    """How a slice was made. It is for people: the members are fixed when the slice is saved.

    Attributes
    ----------
    kind : {"cue", "search", "filter", "ids"}
    value : str or tuple of str
        ``cue``: its key, such as ``token:great`` or ``attribute:horror``. ``search``: a text, searched in any case.
        ``filter``: conditions such as ``label=positive``; within a column one must hold, between columns all. The
        columns are ``label``, ``attribute``, ``split``, and those that a round tells: ``predicted`` and ``status``
        (labeled, unlabeled, selected, minority, majority, right or wrong), with ``round=3`` beside them; where no
        round is given, saving takes the newest and says so. ``ids``: the examples; a saved rule keeps none of them,
        since the members are they.
    contradicts : str
        The class that the slice's shortcut says; members contradict it when their label is another. Empty where the
        slice stands for no shortcut.

    Raises
    ------
    DataError
        When the kind is unknown, or the value is none of its kind.
    """

    kind: SliceKind
    value: str | tuple[str, ...]
    contradicts: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(SliceKind):
            raise DataError(
                f"a slice cannot be made by {shown(self.kind)}; choose one of {', '.join(get_args(SliceKind))}"
            )
        expected = str if self.kind in ("cue", "search") else tuple
        if not isinstance(self.value, expected) or not all(isinstance(one, str) for one in self.value):
            kind = "a text" if expected is str else "a tuple of texts"
            raise DataError(f"a slice by {self.kind} takes {kind}, not {shown(self.value)}")
        if isinstance(self.value, str) and not self.value.strip():
            raise DataError(f"a slice by {self.kind} needs more than blanks")
        if self.kind == "filter":
            conditions_of(self)

    @property
    def words(self) -> str:
        """The rule in words, for people."""
        if isinstance(self.value, str):
            kind, _, name = self.value.partition(":")
            said = f"{CUE_WORDS.get(kind, kind)} “{name}”" if self.kind == "cue" else f"texts with “{self.value}”"
        elif self.kind == "filter":
            columns = conditions_of(self)
            rounds = columns.pop("round", ())
            said = ", ".join(f"{name} {' or '.join(values)}" for name, values in columns.items())
            said += f", as of round {rounds[0]}" if rounds else ""
        else:
            said = "examples picked by hand"
        return f"{said}; the shortcut says {self.contradicts}" if self.contradicts else said

    @property
    def reads_labels(self) -> bool:
        """Whether who is a member depends on labels: a strategy must not select by them."""
        if self.kind != "filter":
            return False
        columns = conditions_of(self)
        return "label" in columns or any(one in READS_LABELS for one in columns.get("status", ()))

    @property
    def depends_on_round(self) -> bool:
        """Whether who is a member depends on what a round knew or predicted."""
        return self.kind == "filter" and any(name in OF_A_ROUND for name in conditions_of(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        value = self.value if isinstance(self.value, str) else list(self.value)
        return {"kind": self.kind, "value": value, "contradicts": self.contradicts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SliceRule:
        """Build a rule of what `to_dict` returned.

        Raises
        ------
        DataError
            When it is none.
        """
        if (
            not isinstance(values, Mapping)
            or values.keys() != {"kind", "value", "contradicts"}
            or not isinstance(values["contradicts"], str)
        ):
            raise DataError(f"{shown(values)} is no rule of a slice; a rule has: kind, value, contradicts")
        value = values["value"]
        return cls(values["kind"], tuple(value) if isinstance(value, list) else value, values["contradicts"])


@dataclass(frozen=True)
class SliceInfo:
    """One slice of a data set.

    Attributes
    ----------
    name : str
    rule : SliceRule
    n : dict of str to int
        Split -> members; only splits that have some.
    note : str
    created_at : str
        ISO 8601, UTC.
    """

    name: str
    rule: SliceRule
    n: dict[str, int]
    note: str
    created_at: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {**asdict(self), "rule": {**self.rule.to_dict(), "words": self.rule.words}}


def conditions_of(rule: SliceRule) -> dict[str, tuple[str, ...]]:
    """Return the values that a filter asks for in each column, in the order in which they were given.

    Raises
    ------
    DataError
        When a condition is none, or nothing but a round is given.
    """
    columns: dict[str, tuple[str, ...]] = {}
    for condition in rule.value:
        name, equals, value = (part.strip() for part in condition.partition("="))
        if not equals or not value or name not in FILTER_COLUMNS:
            raise DataError(
                f"{shown(condition)} is no condition of a slice; write one like label=positive, with the columns "
                f"{', '.join(FILTER_COLUMNS)}"
            )
        columns[name] = (*columns.get(name, ()), value)
    if not columns.keys() - {"round"}:
        raise DataError("a slice by filter needs a condition, such as label=positive or attribute=horror")
    rounds = columns.get("round", ())
    if len(rounds) > 1 or not all(one.isdecimal() and len(one) <= MOST_DIGITS for one in rounds):
        raise DataError(f"round={shown(', '.join(rounds))[1:-1]} is no round; give one number, such as round=3")
    return columns
