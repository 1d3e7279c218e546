"""The planted-shortcut generator in two dimensions: across lies the shortcut, upwards the core feature.

Each point has two features. Its *core*, the height, is what its class really follows from: circles lie low, squares
high, near each other and a little overlapping. Its *shortcut*, the place from left to right, parts the points into two
sides far from each other; which side agrees with the class is planted, in exactly the share that is asked for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from alvin_core.classroom.settings import WorldSettings
from alvin_core.data.dataset import Dataset, Texts
from alvin_core.data.grammars.drawing import Draw
from alvin_core.types import BoolArray, FloatArray, IntArray

__all__ = ["BALANCED", "BOUNDS", "CLASSES", "SIDES", "PlantedPoints", "plant_points"]

CLASSES = ("circle", "square")  # low and high
SIDES = ("left", "right")  # the sides of the shortcut, in the order of the classes they agree with
BALANCED = "ood:balanced"

# The shortcut's sides are 4 apart and never touch; the classes' cores are 1.4 apart and overlap a little, so that the
# best that the core allows is about 0.98. So the shortcut is what a model learns first (Shah et al. 2020): chosen by
# that a model of 20 labels at strength 0.9 is right in distribution, and wrong on who contradicts the shortcut [ours].
SHORTCUT_AT, SHORTCUT_SPREAD = 2.0, 0.55
CORE_AT, CORE_SPREAD = 0.7, 0.35
AMBIGUOUS_SPREAD = 0.12  # of the core of ambiguous points around the middle, where it says nothing
FURTHEST = 3.0  # spreads; nothing lies further out, so that one window shows every world
MARGIN = 0.25
DECIMALS = 3

_ACROSS = SHORTCUT_AT + FURTHEST * SHORTCUT_SPREAD + MARGIN
_UP = CORE_AT + FURTHEST * CORE_SPREAD + MARGIN
BOUNDS = (-round(_ACROSS, 2), round(_ACROSS, 2), -round(_UP, 2), round(_UP, 2))
"""Left, right, bottom and top of the window that holds every world's points."""


@dataclass(frozen=True)
class PlantedPoints:
    """A world's points, in the order of its data set: pool, test, then the balanced test.

    Attributes
    ----------
    xy : float array of shape (n, 2)
        Shortcut and core feature, rounded to what the texts say.
    labels : int array of shape (n,)
        Rows of `CLASSES`.
    sides : int array of shape (n,)
        Rows of `SIDES`: on which side of the shortcut the point lies, the sign of its x.
    is_ambiguous : bool array of shape (n,)
        Whether the core says nothing of the class.
    splits : str array of shape (n,)
        ``pool``, ``test``, where the shortcut is as strong, and ``ood:balanced``, where it says nothing.
    """

    xy: FloatArray
    labels: IntArray
    sides: IntArray
    is_ambiguous: BoolArray
    splits: NDArray[np.str_]

    @property
    def follows(self) -> BoolArray:
        """Whether the shortcut agrees with the class, of shape (n,)."""
        return np.asarray(self.sides == self.labels)

    def as_dataset(self) -> Dataset:
        """Return the points as a data set: each one's text says its coordinates, its attribute its side."""
        places = {name: np.cumsum(self.splits == name) for name in np.unique(self.splits)}
        ids = [f"{name.removeprefix('ood:')}-{places[name][row]:04d}" for row, name in enumerate(self.splits.tolist())]
        return Dataset(
            ids=np.array(ids),
            texts=Texts.pack(f"x {x:.{DECIMALS}f} y {y:.{DECIMALS}f}" for x, y in self.xy.tolist()),
            labels=self.labels,
            classes=CLASSES,
            splits=self.splits,
            attributes=np.array(SIDES)[self.sides],
        )


def plant_points(settings: WorldSettings) -> PlantedPoints:
    """Draw a world's points.

    Parameters
    ----------
    settings : WorldSettings
        Of which strength, ambiguity, imbalance, n_pool, n_test and seed are read.

    Returns
    -------
    PlantedPoints
        Shares are exact, to the nearest whole point, as in `alvin_core.data.planted`: of each split the first class,
        of each class in it those that the shortcut agrees with, of each split the ambiguous ones. An ambiguous
        point's class is drawn regardless of its core; its shortcut agrees with the class as everybody's does.

    Notes
    -----
    The same settings give the same points on every version of Python and numpy.
    """
    splits = (
        ("pool", settings.n_pool, settings.strength),
        ("test", settings.n_test, settings.strength),
        (BALANCED, settings.n_test, 0.5),
    )
    parts = [_plant_split(settings, *split) for split in splits]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    names = np.concatenate([np.full(n, name) for name, n, _ in splits])
    return PlantedPoints(columns[0], columns[1], columns[2], columns[3], names)


def _plant_split(
    settings: WorldSettings, split: str, n: int, agreement: float
) -> tuple[FloatArray, IntArray, IntArray, BoolArray]:
    """Return places, labels, sides and ambiguity of one split; streams of its own, whatever the others hold."""
    plan = Draw(f"{settings.seed}:world:{split}:plan")
    labels = np.where(plan.flags(n, settings.imbalance), 0, 1)
    agrees = np.empty(n, dtype=bool)
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        agrees[rows] = plan.flags(len(rows), agreement)
    sides = np.where(agrees, labels, 1 - labels)
    is_ambiguous = np.array(plan.flags(n, settings.ambiguity))
    across, up = _deviations(f"{settings.seed}:world:{split}:places", n)
    x = np.where(sides == 1, 1, -1) * SHORTCUT_AT + SHORTCUT_SPREAD * across
    y = np.where(labels == 1, 1, -1) * CORE_AT + CORE_SPREAD * up
    y = np.where(is_ambiguous, AMBIGUOUS_SPREAD * up, y)
    return np.round(np.stack([x, y], axis=1), DECIMALS), labels, sides, is_ambiguous


def _deviations(seed: str, n: int) -> NDArray[np.float64]:
    """Draw from the normal distribution, cut off at `FURTHEST`; of shape (2, n)."""
    # By its inverse from `random.random`, the one stream that is promised to stay the same.
    normal, uniform = NormalDist(), random.Random(seed).random
    low = normal.cdf(-FURTHEST)
    return np.array([[normal.inv_cdf(low + (1 - 2 * low) * uniform()) for _ in range(2)] for _ in range(n)]).T
