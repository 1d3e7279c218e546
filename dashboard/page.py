"""The page, drawn anew for each visit and each click. It decides what is shown; views show it."""

from __future__ import annotations

from importlib import import_module

import streamlit as st

from alvin_core import AlvinError
from dashboard import jobs, people, state, theme
from dashboard.views import empty, header, signing_in, tour

__all__ = ["show"]

NEED_NO_RUN = ("classroom", "runs")


def show() -> None:
    """Draw the page."""
    try:
        _show()
    except AlvinError as error:  # such as a run that was deleted between two lines of this
        theme.empty_state("This cannot be shown", str(error))


def _show() -> None:
    st.set_page_config(page_title="ALVIN Studio", layout="wide", initial_sidebar_state="collapsed")
    theme.apply(dark=st.context.theme.type == "dark")
    try:
        people.person()
    except people.NotAllowedError as refusal:  # before anything is read
        signing_in.render_sign_in(refusal)
        return
    st.query_params.pop(signing_in.FAILED, None)
    place = state.current_place()
    jobs.tell_finished(place.run_id)
    header.render(place)
    with st.container(key="page"):
        if place.run is None and place.page not in NEED_NO_RUN:
            empty.render(place)
        else:
            # By name, when it is shown: a page's imports are paid for by those who open it.
            import_module(f"dashboard.views.{place.page}").render(place)
    tour.render(place)
