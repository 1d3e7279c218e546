"""The matrix of classes and attribute values: how many, and how often the model is right."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from alvin_core import AlvinError
from dashboard import cue_data
from dashboard.figures.shortcuts import group_table
from dashboard.state import Place
from dashboard.theme import empty_state
from dashboard.views.holding import hold
from dashboard.views.shortcuts_choice import set_param
from dashboard.views.shortcuts_parts import anchored_title

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["render_groups"]

SPLIT = "cue_split"  # query parameter


def render_groups(place: Place) -> None:
    """Draw the matrix of the round and split that are shown."""
    assert place.run is not None
    splits = ["pool", *place.run.dataset.evaluation_splits]
    usual = "test" if "test" in splits else splits[0]
    chosen = st.query_params.get(SPLIT, "")
    split = chosen if chosen in splits else usual
    title, tool = st.columns([0.5, 0.5], vertical_alignment="center")
    with title:
        anchored_title(f"Groups in round {place.round_no}", "groups", "Each class with each attribute value.")
    with tool:
        hold("group_split", split)
        st.selectbox(
            "Split",
            splits,
            key="group_split",
            label_visibility="collapsed",
            on_change=lambda: set_param(SPLIT, st.session_state["group_split"]),
        )
    try:
        frame = cue_data.group_matrix(place.run_id, place.round_no, split)
    except AlvinError as error:
        empty_state("There are no groups to show.", str(error))
        return
    st.html(group_table(frame, labeled=split == "pool"))
    st.html(f'<div class="alvin-muted">{escape(_worst(frame, split, place.round_no))}</div>')


def _worst(frame: pd.DataFrame, split: str, round_no: int) -> str:
    known = frame[(frame["n"] > 0) & frame["accuracy"].notna()]
    if known.empty:
        return f"The labels of {split} are not known, so nobody can say how often the model is right."
    worst = known.loc[known["accuracy"].idxmin()]
    total = int(known["n"].sum())
    overall = float((known["accuracy"] * known["n"]).sum() / total) if total else math.nan
    return (
        f"On {split}, round {round_no} is right in {overall:.0%}, but in {worst['accuracy']:.0%} of the "
        f"{int(worst['n']):,} examples that are {worst['label']} with {worst['attribute']}. A cell has accuracy, size "
        "and share."
    )
