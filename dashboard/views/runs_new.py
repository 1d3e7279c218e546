"""A new run: choose data, say what their columns hold, read the check, choose settings, start."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Final

import streamlit as st

from alvin_core import Columns, Report
from dashboard.acting import check_dataset
from dashboard.previewing import OPTIONAL_ROLES
from dashboard.shelf import Shelf
from dashboard.theme import plain, section_title
from dashboard.uploading import MAX_BYTES
from dashboard.views.runs_report import counts_table, preview_table, problems_table, report_headline
from dashboard.views.runs_settings import chosen_settings, render_first, render_groups
from dashboard.views.runs_source import PAIR, SHAPE_KEY, SINGLE, Source, chosen_source, column_key, render_source
from dashboard.views.runs_start import MOST_ROUNDS, Wanted, render_start

__all__ = ["render_new"]

ROLES: Final = {
    "text": ("Text", "The column that is read."),
    "text_a": ("First text", "Such as the premise."),
    "text_b": ("Second text", "Such as the hypothesis."),
    "label": ("Label", "The class. Where it is empty in the pool, a person labels."),
    "id": ("Id", "A name for each row that stays; without it rows are numbered."),
    "split": ("Split", "pool, test or ood:<name>; without it a fifth is drawn for the test."),
    "attribute": ("Attribute", "A known group, such as the genre: accuracy is told for each, and for the worst."),
}
_reports: Shelf[tuple[object, ...], Report] = Shelf(16)


def render_new() -> None:
    """Draw the form, from top to bottom."""
    section_title("New run")
    render_source()
    source = chosen_source()
    columns: dict[str, str] = {}
    reason = ""
    if source is None:
        reason = "Choose data first."
    else:
        columns = _columns(source)
        reason = _check(source, columns)
    section_title("Settings")
    fields = render_first()
    with fields[1]:
        st.text_input(
            "Name of the run",
            key="run_name",
            placeholder="made from data and strategy",
            max_chars=64,
            persist_state="session",
            help="Letters, digits, hyphen, underscore and full stop.",
        )
    with fields[2]:
        rounds = st.number_input(
            "Rounds to train at once",
            0,
            MOST_ROUNDS,
            1,
            key="run_rounds",
            persist_state="session",
            help="1 trains round 0 on the initial labels; 0 only makes the run.",
        )
    render_groups()
    settings, problem = chosen_settings()
    with st.container(key="start_box", gap="small"):  # it stays in sight while the form scrolls
        render_start(
            Wanted(source, columns, settings, st.session_state["run_name"].strip(), int(rounds)), reason, problem
        )


def _columns(source: Source) -> dict[str, str]:
    """Draw what was found in the file, and return which column holds what."""
    header = list(dict.fromkeys(name for name in source.preview.header if name))
    if not header:
        return {}
    with st.container(horizontal=True, vertical_alignment="center", key="data_head"):
        size = f" · {source.n_bytes / 2**20:,.1f} MB" if source.n_bytes >= 2**19 else ""
        st.html(f"<b>{html.escape(source.name)}</b><span class='alvin-note'>{size} · the first rows</span>")
        st.segmented_control(
            "Each row holds",
            [SINGLE, PAIR],
            key=SHAPE_KEY,
            required=True,
            label_visibility="collapsed",
            width="content",
        )
    place = st.container()
    texts = ("text_a", "text_b") if st.session_state[SHAPE_KEY] == PAIR else ("text",)
    roles = (*texts, *OPTIONAL_ROLES)
    chosen: dict[str, str] = {}
    for role, column in zip(roles, st.columns(len(roles), gap="small"), strict=True):
        with column:
            name = _role(role, header)
        if name is not None:
            chosen[role] = name
    # What has a role's own name is read as such unless it is given another, as the engine does it.
    own = {role: role for role in roles if role in header and role not in chosen and role not in chosen.values()}
    with place:
        st.html(preview_table(source.preview, own | chosen))
    return chosen


def _role(role: str, header: list[str]) -> str | None:
    label, said = ROLES[role]
    key = column_key(role)
    if st.session_state.get(key) not in header:
        st.session_state[key] = None
    name: str | None = st.selectbox(
        label,
        header,
        index=None,
        key=key,
        placeholder="by its name" if role in header else "choose" if role.startswith("text") else "none",
        help=plain(said),
    )
    return name


def _check(source: Source, columns: dict[str, str]) -> str:
    """Check the data, show everything that was found, and return why a run cannot start; empty where it can."""
    if source.path is None:
        st.info(plain(f"{source.name} is on the hub: it is read and checked when the run is made."))
        return ""
    if source.n_bytes > MAX_BYTES:
        st.info(
            f"The file is larger than {MAX_BYTES // 2**20} MB: it is checked by the worker when the run is made. "
            "If something is wrong, the run is not made and the reason is shown here."
        )
        return ""
    if len(set(columns.values())) < len(columns):
        twice = next(name for name in columns.values() if list(columns.values()).count(name) > 1)
        st.error(plain(f"The column {twice} has two roles; give each role a column of its own."))
        return "A column has two roles."
    with st.spinner(f"Checking {plain(source.name)}: every row is read…"):
        report = _report_of(source.path, columns)
    _show(report, source)
    return "" if report.ok else f"{report.n_errors:,} error{'' if report.n_errors == 1 else 's'} in the data."


def _report_of(path: Path, columns: dict[str, str]) -> Report:
    """Return the whole check of a file, made once as long as the file does not change."""
    try:
        seen = path.stat()
        stamp: tuple[int, ...] = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
    except OSError:  # the check says that it is gone
        stamp = ()
    key = (path, *stamp, *sorted(columns.items()))
    return _reports.get(key, lambda: check_dataset(path, columns=Columns(**columns)))


def _show(report: Report, source: Source) -> None:
    with st.container(key="report_ok" if report.ok else "report_bad", gap="small"):
        mark = "✓" if report.ok else "✕"
        st.html(f'<div class="runs-verdict" role="status">{mark} {report_headline(report)}</div>')
        if report.splits:
            st.html(counts_table(report))
        if report.problems:
            st.html(problems_table(report.problems, source.name))
