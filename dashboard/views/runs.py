"""Runs: what is there and what can be done with it, and beside it the way to a new one."""

from __future__ import annotations

import html

import streamlit as st

from dashboard import data
from dashboard.people import CLOSED, why_not
from dashboard.state import Place
from dashboard.theme import card
from dashboard.views.runs_import import render_import
from dashboard.views.runs_list import render_list
from dashboard.views.runs_new import render_new
from dashboard.views.runs_start import follow
from dashboard.views.runs_trash import render_trash, render_undo

__all__ = ["render"]


def render(place: Place) -> None:
    """Draw the page; files are taken in and runs made by those who may alone."""
    refusal = why_not("owner")
    if refusal:
        with card("runs"):
            if refusal != CLOSED:  # of that the line on top tells
                st.html(f'<div class="alvin-muted" role="status">{html.escape(refusal)}.</div>')
            render_list(place)
        return
    follow()
    left, right = st.columns([0.43, 0.57], gap="small")
    with left:
        with card("runs"):
            render_undo()
            render_list(place)
        with card("runs_more"):
            render_import()
            if data.has_store():
                render_trash()
    with right, card("new_run"):
        render_new()
