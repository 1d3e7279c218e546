"""Questions to the engine's answering process, and what it said: of a round, which never changes, it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from alvin_core import ask
from dashboard import data
from dashboard.shelf import Shelf

__all__ = ["answer", "known_answer", "seconds_to_make", "without_spans"]

AT_ONCE: Final = 4.0  # seconds of training that are waited for unasked
PATIENCE: Final = 90.0  # seconds for an answer, beside what making the model takes

_answers: Shelf[tuple[Path, str], dict[str, Any]] = Shelf(256)
_made: Shelf[tuple[Path, str, int], bool] = Shelf(256)


def answer(kind: str, run_id: str, round_no: int, **params: Any) -> dict[str, Any]:
    """Return what a round's model says; asked once, then kept.

    Raises
    ------
    AlvinError
        As `alvin_core.ask` does.
    """
    patience = PATIENCE + 3 * _train_seconds(run_id, round_no)

    def asked() -> dict[str, Any]:
        found = ask(data.store(), kind, {"run": run_id, "round": round_no, **params}, timeout=patience)
        _made.put((data.store(), run_id, round_no), True)
        return found

    return _answers.get(_key(kind, run_id, round_no, params), asked)


def known_answer(kind: str, run_id: str, round_no: int, **params: Any) -> dict[str, Any] | None:
    """Return what is kept of an answer, or None where it was not asked for."""
    return _answers.peek(_key(kind, run_id, round_no, params))


def seconds_to_make(run_id: str, round_no: int) -> float:
    """Return about how long a round's model takes to be made again; 0 where it is quick, or was made already."""
    if _made.peek((data.store(), run_id, round_no)):
        return 0.0
    seconds = _train_seconds(run_id, round_no)
    return seconds if seconds > AT_ONCE else 0.0


def without_spans(text: str, spans: list[tuple[int, int]]) -> str:
    """Return a text without some pieces, and without the white space before each of them."""
    kept, at = "", 0
    for start, end in sorted(spans):
        kept += text[at:start].rstrip()
        at = end
    left = kept + text[at:]
    return left.lstrip() if spans else left


def _train_seconds(run_id: str, round_no: int) -> float:
    return float(data.record(run_id, round_no).seconds.get("train", 0.0))


def _key(kind: str, run_id: str, round_no: int, params: dict[str, Any]) -> tuple[Path, str]:
    return data.store(), json.dumps([kind, run_id, round_no, params], sort_keys=True)
