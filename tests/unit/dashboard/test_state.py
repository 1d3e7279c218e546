"""What an address is read as, without a store or a browser."""

from __future__ import annotations

import pytest

from dashboard.colouring import COLOURINGS
from dashboard.state import COLORS, PAGES, SPACES, read_wish


def test_an_empty_address_is_the_first_page_with_the_defaults() -> None:
    wish = read_wish({})
    assert (wish.run, wish.round_no, wish.page, wish.example, wish.search) == (None, None, "explore", None, "")
    assert (wish.color, wish.space, wish.annotator) == ("class", "model", "person")
    assert wish.problems == ()


def test_a_whole_address_is_read_as_it_stands() -> None:
    wish = read_wish(
        {
            "run": "first",
            "round": "2",
            "page": "label",
            "example": "e<b>1</b>",
            "color": "entropy",
            "space": "encoder",
            "q": "$x^2$ & more",
            "annotator": " Ada ",
        }
    )
    assert (wish.run, wish.round_no, wish.page, wish.example) == ("first", 2, "label", "e<b>1</b>")
    assert (wish.color, wish.space, wish.search, wish.annotator) == ("entropy", "encoder", "$x^2$ & more", "Ada")
    assert wish.problems == ()


@pytest.mark.parametrize("text", ["two", "-1", "1.5", "²", "٣", "9" * 10, "0x1", "1e3", " 1", "1\n"])
def test_a_round_that_is_no_number_is_a_problem_and_no_round(text: str) -> None:
    wish = read_wish({"round": text})
    assert wish.round_no is None
    assert len(wish.problems) == 1
    assert "no number" in wish.problems[0]


@pytest.mark.parametrize(("name", "choices"), [("page", PAGES), ("color", COLORS), ("space", SPACES)])
def test_an_unknown_choice_becomes_the_first_and_the_problem_names_all(name: str, choices: tuple[str, ...]) -> None:
    wish = read_wish({name: "<script>"})
    assert getattr(wish, name) == choices[0]
    assert wish.problems == (f"The address asks for {name} “<script>”; it can be {', '.join(choices)}.",)


@pytest.mark.parametrize("bad", ["a\0b", "\ud800", "x" * 2001])
def test_a_value_that_no_store_could_hold_is_left_out(bad: str) -> None:
    wish = read_wish({"run": bad, "q": bad, "example": bad, "annotator": bad})
    assert (wish.run, wish.search, wish.example, wish.annotator) == (None, "", None, "person")
    assert len(wish.problems) == 4
    assert all(bad not in problem for problem in wish.problems)


def test_a_long_wrong_value_is_cut_in_its_problem() -> None:
    (problem,) = read_wish({"page": "p" * 500}).problems
    assert len(problem) < 140


def test_the_colours_are_those_that_the_map_knows() -> None:
    assert set(COLORS) == set(COLOURINGS)
