"""Asking a warm process of its own for what needs torch and takes a moment: long work is a job instead.

The first question starts the process; it stays for the next ones, ends with the one who asks, and is replaced when it
dies or hangs.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from alvin_core import errors
from alvin_core.errors import AlvinError
from alvin_core.store.location import store_folder
from alvin_core.worker.child import Child, Message, how_it_ended
from alvin_core.worker.starting import python_command

__all__ = ["ask", "close_answerers"]

COMMAND = tuple(python_command("alvin_core.worker.answering"))
OTHERS_FIRST = "no answer after {:g} s: other questions came first; ask again in a moment"
MOST_TRIES = 2  # a process that was killed once may have met a machine that was short of memory for a moment


class Answerer:
    """One process that answers the questions about one store, one at a time.

    Parameters
    ----------
    store : Path
    command : sequence of str
        How the process is started, apart from its arguments.
    """

    def __init__(self, store: Path, command: Sequence[str] = COMMAND) -> None:
        self._store, self._command = store, command
        self._turn = threading.Lock()
        self._child: Child | None = None
        self._number = 0
        self._n_open = 0  # questions without an answer: also those that nobody waits for any more
        self._heard = 0.0  # when the process last answered, or began on the first of these
        # The system ends a child with the thread that started it, and those who ask come and go.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="answerer")

    @property
    def pid(self) -> int | None:
        """The process's number; None where there is none."""
        return None if self._child is None else self._child.pid

    def ask(self, kind: str, params: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Ask one question and wait for its answer; see the module's `ask`."""
        deadline = time.monotonic() + timeout
        if not self._turn.acquire(timeout=timeout):
            raise AlvinError(OTHERS_FIRST.format(timeout))
        try:
            return self._ask(kind, params, deadline, timeout)
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the process, whatever it does; a question that waits for it fails."""
        self._starter.shutdown(wait=False)  # first: or a question that is under way would start the next process
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _ask(self, kind: str, params: Mapping[str, Any], deadline: float, timeout: float) -> dict[str, Any]:
        how = ""
        for _ in range(MOST_TRIES):
            child = self._running()
            if not self._n_open:
                self._heard = time.monotonic()
            self._n_open += 1
            self._number += 1
            child.send(id=self._number, kind=kind, params=dict(params))
            reply = self._reply(child, deadline)
            if reply is None:
                if time.monotonic() - self._heard < timeout / 2:  # it is busy and does not hang: its models are kept
                    raise AlvinError(OTHERS_FIRST.format(timeout))
                child.kill()  # it would not end by itself
                self._end(child)
                raise AlvinError(
                    f"no answer to the question {kind!r} after {timeout:g} s; its process was ended, and the next "
                    "question starts a new one: ask for less, or allow more time"
                )
            if reply["event"] != "ended":
                return _answer_in(reply)
            how = self._end(child)
        raise AlvinError(f"the process that answers {kind!r} {how}")

    def _reply(self, child: Child, deadline: float) -> Message | None:
        """Return what the process says to the last question, or that it ended; None when the time is up."""
        while (left := deadline - time.monotonic()) > 0:
            message = child.receive(left)
            if message is None:
                continue
            self._n_open, self._heard = self._n_open - 1, time.monotonic()
            if message["event"] == "ended" or message["id"] == self._number:
                return message
        return None

    def _running(self) -> Child:
        """Return the process, started where there is none."""
        if self._child is None:
            try:
                self._child = self._starter.submit(Child, self._command, self._store, cold=False).result()
            except RuntimeError as error:  # its thread takes no more work
                raise AlvinError("the question was not answered: its process was closed meanwhile") from error
        return self._child

    def _end(self, child: Child) -> str:
        """Let go of a process, and say how it ended."""
        self._child, self._n_open = None, 0
        code = child.wait()  # gives it no long time
        return how_it_ended(code)


_answerers: dict[Path, Answerer] = {}
_guard = threading.Lock()


def ask(store: Path | str, kind: str, params: Mapping[str, Any], *, timeout: float = 60.0) -> dict[str, Any]:
    """Ask a question that needs a model, and wait for its answer.

    The work is done by a process of its own, which the first question starts. May be called from any thread; questions
    about one store are answered one after the other.

    Parameters
    ----------
    store : Path or str
    kind : {"counterfactual", "attribution", "world"}
        `alvin_core.run.editing.counterfactual`: what a round's model makes of texts; ``attribution``
        (`alvin_core.run.attributing.attribution`): which words it goes by; ``world``: a classroom's world and its
        rounds.
    params : mapping
        Plain values, as these take them.
    timeout : float
        Seconds, the wait for other questions included.

    Returns
    -------
    dict
        Plain values, as these return them.

    Raises
    ------
    AlvinError
        Of the class, and with the message, that the work raised; also when there is no answer in time, or the process
        ended twice over one question.
    """
    return _answerer_of(store_folder(store)).ask(kind, params, timeout)


def close_answerers() -> None:
    """End every process that answers questions; the next question starts a new one."""
    with _guard:
        closing = list(_answerers.values())
        _answerers.clear()
    for one in closing:
        one.close()


def _answerer_of(store: Path) -> Answerer:
    with _guard:
        if store not in _answerers:
            _answerers[store] = Answerer(store)
        return _answerers[store]


def _answer_in(reply: Message) -> dict[str, Any]:
    """Return the answer that a reply holds, or raise the error that it names."""
    if reply["event"] == "answer":
        answer: dict[str, Any] = reply["answer"]
        return answer
    kind = getattr(errors, reply["kind"], AlvinError)
    raise kind(reply["text"])


def _close_at_exit() -> None:
    with suppress(Exception):  # the process ends; its children end with it in any case
        close_answerers()


atexit.register(_close_at_exit)
