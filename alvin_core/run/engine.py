"""What a run keeps in memory between rounds: the encoder and everything read from it once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Dataset
from alvin_core.progress import Progress, silent
from alvin_core.run.environment import describe_environment
from alvin_core.run.loaded import Loaded, with_added
from alvin_core.run.probing import probe_features
from alvin_core.run.slice_lookup import StoredSlices
from alvin_core.settings import Depth, RunSettings
from alvin_core.types import Float32Array

if TYPE_CHECKING:
    from alvin_core.device import DevicePlan
    from alvin_core.encoding.features import Features
    from alvin_core.encoding.tokens import TokenCounts
    from alvin_core.encoding.transformer import Encoder
    from alvin_core.round import RoundResult
    from alvin_core.round_inputs import RoundInputs
    from alvin_core.strategies.pool import PoolSlice
    from alvin_core.training.trainer import TrainedModel

__all__ = ["Engine"]


@dataclass
class Engine:
    """Computes rounds of one data set; loads the encoder at the first, and again only when its settings change.

    Attributes
    ----------
    dataset : Dataset
    cache : Path
        The folder of cached encodings.
    slices : StoredSlices or None
        Where the slice is that settings name; None where there are none.

    Notes
    -----
    Rounds of a run to which people added examples are computed by `grown`: the data set stays encoded as it is.
    """

    dataset: Dataset
    cache: Path
    slices: StoredSlices | None = None
    _loaded: Loaded | None = field(default=None, repr=False)
    _root: Engine | None = field(default=None, repr=False)  # of the data set without what was added

    def grown(self, dataset: Dataset) -> Engine:
        """Return an engine of this one's data set with added examples after its last row; it shares all that is loaded.

        Parameters
        ----------
        dataset : Dataset
        """
        return self if len(dataset) == len(self.dataset) else Engine(dataset, self.cache, self.slices, _root=self)

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
        from alvin_core.round import run_round
        from alvin_core.round_inputs import check_slice

        slice_, slice_print = (None, "") if self.slices is None else self.slices.named(settings, self.dataset)
        check_slice(slice_, settings)
        loaded, is_new = self._load(settings, progress)
        inputs = self._inputs(loaded, labeled_rows, labeled_classes, round_no, slice_)
        result = run_round(inputs, settings, loaded.plan, progress=progress)
        environment = {**describe_environment(), **asdict(loaded.plan), "encoder": loaded.encoder.fingerprint}
        environment["features"] = probe_features(loaded.features)
        if slice_print:
            environment["slice"] = slice_print
        return _with_encoding(result, loaded, settings, is_new=is_new), environment

    def train(
        self,
        labeled_rows: NDArray[np.int64],
        labeled_classes: NDArray[np.int64],
        round_no: int,
        settings: RunSettings,
        progress: Progress = silent,
    ) -> tuple[DevicePlan, Encoder, TrainedModel]:
        """Train a round's model, as `compute` does before it goes on; see there.

        Returns
        -------
        DevicePlan, Encoder, TrainedModel
            The model predicts what `compute` stored, on the same machine to the last bit.
        """
        from alvin_core.round import train_model

        loaded, _ = self._load(settings, progress)
        inputs = self._inputs(loaded, labeled_rows, labeled_classes, round_no)
        return loaded.plan, loaded.encoder, train_model(inputs, settings, loaded.plan, progress)

    def _inputs(
        self,
        loaded: Loaded,
        labeled_rows: NDArray[np.int64],
        labeled_classes: NDArray[np.int64],
        round_no: int,
        slice_: PoolSlice | None = None,
    ) -> RoundInputs:
        """Return what a round is made of, and set the threads that it takes."""
        from alvin_core.device import apply_threads
        from alvin_core.round_inputs import RoundInputs

        apply_threads(loaded.plan.threads)
        return RoundInputs(
            dataset=self.dataset,
            encoder=loaded.encoder,
            features=loaded.features,
            embeddings=loaded.embeddings,
            labeled_rows=labeled_rows,
            labeled_classes=labeled_classes,
            round_no=round_no,
            slice_=slice_,
        )

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
        if self._root is not None:
            of_root, is_new = self._root._load(settings, progress)
            return with_added(of_root, self._added_texts(), settings, progress, is_new=is_new)
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
            news=(features.counts,),
        )
        return self._loaded, True

    def _added_texts(self) -> list[tuple[str, ...]]:
        n_first = 0 if self._root is None else len(self._root.dataset)
        texts = (self.dataset.text_of(row) for row in range(n_first, len(self.dataset)))
        return [(one,) if isinstance(one, str) else one for one in texts]

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
    cut = _cut_warning(loaded.news, loaded.encoder.max_length) if is_new else ()
    return replace(
        result, summary={**result.summary, "encoding": encoding}, seconds=seconds, warnings=(*cut, *result.warnings)
    )


def _cut_warning(news: Sequence[TokenCounts], max_length: int) -> tuple[str, ...]:
    n_cut = sum(counts.n_cut for counts in news)
    if not n_cut:
        return ()
    n_full, n_kept = (
        sum(int(column.sum(dtype=np.int64)) for column in columns)
        for columns in ([counts.full for counts in news], [counts.kept for counts in news])
    )
    are = "is" if n_cut == 1 else "are"
    return (
        f"{n_cut:,} of {sum(map(len, news)):,} texts {are} longer than the encoder reads (at most {max_length} "
        f"tokens); {1 - n_kept / n_full:.1%} of all tokens are cut off",
    )
