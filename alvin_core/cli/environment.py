"""``alvin environment``: what a run was computed with, to rebuild it elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, RunArgument, StoreOption, store_path
from alvin_core.cli.output import counted, harmless, listing, one_line, plain_table, print_json, say, tell
from alvin_core.errors import SettingsError, StoreError
from alvin_core.store.arrays import disk_reason

DIFFERENT = 1
SCREEN = "-"


@app.command(rich_help_panel="Runs", epilog="Example: `alvin environment first --requirements requirements.txt`")
def environment(
    run: RunArgument,
    round_: Annotated[int | None, typer.Option("--round", min=0, help="Which round; the newest by default.")] = None,
    requirements: Annotated[
        Path | None,
        typer.Option(
            "--requirements", metavar="FILE", help="Write a requirements file with exact versions; - prints it."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Compare with this machine as it is now.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a run was computed with, or write it down to rebuild it.

    The requirements file has the versions of every package that a round's numbers depend on, and as comments Python's,
    the machine, the sums of data and encoder, and the commands to rebuild and replay. With --check, exit code 1 when
    this machine differs in anything that is recorded.
    """
    from alvin_core.run import open_run

    if check and requirements is not None:
        raise SettingsError("--check compares and --requirements writes; name one of them")
    opened = open_run(store_path(store), run)
    if check:
        _check(opened.changed_here(round_), as_json=as_json)
        return
    record = opened.recorded_environment(round_)
    if requirements is not None:
        _write(requirements, record)
    elif as_json:
        print_json(record)
    else:
        _show(record)


def _check(changed: list[Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"same": not changed, "changed": [one.to_dict() for one in changed]})
    elif changed:
        listing(("what", "then", "now"), [(_what(one), one.then, one.now) for one in changed])
        differ = "differs" if len(changed) == 1 else "differ"
        tell(f"{counted(len(changed), 'recorded fact')} {differ} here; `alvin replay` tells whether the picks do")
    else:
        say("this machine has everything as it was recorded")
    if changed:
        raise typer.Exit(DIFFERENT)


def _what(one: Any) -> str:
    return one.name if one.kind in (one.name, "package") else f"{one.kind} {one.name}"


def _write(file: Path, record: Mapping[str, Any]) -> None:
    from alvin_core.run.rebuilding import requirements_of

    text = requirements_of(record)
    if str(file) == SCREEN:
        sys.stdout.write(harmless(text))
        return
    if file.exists():
        raise SettingsError(f"{file} exists already; name another file, or remove it")
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"could not write {file}: {disk_reason(error)}") from error
    n_pinned = sum("==" in line or " @ " in line for line in text.splitlines() if not line.startswith("#"))
    say(f"wrote {counted(n_pinned, 'package')} with exact versions to {file}; its comments say how to rebuild")


def _show(record: Mapping[str, Any]) -> None:
    told: Mapping[str, Any] = record["environment"]
    rows = [("run", f"{record['run']} ({record['id']})")]
    rows += [] if record["round"] is None else [("round", f"{record['round']}, {record['created_at']}")]
    rows += [("seed", str(record["seed"])), ("data", str(record["data"]["digest"]))]
    names = ("python", "platform", "device", "name", "threads", "inference_dtype", "encoder", "trainer", "source")
    rows += [(name, str(told[name])) for name in names if told.get(name) is not None]
    for group in ("processor", "libraries", "variables"):
        rows += [(name, str(value)) for name, value in told.get(group, {}).items()]
    plain_table([(name, one_line(value)) for name, value in rows])
    say()
    packages = told.get("installed") or told.get("packages", {})
    digests = told.get("digests", {})
    listing(("package", "version", "files"), [(name, one, digests.get(name)) for name, one in sorted(packages.items())])
