"""``alvin diagnose``: where a run's rounds go right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, RunArgument, StoreOption, store_path
from alvin_core.cli.output import listing, print_json, say, screen_width, tell

if TYPE_CHECKING:
    from alvin_core.run.diagnosing import Diagnosis


COLUMNS = (
    "round",
    "minority",
    "true",
    "found",
    "got class",
    "got true",
    "pick class",
    "pick true",
    "parents",
    "spread",
)
WORDS = (
    "minority: labeled examples inferred as such. true: share that contradict the shortcut in truth. found: share of "
    "all labeled ones that do. got: what the anchors retrieved; pick: what was selected. class: share that have the "
    "anchor's class. parents: minority parents behind the picks, as if evenly used. spread: distance between picks, "
    "1 as in the pool. Last: share that contradict the shortcut of what others would have selected, and of the pool."
)
NARROWEST = 40


@app.command(rich_help_panel="Runs", epilog="Example: `alvin diagnose first`")
def diagnose(
    run: RunArgument,
    round_no: Annotated[int | None, typer.Option("--round", "-r", min=0, help="One round; all by default.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell where a run's rounds go right or wrong, step by step.

    Is the inferred minority one in truth? Do the anchors retrieve examples of their class, and ones that contradict
    the shortcut? Do the picks? Needs labels, and for most figures a known attribute.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    numbers = range(opened.n_rounds) if round_no is None else [round_no]
    found = [opened.diagnose(number) for number in numbers]
    if as_json:
        for one in found:
            print_json({"run": opened.name, **one.to_dict()})
        return
    if not found:
        tell(f"the run {opened.name!r} has no round yet")
        return
    names = list(dict.fromkeys(name for one in found for name in one.others_contradict))
    shown = [name for name in ("entropy", "random") if name in names]
    heads = (*COLUMNS, *shown, "pool")
    listing(heads, [_row(one, shown) for one in found], right=heads)
    say()
    for line in wrap(WORDS, max(NARROWEST, screen_width() - 1)):
        say(line, style="dim")


def _row(one: Diagnosis, shown: Sequence[str]) -> tuple[str, ...]:
    return (
        str(one.round_no),
        f"{one.n_minority:,}",
        _share(one.minority_precision),
        _share(one.minority_recall),
        _share(one.retrieved_right_class),
        _share(one.retrieved_contradicts),
        _share(one.selected_right_class),
        _share(one.selected_contradicts),
        "–" if one.effective_parents is None else f"{one.effective_parents:.1f}",
        "–" if one.spread is None else f"{one.spread:.2f}",
        *(_share(one.others_contradict.get(name)) for name in shown),
        _share(one.pool_contradicts),
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
