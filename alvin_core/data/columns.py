"""Which of a user's columns holds what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

from alvin_core.data.problems import ProblemLog, shorten

__all__ = ["STANDARD_NAMES", "Columns", "Layout", "find_columns"]

SHOWN_COLUMNS = 12


@dataclass(frozen=True)
class Columns:
    """Names of the user's columns; None looks for the standard name, which is the field's own.

    Examples are single texts (``text``) or pairs (``text_a`` and ``text_b``).
    """

    text: str | None = None
    text_a: str | None = None
    text_b: str | None = None
    label: str | None = None
    id: str | None = None
    split: str | None = None
    attribute: str | None = None

    def given(self) -> dict[str, str]:
        """Return the names that the user chose, by role."""
        chosen = {role: getattr(self, role) for role in STANDARD_NAMES}
        return {role: name for role, name in chosen.items() if name is not None}


STANDARD_NAMES = tuple(item.name for item in fields(Columns))
TEXT_ROLES = ("text", "text_a", "text_b")


@dataclass(frozen=True)
class Layout:
    """The user's column for each role that the data has.

    Attributes
    ----------
    texts : tuple of str
        One column, or the two of a pair.
    label, id, split, attribute : str or None
    header : tuple of str
        Every column, for messages.
    """

    texts: tuple[str, ...]
    label: str | None
    id: str | None
    split: str | None
    attribute: str | None
    header: tuple[str, ...]

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns to read, texts first."""
        optional = (self.label, self.id, self.split, self.attribute)
        return self.texts + tuple(name for name in optional if name is not None)


def find_columns(header: Sequence[str], columns: Columns, log: ProblemLog) -> Layout | None:
    """Match the user's columns with their roles; log what is missing or ambiguous and return None then."""
    n_before = log.count("error")
    for name, n_times in Counter(name for name in header if name).items():
        if n_times > 1:
            log.add("duplicate column name", "give every column its own name", column=name, value=f"{n_times} times")
    given = columns.given()
    for role, name in given.items():
        if name not in header:
            log.add("missing column", f"the {role} column must be one of: {listed(header)}", column=name)
    for name, n_times in Counter(given.values()).items():
        if n_times > 1:
            roles = ", ".join(role for role, chosen in given.items() if chosen == name)
            log.add("one column for several roles", f"give each of {roles} its own column", column=name)
    found = {role: given.get(role, role) for role in STANDARD_NAMES if role in given or role in header}
    # A standard name that the user gave another role is not that standard column any more.
    found = {role: name for role, name in found.items() if role in given or name not in given.values()}
    texts = _text_columns(found, given, header, log)
    if texts is None or log.count("error") > n_before:
        return None
    others = {role: found.get(role) for role in ("label", "id", "split", "attribute")}
    return Layout(texts, others["label"], others["id"], others["split"], others["attribute"], tuple(header))


def listed(header: Sequence[str]) -> str:
    """Name columns in one line, the first dozen."""
    names = ", ".join(shorten(name) for name in header[:SHOWN_COLUMNS])
    return names + (f" and {len(header) - SHOWN_COLUMNS} more" if len(header) > SHOWN_COLUMNS else "")


def _text_columns(
    found: dict[str, str], given: dict[str, str], header: Sequence[str], log: ProblemLog
) -> tuple[str, ...] | None:
    """Choose between single texts and pairs: what the user named wins over standard names that happen to be there."""
    roles = {role for role in TEXT_ROLES if role in given} or {role for role in TEXT_ROLES if role in found}
    if "text" in roles and len(roles) > 1:
        others = ", ".join(sorted(shorten(found[role])[1:-1] for role in roles - {"text"}))
        log.add(
            "both a single text and a pair of texts",
            f"name only {shorten(found['text'])}, or only the two columns of a pair",
            what=f"ambiguous: both {shorten(found['text'])} (a single text) and {others} (of a pair) are there",
        )
        return None
    if roles == {"text"}:
        return (found["text"],)
    missing = [role for role in ("text_a", "text_b") if role not in found]
    if not roles:
        log.add("missing column", f"name the column that holds the texts, one of: {listed(header)}", column="text")
    elif missing:
        log.add(
            "missing column",
            f"a pair needs two columns; name the other, one of: {listed(header)}",
            column=missing[0],
        )
    else:
        return (found["text_a"], found["text_b"])
    return None
