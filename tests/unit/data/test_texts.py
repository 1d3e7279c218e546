"""Texts packed into bytes, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from alvin_core.data import dataset
from alvin_core.data.dataset import Texts

CASES = [
    ["a", "bb", "", "ccc"],
    ["é", "b"],
    ["x" * 200, "y"],
    ["", ""],
    ["a\0b", "c"],
    ["one"],
]


@pytest.mark.parametrize("texts", CASES)
def test_texts_become_the_strings_that_numpy_makes_of_them(texts: list[str]) -> None:
    strings = Texts.pack(texts).to_strings()
    expected = np.asarray(texts, dtype=np.str_)
    assert strings.dtype == expected.dtype
    assert strings.tolist() == expected.tolist()


@given(some.lists(some.text(some.characters(codec="utf-8"), max_size=9), max_size=9))
def test_what_is_packed_comes_out_as_it_went_in(texts: list[str]) -> None:
    packed = Texts.pack(texts)
    assert list(packed) == [packed[row] for row in range(len(packed))] == texts
    assert packed.to_strings().tolist() == np.asarray(texts, dtype=np.str_).tolist()


def test_a_stream_longer_than_is_held_at_once_is_packed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "PACKED_AT_ONCE", 3)
    assert list(Texts.pack(str(number) for number in range(10))) == list("0123456789")


@given(some.lists(some.text(some.characters(codec="utf-8"), max_size=9), max_size=9))
def test_an_array_of_strings_is_packed_as_its_strings_are(texts: list[str]) -> None:
    strings = np.asarray(texts, dtype=np.str_)
    packed, expected = Texts.of_strings(strings), Texts.pack(strings.tolist())
    assert packed.blob.tobytes() == expected.blob.tobytes()
    assert packed.offsets.tolist() == expected.offsets.tolist()
    assert packed.digest() == expected.digest()


@pytest.mark.parametrize("texts", [*CASES, ["\0a", "b"], ["ab", "c", "", "d", "efg"]])
@pytest.mark.parametrize("how", ["whole", "every second", "other byte order", "objects"])
def test_arrays_of_strings_are_packed_in_any_layout(
    texts: list[str], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "PACKED_AT_ONCE", 2)
    strings = np.asarray(texts, dtype=np.str_)
    layouts = {
        "every second": strings[::2],
        "other byte order": strings.astype(">U200"),
        "objects": strings.astype(object),
    }
    strings = layouts.get(how, strings)
    assert Texts.of_strings(strings).digest() == Texts.pack(strings.tolist()).digest()
