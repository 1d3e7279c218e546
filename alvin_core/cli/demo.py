"""``alvin demo``: ALVIN beside uncertainty sampling, on data with a planted shortcut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.dashboard import PORT, serve_dashboard, why_no_dashboard
from alvin_core.cli.options import QuietOption, SeedOption, StoreOption, ThreadsOption, store_path
from alvin_core.cli.output import figure, percent, plain_table, say, tell
from alvin_core.cli.progress_bar import Watch
from alvin_core.cli.rounds import Hints, kept_on_stop, run_to
from alvin_core.cli.sources import columns_of, load
from alvin_core.settings import RunSettings
from alvin_core.store.location import has_store

if TYPE_CHECKING:
    from alvin_core.data.dataset import Dataset
    from alvin_core.run import RoundRecord, Run
    from alvin_core.types import BoolArray

SAMPLE = "reviews"
STRATEGIES = ("alvin", "entropy")
ROUNDS = 3
BALANCED = "ood:balanced"
NOISE = 0.02  # about two standard errors of an accuracy near .95 on the sample's 600 rows
NEAR_CHANCE = 0.1


@app.command(rich_help_panel="Runs", epilog="Example: `alvin demo --store /tmp/demo`")
def demo(
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="End when the table is printed; open no dashboard on the two runs.")
    ] = False,
    port: Annotated[int, typer.Option("--port", help="Port of the dashboard on this machine.")] = PORT,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the dashboard's address only.")] = False,
    seed: SeedOption = None,
    threads: ThreadsOption = None,
    store: StoreOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run ALVIN beside entropy on the sample `reviews`, and compare.

    Both do three rounds from the same initial set. In the sample's pool, a genre nearly gives the label away; the
    out-of-distribution splits tell which model fell for it. Then the dashboard opens on both runs, until Ctrl-C.
    """
    given = {"seed": seed, "runtime.threads": threads}
    settings = RunSettings().with_values({name: value for name, value in given.items() if value is not None})
    no_columns = columns_of(None, None, None, None, None, None, None)
    dataset = load(SAMPLE, no_columns, strict=False, seed=settings.seed, classes=None)
    _introduce(dataset, settings)
    folder = store_path(store)
    runs = [_do(dataset, settings, strategy, folder, store, quiet=quiet) for strategy in STRATEGIES]
    _compare(dataset, runs)
    _say_next(runs, folder, store)
    if not no_serve:
        _serve(folder, port, open_browser=not no_browser)


def _serve(folder: Path, port: int, *, open_browser: bool) -> None:
    """Open the dashboard; where it is not installed, say so: the comparison is done, and that is no failure."""
    problem = why_no_dashboard()
    say()
    if problem:
        tell(f"no dashboard is opened: {problem}")
        return
    code = serve_dashboard(folder, port=port, open_browser=open_browser)
    if code:
        raise typer.Exit(code)


def _introduce(dataset: Dataset, settings: RunSettings) -> None:
    n_pool = len(dataset.rows_of("pool"))
    say("ALVIN beside entropy", style="bold")
    say(
        f"The sample {SAMPLE!r}: {n_pool:,} reviews in the pool, and a shortcut: in all but "
        f"{percent(_contrary_share(dataset))} of them the genre gives the label away."
    )
    say(f"Both start from the same {settings.initial} labels and annotate {settings.budget} more, {ROUNDS} times.")


def _do(dataset: Dataset, settings: RunSettings, strategy: str, folder: Path, store: str | None, *, quiet: bool) -> Run:
    from alvin_core.run import create_run

    chosen = settings.with_value("strategy", strategy)
    run = create_run(folder, dataset, chosen, name=_free_name(folder, f"demo-{strategy}"), source=SAMPLE)
    say()
    say(f"{strategy} (run {run.name})", style="bold")
    with Watch(ROUNDS + 1, quiet=quiet) as watch, kept_on_stop(run, Hints(run.name, store)):
        run_to(run, ROUNDS, watch, as_json=False)
    return run


