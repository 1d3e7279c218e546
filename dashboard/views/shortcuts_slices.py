"""Slices: save what is chosen as a named group, see how the model does on it, and acquire what contradicts it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import streamlit as st

from alvin_core import AlvinError, SliceRule
from dashboard import cue_data, data
from dashboard.acting import enqueue_job
from dashboard.cue_words import cue_name
from dashboard.figures.small import sparkline
from dashboard.filtering import read_filter
from dashboard.people import help_why_not, may
from dashboard.state import Place, go, notify
from dashboard.theme import picture, plain, section_title
from dashboard.views import shortcuts_choice as choice
from dashboard.views.holding import hold
from dashboard.views.shortcuts_parts import anchored_title

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core import SliceInfo

__all__ = ["render_slices"]

NO_CLASS: Final = "(nothing)"
STRATEGY: Final = "counter-shortcut"
FILTER: Final = "filter"  # Explore's query parameter
NAMED: Final = "_slice_named"  # session key: what the name in the field was made of


@dataclass(frozen=True)
class Source:
    """Something that can become a slice: in words, as a rule without its label, and a name for it."""

    words: str
    kind: Any
    value: str | tuple[str, ...]
    name: str


def render_slices(place: Place) -> None:
    """Draw the form, and the slices of the data."""
    form, listed = st.columns([0.36, 0.64], gap="large")
    with form:
        _form(place)
    with listed:
        _listed(place)


def _form(place: Place) -> None:
    anchored_title("Save a slice", "slices", "A named group of examples. Every run on these data knows it.")
    sources = _sources(place)
    if not sources:
        st.caption("Choose a cue, or draw a lasso, to save what it holds.")
        return
    # Other choices are another element: the browser would go on showing the words of the choice before.
    key = f"slice_source_{crc32(repr([one.words for one in sources]).encode('utf-8', 'replace')):08x}"
    at = st.selectbox("Examples", range(len(sources)), format_func=lambda row: sources[row].words, key=key)
    source = sources[min(at, len(sources) - 1)]
    _propose_name(place, source)
    st.text_input("Name", key="slice_name", max_chars=64)
    now = choice.chosen(place)
    classes = [NO_CLASS, *data.columns(place.run_id, place.round_no).classes]
    says = st.selectbox(
        "The shortcut says",
        classes,
        index=0 if now is None else classes.index(now.label),
        key=f"slice_says_{'' if now is None else now.label}",
        help="Members with another label contradict it; the strategy counter-shortcut looks for those.",
    )
    if says != NO_CLASS:
        st.caption(f"Members with another label than {plain(says)} are those that contradict it.")
    st.button(
        "Save slice",
        key="save_slice",
        disabled=not may("owner"),
        help=help_why_not("owner"),
        type="primary",
        icon=":material/bookmark_add:",
        on_click=_save,
        args=(place, source, says),
    )


def _sources(place: Place) -> list[Source]:
    """What is chosen now: a lasso first, then the cue, then what Explore searches and filters by."""
    found = []
    lit, now = choice.lit(place), choice.chosen(place)
    if lit is not None and lit.source != "slice":
        where = "the map" if lit.source == "map" else "the dataset map"
        found.append(Source(f"the lasso on {where} ({len(lit.ids):,} examples)", "ids", lit.ids, "lasso"))
    if now is not None:
        found.append(Source(f"all with {cue_name(now.cue)}", "cue", now.cue, now.cue.partition(":")[2]))
    if place.search:
        found.append(Source(f"the search “{place.search[:40]}”", "search", place.search, place.search))
    kept = read_filter(st.query_params.get(FILTER, ""), data.columns(place.run_id, place.round_no))
    if kept:
        pairs = [(name, one) for name in ("predicted", "label", "attribute", "status") for one in getattr(kept, name)]
        conditions = (*(f"{name}={one}" for name, one in pairs), f"round={place.round_no}")
        found.append(
            Source("Explore's filter: " + ", ".join(one for _, one in pairs), "filter", conditions, pairs[0][1])
        )
    return found


def _propose_name(place: Place, source: Source) -> None:
    """Put a free name into the field whenever something else is about to be saved; what was typed stays."""
    made_of = (place.run_id, source.kind, source.value)
    if st.session_state.get(NAMED) == made_of and st.session_state.get("slice_name"):
        return
    st.session_state[NAMED] = made_of
    taken = {one.name for one in cue_data.slices_of(place.run_id)}
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", source.name).strip("-._")[:48] or source.kind
    hold("slice_name", next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, 10**6))) if name not in taken))


def _save(place: Place, source: Source, says: str) -> None:
    name = st.session_state["slice_name"].strip()
    try:
        rule = SliceRule(source.kind, source.value, "" if says == NO_CLASS else says)
        info = data.opened(place.run_id).save_slice(name, rule)
    except AlvinError as error:
        notify(str(error), kind="error")
        st.rerun()
    st.session_state.pop(NAMED, None)
    cue_data.forget_slices(place.run_id)
    notify(
        f"The slice {info.name} holds {sum(info.n.values()):,} examples. Every metric, the filter of Explore and "
        "alvin on the command line know it now.",
        kind="info",
    )
    st.rerun()


def _listed(place: Place) -> None:
    section_title("Slices of these data")
    slices = cue_data.slices_of(place.run_id)
    if not slices:
        st.caption(
            "None yet. Save the chosen cue: every round's accuracy on it is counted then, and a strategy can ask for "
            "what contradicts it."
        )
        return
    figures = cue_data.slice_figures(place.run_id, place.n_rounds)
    for number, info in enumerate(slices):
        _slice(number, place, info, figures[figures["slice"] == info.name])


def _slice(number: int, place: Place, info: SliceInfo, figures: pd.DataFrame) -> None:
    with st.container(key=f"slice_{number}"):
        st.html(
            f'<div class="alvin-card-title"><b>{escape(info.name)}</b><span>{escape(info.rule.words)}</span></div>'
            + _accuracies(figures, place.round_no)
            + _acquired(figures, place.round_no)
        )
        with st.container(key=f"slice_tools_{number}", horizontal=True, gap="small"):
            if info.rule.contradicts:
                st.button(
                    "Acquire counter-shortcut examples",
                    key=f"acquire_{number}",
                    disabled=not may("owner"),
                    help=help_why_not("owner")
                    or f"Forks this run at round {place.round_no}; the fork asks for members that are likely not "
                    f"{plain(info.rule.contradicts)}.",
                    on_click=_acquire,
                    args=(place, info.name),
                )
            st.button(
                "Show on the map", key=f"slice_show_{number}", type="tertiary", on_click=_show, args=(place, info.name)
            )
            st.button(
                "Delete",
                key=f"slice_delete_{number}",
                type="tertiary",
                disabled=not may("owner"),
                help=help_why_not("owner"),
                on_click=_delete,
                args=(place, info.name),
            )


def _accuracies(figures: pd.DataFrame, round_no: int) -> str:
    """A figure for each evaluation split: now, in round 0, and a line through all rounds."""
    tiles = []
    for split, rows in figures[figures["split"] != "pool"].groupby("split", sort=False):
        now = rows[rows["round"] == round_no]
        if now.empty:
            continue
        start = rows[rows["round"] == 0]["accuracy"]
        was = f"round 0: {start.iloc[0]:.2f} · " if round_no and len(start) and math.isfinite(start.iloc[0]) else ""
        values = rows.sort_values("round")["accuracy"].tolist()
        said = f"accuracy on {split}, round by round"
        line = picture(sparkline(values, label=said, width=72, height=22), said) if len(values) > 1 else ""
        tiles.append(
            f'<div class="alvin-figure"><div class="alvin-value">{now["accuracy"].iloc[0]:.2f} {line}</div>'
            f'<div class="alvin-label">{escape(str(split))}</div>'
            f'<div class="alvin-label">{was}{int(now["n"].iloc[0]):,} examples</div></div>'
        )
    return f'<div class="alvin-slice">{"".join(tiles)}</div>' if tiles else ""


def _acquired(figures: pd.DataFrame, round_no: int) -> str:
    rows = figures[(figures["split"] == "pool") & (figures["round"] == round_no)]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    ratio = row["enrichment"]
    times = f", {ratio:.1f} times as often as in the rest to choose from" if math.isfinite(ratio) else ""
    return (
        f'<div class="alvin-muted">Pool: {int(row["n"]):,} members, {int(row["n_labeled"]):,} labeled; '
        f"round {round_no} selected {int(row['n_selected']):,}{times}.</div>"
    )


def _show(place: Place, name: str) -> None:
    columns = data.columns(place.run_id, place.round_no)
    held = data.opened(place.run_id).slice_members(name)[columns.rows]
    choice.light(place, "slice", columns.ids[held].tolist())
    choice.follow()


def _delete(place: Place, name: str) -> None:
    try:
        data.opened(place.run_id).delete_slice(name)
    except AlvinError as error:
        notify(str(error), kind="error")
    cue_data.forget_slices(place.run_id)
    st.rerun()


def _acquire(place: Place, name: str) -> None:
    """Fork the run, let its strategy ask for the slice, and go there."""
    run = data.opened(place.run_id)
    by_itself = run.annotator == "oracle"
    try:
        fork = run.fork(place.round_no, strategy=STRATEGY, changes={"counter_shortcut.slice": name})
        # The first round selects them; it takes a second one for the model to be trained on them.
        enqueue_job(data.store(), "rounds", run=fork.id, params={"n": 2 if by_itself else 1})
    except AlvinError as error:
        notify(str(error), kind="error")
        st.rerun()
    then = "and trains on them" if by_itself else "and waits for their labels on the page Label"
    notify(
        f"{fork.name} was forked from {run.name} at round {place.round_no}. It selects members of {name} that "
        f"are likely to contradict the shortcut, {then}. Its next rounds take a moment; its line then appears beside "
        "this one.",
        kind="info",
    )
    go(run=fork.name)
    st.rerun()
