"""The trained model of a stored round, made again from its record: a round keeps its predictions, not its weights.

Training repeats to the bit on the machine that trained it, so making the model again is as good as having kept it. That
is not taken on trust: before a model is handed out, its predictions are compared with those that the round stored.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Texts
from alvin_core.errors import DataError, StoreError
from alvin_core.progress import Progress, silent
from alvin_core.run.engine import Engine
from alvin_core.run.environment import describe_environment, differences
from alvin_core.run.handle import RunHandle
from alvin_core.run.number_format import in_recorded_format
from alvin_core.settings import RunSettings
from alvin_core.store.database import open_store
from alvin_core.store.labels import current_labels
from alvin_core.store.runs import find_run
from alvin_core.store.tables import RoundRow
from alvin_core.types import Float32Array

if TYPE_CHECKING:
    from alvin_core.device import DevicePlan
    from alvin_core.encoding.features import Features
    from alvin_core.encoding.transformer import Encoder
    from alvin_core.training.trainer import TrainedModel

__all__ = ["ModelShelf", "RoundModel", "make_model"]

TOLERANCE = 0.01  # [ours] of a probability: screens show two decimals
N_COMPARED = 128  # [ours] examples whose predictions are compared: at depth "all" a second of work
KEPT_MODELS, KEPT_RUNS = 4, 2
MOST_TEXTS = 2000
LONGEST_TEXT = 100_000  # characters; an encoder reads some hundred tokens of them


@dataclass(frozen=True)
class RoundModel:
    """The model of a stored round, ready to read texts.

    Attributes
    ----------
    handle : RunHandle
    stored : RoundRow
    arrays : dict of str to array
        The round's packed arrays.
    settings : RunSettings
        The round's own.
    encoder : Encoder
    plan : DevicePlan
    trained : TrainedModel
    seconds : float
        What making it took, loading and the comparison included.
    """

    handle: RunHandle
    stored: RoundRow
    arrays: dict[str, NDArray[Any]] = field(repr=False)
    settings: RunSettings = field(repr=False)
    encoder: Encoder = field(repr=False)
    plan: DevicePlan
    trained: TrainedModel = field(repr=False)
    seconds: float

    @property
    def classes(self) -> tuple[str, ...]:
        return self.handle.dataset.classes

    def probs(self, texts: Sequence[tuple[str, ...]]) -> Float32Array:
        """Predict texts.

        Parameters
        ----------
        texts : sequence of tuples of one or two str
            Two where the run's examples are pairs.

        Returns
        -------
        float32 array of shape (n_texts, n_classes)

        Raises
        ------
        DataError
            When there is no text, or too many; when one is too long, or has the wrong number of parts.
        EncoderError, DeviceError
            As training and encoding do.
        """
        return self._predict(texts, represent=False)[0]

    def read(self, texts: Sequence[tuple[str, ...]]) -> tuple[Float32Array, Float32Array]:
        """Predict texts, and represent them in the space in which the round retrieved.

        Parameters and errors are those of `probs`.

        Returns
        -------
        probs : float32 array of shape (n_texts, n_classes)
        vectors : float32 array of shape (n_texts, dim)
        """
        probs, vectors = self._predict(texts, represent=self.settings.space == "model")
        return probs, self._embed(texts) if vectors is None else vectors

    def _predict(
        self, texts: Sequence[tuple[str, ...]], *, represent: bool
    ) -> tuple[Float32Array, Float32Array | None]:
        features = self._features(texts, self.settings.training.trainable_layers)
        predicted = self.trained.reading(features).predict(np.arange(len(texts)), represent=represent)
        return predicted.probs, predicted.vectors

    def _embed(self, texts: Sequence[tuple[str, ...]]) -> Float32Array:
        vectors = self._features(texts, 0).vectors()
        assert vectors is not None  # depth 0 has them
        return vectors

    def _features(self, texts: Sequence[tuple[str, ...]], depth: Any) -> Features:
        from alvin_core.device import apply_threads
        from alvin_core.encoding.features import compute_features

        first, second = self._columns(texts)
        apply_threads(self.plan.threads)
        return compute_features(
            self.encoder,
            first,
            second,
            trainable_layers=depth,
            settings=self.settings.encoder,
            plan=self.plan,
            cache_dir=None,
        )

    def _columns(self, texts: Sequence[tuple[str, ...]]) -> tuple[Texts, Texts | None]:
        """Check texts at the door and pack them."""
        n_parts = 2 if self.handle.dataset.is_pairs else 1
        if not 1 <= len(texts) <= MOST_TEXTS:
            raise DataError(f"{len(texts):,} texts to predict at once; give 1 to {MOST_TEXTS:,}")
        for parts in texts:
            if len(parts) != n_parts:
                are = "pairs of texts" if n_parts == 2 else "single texts"
                raise DataError(f"{len(parts)} texts given for one example, but the examples of this run are {are}")
            longest = max(map(len, parts))
            if longest > LONGEST_TEXT:
                raise DataError(f"a text of {longest:,} characters; at most {LONGEST_TEXT:,} are read: shorten it")
        columns = [Texts.pack(column) for column in zip(*texts, strict=True)]
        return columns[0], columns[1] if n_parts == 2 else None


def make_model(handle: RunHandle, engine: Engine, round_no: int, progress: Progress = silent) -> RoundModel:
    """Train a stored round's model again: on the labels, with the settings and from the seed that its record names.

    Parameters
    ----------
    handle : RunHandle
    engine : Engine
        Of the run's stored data set; it keeps the encoder from one round to the next.
    round_no : int
    progress : Progress
        Stages ``tokenise``, ``encode`` and ``train``, as a round has them.

    Raises
    ------
    StoreError
        When there is no such round; when the model predicts otherwise than the round's did.
    EncoderError, DeviceError, SettingsError
        As encoding and training do.
    """
    start = time.perf_counter()
    stored, arrays = handle.round(round_no)
    with handle.store.read() as session:
        labels = current_labels(session, handle.row.id, up_to=stored.last_seq)
    rows, classes = handle.labeled(labels)
    if not np.array_equal(rows, arrays["labeled_rows"]):
        raise StoreError(
            f"the labels of round {round_no} of {handle.row.name!r} are not those it was trained on: the log has "
            f"{len(rows):,}, the round {len(arrays['labeled_rows']):,}; `alvin verify` says how it is mended"
        )
    settings = in_recorded_format(RunSettings.from_dict(stored.settings), stored.environment)
    # As a replay does it: what was added to the run since is left out.
    known = engine.grown(handle.dataset_of(len(arrays["probs"])))
    plan, encoder, trained = known.train(rows, classes, round_no, settings, progress)
    _compare(handle, stored, arrays, trained, plan)
    return RoundModel(handle, stored, arrays, settings, encoder, plan, trained, time.perf_counter() - start)


def _compare(
    handle: RunHandle, stored: RoundRow, arrays: dict[str, NDArray[Any]], trained: TrainedModel, plan: DevicePlan
) -> None:
    """Raise unless the model predicts what the round's did, on examples spread over the data set."""
    rows = np.unique(np.linspace(0, len(arrays["probs"]) - 1, N_COMPARED).astype(np.int64))
    gaps = np.abs(trained.predict(rows, represent=False).probs - arrays["probs"][rows]).max(axis=1)
    n_different = int((gaps > TOLERANCE).sum())
    if not n_different:
        return
    changed = differences(stored.environment, {**describe_environment(), **asdict(plan)} | _same(stored, "encoder"))
    why = f"changed since: {changed}" if changed else "the same versions on the same machine should repeat it"
    raise StoreError(
        f"the model of round {stored.round_no} of {handle.row.name!r}, trained again, is another one: {n_different} of "
        f"{len(rows)} predictions differ, by up to {gaps.max():.2f} (at most {TOLERANCE} is let pass); {why}. Train a "
        "new round here, and look at that one"
    )


