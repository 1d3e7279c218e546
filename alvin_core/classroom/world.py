"""A world, and the rounds that strategies run in it: each is the engine's own `alvin_core.round.run_round`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from alvin_core.classroom.planting import BOUNDS, PlantedPoints, plant_points
from alvin_core.classroom.settings import WorldSettings
from alvin_core.data.dataset import Dataset
from alvin_core.data.splitting import draw_initial
from alvin_core.device import DevicePlan
from alvin_core.settings import AlvinSettings, GroupSettings, RunSettings, RuntimeSettings, TrainingSettings
from alvin_core.types import Float32Array, FloatArray, IntArray

if TYPE_CHECKING:
    from alvin_core.classroom.plane import PlaneFeatures
    from alvin_core.round import RoundResult
    from alvin_core.training.trainer import TrainedModel

__all__ = ["GRID", "PLAN", "World", "make_world", "run_settings"]

GRID = 32  # places each way at which the model is asked for its boundary
PLAN = DevicePlan("cpu", 1, "float32", "CPU, 1 thread")  # so that a class of thirty sees the same bits

# Two numbers need a smaller head, and fewer, longer steps, than an encoder's vectors do. Chosen by that at strength 0.9
# the model of 20 labels lives on the shortcut (accuracy 0.90 in distribution, 0.51 where the shortcut says nothing),
# that what the rule `forgetting` finds then mostly contradicts the shortcut, and by speed; not by who wins [ours].
TRAINING = TrainingSettings(epochs=30, head_learning_rate=1.2e-2, batch_size=64, hidden=16)


@dataclass(frozen=True)
class World:
    """Points, as a data set and as vectors, and what every strategy starts from.

    Attributes
    ----------
    settings : WorldSettings
    points : PlantedPoints
    dataset : Dataset
    vectors : float32 array of shape (n, 2)
        What the encoder reads of the data set's texts.
    initial_rows : int array of shape (n_initial,)
    """

    settings: WorldSettings
    points: PlantedPoints
    dataset: Dataset
    vectors: Float32Array
    initial_rows: IntArray
    _features: PlaneFeatures  # of the data set, then of the grid

    def run_round(self, strategy: str, labeled_rows: IntArray, round_no: int) -> tuple[RoundResult, FloatArray]:
        """Run one round.

        Parameters
        ----------
        strategy : str
            Any that the engine knows.
        labeled_rows : int array of shape (n_labeled,)
            In the order of annotation; the oracle knows their classes.
        round_no : int

        Returns
        -------
        RoundResult
        float array of shape (GRID, GRID)
            The model's probability of the second class over `planting.BOUNDS`, from the bottom left, row by row; the
            outermost places lie on the bounds.
        """
        from alvin_core.classroom.plane import PlaneEncoder
        from alvin_core.round import run_round
        from alvin_core.round_inputs import RoundInputs
        from alvin_core.training.reproducible import thread_count

        inputs = RoundInputs(
            dataset=self.dataset,
            encoder=PlaneEncoder(PLAN),
            features=self._features,
            embeddings=self.vectors,
            labeled_rows=labeled_rows,
            labeled_classes=self.dataset.labels[labeled_rows],
            round_no=round_no,
        )
        boundary = np.empty((GRID, GRID))

        def look(model: TrainedModel) -> None:
            rows = len(self.dataset) + np.arange(GRID * GRID)
            boundary[:] = model.predict(rows, represent=False).probs[:, 1].reshape(GRID, GRID)

        with thread_count(PLAN.threads):
            result = run_round(inputs, run_settings(self.settings, strategy), PLAN, look=look)
        return result, boundary


def make_world(settings: WorldSettings) -> World:
    """Plant a world's points and draw its initial labeled set, as a run's is drawn."""
    from alvin_core.classroom.plane import PlaneFeatures, read_places

    points = plant_points(settings)
    dataset = points.as_dataset()
    vectors = read_places(dataset.texts)
    pool_rows = dataset.rows_of("pool")
    rng = np.random.default_rng([settings.seed, 0, crc32(b"initial")])
    initial = pool_rows[draw_initial(dataset.labels[pool_rows], settings.n_initial, rng)]
    features = PlaneFeatures(np.concatenate([vectors, _grid()]))
    return World(settings, points, dataset, vectors, initial, features)


def run_settings(settings: WorldSettings, strategy: str) -> RunSettings:
    """Return the settings of the engine's rounds in a world.

    Notes
    -----
    Anchors lie in the encoder's space, which here is the plane itself: what is drawn is what was computed with.
    """
    return RunSettings(
        strategy=strategy,
        budget=settings.budget,
        initial=settings.n_initial,
        seed=settings.seed,
        annotator="oracle",
        space="encoder",
        training=TRAINING,
        groups=GroupSettings(rule=settings.rule),
        alvin=AlvinSettings(alpha=settings.alpha, n_anchors=settings.n_anchors, k=settings.k, rank=settings.rank),
        runtime=RuntimeSettings(device=PLAN.device, threads=PLAN.threads, inference_dtype="float32", beside="none"),
    )


def _grid() -> Float32Array:
    """Places over the window, of shape (GRID * GRID, 2), row by row from the bottom."""
    left, right, bottom, top = BOUNDS
    across, up = np.meshgrid(np.linspace(left, right, GRID), np.linspace(bottom, top, GRID))
    return np.stack([across.ravel(), up.ravel()], axis=1).astype(np.float32)
