"""One column of texts through a frozen encoder: from the cache where it is there, else batch by batch into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan, halving_batches
from alvin_core.encoding.ahead import Ahead, batches_at_once
from alvin_core.encoding.cache import CachedEntry, EntryWriter, cache_key, entry_lock, read_entry
from alvin_core.encoding.tokens import TokenCounts, Tokens, length_order, token_batches
from alvin_core.encoding.transformer import Encoder
from alvin_core.errors import EncoderError, StoreError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.types import Float32Array

__all__ = ["Encoded", "EncodingWork", "Shard", "encode_texts", "encode_tokens", "filled_by"]

# Tokens with padding in one batch. On a CPU the activations should stay near the caches: with 8,192 the encoder was
# a third slower than with 2,048, and where each thread has a batch of its own 1,024 are a tenth faster than those. A
# GPU needs many to be busy.
_BATCH_TOKENS = {"cpu": 2048, "cpu:int16": 1024, "mps": 8192, "cuda": 32768}
# Tokens written at once: what a kill can lose, some seconds on a CPU.
_SHARD_TOKENS = 32768


@dataclass(frozen=True)
class Encoded:
    """What the frozen part of an encoder made of every text.

    Attributes
    ----------
    values : float array
        In the order of `length_order`: float32 vectors of shape (n, dim); or float16 states of shape
        (n_tokens, hidden), those of a text one after the other.
    counts : TokenCounts
    seconds : float
        Spent on reading and encoding; 0 where the values came from the cache.
    n_encoded : int
        Texts encoded in this time.
    """

    values: NDArray[Any]
    counts: TokenCounts
    seconds: float = 0.0
    n_encoded: int = 0

    @property
    def from_cache(self) -> bool:
        return self.n_encoded == 0 and len(self.counts) > 0

    def vectors(self) -> Float32Array:
        """Return the vectors by row, of shape (n, dim)."""
        by_row = np.empty_like(self.values)
        by_row[length_order(self.counts.kept)] = self.values
        return by_row


@dataclass
class _Delegate:
    """Who fills entries in this process's place, and the entries that were asked for."""

    fill: Callable[[EncodingWork, EntryWriter], int]
    entries: dict[str, CachedEntry] = field(default_factory=dict)


_delegate: ContextVar[_Delegate | None] = ContextVar("delegate", default=None)


@contextmanager
def filled_by(fill: Callable[[EncodingWork, EntryWriter], int]) -> Iterator[dict[str, CachedEntry]]:
    """Have somebody else, such as a cluster, encode what the cache lacks.

    Parameters
    ----------
    fill : callable
        Writes all shards of the work that the entry does not have, in any order, and returns how many texts it
        encoded; as `EncodingWork.into` does.

    Yields
    ------
    dict of str to CachedEntry
        By key, every entry that `encode_texts` was asked for in this context, whoever encoded it.
    """
    delegate = _Delegate(fill)
    token = _delegate.set(delegate)
    try:
        yield delegate.entries
    finally:
        _delegate.reset(token)


def encode_texts(
    encoder: Encoder,
    texts: Texts,
    second_texts: Texts | None,
    *,
    n_top: int | None,
    cache_dir: Path | None,
    progress: Progress,
) -> Encoded:
    """Encode texts, or pairs as one sequence each.

    Parameters
    ----------
    n_top : int or None
        None for pooled vectors; else the states that enter the top ``n_top`` layers.
    cache_dir : Path or None
        None keeps the values in memory only.

    Raises
    ------
    EncoderError
        When the encoder returns numbers that cannot be stored.
    StoreError
        When the cache cannot be written.
    DeviceError
        When the device has too little memory for a single text.
    """
    started = time.perf_counter()
    if cache_dir is None:
        tokens = encoder.reader.read(texts, second_texts, progress)
        values = encode_tokens(encoder, tokens, n_top, progress)
        return Encoded(values, tokens.counts, time.perf_counter() - started, len(tokens))
    parts = _key_parts(encoder, texts, second_texts, n_top)
    key = cache_key(parts)
    entry = read_entry(cache_dir, key)
    n_encoded = 0
    if entry is None:
        with entry_lock(cache_dir, key, progress):
            # The process that held the lock before may have finished just this.
            if read_entry(cache_dir, key) is None:
                tokens = encoder.reader.read(texts, second_texts, progress)
                writer = EntryWriter(cache_dir, key, parts, _shape(encoder, tokens, n_top), _dtype(n_top))
                work = EncodingWork(encoder, tokens, n_top, progress)
                delegate = _delegate.get()
                n_encoded = work.into(writer) if delegate is None else delegate.fill(work, writer)
                writer.finish(tokens.counts)
        entry = read_entry(cache_dir, key)
    if entry is None:
        raise StoreError(f"encoding cache {cache_dir}: entry {key[:12]} is damaged as soon as written; check the disk")
    if (asked := _delegate.get()) is not None:
        asked.entries[key] = entry
    seconds = time.perf_counter() - started if n_encoded else 0.0
    return Encoded(entry.values, entry.counts, seconds, n_encoded)


def encode_tokens(encoder: Encoder, tokens: Tokens, n_top: int | None, progress: Progress = silent) -> NDArray[Any]:
    """Encode tokens in memory.

    Returns
    -------
    float array
        As `Encoded.values`. Of the rows of one shard, in its order, they are the very bytes that the shard has within
        the whole: its batches come out the same.
    """
    memory = _Memory(_shape(encoder, tokens, n_top), _dtype(n_top))
    EncodingWork(encoder, tokens, n_top, progress).into(memory)
    return memory.values


