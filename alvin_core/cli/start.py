"""``alvin run``: create a run, and do its rounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.cli.app import app
from alvin_core.cli.options import (
    ROUNDS,
    AnnotatorOption,
    AttributeOption,
    BudgetOption,
    ClassesOption,
    DataOption,
    DepthOption,
    DeviceOption,
    EncoderOption,
    IdOption,
    InitialOption,
    JsonOption,
    LabelOption,
    NameOption,
    QuietOption,
    RoundsOption,
    SeedOption,
    SetOption,
    SettingsOption,
    SplitOption,
    StoreOption,
    StrategyOption,
    StrictOption,
    TextAOption,
    TextBOption,
    TextOption,
    ThreadsOption,
    parse_depth,
    parse_set,
    store_path,
)
from alvin_core.cli.output import counted, say, tell, warn
from alvin_core.cli.progress_bar import Watch
from alvin_core.cli.rounds import Hints, kept_on_stop, run_to, say_next, say_waiting, waits
from alvin_core.cli.sources import columns_of, load, parse_classes
from alvin_core.errors import AlvinError, Cancelled, RunBusyError, StoreError
from alvin_core.settings import RunSettings
from alvin_core.store.location import has_store

if TYPE_CHECKING:
    from alvin_core.data.dataset import Dataset
    from alvin_core.run import Run


@app.command(
    rich_help_panel="Runs",
    epilog="Example: `alvin run --data reviews --strategy alvin --rounds 3 --budget 50 --name first`",
)
def run(
    data: DataOption,
    strategy: StrategyOption = None,
    rounds: RoundsOption = ROUNDS,
    budget: BudgetOption = None,
    initial: InitialOption = None,
    seed: SeedOption = None,
    name: NameOption = None,
    store: StoreOption = None,
    strict: StrictOption = False,
    trainable_layers: DepthOption = None,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    annotator: AnnotatorOption = None,
    settings: SettingsOption = None,
    set_: SetOption = None,
    text: TextOption = None,
    text_a: TextAOption = None,
    text_b: TextBOption = None,
    label: LabelOption = None,
    id_: IdOption = None,
    split: SplitOption = None,
    attribute: AttributeOption = None,
    classes: ClassesOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Start a run on your data and do its rounds.

    Each round trains on the labeled set, evaluates, and picks the next examples to annotate. Where every example of
    the pool has a label, the label column annotates by itself; else the run waits for you.
    """
    given: dict[str, object] = {
        "strategy": strategy,
        "budget": budget,
        "initial": initial,
        "seed": seed,
        "annotator": annotator,
        "encoder.name": encoder,
        "training.trainable_layers": None if trainable_layers is None else parse_depth(trainable_layers),
        "runtime.device": device,
        "runtime.threads": threads,
    }
    chosen = _settings(settings, given, set_ or [])
    _check_store(name, store, rounds)
    columns = columns_of(text, text_a, text_b, label, id_, split, attribute)
    dataset = load(data, columns, strict=strict, seed=chosen.seed, classes=parse_classes(classes))
    _start(dataset, chosen, data, name, store, rounds, as_json=as_json, quiet=quiet)


def _settings(file: Path | None, given: dict[str, object], assignments: list[str]) -> RunSettings:
    """Put the settings together: defaults, then the file, then the options, then ``--set``."""
    from alvin_core.strategies import check_strategy

    base = RunSettings() if file is None else RunSettings.from_toml(file)
    options = {name: value for name, value in given.items() if value is not None}
    chosen = base.with_values(options | parse_set(assignments))
    check_strategy(chosen)  # before the data is read, which may take minutes
    return chosen


def _check_store(name: str | None, store: str | None, rounds: int) -> None:
    """Refuse, before any work is done, what is no store, what may not be written to, and a name that is taken.

    Of that run, say how it goes on.

    Raises
    ------
    StoreError
    """
    folder = store_path(store)
    from alvin_core.store.read_only import why_read_only

    closed = why_read_only(folder)
    if closed:
        raise StoreError(closed)
    if not folder.exists() or (folder.is_dir() and not has_store(folder)):
        return
    from alvin_core.run import list_runs

    for info in list_runs(folder):
        if info.name == name:
            missing = rounds + 1 - info.n_rounds
            command = Hints(name, store).command("step", f"--rounds {max(missing, 1)}")
            raise StoreError(
                f"there is a run called {name!r} already, with {counted(info.n_rounds, 'round')} done; "
                f"go on with `{command}`, or choose another --name"
            )


def _start(
    dataset: Dataset,
    settings: RunSettings,
    source: str,
    name: str | None,
    store: str | None,
    rounds: int,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    from alvin_core.run import create_run

    run = create_run(store_path(store), dataset, settings, name=name, source=source)
    hints = Hints(run.name, store)
    for warning in dataset.warnings:
        warn(warning)
    _introduce(run, rounds, as_json=as_json, quiet=quiet)
    if rounds and not waits(run):
        with Watch(rounds + 1, quiet=quiet) as watch, _dropped_if_broken(run, store), kept_on_stop(run, hints):
            run_to(run, rounds, watch, as_json=as_json)
    if waits(run):
        say_waiting(run, hints, as_json=as_json)
    elif not as_json:
        say_next(run, hints)
    elif not run.n_rounds:
        tell(f"nothing is trained yet; go on with: {hints.command('step')}")


@contextmanager
def _dropped_if_broken(run: Run, store: str | None) -> Iterator[None]:
    """Delete a run that could not do its first round, so that the corrected command can take the same name."""
    from alvin_core.run import delete_run

    try:
        yield
    except (Cancelled, RunBusyError):
        raise
    except AlvinError:
        if not run.n_rounds:
            with suppress(AlvinError):  # what went wrong first is what the user must hear of
                delete_run(store_path(store), run.id)
        raise


def _introduce(run: Run, rounds: int, *, as_json: bool, quiet: bool) -> None:
    """Say what the run is made of: beside the result where that is JSON, on top of it elsewhere."""
    if quiet:
        return
    dataset, chosen = run.dataset, run.settings
    n_pool = len(dataset.rows_of("pool"))
    others = ", ".join(f"{split} {len(dataset.rows_of(split)):,}" for split in dataset.evaluation_splits)
    lines = (
        f"run {run.name}: {chosen.strategy} on {run.source}, pool {n_pool:,}" + (f", {others}" if others else ""),
        f"{_initial_words(run)}, {chosen.budget} a round; {_depth_words(chosen)}; seed {chosen.seed}",
    )
    for line in lines:
        tell(line) if as_json else say(line)
    if not as_json and rounds and not waits(run):
        say()


def _initial_words(run: Run) -> str:
    n_labels = len(run.labels())
    return f"{counted(n_labels, 'label')} to begin with" if n_labels else "a person labels from the beginning"


def _depth_words(settings: RunSettings) -> str:
    depth = settings.training.trainable_layers
    name = settings.encoder.name.rstrip("/").split("/")[-1]
    if depth == 0:
        return f"{name} frozen, a small head trained"
    return f"all of {name} trained" if depth == "all" else f"{name}: its top {counted(int(depth), 'layer')} trained"
