"""What a run keeps in memory between rounds: the encoder and everything read from it once."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Dataset
from alvin_core.progress import Progress, silent
from alvin_core.run.environment import describe_environment
from alvin_core.settings import Depth, RunSettings
from alvin_core.types import Float32Array

if TYPE_CHECKING:
    from alvin_core.device import DevicePlan
    from alvin_core.encoding.features import Features
    from alvin_core.encoding.transformer import Encoder
    from alvin_core.round import RoundResult

__all__ = ["Engine"]


@dataclass(frozen=True)
class Loaded:
    """An encoder and what it read of the data set, under the settings that they depend on."""

    key: object
    plan: DevicePlan
    encoder: Encoder
    features: Features
    embedded: Features | None  # the frozen encoder's vectors, where they are the space and are not what is trained on
    embeddings: Float32Array | None
    load_seconds: float
    encode_seconds: float

    @property
    def n_encoded(self) -> int:
        return self.features.n_encoded + (0 if self.embedded is None else self.embedded.n_encoded)

    @property
    def texts_per_second(self) -> float | None:
        elapsed = self.features.encode_seconds + (0.0 if self.embedded is None else self.embedded.encode_seconds)
        return self.n_encoded / elapsed if self.n_encoded and elapsed else None


@dataclass
class Engine:
    """Computes rounds of one data set; loads the encoder at the first, and again only when its settings change.

    Attributes
    ----------
    dataset : Dataset
    cache : Path
        The folder of cached encodings.
    """

    dataset: Dataset
    cache: Path
    _loaded: Loaded | None = field(default=None, repr=False)

    def compute(
        self,
        labeled_rows: NDArray[np.int64],
        labeled_classes: NDArray[np.int64],
        round_no: int,
        settings: RunSettings,
        progress: Progress = silent,
    ) -> tuple[RoundResult, dict[str, Any]]:
        """Compute one round.

        Parameters
        ----------
        labeled_rows, labeled_classes : int arrays of shape (n_labeled,)
            Rows in the data set, in the order of annotation, and their classes.
        round_no : int
        settings : RunSettings
        progress : Progress

        Returns
        -------
        RoundResult
        dict
            The environment it was computed in, for the record.
        """
        from alvin_core.device import apply_threads
        from alvin_core.round import run_round
        from alvin_core.round_inputs import RoundInputs

        loaded, is_new = self._load(settings, progress)
        apply_threads(loaded.plan.threads)
        inputs = RoundInputs(
            dataset=self.dataset,
            encoder=loaded.encoder,
            features=loaded.features,
            embeddings=loaded.embeddings,
            labeled_rows=labeled_rows,
            labeled_classes=labeled_classes,
            round_no=round_no,
        )
        result = run_round(inputs, settings, loaded.plan, progress=progress)
        environment = {**describe_environment(), **asdict(loaded.plan), "encoder": loaded.encoder.fingerprint}
        return _with_encoding(result, loaded, settings, is_new=is_new), environment

    def embed(self, settings: RunSettings, progress: Progress = silent) -> Float32Array:
        """Return what the frozen encoder makes of the texts, whatever is trained on top of it or within it.

        Parameters
        ----------
        settings : RunSettings
            Of the encoder; loaded anew where another one is loaded.
        progress : Progress

        Returns
        -------
        float32 array of shape (n, dim)
            In the order of the data set.
        """
        loaded, _ = self._load(settings, progress)
        vectors = loaded.features.vectors() if loaded.embeddings is None else loaded.embeddings
        if vectors is None:  # layers are trained, so the features that are kept end below these
            vectors = self._read(loaded.encoder, 0, settings, loaded.plan, progress).vectors()
            assert vectors is not None  # depth 0 has them
        return vectors

    def _load(self, settings: RunSettings, progress: Progress) -> tuple[Loaded, bool]:
        """Return the encoder and its features, and whether they were made just now."""
        key = (settings.encoder, settings.training.trainable_layers, settings.space, settings.runtime)
        if self._loaded is not None and self._loaded.key == key:
            return self._loaded, False
        from alvin_core.device import apply_threads, plan_device
        from alvin_core.encoding.transformer import load_encoder

        self._loaded = None  # two encoders at once may not fit the device
        start = time.perf_counter()
        plan = plan_device(settings.runtime)
        apply_threads(plan.threads)
        encoder = load_encoder(settings.encoder, plan)
        loaded = time.perf_counter()
        depth = settings.training.trainable_layers
        features, embedded = self._read(encoder, depth, settings, plan, progress), None
        if settings.space == "encoder" and features.vectors() is None:
            embedded = self._read(encoder, 0, settings, plan, progress)
        self._loaded = Loaded(
            key=key,
            plan=plan,
            encoder=encoder,
            features=features,
            embedded=embedded,
            embeddings=None if settings.space == "model" else (features if embedded is None else embedded).vectors(),
            load_seconds=loaded - start,
            encode_seconds=time.perf_counter() - loaded,
        )
        return self._loaded, True

    def _read(
        self, encoder: Encoder, depth: Depth, settings: RunSettings, plan: DevicePlan, progress: Progress
    ) -> Features:
        from alvin_core.encoding.features import compute_features

        return compute_features(
            encoder,
            self.dataset.texts,
            self.dataset.second_texts,
            trainable_layers=depth,
            settings=settings.encoder,
            plan=plan,
            cache_dir=self.cache,
            progress=progress,
        )


def _with_encoding(result: RoundResult, loaded: Loaded, settings: RunSettings, *, is_new: bool) -> RoundResult:
    """Add to a round what its encoding took, and what the encoder cut, where it encoded just now."""
    features = loaded.features
    encoding = {
        "n_encoded": loaded.n_encoded if is_new else 0,
        "from_cache": features.from_cache,
        "texts_per_second": loaded.texts_per_second if is_new else None,
    }
    seconds = {
        "load": loaded.load_seconds if is_new else 0.0,
        "encode": loaded.encode_seconds if is_new else 0.0,
        **result.seconds,
    }
    cut = _cut_warning(features, loaded.encoder.max_length) if is_new else ()
    return replace(
        result, summary={**result.summary, "encoding": encoding}, seconds=seconds, warnings=(*cut, *result.warnings)
    )


def _cut_warning(features: Features, max_length: int) -> tuple[str, ...]:
    counts = features.counts
    if not counts.n_cut:
        return ()
    are = "is" if counts.n_cut == 1 else "are"
    return (
        f"{counts.n_cut:,} of {len(counts):,} texts {are} longer than the encoder reads (at most {max_length} tokens); "
        f"{counts.cut_share:.1%} of all tokens are cut off",
    )
