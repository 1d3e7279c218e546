"""Filters: what passes, and their way through the address."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from alvin_core import MapColumns
from dashboard import filtering
from dashboard.filtering import STATUSES, Filter, matches, read_filter, write_filter


def held(columns: MapColumns, chosen: Filter) -> list[int]:
    mask = matches("run", columns, "", chosen)
    assert mask is not None
    return np.flatnonzero(mask).tolist()


def test_without_a_search_and_a_filter_there_is_no_match_to_show(columns: MapColumns) -> None:
    assert matches("run", columns, "", Filter()) is None
    assert not Filter()


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Filter(predicted=("positive",)), [2, 3, 6, 7]),
        (Filter(label=("negative",)), [0, 2]),
        (Filter(label=("negative", "positive")), [0, 1, 2, 3, 9]),  # 9 was labeled since
        (Filter(attribute=("romance",)), [2, 5, 8]),
        (Filter(status=("labeled",)), [0, 1, 2, 3, 9]),
        (Filter(status=("unlabeled",)), [4, 5, 6, 7, 8]),
        (Filter(status=("selected", "minority")), [1, 4, 5]),
        (Filter(status=("majority",)), [0, 2, 3]),
        (Filter(status=("wrong",)), [1, 2]),
        (Filter(predicted=("positive",), status=("selected", "wrong")), [2]),
    ],
)
def test_values_of_a_column_are_alternatives_and_columns_must_all_hold(
    columns: MapColumns, chosen: Filter, expected: list[int]
) -> None:
    assert held(columns, chosen) == expected


def test_a_search_and_a_filter_must_both_hold(columns: MapColumns, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def search(text: str) -> np.ndarray:
        asked.append(text)
        return np.arange(10) % 2 == 0

    monkeypatch.setattr(filtering.data, "opened", lambda run_id: SimpleNamespace(search=search))
    filtering._found.cache_clear()
    mask = matches("a run of this test", columns, "word", Filter(predicted=("positive",)))
    assert mask is not None
    assert np.flatnonzero(mask).tolist() == [2, 6]
    matches("a run of this test", columns, "word", Filter())
    assert asked == ["word"], "texts never change: each search is done once"


def test_a_slice_holds_its_members_and_two_slices_those_of_either(
    columns: MapColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"great": [1, 4], "not": [4, 7]}

    def slice_members(name: str) -> np.ndarray:
        is_member = np.zeros(columns.rows.max() + 1, dtype=bool)  # a slice knows rows of the data set, not of the map
        is_member[columns.rows[places[name]]] = True
        return is_member

    monkeypatch.setattr(filtering.data, "opened", lambda run_id: SimpleNamespace(slice_members=slice_members))
    assert held(columns, Filter(slice=("great",))) == [1, 4]
    assert held(columns, Filter(slice=("great", "not"))) == [1, 4, 7]
    assert held(columns, Filter(slice=("great", "not"), predicted=("positive",))) == [7]


def test_a_slice_that_is_gone_is_left_out_of_the_filter_of_an_address(columns: MapColumns) -> None:
    chosen = Filter(slice=("great",), status=("wrong",))
    assert read_filter(write_filter(chosen), columns, ("good", "great")) == chosen
    assert read_filter(write_filter(chosen), columns, ("good",)) == Filter(status=("wrong",))


def test_a_filter_comes_back_from_the_address_as_it_was(make_columns: Callable[..., MapColumns]) -> None:
    columns = make_columns(classes=('a&b="c"', "<b>שלום</b>"))
    chosen = Filter(predicted=('a&b="c"',), label=("<b>שלום</b>",), attribute=("horror",), status=("wrong",))
    assert read_filter(write_filter(chosen), columns) == chosen
    assert write_filter(Filter()) == ""


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"predicted":"positive"}', '{"status":[["wrong"],3,{}]}', "[" * 5_000]
)
def test_an_address_without_a_readable_filter_has_none(columns: MapColumns, text: str) -> None:
    assert read_filter(text, columns) == Filter()


def test_values_of_another_run_are_left_out_rather_than_hiding_everything(columns: MapColumns) -> None:
    read = read_filter('{"predicted":["entailment","positive"],"status":["wrong"],"colour":["red"]}', columns)
    assert read == Filter(predicted=("positive",), status=("wrong",))


def test_every_status_can_be_asked_for(columns: MapColumns) -> None:
    for status in STATUSES:
        held(columns, Filter(status=(status,)))
