"""``alvin slices``: named parts of the data, how the rounds do on them, and saving one."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alvin_core.cli.app import app
from alvin_core.cli.json_file import STANDARD_OUTPUT, JsonFileOption, check_json_file, write_json_file
from alvin_core.cli.options import RunArgument, StoreOption, store_path
from alvin_core.cli.output import counted, figure, listing, say, tell
from alvin_core.errors import DataError, SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.run import Run
    from alvin_core.run.slice_rules import SliceInfo, SliceRule

__all__ = ["show_slices"]

SAVING = "Saving and deleting"
RULES = ("cue", "search", "filter", "ids")
NEXT_CONDITION = re.compile(r",(?=\s*\w+\s*=)")  # a comma within a class's name is none


def _saving(flag: str, metavar: str, what: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=what, rich_help_panel=SAVING)


SaveOption = Annotated[str | None, _saving("--save", "NAME", "Save a slice, made by one of the next four.")]
CueOption = Annotated[
    str | None, _saving("--cue", "KIND:NAME", "Texts with a cue: token:great, 'ngram:not good', attribute:horror.")
]
SearchOption = Annotated[str | None, _saving("--search", "TEXT", "Texts that hold this, in any case.")]
FilterOption = Annotated[
    list[str] | None,
    _saving(
        "--filter",
        "COLUMN=VALUE,…",
        "What is known: label, attribute, split; as of round=N also predicted, status (labeled, selected, wrong, …).",
    ),
]
IdsOption = Annotated[Path | None, _saving("--ids", "FILE", "These: an id a line, or a CSV file with a column id.")]
ContradictsOption = Annotated[
    str, _saving("--contradicts", "CLASS", "The class that the slice's shortcut says; other members contradict it.")
]
NoteOption = Annotated[str, _saving("--note", "TEXT", "A note to keep with it.")]
DeleteOption = Annotated[str | None, _saving("--delete", "NAME", "Delete a slice.")]


@app.command(rich_help_panel="Runs", epilog="Example: `alvin slices first --save great --cue token:great`")
def slices(
    run: RunArgument,
    save: SaveOption = None,
    cue: CueOption = None,
    search: SearchOption = None,
    filter_: FilterOption = None,
    ids: IdsOption = None,
    contradicts: ContradictsOption = "",
    note: NoteOption = "",
    delete: DeleteOption = None,
    store: StoreOption = None,
    json_file: JsonFileOption = None,
) -> None:
    """List the slices of a run's data with accuracy per split and round; save one.

    A slice is a named part of the data set, known to every run on it. Its members are those of the moment when it is
    saved, in all splits. The strategy counter-shortcut selects from the one that counter_shortcut.slice names.
    """
    from alvin_core.run import open_run

    given = {"cue": cue, "search": search, "filter": tuple(filter_ or ()) or None, "ids": ids}
    _check(save, delete, [name for name in RULES if given[name] is not None], contradicts, note)
    check_json_file(json_file)
    opened = open_run(store_path(store), run)
    if delete is not None:
        opened.delete_slice(delete)
        tell(f"the slice {delete!r} is deleted")
    if save is not None:
        info = opened.save_slice(save, _rule(given, contradicts), note)
        tell(f"the slice {save!r} holds {_counts(info)}: {info.rule.words}")
    if json_file is not None:
        write_json_file(json_file, _values(opened))
    if json_file != STANDARD_OUTPUT and (save is None and delete is None):
        _show(opened)


def show_slices(run: Run) -> None:
    """Write one line for each slice of a run's data: how its newest round did on it. Nothing where there is none."""
    infos = run.slices()
    if not infos or not run.n_rounds:
        return
    figures = run.slice_metrics()
    newest = figures[figures["round"] == run.n_rounds - 1]
    splits = run.dataset.evaluation_splits
    rows = []
    for info in infos:
        own = _by_split(newest[newest["slice"] == info.name])
        pool = own["pool"]
        accuracies = [_accuracy(own.get(split), with_n=True) for split in splits]
        counts = (f"{pool[name]:,}" for name in ("n", "n_labeled", "n_selected"))
        rows.append((info.name, *counts, _times(pool), *accuracies))
    say()
    heads = ("slice", "pool", "labeled", "picked", "×pool", *splits)
    listing(heads, rows, right=heads[1:])


