"""``alvin show``: a run's settings, rounds and pending proposal, or why one round picked what it picked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alvin_core.cli.app import app
from alvin_core.cli.assigning import queue_rows
from alvin_core.cli.options import JsonOption, RunArgument, StoreOption, store_path
from alvin_core.cli.output import counted, one_line, plain_table, print_json, say
from alvin_core.cli.picks import pick_values, show_picks
from alvin_core.cli.round_table import RoundTable, Warnings
from alvin_core.cli.rounds import Hints, is_finished, say_waiting, waits
from alvin_core.cli.slices import show_slices
from alvin_core.settings import RunSettings
from alvin_core.tables import to_table

if TYPE_CHECKING:
    from alvin_core.run import Run

SHOWN_PENDING = 5
SHOWN_CHARACTERS = 70


@app.command(rich_help_panel="Runs", epilog="Example: `alvin show first --round 2`")
def show(
    run: RunArgument,
    round_no: Annotated[
        int | None, typer.Option("--round", "-r", min=0, help="Show what this round picked, and why.")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="With --round: how many of the picked, best first.")] = 10,
    settings: Annotated[
        bool, typer.Option("--settings", help="Print all settings as TOML, for `alvin run --settings FILE`.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run, or why a round picked what it picked.

    Without --round: settings, origin, every round and what is pending. With --round: each picked example with its
    nearest anchor and the two labeled examples that the anchor lies between.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    hints = Hints(opened.name, store)
    if settings:
        say(opened.settings.to_toml().rstrip())
    elif round_no is not None:
        record = opened.record(round_no)
        if as_json:
            print_json({**record.to_dict(), "picks": pick_values(opened, round_no)})
        else:
            show_picks(opened, record, top)
    elif as_json:
        print_json(_values(opened))
    else:
        _show_run(opened, hints, store_path(store))


def _values(run: Run) -> dict[str, Any]:
    return {
        "run": run.name,
        "id": run.id,
        "state": run.state,
        "annotator": run.annotator,
        "source": run.source,
        "parent": _parent(run),
        "created_at": run.created_at,
        "environment": run.environment,
        "settings": run.settings.to_dict(),
        "classes": list(run.dataset.classes),
        "added": len(run.added()),
        "rounds": [record.to_dict() for record in run.records()],
        "slices": [info.to_dict() for info in run.slices()],
        "pending": run.pending()["id"].tolist(),
        "queue": run.queue_state().to_dict(),
    }


def _parent(run: Run) -> dict[str, Any] | None:
    return None if run.parent is None else {"run": run.parent[0], "round": run.parent[1]}


def _show_run(run: Run, hints: Hints, store: Path) -> None:
    dataset, n_added = run.dataset, len(run.added())
    splits = ", ".join(f"{split} {len(dataset.rows_of(split)):,}" for split in ("pool", *dataset.evaluation_splits))
    rows = [
        ("id", run.id),
        ("data", run.source or "given by a program"),
        ("splits", splits),
        *([("added", f"{counted(n_added, 'example')} that people wrote")] if n_added else []),
        ("classes", ", ".join(dataset.classes)),
        ("annotator", run.annotator + (", who is waited for" if waits(run) else "")),
        ("created", run.created_at.replace("T", " ")[:16] + " UTC"),
    ]
    if run.parent is not None:
        rows.append(("forked from", f"{_name_of(run.parent[0], store)} at round {run.parent[1]}"))
    rows += queue_rows(run)
    rows += _settings_rows(run.settings)
    say(run.name, style="bold")
    plain_table(rows, indent="  ")
    records = run.records()
    if records:
        say()
        table, warnings = RoundTable(records), Warnings()
        for record in records:
            table.show(record)
            warnings.show(record)
        show_slices(run)
    if waits(run):
        say_waiting(run, hints)
    else:
        _show_pending(run, hints)


def _name_of(run_id: str, store: Path) -> str:
    from alvin_core.run import list_runs

    return next((info.name for info in list_runs(store) if info.id == run_id), f"{run_id} (deleted)")


def _settings_rows(settings: RunSettings) -> list[tuple[str, str]]:
    """The settings a reader looks for first, and every other one that is not the default, but for the annotator's."""
    first = ("strategy", "budget", "initial", "seed", "training.trainable_layers", "encoder.name")
    chosen, defaults = _flat(to_table(settings)), _flat(to_table(RunSettings()))
    changed = [name for name in chosen if name not in (*first, "annotator") and chosen[name] != defaults[name]]
    return [(name, str(chosen[name])) for name in (*first, *changed)]


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _show_pending(run: Run, hints: Hints) -> None:
    pending = run.pending()
    say()
    if not len(pending):
        done = "every example of the pool is labeled and trained on" if is_finished(run) else ""
        say(f"Nothing is pending; {done or 'train with: ' + hints.command('step')}")
        return
    say(f"Pending: {counted(len(pending), 'example')}, which the next step annotates ({hints.command('step')}):")
    texts = pending["text"] if "text" in pending else pending["text_a"] + " | " + pending["text_b"]
    shown = [(id_, one_line(text, SHOWN_CHARACTERS)) for id_, text in zip(pending["id"], texts, strict=True)]
    plain_table(shown[:SHOWN_PENDING], indent="  ")
    if len(shown) > SHOWN_PENDING:
        why = hints.command("show", f"--round {run.n_rounds - 1}")
        say(f"  … and {len(shown) - SHOWN_PENDING} more; why they were picked: {why}")
