"""The peer of `dashboard.py`: the same points as a plain Streamlit app with ``st.plotly_chart`` and scattergl.

Here is as well what both sides are measured with: how servers are started, steps are timed, and figures compared.

The app is as good as such an app can be: what is read is cached, the chart is a fragment, figures are made once.

    streamlit run benchmarks/dashboard_peer.py -- FOLDER    # FOLDER holds what big_store.peer_points wrote
"""

from __future__ import annotations

import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Page

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
TABLE_ROWS = 500
MOST_SECONDS = 60.0  # for any one step, on either side
ROOT = Path(__file__).parents[1]
REACH = (0.1, 0.16, 0.22)  # radius of each lasso, in heights of the map

GOALS = {  # measure: what it says, and at most how much
    "cold": ("cold start of the server → drawn map", 10.0),
    "first": ("page → drawn map, the first visit", 5.0),
    "open": ("page → drawn map, later visits, empty browser cache", 5.0),
    "bytes": ("MB of coordinates, colours and marks (peer: of the page's messages)", 1.2),
    "card": ("click → card", 0.5),
    "rest": ("click → all of the card and the map at rest", None),
    "table": ("lasso → table", 1.0),
    "round": ("another round → its map drawn, at rest", None),
    "progress": ("step one round → progress shown", 1.0),
    "new": ("step one round → its map drawn, earlier places noted as such", 5.0),
    "own": ("step one round → its own UMAP drawn", 5.0),
    "key": ("key → next example, median", 0.3),
    "key95": ("key → next example, 95th percentile", None),
    "busy": ("key → next example while rounds run, median", 0.3),
    "busy95": ("key → next example while rounds run, 95th percentile", None),
}

ZOOMED = "() => document.querySelector('.js-plotly-plot')._fullLayout.xaxis.autorange === false"
# A pixel that is not transparent: the points are there.
DRAWN = """n => {
  const plot = document.querySelector('.js-plotly-plot');
  const drawn = [...document.querySelectorAll('.js-plotly-plot canvas')].filter(one => one.width && one.height);
  if (!plot?._fullData || !drawn.length) return false;
  if (plot._fullData.reduce((sum, trace) => sum + (trace._length ?? trace.x.length), 0) !== n) return false;
  const small = new OffscreenCanvas(48, 48).getContext('2d', {willReadFrequently: true});
  for (const one of drawn) small.drawImage(one, 0, 0, 48, 48);
  return small.getImageData(0, 0, 48, 48).data.some(value => value > 0);
}"""
# Where some points are on the screen, those well within the plot.
PLACES = """() => {
  const plot = document.querySelector('.js-plotly-plot'), {xaxis, yaxis} = plot._fullLayout;
  const box = plot.getBoundingClientRect(), {x, y} = plot._fullData[0], found = [];
  const within = (place, axis) => place > 0.1 * axis._length && place < 0.9 * axis._length;
  for (let i = 0; i < x.length && found.length < 20; i += Math.max(1, Math.floor(x.length / 997))) {
    const px = xaxis.d2p(x[i]), py = yaxis.d2p(y[i]);
    if (within(px, xaxis) && within(py, yaxis))
      found.push([box.left + xaxis._offset + px, box.top + yaxis._offset + py]);
  }
  return found;
}"""


@dataclass(frozen=True)
class Served:
    """A server, which is answering."""

    url: str
    process: subprocess.Popen[bytes]

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(30)


started: list[subprocess.Popen[bytes]] = []


def end_all(*_: object) -> None:
    """End every server, and this process, which is being killed."""
    for process in started:
        process.terminate()
    os._exit(143)


