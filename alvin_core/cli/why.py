"""``alvin why``: why a round selected an example, or why it did not."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, RunArgument, StoreOption, store_path
from alvin_core.cli.output import counted, one_line, plain_table, print_json, say, screen_width

if TYPE_CHECKING:
    from alvin_core.run import Run
    from alvin_core.run.explaining import AnchorReason, Explanation

LONGEST_TEXT = 400  # characters of the example's text that are shown
INDENT = "  "


@app.command(rich_help_panel="Runs", epilog="Example: `alvin why first e00042 --round 2`")
def why(
    run: RunArgument,
    example_id: Annotated[str, typer.Argument(metavar="EXAMPLE_ID", help="The id of any example of the data.")],
    round_no: Annotated[
        int | None, typer.Option("--round", "-r", min=0, help="The round to explain; the newest by default.")
    ] = None,
    n_anchors: Annotated[int, typer.Option("--anchors", min=0, help="How many anchors to show, nearest first.")] = 3,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a round selected an example, or why it did not.

    Shows its place under every strategy, and the anchors nearest to it with the two labeled examples that each lies
    between.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    number = max(opened.n_rounds - 1, 0) if round_no is None else round_no
    found = opened.explain(number, example_id, n_anchors)
    texts = opened.texts([opened.dataset.ids.tolist().index(example_id)])[0]
    if as_json:
        print_json({"run": opened.name, **asdict(found), "ranks": _rank_values(found), "text": " | ".join(texts)})
    else:
        _show(opened, found, texts)


def _rank_values(found: Explanation) -> dict[str, Any]:
    return {name: {"place": place or None, "n_ranked": n} for name, (place, n) in found.ranks.items()}


def _show(run: Run, found: Explanation, texts: tuple[str, ...]) -> None:
    label = f" · labeled {found.label_now}" if found.label_now else ""
    head = f"{found.id}{label} · predicted {found.predicted}, confidence {found.confidence:.2f}"
    say(f"{run.name}, round {found.round_no}: {one_line(head)}", style="bold")
    width = screen_width() - len(INDENT)
    for text in texts:
        _say_wrapped(one_line(text, LONGEST_TEXT), width)
    say()
    _say_wrapped(one_line(found.reason), width)
    if any(place for place, _ in found.ranks.values()):
        say()
        say("Its place under each strategy:")
        plain_table([(name, _place(*rank)) for name, rank in found.ranks.items()], indent=INDENT)
    if found.anchors:
        say()
        say(f"{_heading(found)}:")
    for anchor in found.anchors:
        _show_anchor(anchor, width)


def _heading(found: Explanation) -> str:
    shown = len(found.anchors)
    if found.selected:
        those = "the anchor" if found.n_anchors == 1 else f"the {found.n_anchors:,} anchors"
        return (
            f"The nearest {shown} of {those} that retrieved it"
            if shown > 1
            else "The nearest anchor, which retrieved it"
        )
    return f"{counted(shown, 'anchor')} near it"


def _show_anchor(anchor: AnchorReason, width: int) -> None:
    verb = "retrieved it" if anchor.retrieved else "did not retrieve it"
    say(f"{INDENT}{anchor.distance:.4g} away, {verb} (its reach is {anchor.reach:.4g}); class {anchor.class_}", "bold")
    parents = [(anchor.weight, anchor.minority_role, anchor.minority_label, anchor.minority_id, anchor.minority_text)]
    if anchor.minority_id != anchor.majority_id:
        rest = 1 - anchor.weight
        parents += [(rest, anchor.majority_role, anchor.majority_label, anchor.majority_id, anchor.majority_text)]
    for weight, role, label, id_, text in parents:
        head = one_line(f"{weight:4.0%} {role} {id_}, {label}: ")
        say(f"{INDENT}{INDENT}{head} {one_line(text, max(20, width - len(INDENT) - len(head)))}")


def _say_wrapped(text: str, width: int) -> None:
    for line in textwrap.wrap(text, max(20, width)):
        say(INDENT + line)


def _place(place: int, n_ranked: int) -> str:
    return f"{place:,} of {n_ranked:,}" if place else f"not among the {n_ranked:,} it ranked"
