"""The example in front, and the buttons under it with the keys that press them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

import streamlit as st

from dashboard import data
from dashboard.labelling import (
    FLAG_KEY,
    SKIP_KEY,
    UNDO_KEY,
    Given,
    class_keys,
    other_classes,
    press_token,
)
from dashboard.labelling_desk import Message
from dashboard.labelling_queue import names_of, wanting_words
from dashboard.plain_text import plain
from dashboard.state import Place
from dashboard.views.label_bench import Bench, bench_of, pool_of, shown_text, texts_of

__all__ = [
    "PRESSES",
    "at_work",
    "is_closed",
    "render_card",
    "render_message",
    "state_of",
    "take_press",
    "undo",
    "undo_button",
]

PRESSES: Final = "label_presses"  # key of what carries presses from the browser

PARTS: Final = ("First text", "Second text")


def render_card(place: Place, bench: Bench) -> None:
    """Draw the example in front with everything that can be done to it."""
    example_id = bench.desk.current
    assert example_id is not None  # the caller looked
    _head(bench, example_id)
    _text(bench, example_id)
    render_message(bench)
    _class_buttons(place, bench, example_id)
    _other_buttons(place, bench, example_id)


def render_message(bench: Bench) -> None:
    """Say what became of the last key, in a line whose room is always kept."""
    message = bench.desk.message
    if message is None:
        st.html('<div class="label-message" role="status">&nbsp;</div>')
        return
    role = "alert" if message.kind == "error" else "status"
    st.html(f'<div class="label-message {message.kind}" role="{role}">{shown_text(message.text)}</div>')


def _head(bench: Bench, example_id: str) -> None:
    desk, dataset = bench.desk, bench.run.dataset
    chips = []
    pool = pool_of(bench.run)
    row = pool.rows[pool.index_of[example_id]]
    attribute = "" if dataset.attributes is None else str(dataset.attributes[row])
    if attribute:
        chips.append(f'<span class="label-chip" title="the data\'s attribute">{shown_text(attribute)}</span>')
    if example_id in desk.flagged:
        chips.append('<span class="label-chip flagged">⚑ flagged</span>')
    if example_id in desk.held:
        label, who = desk.held[example_id]
        by = f" by {shown_text(who)}" if who else ""
        chips.append(f'<span class="label-chip given"><b>{shown_text(label)}</b>{by}</span>')
    chips += _shared_chips(bench, example_id)
    where = ""
    if example_id in desk.line:
        at, n = desk.line.index(example_id) + 1, len(desk.line)
        where = f"{at:,} of the {n:,} {'left in the queue' if desk.mode == 'queue' else 'found'}"
    st.html(
        f'<div class="label-head"><b>Example <bdi>{shown_text(example_id)}</bdi></b>{"".join(chips)}'
        f"<span>{where}</span></div>"
    )


def _shared_chips(bench: Bench, example_id: str) -> list[str]:
    """Say who else has an example in hand, and how many opinions it wants; what they were is nobody's business yet."""
    desk = bench.desk
    one, others = desk.example(example_id), desk.reserved.get(example_id, ())
    chips = []
    if others:
        chips.append(f'<span class="label-chip flagged">with {shown_text(names_of(others))}</span>')
    elif example_id in desk.offers:
        chips.append(f'<span class="label-chip">you called it <b>{shown_text(desk.offers[example_id])}</b></span>')
    wanting = "" if one is None else wanting_words(one)
    if one is not None and wanting:
        said = f"{one.wanted} people label this example, each without seeing what the others said"
        chips.append(f'<span class="label-chip" title="{said}">{wanting}</span>')
    return chips


def is_closed(bench: Bench, example_id: str) -> bool:
    """Return whether this person cannot label an example now: it has its label, or others have it in hand."""
    desk = bench.desk
    is_lost = desk.mode == "browse" and example_id in desk.reserved
    return not bench.can_label or example_id in desk.held or is_lost


def _text(bench: Bench, example_id: str) -> None:
    parts = texts_of(bench.run, [example_id])[0]
    names = PARTS if len(parts) == 2 else ("",)
    boxes = [
        (f'<div class="label-part">{name}</div>' if name else "")
        + f'<div class="label-words" dir="auto" tabindex="0" role="document">{shown_text(text)}</div>'
        for name, text in zip(names, parts, strict=True)
    ]
    with st.container(key="label_text"):
        st.html(f'<div class="label-text label-state" {state_of(bench)}>{"".join(boxes)}</div>')


def _class_buttons(place: Place, bench: Bench, example_id: str) -> None:
    closed = is_closed(bench, example_id)
    classes = bench.run.dataset.classes
    with st.container(key="label_keys", horizontal=True, gap="small", vertical_alignment="center"):
        for one in class_keys(classes):
            st.button(
                plain(one.name),
                key=one.element,
                shortcut=one.key,
                disabled=closed,
                width="content",
                on_click=_label,
                args=(place, example_id, one.name),
            )
        others = other_classes(classes)
        if others:
            key = f"label_other_{press_token(example_id)}"
            st.selectbox(
                "Another class",
                others,
                index=None,
                key=key,
                placeholder=f"{len(others)} more …",
                label_visibility="collapsed",
                disabled=closed,
                width=190,
                on_change=_label_other,
                args=(place, example_id, key),
            )


