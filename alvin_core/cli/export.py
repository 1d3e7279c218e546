"""``alvin export``: the labels of a run, or the texts it waits for, to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import RunArgument, StoreOption, store_path
from alvin_core.cli.output import counted, say
from alvin_core.errors import SettingsError, StoreError

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.run import Run

FORMATS = ("csv", "jsonl", "parquet")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin export first --format jsonl --out first.jsonl`")
def export(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write; RUN.csv by default.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", "-f", help=f"{', '.join(FORMATS)}; by the file's name by default."),
    ] = None,
    pending: Annotated[
        bool,
        typer.Option("--pending", help="The texts that wait for a label instead, with an empty label column."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    store: StoreOption = None,
) -> None:
    """Write a run's labels to a file, or the texts that wait for one.

    Columns: id, round (0 is the initial set), label, source, the texts, attribute, annotator, time and parent_id (of an
    example that a person wrote, whose source is counterfactual). With --pending, write what a person has to label: fill
    in the label column, then use `alvin submit`.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    chosen = _format(format_, out)
    path = _path(opened, out, chosen, pending=pending)
    if path.exists() and not force:
        raise StoreError(f"{path} is there already; name another --out, or replace it with --force")
    if pending:
        n_written = _export_pending(opened, path, chosen)
        say(f"wrote {counted(n_written, 'text')} to label to {path}")
    else:
        say(f"wrote {counted(opened.export(path, chosen), 'label')} to {path}")


def _format(given: str | None, out: Path | None) -> str:
    by_name = out.suffix.removeprefix(".").lower() if out is not None else ""
    if given is None and by_name and by_name not in FORMATS:
        raise SettingsError(f"'.{by_name}' is no export format; choose one of: {', '.join(FORMATS)}, or say --format")
    chosen = given or by_name or FORMATS[0]
    if chosen not in FORMATS:
        raise SettingsError(f"--format {chosen!r} is unknown; choose one of: {', '.join(FORMATS)}")
    return chosen


def _path(run: Run, out: Path | None, format_: str, *, pending: bool) -> Path:
    return out if out is not None else Path(f"{run.name}{'-to-label' if pending else ''}.{format_}")


def _export_pending(run: Run, path: Path, format_: str) -> int:
    from alvin_core.run.exporting import export_labels

    frame: pd.DataFrame = run.pending().drop(columns="attribute")
    if not len(frame):
        remedy = run.waits_for or "train its next round with `alvin step`"
        raise StoreError(f"nothing is pending in the run {run.name!r}; {remedy}")
    return export_labels(frame.assign(label=""), path, format_)
