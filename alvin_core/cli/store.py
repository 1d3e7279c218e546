"""``alvin runs`` and ``alvin delete``: what is in the store."""

from __future__ import annotations

from typing import Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, RunArgument, StoreOption, is_new, store_path
from alvin_core.cli.output import counted, listing, print_json, say, tell
from alvin_core.errors import AlvinError

HEADER = ("name", "id", "strategy", "rounds", "labels", "state", "data", "forked from", "created (UTC)")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin runs --store ~/experiments`")
def runs(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the runs in the store, oldest first; with --json, one line a run."""
    from alvin_core.run import list_runs

    folder = store_path(store)
    infos = [] if is_new(folder) else list_runs(folder)
    if as_json:
        for info in infos:
            print_json(info.to_dict())
        return
    if not infos:
        tell(f"no runs in {folder}; start one with: alvin run --data reviews")
        return
    names = {info.id: info.name for info in infos}
    rows = []
    for info in infos:
        parent = "" if info.parent is None else f"{names.get(info.parent[0], info.parent[0])} at {info.parent[1]}"
        created = info.created_at.replace("T", " ")[:16]
        rows.append(
            (info.name, info.id, info.strategy, info.n_rounds, info.n_labeled, info.state, info.source, parent, created)
        )
    if not any(row[7] for row in rows):
        listing(HEADER[:7] + HEADER[8:], [row[:7] + row[8:] for row in rows], right=("rounds", "labels"))
    else:
        listing(HEADER, rows, right=("rounds", "labels"))


@app.command(rich_help_panel="Runs", epilog="Example: `alvin delete first --yes`")
def delete(
    run: RunArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StoreOption = None,
) -> None:
    """Delete a run with its labels and rounds, for good. Forks of it live on."""
    from alvin_core.run import delete_run, open_run

    folder = store_path(store)
    opened = open_run(folder, run)
    n_labels = len(opened.labels())
    what = f"the run {opened.name!r} with {counted(opened.n_rounds, 'round')} and {counted(n_labels, 'label')}"
    if not yes and not _agreed(what):
        tell("nothing was deleted")
        return
    delete_run(folder, opened.id)
    say(f"deleted {what}")


def _agreed(what: str) -> bool:
    import sys

    if not sys.stdin.isatty():
        raise AlvinError(f"deleting {what} cannot be undone; repeat the command with --yes")
    return typer.confirm(f"Delete {what}, for good?", err=True)
