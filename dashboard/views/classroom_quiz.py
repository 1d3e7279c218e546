"""Predict, then reveal: a question, answered before the picture answers it, and a score while the tab is open."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import streamlit as st

from alvin_core import AlvinError
from dashboard.figures.world import STAGES
from dashboard.theme import plain
from dashboard.views.classroom_address import Spot, current_spot, redraw
from dashboard.views.classroom_fetch import kept_world, world_at

__all__ = ["lettered", "questions_at", "render_question"]

# Session keys
ANSWERED: Final = "_classroom_answered"  # world and question -> the choice that was revealed
RIGHT: Final = "_classroom_right"  # those of them that were right
CHOSEN_FOR: Final = "_classroom_chosen_for"  # the question that the choice on the screen is of
AT: Final = "_classroom_question"  # (world and stage, which of its questions is open)
OF_POINTS: Final = ("minority", "candidate", "selected")  # kinds whose choices are points

Question = Mapping[str, Any]


def questions_at(questions: Sequence[Question], turn: int, stage: str) -> list[Question]:
    """Return what is asked at a stage: what the next stage shows, and at the first one how good the model is.

    Parameters
    ----------
    questions : sequence of mapping
        Of a world's answer; their ``stage`` is the one that shows the answer.
    turn : int
    stage : str
    """
    return [one for one in questions if one["round"] == turn and stage == _asked_at(one)]


def _asked_at(question: Question) -> str:
    if question["kind"] == "gain":  # the next round's training answers it
        return "annotate"
    return STAGES[max(STAGES.index(question["stage"]) - 1, 0)]


def render_question(spot: Spot) -> None:
    """Draw one question of the stage in sight, with its choices, or what is right once it was revealed."""
    spot = current_spot()
    try:
        found = _open(spot, world_at(spot))
    except AlvinError:  # the world's own place says so
        return
    if found is None:
        return
    question, number, n = found
    with st.container(key="classroom_question_box", gap="small"):
        more = f"question {number + 1} of {n} · " if n > 1 else ""
        st.html(f'<div class="classroom-small-title">Predict<span>{more}{_score()}</span></div>')
        _choices(spot, question)
        with st.container(key="predict_buttons", horizontal=True, vertical_alignment="center", gap="small"):
            _reveal_button(spot, question)
            if n > 1:
                st.button(
                    "Another question",
                    key="predict_more",
                    type="tertiary",
                    on_click=_another,
                    args=(spot, number + 1),
                    width="content",
                )


def _choices(spot: Spot, question: Question) -> None:
    name = _name(spot, question)
    given = _answered().get(name)
    # An answer to one question is none to the next; and Streamlit forgets a widget that was not drawn.
    if st.session_state.get(CHOSEN_FOR) != name or "predict" not in st.session_state:
        st.session_state[CHOSEN_FOR] = name
        st.session_state["predict"] = given
    st.radio(
        plain(question["question"]),
        range(len(question["choices"])),
        key="predict",
        index=None,
        format_func=lambda row: plain(question["choices"][row]),
        disabled=given is not None,
        horizontal=max(map(len, question["choices"])) < 20,
    )
    if given is None:
        return
    is_right = given == question["answer"]
    said = "Right." if is_right else f"Not so: it is “{question['choices'][question['answer']]}”."
    st.html(
        f'<div class="classroom-answer{"" if is_right else " wrong"}" role="status"><b>{escape(said)}</b> '
        f"{escape(question['why'])}</div>"
    )


def _reveal_button(spot: Spot, question: Question) -> None:
    name, choice = _name(spot, question), st.session_state.get("predict")
    if name not in _answered():
        st.button(
            "Reveal", key="reveal", disabled=choice is None, on_click=_reveal, args=(name, choice), width="content",
            help="Choose an answer first" if choice is None else None,
        )  # fmt: skip


def lettered(spot: Spot, world: Mapping[str, Any]) -> dict[str, Sequence[int]]:
    """Return the points that the open question is about, by strategy, where its choices are points."""
    found = _open(spot, world) if spot.view == "round" else None
    if found is None or found[0]["kind"] not in OF_POINTS:
        return {}
    return {found[0]["strategy"]: found[0]["rows"]}


def _open(spot: Spot, world: Mapping[str, Any]) -> tuple[Question, int, int] | None:
    """Return the question that is open, its number among those of the stage, and how many these are."""
    found = questions_at(world.get("questions", ()), spot.turn, spot.stage)
    found = [one for one in found if one["strategy"] in spot.strategies]  # of pictures that are in sight
    if not found:
        return None
    where, number = st.session_state.get(AT, ("", 0))
    number = number % len(found) if where == _where(spot) else 0
    return found[number], number, len(found)


def _where(spot: Spot) -> str:
    return json.dumps([spot.settings, spot.turn, spot.stage], sort_keys=True)


def _name(spot: Spot, question: Question) -> str:
    return json.dumps([spot.settings, question["id"]], sort_keys=True)


def _answered() -> dict[str, int]:
    answered: dict[str, int] = st.session_state.setdefault(ANSWERED, {})
    return answered


def _score() -> str:
    right: set[str] = st.session_state.get(RIGHT, set())
    n = len(_answered())
    return f"{len(right)} of {n} right" if n else "no answer yet"


def _reveal(name: str, choice: int) -> None:
    spot = current_spot()
    world = kept_world(spot)  # a callback is no place to wait for it
    found = None if world is None else _open(spot, world)
    if found is None or _name(spot, found[0]) != name:  # another question was opened meanwhile
        return
    _answered()[name] = choice
    if choice == found[0]["answer"]:
        st.session_state.setdefault(RIGHT, set()).add(name)


def _another(spot: Spot, number: int) -> None:
    st.session_state[AT] = (_where(spot), number)
    redraw()
