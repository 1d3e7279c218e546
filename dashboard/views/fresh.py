"""The place as the address has it now, for fragments: they keep the arguments of the last run of the whole page."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard.state import Place, read_wish

__all__ = ["refreshed"]


def refreshed(place: Place) -> Place:
    """Return the place with what a fragment's widgets may have changed since: example, colour, space and search."""
    wish = read_wish(st.query_params.to_dict())
    return replace(place, example=wish.example, color=wish.color, space=wish.space, search=wish.search)
