"""The table of strategies, and what each is handed.

A strategy is a function ``(pool, budget, params, rng) -> Selection``. It is handed everything and remembers
nothing; it never writes to its inputs.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from alvin_core.errors import PoolError, SettingsError
from alvin_core.progress import Progress, silent
from alvin_core.settings import RunSettings
from alvin_core.types import Float32Array, FloatArray, Groups, IdArray, IntArray, Selection, check_lengths

__all__ = [
    "DrawProbs",
    "LabeledSet",
    "Pool",
    "Readout",
    "Strategy",
    "all_strategies",
    "check_probs",
    "get_strategy",
    "strategy",
    "strategy_names",
]


@dataclass(frozen=True)
class LabeledSet:
    """The annotated examples of a round.

    Attributes
    ----------
    ids : array of shape (n_labeled,)
    classes : int array of shape (n_labeled,)
    vectors : float32 array of shape (n_labeled, dim)
    groups : Groups
        Which of them are minority examples.
    probs : float array of shape (n_labeled, n_classes) or None
        The model's predicted probabilities.
    """

    ids: IdArray
    classes: IntArray
    vectors: Float32Array
    groups: Groups
    probs: FloatArray | None = None

    def __post_init__(self) -> None:
        check_lengths(
            "LabeledSet",
            ids=self.ids,
            classes=self.classes,
            vectors=self.vectors,
            is_minority=self.groups.is_minority,
        )
        if self.probs is not None:
            check_lengths("LabeledSet", ids=self.ids, probs=self.probs)


@dataclass(frozen=True)
class Readout:
    """The classifier's last layer, which is linear, and what it reads: ``logits = vectors @ weight.T + bias``.

    Attributes
    ----------
    vectors : float32 array of shape (n_pool, dim)
        Of the pool, whatever space the anchors lie in.
    labeled_vectors : float32 array of shape (n_labeled, dim)
    weight : float32 array of shape (n_classes, dim)
    bias : float32 array of shape (n_classes,)
    """

    vectors: Float32Array
    labeled_vectors: Float32Array
    weight: Float32Array
    bias: Float32Array

    def __post_init__(self) -> None:
        check_lengths("Readout", weight=self.weight, bias=self.bias)


DrawProbs = Callable[[IntArray, int, int], Float32Array]
"""Rows of the pool, number of draws, seed -> probabilities under dropout, of shape (n_draws, n_rows, n_classes)."""


@dataclass(frozen=True)
class Pool:
    """The unlabeled candidates of a round, with what the strategy said it needs.

    Attributes
    ----------
    ids : array of shape (n_pool,)
    probs : float array of shape (n_pool, n_classes) or None
        The model's predicted probabilities.
    vectors : float32 array of shape (n_pool, dim) or None
        Representations.
    labeled : LabeledSet or None
    readout : Readout or None
        The last layer of the model.
    draw_probs : callable or None
        Draws predictions under dropout, see `DrawProbs`.
    draw_steps : int
        Elementary steps that one draw for one example takes.
    settings : RunSettings or None
        The run's, for a strategy that hands the work on to another one.
    device : str
        Where heavy array work may run.
    progress : callable
    """

    ids: IdArray
    probs: FloatArray | None = None
    vectors: Float32Array | None = None
    labeled: LabeledSet | None = None
    readout: Readout | None = None
    draw_probs: DrawProbs | None = field(default=None, compare=False)
    draw_steps: int = 0
    settings: RunSettings | None = None
    device: str = "cpu"
    progress: Progress = field(default=silent, compare=False)

    def __post_init__(self) -> None:
        if self.probs is not None:
            check_lengths("Pool", ids=self.ids, probs=self.probs)
            check_probs(self.probs)
        if self.vectors is not None:
            check_lengths("Pool", ids=self.ids, vectors=self.vectors)
        if self.readout is not None:
            check_lengths("Pool", ids=self.ids, readout=self.readout.vectors)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: IntArray) -> Pool:
        """Return a pool of some of the examples, with the same model and labeled set.

        Parameters
        ----------
        rows : int array of shape (n_rows,)
            The new pool's row ``i`` is this pool's row ``rows[i]``.
        """
        draw, readout = self.draw_probs, self.readout

        def draw_of_taken(taken: IntArray, n_draws: int, seed: int) -> Float32Array:
            assert draw is not None  # handed on only then
            return draw(rows[taken], n_draws, seed)

        return replace(
            self,
            ids=self.ids[rows],
            probs=None if self.probs is None else self.probs[rows],
            vectors=None if self.vectors is None else self.vectors[rows],
            readout=None if readout is None else replace(readout, vectors=readout.vectors[rows]),
            draw_probs=None if draw is None else draw_of_taken,
        )


def check_probs(probs: FloatArray) -> None:
    """Refuse what cannot be probabilities.

    Raises
    ------
    PoolError
        When an entry is NaN or outside [0, 1], or a row does not sum to 1 within 1e-3.
    """
    if probs.ndim != 2:
        raise PoolError(f"predicted probabilities must be (n_pool, n_classes), found the shape {probs.shape}")
    sound = ((probs >= 0) & (probs <= 1)).all(axis=1) & (np.abs(probs.sum(axis=1) - 1) <= 1e-3)
    if not sound.all():
        row = int(np.argmin(sound))
        raise PoolError(
            f"{int((~sound).sum())} of {len(probs)} predicted distributions are not probabilities "
            f"(first: row {row}, {np.asarray(probs[row]).tolist()}); check the training for NaN"
        )


QueryFunction = Callable[[Pool, int, Any, np.random.Generator], Selection]
WorkFunction = Callable[[Pool, Any], int]


@dataclass(frozen=True)
class Strategy:
    """One entry of the table.

    Attributes
    ----------
    name : str
    function : callable
    needs : frozenset of str
        What the round must compute: of ``probs``, ``vectors``, ``labeled`` (the labeled set with its vectors and
        probabilities), ``groups`` (the labeled set with its groups), ``readout`` and ``draws``.
    cite : str
        The source, shown to users.
    settings : str or None
        The table of `RunSettings` that holds its parameters.
    work : callable or None
        From pool and parameters to the elementary steps that a selection takes, see `steps`; None where a pass over
        the pool does.
    """

    name: str
    function: QueryFunction
    needs: frozenset[str]
    cite: str
    settings: str | None
    work: WorkFunction | None = None

    @property
    def summary(self) -> str:
        """The first line of the function's documentation."""
        return (self.function.__doc__ or "").strip().splitlines()[0]

    def select(self, pool: Pool, budget: int, settings: RunSettings, rng: np.random.Generator) -> Selection:
        """Choose ``budget`` examples of the pool.

        Raises
        ------
        PoolError
            When the pool has fewer, or lacks what the strategy needs.
        """
        if budget < 1 or budget > len(pool):
            raise PoolError(f"asked for {budget} examples, {len(pool)} remain in the pool; lower the budget")
        self._check_needs(pool)
        return self.function(replace(pool, settings=settings), budget, self._params(settings), rng)

    def steps(self, pool: Pool, settings: RunSettings) -> int:
        """About how many elementary steps `select` takes; 3e10 of them are some three seconds on two cores.

        Raises
        ------
        PoolError
            When the pool lacks what the strategy needs.
        """
        self._check_needs(pool)
        if self.work is None:
            return len(pool)
        return self.work(replace(pool, settings=settings), self._params(settings))

    def _check_needs(self, pool: Pool) -> None:
        has = {
            "probs": pool.probs is not None,
            "vectors": pool.vectors is not None,
            "labeled": pool.labeled is not None and pool.labeled.probs is not None,
            "groups": pool.labeled is not None,
            "readout": pool.readout is not None,
            "draws": pool.draw_probs is not None,
        }
        missing = sorted(need for need in self.needs if not has[need])
        if missing:
            raise PoolError(f"the strategy {self.name!r} needs {', '.join(missing)}, which this pool does not have")

    def _params(self, settings: RunSettings) -> Any:
        return getattr(settings, self.settings) if self.settings else None


_TABLE: dict[str, Strategy] = {}


def strategy(
    name: str,
    *,
    needs: frozenset[str] | set[str],
    cite: str,
    settings: str | None = None,
    work: WorkFunction | None = None,
) -> Callable[[QueryFunction], QueryFunction]:
    """Put a function in the table of strategies."""

    def register(function: QueryFunction) -> QueryFunction:
        _TABLE[name] = Strategy(name, function, frozenset(needs), cite, settings, work)
        return function

    return register


def all_strategies() -> tuple[Strategy, ...]:
    """Return every strategy, in the order in which they were registered."""
    return tuple(_TABLE.values())


def strategy_names() -> tuple[str, ...]:
    """Return the name of every strategy."""
    return tuple(_TABLE)


def get_strategy(name: str) -> Strategy:
    """Look a strategy up.

    Raises
    ------
    SettingsError
        With the nearest name, when there is none of this name.
    """
    if name not in _TABLE:
        near = difflib.get_close_matches(name, _TABLE, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise SettingsError(f"no strategy is called {name!r}; {hint}there are: {', '.join(_TABLE)}")
    return _TABLE[name]
