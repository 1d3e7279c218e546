"""Points in a polygon: as a slow and exact reference has them, and only those that were on screen."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.colouring import color_by
from dashboard.regions import RegionError, points_in, read_region, region_rows

SQUARE = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]


def reference(polygon: list[tuple[float, float]], points: list[tuple[float, float]]) -> list[int]:
    """The even-odd rule in exact arithmetic: a point counts the edges to its right."""
    corners = [(Fraction(x), Fraction(y)) for x, y in polygon]
    inside = []
    for row, (px, py) in enumerate((Fraction(x), Fraction(y)) for x, y in points):
        odd = False
        for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
            if (ay > py) != (by > py) and px < ax + (py - ay) * (bx - ax) / (by - ay):
                odd = not odd
        if odd:
            inside.append(row)
    return inside


grid = st.integers(-16, 16).map(lambda step: step / 16)  # coarse, so that points fall on edges and corners
place = st.tuples(grid, grid)


@given(polygon=st.lists(place, min_size=3, max_size=12), points=st.lists(place, max_size=60))
def test_the_points_inside_are_those_of_exact_arithmetic(polygon, points) -> None:
    xy = np.array(points, dtype=np.float32).reshape(-1, 2)
    assert points_in(polygon, xy).tolist() == reference(polygon, points)


def test_many_points_in_a_polygon_that_crosses_itself_are_those_of_exact_arithmetic() -> None:
    rng = np.random.default_rng(3)
    polygon = rng.uniform(-1, 1, (40, 2))
    xy = rng.normal(0, 0.5, (2_000, 2)).astype(np.float32)
    assert points_in(polygon, xy).tolist() == reference(polygon.tolist(), xy.tolist())


@given(split=grid, points=st.lists(place, min_size=1, max_size=60))
def test_two_regions_that_share_an_edge_share_no_point_and_lose_none(split, points) -> None:
    xy = np.array(points, dtype=np.float32)
    # The square from −2 to 2, cut by a slanted line, walked in opposite directions.
    one = [(-2, -2), (split, -2), (-split, 2), (-2, 2)]
    other = [(2, 2), (-split, 2), (split, -2), (2, -2)]
    assert sorted([*points_in(one, xy), *points_in(other, xy)]) == list(range(len(points)))


def test_a_lasso_of_400_vertices_on_a_million_points_takes_a_fraction_of_a_second() -> None:
    rng = np.random.default_rng(0)
    turns, reach = np.linspace(0, 2 * np.pi, 400, endpoint=False), rng.uniform(0.6, 0.9, 400)
    xy = rng.uniform(-1, 1, (1_000_000, 2)).astype(np.float32)
    start = time.process_time()  # of this process: the machine may be busy
    rows = points_in(np.c_[reach * np.cos(turns), reach * np.sin(turns)], xy)
    assert time.process_time() - start < 0.6
    few = xy[::1000]
    corners = np.c_[reach * np.cos(turns), reach * np.sin(turns)].tolist()
    assert np.flatnonzero(np.isin(np.arange(0, 1_000_000, 1000), rows)).tolist() == reference(corners, few.tolist())


def test_left_and_lower_edges_are_inside_right_and_upper_ones_are_not() -> None:
    xy = np.array([[-0.5, 0], [0, -0.5], [0.5, 0], [0, 0.5], [-0.5, -0.5], [0.5, 0.5]], dtype=np.float32)
    assert points_in(SQUARE, xy).tolist() == [0, 1, 4]


def test_what_is_enclosed_twice_is_outside() -> None:
    star = [(np.sin(turn), np.cos(turn)) for turn in 2 * np.pi * np.arange(5) * 2 / 5]
    assert points_in(star, np.array([[0, 0], [0, 0.8]])).tolist() == [1]


def test_the_direction_and_the_start_of_a_polygon_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    polygon, xy = rng.uniform(-1, 1, (30, 2)), rng.uniform(-1, 1, (3_000, 2)).astype(np.float32)
    rows = points_in(polygon, xy).tolist()
    assert points_in(polygon[::-1], xy).tolist() == rows
    assert points_in(np.roll(polygon, 7, axis=0), xy).tolist() == rows


def test_flat_polygons_and_empty_maps_hold_nothing() -> None:
    assert points_in([[0, 0], [1, 0], [0.5, 0]], np.zeros((5, 2))).tolist() == []
    assert points_in(SQUARE, np.empty((0, 2))).tolist() == []


@pytest.mark.parametrize(
    ("polygon", "said"),
    [
        ([[0, 0], [1, 1]], "2 vertices; it needs 3 to 2,000"),
        ([[0, 0]] * 2_001, "2,001 vertices"),
        ([[0, 0], [1, np.nan], [1, 0]], "not finite"),
        ([[0, 0], [1, 1e300], [1, 0]], "farther out"),
        ([[0, 0, 0], [1, 1, 1], [2, 2, 2]], "shape"),
        ("lasso", "not pairs of numbers"),
    ],
)
def test_a_polygon_that_is_none_is_refused(polygon, said: str) -> None:
    with pytest.raises(RegionError, match=said):
        points_in(polygon, np.zeros((3, 2)))


@pytest.fixture
def xy() -> np.ndarray:
    """Points 0 to 7 in the square, 8 and 9 outside it."""
    return np.array([[0.05 * row, 0.1] for row in range(8)] + [[0.9, 0.9], [-0.9, 0]], dtype=np.float32)


def drawn(codes, **given: Any) -> dict[str, Any]:
    layers = dict.fromkeys(("pool", "labeled", "anchors", "segments", "selected"), True) | {"other": False}
    return {
        "kind": "box", "polygon": SQUARE, "view": "v", "round": 2, "revision": "r1", "codes_revision": codes.revision,
        "hidden": [], "layers": layers | given.pop("layers", {}), "count": 8, "stamp": 1, **given,
    }  # fmt: skip


def rows_of(columns, xy, how: str = "class", other: str | None = None, **given: Any) -> list[int]:
    codes = color_by(columns, how)
    region = drawn(codes, **given)
    return region_rows(region, columns, codes, xy, round_no=2, revision="r1", other=other).tolist()


def test_a_region_holds_the_points_inside(columns, xy) -> None:
    assert rows_of(columns, xy) == list(range(8))


def test_what_the_legend_hid_is_left_out(columns, xy) -> None:
    assert color_by(columns, "class").values[:8].tolist() == [0, 1, 0, 1, 0, 0, 1, 1]
    assert rows_of(columns, xy, hidden=[1]) == [0, 2, 4, 5]
    assert rows_of(columns, xy, how="group", hidden=[255]) == [0, 1, 2, 3]


def test_a_layer_that_was_off_is_left_out(columns, xy) -> None:
    assert rows_of(columns, xy, layers={"labeled": False}) == [4, 5, 6, 7]
    assert rows_of(columns, xy, layers={"pool": False, "selected": False}) == [0, 1, 2, 3]


def test_a_ringed_point_is_on_screen_though_the_pool_is_off(columns, xy) -> None:
    assert rows_of(columns, xy, layers={"pool": False}) == [0, 1, 2, 3, 4, 5]  # 4 and 5 were selected
    off = {"pool": False, "labeled": False, "selected": False, "other": True}
    assert rows_of(columns, xy, layers=off, other="entropy") == [4, 7]  # entropy's two best


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"round": 1}, "drawn on round 1, the map shows round 2"),
        ({"revision": "r0"}, "the map has moved since"),
        ({"hidden": [1], "codes_revision": "old"}, "colours that have changed since"),
        ({"kind": "circle"}, "'circle' is unknown"),
        ({"polygon": [[0, 0], [1, "x"], [1, 0]]}, "vertex \\[1, 'x'\\]"),
        ({"polygon": [[0, 0], [1, float("inf")], [1, 0]]}, "not a pair of finite numbers"),
        ({"polygon": [[0, 0], [1, True], [1, 0]]}, "not a pair of finite numbers"),
        ({"polygon": [[0, 0], [1, 10**400], [1, 0]]}, "finite"),
        ({"polygon": {"0": [0, 0]}}, "dict, not a list"),
        ({"polygon": [[0, 0]] * 5_000}, "5,000 vertices"),
        ({"round": "2"}, "round is '2'"),
        ({"round": True}, "round is True"),
        ({"view": None}, "view is None"),
        ({"hidden": [256]}, "from 0 to 255"),
        ({"hidden": "12"}, "from 0 to 255"),
        ({"hidden": 7}, "from 0 to 255"),
        ({"layers": {"pool": "yes"}}, "true or false"),
    ],
)
def test_a_region_of_another_map_or_a_malformed_one_is_refused(columns, xy, given, said: str) -> None:
    with pytest.raises(RegionError, match=said):
        rows_of(columns, xy, **given)


def test_a_region_of_a_run_with_the_same_places_such_as_a_fork_is_refused(columns, xy) -> None:
    codes = color_by(columns, "class")
    asked = {"round_no": 2, "revision": "r1"}
    assert len(region_rows(drawn(codes), columns, codes, xy, view="v", **asked)) == 8
    with pytest.raises(RegionError, match="another run or space"):
        region_rows(drawn(codes), columns, codes, xy, view="w", **asked)


def test_a_region_drawn_before_the_colours_changed_holds_when_nothing_was_hidden(columns, xy) -> None:
    assert rows_of(columns, xy, codes_revision="old") == list(range(8))


@given(value=st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["kind", "polygon", "view", "round", "revision", "codes_revision", "hidden", "layers"]), inner
    ),
    max_leaves=12,
))  # fmt: skip
def test_whatever_a_browser_sends_is_read_or_refused_in_one_line(value) -> None:
    with pytest.raises(RegionError, match=r"^[^\n]+$"):
        read_region(value)
