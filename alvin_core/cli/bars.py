"""Two bars on a terminal: the rounds, and the stage of the round that is being done."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from alvin_core.cli.output import seconds

__all__ = ["Bars"]


class TimeLeft(ProgressColumn):
    """The time that is left, in words."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        known: float | None = task.fields["left"]
        left = task.time_remaining if known is None else known
        return Text("" if left is None or task.finished else f"about {seconds(left)} left", style="cyan")


class Bars:
    """The bars, drawn at once; `stop` takes them off the screen."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeLeft(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
            transient=True,
            refresh_per_second=8,
        )
        self._rounds: TaskID | None = None
        self._stage: TaskID | None = None
        self._stage_words = ""
        self._progress.start()

    def show_rounds(self, words: str, done: int, total: int, left: float | None) -> None:
        """Set the upper bar; ``left`` in seconds, None where it cannot be told yet."""
        if self._rounds is None:
            self._rounds = self._progress.add_task(words, total=total, left=left, note="")
        self._progress.update(self._rounds, description=words, completed=done, total=total, left=left)

    def show_stage(self, words: str, done: int, total: int, note: str) -> None:
        """Set the lower bar; a new stage begins a new one, so that its time left is its own."""
        if self._stage is None or words != self._stage_words:
            if self._stage is not None:
                self._progress.remove_task(self._stage)
            self._stage = self._progress.add_task(words, total=total or None, left=None, note=note)
            self._stage_words = words
        self._progress.update(self._stage, completed=done, total=total or None, note=note)

    def stop(self) -> None:
        """Take the bars off the screen."""
        self._progress.stop()
