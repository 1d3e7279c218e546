"""The counterfactual editor: change a text, or leave words out, and see what the round's model makes of it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard import asking, data
from dashboard.at_hand import index_of, row_of
from dashboard.figures.moved import Neighbour, moved_text
from dashboard.palette import theme
from dashboard.state import NO_ROUND, Place
from dashboard.theme import empty_state, plain, section_title
from dashboard.views.counterfactual_parts import Reading, figures, neighbour_list, probability_bars, reading_of
from dashboard.views.counterfactual_saving import forget_saved, render_saving
from dashboard.views.fresh import on_its_own

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["render_counterfactual"]

Texts = tuple[str, ...]

# Session keys: nothing here outlives the session but what is saved as an example.
STATE: Final = "_counterfactual"  # what is being edited
TRIED: Final = "_counterfactual_tried"  # (run, example) -> the texts that were tried
STARTED: Final = "_counterfactual_started"  # (run, round) whose model may take its time

N_NEAREST: Final = 5
MOST_TRIED: Final = 6
MOST_WORDS: Final = 150  # that can be left out by a click
LONGEST_TEXT: Final = 20_000  # characters; no encoder reads so many


def render_counterfactual(place: Place) -> None:
    """Draw the editor of the example in the address; in a container of the key ``counterfactual``."""
    with st.container(key="counterfactual"):
        st.fragment(on_its_own(_panel), key="counterfactual_panel")(place)


def _panel(place: Place) -> None:
    original = _original(place)
    if original is None:
        empty_state(
            "No example is open.",
            "Open one by a click on the map or in a table: its text can then be changed here, and you see what the "
            "model makes of the change.",
        )
        return
    state = _state(place, original)
    if not _may_start(place):
        return
    left, right = st.columns([0.46, 0.54], gap="medium")
    with left:
        _text_boxes(state)
        changed = _leave_out(state, _reading(place, state["texts"]))
        before = _reading(place, original)
        after = None if changed == original else _reading(place, changed)
        _remember(place, changed, original)  # now that it could be read: what is on the list is read at every run
        render_saving(place, changed, is_new=changed != original)
        _tried(place, original)
    with right:
        _tell(before, after)
        _where(place, before, after)


def _original(place: Place) -> Texts | None:
    """Return the texts of the open example; None where there is none."""
    if place.run is None or place.round_no == NO_ROUND or place.example is None:
        return None
    try:
        return place.run.texts([row_of(place.run_id, place.example)])[0]
    except (KeyError, AlvinError):
        return None


def _state(place: Place, original: Texts) -> dict[str, Any]:
    """Return what is being edited: its texts, and which of their words are left out; begun anew for another example."""
    owner = (place.run_id, place.example)
    state: dict[str, Any] = st.session_state.setdefault(STATE, {})
    if state.get("owner") != owner:
        state.clear()
        state.update(owner=owner, original=original, texts=original, left_out=[[] for _ in original])
        forget_saved()
    return state


def _may_start(place: Place) -> bool:
    """Return whether the model may be asked: one that takes long to make is made when somebody presses for it."""
    seconds = asking.seconds_to_make(place.run_id, place.round_no)
    key = (place.run_id, place.round_no)
    if not seconds or key in st.session_state.get(STARTED, set()):
        return True
    st.html(
        f'<div class="alvin-muted">A round keeps its predictions, not its model. To ask it about new texts, the model '
        f"of round {place.round_no} is trained again from its record, which takes about {seconds:.0f} s.</div>"
    )
    st.button(
        "Train it again",
        key="counterfactual_start",
        on_click=lambda: st.session_state.setdefault(STARTED, set()).add(key),
    )
    return False


def _reading(place: Place, texts: Texts) -> Reading:
    """Ask the round's model about one example; kept, so that the same text is asked about once."""
    with st.spinner("Asking the model; the first time it has to be loaded …"):
        found = asking.answer(
            "counterfactual",
            place.run_id,
            place.round_no,
            texts=[list(texts)],
            k=N_NEAREST,
            without=place.example,
            vectors=True,
            words=True,
        )
    return reading_of(found)


def _text_boxes(state: dict[str, Any]) -> None:
    names = ("First text", "Second text") if len(state["texts"]) == 2 else ("Text",)
    for part, (name, text) in enumerate(zip(names, state["texts"], strict=True)):
        key = f"counterfactual_text_{part}"
        if st.session_state.get(key) != text:
            st.session_state[key] = text
        st.text_area(
            name,
            key=key,
            height=110 if len(names) == 1 else 80,
            max_chars=LONGEST_TEXT,
            on_change=_typed,
            args=(part,),
            help="Change it and press Ctrl+Enter, or click outside of the box.",
        )


def _typed(part: int) -> None:
    state = st.session_state[STATE]
    texts = list(state["texts"])
    texts[part] = st.session_state[f"counterfactual_text_{part}"]
    _put(tuple(texts))


