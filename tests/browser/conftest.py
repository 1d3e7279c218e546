"""A store with small finished runs, a running dashboard, and Debian's Chromium at 1280×800."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from processes import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("ALVIN_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
)
SIZE = {"width": 1280, "height": 800}
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
WHAT_IS_SHOWN = """JSON.stringify({
    state: document.querySelector('[data-testid=stApp]')?.dataset.testScriptState,
    focus: document.activeElement?.outerHTML.slice(0, 200),
    text: document.body.innerText.slice(0, 4000),
}, null, 1)"""
N_POOL = 240
TOUR_SEEN = "dashboard/tour-seen"  # the marker in a store: the tour does not start by itself


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what stood on its page: elsewhere nobody can look."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page is not None:
        try:
            shown = page.evaluate(WHAT_IS_SHOWN)
        except Exception as error:  # the page may be what broke, and its report must not
            shown = repr(error)
        report.longrepr.addsection("the page", f"{page.url}\n{shown}")
    return report


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard: where it answers, its store, and its process."""

    url: str
    store: Path
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium. Where it is missing the test is skipped, unless ALVIN_REQUIRE_BROWSER says that it must be there."""
    if CHROMIUM is None or not Path(CHROMIUM).exists():
        reason = "there is no Chromium; on Debian: apt-get install chromium, or name one with ALVIN_CHROMIUM"
        if os.environ.get("ALVIN_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of 1280×800 in a context of its own, light unless a test emulates the dark scheme."""
    context = browser.new_context(viewport=SIZE, color_scheme="light")
    opened = context.new_page()
    opened.set_default_timeout(40_000)  # a machine that does other work is no broken page
    yield opened
    context.close()


@pytest.fixture(scope="session")
def settled() -> Callable[..., None]:
    """``settled(page)`` returns when the page's script has run; ``settled(page, "#a")`` also waits for an element."""

    def wait(page: Page, *selectors: str, timeout: float = 40_000) -> None:
        page.wait_for_selector(SETTLED, timeout=timeout)
        for selector in selectors:
            page.wait_for_selector(selector, timeout=timeout)
        page.wait_for_selector(SETTLED, timeout=timeout)

    return wait


def in_header(page: Page, words: str, timeout: float = 40_000) -> None:
    """Wait until the header above the page has some words."""
    page.wait_for_function(
        "words => document.querySelector('.st-key-header')?.innerText.includes(words)", arg=words, timeout=timeout
    )


@pytest.fixture(scope="session")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Page, str], Path]:
    """``shot(page, name)`` keeps a picture in ``$ALVIN_SHOTS``, else in the tests' own folder, and returns its path."""
    folder = Path(os.environ.get("ALVIN_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> Path:
        path = folder / f"{name}.png"
        page.screenshot(path=path, animations="disabled")
        return path

    return take


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 240 pool rows with a planted shortcut, and three evaluation splits."""
    from alvin_core.data.planted import PlantedSettings, write_planted

    path = tmp_path_factory.mktemp("browser-data") / "reviews.csv"
    write_planted(path, PlantedSettings("reviews", strength=0.85, n_pool=N_POOL, n_test=40, n_ood=40, seed=1))
    return path


@pytest.fixture(scope="session")
def small_gold(small_data: Path) -> Mapping[str, str]:
    """The class of every example of `small_data`."""
    with small_data.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["label"] for row in csv.DictReader(file)}


@pytest.fixture(scope="session")
def small_encoder(make_tiny_bert: Callable[[Sequence[str]], Path], small_data: Path) -> Path:
    """A tiny BERT that knows the words of `small_data`."""
    return make_tiny_bert(sorted(set(re.findall(r"\w+|[^\w\s]", small_data.read_text(encoding="utf-8").lower()))))


@pytest.fixture(scope="session")
def prepared_store(
    tmp_path_factory: pytest.TempPathFactory, small_data: Path, small_encoder: Path, small_gold: Mapping[str, str]
) -> Path:
    """A store with two real runs, made once. Look only; a test that writes takes `own_store`.

    ``first`` has rounds 0 to 2, answered by an oracle; ``people`` has round 0 and waits for a person's labels.
    """
    import alvin_core as alvin

    folder = tmp_path_factory.mktemp("browser-store") / "store"
    dataset = alvin.load_dataset(small_data)
    settings = alvin.RunSettings().with_values(
        {
            "encoder.name": str(small_encoder),
            "initial": 30,
            "budget": 10,
            "training.epochs": 4,
            "runtime.threads": 1,
            "runtime.device": "cpu",
        }
    )
    people = alvin.create_run(folder, dataset, settings.with_value("annotator", "person"), name="people")
    people.submit({id_: small_gold[id_] for id_ in people.pending()["id"]})
    people.step()
    first = alvin.create_run(folder, dataset, settings, name="first", source="reviews.csv")
    for _ in first.run_rounds(2):
        pass
    (folder / TOUR_SEEN).parent.mkdir()
    (folder / TOUR_SEEN).touch()
    return folder


@pytest.fixture
def own_store(prepared_store: Path, tmp_path: Path) -> Path:
    """A copy of `prepared_store` that a test may change."""
    for attempt in range(5):
        try:
            return Path(shutil.copytree(prepared_store, tmp_path / f"store{attempt or ''}"))
        except shutil.Error as error:  # the server of another test closed the database meanwhile, and its log is gone
            missing = error
    raise missing


@pytest.fixture
def empty_store(tmp_path: Path) -> Path:
    """A folder that nothing was ever put into."""
    return tmp_path / "empty-store"


def _serve(store: Path, log: Path, port: int = 0) -> Dashboard:
    port = port or free_port()
    command = (sys.executable, "-m", "dashboard", "--store", str(store), "--port", str(port), "--no-browser")
    # A map takes the worker longer to compile than any test takes: PCA stands in, and the worker starts cold.
    quick = {"ALVIN_AUTOMATIC_MAP": "0", "ALVIN_WARM_UP": "0"}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"} | quick
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=Path(__file__).parents[2]
        )
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            with urlopen(f"{url}/api/ready", timeout=2):
                return Dashboard(url, store, process)
        except (URLError, OSError):
            time.sleep(0.1)
    _end(process)
    raise RuntimeError(f"the dashboard did not start:\n{log.read_text(errors='replace')}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def dashboard(prepared_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard on `prepared_store`, one for all tests that only look."""
    served = _serve(prepared_store, tmp_path_factory.mktemp("browser-log") / "dashboard.log")
    yield served
    _end(served.process)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], Dashboard]]:
    """``serve(store)`` starts a dashboard of the test's own; it ends with the test."""
    started: list[Dashboard] = []

    def start(store: Path, port: int = 0) -> Dashboard:
        started.append(_serve(store, tmp_path / f"dashboard-{len(started)}.log", port))
        return started[-1]

    yield start
    for one in started:
        _end(one.process)
