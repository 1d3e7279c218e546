"""The phase diagram: in which worlds ALVIN is ahead of uncertainty sampling, in which behind, and where neither."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from alvin_core import AlvinError, Job, list_jobs
from dashboard import data
from dashboard.acting import cancel_job, enqueue_job
from dashboard.jobs import EVERY, describe
from dashboard.people import help_why_not, may
from dashboard.state import notify
from dashboard.theme import card, plain
from dashboard.views.classroom_address import GRIDS, MEASURES, STRATEGIES, Spot, current_spot, redraw
from dashboard.views.holding import hold

if TYPE_CHECKING:
    from alvin_core import WorldPhasePlan

__all__ = ["label_of", "plan_of", "render_diagram", "render_plan"]

FOLDER: Final = "classroom"  # in the store, where the worker keeps diagrams
GRID_NAMES: Final = {"quick": "Quick: 9 worlds", "full": "Full: 20 worlds"}
MEASURE_NAMES: Final = {"worst_group": "worst group", "balanced_accuracy": "balanced accuracy"}
SIZES: Final[dict[str, dict[str, Any]]] = {
    "quick": {"strengths": (0.7, 0.85, 0.95), "ambiguities": (0.0, 0.15, 0.3), "seeds": 8, "rounds": 4},
    "full": {"strengths": (0.6, 0.7, 0.8, 0.9, 0.97), "ambiguities": (0.0, 0.1, 0.2, 0.3), "seeds": 20, "rounds": 5},
}
SIGNS: Final = {"alvin": "▲", "entropy": "▼", "tie": "="}
VERDICTS: Final = {"alvin": "ALVIN better", "entropy": "uncertainty better", "tie": "no measurable difference"}
TINTS: Final = {"alvin": "#009E73", "entropy": "#D55E00", "tie": "#7A8594"}
CELLS_HEIGHT: Final = 520  # pixels of all rows
STRONGEST: Final = 0.15  # a difference of so much has the fullest colour

Point = Mapping[str, Any]


def plan_of(spot: Spot) -> WorldPhasePlan:
    """Return what is swept: the worlds of the grid with the address's other settings, its seed left out."""
    from alvin_core import WorldPhasePlan

    world = {name: value for name, value in spot.settings.items() if name not in ("strength", "ambiguity", "seed")}
    return WorldPhasePlan.from_dict({"world": world, "measure": spot.measure, **SIZES[spot.grid]})


def render_diagram(spot: Spot) -> None:
    """Draw the diagram as far as it is computed, with a world behind each cell."""
    from alvin_core import read_phase

    with card("phase"), st.container(key="phase"):
        st.html(
            '<div class="classroom-title" role="heading" aria-level="2">Where does ALVIN help?'
            f"<span>ALVIN minus uncertainty sampling, {MEASURE_NAMES[spot.measure]}, in points</span></div>"
        )
        size = SIZES[spot.grid]
        try:
            found = read_phase(data.store() / FOLDER, plan_of(spot))
        except AlvinError as error:
            st.html(f'<div class="classroom-problem">{escape(str(error))}</div>')
            return
        points = {(one["strength"], one["ambiguity"]): one for one in (found or {}).get("points", ())}
        _grid(spot, size, points)
        st.html(_legend(found is not None))


def _grid(spot: Spot, size: Mapping[str, Any], points: Mapping[tuple[float, float], Point]) -> None:
    """One row a strength, the strongest on top; one column an ambiguity. A cell is a button."""
    tints = []
    for row, strength in enumerate(reversed(size["strengths"])):
        columns = st.columns([0.16, *[0.84 / len(size["ambiguities"])] * len(size["ambiguities"])], gap="small")
        with columns[0]:
            st.html(f'<div class="classroom-axis"><b>{strength:g}</b><br>strength</div>')
        for number, ambiguity in enumerate(size["ambiguities"]):
            point = points.get((strength, ambiguity))
            key = f"phase_cell_{row}_{number}"
            with columns[number + 1]:
                st.button(
                    label_of(point),
                    key=key,
                    width="stretch",
                    help=f"Open the world with strength {strength:g} and ambiguity {ambiguity:g}",
                    on_click=_open,
                    args=(strength, ambiguity),
                )
            height = CELLS_HEIGHT // len(size["strengths"])
            tints.append(f".st-key-{key} button {{ background: {_tint(point)}; height: {height}px; }}")
    columns = st.columns([0.16, *[0.84 / len(size["ambiguities"])] * len(size["ambiguities"])], gap="small")
    for number, ambiguity in enumerate(size["ambiguities"]):
        with columns[number + 1]:
            st.html(f'<div class="classroom-axis across"><b>{ambiguity:g}</b> ambiguity</div>')
    st.html(f"<style>{' '.join(tints)}</style>")


