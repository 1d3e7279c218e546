"""Classroom: a world of two dimensions, where the map is the true space, and a round of learning in slow motion."""

from __future__ import annotations

import streamlit as st

from dashboard.state import Place, notify
from dashboard.views.classroom_address import change, read_spot
from dashboard.views.classroom_scene import render_scene
from dashboard.views.classroom_side import render_side

__all__ = ["render"]


def render(place: Place) -> None:
    """Draw the page. It needs no run and no store."""
    _settle_address()
    left, right = st.columns([0.65, 0.35], gap="small")
    with left:
        st.fragment(render_scene, key="classroom_world")(place)
    with right:
        st.fragment(render_side, key="classroom_side")(place)


def _settle_address() -> None:
    """Write the seed into the address, and replace what it cannot be, saying so once."""
    params = st.query_params.to_dict()
    _, problems = read_spot(params)
    for problem in problems:
        notify(problem)
    if problems:
        wrong = [name for name in params if read_spot({name: params[name]})[1]]
        for name in wrong:
            del st.query_params[name]
        change()
        st.rerun()
    change()
