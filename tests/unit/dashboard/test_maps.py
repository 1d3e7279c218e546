"""A map's description, and the arrays at the addresses in it."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from typing import Any

import numpy as np
import pytest

from alvin_core import SettingsError
from dashboard import data, map_arrays
from dashboard.colouring import COLOURINGS, MISSING, color_by
from dashboard.map_arrays import MapGoneError, anchors_json, codes_bytes, map_marks, marks_bytes, positions_bytes
from dashboard.maps import ON_AT_FIRST, map_data


@pytest.fixture(autouse=True)
def _empty_shelves(forget_arrays) -> None:
    """Arrays of one test are not those of another."""


@pytest.fixture
def describe(run, columns, projection):
    def make(**given: Any) -> dict[str, Any]:
        return map_data(run, 2, **{"columns": columns, "projection": projection, "note": "", **given})

    return make


def served(url: str) -> bytes:
    """What the routes would answer."""
    parts = url.removeprefix("/api/maps/").split("/")
    run_id, round_no = parts[0], int(parts[1])
    if parts[2] == "codes":
        return codes_bytes(run_id, round_no, parts[3], parts[4].removesuffix(".bin"))
    if parts[2] == "marks":
        return marks_bytes(run_id, round_no, parts[3].removesuffix(".bin"))
    make = positions_bytes if parts[-1] == "positions.bin" else anchors_json
    return make(run_id, round_no, parts[2], parts[3])


def test_a_description_has_every_part_of_the_contract_and_is_plain_json(describe) -> None:
    told = describe(focus=np.int64(3), lit=[np.int32(4)], link="pair", note="PCA until UMAP is ready")
    assert set(told) == {
        "view", "round", "n", "positions", "revision", "place_note", "codes", "marks", "anchors", "layers",
        "other_label", "texts", "focus", "lit", "mode", "link", "kept", "searching", "label", "height",
    }  # fmt: skip
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["round"], told["n"], told["focus"], told["lit"]) == (2, 10, 3, [4])
    assert told["place_note"] == "PCA until UMAP is ready"
    assert told["kept"] == pytest.approx(0.31)
    assert told["layers"] == ON_AT_FIRST
    assert told["texts"] == "/api/texts/0123abcd/2/"
    assert len(json.dumps(told)) < 2_000


def test_a_description_of_twenty_classes_stays_under_eight_kilobytes(describe, make_columns) -> None:
    names = tuple(f"a class with the rather long name number {row}" for row in range(20))
    columns = make_columns(classes=names, predicted=np.arange(10, dtype=np.int16))
    assert len(json.dumps(describe(columns=columns))) < 8_000
    many = make_columns(
        n=1_000, classes=names, predicted=(np.arange(1_000) % 20).astype(np.int16), labeled=np.zeros(1_000, bool)
    )
    assert len(json.dumps(color_by(many, "class").to_dict("u"))) < 7_000


def test_the_addresses_serve_what_the_map_shows(describe, columns, projection, anchors) -> None:
    told = describe()
    places = np.frombuffer(served(told["positions"]), dtype="<f4").reshape(-1, 2)
    assert np.array_equal(places, projection.xy)
    assert served(told["codes"]["url"]) == color_by(columns, "class").values.tobytes()
    assert served(told["marks"]["url"]) == map_marks(columns).tobytes()
    drawn = json.loads(served(told["anchors"]["url"]))
    assert drawn["picks"] == [[0, 4], [1, 4], [2, 5]]
    assert (drawn["minority"], drawn["majority"]) == ([1, 1, 1], [0, 2, 3])
    assert np.allclose(drawn["xy"], anchors.xy, atol=1e-5)
    assert drawn["weight"] == [0.5, 0.25, 0.75]
    assert {name: told["anchors"][name] for name in ("n_shown", "n_linked", "n_total")} == {
        "n_shown": 3, "n_linked": 12, "n_total": 40,
    }  # fmt: skip


def test_a_point_takes_ten_bytes(describe) -> None:
    told = describe()
    urls = (told["positions"], told["codes"]["url"], told["marks"]["url"])
    assert sum(len(served(url)) for url in urls) == 10 * told["n"]


def test_marks_are_a_bit_for_each_thing_drawn_by_shape(columns) -> None:
    marks = map_marks(columns, match=np.arange(10) == 0, other="entropy", flagged=["p3"])
    assert marks.tolist() == [
        1 | 8,  # labeled, match
        1 | 2,  # labeled, minority
        1,
        1 | 32,  # flagged
        4 | 64,  # selected, entropy's second
        4,
        0,
        64,  # entropy's first
        0,  # entropy's third: beyond the budget
        16,  # labeled since
    ]


def test_marks_tell_no_group_of_an_unlabeled_point(make_columns) -> None:
    columns = make_columns(is_minority=np.ones(10, dtype=np.int8))
    assert (map_marks(columns)[4:] & 2 == 0).all()


def test_a_search_is_served_until_64_others_came(describe, columns, monkeypatch) -> None:
    monkeypatch.setattr(data, "columns", lambda run_id, round_no: columns)
    match = np.arange(10) == 6
    told = describe(match=match, color_by="match")
    assert told["searching"]
    assert np.frombuffer(served(told["codes"]["url"]), np.uint8)[6] == 0
    assert np.frombuffer(served(told["marks"]["url"]), np.uint8)[6] == 8
    for bits in range(64):
        describe(match=np.array([bits >> place & 1 for place in range(10)], dtype=bool))
    for url in (told["codes"]["url"], told["marks"]["url"]):
        with pytest.raises(MapGoneError, match="held no more"):
            served(url)
    describe(match=match, color_by="match")  # the page runs again
    assert served(told["marks"]["url"])[6] == 8


@pytest.mark.parametrize("how", [how for how in COLOURINGS if how != "match"])
def test_what_left_the_shelf_is_made_again_and_is_the_same(
    how, describe, run, columns, projection, monkeypatch
) -> None:
    told = describe(color_by=how, now=how == "class", other="entropy")
    urls = [told["positions"], told["codes"]["url"], told["marks"]["url"], told["anchors"]["url"]]
    before = [served(url) for url in urls]
    map_arrays.forget_all()
    monkeypatch.setattr(data, "columns", lambda run_id, round_no: columns)
    monkeypatch.setattr(data, "opened", lambda run_id: run)
    monkeypatch.setattr(data, "shown_projection", lambda run_id, round_no, space, ask: (projection, ""))
    assert [served(url) for url in urls] == before


def test_bytes_are_never_served_under_another_revision(describe, run, columns, projection, monkeypatch) -> None:
    told = describe()
    map_arrays.forget_all()
    moved = dataclasses.replace(projection, xy=-projection.xy)
    monkeypatch.setattr(
        data,
        "columns",
        lambda run_id, round_no: dataclasses.replace(
            columns, predicted=1 - columns.predicted, selected=~columns.selected
        ),
    )
    monkeypatch.setattr(data, "opened", lambda run_id: run)
    monkeypatch.setattr(data, "shown_projection", lambda run_id, round_no, space, ask: (moved, ""))
    for url in (told["positions"], told["codes"]["url"], told["marks"]["url"]):
        with pytest.raises(MapGoneError):
            served(url)


def test_the_places_of_an_earlier_round_have_that_rounds_address(describe, projection) -> None:
    earlier = dataclasses.replace(projection, round_no=0)
    assert "/0123abcd/0/model/" in describe(projection=earlier)["positions"]
    assert "/0123abcd/2/" in describe(projection=earlier)["codes"]["url"]


def test_the_view_stays_while_round_colour_and_places_change_and_changes_with_the_space(describe, projection) -> None:
    views = {describe(color_by="entropy")["view"], describe()["view"]}
    views.add(describe(projection=dataclasses.replace(projection, method="umap", xy=-projection.xy))["view"])
    assert len(views) == 1
    assert describe(space="encoder")["view"] not in views


def test_the_text_alternative_says_what_the_map_shows(describe) -> None:
    told = describe(match=np.arange(10) < 2)["label"]
    assert told == (
        "Map of round 2 of reviews-alvin: 10 points, 4 labeled; 1 of them minority (positive 1), 3 majority; "
        "2 selected; 3 of 40 anchors drawn; 2 match the search. Colour: Class (unlabeled: as predicted)."
    )


def test_a_strategy_without_anchors_has_none_on_its_map(describe, run, anchors) -> None:
    nothing = {
        name: getattr(anchors, name)[:0]
        for name in ("xy", "minority", "majority", "weight", "class_", "anchor", "picks")
    }
    run.map_anchors = lambda round_no, projection, most: dataclasses.replace(anchors, **nothing, n_total=0, n_linked=0)
    told = describe()
    assert told["anchors"] is None
    assert "anchors" not in told["label"]


def test_another_strategys_choice_is_named_and_on_when_asked_for(describe) -> None:
    assert describe()["other_label"] == ""
    told = describe(other="entropy")
    assert (told["other_label"], told["layers"]["other"]) == ("entropy's choice", True)
    assert not describe(other="entropy", layers={"other": False})["layers"]["other"]


def test_an_unlabeled_points_label_is_nowhere_in_what_a_browser_gets(make_columns, run, projection) -> None:
    oracle = np.where(np.arange(10) < 4, np.arange(10) % 2, 1).astype(np.int16)
    plain, leaking = make_columns(), make_columns(label=oracle, is_minority=np.ones(10, np.int8) * (oracle == 1))
    leaking = dataclasses.replace(leaking, is_minority=np.where(leaking.labeled, plain.is_minority, 1).astype(np.int8))
    for how in COLOURINGS:
        told = [
            map_data(run, 2, columns=columns, projection=projection, note="", color_by=how)
            for columns in (plain, leaking)
        ]
        assert told[0] == told[1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"other": "magic"}, "no ranking by 'magic'; it has: alvin, entropy"),
        ({"color_by": "age"}, "'age' is unknown"),
        ({"layers": {"pol": False}}, "layer 'pol' is unknown"),
        ({"focus": 10}, "point 10 is not on the map, which has 10"),
        ({"lit": [-1]}, "point -1 is not on the map"),
        ({"match": np.zeros(9, dtype=bool)}, "the search has the shape"),
    ],
)
def test_what_does_not_fit_the_map_is_refused(describe, given, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        describe(**given)


def test_a_projection_of_other_points_is_refused(describe, make_columns) -> None:
    with pytest.raises(SettingsError, match="the map has 12 points"):
        describe(columns=make_columns(n=12))


def test_columns_and_places_come_from_the_data_layer_by_default(run, columns, projection, monkeypatch) -> None:
    monkeypatch.setattr(data, "columns", lambda run_id, round_no: columns)
    monkeypatch.setattr(data, "shown_projection", lambda run_id, round_no, space, ask: (projection, "PCA; as asked"))
    told = map_data(run, 2)
    assert (told["n"], told["place_note"]) == (10, "PCA; as asked")


def test_a_million_points_are_described_in_under_a_second(make_columns, project_columns, run) -> None:
    columns = make_columns(n=1_000_000)
    projection = project_columns(columns)
    start = time.process_time()  # of this process: the machine may be busy
    told = map_data(run, 2, columns=columns, projection=projection, note="", match=columns.predicted == 1)
    assert time.process_time() - start < 1
    assert re.search("1,000,000 points", told["label"])
    assert np.frombuffer(served(told["codes"]["url"]), np.uint8).max() < MISSING
