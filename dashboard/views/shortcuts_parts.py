"""Pieces that the sections of Shortcuts share."""

from __future__ import annotations

import streamlit as st

__all__ = ["anchored_title"]


def anchored_title(text: str, anchor: str, help: str) -> None:  # noqa: A002  # Streamlit's own word
    """Show a section's title that the line on top can link to; ``text`` is ours, never a user's."""
    with st.container(key=f"anchor_{anchor}"):
        st.subheader(text, anchor=f"shortcuts-{anchor}", help=help)
