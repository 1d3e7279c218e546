"""The answering process with questions that do as they are told: ``fake_answering.py --store DIR --supervisor PID``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from alvin_core.errors import DataError
from alvin_core.worker.answering import main


class Desk:
    def __init__(self, store: Path) -> None:
        self.n_asked = 0

    def answer(self, kind: str, params: dict[str, Any]) -> dict[str, Any]:
        self.n_asked += 1
        if kind == "echo":
            sys.stdout.write("a library that talks\n")
            sys.stdout.flush()
            return {"pid": os.getpid(), "n": self.n_asked, **params}
        if kind == "refuse":
            raise DataError("3 texts, at most 2; leave one out")
        if kind == "stumble":
            raise ValueError("a fault\nof two lines")
        if kind == "unsendable":
            return {"value": float("nan")}
        if kind == "die" or (kind == "die once" and not Path(params["mark"]).exists()):
            Path(params["mark"]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "hold":
            Path(params["fifo"]).read_text()  # until somebody writes into it
        if kind == "hang":
            threading.Event().wait()
        return {"pid": os.getpid()}


if __name__ == "__main__":
    main(desk=Desk)
