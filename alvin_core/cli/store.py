"""``alvin runs`` and ``alvin delete``: what is in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.asking import agreed
from alvin_core.cli.options import JsonOption, RunArgument, StoreOption, is_new, store_path
from alvin_core.cli.output import counted, listing, print_json, say, tell
from alvin_core.errors import RunNotFoundError

if TYPE_CHECKING:
    from alvin_core.run.values import RunInfo

HEADER = ("name", "id", "strategy", "rounds", "labels", "state", "data", "forked from", "created (UTC)")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin runs --store ~/experiments`")
def runs(
    all_: Annotated[bool, typer.Option("--all", "-a", help="Those of comparisons as well.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs in the store, oldest first; with --json, one line a run.

    The runs of comparisons are left out without --all; how many there are is said.
    """
    from alvin_core.run import list_runs
    from alvin_core.run.opening import count_comparison_runs

    folder = store_path(store)
    new = is_new(folder)
    infos = [] if new else list_runs(folder, of_comparisons=all_)
    n_more = 0 if new or all_ else count_comparison_runs(folder)
    if as_json:
        for info in infos:
            print_json(info.to_dict())
    elif infos:
        _show(folder, infos)
    elif not n_more:
        tell(f"no runs in {folder}; start one with: alvin run --data reviews")
    if n_more:
        tell(f"{counted(n_more, 'run')} of comparisons left out; see them with --all, or `alvin comparisons`")


def _show(folder: Path, infos: Sequence[RunInfo]) -> None:
    names = {info.id: info.name for info in infos}
    rows = []
    for info in infos:
        parent = "" if info.parent is None else f"{_name_of(info.parent[0], folder, names)} at {info.parent[1]}"
        created = info.created_at.replace("T", " ")[:16]
        rows.append(
            (info.name, info.id, info.strategy, info.n_rounds, info.n_labeled, info.state, info.source, parent, created)
        )
    if not any(row[7] for row in rows):
        listing(HEADER[:7] + HEADER[8:], [row[:7] + row[8:] for row in rows], right=("rounds", "labels"))
    else:
        listing(HEADER, rows, right=("rounds", "labels"))


def _name_of(run_id: str, folder: Path, names: Mapping[str, str]) -> str:
    """Return a parent's name, which may be that of a run of a comparison; its id where it was deleted."""
    if run_id in names:
        return names[run_id]
    from alvin_core.run import open_run

    try:
        return open_run(folder, run_id).name
    except RunNotFoundError:
        return run_id


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
    if not agreed("delete", what, yes=yes):
        tell("nothing was deleted")
        return
    delete_run(folder, opened.id)
    say(f"deleted {what}")
