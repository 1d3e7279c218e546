"""``python -m alvin_core.worker.answering --store DIR``: answer small questions that need torch, one after the other.

It reads JSON lines from its standard input, ``{"id", "kind", "params"}``, and writes JSON lines to what was its
standard output: ``{"event": "answer", "id", "answer"}``, or ``{"event": "refused", "id", "kind", "text"}`` with the
name of an error's class. Models stay at hand between questions. When the input ends, so does the process.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from alvin_core.errors import AlvinError, SettingsError
from alvin_core.logs import facts, log_about, log_error, set_up_logs
from alvin_core.run.models import ModelShelf
from alvin_core.shown import shown
from alvin_core.worker.executor import NO_MEMORY, Line, _end_with
from alvin_core.worker.lines import one_line
from alvin_core.worker.starting import LOG, bound_log

__all__ = ["Desk", "main"]

log = logging.getLogger("alvin_core.worker.answering")

Answer = dict[str, Any]
ABOUT_RUNS: dict[str, tuple[str, str]] = {
    "counterfactual": ("alvin_core.run.editing", "counterfactual"),
    "attribution": ("alvin_core.run.attributing", "attribution"),
}
ABOUT_NO_RUN: dict[str, tuple[str, str]] = {
    "world": ("alvin_core.classroom", "answer"),
}


class Desk:
    """What answers questions, with the models that the last ones needed.

    Parameters
    ----------
    store : Path
    """

    def __init__(self, store: Path) -> None:
        self._models = ModelShelf(store)

    def answer(self, kind: str, params: Mapping[str, Any]) -> Answer:
        """Answer one question.

        Raises
        ------
        SettingsError
            When there is no such kind of question.
        AlvinError
            As what answers it does.
        """
        if kind in ABOUT_RUNS:
            return _function(*ABOUT_RUNS[kind])(self._models, params)
        if kind in ABOUT_NO_RUN:
            return _function(*ABOUT_NO_RUN[kind])(params)
        raise SettingsError(f"no question is called {shown(kind)}; choose {', '.join((*ABOUT_RUNS, *ABOUT_NO_RUN))}")


def main(argv: Sequence[str] | None = None, desk: Callable[[Path], Any] = Desk) -> None:
    """Answer until standard input ends.

    Parameters
    ----------
    argv : sequence of str, optional
    desk : callable
        Store -> who answers; another one in tests.
    """
    parser = argparse.ArgumentParser(prog="python -m alvin_core.worker.answering")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--supervisor", type=int, default=os.getppid(), help="the process that asks")
    arguments = parser.parse_args(argv)
    _end_with(arguments.supervisor)
    _complain_into(arguments.store)
    set_up_logs(screen=True)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started it
    line = Line()
    questions: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(line, questions), daemon=True).start()
    answering = desk(arguments.store)
    while True:
        question = questions.get()
        with log_about(question=question["id"]):
            line.send(**_answered(answering, question))


def _listen(line: Line, questions: queue.Queue[dict[str, Any]]) -> None:
    # Whatever happens here, a process that hears nothing more must not stay.
    try:
        for message in line.messages():
            questions.put(message)
    finally:
        os._exit(0)


def _answered(desk: Any, question: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one question, or say why not."""

    def refused(kind: str, text: str) -> dict[str, Any]:
        return {"event": "refused", "id": question["id"], "kind": kind, "text": text}

    start = time.perf_counter()
    try:
        answer = _plain(desk.answer(question["kind"], question["params"]))
    except AlvinError as error:
        told = facts(kind=question["kind"], error=type(error).__name__, seconds=time.perf_counter() - start)
        log.debug("question refused", extra=told)
        return refused(type(error).__name__, str(error))
    except MemoryError as error:
        log_error(log, "question fails", error)
        return refused("AlvinError", NO_MEMORY)
    except Exception as error:
        log_error(log, "question fails", error)
        return refused("AlvinError", f"unexpected: {type(error).__name__}: {one_line(error)}")
    log.debug("question answered", extra=facts(kind=question["kind"], seconds=time.perf_counter() - start))
    return {"event": "answer", "id": question["id"], "answer": answer}


def _plain(answer: Answer) -> Answer:
    """Return an answer that can be sent as it is.

    Raises
    ------
    TypeError, ValueError
        When it holds what JSON cannot: better here, where it is told of, than while the line is written.
    """
    json.dumps(answer, allow_nan=False)
    return answer


def _function(module: str, name: str) -> Callable[..., Answer]:
    found: Callable[..., Answer] = getattr(import_module(module), name)
    return found


def _complain_into(store: Path) -> None:
    """Write what goes wrong into the store's log, where there is a store: a terminal is no place for tracebacks."""
    if not (store / "locks").is_dir():
        return
    bound_log(store)
    with suppress(OSError), (store / LOG).open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())


if __name__ == "__main__":
    main()
