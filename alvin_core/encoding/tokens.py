"""Texts to token ids, packed: a million texts never stand as Python lists at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Texts
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.types import IntArray, check_lengths

__all__ = ["TextReader", "TokenCounts", "Tokens", "length_order", "padded_width", "token_batches"]

_CHUNK = 1024  # texts tokenised at once: enough to keep every thread busy, little memory


@dataclass(frozen=True)
class TokenCounts:
    """How many tokens texts have, and how many of them the encoder reads.

    Attributes
    ----------
    full : int32 array of shape (n,)
        Tokens of each whole text, special tokens included.
    kept : int32 array of shape (n,)
        Tokens that are read.
    """

    full: NDArray[np.int32]
    kept: NDArray[np.int32]

    def __post_init__(self) -> None:
        check_lengths("TokenCounts", full=self.full, kept=self.kept)

    def __len__(self) -> int:
        return len(self.full)

    @property
    def n_cut(self) -> int:
        """Texts that are longer than the encoder reads."""
        return int((self.full > self.kept).sum())

    @property
    def cut_share(self) -> float:
        """Share of all tokens that is never read, in [0, 1]."""
        total = int(self.full.sum(dtype=np.int64))
        return 1.0 - int(self.kept.sum(dtype=np.int64)) / total if total else 0.0


@dataclass(frozen=True)
class Tokens:
    """Token ids of many texts, one after the other, without padding.

    Attributes
    ----------
    ids : int32 array of shape (n_tokens,)
    types : uint8 array of shape (n_tokens,) or None
        0 in the first and 1 in the second text of a pair; None where the encoder does not ask.
    offsets : int64 array of shape (n + 1,)
        Text ``i`` is ``ids[offsets[i]:offsets[i + 1]]``.
    counts : TokenCounts
    """

    ids: NDArray[np.int32]
    types: NDArray[np.uint8] | None
    offsets: NDArray[np.int64]
    counts: TokenCounts

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int32]:
        return self.counts.kept

    def padded(self, rows: IntArray, width: int, pad_id: int) -> dict[str, NDArray[np.int64]]:
        """Return what the model's forward takes, each of shape (n_rows, width), padded on the right."""
        lengths = self.lengths[rows]
        there = np.arange(width) < lengths[:, None]  # (n_rows, width)
        ends = np.cumsum(lengths, dtype=np.int64)
        # Where each token that is there lies: its text's start, and how far into the text it is.
        places = np.arange(int(lengths.sum())) + np.repeat(self.offsets[rows] - ends + lengths, lengths)
        ids = np.full((len(rows), width), pad_id, dtype=np.int64)
        ids[there] = self.ids[places]
        mask = there.astype(np.int64)
        types = np.zeros((len(rows), width), dtype=np.int64)
        if self.types is not None:
            types[there] = self.types[places]
        inputs = {"input_ids": ids, "attention_mask": mask}
        return inputs if self.types is None else {**inputs, "token_type_ids": types}


@dataclass(frozen=True)
class TextReader:
    """A tokenizer with the number of tokens its encoder reads.

    Attributes
    ----------
    tokenizer : transformers tokenizer
    max_length : int
        Tokens read of each text or joint pair; what is longer is cut at its end, of a pair the longer text first.
    """

    tokenizer: Any
    max_length: int

    @property
    def pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id)

    def read(self, texts: Texts, second_texts: Texts | None = None, progress: Progress = silent) -> Tokens:
        """Tokenise texts, or pairs as one sequence each, chunk by chunk."""
        ids: list[NDArray[np.int32]] = []
        types: list[NDArray[np.uint8]] = []
        full: list[int] = []
        kept: list[int] = []
        for start in range(0, len(texts), _CHUNK):
            rows = range(start, min(start + _CHUNK, len(texts)))
            chunk = self._read_chunk(texts.take(rows), None if second_texts is None else second_texts.take(rows))
            full += chunk[2]
            kept += [len(one) for one in chunk[0]]
            ids.append(np.fromiter((token for one in chunk[0] for token in one), dtype=np.int32))
            types.append(np.fromiter((kind for one in chunk[1] for kind in one), dtype=np.uint8))
            progress(ProgressEvent("tokenise", rows.stop, len(texts)))
        counts = TokenCounts(np.asarray(full, dtype=np.int32), np.asarray(kept, dtype=np.int32))
        packed_types = np.concatenate([np.zeros(0, dtype=np.uint8), *types])
        return Tokens(
            ids=np.concatenate([np.zeros(0, dtype=np.int32), *ids]),
            types=packed_types if len(packed_types) else None,
            offsets=np.concatenate([[0], np.cumsum(counts.kept, dtype=np.int64)]),
            counts=counts,
        )

    def _read_chunk(
        self, texts: list[str], second_texts: list[str] | None
    ) -> tuple[list[list[int]], list[list[int]], list[int]]:
        """Return ids and types (empty lists where the encoder has none) of each text, and its full length."""
        ids, types = self._tokenise(texts, second_texts, cut=False)
        full = [max(1, len(one)) for one in ids]
        long = [place for place, length in enumerate(full) if length > self.max_length]
        if long:
            # Cutting is left to the tokenizer, which knows the special tokens that must stay at the end.
            seconds = None if second_texts is None else [second_texts[place] for place in long]
            cut_ids, cut_types = self._tokenise([texts[place] for place in long], seconds, cut=True)
            for place, one, kinds in zip(long, cut_ids, cut_types, strict=True):
                ids[place], types[place] = one, kinds
        for place, one in enumerate(ids):
            if not one:  # a tokenizer without special tokens leaves nothing of a text that it cannot read
                ids[place], types[place] = [self.pad_id], [0] if any(types) else []
        return ids, types, full

    def _tokenise(
        self, texts: list[str], second_texts: list[str] | None, *, cut: bool
    ) -> tuple[list[list[int]], list[list[int]]]:
        encoded = self.tokenizer(
            texts,
            second_texts,
            truncation="longest_first" if cut else False,
            max_length=self.max_length if cut else None,
            return_attention_mask=False,
            verbose=False,  # it warns of long texts, which are counted here
        )
        ids: list[list[int]] = encoded["input_ids"]
        # Only pairs have two types; a model that is given none assumes the first.
        types = encoded.get("token_type_ids") if second_texts is not None else None
        return ids, types if types is not None else [[] for _ in ids]


def length_order(lengths: IntArray) -> NDArray[np.int64]:
    """Return rows sorted by length, ties by row: the order in which texts are encoded and cached."""
    return np.argsort(lengths, kind="stable").astype(np.int64, copy=False)


def padded_width(longest: int, multiple: int, limit: int | None) -> int:
    """Round a batch's longest text up, so that few shapes occur, but never past what the encoder can place."""
    width = -(-longest // multiple) * multiple
    return width if limit is None else max(longest, min(width, limit))


def token_batches(lengths: IntArray, order: IntArray, *, multiple: int, max_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Cut rows into consecutive batches of at most ``max_tokens`` tokens with padding, at least one row each.

    Parameters
    ----------
    lengths : int array of shape (n,)
    order : int array of shape (n_rows,)
        Rows, shortest first.
    """
    start = 0
    widths = -(-np.asarray(lengths)[order] // multiple) * multiple
    while start < len(order):
        stop = start + 1
        while stop < len(order) and widths[stop] * (stop + 1 - start) <= max_tokens:
            stop += 1
        yield np.asarray(order[start:stop], dtype=np.int64)
        start = stop