def _same(stored: RoundRow, name: str) -> dict[str, Any]:
    """Return what a record has under a name that is not compared."""
    return {name: stored.environment[name]} if name in stored.environment else {}


@dataclass
class ModelShelf:
    """The models of a store that were asked for last, with their encoders.

    Attributes
    ----------
    store : Path
    """

    store: Path
    _engines: OrderedDict[str, tuple[RunHandle, Engine]] = field(default_factory=OrderedDict, repr=False)
    _models: OrderedDict[tuple[str, str], RoundModel] = field(default_factory=OrderedDict, repr=False)

    def get(self, run: str, round_no: int, progress: Progress = silent) -> RoundModel:
        """Return the model of a round; make it where it is not at hand.

        Parameters
        ----------
        run : str
            Its id or name.
        round_no : int

        Raises
        ------
        RunNotFoundError
            When there is no such run any more.
        StoreError, EncoderError, DeviceError, SettingsError
            As `make_model` does.
        """
        opened = open_store(self.store)
        with opened.read() as session:
            row = find_run(session, run)
        handle, engine = self._engines.get(row.id) or _engine_of(RunHandle(opened, row))
        _keep(self._engines, row.id, (handle, engine), KEPT_RUNS)
        # A round's folder never changes and its name never comes again.
        key = (row.id, handle.round(round_no)[0].folder)
        model = self._models.get(key) or make_model(handle, engine, round_no, progress)
        _keep(self._models, key, model, KEPT_MODELS)
        return model


def _engine_of(handle: RunHandle) -> tuple[RunHandle, Engine]:
    return handle, Engine(handle.stored_dataset, handle.store.cache)


def _keep(shelf: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    """Put something at the front of a shelf, and let go of what was not asked for the longest."""
    shelf[key] = value
    shelf.move_to_end(key)
    while len(shelf) > most:
        shelf.popitem(last=False)
