"""``alvin verify`` and ``alvin backup``: a store looked through, mended, and kept a copy of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, QuietOption, StoreOption, store_path
from alvin_core.cli.output import counted, print_json, say, tell
from alvin_core.cli.progress_bar import Watch
from alvin_core.errors import SettingsError
from alvin_core.store.address import without_password

if TYPE_CHECKING:
    from alvin_core.upkeep.findings import StoreReport

DAMAGED = 1


@app.command(rich_help_panel="Runs", epilog="Example: `alvin verify ~/experiments`")
def verify(
    folder: Annotated[str | None, typer.Argument(metavar="STORE", help="As with --store.", show_default=False)] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended without loss; say what was done.")
    ] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="With --repair: train damaged rounds again from their records.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Compare sizes alone, not every byte.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look through a store for what is lost, damaged or left over.

    Nothing is changed without --repair, and others may go on working. Exit code 0 when nothing that was stored is lost
    or wrong, 1 when something is.
    """
    from alvin_core.upkeep.mending import repair_store
    from alvin_core.upkeep.verifying import verify_store

    place = store_path(folder if store is None else store)
    _check_options(folder, store, repair=repair, retrain=retrain, quick=quick)
    done: list[str] = []
    with Watch(quiet=quiet or as_json) as progress:
        if repair:
            done, report = repair_store(place, retrain=retrain, progress=progress)
        else:
            report = verify_store(place, thorough=not quick, progress=progress)
    if as_json:
        print_json(report.to_dict() | {"done": done})
    else:
        _show(report, done, quick=quick)
    if not report.sound:
        raise typer.Exit(DAMAGED)


@app.command(rich_help_panel="Runs", epilog="Example: `alvin backup monday.tar`")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE.tar", help="Where to write; .tar.gz or .tgz compresses it.")],
    cache: Annotated[bool, typer.Option("--cache", help="With the cached encodings, which can be made again.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the whole store as one file, while others go on working with it.

    It holds the store as it was at one moment. `alvin restore FILE.tar --store NEW` makes a store of it. The texts can
    be read by whoever has the file.
    """
    from alvin_core.upkeep.backup import backup_store

    place = store_path(store)
    with Watch(quiet=quiet) as progress:
        n_files = backup_store(place, file, cache=cache, overwrite=force, progress=progress)
    size = file.expanduser().stat().st_size
    shown = f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
    say(f"wrote {counted(n_files, 'file')} of {place}, {shown}, to {file}")


def _check_options(folder: str | None, store: str | None, *, repair: bool, retrain: bool, quick: bool) -> None:
    if folder is not None and store is not None:
        raise SettingsError(
            f"the store is named twice, {without_password(folder)!r} and {without_password(store)!r}; name it once"
        )
    if retrain and not repair:
        raise SettingsError("--retrain goes with --repair; add --repair, or leave out --retrain")
    if quick and repair:
        raise SettingsError("--repair reads every byte; leave out --quick")


def _show(report: StoreReport, done: list[str], *, quick: bool) -> None:
    for line in done:
        say(line)
    for one in report.findings:
        say(f"{one.kind}  {one}")
    looked = f"{counted(report.n_runs, 'run')}, {counted(report.n_rounds, 'round')}, {report.n_labels:,} label events"
    n_damaged = report.count("damage")
    if n_damaged:
        say(f"{report.store}: {counted(n_damaged, 'damage')} among {looked}")
        if any(one.mendable for one in report.findings if one.kind == "damage"):
            tell("some of it is mended with --repair")
        return
    left = report.count("leftover")
    sound = "is sound as far as sizes tell" if quick else "is sound"
    say(f"{report.store} {sound}: {looked}" + (f"; {counted(left, 'leftover')}" if left else ""))