def _put(texts: Texts) -> None:
    """Edit other texts; nothing of them is left out."""
    state = st.session_state[STATE]
    state.update(texts=texts, left_out=[[] for _ in texts])
    forget_saved()


def _leave_out(state: dict[str, Any], edited: Reading) -> Texts:
    """Draw the words that a click leaves out, and return the texts without those that are."""
    for part, words in enumerate(edited.words):
        key = f"counterfactual_words_{part}"
        if st.session_state.get(key) != state["left_out"][part]:
            st.session_state[key] = list(state["left_out"][part])
        st.pills(
            "Click a word to leave it out" if part == 0 else "Words of the second text",
            list(range(min(len(words), MOST_WORDS))),
            key=key,
            selection_mode="multi",
            format_func=lambda place, words=words: plain(words[place].text),
            on_change=_left_out,
            args=(part,),
        )
        if len(words) > MOST_WORDS:
            st.html(f'<div class="alvin-muted">Of {len(words):,} words the first {MOST_WORDS} are shown.</div>')
    st.button(
        "Back to the original",
        key="counterfactual_reset",
        type="tertiary",
        icon=":material/undo:",
        disabled=state["texts"] == state["original"] and not any(state["left_out"]),
        on_click=_put,
        args=(state["original"],),
    )
    return tuple(
        asking.without_spans(text, [(words[place].start, words[place].end) for place in chosen])
        for text, words, chosen in zip(state["texts"], edited.words, state["left_out"], strict=True)
    )


def _left_out(part: int) -> None:
    st.session_state[STATE]["left_out"][part] = list(st.session_state[f"counterfactual_words_{part}"] or [])
    forget_saved()


def _tell(before: Reading, after: Reading | None) -> None:
    st.html(probability_bars(before, after) + figures(before, after))
    if after is None:
        st.html('<div class="alvin-muted">Nothing is changed yet: edit the text, or leave a word out.</div>')
    one, other = st.columns(2, gap="small")
    with one:
        section_title("Nearest now" if after is None else "Nearest before", help="True distances in the model's space.")
        st.html(neighbour_list(before, after))
    if after is not None:
        with other:
            section_title("Nearest after")
            st.html(neighbour_list(after, before))


def _where(place: Place, before: Reading, after: Reading | None) -> None:
    section_title(
        "On the map", help="Among its ten true neighbours: the place of a text that is not in the data is approximate."
    )
    figure, note = _figure(place, before, after)
    st.plotly_chart(figure, key="counterfactual_map", config={"displayModeBar": False})
    if note:
        st.html(f'<div class="alvin-muted">{escape(note)}</div>')


def _figure(place: Place, before: Reading, after: Reading | None) -> tuple[go.Figure, str]:
    assert place.run is not None
    projection, note = data.shown_projection(place.run_id, place.round_no, place.space, ask=False)
    places = [
        tuple(place.run.place(place.round_no, one.vector[None], projection)[0].tolist())
        for one in (before, after)
        if one is not None
    ]
    at = index_of(place.run_id, place.round_no)
    near_after = {} if after is None else {one["id"]: one["text"] for one in after.nearest}
    near_before = {one["id"]: one["text"] for one in before.nearest}
    neighbours = [
        Neighbour(at[one], text, one in near_before, one in near_after)
        for one, text in (near_before | near_after).items()
        if one in at
    ]
    look = theme(place.dark)
    return moved_text(projection.xy, places[0], None if after is None else places[1], neighbours, look=look), note


def _remember(place: Place, changed: Texts, original: Texts) -> None:
    """Put a text that was looked at on the list; the newest first, each once."""
    tried = st.session_state.setdefault(TRIED, {}).setdefault((place.run_id, place.example), [])
    if changed != original:
        tried[:] = [changed, *(one for one in tried if one != changed)][:MOST_TRIED]


def _tried(place: Place, original: Texts) -> None:
    tried: list[Texts] = st.session_state[TRIED][place.run_id, place.example]
    if not tried:
        return
    section_title("Tried so far", help="In this session. A click brings the text back.")
    start = _reading(place, original)
    for number, texts in enumerate(tried):
        found = _reading(place, texts)
        if found.predicted == start.predicted:
            moved = f"{start.predicted} {start.confidence:.2f} → {found.confidence:.2f}"
        else:
            moved = f"{start.predicted} → {found.predicted} {found.confidence:.2f}"
        st.button(
            plain(f"{moved} · {_quote(texts)}"),
            key=f"counterfactual_tried_{number}",
            type="tertiary",
            on_click=_put,
            args=(texts,),
            width="stretch",
        )


def _quote(texts: Texts, most: int = 90) -> str:
    line = " ".join(" ⫽ ".join(texts).split())
    return line if len(line) <= most else line[: most - 1] + "…"
