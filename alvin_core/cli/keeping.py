"""``alvin pack``, ``unpack``, ``trash`` and ``restore``: a run as one file, and runs out of sight."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.asking import agreed
from alvin_core.cli.options import JsonOption, QuietOption, RunArgument, StoreOption, is_new, store_path
from alvin_core.cli.output import counted, listing, print_json, say, tell, warn
from alvin_core.cli.progress_bar import Watch
from alvin_core.errors import RunBusyError, SettingsError, StoreError

PACKED = ".zip"
HEADER = ("name", "id", "strategy", "rounds", "labels", "data", "deleted (UTC)")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin pack first first.zip`")
def pack(
    run: RunArgument,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.zip", help="Where to write; RUN.zip by default.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    store: StoreOption = None,
) -> None:
    """Write a run as one file, to keep or to send.

    Settings, rounds, labels, marks and data are in it, so that `alvin unpack` makes the same run elsewhere. The texts
    can be read by whoever has the file.
    """
    from alvin_core.run import open_run
    from alvin_core.run.bundle import pack_run

    folder = store_path(store)
    opened = open_run(folder, run)
    path = Path(f"{opened.name}.zip") if file is None else file
    if path.is_file() and not force:
        raise StoreError(f"{path} is there already; name another file, or replace it with --force")
    pack_run(folder, opened.id, path)
    say(f"packed the run {opened.name!r} with {counted(opened.n_rounds, 'round')} into {path}")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin unpack first.zip --name second`")
def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="A file that `alvin pack` wrote.")],
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Name of the run; the packed one by default.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a run that `alvin pack` wrote to the store.

    Everything in the file is checked first; on any error nothing is added. Where the name is taken, it gets a number.
    """
    from alvin_core.run.bundle import unpack_run

    run = unpack_run(store_path(store), file, name=name)
    if as_json:
        print_json({"run": run.name, "id": run.id, "rounds": run.n_rounds, "labels": len(run.labels())})
        return
    n_labels = counted(len(run.labels()), "label")
    say(f"unpacked the run {run.name!r} with {counted(run.n_rounds, 'round')} and {n_labels}")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin trash first`")
def trash(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="A run's name or id; none lists the trash.")] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Delete what is in the trash, for good.")] = False,
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", help="With --empty: only what was deleted so long ago.")
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --empty: do not ask.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a run in the trash, list what is there, or empty it.

    A run in the trash is in no list, and keeps its name and its data until `alvin restore` or --empty.
    """
    from alvin_core.run.trash import trash_run

    folder = store_path(store)
    if run is not None and empty:
        raise SettingsError("--empty takes all that is in the trash; leave the run out, or leave out --empty")
    if older_than and not empty:
        raise SettingsError("--older-than goes with --empty; add --empty, or leave out --older-than")
    if empty:
        _empty(folder, older_than, yes=yes)
    elif run is None:
        _list(folder, as_json=as_json)
    else:
        from alvin_core.run import open_run

        name = open_run(folder, run).name
        trash_run(folder, run)
        say(f"put the run {name!r} in the trash; bring it back with `alvin restore {name}`")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin restore first`")
def restore(
    what: Annotated[
        str, typer.Argument(metavar="RUN|FILE.tar", help="A run in the trash, or a file that `alvin backup` wrote.")
    ],
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Bring a run back from the trash, or make a store of a backup.

    A run is as it was. A backup becomes a new store, in a folder that is not there yet or a database without a store,
    as in `alvin restore monday.tar --store again`; on any error none is made.
    """
    from alvin_core.upkeep.restoring import is_backup

    folder = store_path(store)
    if is_backup(Path(what).expanduser()):
        _restore_backup(Path(what).expanduser(), folder, quiet=quiet)
        return
    from alvin_core.run.trash import restore_run
    from alvin_core.upkeep.backup_format import ENDINGS

    try:
        restored = restore_run(folder, what)
    except StoreError as error:
        named_a_file = what.lower().endswith((*ENDINGS, PACKED)) or Path(what).expanduser().is_file()
        if isinstance(error, RunBusyError) or not named_a_file:
            raise
        remedy = "`alvin unpack` reads a packed run" if what.lower().endswith(PACKED) else "check the path"
        raise StoreError(f"{what} is no backup that can be read, and no run in the trash; {remedy}") from error
    say(f"restored the run {restored.name!r} with {counted(restored.n_rounds, 'round')}")


def _restore_backup(file: Path, folder: Path, *, quiet: bool) -> None:
    from alvin_core.upkeep.restoring import restore_store

    with Watch(quiet=quiet) as watch:
        report = restore_store(file, folder, progress=watch)
    for one in report.findings:
        warn(str(one))
    labels = f"{report.n_labels:,} label events"
    say(f"restored {counted(report.n_runs, 'run')} with {counted(report.n_rounds, 'round')} and {labels} to {folder}")


def _list(folder: Path, *, as_json: bool) -> None:
    from alvin_core.run.trash import list_trash

    trashed = [] if is_new(folder) else list_trash(folder)
    if as_json:
        for one in trashed:
            print_json(one.to_dict())
        return
    if not trashed:
        tell(f"the trash of {folder} is empty")
        return
    rows = [
        (
            one.name,
            one.id,
            one.strategy,
            one.n_rounds,
            one.n_labeled,
            one.source,
            one.deleted_at.replace("T", " ")[:16],
        )
        for one in trashed
    ]
    listing(HEADER, rows, right=("rounds", "labels"))


def _empty(folder: Path, older_than: float, *, yes: bool) -> None:
    from alvin_core.run.trash import list_trash, purge_trash

    if is_new(folder):
        tell(f"the trash of {folder} is empty")
        return
    what = f"{counted(len(list_trash(folder)), 'run')} in the trash"
    if older_than:
        what = f"of {what} those that have been there for {older_than:g} days"
    if not agreed("delete", what, yes=yes):
        tell("nothing was deleted")
        return
    say(f"deleted {counted(purge_trash(folder, older_than), 'run')} for good")
