"""``alvin add``: an example that a person wrote, such as an edit of another one, with its label."""

from __future__ import annotations

from typing import Annotated

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import RunArgument, StoreOption, store_path
from alvin_core.cli.output import say, tell
from alvin_core.cli.rounds import Hints, waits

PERSON = "person"


@app.command(
    rich_help_panel="Runs",
    epilog="Example: `alvin add first --text 'A superb horror film.' --label positive --from e00042`",
)
def add(
    run: RunArgument,
    text: Annotated[str, typer.Option("--text", metavar="TEXT", help="The text; of a pair, the first one.")],
    label: Annotated[str, typer.Option("--label", metavar="CLASS", help="Its class, one of those of the data.")],
    text_b: Annotated[
        str | None, typer.Option("--text-b", metavar="TEXT", help="The second text, where the data are pairs.")
    ] = None,
    parent: Annotated[
        str, typer.Option("--from", metavar="ID", help="The pool example that it is an edit of.", show_default=False)
    ] = "",
    attribute: Annotated[
        str,
        typer.Option(
            "--attribute", metavar="VALUE", help="Its known attribute, if the data has such.", show_default=False
        ),
    ] = "",
    annotator: Annotated[str, typer.Option("--annotator", "-a", help="Who wrote it.")] = PERSON,
    store: StoreOption = None,
) -> None:
    """Add an example that you wrote, with its label, such as an edit of one.

    The next round trains on it. It is never selected, never evaluated on and not on the map; `alvin undo` takes it out
    of training again, and `alvin export` has it with the source counterfactual.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    texts = (text,) if text_b is None else (text, text_b)
    example_id = opened.add_example(texts, label, parent_id=parent, attribute=attribute, annotator=annotator)
    origin = f", an edit of {parent}" if parent else ""
    say(f"added {example_id!r} to the run {opened.name!r} as {label}{origin}")
    if waits(opened):
        tell(f"the run still waits: {opened.waits_for}")
    else:
        tell(f"the next round trains on it: {Hints(opened.name, store).command('step')}")
