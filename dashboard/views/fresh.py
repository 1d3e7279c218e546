"""Fragments with a place that holds: they keep the arguments that the last run of the whole page gave them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

import streamlit as st
from streamlit.errors import StreamlitAPIException

from alvin_core import AlvinError, RunNotFoundError
from dashboard import data
from dashboard.state import Place, read_wish
from dashboard.theme import empty_state

__all__ = ["draw_again", "on_its_own", "refreshed"]


def refreshed(place: Place) -> Place:
    """Return the place with what a fragment's widgets may have changed since: example, colour, space and search."""
    wish = read_wish(st.query_params.to_dict())
    return replace(place, example=wish.example, color=wish.color, space=wish.space, search=wish.search)


def draw_again(*keys: str) -> None:
    """From a widget's callback, run these fragments alone; where they are gone, the whole page runs as it would anyway.

    They are gone when the browser told of a widget only after another page was drawn in its stead: Streamlit takes
    such a widget for one that has changed, and calls back.
    """
    try:
        st.rerun([*keys])
    except StreamlitAPIException as error:
        if "No fragment found" not in str(error):
            raise


def on_its_own(draw: Callable[[Place], None]) -> Callable[[Place], None]:
    """Make a view fit for a fragment, which runs without the page around it.

    Its place is brought up to date first. Of a run that was deleted meanwhile the page says so and opens another;
    other errors are shown in the fragment's own room.
    """

    @wraps(draw)
    def drawn(place: Place) -> None:
        try:
            draw(refreshed(place))
        except RunNotFoundError:
            data.forget_run(place.run_id)  # it may be kept for a second: without this the page could try again
            st.rerun()
        except AlvinError as error:
            empty_state("This cannot be shown.", str(error))

    return drawn
