"""Pieces of the counterfactual editor: what the model said of a text, and how that is drawn."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dashboard.palette import class_colours
from dashboard.theme import term

__all__ = ["Reading", "Span", "figures", "neighbour_list", "probability_bars", "reading_of"]

MOST_CLASSES: Final = 6
LONGEST_QUOTE: Final = 120  # characters


@dataclass(frozen=True)
class Span:
    """A word with its place in a text, in characters."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Reading:
    """What a round's model makes of one example.

    Attributes
    ----------
    classes : tuple of str
    probs : tuple of float
    entropy : float
        In nats.
    vector : float32 array of shape (dim,)
        In the space in which the round retrieved.
    nearest : tuple of dict
        The nearest pool examples: ``id, text, distance, label, predicted``.
    words : tuple of tuples of Span
        Of each text.
    """

    classes: tuple[str, ...]
    probs: tuple[float, ...]
    entropy: float
    vector: NDArray[np.float32]
    nearest: tuple[dict[str, Any], ...]
    words: tuple[tuple[Span, ...], ...]

    @property
    def confidence(self) -> float:
        return max(self.probs)

    @property
    def predicted(self) -> str:
        return self.classes[self.probs.index(self.confidence)]

    def of(self, class_: str) -> float:
        """Return a class's probability."""
        return self.probs[self.classes.index(class_)]


def reading_of(found: dict[str, Any]) -> Reading:
    """Read an answer about one example, asked for with its vectors and words."""
    return Reading(
        classes=tuple(found["classes"]),
        probs=tuple(found["probs"][0]),
        entropy=found["entropy"][0],
        vector=np.frombuffer(base64.b64decode(found["vectors"]), dtype="<f4"),
        nearest=tuple(found["nearest"][0]),
        words=tuple(tuple(Span(one["text"], one["start"], one["end"]) for one in part) for part in found["words"][0]),
    )


def probability_bars(before: Reading, after: Reading | None) -> str:
    """Return HTML of each class's probability: a bar as it is now, a line where it was before."""
    now = before if after is None else after
    colours = class_colours(len(now.classes))
    order = sorted(range(len(now.classes)), key=lambda one: -max(before.probs[one], now.probs[one]))
    # As the data order them, where there are few: a bar that jumps is hard to follow.
    shown = order[:MOST_CLASSES] if len(order) > MOST_CLASSES else sorted(order)
    rows = []
    for one in shown:
        was, is_ = before.probs[one], now.probs[one]
        mark = "" if after is None else f'<u style="left:{100 * was:.1f}%"></u>'
        figure = f"{is_:.2f}" if after is None else f"{was:.2f} → <b>{is_:.2f}</b>"
        chosen = " chosen" if now.classes[one] == now.predicted else ""
        rows.append(
            f'<div class="alvin-cf-class{chosen}"><span><bdi>{escape(now.classes[one])}</bdi></span>'
            f'<div class="alvin-cf-bar"><i style="width:{100 * is_:.1f}%;background:{colours[one]}"></i>{mark}</div>'
            f"<span>{figure}</span></div>"
        )
    if len(order) > MOST_CLASSES:
        rows.append(f'<div class="alvin-muted">and {len(order) - MOST_CLASSES} less likely classes</div>')
    return f'<div class="alvin-cf-bars">{"".join(rows)}</div>'


def figures(before: Reading, after: Reading | None) -> str:
    """Return HTML of the predicted class, the entropy, and how far the text moved in the model's space."""
    if after is None:
        return (
            f'<div class="alvin-cf-figures"><span>Predicted <b>{escape(before.predicted)}</b></span>'
            f"<span>{term('entropy')} {before.entropy:.2f}</span></div>"
        )
    if after.predicted == before.predicted:
        said = f"Still <b>{escape(after.predicted)}</b>"
    else:
        said = f"<em>{escape(before.predicted)} → <b>{escape(after.predicted)}</b></em>"
    moved = float(np.linalg.norm(after.vector.astype(float) - before.vector))
    far = term(
        f"moved {moved:.2f}",
        "The distance in the model's space between the text as it was and as it is now; compare it with those to the "
        "neighbours.",
    )
    return (
        f'<div class="alvin-cf-figures" role="status"><span>{said}</span>'
        f"<span>{term('entropy')} {before.entropy:.2f} → {after.entropy:.2f}</span><span>{far}</span></div>"
    )


def neighbour_list(of: Reading, other: Reading | None) -> str:
    """Return HTML of a text's nearest pool examples; those that are near it in one of two versions alone say so."""
    if not of.nearest:
        return '<div class="alvin-muted">The pool is empty.</div>'
    known = None if other is None else {one["id"] for one in other.nearest}
    rows = []
    for one in of.nearest:
        alone = known is not None and one["id"] not in known
        only = " · only here" if alone else ""
        label = f"label {escape(one['label'])}" if one["label"] is not None else f"predicted {escape(one['predicted'])}"
        text = " ".join(one["text"].split())
        quote = escape(text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…")
        rows.append(
            f'<div class="alvin-cf-near{" alone" if alone else ""}" title="{escape(one["id"])}">'
            f"<b>{one['distance']:.2f}</b><span><bdi>{quote}</bdi><small>{label}{only}</small>"
            "</span></div>"
        )
    return "".join(rows)
