"""The map's Python side: what it sends, what it believes, and what the package ships."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from alvin_core import AlvinError, SettingsError
from dashboard.components.map import BUNDLE_ROUTES, DIST, bundle
from dashboard.components.representation_map import MapState, read_state, representation_map

HERE = DIST.parent
PICKED = {"index": 7, "view": "run/model", "round": 2, "stamp": 1_700_000_000_000}
LAYERS = dict.fromkeys(("pool", "labeled", "anchors", "segments", "selected", "other"), True)
REGION = {
    "kind": "lasso",
    "polygon": [[0, 0], [0.5, 0.0], [0.25, -0.5]],
    "view": "run/model",
    "round": 2,
    "revision": "ab12",
    "codes_revision": "cd34",
    "hidden": [1, 255],
    "layers": LAYERS,
    "count": 12,
    "stamp": 5,
}
DATA: dict[str, Any] = {
    "view": "run/model",
    "round": 0,
    "n": 3,
    "positions": "/p.bin",
    "revision": "p",
    "place_note": "",
    "codes": {},
    "marks": {},
    "anchors": None,
    "layers": LAYERS,
    "other_label": "",
    "texts": "/t/",
    "focus": None,
    "lit": [],
    "mode": "pan",
    "link": None,
    "kept": None,
    "searching": False,
    "label": "three points",
    "height": 300,
}


def test_a_click_and_a_region_are_read_as_they_were_sent() -> None:
    state = read_state({"picked": PICKED, "region": REGION, "webgl": True}, n=8)
    assert (state.picked, state.picked_view, state.picked_round, state.picked_stamp) == (
        7,
        "run/model",
        2,
        PICKED["stamp"],
    )
    assert state.region == REGION
    assert state.webgl


def test_nothing_sent_is_nothing_done_on_a_map_that_works() -> None:
    assert read_state({}) == read_state(None) == MapState(picked=None, region=None, webgl=True)


def test_only_false_says_that_webgl_is_missing() -> None:
    assert not read_state({"webgl": False}).webgl
    assert read_state({"webgl": None}).webgl
    assert read_state({"webgl": 0}).webgl


@pytest.mark.parametrize("index", [-1, 8, 7.0, "7", True, None, [7], 2**60, float("nan")])
def test_an_index_that_is_not_on_the_map_is_no_click(index: object) -> None:
    assert read_state({"picked": PICKED | {"index": index}}, n=8).picked is None


@pytest.mark.parametrize("rubbish", [3, "x", [], [1], {"index": 1}, PICKED | {"view": 3}, PICKED | {"view": "x" * 999}])
def test_rubbish_in_place_of_a_click_is_ignored(rubbish: object) -> None:
    assert read_state({"picked": rubbish}) == MapState()


@pytest.mark.parametrize(
    "polygon",
    [
        None,
        "0,0 1,1 2,2",
        [[0, 0], [1, 1]],
        [[0, 0], [1, 1], [2]],
        [[0, 0], [1, 1], [2, 3, 4]],
        [[0, 0], [1, 1], [2, float("nan")]],
        [[0, 0], [1, 1], [2, float("inf")]],
        [[0, 0], [1, 1], [2, 1e9]],
        [[0, 0], [1, 1], [2, "3"]],
        [[0, 0], [1, 1], [True, False]],
        [[0, 0]] * 2_001,
        {"0": [0, 0]},
    ],
)
def test_a_polygon_that_is_none_makes_no_region(polygon: object) -> None:
    assert read_state({"region": REGION | {"polygon": polygon}}).region is None


def test_a_polygon_of_two_thousand_vertices_is_taken() -> None:
    polygon = [[i / 2_000, (i % 2) / 2] for i in range(2_000)]
    region = read_state({"region": REGION | {"polygon": polygon}}).region
    assert region is not None
    assert region["polygon"] == polygon


@pytest.mark.parametrize(
    "part",
    [
        {"kind": "star"},
        {"hidden": [256]},
        {"hidden": [-1]},
        {"hidden": ["a"]},
        {"hidden": list(range(256)) * 2},
        {"layers": {"pool": True}},
        {"layers": LAYERS | {"pool": 1}},
        {"round": -1},
        {"round": "2"},
        {"revision": None},
        {"count": 1.5},
        {"stamp": None},
    ],
)
def test_a_region_with_one_part_wrong_is_ignored_whole(part: dict[str, object]) -> None:
    assert read_state({"region": REGION | part}).region is None


def test_what_nobody_asked_for_does_not_get_through_with_a_region() -> None:
    region = read_state({"region": REGION | {"extra": "<script>"}}).region
    assert region is not None
    assert "extra" not in region


@pytest.mark.parametrize("name", sorted(DATA))
def test_data_that_lack_a_field_are_refused_by_its_name(name: str) -> None:
    with pytest.raises(SettingsError, match=f"lack '{name}'"):
        representation_map({field: value for field, value in DATA.items() if field != name}, key="map")


@pytest.mark.parametrize(
    ("name", "value"), [("n", "3"), ("n", True), ("focus", 1.5), ("anchors", []), ("searching", 0), ("label", None)]
)
def test_data_of_a_wrong_type_are_refused_with_both_types(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"'{name}' is a {type(value).__name__}"):
        representation_map(DATA | {name: value}, key="map")


def test_a_share_of_neighbours_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(SettingsError, match="finite"):
        representation_map(DATA | {"kept": float("nan")}, key="map")


def _page() -> None:
    import json

    import streamlit as st

    from dashboard.components.representation_map import representation_map

    state = representation_map(json.loads(st.session_state["data"]), key="map")
    st.write(f"picked {state.picked}, region {state.region}, webgl {state.webgl}")


def test_a_page_mounts_the_map_with_a_loader_instead_of_the_whole_script() -> None:
    page = AppTest.from_function(_page)
    page.session_state["data"] = json.dumps(DATA)
    page.run()
    assert not page.exception
    assert page.markdown[0].value == "picked None, region None, webgl True"
    mounted = next(element.proto for element in page.main if element.type == "bidi_component")
    assert bundle().address in mounted.js_content
    assert len(mounted.js_content) < 400
    assert len(mounted.css_content) < 8_000
    assert json.loads(mounted.json)["label"] == "three points"


def test_the_script_is_served_once_and_for_ever_under_its_hash() -> None:
    client = TestClient(Starlette(routes=BUNDLE_ROUTES))
    answer = client.get(bundle().address)
    assert answer.status_code == 200
    assert answer.content == bundle().js == (DIST / "map.js").read_bytes()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/api/assets/map-0123456789abcdef.js").status_code == 404


def test_a_package_without_its_bundle_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AlvinError, match=r"map\.js.*check\.sh"):
        bundle(tmp_path)


def test_the_bundle_is_one_module_that_imports_nothing_and_reaches_no_other_host() -> None:
    js = bundle().js.decode()
    assert re.search(r"export\s*\{[^}]*as default", js)
    assert not re.search(r"\bimport\s*[{*\"']", js)
    hosts = set(re.findall(r"https?://([\w.-]+)", js))
    assert hosts <= {
        "www.w3.org",
        "github.com",
        "observablehq.com",
        "get.webgl.org",
        "www.npmjs.com",
    }  # in comments and messages
    assert "eval(" not in js


def test_every_bundled_package_is_named_with_its_version_and_licence() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    listed = (HERE / "THIRD_PARTY_LICENSES.txt").read_text(encoding="utf-8")
    bundled = {
        path.split("node_modules/")[-1]: about["version"]
        for path, about in lock["packages"].items()
        if path and not about.get("dev") and not about.get("optional")
    }
    assert {"regl-scatterplot", "regl", "pub-sub-es", "gl-matrix", "earcut"} <= set(bundled)
    for name, version in bundled.items():
        assert re.search(rf"^{re.escape(name)} [\d.]+ \((MIT|ISC|BSD[\w-]*)\)$", listed, re.M), name
        assert version in listed
    assert "kdbush" in listed


def test_every_dependency_is_pinned_to_one_version() -> None:
    package = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    versions = package["dependencies"] | package["devDependencies"]
    assert versions["regl-scatterplot"] == "1.16.0"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())


def test_no_source_writes_html() -> None:
    sources = list((HERE / "src").glob("*.ts"))
    assert sources
    for source in sources:
        text = source.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), source.name
