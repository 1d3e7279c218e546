"""``alvin check``, ``samples``, ``recipes``, ``make-data`` and ``strategies``: what to run on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import (
    AttributeOption,
    ClassesOption,
    IdOption,
    JsonOption,
    LabelOption,
    SplitOption,
    StrictOption,
    TextAOption,
    TextBOption,
    TextOption,
)
from alvin_core.cli.output import counted, listing, one_line, plain_table, print_json, say, tell
from alvin_core.cli.sources import columns_of, parse_classes, resolve
from alvin_core.errors import DataError

if TYPE_CHECKING:
    from alvin_core.data.problems import Problem, Report

BAD_DATA = 2

# As in alvin_core.data.planted.PlantedSettings, which the help must not wait for; a test holds them equal.
PLANTED_DEFAULTS = {
    "strength": 0.9,
    "ambiguity": 0.05,
    "balance": 0.5,
    "n_pool": 3000,
    "n_test": 600,
    "n_ood": 600,
    "seed": 0,
}


@app.command(rich_help_panel="Data", epilog="Example: `alvin check reviews.csv --text body --label stars`")
def check(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file, a sample's name, or hf:NAME for the hub.")],
    text: TextOption = None,
    text_a: TextAOption = None,
    text_b: TextBOption = None,
    label: LabelOption = None,
    id_: IdOption = None,
    split: SplitOption = None,
    attribute: AttributeOption = None,
    classes: ClassesOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """List every problem of your data at once, with place and remedy.

    Exit code 0 when the data can be used, warnings or not; 2 when it cannot.
    """
    from alvin_core.data.checking import check_dataset

    columns = columns_of(text, text_a, text_b, label, id_, split, attribute)
    report = check_dataset(resolve(data), columns=columns, strict=strict, classes=parse_classes(classes))
    if as_json:
        print_json({"ok": report.ok, **asdict(report)})
    else:
        _show_problems(report.problems)
        _show_summary(report)
    if not report.ok:
        raise typer.Exit(BAD_DATA)


@app.command(rich_help_panel="Data", epilog="Example: `alvin samples`")
def samples(as_json: JsonOption = False) -> None:
    """List the data sets that come along, for `alvin run --data NAME`."""
    from alvin_core.data.samples import describe_samples

    described = describe_samples()
    if as_json:
        for one in described:
            print_json(asdict(one))
        return
    rows = [
        (one.name, ", ".join(f"{split} {n:,}" for split, n in one.splits.items()), one.description) for one in described
    ]
    listing(("name", "rows", "what it is"), rows)


@app.command(rich_help_panel="Data", epilog="Example: `alvin recipes`")
def recipes(as_json: JsonOption = False) -> None:
    """List public data sets of the hub, put together for `--data recipe:NAME`."""
    from alvin_core.data.recipes import RECIPES

    if as_json:
        for one in RECIPES.values():
            splits = {part.split: part.dataset for part in one.parts}
            print_json({"name": f"recipe:{one.name}", "what": one.what, "cite": one.cite, "splits": splits})
        return
    rows = [(f"recipe:{one.name}", part.split, part.dataset) for one in RECIPES.values() for part in one.parts]
    listing(("name", "split", "data set of the hub"), rows)


@app.command(rich_help_panel="Data", epilog="Example: `alvin strategies`")
def strategies(as_json: JsonOption = False) -> None:
    """List what can pick examples, one a line, for `--strategy NAME`."""
    from alvin_core.strategies import all_strategies

    entries = all_strategies()
    if as_json:
        for one in entries:
            print_json({"name": one.name, "summary": one.summary, "cite": one.cite, "needs": sorted(one.needs)})
        return
    needs = {one.name: ", ".join(NEEDS[need] for need in NEEDS if need in one.needs) or "nothing" for one in entries}
    plain_table([(one.name, f"{one.summary} Needs {needs[one.name]}. [{one.cite}]") for one in entries])


# What a strategy needs, as people say it.
NEEDS = {
    "probs": "predictions",
    "draws": "draws under dropout",
    "vectors": "representations",
    "readout": "the last layer",
    "labeled": "the labeled set",
    "groups": "its groups",
}


def _planted(name: str, flag: str, what: str) -> Any:
    words = f"{what} [default: {PLANTED_DEFAULTS[name]}]"
    return typer.Option(flag, show_default=False, help=words)


@app.command(
    name="make-data",
    rich_help_panel="Data",
    epilog="Example: `alvin make-data --task reviews --strength 0.9 --seed 1 --out planted.csv`",
)
def make_data(
    task: Annotated[str, typer.Option("--task", help="reviews, occupations, nli or paraphrase.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The CSV file to write.")],
    strength: Annotated[
        float | None, _planted("strength", "--strength", "Share of each class that the shortcut agrees with.")
    ] = None,
    ambiguity: Annotated[
        float | None, _planted("ambiguity", "--ambiguity", "Share of texts that leave the label open.")
    ] = None,
    balance: Annotated[float | None, _planted("balance", "--balance", "Share of the first class.")] = None,
    pool: Annotated[int | None, _planted("n_pool", "--pool", "Rows of the pool.")] = None,
    test: Annotated[int | None, _planted("n_test", "--test", "Rows of the test split.")] = None,
    ood: Annotated[int | None, _planted("n_ood", "--ood", "Rows of each of ood:balanced and ood:reversed.")] = None,
    seed: Annotated[int | None, _planted("seed", "--seed", "The same seed writes the same bytes.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Make data with a planted shortcut.

    The label follows from what a text says, and too well from something else. In pool and test the shortcut agrees
    with the label; in ood:balanced it says nothing, in ood:reversed it misleads.
    """
    from alvin_core.data.planted import PlantedSettings, write_planted

    given = {
        "strength": strength,
        "ambiguity": ambiguity,
        "balance": balance,
        "n_pool": pool,
        "n_test": test,
        "n_ood": ood,
        "seed": seed,
    }
    settings = PlantedSettings(task, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    if out.is_dir():
        raise DataError(f"{out} is a folder; name the file to write")
    if out.exists() and not force:
        raise DataError(f"{out} is there already; name another --out, or replace it with --force")
    write_planted(out, settings)
    rows = ", ".join(f"{split} {n:,}" for split, n, _ in settings.splits if n)
    say(f"wrote {out}: {rows}")
    tell(f"next: alvin run --data {out}")


def _show_problems(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        place = f"{problem.unit} {problem.row}" if problem.row is not None else "file"
        column = "" if problem.column is None else f", column {one_line(problem.column)}"
        value = "" if problem.value is None else f": {one_line(problem.value)}"
        say(f"{problem.severity}  {place}{column}{value}", style="red" if problem.severity == "error" else "yellow")
        say(f"    {one_line(problem.what)}" + (f" → {one_line(problem.remedy)}" if problem.remedy else ""))


def _show_summary(report: Report) -> None:
    if report.problems:
        say()
    found = f"{counted(report.n_errors, 'error')}, {counted(report.n_warnings, 'warning')}"
    say(f"{one_line(report.source)}: {found}", style="bold")
    rows = []
    for split, n_rows in report.splits.items():
        shares = ", ".join(f"{name} {n:,}" for name, n in report.classes.get(split, {}).items())
        rows.append((split, counted(n_rows, "row"), shares))
    plain_table(rows, indent="  ")
    dropped = ", ".join(f"{n:,} {why}" for why, n in report.dropped.items() if n)
    if dropped:
        say(f"  dropped: {dropped}")
    if report.ok:
        answers = "the label column" if report.oracle == "column" else "a person (some pool rows have no label)"
        say(f"  {'pairs of texts' if report.is_pairs else 'single texts'}; who annotates: {answers}")
        say("The data can be used.")
    else:
        say("The data cannot be used as it is.")
