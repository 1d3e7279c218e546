"""The lesson beside the world: a page at a time, with buttons that open the world it speaks of."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.theme import plain
from dashboard.views.classroom_address import CHOICES, SLIDERS, Spot, redraw
from dashboard.views.classroom_lessons import ShowMe, folder_of, read_pages

__all__ = ["render_lesson", "world_of"]


def render_lesson(spot: Spot) -> None:
    """Draw the lesson's page that the address names; files are read anew each time."""
    pages = read_pages(data.store())
    at = min(spot.step, len(pages) - 1)
    page = pages[at]
    st.html(
        f'<div class="classroom-title" role="heading" aria-level="2">{escape(page.title)}'
        f"<span>{at + 1} of {len(pages)}</span></div>"
    )
    for number, part in enumerate(page.parts):
        if isinstance(part, ShowMe):
            st.button(
                plain(part.label), key=f"show_me_{at}_{number}", icon=":material/visibility:",
                on_click=_show, args=(part,), width="content",
            )  # fmt: skip
        else:
            st.markdown(part, unsafe_allow_html=False)
    if page.problems:
        st.html("".join(f'<div class="classroom-problem">{escape(problem)}</div>' for problem in page.problems))
    with st.container(key="lesson_pages", horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Back", key="lesson_back", disabled=at == 0, on_click=_turn, args=(at - 1,))
        st.button("Next page", key="lesson_next", disabled=at == len(pages) - 1, on_click=_turn, args=(at + 1,))
        st.html(
            f'<span class="alvin-muted" title="{escape(str(folder_of(data.store())))}">An instructor can edit these '
            "pages: "
            "they are Markdown files.</span>"
        )


def _turn(step: int) -> None:
    redraw(step=step)


def _show(part: ShowMe) -> None:
    redraw(**world_of(part))


def world_of(part: ShowMe) -> dict[str, Any]:
    """Return all that a button writes: what it names, and the usual values of the rest, the seed excepted."""
    usual: dict[str, Any] = {key: one.default for key, one in SLIDERS.items()}
    usual |= {key: next(iter(one.options)) for key, one in CHOICES.items()}
    return usual | {"turn": 0, "stage": "train", "show": "both", "anchor": 0, "truth": "no"} | part.values
