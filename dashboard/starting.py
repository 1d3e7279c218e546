"""The first seconds of a server: a browser loads the page's scripts while Python imports what the page needs.

Streamlit answers as soon as it is loaded itself. What the pages need is imported by a thread meanwhile, and the first
run of the page waits for it: two threads that import the same modules at once can see half of one. The worker, whose
libraries keep a processor busy for many seconds, comes once the first page stands.
"""

from __future__ import annotations

import sys
from importlib import import_module
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard.supervising import WorkerKeeper

__all__ = ["Start", "sent", "wait"]

FIRST_PAGE = ("pandas", "dashboard.page", "dashboard.map_arrays", "dashboard.views.explore")
GIVING_WAY = 0.0005  # seconds: the server has sixty small files to send meanwhile, and waits so long for each
LONGEST = 8.0  # seconds for a browser to come; then the worker starts without one
DRAWING = 2.0  # seconds that a browser gets to draw what was sent last
LATEST = 8.0  # seconds after the first page; then the worker starts, however much is asked for

_imported = Event()
_imported.set()  # nothing to wait for where no server starts, as in a test of a page
_page = Event()
_last_sent = 0.0


class Start:
    """What a server does beside answering when it starts, and undoes when it ends."""

    def __init__(self) -> None:
        self._ending = Event()
        self._keeper: WorkerKeeper | None = None
        self._thread = Thread(target=self._begin, name="start", daemon=True)

    def begin(self) -> None:
        """Begin; returns at once."""
        _imported.clear()
        self._thread.start()

    def end(self) -> None:
        """End the worker, gently first, and wait until it is gone."""
        self._ending.set()
        _page.set()
        self._thread.join()
        if self._keeper is not None:
            self._keeper.stop()

    def _begin(self) -> None:
        try:
            _import_pages()
        finally:  # whatever is wrong, the page that needs it says so
            _imported.set()
        _page.wait(LONGEST)
        self._let_draw()
        if not self._ending.is_set():
            self._keeper = _keeper()
            self._keeper.start()

    def _let_draw(self) -> None:
        """Wait until a browser has had time to draw the first page: it asks for its parts one after another."""
        latest = monotonic() + LATEST
        while not self._ending.is_set() and (until := min(latest, _last_sent + DRAWING)) > monotonic():
            self._ending.wait(until - monotonic())


def _import_pages() -> None:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(GIVING_WAY)
    try:
        for name in FIRST_PAGE:
            import_module(name)
    finally:
        sys.setswitchinterval(usual)


def _keeper() -> WorkerKeeper:
    from dashboard.data import store
    from dashboard.supervising import WorkerKeeper

    return WorkerKeeper(store())


def wait() -> None:
    """Wait until what the first page needs is imported."""
    _imported.wait()


def sent() -> None:
    """Note that a page, or what it draws, is on its way to a browser."""
    global _last_sent
    _last_sent = monotonic()
    _page.set()
