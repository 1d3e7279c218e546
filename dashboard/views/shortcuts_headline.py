"""The line on top of Shortcuts: the strongest cue of the round in a sentence, what to do next, and the round."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from dashboard import cue_data
from dashboard.cue_data import CueOptions
from dashboard.cue_words import cue_phrase, goes_with
from dashboard.people import may
from dashboard.state import Place, go
from dashboard.views.holding import by_hand, hold

__all__ = ["render_headline"]

SECTIONS = (
    ("examples", "Examples"),
    ("groups", "Groups"),
    ("training", "Training"),
    ("slices", "Slices"),
    ("edit", "Edit a text"),
)


def render_headline(place: Place) -> None:
    """Draw the sentence and the scrubber."""
    words, rounds = st.columns([0.8, 0.2], gap="medium", vertical_alignment="center")
    with words:
        st.html(_sentence(place))
    with rounds:
        hold("shortcuts_round", place.round_no)
        newest = place.n_rounds - 1
        st.slider(
            "Round",
            min_value=0,
            max_value=max(newest, 1),
            key="shortcuts_round",
            disabled=newest < 1,
            on_change=by_hand("shortcuts_round", lambda: go(round_no=st.session_state["shortcuts_round"])),
            format=f"Round %d of {newest}",
            label_visibility="collapsed",
        )


def _sentence(place: Place) -> str:
    found = cue_data.cue_table(place.run_id, place.round_no, CueOptions())
    if found.empty:
        said = "No cue is in enough labeled examples to be judged."
        return _lines(said, "Label more, or lower the smallest count under Options.")
    first = found.iloc[0].to_dict()
    if not first["significant"]:
        said = f"No cue stands out of chance in round {place.round_no}."
        strongest = f"The nearest is {cue_phrase(str(first['cue']))} with {first['label']}, z {first['z']:.1f}."
        return _lines(said, f"{strongest} Watch the next rounds, or count in the pool: more examples tell more.")
    return _lines(f"{goes_with(first)}.", f"{_before(place, first)} {_next(first)}")


def _before(place: Place, row: dict[str, Any]) -> str:
    """What it was in the first round, where that is another."""
    history = cue_data.history_of(place.run_id, place.n_rounds, str(row["cue"]), str(row["label"]))
    start = history[history["round"] == 0]
    if place.round_no == 0 or start.empty or not start["n"].iloc[0]:
        return ""
    share, n, z = start["share"].iloc[0], int(start["n"].iloc[0]), start["z"].iloc[0]
    return f"In round 0 it was {share:.0%} of {n:,}, z {z:.1f}."


def _next(row: dict[str, Any]) -> str:
    n_against = int(row["n"]) - round(float(row["share"]) * int(row["n"]))
    examples = (
        "no labeled example contradicts"
        if not n_against
        else f"only {n_against:,} contradict"
        if (n_against <= 0.25 * row["n"])
        else f"{n_against:,} contradict"
    )
    then = ": save it as a slice and acquire counter-shortcut examples" if may("owner") else ""
    return f"Should {cue_phrase(str(row['cue']))} decide the label? If not, it is a shortcut, and {examples} it{then}."


def _lines(said: str, then: str) -> str:
    links = "".join(f'<a href="#shortcuts-{key}" target="_self">{escape(name)}</a>' for key, name in SECTIONS)
    return (
        f'<div class="alvin-headline" role="status">{escape(said)}</div>'
        f'<div class="alvin-muted alvin-then">{escape(then.strip())} <span class="alvin-jump">{links}</span></div>'
    )
