"""Progress of a comparison on standard error: how many cells are done, what is at work, and the time left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from alvin_core.cli.output import error_console, seconds, tell
from alvin_core.cli.progress_bar import LINE_EVERY, Watch
from alvin_core.experiments.values import CELLS, ROUNDS
from alvin_core.progress import ProgressEvent

if TYPE_CHECKING:
    from alvin_core.cli.bars import Bars

__all__ = ["CellWatch"]


class CellWatch:
    """Shows the progress of a comparison; give it as the ``progress`` of `Comparison.run`.

    Used as a context manager. On a terminal it draws a bar for the cells and one for what is at work; elsewhere it
    writes a line every ten seconds. The time left is told from the rounds that were finished meanwhile, or the cells
    where nobody tells of rounds.

    Parameters
    ----------
    quiet : bool
        Show nothing at all but what a user must know.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._watch = Watch(quiet=quiet)  # of what comes before the cells, and of notes
        self._console = error_console()
        self._draws = self._console.is_terminal and not quiet
        self._quiet = quiet
        self._bars: Bars | None = None
        self._started: dict[str, tuple[float, int]] = {}  # of each unit: when work began, and how much was done then
        self._rounds: ProgressEvent | None = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._watch.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._watch.__exit__(kind, error, where)
        self._clear()

    def __call__(self, event: ProgressEvent) -> None:
        """Take one step of progress."""
        if event.stage not in (CELLS, ROUNDS) or not event.total:
            self._clear()
            self._watch(event)
            return
        now = time.monotonic()
        self._started.setdefault(event.stage, (now, event.done))
        if event.stage == ROUNDS:
            self._rounds = event
            return
        left = self._left(now, self._rounds or event)
        if self._draws:
            self._draw(event, left)
        elif not self._quiet and now - self._last_line >= LINE_EVERY:
            self._last_line = now
            soon = "" if left is None else f", about {seconds(left)} left"
            tell(f"{_words(event)}{soon}" + (f"; at work: {event.note}" if event.note else ""))

    def _left(self, now: float, event: ProgressEvent) -> float | None:
        """Seconds that what is still to do will take, from what was done; None before anything is."""
        began, done_before = self._started[event.stage]
        n_done = event.done - done_before
        return (now - began) / n_done * (event.total - event.done) if n_done else None

    def _draw(self, event: ProgressEvent, left: float | None) -> None:
        if self._bars is None:
            from alvin_core.cli.bars import Bars  # late: the help needs no bars

            self._watch.pause()
            self._bars = Bars(self._console)
        self._bars.show_rounds(_words(event), event.done, event.total, left)
        self._bars.show_stage("at work", 0, 0, event.note)

    def _clear(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def _words(event: ProgressEvent) -> str:
    return f"{event.done} of {event.total} cells done"
