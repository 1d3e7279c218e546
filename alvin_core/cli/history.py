"""``alvin history``: all that people and the oracle did to a run, in order."""

from __future__ import annotations

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, RunArgument, StoreOption, store_path
from alvin_core.cli.output import listing, print_json, tell

HEADER = ("time (UTC)", "annotator", "action", "id", "label", "source", "note")


@app.command(rich_help_panel="Runs", epilog="Example: `alvin history first --json`")
def history(run: RunArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List every label, undo, skip, flag and note of a run, in order of time.

    With --json, one line an event. Notes and labels are shown as they were given.
    """
    from alvin_core.run import open_run

    opened = open_run(store_path(store), run)
    events = opened.history()
    if as_json:
        for event in events.to_dict("records"):
            print_json({"run": opened.name, **{str(name): value for name, value in event.items()}})
        return
    if not len(events):
        tell(f"nothing was done in the run {opened.name!r} yet")
        return
    rows = events.astype(object).where(events.notna(), "").to_numpy().tolist()
    listing(HEADER, [(str(row[0]).replace("T", " ")[:19], *row[1:]) for row in rows])
