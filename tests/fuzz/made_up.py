"""Bad input that several targets share: texts, values, mutations of good bytes, and tables as files."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

__all__ = ["bytes_near", "json_values", "nasty_texts", "numbers", "params_near", "parquet_of", "scalars", "texts"]

# What readers and writers trip over.
CONTROLS = ("", " ", "\0", "\n", "\r", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff", "\u202e", "\u200b")
LETTERS = ("\ud800", "\udfff", "\U0010ffff", "😀", "مرحبا", "é", "e\u0301", "²", "٣", "\N{FULLWIDTH EQUALS SIGN}1")
CODE = ("=1+1", "@SUM(A1)", "-2+3", "'", '"', '""', ",", ";", "|", "\\", "%s", "{}", "{0.__class__}", "$(id)", "<b>")
PLACES = ("/", "..", "../../x", "~", "~nobody/x", "con", "a.b.c", "hf:", "recipe:", "x" * 300)
VALUES = ("nan", "NaN", "null", "None", "true", "1", "1.0", "01", "-0", "1e999", "inf", "9" * 400, "9" * 5000)
NAMES = ("pool", "test", "ood:", "ood:x", "train", "text", "label", "id", "split", "[" * 500, "{" * 500)
NASTY = (*CONTROLS, *LETTERS, *CODE, *PLACES, *VALUES, *NAMES)

nasty_texts = st.sampled_from(NASTY)
texts = st.one_of(
    nasty_texts,
    st.text(max_size=20),
    st.text(alphabet=st.characters(codec=None), max_size=8),  # halves of characters too
    st.lists(nasty_texts, min_size=2, max_size=4).map("".join),
)
numbers = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**400, 10**4000]),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)


def params_near(good: dict[str, Any], names: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Make parameters: good ones of which some are replaced, left out or added."""
    replaced = st.dictionaries(st.sampled_from([*names]) | texts, json_values, max_size=4)
    left_out = st.sets(st.sampled_from([*good] or [""]), max_size=2)
    return st.builds(
        lambda new, gone: {k: v for k, v in {**good, **new}.items() if k not in gone or k in new}, replaced, left_out
    )


def bytes_near(seeds: Sequence[bytes], *, words: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """Make bytes: raw ones, and good ones with bytes changed, cut out, doubled, swapped or put in."""
    mutated = st.builds(
        lambda which, how_many, start: _mutated(seeds[which], how_many, start, words),
        st.integers(0, len(seeds) - 1),
        st.integers(1, 6),
        st.integers(0, 2**32 - 1),
    )
    return st.one_of(mutated, mutated, mutated, st.binary(max_size=80))


def _mutated(data: bytes, how_many: int, start: int, words: Sequence[bytes]) -> bytes:
    rng, made = random.Random(start), bytearray(data)
    for _ in range(how_many):
        at = rng.randrange(len(made) + 1)
        length = min(rng.choice((1, 1, 2, 4, 8, 40, 400)), len(made) - at)
        kind = rng.randrange(8)
        if kind == 0 and length:
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            made[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            del made[at : at + length]
        elif kind == 3:
            made[at:at] = made[at : at + length] * rng.randrange(1, 5)
        elif kind == 4 and rng.random() < 0.3:
            del made[at:]
        elif kind == 5:
            made[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x01\0\0\0"))
        elif kind == 6:
            made[at:at] = rng.choice((*words, json.dumps(rng.choice(NASTY)).encode(), b"\xff", b"\0", b"\xed\xa0\x80"))
        else:
            other = rng.randrange(len(made) + 1)
            made[at : at + length] = made[other : other + length]
    return bytes(made)


def parquet_of(table: pa.Table, **options: Any) -> bytes:
    """Write a table as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()