def label_of(point: Point | None) -> str:
    """Return a cell's difference, interval and verdict in words, as Markdown."""
    if point is None:
        return "not computed"
    low, high = point["low"], point["high"]
    interval = "no interval" if low is None or high is None else f"{100 * low:+.1f} to {100 * high:+.1f}"
    words = VERDICTS.get(point["verdict"], plain(point["verdict"]))
    return f"**{SIGNS[_winner(point)]} {100 * point['mean']:+.1f}** {interval} *{words}*"


def _winner(point: Point) -> str:
    return point["verdict"] if point["verdict"] in STRATEGIES else "tie"


def _tint(point: Point | None) -> str:
    if point is None:
        return "transparent"
    share = min(abs(point["mean"]) / STRONGEST, 1.0)
    verdict = _winner(point)
    strength = 8 if verdict == "tie" else 14 + round(30 * share)
    return f"color-mix(in srgb, {TINTS[verdict]} {strength}%, var(--alvin-card))"


def _legend(computed: bool) -> str:
    marks = "".join(
        f'<span><i style="color:{TINTS[name]}">{SIGNS[name]}</i>{words}</span>' for name, words in VERDICTS.items()
    )
    told = (
        "Each cell: mean difference over seeds, with its interval of 95 %. A winner is named where the difference is "
        "more than chance after correction for all cells, which asks for more than an interval away from 0. "
        "Click a cell to open its world."
        if computed
        else f"Nothing is computed for these settings yet{': press “Compute”' if may('owner') else ''}. "
        "A cell opens its world even now."
    )
    return f'<div class="classroom-marks">{marks}</div><div class="classroom-words alvin-muted">{escape(told)}</div>'


def _open(strength: float, ambiguity: float) -> None:
    redraw(view="round", strength=strength, ambiguity=ambiguity, turn=0, stage="train", anchor=0)


def render_plan(spot: Spot) -> None:
    """Draw what is swept, the button that starts it, and how far it is."""

    st.html('<div class="classroom-title" role="heading" aria-level="2">What is computed</div>')
    st.html(
        '<div class="classroom-words">Each cell is a world with its own shortcut strength and ambiguity, played by '
        "both "
        "strategies with several seeds. Other settings, under “More settings”, hold for all cells.</div>"
    )
    hold("phase_grid", spot.grid)
    st.segmented_control(
        "Worlds", GRIDS, key="phase_grid", required=True, format_func=GRID_NAMES.get,  # type: ignore[arg-type]
        on_change=lambda: redraw(grid=st.session_state["phase_grid"]),
    )  # fmt: skip
    hold("phase_measure", spot.measure)
    st.segmented_control(
        "Judged by", MEASURES, key="phase_measure", required=True,
        format_func=MEASURE_NAMES.get,  # type: ignore[arg-type]
        on_change=lambda: redraw(measure=st.session_state["phase_measure"]),
    )  # fmt: skip
    size = SIZES[spot.grid]
    st.html(
        f'<div class="classroom-words alvin-muted">{size["seeds"]} seeds, {size["rounds"]} rounds after the first; '
        "judged by the "
        "mean over rounds. It is computed once and kept.</div>"
    )
    active = _active()
    st.button(
        "Compute", key="phase_compute", type="primary", disabled=bool(active) or not may("owner"),
        help=help_why_not("owner"),
        on_click=_compute, width="content",
    )  # fmt: skip
    st.fragment(_progress, run_every=EVERY if active else None)(tuple(job.id for job in active))


def _active() -> list[Job]:
    if not data.has_store():
        return []
    return [job for job in list_jobs(data.store(), active=True) if job.kind == "phase"]


def _compute() -> None:
    try:
        enqueue_job(data.store(), "phase", params=plan_of(current_spot()).to_dict())
    except AlvinError as error:
        notify(str(error), kind="error")
        st.rerun()
    redraw()


def _progress(watched: tuple[int, ...]) -> None:
    """Show the sweep; draw the diagram again whenever a cell is done, and when it ends."""
    jobs = _active()
    with st.container(key="phase_line", horizontal=True, vertical_alignment="center"):
        if jobs:
            job = jobs[-1]
            words = escape(describe(job))
            share = job.done / job.total if job.total else 0
            st.html(
                f'<div class="alvin-job" role="status"><span title="{words}">{words}</span>'
                f'<div class="alvin-bar"><i style="width:{100 * min(share, 1):.0f}%"></i></div></div>'
            )
            st.button(
                "Stopping" if job.cancel else "Cancel", key="phase_cancel", disabled=job.cancel or not may("owner"),
                help=help_why_not("owner"), width="content",
                on_click=_cancel, args=(job.id,),
            )  # fmt: skip
    if tuple(job.id for job in jobs) != watched:
        st.rerun()


def _cancel(job_id: int) -> None:
    try:
        cancel_job(data.store(), job_id)
    except AlvinError as error:  # it ended meanwhile
        notify(str(error))
