"""One person's desk: the example in front, what was just said of it, and the actions that the keys stand for.

It lives in a browser tab's session and holds nothing that matters: labels, skips, flags and notes go to the store
before the desk says so, and a reload finds them there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from alvin_core import AlvinError, LabelError
from dashboard.labelling import UNDO_KEY, BulkPlan, Given, successor
from dashboard.labelling_queue import names_of
from dashboard.labelling_sight import Message, Mode, Sight

if TYPE_CHECKING:
    from alvin_core import Run

__all__ = ["Desk", "Message", "Mode"]


@dataclass
class Desk(Sight):
    """What one tab sees of labelling one run, and does about it."""

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
            report, kept_beside = self._submit(run, example_id, label, annotator)
        except AlvinError as error:
            self._refuse(run, example_id, label, error, annotator)
            return
        self.message = None
        self.answers[example_id] = label
        self.offers.pop(example_id, None)
        if report:
            self._remember((example_id,), label, annotator)
        else:
            self.look_again(run, annotator)
            self.message = Message("info", f"{example_id} had the label {label} already; it was stored once.")
        if kept_beside:
            text = (
                f"{names_of(kept_beside)} had {example_id} in hand by then; your {label} is kept as one more opinion."
            )
            self.message = Message("info", text)
        self._go_on(run, example_id, annotator)

    def _submit(self, run: Run, example_id: str, label: str, annotator: str) -> tuple[bool, tuple[str, ...]]:
        """Store a label or an opinion; return whether it is new, and who held the example, if that did not matter."""
        try:
            report = run.submit({example_id: label}, annotator=annotator)
            return bool(report.n_new or report.n_opinions), ()
        except LabelError:
            self.state = run.queue_state()
            one, others = self.example(example_id), self.reserved.get(example_id, ())
            if one is None or one.wanted == 1 or not others:
                raise
            report = run.submit({example_id: label}, annotator=annotator, force=True)
            return bool(report.n_new or report.n_opinions), others

    def _refuse(self, run: Run, example_id: str, label: str, error: AlvinError, annotator: str) -> None:
        self.message = Message("error", f"Not stored: {error}.")
        if not isinstance(error, LabelError):
            return
        self.look_again(run, annotator)
        others = self.reserved.get(example_id, ())
        if example_id in self.held:
            theirs, who = self.held[example_id]
            self.message = Message("error", f"Not stored: {who} labeled {example_id} {theirs} meanwhile.")
        elif others:
            self.offers[example_id] = label
            text = f"Not stored: {names_of(others)} has {example_id} in hand now. Your {label} is remembered here"
            self.message = Message("error", f"{text}: the example comes back to you if it is given back.")

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
        is_in_front = self.current == example_id
        if self.mode == "queue":
            self.current = None if is_in_front else self.current
            self.share(run, annotator)
        if is_in_front:
            left = [one for one in self.line if one not in self.held]
            offered = next((one for one in left if one in self.offers), None)
            following = offered or successor(before, example_id, left)
            self.current = following if following is not None or self.mode == "queue" else example_id
            if self.seat is not None and self.mode == "queue" and following not in {*self.seat.ids, None}:
                self.share(run, annotator)  # it is to be held before it is shown

    def undo(self, run: Run, given: Given, annotator: str) -> None:
        """Take labels back, those of a region all together, and put a single example in front again.

        A label that somebody has changed since is left alone.
        """
        self.look_again(run, annotator)
        own = self.opinions if given.annotator == annotator else {}
        holds = (given.label, given.annotator)
        ids = [one for one in given.ids if self.held.get(one) == holds or own.get(one) == given.label]
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
        self.current = example_id
        self.share(run, annotator)
        if self.mode == "queue" and example_id not in self.queue:  # it was found while browsing
            self.mode, self.found = "browse", [example_id]

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
        votes = (
            f" {report.n_opinions:,} of them want several people: there it is your opinion."
            if report.n_opinions
            else ""
        )
        self.message = Message(
            "done", f"{len(plan.ids) - report.n_same:,} examples were labeled {label}.{votes}{shared}"
        )

    # -- marks ----------------------------------------------------------------------------------------------------

    def skip(self, run: Run, example_id: str, annotator: str) -> None:
        """Put an example off and go on; while browsing, only go on."""
        before = list(self.line)
        if self.mode == "queue":
            try:
                if example_id in self.queue and example_id not in self.held:
                    run.skip(example_id, annotator)
                    self.has_skips = True
                self.offers.pop(example_id, None)
                before_it = self.current
                self.current = None if before_it == example_id else before_it
                self.share(run, annotator)
                self.current = before_it
            except AlvinError as error:
                self.message = Message("error", f"Not skipped: {error}.")
                return
        self.pass_by(example_id, before)

    def pass_by(self, example_id: str, before: Sequence[str]) -> None:
        """Put what stands behind an example in front; nothing is stored.

        Parameters
        ----------
        example_id : str
        before : sequence of str
            What was gone through when the example was shown.
        """
        self.message = None
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
        self.read_marks(run, annotator)

    def write_note(self, run: Run, example_id: str, text: str, annotator: str) -> None:
        """Put a note on an example, or take it off with an empty one."""
        try:
            run.note(example_id, text, annotator)
        except AlvinError as error:
            self.message = Message("error", f"Not noted: {error}.")
            return
        self.read_marks(run, annotator)
        self.message = Message("done", f"The note on {example_id} is {'saved' if text.strip() else 'taken off'}.")
