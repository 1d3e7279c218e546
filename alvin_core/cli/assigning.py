"""``alvin take``, ``give-back`` and ``agreement``: many people on one queue."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, RunArgument, StoreOption, store_path
from alvin_core.cli.output import counted, figure, listing, one_line, percent, plain_table, print_json, say, tell
from alvin_core.cli.rounds import Hints
from alvin_core.errors import SettingsError, StoreError

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.run import Run
    from alvin_core.run.agreeing import Agreement

__all__ = ["queue_rows"]

MINUTES = 60.0
MOST_SHOWN = 10  # pairs of people, and confusions

NameOfAnnotator = Annotated[str, typer.Option("--annotator", "-a", help="Who annotates.")]


@app.command(rich_help_panel="Runs", epilog="Example: `alvin take first --annotator maria -n 10 --output maria.csv`")
def take(
    run: RunArgument,
    annotator: NameOfAnnotator,
    n: Annotated[int, typer.Option("-n", min=1, help="How many examples to hold, those held already among them.")] = 10,
    minutes: Annotated[
        float, typer.Option("--minutes", help="How long they are held; then others are given what is not submitted.")
    ] = MINUTES,
    out: Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", metavar="FILE.csv", help="Write them to a file to fill in."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold examples for one annotator, so that nobody else gets them.

    First those held already, for which the time begins anew, then the best that wait. With --output, write them to a
    CSV file with an empty label column: fill it in, then use `alvin submit` with the same --annotator.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    _check_minutes(minutes)
    _check_out(out, force=force)
    ids = opened.take(annotator, n, seconds=60 * minutes)
    frame = _texts_of(opened, ids)
    if out is not None:
        _write(opened, annotator, ids, frame, out)
    if as_json:
        print_json({"run": opened.name, "annotator": annotator, "examples": frame.to_dict("records")})
    elif not ids:
        say(_nothing_left(opened, annotator, Hints(opened.name, store)))
    else:
        say(f"{counted(len(ids), 'example')} of the run {opened.name!r} held for {annotator}, for {minutes:g} min")
        _show_taken(opened, annotator, frame, out, Hints(opened.name, store))


@app.command("give-back", rich_help_panel="Runs", epilog="Example: `alvin give-back first --annotator maria`")
def give_back(
    run: RunArgument,
    annotator: NameOfAnnotator,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]…", help="Which; all that are held by default.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Let go of the examples that are held for an annotator; others get them.

    An id that the run does not have is an error, and nothing is given back. Ids that the annotator does not hold (any
    more) are named, and no error.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    given = opened.give_back(annotator, ids or None)
    say(f"{annotator} gave back {counted(len(given), 'example')} of the run {opened.name!r}")
    not_held = [one for one in dict.fromkeys(ids or ()) if one not in given]
    if not_held:
        tell(f"{annotator} did not hold {', '.join(not_held)}")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin agreement first --json`")
def agreement(run: RunArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Tell how far the annotators of a run agree, and where they do not.

    Of all examples that two or more people annotated: Krippendorff's alpha, Cohen's kappa of each pair of people, the
    classes most often taken for each other, and how far each class is agreed on.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    found = opened.agreement()
    if as_json:
        print_json({"run": opened.name, **found.to_dict()})
        return
    _show_agreement(found)


def queue_rows(run: Run) -> list[tuple[str, str]]:
    """Return what `alvin show` says of the queue; nothing where nobody holds anything and each asks one person."""
    state = run.queue_state()
    if not state.n_open or not (state.n_shared or any(one.held_by for one in state.examples)):
        return []
    overlap = run.settings.annotation.overlap
    wanted = f"{counted(state.n_wanting, 'opinion')} wanted on {counted(state.n_open, 'example')}"
    shared = f", {state.n_shared:,} of {len(state.examples):,} by {overlap} people each" if state.n_shared else ""
    tied = f", {state.n_tied:,} tied" if state.n_tied else ""
    rows = [("queue", wanted + shared + tied)]
    for name, (n_done, n_held) in state.annotators.items():
        rows.append((f"  {name}", f"{n_done:,} done, {n_held:,} held"))
    return rows


def _show_agreement(found: Agreement) -> None:
    pairable = f"{counted(found.n_values, 'opinion')} on {counted(found.n_examples, 'example')}"
    if found.alpha is None:
        alpha = f"not defined: all of {pairable} name one class"
    else:
        alpha = f"{figure(found.alpha)}  of {pairable}"
    plain_table(
        [
            ("Krippendorff's alpha (nominal)", alpha),
            ("same label", f"{percent(found.share_same)} of all pairs of opinions on one example"),
            ("left out", f"{counted(found.n_single, 'example')} with one opinion"),
        ]
    )
    say()
    rows = [(one.first, one.second, one.n, percent(one.share_same), figure(one.kappa)) for one in found.pairs]
    listing(
        ("annotator", "annotator", "examples", "same", "kappa"), rows[:MOST_SHOWN], right=("examples", "same", "kappa")
    )
    _say_more(len(rows), "pair")
    say()
    by_class = [(one.label, one.n, percent(one.agreement)) for one in found.classes]
    listing(("class", "opinions", "agreed"), by_class, right=("opinions", "agreed"))
    if found.confusions:
        say()
        confused = [(" / ".join(one.labels), one.n, one.n_examples) for one in found.confusions]
        listing(("taken for each other", "times", "examples"), confused[:MOST_SHOWN], right=("times", "examples"))
        _say_more(len(confused), "pair")


def _say_more(n: int, what: str) -> None:
    if n > MOST_SHOWN:
        say(f"… and {counted(n - MOST_SHOWN, what)} more, with --json")


def _show_taken(run: Run, annotator: str, frame: pd.DataFrame, out: Path | None, hints: Hints) -> None:
    """Show what is held, or where it was written, and what comes next."""
    if out is None:
        plain_table([tuple(one_line(str(cell)) for cell in row) for row in frame.to_numpy().tolist()], indent="  ")
        tell("to label them in a file: add --output FILE.csv")
    else:
        say(f"wrote them to {out}; fill in the label column with: {', '.join(run.dataset.classes)}")
        tell(f"then: {hints.command('submit', f'{shlex.quote(str(out))} --annotator {shlex.quote(annotator)}')}")
    if run.annotator == "oracle":
        tell("the data set answers what has no label at the next step; a label given before then takes its place")


def _texts_of(run: Run, ids: tuple[str, ...]) -> pd.DataFrame:
    """Return the ids and texts of examples, in the order given."""
    import pandas as pd

    dataset = run.dataset
    row_of_id = {str(id_): row for row, id_ in enumerate(dataset.ids.tolist())} if ids else {}
    texts = run.texts([row_of_id[one] for one in ids])
    names = ("text_a", "text_b") if dataset.is_pairs else ("text",)
    columns = {name: [parts[place] for parts in texts] for place, name in enumerate(names)}
    return pd.DataFrame({"id": list(ids), **columns}, dtype=object)


def _check_minutes(minutes: float) -> None:
    from alvin_core.run.assigning import LONGEST_LEASE

    most = LONGEST_LEASE / 60
    if not 0 < minutes <= most:
        raise SettingsError(f"--minutes {minutes:g} is out of range: it must be above 0 and at most {most:,.0f}")


def _check_out(out: Path | None, *, force: bool) -> None:
    """Raise before anything is held."""
    if out is None:
        return
    if out.suffix.lower() != ".csv":
        raise StoreError(f"{out} is no CSV file, which --output writes; name one such as {out.with_suffix('.csv')}")
    if out.exists() and not force:
        raise StoreError(f"{out} is there already; name another --output, or replace it with --force")


def _write(run: Run, annotator: str, ids: tuple[str, ...], frame: pd.DataFrame, out: Path) -> None:
    from alvin_core.run.exporting import export_labels

    if not ids:
        return
    try:
        export_labels(frame.assign(label=""), out, "csv")
    except StoreError:
        run.give_back(annotator, ids)
        raise


def _nothing_left(run: Run, annotator: str, hints: Hints) -> str:
    state = run.queue_state()
    if not state.examples and not run.n_rounds and run.annotator == "oracle":
        return (
            f"nothing is proposed yet in the run {run.name!r}: its initial labels come from the data set; "
            f"train round 0 with `{hints.command('step')}`"
        )
    if not state.n_open:
        return f"nothing is left to annotate in the run {run.name!r}: its proposal is done"
    return (
        f"nothing is free for {annotator} in the run {run.name!r}: {counted(state.n_open, 'example')} wait, and others "
        f"hold them, or {annotator} has annotated or skipped them"
    )
