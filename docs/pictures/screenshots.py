"""Take the pictures of the dashboard: every page, light and dark, on real runs made for it.

python docs/pictures/screenshots.py [FOLDER]

Chromium is found as the browser tests find it: `chromium` on the path, or `ALVIN_CHROMIUM`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

import alvin_core as alvin

FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run")
SIZE = {"width": 1280, "height": 800}
ROUNDS = 3
THEMES = ("light", "dark")
N_LABELED = 12  # of the open proposal, by a made-up annotator


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as store, tempfile.TemporaryDirectory() as nothing:
        names = make_runs(store)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
            for theme in THEMES:
                page = browser.new_page(viewport=SIZE, color_scheme=theme)  # type: ignore[arg-type]
                with dashboard(store) as address:
                    for name, query in pages(*names).items():
                        take(page, f"{address}/?{query}", folder / f"{name}-{theme}.png")
                with dashboard(nothing) as address:
                    take(page, address, folder / f"empty-{theme}.png")
                page.close()
            browser.close()


def pages(run: str, person: str, example: str) -> dict[str, str]:
    """Return the query of each picture's page."""
    return {
        "explore": f"run={run}&round=2&page=explore&example={example}",
        "explore-groups": f"run={run}&round={ROUNDS}&page=explore&color=confidence",
        "shortcuts": f"run={run}&round={ROUNDS}&page=shortcuts",
        "compare": f"run={run}&round={ROUNDS}&page=compare&a={run}&b=reviews-entropy&at={ROUNDS}",
        "classroom": "page=classroom&stage=interpolate",
        "label": f"run={person}&page=label&annotator=ada",
        "runs": f"run={run}&page=runs",
    }


def make_runs(store: str) -> tuple[str, str, str]:
    """Make a run of the sample, a fork of it, and one that a person annotates."""
    dataset = alvin.load_dataset(alvin.sample_path("reviews"))
    run = alvin.create_run(store, dataset, alvin.RunSettings(), source="reviews", name="reviews-alvin")
    list(run.run_rounds(ROUNDS))
    for round_no in range(run.n_rounds):
        run.project(round_no)
    fork = run.fork(1, strategy="entropy", name="reviews-entropy")
    list(fork.run_rounds(ROUNDS))
    fork.project(ROUNDS)
    person = alvin.create_run(
        store, dataset, alvin.RunSettings(annotator="person"), source="reviews", name="reviews-by-hand"
    )
    answers = dict(zip(dataset.ids.tolist(), (dataset.classes[code] for code in dataset.labels), strict=True))
    person.submit({one: answers[one] for one in person.pending()["id"]}, annotator="ada")
    person.step()
    person.project(0)
    person.submit({one: answers[one] for one in person.pending()["id"][:N_LABELED]}, annotator="ada")
    skip_tour(Path(store))
    return run.name, person.name, str(run.selection(2)["id"].iloc[0])


def skip_tour(store: Path) -> None:
    """Mark the tour as seen, so that it does not cover the page."""
    folder = store / "dashboard"
    folder.mkdir(exist_ok=True)
    (folder / "tour-seen").touch()


@contextmanager
def dashboard(store: str) -> Iterator[str]:
    """Run the dashboard on a store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--store", store, "--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/api/ready")
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def take(page: Page, address: str, target: Path) -> None:
    page.goto(address)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    if "page=classroom" in address:
        page.wait_for_selector(".st-key-world .js-plotly-plot", timeout=120_000)  # a process that plays worlds starts
    page.wait_for_timeout(4_000)  # the map's points come after the page
    page.screenshot(path=target)


def chromium() -> str:
    found = os.environ.get("ALVIN_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        sys.exit("no Chromium was found; install one, or name it with ALVIN_CHROMIUM")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
