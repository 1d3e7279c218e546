"""``alvin worker``, ``jobs`` and ``cancel``: the process that works for the dashboard, and what it has to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, StoreOption, is_new, store_path
from alvin_core.cli.output import listing, one_line, print_json, say, seconds, tell

if TYPE_CHECKING:
    from alvin_core.worker import Job

PANEL = "Worker"
HEADER = ("job", "kind", "run", "state", "what", "left", "asked for (UTC)")
SHOWN = 20


@app.command(rich_help_panel=PANEL, epilog="Example: `alvin worker --store ~/experiments`")
def worker(store: StoreOption = None) -> None:
    """Do the jobs of a store until stopped. The dashboard starts one itself.

    A store has one worker; a second one ends at once, with an error.
    """
    from alvin_core.logs import set_up_logs
    from alvin_core.worker.supervisor import supervise

    set_up_logs(screen=True)
    code = supervise(store_path(store))
    if code:
        raise typer.Exit(code)


@app.command(rich_help_panel=PANEL, epilog="Example: `alvin jobs --json`")
def jobs(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List what the worker does, has to do, and did, newest first."""
    from alvin_core.worker import list_jobs, worker_status

    folder = store_path(store)
    found = [] if is_new(folder) else list_jobs(folder, limit=SHOWN)
    if as_json:
        for job in found:
            print_json(job.to_dict())
        return
    if not found:
        tell(f"no jobs in {folder}")
        return
    names = _run_names(folder)
    rows = [
        (job.id, job.kind, names.get(job.run_id or "", job.run_id or ""), job.state, _what(job), _left(job), _when(job))
        for job in found
    ]
    listing(HEADER, rows, right=("job",))
    if any(job.active for job in found) and not worker_status(folder).alive:
        tell(f"no worker is there to do them; start one with: alvin worker --store {folder}")


@app.command(rich_help_panel=PANEL, epilog="Example: `alvin cancel 3`")
def cancel(
    job: Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as `alvin jobs` shows it.")],
    store: StoreOption = None,
) -> None:
    """Stop a job. What it has finished is kept."""
    from alvin_core.worker import cancel_job

    asked = cancel_job(store_path(store), job)
    if asked.active:
        say(f"asked job {asked.id} to stop")
    elif asked.cancel:
        say(f"job {asked.id} is cancelled")
    else:
        say(f"job {asked.id} had ended already: {asked.state}")


def _run_names(folder: Path) -> dict[str, str]:
    from alvin_core.run import list_runs

    return {info.id: info.name for info in list_runs(folder)}


def _what(job: Job) -> str:
    if job.error:
        return one_line(job.error)
    return one_line(": ".join(part for part in (job.stage, job.note) if part)) if job.state == "running" else ""


def _left(job: Job) -> str:
    return "" if job.seconds_left is None else seconds(job.seconds_left)


def _when(job: Job) -> str:
    return job.created_at.replace("T", " ")[:16]
