"""What a browser sends to the pages: addresses, messages of the map and of keys, files. Nothing of it is trusted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import strategies as st
from made_up import json_values, params_near, scalars, texts
from routes_client import client_of
from starlette.testclient import TestClient

from alvin_core import MapColumns, Projection
from dashboard.components.representation_map import read_state
from dashboard.filtering import read_filter, write_filter
from dashboard.layers import LAYERS
from dashboard.regions import points_in, read_region, region_rows
from dashboard.state import PAGES, read_wish
from dashboard.uploading import discard_upload, safe_name, shown_name, store_upload
from dashboard.views import label_card

N = 10
REGION = {
    "kind": "lasso",
    "polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]],
    "view": "v",
    "round": 2,
    "revision": "r",
    "codes_revision": "c",
    "hidden": [1],
    "layers": dict.fromkeys(LAYERS, True),
    "count": 3,
    "stamp": 7,
}
corners = st.lists(st.floats() | st.integers(-(10**6), 10**6) | scalars, min_size=1, max_size=3)
polygons = st.lists(corners, max_size=9) | st.integers(0, 2500).map(lambda n: [[0.1 * k, k % 7] for k in range(n)])
regions = st.one_of(
    params_near(REGION, [*REGION]),
    st.builds(
        lambda polygon, more: {**REGION, **more, "polygon": polygon}, polygons, params_near({}, ["hidden", "layers"])
    ),
    json_values,
)


def columns() -> MapColumns:
    label = np.zeros(N, dtype=np.int16)
    return MapColumns(
        ids=np.array([f"p{row}" for row in range(N)]),
        rows=np.arange(N),
        classes=("neg", "pos"),
        attributes=("x",),
        labeled=np.arange(N) < 4,
        selected=np.arange(N) == 5,
        label=label,
        label_now=label,
        predicted=label,
        confidence=np.linspace(0.5, 1, N, dtype=np.float32),
        entropy=np.zeros(N, dtype=np.float32),
        is_minority=np.zeros(N, dtype=np.int8),
        n_forgotten=np.zeros(N, dtype=np.int16),
        attribute=np.zeros(N, dtype=np.int16),
        correct=np.ones(N, dtype=np.int8),
        ranks={"alvin": np.arange(N, dtype=np.int32)},
        budget=2,
    )


def test_any_address_is_read_with_its_problems_in_words(fuzz) -> None:
    names = st.sampled_from(["page", "run", "round", "color", "space", "q", "example", "annotator"])
    values = texts | st.sampled_from([*PAGES, "0", "007", "1e9", "-1", "x" * 5000])

    def take(params: dict[str, str]) -> None:
        wish = read_wish(params)
        assert wish.page in PAGES
        for text in (wish.run or "", wish.annotator, wish.example or "", wish.search, *wish.problems):
            assert len(text) <= 2000
            assert "\0" not in text
            text.encode("utf-8")

    fuzz(take, st.dictionaries(names | texts, values, max_size=8), share=6)


def test_any_filter_of_an_address_is_read(fuzz) -> None:
    known = columns()
    names = st.sampled_from(["label", "predicted", "attribute", "status", "slice"]) | texts
    filters = st.dictionaries(names, json_values | st.lists(texts), max_size=5).map(json.dumps)

    def take(text: str) -> None:
        chosen = read_filter(text, known, ("s",))
        assert read_filter(write_filter(chosen), known, ("s",)) == chosen

    fuzz(take, filters | texts | st.sampled_from(["[" * 9999, '{"a":' * 9999]), share=3)


def test_any_region_is_read_or_refused(fuzz) -> None:
    codes: Any = SimpleNamespace(values=np.zeros(N, dtype=np.uint8), revision="c")
    known, places = columns(), np.random.default_rng(0).uniform(-1, 1, (N, 2)).astype(np.float32)

    def take(value: Any) -> None:
        state = read_state({"region": value, "picked": value, "webgl": value}, n=N)
        if state.region is not None:  # what the component lets through, the server can read
            read_region(state.region)
        rows = region_rows(value, known, codes, places, round_no=2, revision="r", view="v")
        assert ((rows >= 0) & (rows < N)).all()

    fuzz(take, regions, share=7)


def test_any_polygon_holds_points_or_is_refused(fuzz) -> None:
    places = np.random.default_rng(0).uniform(-1, 1, (50, 2)).astype(np.float32)
    fuzz(lambda polygon: points_in(polygon, places), polygons | json_values, share=3)


def test_any_state_of_the_map_is_read(fuzz) -> None:
    picked = {"index": 3, "view": "v", "round": 2, "stamp": 9}

    def take(value: Any) -> None:
        state = read_state(value, n=N)
        assert state.picked is None or 0 <= state.picked < N
        assert isinstance(state.webgl, bool)

    states = st.fixed_dictionaries(
        {"picked": params_near(picked, [*picked]) | json_values, "region": regions, "webgl": scalars}
    )
    fuzz(take, states | json_values, share=4)


def test_any_press_is_taken_or_left(fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    desk = SimpleNamespace(current="e1", held={}, flagged=set(), message=None, last_of=lambda annotator: None)
    run = SimpleNamespace(dataset=SimpleNamespace(classes=("neg", "pos")))
    bench = SimpleNamespace(desk=desk, can_label=True, annotator="Ada", run=run)
    session: dict[str, Any] = {}
    monkeypatch.setattr(label_card, "bench_of", lambda place: bench)
    monkeypatch.setattr(label_card.st, "session_state", session)
    for name in ("_label", "_skip", "_flag", "undo"):
        monkeypatch.setattr(label_card, name, lambda *given, name=name: done.append(name))
    good = {"name": "label_0", "token": "t", "undo": ""}

    def take(press: Any) -> None:
        done.clear()
        session[label_card.PRESSES] = {"press": press}
        label_card.take_press(SimpleNamespace(run_id="r"))
        # Whoever does not know what is in front changes nothing.
        assert done == []

    fuzz(take, params_near(good, [*good]) | json_values, share=2)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    known = columns()
    places = np.zeros((N, 2), dtype=np.float32)
    shown = Projection(
        ids=known.ids, xy=places, method="pca", space="model", round_no=2, neighbors_kept=0.3, n_neighbors_checked=N
    )
    run = SimpleNamespace(id="0123abcd", name="r", n_rounds=3, texts=lambda rows: [("text",) for _ in rows])
    return client_of(run, known, shown, monkeypatch)


def test_any_address_of_a_route_is_answered_in_one_line(fuzz, client) -> None:
    part = st.one_of(
        texts,
        st.sampled_from(
            ["0123abcd", "ffffffff", "0", "2", "3", "999999999", "model", "encoder", "class", "blind", "-", "x.bin"]
        ),
    )
    starts = st.sampled_from(
        ["/api/maps", "/api/texts", "/api/watch", "/api/ready", "/healthz", "/metrics", "/api", ""]
    )
    ends = st.sampled_from(["", "/positions.bin", "/anchors.json", "/codes/class/x.bin", "/marks/x.bin"])
    queries = st.dictionaries(texts, texts, max_size=2)

    def take(value: tuple[str, list[str], str, dict[str, str]]) -> None:
        start, parts, end, query = value
        words = (quote(one.encode("utf-8", "surrogatepass"), safe="")[:3000] for one in parts)
        asked = "&".join(
            f"{quote(a.encode('utf-8', 'replace'))}={quote(b.encode('utf-8', 'replace'))}" for a, b in query.items()
        )
        address = "/".join([start, *words]) + end
        answer = client.get((address or "/").replace("//", "/%2F", 1) + f"?{asked}"[:3000])
        assert answer.status_code in (200, 400, 404, 503), (address, answer.status_code, answer.text[:200])
        if answer.status_code in (400, 404) and answer.headers["content-type"] == "application/json":
            line = answer.json()["error"]
            assert "\n" not in line
            assert len(line) < 1000

    fuzz(take, st.tuples(starts, st.lists(part, max_size=5), ends, queries), share=4)


def test_any_name_of_an_upload_lies_in_its_own_folder(fuzz, tmp_path: Path) -> None:
    store = tmp_path / "store"
    long = st.integers(1, 4).map(lambda n: "x" * 10**n + ".csv")
    names = texts | long | st.builds("{}/{}.{}".format, texts, texts, texts)

    def take(value: tuple[str, bytes]) -> None:
        name, content = value
        kept, told = safe_name(name), shown_name(name)
        assert kept.isascii()
        assert 0 < len(kept) <= 110
        assert not {"/", "\\", "\0"} & set(kept)
        assert kept not in (".", "..")
        assert told.isprintable()
        assert len(told) <= 200
        path = store_upload(store, name, io.BytesIO(content))
        assert path.parent.parent == store / "uploads"
        assert path.read_bytes() == content
        discard_upload(store, path)

    fuzz(take, st.tuples(names, st.binary(max_size=50)), share=3)
    assert [one.name for one in tmp_path.iterdir()] == ["store"]
    assert list((store / "uploads").iterdir()) == []
