"""Forking a run at the round that is shown: the same past, another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError, strategy_names
from dashboard import data
from dashboard.acting import enqueue_job
from dashboard.people import may
from dashboard.state import Place, go, notify
from dashboard.theme import plain

if TYPE_CHECKING:
    from alvin_core import Run

__all__ = ["ask_to_fork", "fork_dialog"]

COUNTER, SLICE = "counter-shortcut", "counter_shortcut.slice"
FORKING: Final = "_forking"  # session key: the id of the run whose dialog is open


def ask_to_fork(run_id: str) -> None:
    """Open the dialog. It stays when the page runs again, as it does when a round ends meanwhile."""
    st.session_state[FORKING] = run_id


def fork_dialog(place: Place) -> None:
    """Show the dialog while it is open."""
    if st.session_state.get(FORKING) == place.run_id:
        _dialog(place)
    else:
        _close()


def _close() -> None:
    st.session_state.pop(FORKING, None)


@st.dialog("Fork this run", width="medium", on_dismiss=_close)
def _dialog(place: Place) -> None:
    """Ask what the fork does differently, make it, and go there."""
    run = place.run
    assert run is not None
    names = strategy_names()
    st.caption(
        plain(
            f"The fork keeps the rounds of {run.name} before round {place.round_no}, and the labels that round "
            f"{place.round_no} was trained on. From there it goes its own way; {run.name} stays as it is."
        )
    )
    strategy = st.selectbox("Strategy", names, index=names.index(run.settings.strategy), key="fork_strategy")
    slice_ = _slice_of(run) if strategy == COUNTER else None
    left, right = st.columns(2)
    with left:
        budget = st.number_input("Examples a round", 1, value=run.settings.budget, key="fork_budget")
    with right:
        seed = st.number_input("Seed", 0, 2**32 - 1, value=run.settings.seed, key="fork_seed")
    name = st.text_input("Name", placeholder="made from the data and the strategy", key="fork_name", max_chars=64)
    rounds = st.number_input("Rounds to train at once", 0, 50, 1, key="fork_rounds")
    if not st.button("Fork", type="primary", key="fork_confirm", disabled=not may("owner")):
        return
    changes: dict[str, object] = {"budget": int(budget), "seed": int(seed), SLICE: slice_}
    now = {"budget": run.settings.budget, "seed": run.settings.seed, SLICE: run.settings.counter_shortcut.slice}
    if slice_ is None:
        del changes[SLICE]
    try:
        fork = run.fork(
            place.round_no,
            strategy=strategy,
            changes={key: value for key, value in changes.items() if value != now[key]},
            name=name.strip() or None,
        )
        if rounds:
            enqueue_job(data.store(), "rounds", run=fork.id, params={"n": int(rounds)})
    except AlvinError as error:
        st.error(plain(str(error)))
        return
    _close()
    notify(f"{fork.name} was forked from {run.name} at round {place.round_no}.", kind="info")
    go(run=fork.name)
    st.rerun()


def _slice_of(run: Run) -> str | None:
    """Ask which slice the strategy selects from; say where slices come from while there is none."""
    names = list(run.slice_names())
    if not names:
        st.caption("It selects from a slice of the data, and there is none yet: save one on the page Shortcuts.")
        return None
    now = run.settings.counter_shortcut.slice
    index = names.index(now) if now in names else 0
    return st.selectbox("Slice", names, index=index, key="fork_slice", help="What it selects from.")
