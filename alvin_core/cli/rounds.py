"""Doing rounds for someone who watches: progress while one works, a line when it is done."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alvin_core.cli.output import counted, plain_table, print_json, say, tell
from alvin_core.cli.progress_bar import Watch
from alvin_core.cli.round_table import RoundTable, Warnings, round_json
from alvin_core.errors import AnnotationNeeded, Cancelled
from alvin_core.store.address import without_password

if TYPE_CHECKING:
    from alvin_core.run import RoundRecord, Run

__all__ = [
    "Hints",
    "advance",
    "is_finished",
    "kept_on_stop",
    "run_to",
    "say_next",
    "say_waiting",
    "waits",
    "ways_to_label",
]


class Hints:
    """Makes the commands that a user is told to type, for one run and one store.

    Parameters
    ----------
    run : str
        The run's name.
    store : str or None
        The store that the user named; a default is not repeated, nor is a password.
    """

    def __init__(self, run: str, store: str | None) -> None:
        self._run = shlex.quote(run)
        self._store = "" if store is None else f" --store {shlex.quote(without_password(store))}"

    def command(self, verb: str, rest: str = "") -> str:
        """Return ``alvin VERB RUN REST``."""
        return f"alvin {verb} {self._run}" + (f" {rest}" if rest else "") + self._store


def waits(run: Run) -> bool:
    """Whether a person must annotate before the run can go on; read from the store, so it may change any time."""
    return run.state == "waiting"


def run_to(run: Run, n_annotations: int, watch: Watch, *, as_json: bool) -> None:
    """Go on until ``n_annotations`` proposals were annotated and trained on, showing each round.

    Stops, without an error, where a person must annotate first.

    Raises
    ------
    AnnotationNeeded
        When a run that no person annotates has labels of a single class, the others having been taken back.
    """
    try:
        _show(run, run.run_rounds(n_annotations, watch), watch, n_annotations, as_json=as_json)
    except AnnotationNeeded:
        if not waits(run):
            raise


def advance(run: Run, n_steps: int, watch: Watch, *, as_json: bool) -> None:
    """Take steps, each annotating the pending proposal and training the next round, and show each.

    Raises
    ------
    AnnotationNeeded
        When not even the first step can be taken; later ones just end.
    """
    last = run.n_rounds + n_steps - 1
    _show(run, _steps(run, n_steps, watch), watch, last, as_json=as_json)


def _steps(run: Run, n_steps: int, watch: Watch) -> Iterator[RoundRecord]:
    for n_done in range(n_steps):
        if n_done and (waits(run) or is_finished(run)):
            return
        yield run.step(watch)


def _show(run: Run, records: Iterator[RoundRecord], watch: Watch, last: int, *, as_json: bool) -> None:
    table, warnings = RoundTable(), Warnings()
    for record in records:
        watch.round_done(record.encoding)
        if as_json:
            print_json(round_json(record, annotated=record.round < last and not waits(run)))
        else:
            table.show(record)
        warnings.show(record)


@contextmanager
def kept_on_stop(run: Run, hints: Hints) -> Iterator[None]:
    """Say, when the user stops the work, what is kept and how to go on."""
    try:
        yield
    except (KeyboardInterrupt, Cancelled) as error:
        n_rounds = run.n_rounds
        kept = f"rounds 0 to {n_rounds - 1}" if n_rounds > 1 else "round 0" if n_rounds else "its initial set"
        message = f"stopped; the run {run.name!r} is kept with {kept}; go on with: {hints.command('step')}"
        raise Cancelled(message) from error


def say_waiting(run: Run, hints: Hints, *, as_json: bool = False) -> None:
    """Tell how a person gets the texts and gives the labels back; on standard error beside JSON."""
    write = tell if as_json else say
    n_pending = len(run.pending())
    file = shlex.quote(f"{run.name}-to-label.csv")
    if not as_json:
        say()
    if not n_pending:  # it is a second class that is missing
        why = run.waits_for
        write(why[:1].upper() + why[1:])
        return
    overlap = run.settings.annotation.overlap
    get, give = ways_to_label(run, hints, file)
    write(f"The run {run.name!r} waits for labels of {counted(n_pending, 'text')}:")
    if overlap > 1:
        write(f"  {overlap} people annotate an example; each of them, in turns or at once:")
    write(f"  1. {get}")
    write(f"  2. fill in the label column with: {', '.join(run.dataset.classes)}")
    write(f"  3. {give}")
    write(f"  4. {hints.command('step')}")


def ways_to_label(run: Run, hints: Hints, file: str) -> tuple[str, str]:
    """Return the commands that get texts and give labels back: all in ``file``, or a person's own where several do."""
    if run.settings.annotation.overlap > 1:
        get = hints.command("take", "--annotator NAME -n 10 --output NAME.csv")
        return get, hints.command("submit", "NAME.csv --annotator NAME")
    return hints.command("export", f"--pending --out {file}"), hints.command("submit", file)


def is_finished(run: Run) -> bool:
    """Return whether the newest round had nothing left to propose."""
    n_rounds = run.n_rounds
    return n_rounds > 0 and not run.record(n_rounds - 1).selection.get("n") and run.state == "ready"


def say_next(run: Run, hints: Hints) -> None:
    """Tell what to type next."""
    say()
    if not run.n_rounds:
        say(f"Created {run.name!r} with its initial set; nothing is trained yet. Go on with:")
        say(f"  {hints.command('step', '--rounds 3')}")
        return
    finished = is_finished(run)
    last_pick = max(run.n_rounds - (2 if finished else 1), 0)
    rows = [
        (hints.command("show", f"--round {last_pick}"), "why each example was picked"),
        (hints.command("step"), "one more round"),
        (hints.command("export", f"--out {shlex.quote(run.name + '.csv')}"), "the labels, to a file"),
    ]
    if finished:
        say("Every example of the pool is labeled and trained on.")
        del rows[1]
    say("Next:")
    plain_table(rows, indent="  ")
