"""The server's logs in one form, and its requests counted. Nothing of an address, a text or a person is written."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from threading import Lock

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COUNTS", "CountRequests", "ServerCounts", "begin_logs"]

FOREIGN = ("streamlit", "uvicorn", "websockets")
KINDS = {
    "_stcore": "page",
    "static": "static",
    "component": "static",
    "api": "api",
    "healthz": "watch",
    "metrics": "watch",
}
STREAM = "/_stcore/stream"


@dataclass
class ServerCounts:
    """What this server has counted since it started, by plain numbers: the first request comes before any library.

    Attributes
    ----------
    requests : Counter of (kind, status)
        Such as ``("api", "2xx")``: never an address, which holds ids.
    records : Counter of str
        ``warning`` and ``error``.
    sessions : int
        Web sockets of pages that are open.
    """

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    _turn: Lock = field(default_factory=Lock, repr=False)

    def add_request(self, of: str, status: int) -> None:
        """Count a request."""
        with self._turn:
            self.requests[of, f"{status // 100}xx"] += 1

    def add_record(self, level: int) -> None:
        """Count a record of the logs."""
        with self._turn:
            self.records["error" if level >= logging.ERROR else "warning"] += 1

    def add_session(self, n: int) -> None:
        """Count a page that was opened (1) or closed (-1)."""
        with self._turn:
            self.sessions += n

    def taken(self) -> ServerCounts:
        """Return the counts of this moment."""
        with self._turn:
            return replace(self, requests=self.requests.copy(), records=self.records.copy())


COUNTS = ServerCounts()


class _CountRecords(logging.Handler):
    """Counts what is logged from warnings up; keeps nothing of it."""

    def emit(self, record: logging.LogRecord) -> None:
        COUNTS.add_record(record.levelno)


_counter = _CountRecords(logging.WARNING)


def _watch(logger: logging.Logger) -> None:
    if _counter not in logger.handlers:
        logger.addHandler(_counter)


def begin_logs() -> None:
    """Count warnings and errors, and where logs are asked for have the libraries write them in the same form.

    Called once the server's own logging is set up; what libraries write otherwise stays as it is.
    """
    ours = [one for one in logging.getLogger().handlers if getattr(one, "_alvin", False)]
    root = logging.getLogger()
    if not root.handlers:  # as Python does where there is no handler at all: the message of warnings and errors
        root.addHandler(_last_resort())
    _watch(root)
    for logger in _foreign_loggers():
        if ours:
            for handler in list(logger.handlers):
                logger.removeHandler(handler)
            logger.propagate = True
        elif not logger.propagate:
            _watch(logger)
    if ours:
        # A line a request, of which nothing is left without the address; metrics count requests.
        logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
        _keep_streamlit_from_adding_more()


def _foreign_loggers() -> list[logging.Logger]:
    known = logging.getLogger().manager.loggerDict
    return [one for name, one in known.items() if name.partition(".")[0] in FOREIGN and isinstance(one, logging.Logger)]


def _last_resort() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def _keep_streamlit_from_adding_more() -> None:
    """Let loggers that Streamlit makes later write as all others do: it gives each a handler of its own."""
    from streamlit import logger as streamlit_logger

    def as_all_others(logger: logging.Logger) -> None:
        logger.propagate = True

    streamlit_logger.setup_formatter = as_all_others


class CountRequests:
    """Counts every request by its kind and the first digit of its status, and the web sockets of pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and str(scope.get("path", "")).endswith(STREAM):
            await self._count_socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._count_request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _count_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        status: list[int] = []

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(int(message["status"]))
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            COUNTS.add_request(_kind(str(scope.get("path", ""))), status[0] if status else 500)

    async def _count_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = False

        async def note(message: Message) -> None:
            nonlocal is_open
            if message["type"] == "websocket.accept" and not is_open:
                is_open = True
                COUNTS.add_session(1)
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            if is_open:
                COUNTS.add_session(-1)


def _kind(path: str) -> str:
    return KINDS.get(path.strip("/").partition("/")[0], "page")
