"""Time the dashboard in headless Chromium, beside the same view as ``st.plotly_chart``; software draws the WebGL.

    python benchmarks/dashboard.py                                     # 3,000 and 100,000 points
    python benchmarks/dashboard.py --store DIR                         # a copy of DIR has the sample's rounds already
    python benchmarks/dashboard.py --sizes 1000000 --big-store DIR     # a million points, kept in DIR

3,000 points are the packaged sample ``reviews``; larger runs are made by `big_store.py`, whose places are those of
drawn clusters, not a UMAP. The peer is `dashboard_peer.py`; both take turns in browsers with empty caches. A step that
takes longer than 60 s is reported as no answer. The machine should do little else: its load is printed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from big_store import make_big_store, make_people_runs, make_sample_store, peer_points
from dashboard_peer import MOST_SECONDS, REACH, Peer, Served, circle, count_inside, end_all, serve, table, timed, until

import alvin_core as alvin

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("ALVIN_CHROMIUM", "/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
SETTLED = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
SAMPLE, N_LABELS = 3_000, 200

MAP = "window.__alvinMaps?.map"
DRAWN = f"n => {MAP}?.n === n && {MAP}.ready"
# What the map holds is within a shadow root.
IN_MAP = """selector => [document, ...[...document.querySelectorAll('.st-key-map *')].map(one => one.shadowRoot)]
  .map(root => root?.querySelector(selector)).find(found => found)"""
SHOWS_ROUND = f"""([n, round]) => ({DRAWN})(n) && ({IN_MAP})('[aria-label^="Map of round ' + round + ' of"]')"""
NOTE = f"(() => {{ const badge = ({IN_MAP})('.badge'); return badge && !badge.hidden ? badge.textContent : '' }})()"
# Where some points are on the screen, those that nothing covers.
PLACES = f"""([n, box]) => {{
  const found = [], within = (at, from, size) => at > from + 0.1 * size && at < from + 0.9 * size;
  const on = (root, x, y) => {{
    const top = root.elementFromPoint(x, y);
    return top?.shadowRoot ? on(top.shadowRoot, x, y) : top;
  }};
  for (let i = 0; i < n && found.length < 20; i += Math.max(1, Math.floor(n / 997))) {{
    const [x, y] = {MAP}.screenOf(i);
    if (within(x, box.x, box.width) && within(y, box.y, box.height) && on(document, x, y)?.tagName === 'CANVAS')
      found.push([x, y]);
  }}
  return found;
}}"""
CARD = "(document.querySelector('.st-key-card .alvin-card-title bdi')?.textContent ?? '')"
COUNT = "(document.querySelector('.alvin-count b')?.textContent ?? '')"
JOB = "(document.querySelector('.st-key-job_line .alvin-job')?.textContent ?? '').trim()"
LAST_GIVEN = "() => document.querySelector('.st-key-train_next')"
EXAMPLE = "(document.querySelector('.label-state')?.dataset.example ?? '')"


@dataclass
class Ours:
    """The dashboard in a browser."""

    store: Path
    run: alvin.Run
    n: int
    name: str = "ours"
    polygons: list[list[list[float]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def serve(self) -> Served:
        command = ("-c", "from alvin_core.cli import main; main()", "dashboard", "--no-browser", "--port", "PORT")
        return serve((*command, "--store", str(self.store)), "/api/ready", self.store.parent / "dashboard.log")

    def open(self, page: Page, url: str) -> float:
        page.on("websocket", lambda socket: socket.on("framesent", self._keep_polygon))
        address = f"{url}/?run={self.run.name}&round={self.run.n_rounds - 1}&page=explore"
        return timed(lambda: page.goto(address, wait_until="commit"), page, DRAWN, self.n)

    def _keep_polygon(self, frame: str | bytes) -> None:
        """Keep the polygon as the browser sent it, for a count that owes nothing to the dashboard's."""
        from streamlit.proto.BackMsg_pb2 import BackMsg

        if isinstance(frame, bytes) and b'"polygon"' in frame:
            for widget in BackMsg.FromString(frame).rerun_script.widget_states.widgets:
                if '"polygon"' in widget.json_value:
                    region = json.loads(widget.json_value).get("region")
                    self.polygons += [region["polygon"]] if region else []

    def click(self, page: Page, number: int) -> dict[str, float]:
        x, y = page.evaluate(PLACES, [self.n, _canvas(page)])[number]
        page.mouse.move(x, y)
        page.wait_for_timeout(1000)
        old, start = page.evaluate(CARD), time.perf_counter()
        card = timed(lambda: page.mouse.click(x, y), page, f"old => {CARD} !== old", old)
        until(page, f"() => {SETTLED} && {MAP}.ready")
        return {"card": card, "rest": time.perf_counter() - start}

    def lasso(self, page: Page, number: int) -> float:
        old = page.evaluate(COUNT)
        page.keyboard.down("Shift")
        box = _canvas(page)
        circle(page, page.evaluate(PLACES, [self.n, box])[5], REACH[number] * box["height"])
        there = f"old => {COUNT} !== old && document.querySelector('.st-key-table canvas')"
        seconds = timed(page.mouse.up, page, there, old)
        page.keyboard.up("Shift")
        projection = self.run.projection(self.run.n_rounds - 1)
        assert projection is not None
        counted, truly = int(page.evaluate(COUNT).replace(",", "")), count_inside(self.polygons[-1], projection.xy)
        said = "the same" if counted == truly else "WRONG"
        self.notes.append(f"lasso of {self.n:,} points: the server found {counted:,}, counted apart {truly:,}: {said}")
        return seconds

    def change_round(self, page: Page) -> tuple[float, bool | None]:
        before, slider = page.evaluate(f"{MAP}.view()"), page.locator(".st-key-round input[type=range]")
        to = self.run.n_rounds - 2
        seconds = timed(lambda: slider.press("ArrowLeft"), page, SHOWS_ROUND, [self.n, to])
        return seconds, before == page.evaluate(f"{MAP}.view()")


