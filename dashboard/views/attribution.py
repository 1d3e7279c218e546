"""Which words a prediction goes by: a text with its words coloured, and the check that it does go by them."""

from __future__ import annotations

from html import escape
from typing import Any, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import asking
from dashboard.at_hand import row_of
from dashboard.state import Place
from dashboard.theme import plain, term

__all__ = ["render_attribution"]

METHODS: Final = {"integrated-gradients": "Gradients", "occlusion": "Leave one out"}
TOLD: Final = {
    "integrated-gradients": "Integrated gradients (Sundararajan et al. 2017): the class's probability is followed from "
    "a text of padding to this one, and each word gets its part of the change.",
    "occlusion": "Each word is left out by itself; its score is how far the class's probability falls.",
}
FAITHFULNESS: Final = (
    "A score can look convincing and be wrong. If the model goes by the words with the highest scores, the class must "
    "lose more without them than without as many random words (comprehensiveness, DeYoung et al. 2020)."
)
FAINT: Final = 0.2  # of the highest score: below, a word is tinted and not underlined
SMALL_ERROR: Final = 0.01  # of a probability: what two decimals do not show
ASKED: Final = "_attribution_asked"  # session key: (run, round, example, method) that were asked for


def render_attribution(place: Place, example_id: str) -> None:
    """Draw the words of an example by what they do for its predicted class, once that is asked for.

    Parameters
    ----------
    place : Place
    example_id : str
        One of the run's.
    """
    if place.run is None:
        return
    with st.container(key="attribution"):
        chosen = st.session_state.get("attribution_method") or next(iter(METHODS))
        asked = (place.run_id, place.round_no, example_id, chosen) in st.session_state.get(ASKED, set())
        known = asking.known_answer("attribution", place.run_id, place.round_no, id=example_id, method=chosen)
        if not asked and known is None:
            _offer(place, example_id)
            return
        _method(place, example_id, chosen)
        try:
            with st.spinner("Asking the model which words count …"):
                found = asking.answer("attribution", place.run_id, place.round_no, id=example_id, method=chosen)
        except AlvinError as error:
            st.html(f'<div class="alvin-attribution-note">{escape(str(error))}</div>')
            _forget(place, example_id, chosen)
            return
        texts = place.run.texts([row_of(place.run_id, example_id)])[0]
        st.html(coloured_texts(texts, found["texts"]) + _legend(found) + said(found))


def coloured_texts(texts: tuple[str, ...], words: list[list[dict[str, Any]]]) -> str:
    """Return HTML of texts whose words are coloured by their scores, and underlined: solid for, dashed against."""
    highest = max((abs(one["score"]) for part in words for one in part), default=0.0)
    boxes = []
    for text, part in zip(texts, words, strict=True):
        at, pieces = 0, []
        for one in part:
            pieces += [escape(text[at : one["start"]]), _word(one, highest)]
            at = one["end"]
        pieces.append(escape(text[at:]))
        boxes.append(f'<div class="alvin-attribution-text" dir="auto">{"".join(pieces)}</div>')
    return "".join(boxes)


def said(found: dict[str, Any]) -> str:
    """Return HTML of what the check found, and how far the scores add up."""
    lines = [f"<div>{term('Check', FAITHFULNESS)}: {_check(found)}</div>"]
    whole = found["completeness"]
    if whole is not None:
        but = f", but for {whole['error']:.2f}" if whole["error"] > SMALL_ERROR else ""
        lines.append(
            f"<div>The scores add up to {whole['sum']:+.3f}: the way from {whole['start']:.3f} without words to "
            f"{whole['end']:.3f}{but}.</div>"
        )
    lines += [f"<div>{escape(note)}</div>" for note in found["notes"]]
    return f'<div class="alvin-attribution-note">{"".join(lines)}</div>'


def _check(found: dict[str, Any]) -> str:
    checked = found["faithfulness"]
    if checked is None:
        return "there are too few words to leave any out."
    k, class_ = checked["k"], escape(found["class"])
    names = ", ".join(f"“{escape(word)}”" for word in checked["words"])
    the = f"the {k} highest words" if k > 1 else "the highest word"
    random = f"{k} random words" if k > 1 else "a random word"
    verb = "lowers" if checked["drop_top"] > 0 else "takes"
    verdict = (
        "The model does go by them."
        if checked["n_weaker"] >= 0.95 * checked["n_draws"] and checked["drop_top"] > 0.01
        else "<b>Random words do as much: do not trust these scores.</b>"
        if checked["drop_top"] <= checked["drop_random"]
        else f"More than {checked['n_weaker']} of {checked['n_draws']} random choices."
    )
    return (
        f"removing {the} ({names}) {verb} {class_} from {checked['p']:.2f} to <b>{checked['p_top']:.2f}</b>; removing "
        f"{random}, to {checked['p_random']:.2f} on average. {verdict}"
    )


def _word(one: dict[str, Any], highest: float) -> str:
    share = abs(one["score"]) / highest if highest > 0 else 0.0
    side = "for" if one["score"] > 0 else "against"
    faint = "" if share >= FAINT else " faint"
    return (
        f'<span class="alvin-word {side}{faint}" style="--share:{share:.2f}" title="{_signed(one["score"])}">'
        f"{escape(one['text'])}</span>"
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _legend(found: dict[str, Any]) -> str:
    return (
        '<div class="alvin-attribution-legend"><span class="alvin-word for" style="--share:.7">for</span> and '
        '<span class="alvin-word against" style="--share:.7">against</span> '
        f"<b>{escape(found['class'])}</b> ({found['p']:.2f}), by "
        f"{term(METHODS[found['method']].lower(), TOLD[found['method']])}</div>"
    )


def _offer(place: Place, example_id: str) -> None:
    seconds = asking.seconds_to_make(place.run_id, place.round_no)
    wait = f"; the round's model is trained again first, about {seconds:.0f} s" if seconds else ""
    st.button(
        plain(f"Explain this prediction: which words?{wait}"),
        key="attribution_ask",
        icon=":material/format_color_text:",
        type="tertiary",
        on_click=_ask,
        args=(place.run_id, place.round_no, example_id),
    )


def _ask(run_id: str, round_no: int, example_id: str) -> None:
    chosen = st.session_state.get("attribution_method") or next(iter(METHODS))
    st.session_state.setdefault(ASKED, set()).add((run_id, round_no, example_id, chosen))


def _method(place: Place, example_id: str, chosen: str) -> None:
    st.session_state["attribution_method"] = chosen
    st.segmented_control(
        "How the words are scored",
        list(METHODS),
        key="attribution_method",
        required=True,
        format_func=METHODS.get,  # type: ignore[arg-type]
        label_visibility="collapsed",
        on_change=_ask,
        args=(place.run_id, place.round_no, example_id),
    )


def _forget(place: Place, example_id: str, chosen: str) -> None:
    """Offer the button again at the next run: what went wrong may be over by then."""
    st.session_state.get(ASKED, set()).discard((place.run_id, place.round_no, example_id, chosen))
