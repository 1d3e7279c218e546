"""What training and evaluation read of every example, computed once by the frozen part of the encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan
from alvin_core.encoding.encode import Encoded, encode_texts
from alvin_core.encoding.tokens import TokenCounts, Tokens, length_order
from alvin_core.encoding.transformer import Depth, Encoder
from alvin_core.errors import SettingsError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.settings import EncoderSettings
from alvin_core.types import Float32Array, IntArray

if TYPE_CHECKING:
    import torch

__all__ = ["Features", "StateFeatures", "TokenFeatures", "VectorFeatures", "compute_features", "embed"]


class Features(ABC):
    """What an encoder's body reads of every example of a data set.

    Attributes
    ----------
    dim : int
        Width of the vector the classifier reads.
    lengths : int array of shape (n,)
        Tokens of each example, by which batches are formed; all 1 where the body reads one vector.
    counts : TokenCounts
        Tokens of each example before and after cutting.
    encode_seconds : float
        Spent on encoding; 0 where all came from the cache.
    n_encoded : int
        Texts encoded in this time (twice as many as pairs, where the two of a pair are read apart).
    from_cache : bool
    """

    def __init__(self, dim: int, lengths: IntArray, counts: TokenCounts) -> None:
        self.dim = dim
        self.lengths = lengths
        self.counts = counts
        self.encode_seconds = 0.0
        self.n_encoded = 0
        self.from_cache = False

    def __len__(self) -> int:
        return len(self.lengths)

    @abstractmethod
    def batch(self, rows: IntArray, device: torch.device) -> dict[str, torch.Tensor]:
        """Return what the body's forward reads for some rows, in their order, on a device."""

    def vectors(self) -> Float32Array | None:
        """Return the frozen encoder's vectors by row, of shape (n, dim); None where the body trains layers."""
        return None


class VectorFeatures(Features):
    """Depth 0: pooled vectors; of pairs read apart, u, v, ``|u - v|`` and ``u * v`` side by side.

    Notes
    -----
    Reimers & Gurevych (2019) join u, v and ``|u - v|``; the product is theirs as an ablation.
    """

    def __init__(self, columns: list[Encoded]) -> None:
        self._columns = [column.vectors() for column in columns]
        n, dim = self._columns[0].shape
        super().__init__(dim if len(columns) == 1 else 4 * dim, np.ones(n, dtype=np.int32), _added_counts(columns))
        self._account(columns)

    def _account(self, columns: list[Encoded]) -> None:
        self.encode_seconds = sum(column.seconds for column in columns)
        self.n_encoded = sum(column.n_encoded for column in columns)
        self.from_cache = all(column.from_cache for column in columns)

    def batch(self, rows: IntArray, device: torch.device) -> dict[str, torch.Tensor]:
        import torch

        return {"vectors": torch.from_numpy(self._joined(rows)).to(device)}

    def vectors(self) -> Float32Array:
        return self._joined(slice(None))

    def _joined(self, rows: IntArray | slice) -> Float32Array:
        parts = [column[rows] for column in self._columns]
        if len(parts) == 1:
            return parts[0]
        first, second = parts
        return np.concatenate([first, second, np.abs(first - second), first * second], axis=1)


class StateFeatures(Features):
    """Depth n: the states that enter the top n layers, of every token, in half precision."""

    def __init__(self, encoder: Encoder, encoded: Encoded) -> None:
        super().__init__(encoder.dim, encoded.counts.kept, encoded.counts)
        self.encode_seconds, self.n_encoded = encoded.seconds, encoded.n_encoded
        self.from_cache = encoded.from_cache
        self._encoder, self._states = encoder, encoded.values
        # The states lie in order of length: neighbours in a batch of one length are neighbours on the disk.
        order = length_order(self.lengths)
        ends = np.cumsum(self.lengths[order], dtype=np.int64)
        self._starts = np.empty(len(order), dtype=np.int64)
        self._starts[order] = ends - self.lengths[order]

    def batch(self, rows: IntArray, device: torch.device) -> dict[str, torch.Tensor]:
        import torch

        lengths = self.lengths[rows]
        width = self._encoder.width(int(lengths.max()))
        states = np.zeros((len(rows), width, self._states.shape[1]), dtype=self._states.dtype)
        for place, (start, length) in enumerate(zip(self._starts[rows], lengths, strict=True)):
            states[place, :length] = self._states[start : start + length]
        mask = np.arange(width) < lengths[:, None]  # (n_rows, width)
        return {
            "states": torch.from_numpy(states).to(device).float(),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)).to(device),
        }


class TokenFeatures(Features):
    """Depth "all": token ids."""

    def __init__(self, encoder: Encoder, tokens: Tokens) -> None:
        super().__init__(encoder.dim, tokens.lengths, tokens.counts)
        self._encoder, self._tokens = encoder, tokens

    def batch(self, rows: IntArray, device: torch.device) -> dict[str, torch.Tensor]:
        import torch

        width = self._encoder.width(int(self.lengths[rows].max()))
        inputs = self._tokens.padded(rows, width, self._encoder.reader.pad_id)
        return {name: torch.from_numpy(values).to(device) for name, values in inputs.items()}


