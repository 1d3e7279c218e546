"""The commands by name: which module has each, and what the help says of it without importing any."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COMMANDS", "Listed"]


class Listed(NamedTuple):
    """A command as the help lists it.

    Attributes
    ----------
    module : str
        In `alvin_core.cli`.
    panel, summary : str
        As the command itself has them; the summary is the first paragraph of its help.
    """

    module: str
    panel: str
    summary: str


# In the order of the help. A test compares each with the command itself.
COMMANDS = {
    "run": Listed("start", "Runs", "Start a run on your data and do its rounds."),
    "step": Listed("step", "Runs", "Annotate what is pending and train the next round, or several."),
    "submit": Listed("step", "Runs", "Give a run the labels it waits for, from a file."),
    "undo": Listed("step", "Runs", "Take one label back; the example is in the pool again."),
    "take": Listed("assigning", "Runs", "Hold examples for one annotator, so that nobody else gets them."),
    "give-back": Listed("assigning", "Runs", "Let go of the examples that are held for an annotator; others get them."),
    "agreement": Listed("assigning", "Runs", "Tell how far the annotators of a run agree, and where they do not."),
    "add": Listed("adding", "Runs", "Add an example that you wrote, with its label, such as an edit of one."),
    "slices": Listed("slices", "Runs", "List the slices of a run's data with accuracy per split and round; save one."),
    "show": Listed("show", "Runs", "Show a run, or why a round picked what it picked."),
    "why": Listed("why", "Runs", "Say why a round selected an example, or why it did not."),
    "diagnose": Listed("diagnose", "Runs", "Tell where a run's rounds go right or wrong, step by step."),
    "shortcuts": Listed("shortcuts", "Runs", "Show which cues go with which label more than chance would have it."),
    "fork": Listed("branches", "Runs", "Go another way from a round on, in a new run with the same past."),
    "replay": Listed("branches", "Runs", "Compute every round again and compare the picks."),
    "environment": Listed("environment", "Runs", "Show what a run was computed with, or write it down to rebuild it."),
    "compare": Listed("compare", "Experiments", "Compare strategies over seeds, and say whether they differ."),
    "comparisons": Listed(
        "compare", "Experiments", "List the comparisons in the store, oldest first; with --json, one line each."
    ),
    "discard": Listed("compare", "Experiments", "Take a comparison out of the store, for good."),
    "phase": Listed("phase", "Experiments", "Find out where a strategy helps, on data with a planted shortcut."),
    "report": Listed("report", "Experiments", "Say what a comparison found, with intervals and verdicts."),
    "export": Listed("export", "Runs", "Write a run's labels to a file, or the texts that wait for one."),
    "runs": Listed("store", "Runs", "List the runs in the store, oldest first; with --json, one line a run."),
    "delete": Listed("store", "Runs", "Delete a run with its labels and rounds, for good. Forks of it live on."),
    "history": Listed("history", "Runs", "List every label, undo, skip, flag and note of a run, in order of time."),
    "pack": Listed("keeping", "Runs", "Write a run as one file, to keep or to send."),
    "unpack": Listed("keeping", "Runs", "Add a run that `alvin pack` wrote to the store."),
    "trash": Listed("keeping", "Runs", "Put a run in the trash, list what is there, or empty it."),
    "restore": Listed("keeping", "Runs", "Bring a run back from the trash, or make a store of a backup."),
    "backup": Listed("upkeep", "Runs", "Write the whole store as one file, while others go on working with it."),
    "verify": Listed("upkeep", "Runs", "Look through a store for what is lost, damaged or left over."),
    "dashboard": Listed("dashboard", "Runs", "Open the dashboard: the map, the rounds, why each pick, and labelling."),
    "demo": Listed("demo", "Runs", "Run ALVIN beside entropy on the sample `reviews`, and compare."),
    "worker": Listed("worker", "Worker", "Do the jobs of a store until stopped. The dashboard starts one itself."),
    "jobs": Listed("worker", "Worker", "List what the worker does, has to do, and did, newest first."),
    "cancel": Listed("worker", "Worker", "Stop a job. What it has finished is kept."),
    "check": Listed("data", "Data", "List every problem of your data at once, with place and remedy."),
    "samples": Listed("data", "Data", "List the data sets that come along, for `alvin run --data NAME`."),
    "recipes": Listed("data", "Data", "List public data sets of the hub, put together for `--data recipe:NAME`."),
    "strategies": Listed("data", "Data", "List what can pick examples, one a line, for `--strategy NAME`."),
    "make-data": Listed("data", "Data", "Make data with a planted shortcut."),
    "settings": Listed("settings", "Data", "List every setting with its default, its limits and what it is for."),
    "doctor": Listed("doctor", "This machine", "Show what this machine has, what is missing, and how to get it."),
}