def serve(command: Sequence[str], ready: str, log: Path) -> Served:
    """Start ``python *command``, with ``PORT`` in it replaced, and return when ``ready`` answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *(port if part == "PORT" else part for part in command)],
            stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=ROOT,
        )  # fmt: skip
    started.append(process)
    served, end = Served(f"http://127.0.0.1:{port}", process), time.monotonic() + MOST_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            with urlopen(served.url + ready, timeout=2):
                return served
        except (URLError, OSError):
            time.sleep(0.02)
    served.end()
    raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')}")


def until(page: Page, condition: str, argument: Any = None) -> None:
    page.wait_for_function(condition, arg=argument, polling=15, timeout=1000 * MOST_SECONDS)


def timed(action: Callable[[], object], page: Page, condition: str, argument: Any = None) -> float:
    """Return the seconds from just before an action to when a condition holds on the page."""
    start = time.perf_counter()
    action()
    until(page, condition, argument)
    return time.perf_counter() - start


def circle(page: Page, centre: Sequence[float], radius: float) -> None:
    """Draw a ring about a point, which is in it; the button stays down."""
    page.mouse.move(centre[0] + radius, centre[1])
    page.mouse.down()
    for step in range(1, 25):
        page.mouse.move(centre[0] + radius * math.cos(step / 4), centre[1] + radius * math.sin(step / 4))


def count_inside(polygon: Sequence[Sequence[float]], xy: np.ndarray) -> int:
    """Count points in a polygon by the even-odd rule, every point against every edge."""
    x, y = xy.T.astype(np.float64)
    odd = np.zeros(len(x), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return int(odd.sum())


def table(found: dict[tuple[int, str, str], list[float | None]], sizes: Iterable[int]) -> list[str]:
    """Say it in Markdown; medians of what was repeated."""
    lines = ["| points | measure | ours | peer | ours / peer | goal | met |", "|--:|---|--:|--:|--:|--:|---|"]
    for n in sizes:
        for measure, (words, goal) in GOALS.items():
            ours, peer = (_median(found.get((n, side, measure))) for side in ("ours", "peer"))
            if ours is None and peer is None:
                continue
            ratio = f"{ours / peer:.2f}" if ours and peer and max(ours, peer) < np.inf else "–"
            goal = goal if n <= 100_000 else None  # of a million it must be drawn and right
            met = "–" if goal is None or ours is None else "yes" if ours <= goal else "no"
            shown = f"{goal:g}" if goal is not None else "–"
            lines.append(f"| {n:,} | {words} | {_shown(ours)} | {_shown(peer)} | {ratio} | {shown} | {met} |")
    return lines


def _median(values: list[float | None] | None) -> float | None:
    return statistics.median(np.inf if one is None else one for one in values) if values else None


def _shown(value: float | None) -> str:
    return "–" if value is None else f"> {MOST_SECONDS:.0f}" if value == np.inf else f"{value:.2f}"


class Peer:
    """The peer in a browser: the same steps as those of ours."""

    name = "peer"

    def __init__(self, folder: Path, n: int) -> None:
        self.folder, self.n, self.round = folder, n, 1

    def serve(self) -> Served:
        options = ("--server.port", "PORT", "--server.headless", "true", "--browser.gatherUsageStats", "false")
        command = ("-m", "streamlit", "run", "benchmarks/dashboard_peer.py", *options, "--", str(self.folder))
        return serve(command, "/_stcore/health", self.folder / "log")

    def open(self, page: Page, url: str) -> float:
        self.round = 1
        return timed(lambda: page.goto(url, wait_until="commit"), page, DRAWN, self.n)

    def click(self, page: Page, number: int) -> dict[str, float]:
        x, y = page.evaluate(PLACES)[number]
        page.mouse.move(x - 1, y)
        page.wait_for_timeout(300)
        page.mouse.move(x, y)
        page.wait_for_timeout(700)  # Plotly takes the click of what it found under the pointer
        card = "(document.querySelector('.st-key-peer_card')?.innerText ?? '')"
        return {"card": timed(lambda: page.mouse.click(x, y), page, f"old => {card} !== old", page.evaluate(card))}

    def lasso(self, page: Page, number: int) -> float:
        if number == 0:
            page.locator(".modebar-btn[data-val=lasso]").dispatch_event("click")
            page.wait_for_timeout(500)
        box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
        assert box is not None
        circle(page, page.evaluate(PLACES)[5], REACH[number] * box["height"])
        found = "(document.querySelector('#peer-count')?.innerText ?? '')"
        there = f"old => {found} !== old && document.querySelector('[data-testid=stDataFrame] canvas')"
        return timed(page.mouse.up, page, there, page.evaluate(found))

    def change_round(self, page: Page) -> tuple[float, bool | None]:
        view = "() => { const {xaxis, yaxis} = document.querySelector('.js-plotly-plot')._fullLayout; "
        view += "return [...xaxis.range, ...yaxis.range] }"
        before, zoomed = page.evaluate(view), page.evaluate(ZOOMED)
        slider = page.locator(".st-key-round input[type=range]")
        self.round = 1 - self.round
        first = "document.querySelector('.js-plotly-plot')._fullData[0].x[0]"
        drawn = (
            f"([n, old, round]) => document.querySelector('#peer-round')?.dataset.round === round && {first} !== old"
        )
        old = page.evaluate(first)
        key = "ArrowRight" if self.round else "ArrowLeft"
        seconds = timed(
            lambda: slider.press(key), page, f"{drawn} && ({DRAWN})(n)",
            [self.n, old, str(self.round)],
        )  # fmt: skip
        return seconds, bool(np.allclose(before, page.evaluate(view))) if zoomed else None


def main(folder: Path) -> None:
    import pandas as pd
    import plotly.graph_objects as go
    import streamlit as st

    @st.cache_resource
    def texts_of(where: str) -> tuple[list[str], list[str]]:
        classes, texts = json.loads((Path(where) / "texts.json").read_text(encoding="utf-8"))
        return classes, texts

    @st.cache_resource
    def figure_of(where: str, number: int) -> tuple[go.Figure, list[np.ndarray]]:
        points = np.load(Path(where) / "points.npz")
        xy, codes = points[f"xy_{number}"], points[f"codes_{number}"]
        members = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
        traces = [
            go.Scattergl(
                x=xy[rows, 0],
                y=xy[rows, 1],
                mode="markers",
                name=texts_of(where)[0][code],
                hoverinfo="none",  # as with ours, a text is fetched when it is asked for
                marker={"size": 4, "color": COLOURS[code % len(COLOURS)]},
            )
            for code, rows in enumerate(members)
        ]
        layout = {"height": 562, "uirevision": "same", "dragmode": "pan", "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}
        return go.Figure(traces, layout), members

    @st.fragment
    def explore() -> None:
        where = str(folder)
        left, right = st.columns([0.66, 0.34])
        with left:
            number = st.slider("Round", 0, 1, 1, key="round")
            figure, members = figure_of(where, number)
            chosen = st.plotly_chart(
                figure,
                key="peer_map",
                on_select="rerun",
                selection_mode=("points", "lasso"),
                config={"scrollZoom": True},
            )
        texts = texts_of(where)[1]
        rows = [int(members[one["curve_number"]][one["point_index"]]) for one in chosen["selection"]["points"]]
        with right:
            st.html(f'<div id="peer-round" data-round="{number}"></div>')
            if len(rows) == 1:
                st.container(key="peer_card").text(f"Example {rows[0]}\n{texts[rows[0]]}")
            elif rows:
                st.html(f'<div id="peer-count">{len(rows)}</div>')
                st.dataframe(
                    pd.DataFrame({"row": rows[:TABLE_ROWS], "text": [texts[row] for row in rows[:TABLE_ROWS]]})
                )

    st.set_page_config(layout="wide")
    explore()


if __name__ == "__main__":
    arguments: list[Any] = sys.argv[1:]
    if arguments:
        main(Path(arguments[0]))
    else:
        print("dashboard_peer.py measures nothing by itself: dashboard.py starts it and times it")