def _key_parts(encoder: Encoder, texts: Texts, second_texts: Texts | None, n_top: int | None) -> dict[str, object]:
    # numba compiles the products of whole numbers.
    libraries = ("torch", "transformers", *(("numba",) if encoder.plan.inference_dtype == "int16" else ()))
    return {
        "encoder": encoder.fingerprint,
        "max_length": encoder.max_length,
        "what": f"{encoder.pooling} vectors" if n_top is None else f"states below the top {n_top} layers",
        "stored_dtype": _dtype(n_top).name,
        "inference_dtype": encoder.plan.inference_dtype,
        "device": encoder.plan.kind,
        "texts": texts.digest(),
        "second_texts": None if second_texts is None else second_texts.digest(),
        **{name: version(name) for name in libraries},
    }


def _dtype(n_top: int | None) -> np.dtype[Any]:
    # States are many and are read again every epoch: half the bytes, at a precision finer than bfloat16's.
    return np.dtype(np.float32 if n_top is None else np.float16)


def _shape(encoder: Encoder, tokens: Tokens, n_top: int | None) -> tuple[int, int]:
    return (len(tokens) if n_top is None else len(tokens.ids), encoder.dim)


class _Memory:
    """Takes shards like an `EntryWriter`, and keeps them in memory."""

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.values = np.empty(shape, dtype=dtype)

    def has(self, start: int, stop: int) -> bool:
        return False

    def write(self, start: int, values: NDArray[Any]) -> None:
        self.values[start : start + len(values)] = values


@dataclass(frozen=True)
class Shard:
    """Consecutive batches that are written at once, to the value rows from ``start`` to ``stop``."""

    start: int
    stop: int
    batches: list[NDArray[np.int64]]

    @property
    def n_texts(self) -> int:
        return sum(len(batch) for batch in self.batches)


@dataclass(frozen=True)
class EncodingWork:
    """Encodes tokens in order of length and hands them on shard by shard; `n_top` is that of `encode_texts`."""

    encoder: Encoder
    tokens: Tokens
    n_top: int | None
    progress: Progress

    def into(self, sink: _Memory | EntryWriter) -> int:
        """Fill the sink with what it lacks; return the number of texts encoded."""
        shards = self.shards()
        pending = [shard for shard in shards if not sink.has(shard.start, shard.stop)]
        done = len(self.tokens) - sum(shard.n_texts for shard in pending)
        n_resumed = done
        waiting = iter(pending)
        shard, parts, n_rows = next(waiting, None), [], 0
        batches = (batch for one in pending for batch in one.batches)
        self.encoder.prepare(self.n_top)  # before several threads want it
        # One pass over all shards, so that a batch size halved in one stays halved in the next.
        with Ahead(self._encode, batches_at_once(self.encoder.plan)) as ahead:
            for rows, values in halving_batches(
                ahead.over(batches), ahead.result, stage="encode", progress=self.progress
            ):
                assert shard is not None
                parts.append(values)
                n_rows += len(values)
                if n_rows == shard.stop - shard.start:
                    sink.write(shard.start, np.concatenate(parts))
                    shard, parts, n_rows = next(waiting, None), [], 0
                done += len(rows)
                self.progress(ProgressEvent("encode", done, len(self.tokens)))
        return done - n_resumed

    def shards(self) -> list[Shard]:
        """Cut the texts into shards of whole batches, shortest texts first."""
        lengths = self.tokens.lengths
        plan: DevicePlan = self.encoder.plan
        batches = token_batches(
            lengths,
            length_order(lengths),
            multiple=self.encoder.multiple,
            max_tokens=_BATCH_TOKENS.get(f"{plan.kind}:{plan.inference_dtype}", _BATCH_TOKENS[plan.kind]),
        )
        shards: list[Shard] = []
        start, n_tokens, group = 0, 0, list[NDArray[np.int64]]()
        for batch in batches:
            group.append(batch)
            n_tokens += int(lengths[batch].sum())
            if n_tokens >= _SHARD_TOKENS:
                shards.append(self._shard(start, group, n_tokens))
                start, n_tokens, group = shards[-1].stop, 0, []
        if group:
            shards.append(self._shard(start, group, n_tokens))
        return shards

    def _shard(self, start: int, group: list[NDArray[np.int64]], n_tokens: int) -> Shard:
        n_values = sum(len(batch) for batch in group) if self.n_top is None else n_tokens
        return Shard(start, start + n_values, group)

    def _encode(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the vectors (n_rows, dim), or the states (n_tokens, dim) without padding, of some texts."""
        import torch

        tokens, encoder = self.tokens, self.encoder
        width = encoder.width(int(tokens.lengths[rows].max()))
        inputs = tokens.padded(rows, width, encoder.reader.pad_id)
        if self.n_top is None:
            values = encoder.pooled(inputs).cpu().numpy()
        else:
            states = encoder.states(inputs, self.n_top)  # (n_rows, width, dim)
            values = states.to(torch.float16).cpu().numpy()[inputs["attention_mask"] == 1]
        if not np.isfinite(values).all():
            limit = "" if self.n_top is None else f", or above {np.finfo(np.float16).max:.0f}"
            raise EncoderError(
                f"encoder {encoder.name!r} returns numbers that are not finite{limit}; its weights may be damaged, or "
                "made for training.trainable_layers = 'all' only"
            )
        return values
