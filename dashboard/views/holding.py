"""Widgets that show what the address says, whoever changed it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

import streamlit as st

__all__ = ["LATE", "by_hand", "hold"]

LATE: Final = 1.0  # seconds for which a browser may still tell of a value that the page has replaced
_REPLACED: Final = "_replaced"  # key of a widget → (its value before the page changed it, when)


def hold(key: str, value: object) -> None:
    """Make a widget show a value, unless it does: a value set anew would undo what is being typed."""
    if key in st.session_state and st.session_state[key] == value:
        return
    if key in st.session_state:
        st.session_state.setdefault(_REPLACED, {})[key] = (st.session_state[key], monotonic())
    st.session_state[key] = value


def by_hand(key: str, then: Callable[[], None]) -> Callable[[], None]:
    """Return a callback for a widget that `hold` may change; it calls ``then`` when it was the user who moved it.

    With every event the browser sends the values of all widgets, as it knows them. An event under way while the page
    changes a widget brings the value from before, which Streamlit takes for a move back. Such a value is put right here
    and goes no further. Who moves a widget back within `LATE` seconds has to do so once more.
    """

    def moved() -> None:
        before, at = st.session_state.get(_REPLACED, {}).pop(key, (None, 0.0))
        if monotonic() - at >= LATE or st.session_state[key] != before:
            then()

    return moved
