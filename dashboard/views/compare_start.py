"""Starting a comparison, and how far those are that run."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from alvin_core import AlvinError, RunSettings, sample_names, strategy_names
from dashboard import comparing, data, jobs
from dashboard.acting import enqueue_job
from dashboard.people import help_why_not, may
from dashboard.plain_text import plain
from dashboard.state import Place, notify
from dashboard.views.compare_choice import COMPARISON, LETTERS_AND_MORE, Choice, set_param
from dashboard.views.header import source_name

if TYPE_CHECKING:
    from alvin_core import CellState

__all__ = ["offer_start", "render_progress", "render_start", "wanted_params"]

OPEN: Final = "_compare_starting"
OWN_DATA: Final = ""  # the data of the open run
USUAL: Final = ("alvin", "entropy", "random")
MOST_SEEDS, MOST_ROUNDS = 50, 50
EVERY: Final = 3.0  # seconds between looks at the cells while something runs


def offer_start(place: Place) -> None:
    """Draw the button that opens the form, and the form while it is open."""
    st.button(
        "Start a comparison",
        key="compare_new",
        type="primary",
        disabled=not may("owner"),
        help=help_why_not("owner"),
        on_click=_open,
    )
    if st.session_state.get(OPEN) and may("owner"):
        _dialog(place)


def _open() -> None:
    st.session_state[OPEN] = True


def _close() -> None:
    st.session_state.pop(OPEN, None)


@st.dialog("Start a comparison", width="medium", on_dismiss=_close)
def _dialog(place: Place) -> None:
    render_start(place, within="dialog_")


def render_start(place: Place, *, within: str = "") -> None:
    """Draw the form. ``within`` keeps the keys of two forms on one page apart."""
    run = place.run
    assert run is not None
    path = st.selectbox(
        "Data",
        [OWN_DATA, *sample_names()],
        key=f"{within}compare_data",
        format_func=lambda name: name or f"{source_name(run.source)}: the data of {run.name}",
    )
    strategies = st.multiselect("Strategies", strategy_names(), list(USUAL), key=f"{within}compare_strategies")
    base = RunSettings() if path else run.settings
    columns = st.columns(4)
    with columns[0]:
        seeds = st.number_input("Seeds", 1, MOST_SEEDS, 3, key=f"{within}compare_seeds")
    with columns[1]:
        rounds = st.number_input("Rounds", 1, MOST_ROUNDS, 5, key=f"{within}compare_rounds")
    with columns[2]:
        budget = st.number_input("Examples a round", 1, value=base.budget, key=f"{within}compare_budget")
    with columns[3]:
        initial = st.number_input("Initial labels", 2, value=base.initial, key=f"{within}compare_initial")
    name = st.text_input("Name", key=f"{within}compare_name", placeholder="made from the data", max_chars=64)
    n_runs = len(strategies) * int(seeds)
    st.html(
        f'<div class="alvin-muted">{n_runs:,} runs of {int(rounds) + 1} rounds each. Every strategy begins with the '
        "same labels, seed by seed. With 3 seeds only large differences can be told from chance; 10 are usual.</div>"
    )
    if st.button(
        "Start",
        key=f"{within}compare_start",
        type="primary",
        disabled=not strategies or not may("owner"),
        help=help_why_not("owner"),
        width="content",
    ):
        params = wanted_params(run.id, path, strategies, int(seeds), int(rounds), int(budget), int(initial), name)
        _start(params)


def wanted_params(
    run_id: str, path: str, strategies: list[str], seeds: int, rounds: int, budget: int, initial: int, name: str
) -> dict[str, Any]:
    """Return what the worker is asked for."""
    return {
        **({"path": path} if path else {"run": run_id}),
        "strategies": list(strategies),
        "seeds": list(range(seeds)),
        "rounds": rounds,
        "settings": {"budget": budget, "initial": initial},
        "name": name.strip() or None,
    }


def _start(params: dict[str, Any]) -> None:
    try:
        job = enqueue_job(data.store(), "compare", params=params)
    except AlvinError as error:
        st.error(plain(str(error)))
        return
    _close()
    for one in LETTERS_AND_MORE:
        set_param(one, "")
    set_param(COMPARISON, str(job.params["name"]))
    st.rerun()


def render_progress(place: Place, choice: Choice) -> None:
    """Show the comparison that runs, with a button that stops it, and the cells that are done so far."""
    active = comparing.active_comparisons()
    if active:
        jobs.job_progress(None)
    if choice.waiting:
        st.fragment(_watch, run_every=EVERY)(choice.waiting, -1)
    if choice.comparison is None or all(state.finished for state in choice.states):
        return
    running = any(job.params.get("name") == choice.comparison.name for job in active)
    st.html(_cells(choice))
    if not running:
        st.button(
            "Go on",
            key="compare_go_on",
            on_click=_go_on,
            args=(choice.comparison.name,),
            disabled=not may("owner"),
            help=help_why_not("owner") or "Train what is not finished; what is there is kept.",
        )
    st.fragment(_watch, run_every=EVERY)(choice.comparison.name, _rounds(choice.states))


def _rounds(states: tuple[CellState, ...]) -> int:
    return sum(state.n_rounds for state in states)


def _watch(name: str, n_rounds: int) -> None:
    """Draw the page again when a round of a cell has been finished."""
    from alvin_core import open_comparison

    try:
        now = _rounds(open_comparison(data.store(), name).states())
    except AlvinError:  # deleted meanwhile, or not made yet
        now = -1
    if now != n_rounds:
        st.rerun()


def _go_on(name: str) -> None:
    try:
        enqueue_job(data.store(), "compare", params={"comparison": name})
    except AlvinError as error:
        notify(str(error), kind="error")


def _cells(choice: Choice) -> str:
    """A table of arms by seeds: how many rounds of each cell are there."""
    assert choice.comparison is not None
    plan = choice.comparison.plan
    cell_of = {(state.cell.arm, state.cell.seed): state for state in choice.states}
    head = "".join(f"<th>seed {seed}</th>" for seed in plan.seeds)
    rows = []
    for arm in plan.arms:
        cells = "".join(f"<td>{_cell(cell_of[arm.name, seed], plan.rounds)}</td>" for seed in plan.seeds)
        rows.append(f'<tr><td class="name">{escape(arm.name)}</td>{cells}</tr>')
    return (
        f'<div class="compare-cells"><table class="compare-table"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(state: CellState, rounds: int) -> str:
    if state.finished:
        return "✓"
    return f"{state.n_rounds} of {rounds + 1}" if state.n_rounds else "–"
