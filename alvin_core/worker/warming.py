"""Loading and compiling what the first job would wait for, in pieces that give way to a job."""

from __future__ import annotations

import _thread
import importlib
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from alvin_core.worker.lines import one_line

__all__ = ["WarmUp"]


class _GiveWay(BaseException):
    """A job has come. It is no `Exception`, so that no library takes it for a fault of its own and goes on."""


class WarmUp:
    """The pieces of warming up, done one at a time.

    Attributes
    ----------
    notes : list of str
        What could not be made warm, and why; the jobs that need it will say so themselves.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._pieces: list[tuple[Callable[[], None], bool]] = [
            (_import_torch, False),
            (_import_transformers, False),
            (_import_engine, False),
            (_load_default_encoder, False),
            (_import_umap, False),  # an import that is broken off leaves half a module behind
            (_compile_projection, True),
        ]
        self._guard = threading.Lock()
        self._breakable = self._wanted = False

    def step(self, has_job: Callable[[], bool]) -> bool:
        """Do one piece; return False when none is left. A long piece ends when a job comes, and is begun anew later."""
        if not self._pieces:
            return False
        try:
            self._step(*self._pieces[0], has_job)
        except _GiveWay:
            return True
        return True

    def _step(self, piece: Callable[[], None], breakable: bool, has_job: Callable[[], bool]) -> None:
        with self._guard:
            self._wanted = False
            self._breakable = breakable
        try:
            if breakable and has_job():  # it came before the piece could be broken off
                return
            piece()
        except Exception as error:  # whatever it is, the job that needs it will meet it and say so
            self.notes.append(f"{type(error).__name__}: {one_line(error)}")
        finally:
            with self._guard:
                self._breakable = False
        self._pieces.pop(0)

    def leave_out_loaded(self) -> None:
        """Leave out what a round has loaded; what it may not have needed is what maps are made with."""
        self._pieces = [(piece, breakable) for piece, breakable in self._pieces if breakable or piece is _import_umap]

    def interrupt(self) -> None:
        """Break off the piece at work, where that can be; called from another thread."""
        with self._guard:
            if self._breakable:
                self._wanted = True
                _signal_main_thread()

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Handle the signal that `interrupt` sends to the main thread; any other is for the supervisor."""
        if self._breakable and self._wanted:
            self._breakable = self._wanted = False
            raise _GiveWay


def _signal_main_thread() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main(signal.SIGINT)
    else:  # a signal of the system also ends a wait within the call at hand
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _import_torch() -> None:
    importlib.import_module("torch")


def _import_transformers() -> None:
    importlib.import_module("transformers")


def _import_engine() -> None:
    for name in ("alvin_core.round", "alvin_core.encoding.features", "alvin_core.training.trainer", "numba"):
        importlib.import_module(name)


def _load_default_encoder() -> None:
    from alvin_core.device import apply_threads, plan_device
    from alvin_core.encoding.models import packaged_folder
    from alvin_core.encoding.transformer import load_encoder
    from alvin_core.settings import RunSettings

    if packaged_folder() is None:  # else it would be asked for over the network
        return
    settings = RunSettings()
    plan = plan_device(settings.runtime)
    apply_threads(plan.threads)
    load_encoder(settings.encoder, plan).prepare(n_top=None)


def _import_umap() -> None:
    importlib.import_module("alvin_core.projection.umap_learn").check_installed()


def _compile_projection() -> None:
    warm_up: Callable[[], None] = importlib.import_module("alvin_core.projection").warm_up
    warm_up()
