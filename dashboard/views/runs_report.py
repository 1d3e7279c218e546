"""Tables of a new run's data as HTML: the first rows, the counts, and every problem. All of it is shown as text."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from dashboard.previewing import Preview

if TYPE_CHECKING:
    from alvin_core import Problem, Report

__all__ = ["counts_table", "preview_table", "problems_table", "report_headline"]

MOST_CLASSES: Final = 6  # with a column of their own
MARKS: Final = {"error": "✕ error", "warning": "△ warning"}


def preview_table(preview: Preview, roles: dict[str, str]) -> str:
    """Return the first rows; a column that has a role says so.

    Parameters
    ----------
    preview : Preview
    roles : dict of str to str
        Role -> column.
    """
    by_column = {column: role for role, column in roles.items()}
    heads = [
        f"{_text(name)}<small>{html.escape(by_column[name])}</small>" if name in by_column else _text(name)
        for name in preview.header
    ]
    classes = ["used" if name in by_column else "unused" for name in preview.header]
    head = "".join(f'<th class="{class_}">{shown}</th>' for shown, class_ in zip(heads, classes, strict=True))
    cells = [
        f'<td class="{class_}" title="{html.escape(_printable(value))}"><div>{_text(value)}</div></td>'
        for row in preview.rows
        for class_, value in zip(classes, row, strict=True)
    ]
    width = len(preview.header)
    body = "".join(f"<tr>{''.join(cells[at : at + width])}</tr>" for at in range(0, len(cells), width or 1))
    return _table("runs-preview", head, body, "The first rows of the file")


def report_headline(report: Report) -> str:
    """Say in one line whether the data can be used."""
    if not report.ok:
        n = report.n_errors
        return f"{n:,} error{'' if n == 1 else 's'} to mend before a run can start"
    said = "The data can be used"
    if report.n_warnings:
        said += f", with {report.n_warnings:,} warning{'' if report.n_warnings == 1 else 's'}"
    who = "the label column answers as the oracle" if report.oracle == "column" else "a person has to label"
    return f"{said}: {report.n_rows:,} {'pairs' if report.is_pairs else 'rows'}, {who}"


def counts_table(report: Report) -> str:
    """Return rows of each split and class; what was dropped stands below."""
    classes = sorted({name for counts in report.classes.values() for name in counts})
    shown, rest = classes[:MOST_CLASSES], classes[MOST_CLASSES:]
    heads = ["split", "rows", *shown, *([f"{len(rest):,} more"] if rest else [])]
    rows = []
    for split, n in report.splits.items():
        counts = report.classes.get(split, {})
        more = [f"{sum(counts.get(name, 0) for name in rest):,}"] if rest else []
        rows.append([split, f"{n:,}", *(f"{counts.get(name, 0):,}" for name in shown), *more])
    table = _table("runs-counts", _cells("th", heads), _rows(rows), "Rows of each split and class")
    dropped = ", ".join(f"{n:,} {what}" for what, n in report.dropped.items() if n)
    return table + (f'<div class="alvin-note">Dropped: {html.escape(dropped)}</div>' if dropped else "")


def problems_table(problems: Sequence[Problem], file: str) -> str:
    """Return every listed problem in a row: place, value, what is wrong and what to do.

    Parameters
    ----------
    problems : sequence of Problem
    file : str
        What the user calls the file.
    """
    heads = ["", "file", "place", "column", "value", "problem", "what to do"]
    rows = [
        [
            MARKS[one.severity],
            file,
            "" if one.row is None else f"{one.unit} {one.row:,}",
            one.column or "",
            one.value or "",
            one.what,
            one.remedy,
        ]
        for one in problems
    ]
    return _table("runs-problems", _cells("th", heads), _rows(rows), "Everything that the check found")


def _table(name: str, head: str, body: str, label: str) -> str:
    return (
        f'<div class="runs-scroll {name}" role="region" tabindex="0" aria-label="{html.escape(label)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _rows(rows: Iterable[Iterable[str]]) -> str:
    return "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)


def _cells(tag: str, values: Iterable[str]) -> str:
    return "".join(f"<{tag}>{_text(value)}</{tag}>" for value in values)


def _text(value: str) -> str:
    """Escape a value; ``bdi`` keeps a right-to-left text from turning its neighbours around."""
    return f"<bdi>{html.escape(_printable(value))}</bdi>"


def _printable(value: str) -> str:
    """Replace control characters, which a browser would drop; joiners of scripts and emoji stay."""
    is_control = {one for one in value if unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t"}
    return "".join("\N{REPLACEMENT CHARACTER}" if one in is_control else one for one in value)
