"""The look: one style sheet, and the few pieces that every page is made of. All texts given here are shown as text."""

from __future__ import annotations

import base64
import html
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.palette import DARK, FONT, LIGHT
from dashboard.plain_text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

__all__ = ["TERMS", "apply", "card", "empty_state", "figure_tile", "picture", "plain", "section_title", "term"]

STYLES = Path(__file__).with_name("assets")
TOKENS = ("page", "card", "border", "ink", "muted", "accent", "accent_hover")

TERMS: dict[str, str] = {
    "minority": "Labeled examples that training learned late or forgot: those that contradict a shortcut.",
    "majority": "Labeled examples that training learned early and never forgot: those that a shortcut explains.",
    "anchor": "A point between a minority and a majority example of one class; its nearest unlabeled examples are "
    "the candidates. Its place on the map is approximate.",
    "candidate": "An unlabeled example that at least one anchor retrieved.",
    "selected": "The examples this round proposes to label next.",
    "worst group": "The lowest accuracy of any class and attribute value together: where a shortcut hurts most.",
    "ood": "Out of distribution: test examples in which the shortcut says nothing, or misleads.",
    "entropy": "How spread out the predicted probabilities are: 0 is certain, the highest value is a guess.",
    "margin": "The likeliest class's probability minus the second's: small is undecided.",
    "confidence": "The probability of the predicted class.",
    "forgetting": "How often training got an example right and then wrong again, over its epochs.",
    "variability": "How much the probability of the right class moved over the epochs.",
    "known group": "The value of the data's attribute column, such as the planted shortcut.",
    "inferred group": "Minority or majority, as training dynamics say; nobody gave it.",
    "strategy": "What decides which examples are labeled next.",
    "round": "Train, look for the examples that help most, label them: one turn of active learning.",
    "pool": "The examples that may be labeled.",
    "budget": "Examples labeled in each round.",
    "neighbours kept": "Of the ten true nearest neighbours, how many are among the ten nearest on the map. "
    "A map of two dimensions always loses some.",
}
"""The words of the field that the screens use, each with one line of help."""


def apply(*, dark: bool) -> None:
    """Put the style sheet into the page; it takes no room."""
    # Popovers and tooltips are drawn outside of the app's element, which alone knows its colour scheme.
    overlay = f"[data-st-overlay-root] {{ color-scheme: {'dark' if dark else 'light'}; }}"
    st.html(f"<style>{_style()}\n{overlay}</style>")


@lru_cache(maxsize=1)
def _style() -> str:
    tokens = "".join(
        f"--alvin-{name.replace('_', '-')}: light-dark({getattr(LIGHT, name)}, {getattr(DARK, name)}); "
        for name in TOKENS
    )
    head = f".stApp, [data-st-overlay-root] {{ {tokens}--alvin-font: {FONT}; }}"
    # What is common first, so that a page's own rules win.
    sheets = sorted(STYLES.glob("*.css"), key=lambda path: (path.name != "style.css", path.name))
    return "\n".join([head, *(path.read_text(encoding="utf-8") for path in sheets)])


def term(text: str, help: str = "") -> str:  # noqa: A002  # Streamlit's own word
    """Return HTML of a word with its help behind it, shown under the pointer and on focus; both are escaped.

    Parameters
    ----------
    text : str
    help : str
        By default what `TERMS` says of the word; a word without any is returned bare.
    """
    said = help or TERMS.get(text.lower(), "")
    shown = html.escape(text)
    if not said:
        return shown
    return f'<span class="alvin-term" tabindex="0" data-help="{html.escape(said)}">{shown}</span>'


def section_title(text: str, help: str = "") -> None:  # noqa: A002
    """Show a section's title in small capitals."""
    st.html(f'<div class="alvin-title" role="heading" aria-level="2">{term(text, help)}</div>')


def card(key: str, height: int | None = None) -> DeltaGenerator:
    """Return a container that looks like a card, of the class ``st-key-card_<key>``; what is higher scrolls in it."""
    return st.container(key=f"card_{key}", gap="small", height=height or "content", border=False)


def figure_tile(value: str, label: str, help: str = "", note: str = "") -> str:  # noqa: A002
    """Return HTML of a figure with its label below it; ``note`` stands small beside the figure."""
    beside = f' <span class="alvin-note">{html.escape(note)}</span>' if note else ""
    return (
        f'<div class="alvin-figure"><div class="alvin-value">{html.escape(value)}{beside}</div>'
        f'<div class="alvin-label">{term(label, help)}</div></div>'
    )


def picture(svg: str, label: str) -> str:
    """Return HTML of a drawing; Streamlit takes drawings out of HTML unless they are images."""
    content = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    said = html.escape(label)
    return f'<img class="alvin-picture" src="data:image/svg+xml;base64,{content}" alt="{said}" title="{said}">'


def empty_state(title: str, text: str) -> None:
    """Say that there is nothing here yet, and what to do about it."""
    st.html(
        f'<div class="alvin-empty"><div class="alvin-empty-title">{html.escape(title)}</div>'
        f"<div>{html.escape(text)}</div></div>"
    )
