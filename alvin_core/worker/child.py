"""The executor as its supervisor holds it: started, spoken to, listened to, ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alvin_core.worker.starting import worker_environment

__all__ = ["Child", "Message", "how_it_ended"]

Message = dict[str, Any]
LAST_SECONDS = 1.0
ENDED: Message = {"event": "ended"}


class Child:
    """A running executor.

    It must be made by the thread that goes on longest: the system ends an executor with the thread that started it.

    Parameters
    ----------
    command : sequence of str
    store : Path
    cold : bool
        Do not warm up.
    """

    def __init__(self, command: Sequence[str], store: Path, *, cold: bool) -> None:
        arguments = ["--store", str(store), "--supervisor", str(os.getpid()), *(["--cold"] if cold else [])]
        self._process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=worker_environment()
        )
        self._messages: queue.Queue[Message] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, **message: Any) -> None:
        """Tell it something. One that is gone is noticed by `receive`."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def receive(self, timeout: float) -> Message | None:
        """Return what it says next; None when it says nothing for so many seconds. Its last word is ``ended``."""
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            return None

    def kill(self) -> None:
        """End it at once; when this returns it is gone, with every lock that it held."""
        with suppress(OSError):
            self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Return its exit code, once it has one; it gets no long time to find it."""
        try:
            code = self._process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:  # it has closed its line and stays
            self._process.kill()
            code = self._process.wait()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        return code

    def _listen(self) -> None:
        output = self._process.stdout
        assert output is not None
        with output:
            for line in output:
                with suppress(ValueError):  # half a line, of a process that was killed while it wrote
                    self._messages.put(json.loads(line))
        self._messages.put(ENDED)


def how_it_ended(code: int) -> str:
    """Say in words how an executor ended that nobody ended on purpose."""
    if code >= 0:
        return f"ended by itself with exit code {code} (worker.log in the store may tell why)"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return "was killed by the system (SIGKILL): most often because memory ran out; end other programs, or take less"
    if name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGFPE"):
        return f"crashed in a library ({name}; worker.log in the store tells where)"
    return f"was ended by {name}"
