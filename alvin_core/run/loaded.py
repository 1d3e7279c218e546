"""An encoder and what it read: of a data set, once, and of each example that people added to a run, as it came."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from alvin_core.data.dataset import Texts
from alvin_core.progress import Progress, ProgressEvent
from alvin_core.settings import Depth, RunSettings
from alvin_core.types import Float32Array

if TYPE_CHECKING:
    from alvin_core.device import DevicePlan
    from alvin_core.encoding.features import Features
    from alvin_core.encoding.tokens import TokenCounts
    from alvin_core.encoding.transformer import Encoder

__all__ = ["Loaded", "with_added"]


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
    news: tuple[TokenCounts, ...] = ()  # of what was read just now
    singles: dict[tuple[Depth, tuple[str, ...]], Features] = field(default_factory=dict)  # of added examples

    @property
    def n_encoded(self) -> int:
        return self.features.n_encoded + (0 if self.embedded is None else self.embedded.n_encoded)

    @property
    def texts_per_second(self) -> float | None:
        elapsed = self.features.encode_seconds + (0.0 if self.embedded is None else self.embedded.encode_seconds)
        return self.n_encoded / elapsed if self.n_encoded and elapsed else None


def with_added(
    loaded: Loaded, added: Sequence[tuple[str, ...]], settings: RunSettings, progress: Progress, *, is_new: bool
) -> tuple[Loaded, bool]:
    """Join what was read of a data set with what the encoder reads of examples added to it, each read once.

    Parameters
    ----------
    loaded : Loaded
        Of the data set; remembers what is read here.
    added : sequence of tuples of str
        The texts of each example, one or two.
    settings : RunSettings
    progress : Progress
        Stage ``encode``, in examples.
    is_new : bool
        Whether the data set was loaded just now.

    Returns
    -------
    Loaded
        Its figures are of what was loaded and read just now.
    bool
        Whether anything was.
    """
    from alvin_core.encoding.joined import JoinedFeatures

    start = time.perf_counter()
    news: list[TokenCounts] = []
    pad_id = loaded.encoder.reader.pad_id

    def join(first: Features, depth: Depth) -> Features:
        new = [one for one in dict.fromkeys(added) if (depth, one) not in loaded.singles]
        for place, texts in enumerate(new):
            progress(ProgressEvent("encode", place, len(new)))
            loaded.singles[depth, texts] = _read_one(loaded, texts, depth, settings)
        just_now = [first, *(loaded.singles[depth, one] for one in new)][0 if is_new else 1 :]
        news.extend(one.counts for one in just_now)
        joined = JoinedFeatures(first, [loaded.singles[depth, one] for one in added], pad_id=pad_id)
        joined.n_encoded = sum(one.n_encoded for one in just_now)
        joined.encode_seconds = sum(one.encode_seconds for one in just_now)
        return joined

    features = join(loaded.features, settings.training.trainable_layers)
    told = tuple(news)  # of texts that are read at two depths, what is cut is told of once
    embedded = None if loaded.embedded is None else join(loaded.embedded, 0)
    return replace(
        loaded,
        features=features,
        embedded=embedded,
        embeddings=None if settings.space == "model" else (features if embedded is None else embedded).vectors(),
        load_seconds=loaded.load_seconds if is_new else 0.0,
        encode_seconds=(loaded.encode_seconds if is_new else 0.0) + time.perf_counter() - start,
        news=told,
    ), bool(news)


def _read_one(loaded: Loaded, texts: tuple[str, ...], depth: Depth, settings: RunSettings) -> Features:
    from alvin_core.encoding.features import compute_features

    columns = [Texts.pack([text]) for text in texts]
    return compute_features(
        loaded.encoder,
        columns[0],
        columns[1] if len(columns) == 2 else None,
        trainable_layers=depth,
        settings=settings.encoder,
        plan=loaded.plan,
        cache_dir=None,
    )