def _free_name(folder: Path, name: str) -> str:
    from alvin_core.run import list_runs

    taken = {info.name for info in list_runs(folder)} if has_store(folder) else set()
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _compare(dataset: Dataset, runs: Sequence[Run]) -> None:
    records = [run.records() for run in runs]
    last = [one[-1] for one in records]
    annotated = [one[:-1] for one in records]
    rows = [
        (f"accuracy on {split}", [figure(one.metrics[split]["accuracy"]) for one in last]) for split in last[0].metrics
    ]
    for split in last[0].metrics:
        worst = [one.metrics[split]["worst_group_accuracy"] for one in last]
        if worst[0] is not None:
            rows.append((f"worst group of {split}", [figure(value) for value in worst]))
    rows.append(("mean confidence in the picks", [figure(_mean(one, "mean_confidence")) for one in annotated]))
    contrary = [percent(_contrary_picks(dataset, run)) for run in runs]
    rows.append((f"picks against the shortcut (pool: {percent(_contrary_share(dataset))})", contrary))
    rows.append(("picks in common", [percent(_common(runs))] * len(runs)))
    say()
    say(f"After {ROUNDS} rounds, {last[0].n_labeled} labels each", style="bold")
    heads = [run.settings.strategy for run in runs]
    wide = max(len(name) for name, _ in rows)
    plain_table(
        [("", *(head.rjust(8) for head in heads))]
        + [(name.ljust(wide), *(cell.rjust(8) for cell in cells)) for name, cells in rows],
        indent="  ",
    )
    say()
    _say_verdict(last, len(dataset.classes))


def _say_verdict(last: Sequence[RoundRecord], n_classes: int) -> None:
    """Say which is ahead where, whether both fell for the shortcut, and how little one seed says."""
    words = []
    for split in last[0].metrics:
        first, second = (one.metrics[split]["accuracy"] for one in last)
        ahead = last[0].strategy if first > second else last[1].strategy
        gap = abs(first - second)
        words.append(f"{split}: " + ("no difference to speak of" if gap < NOISE else f"{ahead}, by {figure(gap)}"))
    say(f"Ahead on {'; on '.join(words)}.")
    balanced = [one.metrics[BALANCED]["accuracy"] for one in last]
    if max(balanced) < 1 / n_classes + NEAR_CHANCE:
        say(f"Both models fell for the shortcut: where it says nothing ({BALANCED}) they are near chance.")
    say("This is one seed on one data set; another seed may turn it round.")


def _say_next(runs: Sequence[Run], folder: Path, store: str | None) -> None:
    first = runs[0]
    hints = Hints(first.name, store)
    say()
    say(f"Both runs are kept in {folder}. Next:")
    plain_table(
        [
            (hints.command("show", "--round 0"), "why each example was picked"),
            (hints.command("fork", "--at 1 --strategy random"), "another way from round 1"),
            ("alvin run --data YOUR.csv", "your own texts; first: alvin check YOUR.csv"),
        ],
        indent="  ",
    )


def _against(dataset: Dataset) -> BoolArray:
    """Whether each example contradicts the shortcut: its attribute is not its class's most frequent in the pool."""
    import numpy as np

    assert dataset.attributes is not None  # the sample has them
    against = np.zeros(len(dataset), dtype=bool)
    pool_rows = dataset.rows_of("pool")
    for label in range(len(dataset.classes)):
        in_pool = dataset.attributes[pool_rows][dataset.labels[pool_rows] == label]
        values, counts = np.unique(in_pool, return_counts=True)
        against |= (dataset.labels == label) & (dataset.attributes != values[counts.argmax()])
    return against


def _contrary_share(dataset: Dataset) -> float:
    return float(_against(dataset)[dataset.rows_of("pool")].mean())


def _picked(run: Run) -> list[str]:
    """Ids that the run's own proposals brought into the labeled set."""
    labels = run.labels()
    return [str(id_) for id_ in labels.loc[labels["source"] != "initial", "id"]]


def _contrary_picks(dataset: Dataset, run: Run) -> float:
    import numpy as np

    return float(_against(dataset)[np.isin(dataset.ids, _picked(run))].mean())


def _common(runs: Sequence[Run]) -> float | None:
    import numpy as np

    from alvin_core.metrics import jaccard

    first, second = (np.asarray(_picked(run)) for run in runs)
    return jaccard(first, second)


def _mean(records: Sequence[RoundRecord], name: str) -> float:
    return float(sum(record.selection[name] for record in records) / len(records))