def compute_features(
    encoder: Encoder,
    texts: Texts,
    second_texts: Texts | None,
    *,
    trainable_layers: Depth,
    settings: EncoderSettings,
    plan: DevicePlan,
    cache_dir: Path | None,
    progress: Progress = silent,
) -> Features:
    """Run the frozen part of an encoder over a data set, or read what an earlier run of it left in the cache.

    Parameters
    ----------
    encoder : Encoder
    texts, second_texts : Texts of n texts, and of as many or None
    trainable_layers : int or "all"
        0: pooled vectors; n: states that enter the top n layers; "all": token ids, nothing is run.
    settings : EncoderSettings
        Those the encoder was loaded with; decides how pairs are read.
    plan : DevicePlan
        The one the encoder was loaded with.
    cache_dir : Path or None
        None keeps everything in memory.
    progress : Progress
        Stages ``tokenise`` and ``encode``, in texts. Raising Cancelled from it keeps what is in the cache already.

    Raises
    ------
    SettingsError
        When there are fewer layers than that, or pairs are to be read apart by layers that are trained.
    EncoderError, DeviceError, StoreError
        When the layers cannot be split; when one text does not fit the device; when the cache cannot be written.
    """
    _check_fits(encoder, settings, plan)
    encoder.check_depth(trainable_layers)
    apart = second_texts if _reads_apart(settings, trainable_layers) else None
    if trainable_layers == 0:
        columns = [texts] if apart is None else [texts, apart]
        joint = second_texts if apart is None else None
        return VectorFeatures(_encode_columns(encoder, columns, joint, cache_dir, progress))
    if apart is not None:
        raise SettingsError(
            f"encoder.pair_encoding = 'separate' needs training.trainable_layers = 0, not {trainable_layers!r}; "
            "use 'joint' or 'auto'"
        )
    if trainable_layers == "all":
        return TokenFeatures(encoder, encoder.reader.read(texts, second_texts, progress))
    encoded = encode_texts(encoder, texts, second_texts, n_top=trainable_layers, cache_dir=cache_dir, progress=progress)
    return StateFeatures(encoder, encoded)


def embed(
    encoder: Encoder,
    texts: Texts,
    second_texts: Texts | None,
    *,
    settings: EncoderSettings,
    plan: DevicePlan,
    cache_dir: Path | None,
    progress: Progress = silent,
) -> Float32Array:
    """Return the frozen encoder's vectors, of shape (n, dim), whatever is trained: what depth 0 would read.

    The parameters, errors and cache are those of `compute_features`.
    """
    features = compute_features(
        encoder,
        texts,
        second_texts,
        trainable_layers=0,
        settings=settings,
        plan=plan,
        cache_dir=cache_dir,
        progress=progress,
    )
    vectors = features.vectors()
    assert vectors is not None  # depth 0 has them
    return vectors


def _reads_apart(settings: EncoderSettings, trainable_layers: Depth) -> bool:
    if settings.pair_encoding == "auto":
        return trainable_layers == 0
    return settings.pair_encoding == "separate"


def _check_fits(encoder: Encoder, settings: EncoderSettings, plan: DevicePlan) -> None:
    """Catch a caller who mixes two encoders up: the features would silently be of the wrong one."""
    wanted = (settings.name, settings.pooling, plan.device, plan.inference_dtype)
    if wanted != (encoder.name, encoder.pooling, encoder.plan.device, encoder.plan.inference_dtype):
        raise ValueError(
            f"compute_features: settings of {settings.name!r} ({settings.pooling}, {plan.name}) given with encoder "
            f"{encoder.name!r} ({encoder.pooling}, {encoder.plan.name}); pass those it was loaded with"
        )


def _encode_columns(
    encoder: Encoder, columns: list[Texts], joint: Texts | None, cache_dir: Path | None, progress: Progress
) -> list[Encoded]:
    """Encode each column by itself, as one piece of work on the user's progress bar."""
    encoded: list[Encoded] = []
    for place, column in enumerate(columns):
        step = _shifted(progress, place, len(columns))
        encoded.append(encode_texts(encoder, column, joint, n_top=None, cache_dir=cache_dir, progress=step))
    return encoded


def _shifted(progress: Progress, place: int, n_columns: int) -> Progress:
    def step(event: ProgressEvent) -> None:
        done = event.done + place * event.total
        progress(ProgressEvent(event.stage, done, event.total * n_columns, event.note))

    return step


def _added_counts(columns: list[Encoded]) -> TokenCounts:
    full: NDArray[np.int32] = np.sum([column.counts.full for column in columns], axis=0, dtype=np.int32)
    kept: NDArray[np.int32] = np.sum([column.counts.kept for column in columns], axis=0, dtype=np.int32)
    return TokenCounts(full, kept)
