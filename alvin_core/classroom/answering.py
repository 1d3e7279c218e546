"""What a screen asks of the classroom: a world, and the rounds of each strategy in it, as plain values."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from alvin_core.classroom.quiz import WHAT_IF, make_questions
from alvin_core.classroom.settings import MOST_ROUNDS, WorldSettings
from alvin_core.errors import SettingsError
from alvin_core.shown import shown
from alvin_core.types import IntArray

if TYPE_CHECKING:
    from alvin_core.classroom.world import World

__all__ = ["KEPT_WORLDS", "Shelf", "answer"]

KEPT_WORLDS = 32  # a class moves its sliders; each world takes about a megabyte
MOST_STRATEGIES = 4


def answer(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a world and what strategies do in it, round by round.

    Parameters
    ----------
    params : mapping
        The fields of `WorldSettings`, and ``strategies`` (names, ALVIN and entropy where not given), ``rounds`` (how
        many after round 0; 0 where not given) and ``questions`` (whether to ask some; False where not given).

    Returns
    -------
    dict
        Of plain values, ready for JSON. ``settings``; ``classes``; ``points`` (``xy``, and for each point ``label``,
        ``shortcut``, ``follows``, ``ambiguous``, ``split``); ``bounds`` (left, right, bottom, top); ``runs``: by
        strategy a list of rounds as `record.describe_round` describes them; ``questions`` where asked for, as
        `quiz.make_questions` makes them. It is the shelf's own: read it, do not write to it.

    Raises
    ------
    SettingsError
        On an unknown name, a value out of range, an unknown strategy, or too many rounds.

    Notes
    -----
    Worlds are kept: whoever asks the same again, or for one round more, waits for that round alone. Everything follows
    from the settings, but for ``seconds``.
    """
    return _SHELF.answer(params)


@dataclass
class Course:
    """The rounds of one strategy in a world, as far as they were asked for."""

    labeled_rows: IntArray  # of the next round
    rounds: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Corner:
    """A world on the shelf."""

    world: World
    plain: dict[str, Any]
    courses: dict[str, Course] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rounds(self, strategy: str, n: int) -> list[dict[str, Any]]:
        """Return rounds 0 … n, those computed that are not there yet."""
        from alvin_core.classroom.record import describe_round

        with self.lock:
            course = self.courses.setdefault(strategy, Course(self.world.initial_rows))
            while len(course.rounds) <= n:
                result, boundary = self.world.run_round(strategy, course.labeled_rows, len(course.rounds))
                course.rounds.append(describe_round(self.world, result, boundary))
                chosen = result.pool_rows[result.selection.rows]
                course.labeled_rows = np.concatenate([course.labeled_rows, chosen])
            return course.rounds[: n + 1]


@dataclass
class Shelf:
    """The worlds that were asked for last.

    Attributes
    ----------
    most : int
        Worlds to keep.
    """

    most: int = KEPT_WORLDS
    _corners: OrderedDict[WorldSettings, Corner] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def answer(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer as `alvin_core.classroom.answer` does."""
        values = dict(params)
        strategies = _strategies(values.pop("strategies", ("alvin", "entropy")))
        n_rounds = _n_rounds(values.pop("rounds", 0))
        wants_questions = values.pop("questions", False)
        if not isinstance(wants_questions, bool):
            raise SettingsError(f"questions = {shown(wants_questions)} is of the wrong kind; expected: true or false")
        settings = WorldSettings.from_dict(values)
        told = self._told(settings, strategies, n_rounds)
        if not wants_questions:
            return told
        stronger = self._told(replace(settings, strength=WHAT_IF), strategies[:1], 0)
        return {**told, "questions": make_questions(told, what_if=stronger)}

    def _told(self, settings: WorldSettings, strategies: tuple[str, ...], n_rounds: int) -> dict[str, Any]:
        corner = self._corner(settings)
        return {**corner.plain, "runs": {name: corner.rounds(name, n_rounds) for name in strategies}}

    def _corner(self, settings: WorldSettings) -> Corner:
        from alvin_core.classroom.world import make_world

        with self._lock:
            if settings not in self._corners:
                world = make_world(settings)
                self._corners[settings] = Corner(world, _plain(world))
            self._corners.move_to_end(settings)
            while len(self._corners) > self.most:
                self._corners.popitem(last=False)
            return self._corners[settings]


_SHELF = Shelf()


def _plain(world: World) -> dict[str, Any]:
    from alvin_core.classroom.planting import BOUNDS

    points = world.points
    return {
        "settings": world.settings.to_dict(),
        "classes": list(world.dataset.classes),
        "points": {
            "xy": points.xy.tolist(),
            "label": points.labels.tolist(),
            "shortcut": points.sides.tolist(),
            "follows": points.follows.astype(int).tolist(),
            "ambiguous": points.is_ambiguous.astype(int).tolist(),
            "split": points.splits.tolist(),
        },
        "bounds": list(BOUNDS),
    }


def _strategies(names: Any) -> tuple[str, ...]:
    from alvin_core.strategies import strategy_names

    if isinstance(names, str) or not isinstance(names, list | tuple) or not 1 <= len(names) <= MOST_STRATEGIES:
        raise SettingsError(f"strategies = {shown(names)} must be a list of 1 to {MOST_STRATEGIES} names")
    known = strategy_names()
    for name in names:
        if name not in known:
            raise SettingsError(f"no strategy is called {shown(name)}; there are: {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def _n_rounds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_ROUNDS:
        raise SettingsError(f"rounds = {shown(value)} is out of range: it must be a whole number, 0 to {MOST_ROUNDS}")
    return value
