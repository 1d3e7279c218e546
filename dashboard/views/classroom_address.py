"""Where the classroom is: the world and the stage in sight are in the address, so all who open it see the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from dashboard.figures.world import STAGES
from dashboard.views.fresh import draw_again

__all__ = [
    "CHOICES",
    "LAST_TURN",
    "SLIDERS",
    "STRATEGIES",
    "VIEWS",
    "Choice",
    "Slider",
    "Spot",
    "change",
    "current_spot",
    "read_spot",
    "redraw",
]

STRATEGIES: Final = ("alvin", "entropy")
SHOWN: Final = ("both", *STRATEGIES)
VIEWS: Final = ("round", "lesson", "phase")
LAST_TURN: Final = 8  # rounds after round 0 that a lesson looks at
MOST_SEED: Final = 2**31 - 1
MOST_ANCHOR: Final = 299  # anchors of a round that an answer shows, less one
GRIDS: Final = ("quick", "full")
MEASURES: Final = ("worst_group", "balanced_accuracy")
SEED, TURN, STAGE, VIEW, SHOW, ANCHOR, TRUTH, STEP, GRID, MEASURE = (
    "seed", "turn", "stage", "view", "show", "anchor", "truth", "step", "grid", "measure",
)  # fmt: skip
FRAGMENTS: Final = ("classroom_world", "classroom_side")


@dataclass(frozen=True)
class Slider:
    """A number of the world: its widget's key, which is its name in the address too."""

    key: str
    field: str  # of the world's settings
    label: str
    help: str
    low: float
    high: float
    step: float
    default: float

    @property
    def whole(self) -> bool:
        """Whether it counts something."""
        return isinstance(self.default, int)

    def read(self, text: str) -> float | None:
        """Return the number a text says, or None where it is none or beyond the slider's ends."""
        try:
            value = int(text) if self.whole else round(float(text), 4)
        except ValueError:
            return None
        return value if math.isfinite(value) and self.low <= value <= self.high else None


@dataclass(frozen=True)
class Choice:
    """A setting of the world with a few values."""

    key: str
    label: str
    help: str
    options: Mapping[str, str]  # value -> in words; the first is the default


SLIDERS: Final = {
    one.key: one
    for one in (
        Slider("strength", "strength", "Shortcut strength",
               "How often the shortcut agrees with the class in the pool: 0.5 says nothing, 1 always agrees.",
               0.5, 1.0, 0.01, 0.9),
        Slider("ambiguity", "ambiguity", "Ambiguity",
               "Share of points whose core says nothing: their class is a coin flip, and no model can learn it.",
               0.0, 0.5, 0.01, 0.0),
        Slider("imbalance", "imbalance", "Share of the first class",
               "0.5: both classes are as frequent; further away, one is rare.", 0.1, 0.9, 0.05, 0.5),
        Slider("budget", "budget", "Budget", "Points labeled in each round.", 1, 30, 1, 10),
        Slider("alpha", "alpha", "Alpha",
               "Both parameters of the Beta distribution: large puts anchors midway, below 1 near a parent.",
               0.1, 10.0, 0.1, 2.0),
        Slider("anchors", "n_anchors", "Anchors a pair (K)", "Points drawn on each segment.", 1, 15, 1, 5),
        Slider("neighbours", "k", "Neighbours (k)", "Unlabeled points that each anchor retrieves.", 1, 20, 1, 3),
    )
}  # fmt: skip
CHOICES: Final = {
    "rank": Choice("rank", "Rank candidates by", "What decides among the candidates.", {
        "uncertainty": "uncertainty: undecided first", "certainty": "certainty: decided first",
        "distance": "distance to an anchor", "frequency": "number of anchors", "random": "chance",
    }),
    "rule": Choice("rule", "Minority by", "How training dynamics tell minority from majority.", {
        "forgetting": "forgetting: once right, then wrong", "confidence": "confidence: low on average",
        "variability": "variability: up and down", "known": "known: on the side rare in its class",
    }),
}  # fmt: skip


