"""What one person sees at their desk: the queue that they share with others, and the example in front of them.

What is shown of the queue is held for its person in the store, by the tab's seat (`labelling_seat.py`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

from alvin_core import AlvinError
from dashboard.labelling import Given, recent_labels
from dashboard.labelling_queue import names_of, reserved_for_others
from dashboard.labelling_seat import Seat, sit

if TYPE_CHECKING:
    from alvin_core import QueueExample, QueueState, Run

__all__ = ["Message", "Mode", "Sight"]

Mode = Literal["queue", "browse"]
LOOK_AGAIN: Final = 5.0  # seconds after which labels of colleagues are looked for


@dataclass(frozen=True)
class Message:
    """What became of the last key, in one sentence. It may hold a user's words: it is text, never markup."""

    kind: Literal["error", "info", "done"]
    text: str


@dataclass
class Sight:
    """What one tab sees of labelling one run.

    Attributes
    ----------
    run_id : str
    mode : {"queue", "browse"}
    queue : list of str
        What this person is to do, best first, as of the last look; without what others hold.
    found : list of str
        What free browsing goes through.
    current : str or None
        The example in front.
    message : Message or None
    answers : dict of id to class name
        What this tab has said and not taken back: a second press for the same example is told by it.
    offers : dict of id to class name
        What was said of an example that somebody else had in hand: not stored, and offered again when it is free.
    held : dict of id to (class name, annotator)
        All labels that hold, and this person's opinions, as of the last look.
    opinions : dict of id to class name
        This person's own, on examples that several people annotate.
    state : QueueState or None
        The proposal as annotators share it.
    seat : Seat or None
        None where nobody labels: without a name, or without the role.
    recent : list of Given
        What people labeled last, newest first.
    times : list of float
        When this tab gave its labels, in seconds.
    flagged : set of str
    notes : dict of id to note
    has_skips : bool
        Whether this person has skipped anything.
    is_fresh : bool
        Whether the queue was read in this very run of the page, by what its key did; the next look takes it so.
    """

    run_id: str
    mode: Mode = "queue"
    queue: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    current: str | None = None
    message: Message | None = None
    answers: dict[str, str] = field(default_factory=dict)
    offers: dict[str, str] = field(default_factory=dict)
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    opinions: dict[str, str] = field(default_factory=dict)
    state: QueueState | None = None
    seat: Seat | None = None
    recent: list[Given] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    flagged: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    has_skips: bool = True
    is_fresh: bool = False
    _looked: float = float("-inf")
    _looked_as: str = ""

    def look(self, run: Run, annotator: str) -> None:
        """Read the queue, and now and then what colleagues did; put something in front where there is nothing.

        An example that went to somebody else meanwhile stays in front, with a word about it.
        """
        round_before = self.state.round_no if self.state is not None else None
        self._sit_down(run, annotator)
        if not self.is_fresh or self._looked_as != annotator:
            self.share(run, annotator)
        self.is_fresh = False
        for one in self.queue:  # whatever is in the queue has no label, though this tab may have given it one
            self.answers.pop(one, None)
        if monotonic() - self._looked > LOOK_AGAIN or self._looked_as != annotator:
            self.look_again(run, annotator)
        if self.mode == "browse":
            return
        assert self.state is not None  # just read
        if self.current in self.queue:
            self._offer_again()
        elif not self._is_disputed() and not (round_before == self.state.round_no and self._was_lost(annotator)):
            self.current = self.queue[0] if self.queue else None

    def share(self, run: Run, annotator: str) -> None:
        """Read the queue, and hold what comes next in it for this person; only the example in front while browsing."""
        if self.seat is None:
            self.state, self.queue = run.queue_state(), run.queue(annotator or "person")
        elif self.mode == "queue":
            self.state, queue = self.seat.share(run, self.current, skips=self.has_skips)
            offered = [one for one in queue if one in self.offers]
            self.queue = [*offered, *(one for one in queue if one not in self.offers)]
        else:
            self.seat.keep_only(run, self.current)
            self.state = run.queue_state()
            reserved = reserved_for_others(self.state, annotator)
            self.queue = [one for one in run.queue(annotator) if one not in reserved]

    def _sit_down(self, run: Run, annotator: str) -> None:
        if self.seat is not None and self.seat.annotator != annotator:
            with suppress(AlvinError):  # who may not label any more gives nothing back: leases end by themselves
                self.leave(run)
            self.seat = None
            self.current, self.message = None, None
        if self.seat is None and annotator:
            self.seat = sit(run.id, annotator)

    def leave(self, run: Run) -> None:
        """Give back what this tab holds."""
        if self.seat is not None:
            self.seat.leave(run)
            self.seat = None

    def example(self, example_id: str | None) -> QueueExample | None:
        """Return what the proposal says of an example; None of what it does not hold."""
        examples = () if self.state is None else self.state.examples
        return next((one for one in examples if one.id == example_id), None)

    @property
    def reserved(self) -> dict[str, tuple[str, ...]]:
        """Examples that this person cannot be given now -> who has them in hand."""
        if self.state is None or self.seat is None:
            return {}
        return reserved_for_others(self.state, self.seat.annotator)

    def _is_disputed(self) -> bool:
        """Whether the example in front stays although it left the queue: its user has yet to read why."""
        return self.current is not None and self.message is not None and self.message.kind == "error"

    def _was_lost(self, annotator: str) -> bool:
        """Whether the example in front went to somebody else; say so then."""
        one = self.example(self.current)
        if one is None or annotator in one.annotators or not annotator:
            return False
        if one.label is not None:
            who = names_of(one.annotators)
            said = f"{who} labeled {one.id} {one.label} meanwhile"
        else:
            said = f"Nobody moved here for a while, and {one.id} went to {names_of(self.reserved.get(one.id, ()))}"
        self.message = Message("error", f"{said}. Next goes on.")
        return True

    def _offer_again(self) -> None:
        """Say that an example in front, which somebody else had in hand, is free again."""
        label = self.offers.get(self.current or "")
        if label is not None and (self.message is None or self.message.kind == "error"):
            self.message = Message(
                "info", f"{self.current} is free again. You called it {label}: press that once more."
            )

    def look_again(self, run: Run, annotator: str) -> None:
        """Read the labels and marks that hold now, whenever they were last read."""
        labels, opinions = run.labels(), run.opinions()
        self.held = {
            one: (label, who)
            for one, label, who in zip(labels["id"], labels["label"], labels["annotator"], strict=True)
        }
        own = opinions[opinions["annotator"] == annotator]
        self.opinions = dict(zip(own["id"], own["label"], strict=True))
        self.held |= {one: (label, annotator) for one, label in self.opinions.items() if one not in self.held}
        self.recent = recent_labels(labels, own=own)
        said = {one: label for one, (label, _) in self.held.items()} | self.opinions
        self.answers = {one: label for one, label in self.answers.items() if said.get(one) == label}
        self.offers = {one: label for one, label in self.offers.items() if one not in self.held}
        self.read_marks(run, annotator)
        self._looked, self._looked_as = monotonic(), annotator

    def read_marks(self, run: Run, annotator: str) -> None:
        """Read the marks that hold now."""
        marks = run.marks()
        self.has_skips = any(annotator in names for names in marks["skipped_by"])
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
