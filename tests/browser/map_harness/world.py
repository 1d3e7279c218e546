"""A made-up map served by a small web server: the bundle without Streamlit, an engine or a store."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
DIST = HERE.parents[2] / "dashboard" / "components" / "map" / "dist"
LABELED, MINORITY, SELECTED, MATCH, SINCE, FLAGGED, OTHER = 1, 2, 4, 8, 16, 32, 64
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".bin": "application/octet-stream"}
HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script> $x^2$ **bold** ‮right to left 🙂'


@dataclass(frozen=True)
class World:
    """Two classes in a space with a planted shortcut; round 1 is round 0 with every point moved a little."""

    n: int = 3_000
    seed: int = 0
    files: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for round_no in (0, 1):
            self.files[f"/xy-{round_no}.bin"] = self.xy(round_no).tobytes()
            self.files[f"/marks-{round_no}.bin"] = self.marks(round_no).tobytes()
            self.files[f"/anchors-{round_no}.json"] = json.dumps(self.anchors(round_no)).encode()
        self.files["/class.bin"] = self.classes.tobytes()
        self.files["/confidence.bin"] = self.confidence.tobytes()

    @property
    def classes(self) -> NDArray[np.uint8]:
        return (np.arange(self.n) % 2).astype(np.uint8)

    @property
    def confidence(self) -> NDArray[np.uint8]:
        ramp = np.clip((self.xy(0)[:, 0] + 1) * 127, 0, 254).astype(np.uint8)
        ramp[: self.n // 10] = 255
        return ramp

    def xy(self, round_no: int) -> NDArray[np.float32]:
        rng = np.random.default_rng(self.seed)
        places = rng.normal(size=(self.n, 2)) * (0.13, 0.15)
        places[:, 0] += np.where(self.classes == 0, -0.42, 0.4)
        minority = np.arange(self.n) % 10 < 2  # one in five stands apart, on the other side of its class
        places[minority, 0] += np.where(self.classes[minority] == 0, 0.25, -0.2)
        places[minority, 1] += np.where(self.classes[minority] == 0, -0.45, 0.4)
        places += round_no * np.random.default_rng(self.seed + 1).normal(scale=0.03, size=(self.n, 2))
        return (places / np.abs(np.linalg.norm(places, axis=1)).max()).astype(np.float32)

    def marks(self, round_no: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(self.seed + 2)
        marks = np.zeros(self.n, np.uint8)
        chosen = rng.permutation(self.n)[:220]
        is_minority = np.arange(self.n) % 10 < 2
        labeled = chosen[: 90 + 20 * round_no]
        marks[labeled] |= LABELED
        marks[labeled[is_minority[labeled]]] |= MINORITY
        marks[chosen[110:150]] |= SELECTED
        marks[chosen[140:170]] |= OTHER
        marks[chosen[170:176]] |= FLAGGED
        marks[chosen[176:182]] |= SINCE
        marks[rng.permutation(self.n)[: self.n // 60]] |= MATCH
        return marks

    def anchors(self, round_no: int) -> dict[str, Any]:
        marks, xy = self.marks(round_no), self.xy(round_no)
        minority = np.flatnonzero(marks & MINORITY)
        majority = np.flatnonzero((marks & LABELED > 0) & (marks & MINORITY == 0))
        selected = np.flatnonzero(marks & SELECTED)
        rng = np.random.default_rng(self.seed + 3)
        low, high = rng.choice(minority, 40), rng.choice(majority, 40)
        high = np.where(self.classes[low] == self.classes[high], high, (high + 1) % self.n)
        weight = rng.beta(2, 2, 40)
        places = weight[:, None] * xy[low] + (1 - weight[:, None]) * xy[high]
        picks = [[row, int(selected[row % len(selected)])] for row in range(40)]
        return {
            "xy": np.round(places, 4).tolist(),
            "minority": low.tolist(),
            "majority": high.tolist(),
            "weight": np.round(weight, 3).tolist(),
            "picks": picks,
        }

    def data(self, round_no: int = 0, **changes: Any) -> dict[str, Any]:
        """What Python would send to the component."""
        counts = np.bincount(self.classes, minlength=2).tolist()
        return {
            "view": "run/model",
            "round": round_no,
            "n": self.n,
            "positions": f"/xy-{round_no}.bin",
            "revision": f"xy-{round_no}",
            "place_note": "",
            "codes": {
                "url": "/class.bin",
                "revision": "class",
                "title": "Class",
                "kind": "categories",
                "entries": [
                    {"code": 0, "label": "negative", "color": "#0072B2", "count": counts[0], "grey": False},
                    {"code": 1, "label": "positive", "color": "#E69F00", "count": counts[1], "grey": False},
                ],
                "ramp": None,
                "missing": 255,
            },
            "marks": {"url": f"/marks-{round_no}.bin", "revision": f"marks-{round_no}"},
            "anchors": {
                "url": f"/anchors-{round_no}.json",
                "revision": "a",
                "n_shown": 40,
                "n_linked": 312,
                "n_total": 24_000,
            },
            "layers": dict.fromkeys(("pool", "labeled", "anchors", "segments", "selected"), True) | {"other": False},
            "other_label": "entropy's choice",
            "texts": "/texts/",
            "focus": None,
            "lit": [],
            "mode": "pan",
            "link": None,
            "kept": 0.31,
            "searching": False,
            "label": "Map of a made-up run: 3,000 points",
            "height": 400,
        } | changes

    def ramp(self) -> dict[str, Any]:
        """Colours that grow with a value; a tenth of the points has none."""
        return {
            "url": "/confidence.bin",
            "revision": "confidence",
            "title": "Confidence",
            "kind": "ramp",
            "entries": [{"code": 255, "label": "labeled", "color": "#A3ACB8", "count": self.n // 10, "grey": True}],
            "ramp": {
                "colors": ["#440154", "#3B528B", "#21918C", "#5EC962", "#FDE725"],
                "low": "0.50",
                "high": "1.00",
                "label": "probability of the prediction",
            },
            "missing": 255,
        }


class Served:
    """A world on a port of its own, with a count of what was asked for, and files that can be made to fail."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[str] = []
        self.failing: set[str] = set()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                served.asked.append(path)
                content = None if path in served.failing else served.content(path)
                self.send_response(404 if content is None else 200)
                kind = "text/html" if path == "/" else TYPES.get(Path(path).suffix, "application/json")
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(content or b"{}")

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def content(self, path: str) -> bytes | None:
        if path == "/":
            return (HERE / "index.html").read_bytes()
        if path in ("/map.js", "/map.css"):
            return (DIST / path[1:]).read_bytes()
        if path.startswith("/texts/"):
            return json.dumps(self.text(int(path.removeprefix("/texts/")))).encode()
        return self.world.files.get(path)

    def text(self, index: int) -> dict[str, Any]:
        text = HOSTILE if index % 2 == 0 else f"A plain text, number {index}. " + "It goes on and on. " * 60
        return {
            "id": f"ex-{index}",
            "text": [text],
            "label": None,
            "predicted": "positive",
            "confidence": 0.875,
            "split": "pool",
        }

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