@dataclass(frozen=True)
class Spot:
    """What is on the screen.

    Attributes
    ----------
    values : dict
        Of each slider and choice, by its key.
    seed : int
    turn : int
        The round, from 0.
    stage : str
    view : {"round", "lesson", "phase"}
    show : {"both", "alvin", "entropy"}
    anchor : int
        Which anchor stands out at the stage ``retrieve``.
    truth : bool
        Whether unlabeled points show their classes.
    step : int
        Which page of the lesson is open, from 0.
    grid : {"quick", "full"}
        How many worlds the phase diagram has.
    measure : {"worst_group", "balanced_accuracy"}
        What the phase diagram judges by.
    """

    values: Mapping[str, Any]
    seed: int = 0
    turn: int = 0
    stage: str = "train"
    view: str = "round"
    show: str = "both"
    anchor: int = 0
    truth: bool = False
    step: int = 0
    grid: str = GRIDS[0]
    measure: str = MEASURES[0]

    @property
    def settings(self) -> dict[str, Any]:
        """The world's settings, by the engine's names."""
        fields = {one.field: self.values[key] for key, one in SLIDERS.items()}
        return fields | {key: self.values[key] for key in CHOICES} | {"seed": self.seed}

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies that are drawn."""
        return STRATEGIES if self.show == "both" else (self.show,)


def read_spot(params: Mapping[str, str]) -> tuple[Spot, list[str]]:
    """Read an address; every value that cannot be becomes the default, and a sentence that says so."""
    problems: list[str] = []

    def refuse(name: str, allowed: str) -> None:
        value = params[name]
        shown = value if len(value) <= 40 else value[:39] + "…"
        problems.append(f"The address asks for {name} “{shown}”; it can be {allowed}. The usual value is shown.")

    def one_of(name: str, options: tuple[str, ...]) -> str:
        if params.get(name) in (None, "", *options):
            return params.get(name) or options[0]
        refuse(name, ", ".join(options))
        return options[0]

    def whole(name: str, highest: int) -> int:
        text = params.get(name) or "0"
        if re.fullmatch(r"[0-9]{1,10}", text) and int(text) <= highest:
            return int(text)
        refuse(name, f"0 to {highest:,}")
        return 0

    values: dict[str, Any] = {key: one_of(key, tuple(one.options)) for key, one in CHOICES.items()}
    for key, slider in SLIDERS.items():
        values[key] = slider.read(params[key]) if params.get(key) else slider.default
        if values[key] is None:
            refuse(key, f"{slider.low:g} to {slider.high:g}")
            values[key] = slider.default
    return Spot(
        values=values,
        seed=whole(SEED, MOST_SEED),
        turn=whole(TURN, LAST_TURN),
        stage=one_of(STAGE, STAGES),
        view=one_of(VIEW, VIEWS),
        show=one_of(SHOW, SHOWN),
        anchor=whole(ANCHOR, MOST_ANCHOR),
        truth=one_of(TRUTH, ("no", "yes")) == "yes",
        step=whole(STEP, 99),
        grid=one_of(GRID, GRIDS),
        measure=one_of(MEASURE, MEASURES),
    ), problems


def current_spot() -> Spot:
    """Return what the address says now; what is wrong in it was told when the page was opened."""
    return read_spot(st.query_params.to_dict())[0]


def change(**values: object) -> None:
    """Write values into the address by their names there, and take out those that are the default."""
    now = st.query_params.to_dict()
    later = now | {name: _written(value) for name, value in values.items()}
    later = {name: text for name, text in later.items() if name not in values or text != _default(name)}
    later.setdefault(SEED, "0")  # in sight on purpose: who passes the address on passes the world on
    if later != now:
        st.query_params.from_dict(later)


def redraw(**values: object) -> None:
    """Change the address and draw what depends on it anew, the page around it excepted. For callbacks."""
    change(**values)
    draw_again(*FRAGMENTS)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _default(name: str) -> str:
    if name == SEED:
        return ""  # always written
    if name in SLIDERS:
        return _written(SLIDERS[name].default)
    if name in CHOICES:
        return next(iter(CHOICES[name].options))
    usual = {STAGE: STAGES, VIEW: VIEWS, SHOW: SHOWN, TRUTH: ("no",), GRID: GRIDS, MEASURE: MEASURES}
    return usual.get(name, ("0",))[0]
