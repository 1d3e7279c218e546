"""The web server: the page, the routes that carry arrays, and the worker that lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from dashboard.api import ROUTES
from dashboard.components.map import BUNDLE_ROUTES
from dashboard.guards import guards
from dashboard.server_logs import CountRequests, begin_logs
from dashboard.sign_in import SignIn
from dashboard.starting import Start

__all__ = ["LOCAL_NAMES", "make_app"]


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[dict[str, Any]]:
    begin_logs()
    start = Start()
    start.begin()
    try:
        yield {}
    finally:
        # Ending the worker takes seconds; the loop goes on closing connections meanwhile.
        await asyncio.to_thread(start.end)


LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")  # of this machine, as addresses have them


def make_app(names: tuple[str, ...] = (), access: SignIn | None = None) -> st.App:
    """Return the web server's application.

    Parameters
    ----------
    names : tuple of str
        What it is called, beside this machine's own names.
    access : SignIn, optional
        By default whoever reaches it may do everything.
    """
    return st.App(
        Path(__file__).with_name("app.py"),
        lifespan=_lifespan,
        routes=[*ROUTES, *BUNDLE_ROUTES],
        middleware=[Middleware(CountRequests), *guards((*LOCAL_NAMES, *names), access)],
        secrets=None if access is None else {"auth": access.file.auth},
    )
