"""Texts searched where they lie packed: a substring in any case, or a regular expression that cannot run away."""

from __future__ import annotations

import re
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from alvin_core.data.dataset import Texts
from alvin_core.errors import DataError
from alvin_core.run.handle import RunHandle
from alvin_core.types import BoolArray

__all__ = ["holds_text", "search_pool", "search_texts"]

KEPT_DATASETS = 2  # whose folded texts stay in memory
LONGEST_REGEX = 500  # characters
MOST_STATES = 500  # of a regular expression with its counted repetitions written out
SECONDS = 3.0
BYTES_AT_ONCE = 262_144  # searched between two looks at the clock

_TOKEN = re.compile(
    r"(?P<open>\((?:\?(?:P?<\w+>|[a-zA-Z-]*:))?)|(?P<close>\))|\{(?P<least>\d+)(?:,(?P<most>\d*))?\}|(?P<sign>[?*+|^$])"
    r"|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.",
    re.DOTALL,
)

_folded: OrderedDict[tuple[str, str], list[Any]] = OrderedDict()
_folding = threading.Lock()


def search_pool(handle: RunHandle, text: str, *, regex: bool = False) -> BoolArray:
    r"""Return which pool examples hold a text.

    Parameters
    ----------
    handle : RunHandle
    text : str
        Searched in either text of a pair. Nothing but white space finds nothing.
    regex : bool
        Take it as a regular expression, in the syntax of RE2.

    Returns
    -------
    bool array of shape (n_pool,)
        In the order of `Run.map_columns`.

    Raises
    ------
    DataError
        When the regular expression is none, is too large, or takes too long.

    Notes
    -----
    Plain texts are compared as Unicode compares without case (NFKC, then full case folding): ``STRASSE`` finds
    ``Straße``, an accent written as a character of its own finds the joined one. A regular expression ignores case
    letter by letter. It is searched by RE2, whose time grows with the text and not with the ways to match it; what
    that needs to be true, no backreferences and no lookaround, is refused.
    """
    rows = handle.stored_dataset.rows_of("pool")
    return search_texts(handle, text, regex=regex)[rows]


def search_texts(handle: RunHandle, text: str, *, regex: bool = False) -> BoolArray:
    """Return which examples of the stored data set hold a text, whatever their split; else as `search_pool`."""
    if not text.strip() or any("\ud800" <= one <= "\udfff" for one in text):  # half a character is in no text
        return np.zeros(len(handle.stored_dataset), dtype=bool)
    return _matches(handle, text) if regex else _substrings(handle, text)


def holds_text(texts: Sequence[str], text: str) -> bool:
    """Return whether one example's texts hold a text, by the rule of `search_texts`."""
    return any(_fold(text) in _fold(one) for one in texts) if text.strip() else False


def _columns(handle: RunHandle) -> list[Texts]:
    dataset = handle.stored_dataset
    return [dataset.texts] if dataset.second_texts is None else [dataset.texts, dataset.second_texts]


def _substrings(handle: RunHandle, text: str) -> BoolArray:
    import pyarrow.compute as pc

    wanted = _fold(text)
    found = np.zeros(len(handle.stored_dataset), dtype=bool)
    for column in _folded_columns(handle):
        found |= pc.match_substring(column, wanted).to_numpy(zero_copy_only=False)
    return found


def _folded_columns(handle: RunHandle) -> list[Any]:
    """Return the folded texts of a data set, made once: folding takes longer than searching."""
    key = (str(handle.store.path), handle.row.dataset)  # a data set is named by its content
    with _folding:
        if key not in _folded:
            _folded[key] = [_fold_column(texts) for texts in _columns(handle)]
        _folded.move_to_end(key)
        while len(_folded) > KEPT_DATASETS:
            _folded.popitem(last=False)
        return _folded[key]


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _fold_column(texts: Texts) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = _arrow(texts)
    is_ascii = pc.string_is_ascii(column)
    lowered = pc.ascii_lower(column)
    others = pc.invert(is_ascii)
    if not pc.any(others).as_py():
        return lowered
    folded = [_fold(one) for one in column.filter(others).to_pylist()]
    return pc.replace_with_mask(lowered, others, pa.array(folded, pa.large_string()))


def _arrow(texts: Texts) -> Any:
    """Return a packed column as Arrow sees it, without a copy."""
    import pyarrow as pa

    offsets, blob = np.ascontiguousarray(texts.offsets), np.ascontiguousarray(texts.blob)
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(blob))


def _matches(handle: RunHandle, pattern: str) -> BoolArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    _check_size(pattern)
    composed = unicodedata.normalize("NFC", pattern)
    found = np.zeros(len(handle.stored_dataset), dtype=bool)
    end = time.monotonic() + SECONDS
    for texts in _columns(handle):
        column = _arrow(texts)
        for start, stop in _stretches(texts):
            if time.monotonic() > end:
                raise DataError(
                    f"the regular expression took longer than {SECONDS:g} s, at text {start:,} of {len(texts):,}; "
                    "write it with fewer repetitions, or search for a plain text"
                )
            part = pc.utf8_normalize(column[start:stop], form="NFC")
            try:
                hits = pc.match_substring_regex(part, composed, ignore_case=True)
            except pa.ArrowInvalid as error:
                raise DataError(_not_a_regex(error)) from error
            found[start:stop] |= hits.to_numpy(zero_copy_only=False)
    return found


def _stretches(texts: Texts) -> Iterator[tuple[int, int]]:
    """Cut a column into stretches (start, stop) of few bytes, each of one text at least."""
    start = 0
    while start < len(texts):
        stop = int(np.searchsorted(texts.offsets, texts.offsets[start] + BYTES_AT_ONCE, side="right")) - 1
        stop = min(max(stop, start + 1), len(texts))
        yield start, stop
        start = stop


def _check_size(pattern: str) -> None:
    """Refuse what would take long even in time that only grows with the text: it also grows with the pattern."""
    if len(pattern) > LONGEST_REGEX:
        raise DataError(
            f"the regular expression has {len(pattern):,} characters, at most {LONGEST_REGEX} are searched; shorten it"
        )
    n_states = _count_states(pattern)
    if n_states > MOST_STATES:
        raise DataError(
            f"the regular expression comes to {n_states:,} steps with its repetitions written out, at most "
            f"{MOST_STATES} are searched; lower the numbers in braces"
        )


def _count_states(pattern: str) -> int:
    """Count characters and classes, each as often as its counted repetitions, nested ones multiplied, say."""
    totals, last = [0], 0
    for token in _TOKEN.finditer(pattern):
        if token["open"]:
            totals.append(0)
        elif token["close"]:
            last = totals.pop()
            totals = totals or [0]  # one ) too many is RE2's to refuse
            totals[-1] += last
        elif token["least"]:
            times = max(int(token["least"]), int(token["most"] or 0), 1)
            totals[-1] += last * (times - 1)
            last *= times
        elif not token["sign"]:
            last = 1
            totals[-1] += 1
    return sum(totals)


def _not_a_regex(error: Exception) -> str:
    reason = str(error).removeprefix("Invalid regular expression: ")
    hint = "; lookaround and backreferences are not supported" if "perl operator" in reason or "\\" in reason else ""
    return f"the regular expression cannot be read: {reason}{hint}; correct it, or search for it as a plain text"
