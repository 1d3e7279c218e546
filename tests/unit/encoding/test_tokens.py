from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.data.dataset import Texts
from alvin_core.encoding.tokens import TextReader, TokenCounts, length_order, padded_width, token_batches
from alvin_core.encoding.transformer import Encoder


def test_a_text_of_m_words_has_m_plus_two_tokens_and_comes_back(encoder: Encoder) -> None:
    tokens = encoder.reader.read(Texts.pack(["a b c", "d"]))
    assert tokens.offsets.tolist() == [0, 5, 8]
    words = encoder.reader.tokenizer.convert_ids_to_tokens(tokens.ids.tolist())
    assert words == ["[CLS]", "a", "b", "c", "[SEP]", "[CLS]", "d", "[SEP]"]
    assert tokens.types is None
    assert tokens.ids.dtype == np.int32


def test_a_long_text_is_cut_keeps_its_last_special_token_and_is_counted(encoder: Encoder) -> None:
    reader = TextReader(encoder.reader.tokenizer, max_length=8)
    tokens = reader.read(Texts.pack(["a b", " ".join("abcdefghijklmnopqr"), "c"]))
    assert tokens.counts.full.tolist() == [4, 20, 3]
    assert tokens.lengths.tolist() == [4, 8, 3]
    cut = reader.tokenizer.convert_ids_to_tokens(tokens.ids[4:12].tolist())
    assert cut == ["[CLS]", *"abcdef", "[SEP]"]
    assert tokens.counts.n_cut == 1
    assert tokens.counts.cut_share == pytest.approx(12 / 27)


def test_of_a_joint_pair_the_longer_text_is_cut_first_and_types_tell_the_two_apart(encoder: Encoder) -> None:
    reader = TextReader(encoder.reader.tokenizer, max_length=9)
    tokens = reader.read(Texts.pack(["a b", "a"]), Texts.pack([" ".join("cdefghijk"), "b"]))
    words = reader.tokenizer.convert_ids_to_tokens(tokens.ids.tolist())
    assert words == ["[CLS]", "a", "b", "[SEP]", *"cdef", "[SEP]", "[CLS]", "a", "[SEP]", "b", "[SEP]"]
    assert tokens.types is not None
    assert tokens.types.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1]
    assert tokens.counts.full.tolist() == [14, 5]


def test_padding_stands_on_the_right_and_is_masked(encoder: Encoder) -> None:
    tokens = encoder.reader.read(Texts.pack(["a b c", "d"]), Texts.pack(["e", "f"]))
    inputs = tokens.padded(np.array([1, 0]), 8, encoder.reader.pad_id)
    assert inputs["attention_mask"].tolist() == [[1] * 5 + [0] * 3, [1] * 7 + [0]]
    assert inputs["input_ids"][0, 5:].tolist() == [encoder.reader.pad_id] * 3
    assert inputs["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 0]]


def test_no_texts_at_all_are_no_tokens(encoder: Encoder) -> None:
    tokens = encoder.reader.read(Texts.pack([]))
    assert len(tokens) == len(tokens.ids) == 0
    assert tokens.counts.cut_share == 0


def test_a_text_that_leaves_no_token_is_read_as_one_padding_token(encoder: Encoder) -> None:
    class Silent:
        pad_token_id = 1

        def __call__(self, texts: list[str], *args: object, **settings: object) -> dict[str, list[list[int]]]:
            return {"input_ids": [[] if text == "?" else [7, 8] for text in texts]}

    tokens = TextReader(Silent(), max_length=8).read(Texts.pack(["a", "?"]))
    assert tokens.ids.tolist() == [7, 8, 1]
    assert tokens.lengths.tolist() == [2, 1]


def test_reading_chunk_by_chunk_changes_nothing(
    encoder: Encoder, make_texts: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = Texts.pack(make_texts(20))
    whole = encoder.reader.read(texts)
    monkeypatch.setattr("alvin_core.encoding.tokens._CHUNK", 3)
    events: list[tuple[int, int]] = []
    pieces = encoder.reader.read(texts, progress=lambda event: events.append((event.done, event.total)))
    assert np.array_equal(whole.ids, pieces.ids)
    assert np.array_equal(whole.offsets, pieces.offsets)
    assert events == [(3, 20), (6, 20), (9, 20), (12, 20), (15, 20), (18, 20), (20, 20)]


def test_counts_that_run_side_by_side_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="full=2, kept=1"):
        TokenCounts(np.array([1, 2], dtype=np.int32), np.array([1], dtype=np.int32))


@pytest.mark.parametrize(
    ("longest", "multiple", "limit", "expected"),
    [(17, 16, None, 32), (16, 16, None, 16), (17, 1, None, 17), (33, 16, 40, 40), (50, 16, 40, 50)],
)
def test_a_batch_is_padded_to_few_widths_but_never_past_the_positions(
    longest: int, multiple: int, limit: int | None, expected: int
) -> None:
    assert padded_width(longest, multiple, limit) == expected


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=80),
    multiple=st.sampled_from([1, 16]),
    max_tokens=st.integers(1, 600),
)
def test_batches_hold_every_row_once_in_order_of_length_within_the_limit(
    lengths: list[int], multiple: int, max_tokens: int
) -> None:
    array = np.asarray(lengths)
    batches = list(token_batches(array, length_order(array), multiple=multiple, max_tokens=max_tokens))
    rows = np.concatenate(batches)
    assert sorted(rows.tolist()) == list(range(len(lengths)))
    assert (np.diff(array[rows]) >= 0).all()
    for batch in batches:
        padded = -(-int(array[batch].max()) // multiple) * multiple
        assert len(batch) == 1 or len(batch) * padded <= max_tokens
