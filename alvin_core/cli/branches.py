"""``alvin fork`` and ``alvin replay``: another way from the same past, and the same way again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import (
    JsonOption,
    QuietOption,
    RunArgument,
    SetOption,
    StoreOption,
    parse_set,
    store_path,
)
from alvin_core.cli.output import counted, print_json, say, tell, warn
from alvin_core.cli.progress_bar import Watch
from alvin_core.cli.rounds import Hints, kept_on_stop, run_to, say_next, say_waiting, waits

if TYPE_CHECKING:
    from alvin_core.run import ReplayRound

DIFFERENT = 1


@app.command(rich_help_panel="Runs", epilog="Example: `alvin fork first --at 2 --strategy entropy --name second`")
def fork(
    run: RunArgument,
    at: Annotated[int, typer.Option("--at", min=0, help="The first round to be done anew.")],
    strategy: Annotated[str | None, typer.Option("--strategy", "-s", help="What picks from there on.")] = None,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", "-r", min=0, help="The last round to train; as far as RUN went by default."),
    ] = None,
    set_: SetOption = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Name of the new run.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Go another way from a round on, in a new run with the same past.

    The new run keeps the labels that round --at trained on, and does that round and those after it anew.
    """
    from alvin_core.run import open_run

    parent = open_run(store_path(store), run)
    child = parent.fork(at, strategy=strategy, changes=parse_set(set_ or []), name=name)
    hints = Hints(child.name, store)
    write = tell if as_json or quiet else say
    write(f"forked {parent.name!r} at round {at} as {child.name!r}, with the strategy {child.settings.strategy}")
    last = max(at, parent.n_rounds - 1) if rounds is None else rounds
    if not waits(child) and last >= at:
        with Watch(last - at + 1, quiet=quiet) as watch, kept_on_stop(child, hints):
            run_to(child, last, watch, as_json=as_json)
    if waits(child):
        say_waiting(child, hints, as_json=as_json)
    elif not as_json:
        say_next(child, hints)


@app.command(rich_help_panel="Runs", epilog="Example: `alvin replay first`")
def replay(
    run: RunArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute every round again and compare the picks.

    Nothing is written. Of a round that picks others it says at which stage it parts, which picks, and the likely cause.
    Exit code 0 when every round picks the same examples in the same order, 1 when one does not.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    with Watch(opened.n_rounds, quiet=quiet) as watch:
        replayed = opened.replay(watch)
    for one in replayed:
        if as_json:
            print_json({"run": opened.name, **one.to_dict()})
            continue
        differ = "differs" if one.n_different == 1 else "differ"
        verdict = "same picks" if one.same else f"{counted(one.n_different, 'pick')} {differ}"
        say(f"round {one.round_no}: {verdict}")
        for line in () if one.same or one.divergence is None else one.divergence.lines():
            say(f"  {line}")
    if not as_json:
        _warn_of_notes(replayed)
    different = [str(one.round_no) for one in replayed if not one.same]
    if different:
        tell(f"the run {opened.name!r} does not replay: round {', '.join(different)} picks other examples")
        raise typer.Exit(DIFFERENT)
    if not as_json:
        all_same = f"all {counted(len(replayed), 'round')} picked the same examples again"
        say(all_same if replayed else "there is no round to replay yet")


def _warn_of_notes(replayed: Sequence[ReplayRound]) -> None:
    """Say what is known to differ, once for all rounds of which the same is to say."""
    rounds: dict[str, list[str]] = {}
    for one in replayed:
        if one.note:
            rounds.setdefault(one.note, []).append(str(one.round_no))
    for note, numbers in rounds.items():
        warn(f"round {', '.join(numbers)}: {note}")
