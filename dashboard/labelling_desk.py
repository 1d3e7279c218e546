"""One person's desk: the example in front, what was just said of it, and the actions that the keys stand for.

It lives in a browser tab's session and holds nothing that matters: labels, skips, flags and notes go to the store
before the desk says so, and a reload finds them there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

from alvin_core import AlvinError, LabelError
from dashboard.labelling import UNDO_KEY, BulkPlan, Given, recent_labels, successor

if TYPE_CHECKING:
    from alvin_core import Run

__all__ = ["Desk", "Message", "Mode"]

Mode = Literal["queue", "browse"]
LOOK_AGAIN: Final = 5.0  # seconds after which labels of colleagues are looked for


@dataclass(frozen=True)
class Message:
    """What became of the last key, in one sentence. It may hold a user's words: it is text, never markup."""

    kind: Literal["error", "info", "done"]
    text: str


@dataclass
class Desk:
    """What one tab knows of labelling one run.

    Attributes
    ----------
    run_id : str
    mode : {"queue", "browse"}
    queue : list of str
        What is to be done, best first, as of the last look.
    found : list of str
        What free browsing goes through.
    current : str or None
        The example in front.
    message : Message or None
    answers : dict of id to class name
        What this tab has said and not taken back: a second press for the same example is told by it.
    held : dict of id to (class name, annotator)
        All labels that hold, as of the last look.
    recent : list of Given
        What people labeled last, newest first.
    times : list of float
        When this tab gave its labels, in seconds.
    flagged : set of str
    notes : dict of id to note
    """

    run_id: str
    mode: Mode = "queue"
    queue: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    current: str | None = None
    message: Message | None = None
    answers: dict[str, str] = field(default_factory=dict)
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    recent: list[Given] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    flagged: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    _looked: float = float("-inf")
    _looked_as: str = ""

    # -- looking --------------------------------------------------------------------------------------------------

    def look(self, run: Run, annotator: str) -> None:
        """Read the queue, and now and then what colleagues did; put something in front where there is nothing."""
        self.queue = run.queue(annotator or "person")
        for one in self.queue:  # whatever is in the queue has no label, though this tab may have given it one
            self.answers.pop(one, None)
        if monotonic() - self._looked > LOOK_AGAIN or self._looked_as != annotator:
            self.look_again(run, annotator)
        if self.mode == "browse":
            return
        if self.current not in self.queue and not self._is_disputed():
            self.current = self.queue[0] if self.queue else None

    def _is_disputed(self) -> bool:
        """Whether the example in front stays although it left the queue: its user has yet to read why."""
        return self.current is not None and self.message is not None and self.message.kind == "error"

    def look_again(self, run: Run, annotator: str) -> None:
        """Read the labels and marks that hold now, whenever they were last read."""
        labels = run.labels()
        self.held = {
            one: (label, who)
            for one, label, who in zip(labels["id"], labels["label"], labels["annotator"], strict=True)
        }
        self.recent = recent_labels(labels)
        self.answers = {one: label for one, label in self.answers.items() if self.held.get(one, ("",))[0] == label}
        self._read_marks(run)
        self._looked, self._looked_as = monotonic(), annotator

    def _read_marks(self, run: Run) -> None:
        marks = run.marks()
        self.flagged = set(marks.loc[marks["flagged"].astype(bool), "id"])
        self.notes = {one: note for one, note in zip(marks["id"], marks["note"], strict=True) if note}

    @property
    def line(self) -> list[str]:
        """The examples that the user goes through: the queue, or what was found."""
        return self.queue if self.mode == "queue" else self.found

    def show(self, example_id: str | None) -> None:
        """Put an example in front."""
        self.current, self.message = example_id, None

    def turn_to(self, mode: Mode) -> None:
        """Change between the queue and free browsing; the example in front stays while browsing begins."""
        if mode != self.mode:
            self.mode, self.message = mode, None
            if mode == "queue":
                self.current = None

    def last_of(self, annotator: str) -> Given | None:
        """Return what this annotator labeled last and may take back."""
        return next((one for one in self.recent if one.annotator == annotator), None)

    # -- labels ---------------------------------------------------------------------------------------------------

    def label(self, run: Run, example_id: str, label: str, annotator: str) -> None:
        """Store a label and go on. Whatever prevents it is said, and the example stays in front."""
        said = self.answers.get(example_id)
        if said is not None:
            if said != label:
                text = f"{example_id} was just labeled {said}; the key for {label} that followed was not taken."
                self.message = Message("info", f"{text} {UNDO_KEY} takes the label back.")
            return
        if example_id != self.current:
            text = f"The key for {label} came when {example_id} was in front no longer; it was not taken."
            self.message = Message("info", text)
            return
        try:
            report = run.submit({example_id: label}, annotator=annotator)
        except AlvinError as error:
            self._refuse(run, example_id, error, annotator)
            return
        self.message = None
        self.answers[example_id] = label
        if report.n_new:
            self._remember((example_id,), label, annotator)
        else:
            self.look_again(run, annotator)
            self.message = Message("info", f"{example_id} had the label {label} already; it was stored once.")
        self._go_on(run, example_id, annotator)

    def _refuse(self, run: Run, example_id: str, error: AlvinError, annotator: str) -> None:
        self.message = Message("error", f"Not stored: {error}.")
        if not isinstance(error, LabelError):
            return
        self.look_again(run, annotator)
        if example_id in self.held:
            label, who = self.held[example_id]
            self.message = Message("error", f"Not stored: {who} labeled {example_id} {label} meanwhile.")

    def _remember(self, ids: tuple[str, ...], label: str, annotator: str) -> None:
        now = datetime.now(UTC)
        self.recent.insert(0, Given(ids, label, annotator, now.isoformat(timespec="microseconds")))
        del self.recent[8:]
        self.held |= dict.fromkeys(ids, (label, annotator))
        if len(ids) == 1:
            self.times.append(now.timestamp())

    def _go_on(self, run: Run, example_id: str, annotator: str) -> None:
        """Move to what comes after an example, unless something else is in front by now."""
        before = list(self.line)
        if self.mode == "queue":
            self.queue = run.queue(annotator)
        if self.current == example_id:
            left = [one for one in self.line if one not in self.held]
            following = successor(before, example_id, left)
            self.current = following if following is not None or self.mode == "queue" else example_id

    def undo(self, run: Run, given: Given, annotator: str) -> None:
        """Take labels back, those of a region all together, and put a single example in front again.

        A label that somebody has changed since is left alone.
        """
        self.look_again(run, annotator)
        ids = [one for one in given.ids if self.held.get(one) == (given.label, given.annotator)]
        problem: AlvinError | None = None
        taken: list[str] = []
        if ids:
            try:
                run.undo(ids, annotator)
                taken = ids
            except AlvinError as error:
                problem = error
        for one in given.ids:
            self.answers.pop(one, None)
        self.look_again(run, annotator)
        self._say_undone(given, taken, problem)
        if len(given.ids) == 1 and taken:
            self.times = self.times[:-1]
            self._return_to(run, given.ids[0], annotator)

    def _say_undone(self, given: Given, taken: Sequence[str], problem: AlvinError | None) -> None:
        if problem is not None:
            self.message = Message("error", f"Nothing was taken back: {problem}.")
        elif not taken:
            self.message = Message("info", f"Nothing was taken back: {given.label} does not hold there any more.")
        else:
            what = f"The label {given.label} of {taken[0]} was" if len(taken) == 1 else f"{len(taken)} labels were"
            self.message = Message("done", f"{what} taken back.")

    def _return_to(self, run: Run, example_id: str, annotator: str) -> None:
        self.queue = run.queue(annotator)
        if self.mode == "queue" and example_id not in self.queue:  # it was found while browsing
            self.mode, self.found = "browse", [example_id]
        self.current = example_id

    def label_region(self, run: Run, plan: BulkPlan, label: str, annotator: str) -> None:
        """Store one label for all unlabeled examples of a region, or for none."""
        try:
            report = run.submit(dict.fromkeys(plan.ids, label), annotator=annotator)
        except AlvinError as error:
            self.look_again(run, annotator)
            self.message = Message("error", f"Nothing was stored: {error}.")
            return
        self.look_again(run, annotator)
        shared = f" {report.n_same:,} had it already." if report.n_same else ""
        self.message = Message("done", f"{report.n_new:,} examples were labeled {label}.{shared}")

    # -- marks ----------------------------------------------------------------------------------------------------

    def skip(self, run: Run, example_id: str, annotator: str) -> None:
        """Put an example off and go on; while browsing, only go on."""
        self.message = None
        before = list(self.line)
        if self.mode == "queue":
            try:
                if example_id in self.queue and example_id not in self.held:
                    run.skip(example_id, annotator)
                self.queue = run.queue(annotator)
            except AlvinError as error:
                self.message = Message("error", f"Not skipped: {error}.")
                return
        if self.current == example_id:
            self.current = successor(before, example_id, self.line) or example_id
            if self.current == example_id:
                self.message = Message("info", "This is the last one left; nothing stands behind it.")

    def turn_flag(self, run: Run, example_id: str, annotator: str, *, on: bool) -> None:
        """Flag an example for somebody's attention, or take the flag off."""
        self.message = None
        try:
            (run.flag if on else run.unflag)(example_id, annotator)
        except AlvinError as error:
            self.message = Message("error", f"Not flagged: {error}.")
            return
        self._read_marks(run)

    def write_note(self, run: Run, example_id: str, text: str, annotator: str) -> None:
        """Put a note on an example, or take it off with an empty one."""
        try:
            run.note(example_id, text, annotator)
        except AlvinError as error:
            self.message = Message("error", f"Not noted: {error}.")
            return
        self._read_marks(run)
        self.message = Message("done", f"The note on {example_id} is {'saved' if text.strip() else 'taken off'}.")
