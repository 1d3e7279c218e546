"""What must hold among a run's records, whatever was killed when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from alvin_core.store.added import COUNTERFACTUAL, added_rows
from alvin_core.store.labels import label_events
from alvin_core.store.marks import mark_events
from alvin_core.store.opinions import opinion_events
from alvin_core.store.rounds import list_rounds, proposal
from alvin_core.store.tables import (
    INITIAL_PROPOSAL,
    AddedExampleRow,
    LabelRow,
    MarkRow,
    OpinionRow,
    RoundRow,
    RunRow,
)
from alvin_core.upkeep.findings import StoreReport

__all__ = ["RunRecords", "check_records", "read_records"]

LOST = "restore the store from a backup, or delete the run"


@dataclass(frozen=True)
class RunRecords:
    """All that the database holds of a run, read in one transaction."""

    run: RunRow
    rounds: list[RoundRow]
    proposals: dict[int, list[str]]  # round -> ids in the order of their ranks
    labels: list[LabelRow]
    opinions: list[OpinionRow]
    marks: list[MarkRow]
    added: list[AddedExampleRow]

    @property
    def subject(self) -> str:
        """The run, for a person."""
        return f"run {self.run.name!r}"


def read_records(session: Session, run: RunRow) -> RunRecords:
    """Read a run's records."""
    rounds = list_rounds(session, run.id)
    # Of a database or a backup that was changed, the last number tells nothing: it may be billions.
    numbers = sorted({INITIAL_PROPOSAL, *(one.round_no for one in rounds)})
    return RunRecords(
        run=run,
        rounds=rounds,
        proposals={number: proposal(session, run.id, number) for number in numbers},
        labels=label_events(session, run.id),
        opinions=opinion_events(session, run.id),
        marks=mark_events(session, run.id),
        added=added_rows(session, run.id),
    )


def check_records(records: RunRecords, ids: Collection[str], classes: Collection[str], report: StoreReport) -> None:
    """Check a run's records against each other, and against the ids and classes of its data set.

    Parameters
    ----------
    records : RunRecords
    ids : collection of str
        Of the data set; those of added examples are known from the records.
    classes : collection of str
    report : StoreReport
        Gets what is found.
    """
    known = _Ids(ids, {one.example_id for one in records.added})
    held_at = _check_labels(records, known, classes, report)
    _check_opinions(records, known, classes, report)
    _check_numbers(records, report)
    _check_rounds(records, held_at, report)
    for number, proposed in records.proposals.items():
        subject = f"{records.subject}, proposal of round {number}"
        if len(set(proposed)) < len(proposed):
            report.damage(subject, "an example is proposed twice", LOST)
        _check_known(proposed, known, subject, report)
    _check_known([one.example_id for one in records.marks], known, f"{records.subject}, marks", report)


@dataclass(frozen=True)
class _Ids:
    stored: Collection[str]
    added: Collection[str]

    def __contains__(self, example_id: str) -> bool:
        return example_id in self.stored or example_id in self.added


def _check_known(ids: Sequence[str], known: _Ids, subject: str, report: StoreReport) -> None:
    strangers = [one for one in ids if one not in known]
    if strangers:
        report.damage(subject, f"{len(strangers)} of no example of the data, such as {strangers[0]!r}", LOST)


def _check_labels(
    records: RunRecords, known: _Ids, classes: Collection[str], report: StoreReport
) -> dict[int, frozenset[str]]:
    """Check the label events one after another; return which examples held a label at the events rounds trained on."""
    subject, held = f"{records.subject}, labels", dict[str, str]()
    asked, held_at = {one.last_seq for one in records.rounds}, {0: frozenset[str]()}
    _check_known([one.example_id for one in records.labels], known, subject, report)
    for event in records.labels:
        where = f"event {event.seq}"
        if event.label not in classes:
            report.damage(subject, f"{where} has the class {event.label!r}, which the data has not", LOST)
        if event.action == "label":
            if event.example_id in held:
                report.damage(subject, f"{where} labels {event.example_id!r}, which had a label", LOST)
            held[event.example_id] = event.label
        elif event.action == "undo":
            if held.pop(event.example_id, None) != event.label:
                report.damage(subject, f"{where} takes back a label that {event.example_id!r} did not have", LOST)
        else:
            report.damage(subject, f"{where} is of the unknown kind {event.action!r}", LOST)
        if event.seq in asked:
            held_at[event.seq] = frozenset(held)
    return held_at


def _check_opinions(records: RunRecords, known: _Ids, classes: Collection[str], report: StoreReport) -> None:
    """Check the opinion events one after another, and that the log of labels was never behind them."""
    subject, held, newest = f"{records.subject}, opinions", dict[tuple[str, str], str](), 0
    proposed = {number: set(ids) for number, ids in records.proposals.items()} if records.opinions else {}
    _check_known([one.example_id for one in records.opinions], known, subject, report)
    for event in records.opinions:
        where, key = f"event {event.seq}", (event.example_id, event.annotator)
        if event.label not in classes:
            report.damage(subject, f"{where} has the class {event.label!r}, which the data has not", LOST)
        if event.example_id not in proposed.get(event.round_no, ()):
            report.damage(subject, f"{where} is on {key[0]!r}, which round {event.round_no} did not propose", LOST)
        if not newest <= event.label_seq <= len(records.labels):
            n_labels = len(records.labels)
            report.damage(
                subject, f"{where} follows label event {event.label_seq}, not of {newest} to {n_labels}", LOST
            )
        newest = max(newest, event.label_seq)
        if event.action == "opinion":
            if key in held:
                report.damage(subject, f"{where} is a second opinion of {key[1]!r} on {key[0]!r}", LOST)
            held[key] = event.label
        elif event.action == "undo":
            if held.pop(key, None) != event.label:
                report.damage(subject, f"{where} takes back an opinion on {key[0]!r} that was not given", LOST)
        else:
            report.damage(subject, f"{where} is of the unknown kind {event.action!r}", LOST)


def _check_numbers(records: RunRecords, report: StoreReport) -> None:
    """Check that what is counted is counted without gaps: a gap is an event that was lost."""
    counted = {
        "labels": ([one.seq for one in records.labels], 1),
        "opinions": ([one.seq for one in records.opinions], 1),
        "marks": ([one.seq for one in records.marks], 1),
        "rounds": ([one.round_no for one in records.rounds], 0),
        "added examples": ([one.number for one in records.added], 0),
    }
    for name, (numbers, start) in counted.items():
        expected = start
        for number in sorted({one for one in numbers if one >= start}):
            if number > expected:
                report.damage(f"{records.subject}, {name}", f"number {expected} is missing", LOST)
                break
            expected = number + 1
    came_with = [one.example_id for one in records.labels if one.source == COUNTERFACTUAL and one.action == "label"]
    if sorted(came_with) != sorted(one.example_id for one in records.added):
        report.damage(f"{records.subject}, added examples", "not each has the one label that it came with", LOST)


def _check_rounds(records: RunRecords, held_at: dict[int, frozenset[str]], report: StoreReport) -> None:
    n_events, before = len(records.labels), 0
    for one in records.rounds:
        subject = f"{records.subject}, round {one.round_no}"
        if not before <= one.last_seq <= n_events:
            report.damage(
                subject, f"it trained on the labels up to {one.last_seq}, of {n_events} (before it {before})", LOST
            )
        elif len(held_at.get(one.last_seq, ())) != one.n_labeled:
            n_held = len(held_at.get(one.last_seq, ()))
            report.damage(subject, f"it trained on {one.n_labeled} labels, of which {n_held} are there", LOST)
        before = max(before, one.last_seq)
