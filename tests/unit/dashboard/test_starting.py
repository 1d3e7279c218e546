from collections.abc import Iterator
from threading import Event
from time import monotonic, sleep

import pytest

from dashboard import starting


class FakeKeeper:
    """What starts and ends the worker, without one."""

    def __init__(self) -> None:
        self.started, self.stopped = Event(), Event()

    def start(self) -> None:
        self.started.set()

    def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKeeper]:
    """A server whose pages need nothing imported, and whose worker is a fake."""
    made = FakeKeeper()
    monkeypatch.setattr(starting, "_keeper", lambda: made)
    monkeypatch.setattr(starting, "FIRST_PAGE", ("json",))
    monkeypatch.setattr(starting, "_last_sent", 0.0)
    starting._page.clear()
    yield made
    starting._page.clear()
    starting._imported.set()


def waited_for(what: Event) -> bool:
    return what.wait(20)


def test_the_worker_comes_after_the_first_page_and_ends_with_the_server(keeper: FakeKeeper) -> None:
    start = starting.Start()
    start.begin()
    assert not keeper.started.wait(0.3)  # no browser has come yet
    sent = monotonic()
    starting.sent()
    assert waited_for(keeper.started)
    assert monotonic() - sent >= starting.DRAWING
    start.end()
    assert keeper.stopped.is_set()


def test_what_a_browser_goes_on_asking_for_puts_the_worker_off_but_not_for_ever(
    keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "DRAWING", 0.5)
    monkeypatch.setattr(starting, "LATEST", 1.5)
    start = starting.Start()
    start.begin()
    began = monotonic()
    while not keeper.started.is_set() and monotonic() - began < 20:
        starting.sent()
        sleep(0.05)
    assert keeper.started.is_set()
    assert monotonic() - began >= 1.4
    start.end()


def test_the_worker_comes_without_a_browser_after_a_while(keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "LONGEST", 0.1)
    start = starting.Start()
    start.begin()
    assert waited_for(keeper.started)
    start.end()


def test_a_server_that_ends_before_the_first_page_starts_no_worker(keeper: FakeKeeper) -> None:
    start = starting.Start()
    start.begin()
    start.end()
    assert not keeper.started.is_set()
    assert not keeper.stopped.is_set()


def test_a_page_waits_until_what_it_needs_is_imported_even_where_that_fails(
    keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = Event(), Event()

    def imports() -> None:
        begun.set()
        go_on.wait(20)
        raise ImportError("half a library")

    monkeypatch.setattr(starting, "_import_pages", imports)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    start = starting.Start()
    start.begin()
    assert waited_for(begun)
    assert not starting._imported.is_set()
    go_on.set()
    starting.wait()
    start.end()
    assert not keeper.started.is_set()
