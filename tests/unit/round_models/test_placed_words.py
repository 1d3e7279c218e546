from __future__ import annotations

import pytest

from alvin_core.run.words import placed_words, text_without


def pieces(text: str) -> list[str]:
    return [one.text if one.is_word else f"<{one.text}>" for one in placed_words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Not good, at all...", ["Not", "good", "<,>", "at", "all", "<...>"]),
        ("It's a well-made 2nd part -- 'so'", ["It's", "a", "well-made", "2nd", "part", "<-->", "<'>", "so", "<'>"]),
        ("3.5/5 :-)", ["3", "<.>", "5", "</>", "5", "<:-)>"]),
        ("北京很好", ["北", "京", "很", "好"]),
        ("हिन्दी cafe\u0301", ["हिन्दी", "cafe\u0301"]),
        ("ok😀", ["ok", "<😀>"]),
        (" \n", []),
        ("", []),
    ],
)
def test_a_text_is_cut_into_words_and_signs(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_places_are_those_of_the_text_and_all_but_white_space_is_in_one() -> None:
    text = "  Straße, don't\t北京 — ok!"
    found = placed_words(text)
    assert [text[one.start : one.end] for one in found] == [one.text for one in found]
    covered = {at for one in found for at in range(one.start, one.end)}
    assert covered == {at for at, character in enumerate(text) if not character.isspace()}


def test_a_word_is_taken_out_with_the_white_space_before_it() -> None:
    text = "A good film, good to see"
    words = placed_words(text)
    assert text_without(text, [words[1]]) == "A film, good to see"
    assert text_without(text, [words[4]]) == "A good film, to see"
    assert text_without(text, [words[4], words[1]]) == "A film, to see"
    assert text_without(text, [words[0]]) == "good film, good to see"
    assert text_without(text, words) == ""
    assert text_without(f" {text} ", []) == f" {text} "