def _canvas(page: Page) -> dict[str, float]:
    return dict(page.locator(".st-key-map canvas").first.bounding_box() or {})


@dataclass
class Bench:
    """One browser, and what was measured of each size and side."""

    browser: Browser
    found: dict[tuple[int, str, str], list[float | None]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    step: str = ""  # what is waited for

    def visit(self, side: Ours | Peer, url: str, actions: Callable[[Page], None], first: str = "open") -> None:
        """Open a page in a browser with nothing in its cache and do something there; a step may get no answer."""
        from playwright.sync_api import TimeoutError as NoAnswer

        context = self.browser.new_context(viewport={"width": 1280, "height": 800})
        page, sizes, requests = context.new_page(), [0], []
        page.set_default_timeout(1000 * MOST_SECONDS)
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sizes.append(len(frame))))
        page.on("requestfinished", lambda request: requests.append(request))
        self.step = first
        try:
            self.add(side, first, side.open(page, url))
            of_map = [one for one in requests if "/api/maps/" in one.url and one.url.endswith(".bin")]
            n_bytes = sum(one.sizes()["responseBodySize"] for one in of_map) if side.name == "ours" else sum(sizes)
            self.add(side, "bytes", n_bytes / 1e6)
            actions(page)
        except NoAnswer:
            self.found[side.n, side.name, self.step].append(None)
            self.notes.append(f"{side.name}, {side.n:,} points: no answer in {MOST_SECONDS:.0f} s to: {self.step}")
        finally:
            context.close()

    def add(self, side: Ours | Peer, measure: str, value: float) -> None:
        self.found[side.n, side.name, measure].append(value)
        print(f"{side.n:,} {side.name} {measure}: {value:.2f}", file=sys.stderr, flush=True)

    def look(self, side: Ours | Peer, page: Page) -> None:
        """Click, lasso, zoom in and go to the round before."""
        for number in range(4):
            self.step = "card"
            for measure, seconds in side.click(page, number).items():
                self.add(side, measure, seconds)
        for number in range(len(REACH)):
            self.step = "table"
            self.add(side, "table", side.lasso(page, number))
        page.wait_for_timeout(1000)
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(1500)
        self.step = "round"
        seconds, kept = side.change_round(page)
        self.add(side, "round", seconds)
        words = {True: "kept the zoom", False: "LOST the zoom", None: "was not zoomed before"}[kept]
        self.notes.append(f"{side.name}, {side.n:,} points: a change of round {words}")

    def compare(self, sides: Sequence[Ours | Peer], repeats: int) -> None:
        """All sides in turns, each from the start of its server."""
        served: dict[str, Served] = {}
        try:
            for side in sides:
                start = time.perf_counter()
                served[side.name] = side.serve()
                ready = time.perf_counter() - start
                self.visit(side, served[side.name].url, lambda _: None, first="first")
                if (opened := self.found[side.n, side.name, "first"][-1]) is not None:
                    self.add(side, "cold", ready + opened)
            for _ in range(repeats):
                for side in sides:
                    if self.found[side.n, side.name, "first"][-1] is not None:
                        self.visit(side, served[side.name].url, lambda page, side=side: self.look(side, page))
        finally:
            for one in served.values():
                one.end()

    def work(self, side: Ours) -> None:
        """Step rounds and label by keyboard."""
        make_people_runs(side.store, side.run.name, ("keys-idle", "keys-busy"), N_LABELS)
        served = side.serve()
        try:
            self.visit(side, served.url, lambda page: self.steps(side, page), first="again")
            self.visit(side, served.url, lambda page: self.label(side, page, served.url, "keys-idle", "key"), "again")
            job = alvin.enqueue_job(side.store, "rounds", run=side.run.name, params={"n": 40})
            self.visit(side, served.url, lambda page: self.label(side, page, served.url, "keys-busy", "busy"), "again")
            state = alvin.get_job(side.store, job.id).state
            self.notes.append(f"after keys-busy the worker's rounds were {state}, {side.run.n_rounds} in the store")
            if state in ("queued", "running"):
                alvin.cancel_job(side.store, job.id)
        finally:
            served.end()

    def steps(self, side: Ours, page: Page) -> None:
        for is_warm in (False, True, True):
            until(page, f"() => {SETTLED} && {JOB} === '' && {MAP}.ready")
            to, start = side.run.n_rounds, time.perf_counter()
            self.step = "progress"
            seconds = {"progress": timed(page.locator(".st-key-step button").first.click, page, f"() => {JOB} !== ''")}
            self.step = "new"
            until(page, SHOWS_ROUND, [side.n, to])
            seconds["new"], note = time.perf_counter() - start, page.evaluate(NOTE)
            self.step = "own"
            until(page, f"n => {NOTE} === '' && ({DRAWN})(n)", side.n)
            seconds["own"] = time.perf_counter() - start
            said = ", ".join(f"{measure} {value:.2f} s" for measure, value in seconds.items())
            self.notes.append(f"step to round {to}: {said}, the first map noted as {note!r}")
            for measure, value in seconds.items() if is_warm else ():
                self.add(side, measure, value)

    def label(self, side: Ours, page: Page, url: str, name: str, measure: str) -> None:
        self.step = measure
        run, said, seconds = alvin.open_run(side.store, name), {}, []
        page.goto(f"{url}/?run={name}&page=label&annotator=Ada")
        until(page, f"() => {EXAMPLE} !== '' && {SETTLED}")
        for number in range(N_LABELS):
            row, example = number % 2, page.evaluate(EXAMPLE)
            said[example] = run.dataset.classes[row]
            gone = f"old => {EXAMPLE} !== old" if number < N_LABELS - 1 else LAST_GIVEN
            seconds.append(timed(lambda key=str(row + 1): page.keyboard.press(key), page, gone, example))
        labels, n_events = run.labels(), len(run.history())
        held = dict(zip(labels["id"], labels["label"], strict=True))
        n_lost = sum(held.get(example) != label for example, label in said.items())
        self.notes.append(f"{name}: {N_LABELS} keys, {n_lost} labels lost or wrong, {n_events - len(held)} double")
        self.add(side, measure, statistics.median(seconds[:-1]))
        self.add(side, f"{measure}95", float(np.quantile(seconds[:-1], 0.95)))


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="3000,100000", help="numbers of points, between commas")
    parser.add_argument("--repeats", type=int, default=2, help="visits of each side")
    parser.add_argument("--skip-peer", action="store_true")
    parser.add_argument("--skip-work", action="store_true", help="neither step rounds nor label")
    parser.add_argument("--store", type=Path, default=None, help="has a run of the sample; is copied")
    parser.add_argument("--big-store", type=Path, default=None, help="a folder that keeps the large runs")
    parser.add_argument("--json", type=Path, default=None, help="where to write every value")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, end_all)  # or the servers would outlive a `kill`
    sizes, start = [int(size) for size in arguments.sizes.split(",")], time.perf_counter()
    print(f"{datetime.date.today()}, {os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        bench, folder = Bench(browser), Path(temporary)
        for n in sizes:
            if n == SAMPLE:
                store, name = make_sample_store(folder, arguments.store)
            else:
                store, name = make_big_store(arguments.big_store or folder, n), "big"
            ours = Ours(store, alvin.open_run(store, name), n)
            peers = [] if arguments.skip_peer else [Peer(peer_points(store, name, folder / f"peer-{n}"), n)]
            bench.compare([ours, *peers], arguments.repeats)
            if n == SAMPLE and not arguments.skip_work:
                bench.work(ours)
            bench.notes += ours.notes
        browser.close()
    print("\n".join(table(bench.found, sizes)), "\n", *dict.fromkeys(bench.notes), sep="\n- ")
    print(f"\nin all {time.perf_counter() - start:.0f} s; load after: {os.getloadavg()[0]:.1f}")
    if arguments.json is not None:
        rows = [
            {"n": n, "side": side, "measure": what, "values": all_} for (n, side, what), all_ in bench.found.items()
        ]
        arguments.json.write_text(json.dumps({"values": rows, "notes": bench.notes}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
