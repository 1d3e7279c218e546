"""``alvin step``, ``submit`` and ``undo``: taking a run further."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.labels import read_labels
from alvin_core.cli.options import JsonOption, QuietOption, RunArgument, StoreOption, store_path
from alvin_core.cli.output import counted, say, tell, warn
from alvin_core.cli.progress_bar import Watch
from alvin_core.cli.rounds import Hints, advance, kept_on_stop, say_next, say_waiting, waits, ways_to_label
from alvin_core.errors import AnnotationNeeded, SettingsError

if TYPE_CHECKING:
    from alvin_core.run import SubmitReport

PERSON = "person"


@app.command(rich_help_panel="Runs", epilog="Example: `alvin step first --rounds 2`")
def step(
    run: RunArgument,
    rounds: Annotated[int, typer.Option("--rounds", "-r", min=1, help="How many more rounds.")] = 1,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Annotate what is pending and train the next round, or several.

    Takes up a run that was stopped, or that waited for your labels.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    hints = Hints(opened.name, store)
    if waits(opened) and (n_pending := len(opened.pending())):
        get, give = ways_to_label(opened, hints, "FILE")
        raise AnnotationNeeded(
            f"the run {opened.name!r} waits for labels of {counted(n_pending, 'text')}; get them with `{get}`, then "
            f"`{give}`"
        )
    with Watch(rounds, quiet=quiet) as watch, kept_on_stop(opened, hints):
        advance(opened, rounds, watch, as_json=as_json)
    if waits(opened):
        say_waiting(opened, hints, as_json=as_json)
    elif not as_json:
        say_next(opened, hints)


@app.command(
    rich_help_panel="Runs",
    epilog="Example: `alvin submit first first-to-label.csv --annotator maria`",
)
def submit(
    run: RunArgument,
    labels: Annotated[Path, typer.Argument(metavar="LABELS.csv", help="A file with the columns id and label.")],
    annotator: Annotated[str, typer.Option("--annotator", "-a", help="Who gave the labels.")] = PERSON,
    force: Annotated[bool, typer.Option("--force", help="Also of examples that are held for somebody else.")] = False,
    store: StoreOption = None,
) -> None:
    """Give a run the labels it waits for, from a file.

    Blank labels are passed over, so a half-filled file can be submitted as well. All labels of the file are stored
    or, when one of them cannot be, none. Of examples that several people annotate they are opinions; what most of them
    say becomes the label, with the last that is asked for.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    if annotator == PERSON and (overlap := opened.settings.annotation.overlap) > 1:
        # Files of two people under one name would be one person's, and the second's opinions lost.
        raise SettingsError(
            f"the run {opened.name!r} asks {overlap} people for an example; say whose labels these are: "
            "--annotator NAME"
        )
    report = opened.submit(read_labels(labels), annotator=annotator, force=force)
    _say_report(report, opened.name, annotator)
    hints = Hints(opened.name, store)
    if report.n_pending:
        tell(f"the rest: {ways_to_label(opened, hints, 'FILE')[0]}")
    elif waits(opened):
        warn(opened.waits_for)
    else:
        say("nothing is missing now")
        tell(f"next: {hints.command('step')}")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin undo first row-000012`")
def undo(
    run: RunArgument,
    example: Annotated[str, typer.Argument(metavar="ID", help="The example's id.")],
    annotator: Annotated[str, typer.Option("--annotator", "-a", help="Who takes it back.")] = PERSON,
    store: StoreOption = None,
) -> None:
    """Take one label back; the example is in the pool again.

    Rounds that were trained with the label stay as they are. Of an example that several people annotate, one of them
    takes back their own opinion, and anybody else the label with all its opinions.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    opinions = opened.opinions()
    own = bool(((opinions["id"] == example) & (opinions["annotator"] == annotator)).any())
    opened.undo(example, annotator=annotator)
    what = f"{annotator}'s opinion on" if own else "the label of"
    say(f"took back {what} {example!r} in the run {opened.name!r}")


def _say_report(report: SubmitReport, name: str, annotator: str) -> None:
    if report.n_opinions:
        say(f"{counted(report.n_opinions, 'opinion')} of {annotator} stored in the run {name!r}")
    if report.n_new or not report.n_opinions:
        say(f"{counted(report.n_new, 'new label')} stored in the run {name!r}")
    if report.n_same:
        were = "was" if report.n_same == 1 else "were"
        say(f"{counted(report.n_same, 'label')} of the file {were} there already")
    if report.n_blank:
        say(f"{counted(report.n_blank, 'row')} without a label passed over")
    if report.n_outside:
        say(f"{report.n_outside:,} of the new ones had not been asked for; they count all the same")
    if report.n_pending:
        say(f"it still waits for {counted(report.n_pending, 'label')}")
