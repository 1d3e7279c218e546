"""The web server: the page, the routes that carry arrays, and the worker that lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.api import ROUTES
from dashboard.components.map import BUNDLE_ROUTES
from dashboard.guards import guards
from dashboard.starting import Start

__all__ = ["app"]


@asynccontextmanager
async def _lifespan(_: st.App) -> AsyncIterator[dict[str, Any]]:
    start = Start()
    start.begin()
    try:
        yield {}
    finally:
        # Ending the worker takes seconds; the loop goes on closing connections meanwhile.
        await asyncio.to_thread(start.end)


NAMES = ("127.0.0.1", "localhost", "[::1]")  # of this machine, as addresses have them

app = st.App(
    Path(__file__).with_name("app.py"),
    lifespan=_lifespan,
    routes=[*ROUTES, *BUNDLE_ROUTES],
    middleware=guards(NAMES),
)
