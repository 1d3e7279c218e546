"""``alvin phase``: where strategies help, over the strength of a planted shortcut and the ambiguity of the texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.cell_bars import CellWatch
from alvin_core.cli.comparing import Wishes, make_plan, parse_names
from alvin_core.cli.json_file import STANDARD_OUTPUT, JsonFileOption, check_json_file, write_json_file
from alvin_core.cli.options import (
    ROUNDS,
    BudgetOption,
    DepthOption,
    DeviceOption,
    EncoderOption,
    InitialOption,
    QuietOption,
    SetOption,
    SettingsOption,
    StoreOption,
    ThreadsOption,
    parse_depth,
    store_path,
)
from alvin_core.cli.output import counted, say, tell
from alvin_core.errors import Cancelled, SettingsError
from alvin_core.experiments.plan import N_SEEDS
from alvin_core.progress import ProgressEvent

if TYPE_CHECKING:
    from alvin_core.experiments.phase import PhasePlan


@app.command(
    rich_help_panel="Experiments",
    epilog="Example: `alvin phase --task reviews --strengths 0.6,0.8,0.95 --ambiguities 0,0.15,0.3 --seeds 5`",
)
def phase(
    task: Annotated[str, typer.Option("--task", help="reviews, occupations, nli or paraphrase.")] = "reviews",
    strengths: Annotated[
        str, typer.Option("--strengths", metavar="A,B", help="Shares of each class that the shortcut agrees with.")
    ] = "0.6,0.8,0.95",
    ambiguities: Annotated[
        str, typer.Option("--ambiguities", metavar="A,B", help="Shares of texts that leave the label open.")
    ] = "0,0.15,0.3",
    strategies: Annotated[
        str, typer.Option("--strategies", "-s", metavar="A,B", help="What is held against the reference.")
    ] = "alvin",
    reference: Annotated[str, typer.Option("--reference", metavar="STRATEGY", help="What it is held against.")] = (
        "entropy"
    ),
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary", metavar="NAME=A,B", help="Several values of a setting, such as rank=uncertainty,distance."
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", metavar="N|A,B", help=f"How many, from 0 on, or which. [default: {N_SEEDS}]"),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", "-r", min=1, help="How often a proposal is annotated.")] = ROUNDS,
    pool: Annotated[int, typer.Option("--pool", min=10, help="Rows of each pool.")] = 1500,
    budget: BudgetOption = None,
    initial: InitialOption = None,
    name: Annotated[
        str, typer.Option("--name", "-n", help="Begins the names of the comparisons; one that is there goes on.")
    ] = "phase",
    store: StoreOption = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Cells at a time.")] = None,
    backend: Annotated[str, typer.Option("--backend", help="local, or ray.")] = "local",
    trainable_layers: DepthOption = None,
    encoder: EncoderOption = None,
    device: DeviceOption = None,
    threads: ThreadsOption = None,
    settings: SettingsOption = None,
    set_: SetOption = None,
    json_file: JsonFileOption = None,
    quiet: QuietOption = False,
) -> None:
    """Find out where a strategy helps, on data with a planted shortcut.

    Each point of strength and ambiguity is a comparison in the store. What was stopped goes on when asked for again.
    """
    from alvin_core.experiments.backends import BackendName, load_backend
    from alvin_core.experiments.phase import PhasePlan, phase_markdown, sweep_phase

    options: dict[str, object] = {
        "budget": budget,
        "initial": initial,
        "encoder.name": encoder,
        "training.trainable_layers": None if trainable_layers is None else parse_depth(trainable_layers),
        "runtime.device": device,
        "runtime.threads": threads,
    }
    named = ",".join(dict.fromkeys([*parse_names(strategies), reference]))
    wishes = Wishes(named, seeds, rounds, tuple(vary or ()), None, settings, options, tuple(set_ or ()))
    plan = PhasePlan(
        make_plan(wishes),
        task=task,
        strengths=_numbers("--strengths", strengths),
        ambiguities=_numbers("--ambiguities", ambiguities),
        reference=reference,
        n_pool=pool,
    )
    check_json_file(json_file)
    load_backend(backend)
    chosen: BackendName = "ray" if backend == "ray" else "local"
    _introduce(plan, quiet=quiet)
    watch = _PointWatch(quiet=quiet)
    try:
        diagram = sweep_phase(store_path(store), plan, name=name, backend=chosen, workers=workers, progress=watch)
    except (KeyboardInterrupt, Cancelled) as error:
        raise Cancelled("stopped; what is finished is kept: the same command goes on") from error
    finally:
        watch.close()
    if json_file != STANDARD_OUTPUT:
        say(phase_markdown(diagram).rstrip("\n"))
    if json_file is not None:
        write_json_file(json_file, {"plan": plan.to_dict(), **diagram.to_dict()})


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise SettingsError(f"{option} {text!r} is no list of numbers; write it like {option} 0.6,0.8") from None


def _introduce(plan: PhasePlan, *, quiet: bool) -> None:
    if not quiet:
        arms = ", ".join(arm.name for arm in plan.comparison.arms)
        n_cells = len(plan.points) * len(plan.comparison.cells)
        points, seeds = counted(len(plan.points), "point"), counted(len(plan.comparison.seeds), "seed")
        tell(f"{plan.task}: {arms} at {points} × {seeds} = {counted(n_cells, 'cell')}")


class _PointWatch:
    """Shows the progress of a sweep: a line for each point, and under it that of its comparison."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._cells: CellWatch | None = None

    def __call__(self, event: ProgressEvent) -> None:
        if event.stage == "points":
            self.close()
            if event.done < event.total:
                if not self._quiet:
                    tell(f"point {event.done + 1} of {event.total}: {event.note}")
                self._cells = CellWatch(quiet=self._quiet).__enter__()
        elif self._cells is not None:
            self._cells(event)

    def close(self) -> None:
        """Take what is drawn off the screen."""
        if self._cells is not None:
            self._cells.__exit__(None, None, None)
            self._cells = None
