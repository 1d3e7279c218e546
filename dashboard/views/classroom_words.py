"""The classroom's sentences: what happens at each stage, in plain words, with the round's numbers. HTML, escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from dashboard.figures.world import STRATEGY_NAMES

__all__ = ["STAGE_NAMES", "told", "verdict"]

STAGE_NAMES: Final = {
    "train": "Train",
    "groups": "Infer groups",
    "interpolate": "Interpolate",
    "retrieve": "Retrieve",
    "rank": "Rank",
    "annotate": "Annotate",
}
MINORITY_WORDS: Final = {
    "forgetting": "Points that were learned and forgotten, or never learned, are",
    "confidence": "Of each class, the quarter whose lines are lowest on average is",
    "variability": "Of each class, the quarter whose lines go up and down the most is",
    "known": "Here no line decides: points on the side of the shortcut that is rare in their class are",
}
CLOSE: Final = 0.02  # a smaller difference of one seed is not worth a word

World = Mapping[str, Any]
Round = Mapping[str, Any]


def told(world: World, stage: str, round_: Round) -> str:
    """Return what ALVIN does at a stage of a round, as HTML."""
    words = _TOLD[stage](world, round_)
    return f'<div class="classroom-words">{words}</div>'


def _train(world: World, round_: Round) -> str:
    labeled = round_["labeled"]
    n_against = against(world, labeled)
    return (
        f"A new model is trained on the <b>{len(labeled)}</b> labeled points. The shading is what it believes "
        f"everywhere; on the dashed line it is undecided. <b>{n_against}</b> of the labeled points contradict the "
        "shortcut: is that enough to turn the line away from it?"
    )


def _groups(world: World, round_: Round) -> str:
    n, n_minority = len(round_["labeled"]), len(round_["minority"])
    words = (
        "Each line is a labeled point: how sure the model was of its right class, epoch by epoch. "
        f"{MINORITY_WORDS[world['settings']['rule']]} the <b>minority</b>: {n_minority} of {n}, thick here and ◇ in "
        "the world."
    )
    return words + _filled(round_)


def _filled(round_: Round) -> str:
    share = float(round_["filled_share"] or 0)
    if share <= 0:
        return ""
    warning = " So here the fill, not the rule, makes most of the minority." if share > 0.5 else ""
    return (
        f' <span class="alvin-muted">{share:.0%} of them were filled up by low confidence, because the rule found too '
        f"few.{warning}</span>"
    )


def _interpolate(world: World, round_: Round) -> str:
    total, shown = int(round_["n_anchors"]), len(round_["anchors"])
    if not total:
        return (
            "No class has both a minority and a majority example: there are no anchors, and the whole pool is ranked."
        )
    alpha, each = world["settings"]["alpha"], world["settings"]["n_anchors"]
    part = f" ({shown} of them are drawn)" if shown < total else ""
    return (
        f"Each minority point is joined with each majority point of its class: <b>{round_['pairs_total']:,}</b> "
        f"segments. On each, {each} <b>anchor{'' if each == 1 else 's'}</b>, {total:,} in all{part}. Where on the "
        f"segment is chance, by Beta({alpha:g}, {alpha:g}):"
    )


def _retrieve(world: World, round_: Round) -> str:
    if not round_["n_anchors"]:
        return "There are no anchors in this round: every unlabeled point is a candidate, as in uncertainty sampling."
    n, k = len(round_["candidates"]), round_["k"] or world["settings"]["k"]
    fetched = "the nearest unlabeled point" if k == 1 else f"the <b>{k}</b> nearest unlabeled points"
    return (
        f"Each anchor fetches {fetched}. Together they are <b>{n}</b> candidate{'' if n == 1 else 's'}. Uncertainty "
        "sampling makes no anchors: every unlabeled point is its candidate."
    )


def _rank(world: World, round_: Round) -> str:
    how = escape(str(world["settings"]["rank"]))
    return (
        f"The candidates are put in order by <b>{how}</b>, and the first <b>{len(round_['selected'])}</b> are "
        "selected. Numbers in the world are places in that order."
    )


def _annotate(world: World, round_: Round) -> str:
    chosen = round_["selected"]
    return (
        f"The oracle says the class of the <b>{len(chosen)}</b> selected points. <b>{against(world, chosen)}</b> of "
        "ALVIN's contradict the shortcut. They join the labeled points, and the next round begins."
    )


_TOLD: Final = {
    "train": _train,
    "groups": _groups,
    "interpolate": _interpolate,
    "retrieve": _retrieve,
    "rank": _rank,
    "annotate": _annotate,
}


def against(world: World, rows: Sequence[int]) -> int:
    """Return how many rows contradict the shortcut."""
    follows = world["points"]["follows"]
    return sum(not follows[row] for row in rows)


def ambiguous(world: World, rows: Sequence[int]) -> int:
    """Return how many rows are ambiguous."""
    marks = world["points"].get("ambiguous")
    return sum(bool(marks[row]) for row in rows) if marks else 0


def verdict(world: World, turn: int) -> str:
    """Say which strategy is ahead in the worst group at a round, whichever it is; one world says no more than that."""
    if turn < 0:
        return "The curves grow with each round."
    alvin, entropy = (world["runs"][name][turn]["metrics"]["worst_group"] for name in ("alvin", "entropy"))
    if turn == 0:
        return "Both start from the same labels, so round 0 is the same model. The curves grow with each round."
    words = f"Worst group after round {turn}: ALVIN {alvin:.2f}, uncertainty sampling {entropy:.2f}. "
    if abs(alvin - entropy) < CLOSE:
        return words + "In this world they are level."
    ahead = STRATEGY_NAMES["alvin" if alvin > entropy else "entropy"]
    return words + f"In this world {ahead if ahead == 'ALVIN' else ahead.lower()} is ahead; one seed is no proof."
