"""Progress on standard error: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from alvin_core.cli.output import counted, error_console, reason, seconds, tell, warn
from alvin_core.progress import ProgressEvent

if TYPE_CHECKING:
    from alvin_core.cli.bars import Bars

__all__ = ["Watch"]

REPLAY = "replay"  # its events count rounds, not steps of one
SEARCHING = ("select", "retrieve")  # their notes tell how it goes, and are gone with the bar
LINE_EVERY = 10.0  # seconds between lines where there is no terminal

STAGES = {
    "load": "load the model",
    "tokenise": "read texts",
    "encode": "encode texts",
    "train": "train",
    "predict": "predict",
    "retrieve": "find neighbors",
    "select": "select",
    "verify": "look through the store",
    "backup": "copy files",
    "restore": "unpack",
}


class Watch:
    """Shows the progress of a piece of work; give it as the ``progress`` of the engine.

    Used as a context manager. On a terminal it draws a bar for the stage and, where several rounds are done, one for
    the whole; elsewhere it writes a line every ten seconds. `pause` clears the screen for other output.

    Parameters
    ----------
    total : int
        How many rounds will be done; 0 where the work is not rounds.
    quiet : bool
        Show nothing at all but what a user must know.
    """

    def __init__(self, total: int = 0, *, quiet: bool = False) -> None:
        self._total = total
        self._done = 0
        self._console = error_console()
        self._draws = self._console.is_terminal and not quiet
        self._quiet = quiet
        self._bars: Bars | None = None
        self._began = self._last_line = self._started = time.monotonic()
        self._notes: set[str] = set()
        self._event = ProgressEvent("", 0, 0)

    def __enter__(self) -> Self:
        if self._draws:
            self._draw(ProgressEvent("load", 0, 0))  # libraries and model load for seconds before the first event
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.pause()

    def __call__(self, event: ProgressEvent) -> None:
        """Take one step of progress."""
        if event.stage == REPLAY:
            self._done = event.done
            return
        if event.stage != self._event.stage or event.done < self._event.done:
            self._began = time.monotonic()
        self._event = event
        self._tell_note(event)
        if self._draws:
            self._draw(event)
        elif not self._quiet:
            self._write_line(event)

    def round_done(self, encoding: Mapping[str, Any] | None = None) -> None:
        """Count a finished round and clear the screen for what is said of it.

        Parameters
        ----------
        encoding : mapping, optional
            As `RoundRecord` has it. How fast texts were encoded is told: it is the step whose cost a user can change.
        """
        self._event = ProgressEvent("", 0, 0)
        self._done += 1
        self.pause()
        encoding = encoding or {}
        speed, n_texts = encoding.get("texts_per_second"), encoding.get("n_encoded", 0)
        if speed and not self._quiet:
            tell(f"encoded {counted(n_texts, 'text')} in {seconds(n_texts / speed)}, {speed:,.0f} texts a second")

    def pause(self) -> None:
        """Clear the bars; the next step of progress draws them again."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _draw(self, event: ProgressEvent) -> None:
        if self._bars is None:
            from alvin_core.cli.bars import Bars  # late: the help needs no bars

            self._bars = Bars(self._console)
        if self._total > 1:
            self._bars.show_rounds(self._round_words(), self._done, self._total, self._rounds_left())
        note = event.note if event.stage in SEARCHING else ""
        self._bars.show_stage(_words(event), event.done, event.total, note)

    def _round_words(self) -> str:
        return f"round {min(self._done + 1, self._total)} of {self._total}"

    def _rounds_left(self) -> float | None:
        """Seconds that the rounds still to do will take, from those that are done; None before the first is."""
        if not self._done:
            return None
        elapsed = time.monotonic() - self._started
        return max(0.0, elapsed / self._done * (self._total - self._done))

    def _write_line(self, event: ProgressEvent) -> None:
        now = time.monotonic()
        if now - self._last_line < LINE_EVERY or not 0 < event.done < event.total:
            return
        self._last_line = now
        share = event.done / event.total
        left = (now - self._began) * (1 - share) / share
        where = f"{self._round_words()}: " if self._total > 1 else ""
        soon = f", about {seconds(left)} left" if left >= 1 else ""
        tell(f"{where}{_words(event)} {share:.0%}{soon}")

    def _tell_note(self, event: ProgressEvent) -> None:
        """Say each thing that a user should know once; what only tells how a search goes stands beside the bar."""
        kind = re.sub(r"\d+", "#", event.note)
        if not event.note or (event.stage in SEARCHING and event.total) or kind in self._notes:
            return
        self._notes.add(kind)
        self.pause()
        warn(reason(event.note))


def _words(event: ProgressEvent) -> str:
    return STAGES.get(event.stage, event.stage)