def _check(save: str | None, delete: str | None, given: Sequence[str], contradicts: str, note: str) -> None:
    options = " or ".join(f"--{name}" for name in RULES)
    if save is not None and delete is not None:
        raise SettingsError("--save and --delete do not go together; do one after the other")
    if save is not None and len(given) != 1:
        has = "none" if not given else " and ".join(f"--{name}" for name in given)
        raise SettingsError(f"--save {save} needs one rule, {options}, and has {has}; name one")
    if save is None and (given or contradicts or note):
        raise SettingsError(f"{options}, --contradicts and --note tell what to save; add --save NAME")


def _rule(given: dict[str, Any], contradicts: str) -> SliceRule:
    from alvin_core.run.slice_rules import SliceRule

    [kind] = [name for name in RULES if given[name] is not None]
    value = given[kind]
    if kind == "filter":
        value = tuple(part.strip() for one in value for part in NEXT_CONDITION.split(one))
    elif kind == "ids":
        value = _read_ids(value)
    return SliceRule(kind, value, contradicts)  # type: ignore[arg-type]


def _read_ids(path: Path) -> tuple[str, ...]:
    """Read ids: the column ``id`` of a CSV file, or, without such a column, one a line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}; give a text file with an id a line") from error
    lines = list(csv.reader(text.splitlines()))
    column = lines[0].index("id") if lines and "id" in lines[0] else None
    found = text.splitlines() if column is None else [line[column] for line in lines[1:] if len(line) > column]
    ids = tuple(dict.fromkeys(one.strip() for one in found if one.strip()))
    if not ids:
        raise DataError(f"{path} holds no ids; give a text file with an id a line")
    return ids


def _show(run: Run) -> None:
    infos = run.slices()
    if not infos:
        tell("this data has no slice yet; save one with --save NAME and --cue, --search, --filter or --ids")
        return
    figures = run.slice_metrics()
    for place, info in enumerate(infos):
        if place:
            say()
        say(info.name, style="bold")
        say(f"  {info.rule.words}")
        say(f"  {_counts(info)}")
        if info.note:
            say(f"  note: {info.note}")
        _show_rounds(figures[figures["slice"] == info.name], [split for split in info.n if split != "pool"])


def _show_rounds(figures: pd.DataFrame, splits: Sequence[str]) -> None:
    rows = []
    for round_no, of_round in figures.groupby("round"):
        found = _by_split(of_round)
        pool = found["pool"]
        accuracies = (_accuracy(found.get(split)) for split in splits)
        counts = (f"{pool[name]:,}" for name in ("n_labeled", "n_selected"))
        rows.append((round_no, *counts, _times(pool), *accuracies))
    if rows:
        heads = ("round", "labeled", "picked", "×pool", *splits)
        listing(heads, rows, right=heads)


def _by_split(figures: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {record["split"]: record for record in _records(figures)}


def _records(figures: pd.DataFrame) -> list[dict[str, Any]]:
    records = figures.astype(object).to_dict("records")  # of objects, so that whole numbers stay whole
    return [{str(name): value for name, value in record.items()} for record in records]


def _counts(info: SliceInfo) -> str:
    return f"{counted(sum(info.n.values()), 'example')} ({', '.join(f'{name} {n:,}' for name, n in info.n.items())})"


def _times(pool: dict[str, Any]) -> str | None:
    """How much more often the round picked from the slice than chance would."""
    return None if pool["enrichment"] != pool["enrichment"] else f"{pool['enrichment']:.1f}"


def _accuracy(found: dict[str, Any] | None, *, with_n: bool = False) -> str | None:
    if found is None:
        return None
    return figure(found["accuracy"]) + (f" of {found['n']:,}" if with_n else "")


def _values(run: Run) -> dict[str, Any]:
    figures = run.slice_metrics()
    return {
        "run": run.name,
        "slices": [
            {**info.to_dict(), "rounds": [_plain(row) for row in _records(figures[figures["slice"] == info.name])]}
            for info in run.slices()
        ],
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return what applies to a row of figures as JSON knows it."""
    import pandas as pd

    return {name: value for name, value in row.items() if name != "slice" and not pd.isna(value)}
