"""What changes without this page's doing, found out by the browser instead of by runs of the page.

A fragment that reruns by a clock sends the browser's address and the values of all widgets along. When a click and the
clock meet, what the browser had not heard of yet comes back as if the user had moved it, and the click is undone. So a
small script asks `look`'s route, keeps the line of jobs and the worker's chip up to date by itself, and reruns the page
only when something has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import streamlit as st

from alvin_core import RunNotFoundError, worker_status
from dashboard import data, jobs
from dashboard.own_store import why_closed

__all__ = ["look", "watch"]

SCRIPT: Final = Path(__file__).parent / "assets" / "watch.js"
SERVER: Final = token_hex(4)  # another one after each start: a page of before is unknown to the new server


def look(run_id: str) -> dict[str, Any]:
    """Return what the page of a run has to follow; with no run, what concerns the jobs that belong to none.

    Returns
    -------
    dict
        ``stamp``, another one whenever the page must be drawn anew; ``worker``, whether it is alive, or is not to be
        waited for; ``line``, what the line of jobs says (``words``, ``share`` or None while that is unknown), or None
        where nothing runs.
    """
    active = jobs.active_jobs(run_id)
    is_closed = bool(why_closed())
    try:
        rounds = str(data.opened(run_id).n_rounds) if run_id else ""
    except RunNotFoundError:  # deleted meanwhile: the page says so
        rounds = "gone"
    return {
        "stamp": ".".join([SERVER, "closed" if is_closed else "open", rounds, *(str(job.id) for job in active)]),
        "worker": is_closed or worker_status(data.store()).alive,
        "line": jobs.line_of(active),
    }


def watch(run_id: str, key: str, sight: dict[str, Any] | None = None) -> None:
    """Rerun the page when another tab, the command line or the worker has changed what it shows.

    So it does when the server was started again, which else would not know what the first press on the page was for.

    ``sight`` is what `look` has just returned, where somebody has looked.
    """
    sight = look(run_id) if sight is None else sight
    told = {"run": run_id, "stamp": sight["stamp"], "busy": sight["line"] is not None}
    with st.container(key=f"{key}_box"):
        _watcher()(key=key, data=told, height=1, on_changed_change=_page_follows)


def _page_follows() -> None:
    """Do nothing: what is told makes the page run, and that is all."""


@lru_cache(maxsize=1)
def _watcher() -> Callable[..., object]:
    return st.components.v2.component("alvin_watch", js=SCRIPT.read_text(encoding="utf-8"))