def _other_buttons(place: Place, bench: Bench, example_id: str) -> None:
    desk = bench.desk
    is_flagged, is_held = example_id in desk.flagged, example_id in desk.held or example_id in desk.reserved
    with st.container(key="label_tools", horizontal=True, gap="small", vertical_alignment="center"):
        st.button(
            "Next" if desk.mode == "browse" or is_held or bench.refusal else "Skip",
            key="skip",
            shortcut=SKIP_KEY,
            disabled=not (bench.can_label or bench.refusal),  # who only looks on goes on as well, without a skip
            on_click=_skip,
            args=(place, example_id),
        )
        undo_button(place, bench)
        st.button(
            "Take flag off" if is_flagged else "Flag",
            key="flag",
            shortcut=FLAG_KEY,
            disabled=not bench.can_label,
            on_click=_flag,
            args=(place, example_id, not is_flagged),
        )
        key = f"note_{press_token(example_id)}"
        st.session_state.setdefault(key, desk.notes.get(example_id, ""))
        st.text_input(
            "Note",
            key=key,
            placeholder="Note on this example; Enter saves it",
            label_visibility="collapsed",
            disabled=not bench.can_label,
            on_change=_note,
            args=(place, example_id, key),
        )


def undo_button(place: Place, bench: Bench) -> None:
    """Draw the button that takes back what this annotator said last, of one example or of a whole region."""
    last = bench.desk.last_of(bench.annotator)
    st.button(
        f"Undo the last {len(last.ids):,}" if last is not None and last.is_bulk else "Undo",
        key="undo",
        shortcut=UNDO_KEY,
        disabled=last is None or not bench.can_label,
        on_click=undo,
        args=(place, last),
    )


def state_of(bench: Bench) -> str:
    """Return HTML attributes that name what is on the screen; each press carries them back, see `label_keys.js`."""
    last = bench.desk.last_of(bench.annotator)
    undone = "" if last is None else press_token(last.time, *last.ids[:1])
    current = bench.desk.current or ""
    return f'data-example="{escape(current)}" data-token="{press_token(current)}" data-undo="{undone}"'


def take_press(place: Place) -> None:
    """Do what a key or a button stands for, if the press was for what is still in front."""
    press = st.session_state[PRESSES].get("press")
    bench = bench_of(place)
    desk = bench.desk
    if not isinstance(press, Mapping) or not (bench.can_label or bench.refusal):
        return
    name, current = press.get("name"), desk.current
    if name == "undo":
        last = desk.last_of(bench.annotator)
        if last is not None and press.get("undo") == press_token(last.time, *last.ids[:1]):
            undo(place, last)
    elif current is None or press.get("token") != press_token(current):
        desk.message = Message("info", "That key came when another example was in front; it was not taken.")
    elif name == "skip":
        _skip(place, current)
    elif name == "flag":
        _flag(place, current, current not in desk.flagged)
    else:
        label = next((one.name for one in class_keys(bench.run.dataset.classes) if one.element == name), None)
        if label is not None and not is_closed(bench, current):
            _label(place, current, label)


# Callbacks. What they change is on disk when they return; the page is drawn after that.


def at_work(place: Place) -> Bench | None:
    """Return the bench for something to be done there; None, with a word to the person, where they may not label."""
    bench = bench_of(place)
    if bench.can_label:
        return bench
    bench.desk.message = Message("error", f"Nothing was done: {bench.refusal or 'enter your name first'}.")
    return None


def _label(place: Place, example_id: str, label: str) -> None:
    bench = at_work(place)
    if bench is None:
        return
    bench.desk.label(bench.run, example_id, label, bench.annotator)
    bench.desk.is_fresh = bench.desk.mode == "queue" and bench.desk.message is None
    data.labels_changed(place.run_id)


def _label_other(place: Place, example_id: str, key: str) -> None:
    label = st.session_state[key]
    if label is not None:
        _label(place, example_id, label)


def _skip(place: Place, example_id: str) -> None:
    bench = bench_of(place)
    if bench.refusal:
        bench.desk.pass_by(example_id, bench.desk.line)
    elif at_work(place) is not None:
        bench.desk.skip(bench.run, example_id, bench.annotator)


def undo(place: Place, given: Given) -> None:
    """Take labels back, as a button's callback."""
    bench = at_work(place)
    if bench is None:
        return
    bench.desk.undo(bench.run, given, bench.annotator)
    data.labels_changed(place.run_id)


def _flag(place: Place, example_id: str, on: bool) -> None:  # a callback's argument has no name
    bench = at_work(place)
    if bench is not None:
        bench.desk.turn_flag(bench.run, example_id, bench.annotator, on=on)


def _note(place: Place, example_id: str, key: str) -> None:
    bench = at_work(place)
    if bench is not None:
        bench.desk.write_note(bench.run, example_id, st.session_state[key], bench.annotator)
