"""``alvin compare``, ``comparisons`` and ``discard``: strategies against each other over seeds."""

from __future__ import annotations

from typing import Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.asking import agreed
from alvin_core.cli.compare_steps import Ask, Source, carry_out, check_ask, created, resumed, show
from alvin_core.cli.comparing import Wishes
from alvin_core.cli.json_file import JsonFileOption
from alvin_core.cli.options import (
    ROUNDS,
    AnnotatorOption,
    AttributeOption,
    BudgetOption,
    ClassesOption,
    DepthOption,
    DeviceOption,
    EncoderOption,
    IdOption,
    InitialOption,
    JsonOption,
    LabelOption,
    QuietOption,
    SetOption,
    SettingsOption,
    SplitOption,
    StoreOption,
    StrictOption,
    TextAOption,
    TextBOption,
    TextOption,
    ThreadsOption,
    is_new,
    parse_depth,
    store_path,
)
from alvin_core.cli.output import counted, listing, print_json, say, tell
from alvin_core.cli.sources import columns_of
from alvin_core.experiments.plan import N_SEEDS, STRATEGIES
from alvin_core.experiments.protocols import PROTOCOLS

HEADER = ("name", "id", "cells", "finished", "data", "created (UTC)")
PARALLEL = "How it is carried out"
RESULT = "What is said of it"
READY = "; ".join(f"{one.name}: {one.about}" for one in PROTOCOLS.values())


@app.command(
    rich_help_panel="Experiments",
    epilog="Example: `alvin compare --data reviews --strategies alvin,entropy,random --seeds 5 --rounds 5 --budget 50`",
)
def compare(
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE|SAMPLE",
            help="A file, a sample's name, or hf:NAME for the hub. With --resume the store's own copy will do.",
        ),
    ] = None,
    strategies: Annotated[
        str | None,
        typer.Option(
            "--strategies", "-s", metavar="A,B", help=f"See `alvin strategies`. [default: {','.join(STRATEGIES)}]"
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", metavar="N|A,B", help=f"How many, from 0 on, or which. [default: {N_SEEDS}]"),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", "-r", min=1, help=f"How often a proposal is annotated. [default: {ROUNDS}]"),
    ] = None,
    budget: BudgetOption = None,
    initial: InitialOption = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="NAME=A,B",
            help="Compare several values of a setting, such as alpha=0.5,2,8; may be repeated.",
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help=f"A ready plan; other options win over it. {READY}.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Name of the comparison, made of the data by default.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the comparison of this name; it may get more seeds, say, as well."),
    ] = False,
    store: StoreOption = None,
    strict: StrictOption = False,
    backend: Annotated[
        str,
        typer.Option(
            "--backend", help="local: processes on this machine; ray: a Ray cluster.", rich_help_panel=PARALLEL
        ),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, help="Cells at a time; by default what there is room for.", rich_help_panel=PARALLEL
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="ARM",
            help="What the others are compared with, if not entropy.",
            rich_help_panel=RESULT,
        ),
    ] = None,
    test: Annotated[
        str, typer.Option("--test", metavar="t|sign-flip", help="The paired test over seeds.", rich_help_panel=RESULT)
    ] = "t",
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
    json_file: JsonFileOption = None,
    quiet: QuietOption = False,
) -> None:
    """Compare strategies over seeds, and say whether they differ.

    For each seed all strategies begin with the same labels. What was stopped or killed goes on with --resume.
    """
    options: dict[str, object] = {
        "budget": budget,
        "initial": initial,
        "annotator": annotator,
        "encoder.name": encoder,
        "training.trainable_layers": None if trainable_layers is None else parse_depth(trainable_layers),
        "runtime.device": device,
        "runtime.threads": threads,
    }
    wishes = Wishes(strategies, seeds, rounds, tuple(vary or ()), protocol, settings, options, tuple(set_ or ()))
    columns = columns_of(text, text_a, text_b, label, id_, split, attribute)
    source = None if data is None else Source(data, columns, strict, classes)
    ask = Ask(store, name, backend, workers, reference, test, json_file, quiet)
    check_ask(ask)
    comparison = resumed(source, wishes, ask) if resume else created(source, wishes, ask)
    carry_out(comparison, ask, is_new=not resume)
    show(comparison, ask)


@app.command(rich_help_panel="Experiments", epilog="Example: `alvin comparisons`")
def comparisons(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the comparisons in the store, oldest first; with --json, one line each."""
    from alvin_core.experiments.comparison import list_comparisons

    folder = store_path(store)
    infos = () if is_new(folder) else list_comparisons(folder)
    if as_json:
        for info in infos:
            print_json(info.to_dict())
        return
    if not infos:
        tell(f"no comparisons in {folder}; make one with: alvin compare --data reviews")
        return
    rows = [
        (info.name, info.id, info.n_cells, info.n_finished, info.source, info.created_at.replace("T", " ")[:16])
        for info in infos
    ]
    listing(HEADER, rows, right=("cells", "finished"))


@app.command(rich_help_panel="Experiments", epilog="Example: `alvin discard reviews-compare --runs --yes`")
def discard(
    comparison: Annotated[str, typer.Argument(metavar="COMPARISON", help="A comparison's name or id.")],
    with_runs: Annotated[
        bool, typer.Option("--runs", help="Put its runs in the trash; otherwise they stay, as runs like any other.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StoreOption = None,
) -> None:
    """Take a comparison out of the store, for good.

    Its plan is gone, and what says which run is which of its cells; the runs themselves can be kept or brought back.
    """
    from alvin_core.experiments.comparison import open_comparison

    found = open_comparison(store_path(store), comparison)
    info = found.info()
    what = f"the comparison {info.name!r} with {info.n_finished} of {counted(info.n_cells, 'cell')} finished"
    if not agreed("discard", what, yes=yes):
        tell("nothing was discarded")
        return
    n_trashed = found.discard(trash_runs=with_runs)
    runs = f"{counted(n_trashed, 'run')} put in the trash" if with_runs else "its runs stay"
    say(f"discarded {what}; {runs}")
