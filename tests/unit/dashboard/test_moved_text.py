"""The figure of a changed text among its neighbours."""

from __future__ import annotations

import numpy as np

from dashboard.figures.moved import MOST_AROUND, Neighbour, moved_text
from dashboard.palette import DARK

PLACES = np.array([[0, 0], [1, 0], [0, 1], [5, 5], [5, 6], [-40, 40]], dtype=np.float32)
NEIGHBOURS = [
    Neighbour(1, "was near", True, False),
    Neighbour(2, "is <b>near</b> in both", True, True),
    Neighbour(3, "is near now", False, True),
]


def test_both_places_and_every_neighbour_are_in_the_window_each_by_its_own_sign() -> None:
    figure = moved_text(PLACES, (0.2, 0.2), (5.0, 5.5), NEIGHBOURS, look=DARK)
    named = {trace.name: trace for trace in figure.data if trace.name}
    assert list(named) == ["near before", "near both", "near after", "before", "after"]
    assert len({trace.marker.symbol for trace in named.values()}) >= 4
    assert (named["before"].x[0], named["after"].y[0]) == (0.2, 5.5)
    (left, right), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
    for trace in named.values():
        assert all(left < x < right for x in trace.x)
        assert all(low < y < high for y in trace.y)
    assert left > -40  # what is far off does not make all else a speck
    assert len(figure.data[0].x) == 5
    arrow = figure.layout.annotations[0]
    assert (arrow.ax, arrow.ay, arrow.x, arrow.y) == (0.2, 0.2, 5.0, 5.5)
    assert figure.layout.paper_bgcolor == DARK.card
    assert "<b>" not in named["near both"].text[0]


def test_a_text_that_was_not_changed_has_no_arrow() -> None:
    figure = moved_text(PLACES, (0.2, 0.2), None, NEIGHBOURS[:1])
    assert [trace.name for trace in figure.data if trace.name] == ["nearest", "this text"]
    assert not figure.layout.annotations


def test_of_many_points_some_are_drawn_and_the_window_is_never_empty() -> None:
    many = np.random.default_rng(0).normal(size=(20_000, 2)).astype(np.float32)
    figure = moved_text(many, (0.0, 0.0), None, [])
    assert 0 < len(figure.data[0].x) <= MOST_AROUND
    assert figure.layout.xaxis.range[0] < 0 < figure.layout.xaxis.range[1]
    assert moved_text(many[:1], (0.0, 0.0), None, []).layout.xaxis.range[0] < 0
