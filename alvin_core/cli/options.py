"""The options that several commands share, each with its help; defaults are read from `RunSettings`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from alvin_core.errors import SettingsError, StoreError
from alvin_core.settings import RunSettings, default_store
from alvin_core.shown import shown
from alvin_core.store.address import is_address
from alvin_core.store.location import has_store, read_place, store_folder
from alvin_core.toml_text import parse_toml

__all__ = [
    "OUTPUT",
    "ROUNDS",
    "SETTINGS",
    "AnnotatorOption",
    "AttributeOption",
    "BudgetOption",
    "ClassesOption",
    "DataOption",
    "DepthOption",
    "DeviceOption",
    "EncoderOption",
    "IdOption",
    "InitialOption",
    "JsonOption",
    "LabelOption",
    "NameOption",
    "QuietOption",
    "RoundsOption",
    "RunArgument",
    "SeedOption",
    "SetOption",
    "SettingsOption",
    "SplitOption",
    "StoreOption",
    "StrategyOption",
    "StrictOption",
    "TextAOption",
    "TextBOption",
    "TextOption",
    "ThreadsOption",
    "default_of",
    "is_new",
    "parse_depth",
    "parse_set",
    "store_path",
]

_DEFAULTS = RunSettings()
COLUMNS = "Columns of your data"
SETTINGS = "Settings"
OUTPUT = "Output"
ROUNDS = 5


def default_of(name: str) -> str:
    """Return a setting's default by its dotted name, for the help."""
    value: Any = _DEFAULTS
    for part in name.split("."):
        value = getattr(value, part)
    return str(value)


def _setting(name: str, *flags: str, what: str, metavar: str | None = None, panel: str | None = None) -> Any:
    """Return an option whose default is a setting's, so that None can stand for "not given"."""
    words = f"{what} [default: {default_of(name)}]"
    return typer.Option(*flags, show_default=False, help=words, metavar=metavar, rich_help_panel=panel)


def _column(role: str, what: str) -> Any:
    option = "--" + role.replace("_", "-")
    return typer.Option(option, metavar="COLUMN", help=f"Column of {what}.", rich_help_panel=COLUMNS)


RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's name or id.")]
DataOption = Annotated[
    str,
    typer.Option("--data", "-d", metavar="FILE|SAMPLE", help="A file, a sample's name, or hf:NAME for the hub."),
]
TextOption = Annotated[str | None, _column("text", "the texts")]
TextAOption = Annotated[str | None, _column("text_a", "the first text of each pair")]
TextBOption = Annotated[str | None, _column("text_b", "the second text of each pair")]
LabelOption = Annotated[str | None, _column("label", "the labels")]
IdOption = Annotated[str | None, _column("id", "the ids")]
SplitOption = Annotated[str | None, _column("split", "the splits (pool, test, ood:NAME)")]
AttributeOption = Annotated[str | None, _column("attribute", "a known attribute, such as the shortcut's value")]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Refuse empty and duplicate texts instead of dropping them.")
]
ClassesOption = Annotated[
    str | None,
    typer.Option(
        "--classes", metavar="A,B", help="Class names, where the data has no labels.", rich_help_panel=COLUMNS
    ),
]
StoreOption = Annotated[
    str | None,  # a path would make one slash of the two in an address
    typer.Option(
        "--store", metavar="DIR|URL", help="Folder or database of the runs: $ALVIN_STORE, else ./alvin-store."
    ),
]
NameOption = Annotated[
    str | None, typer.Option("--name", "-n", help="Name of the new run, made of data and strategy by default.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output and nothing else.", rich_help_panel=OUTPUT)
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress on standard error.", rich_help_panel=OUTPUT)
]
SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE.toml", help="Settings from a TOML file.", rich_help_panel=SETTINGS),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any setting, such as alvin.alpha=0.5; may be repeated. `alvin show RUN --settings` has all.",
        rich_help_panel=SETTINGS,
    ),
]
StrategyOption = Annotated[
    str | None, _setting("strategy", "--strategy", "-s", what="What picks; see `alvin strategies`.")
]
RoundsOption = Annotated[
    int,
    typer.Option("--rounds", "-r", min=0, help="How often a proposal is annotated; 0 only creates the run."),
]
BudgetOption = Annotated[int | None, _setting("budget", "--budget", "-b", what="Examples annotated each round.")]
InitialOption = Annotated[int | None, _setting("initial", "--initial", "-i", what="Size of the initial labeled set.")]
SeedOption = Annotated[int | None, _setting("seed", "--seed", what="Of every random draw.")]
DepthOption = Annotated[
    str | None,
    _setting(
        "training.trainable_layers",
        "--trainable-layers",
        "-t",
        what="Top layers of the encoder to train: 0 is fast, all is fine-tuning.",
        metavar="0|N|all",
        panel=SETTINGS,
    ),
]
EncoderOption = Annotated[
    str | None,
    _setting("encoder.name", "--encoder", what="A name that AutoModel takes, or a folder.", panel=SETTINGS),
]
DeviceOption = Annotated[
    str | None, _setting("runtime.device", "--device", what="auto, cpu, cuda, cuda:1 or mps.", panel=SETTINGS)
]
ThreadsOption = Annotated[
    int | None, _setting("runtime.threads", "--threads", what="Threads to compute with; 0: one a core.", panel=SETTINGS)
]
AnnotatorOption = Annotated[
    str | None,
    _setting("annotator", "--annotator", what="auto, oracle (the label column answers) or person.", panel=SETTINGS),
]


def store_path(store: str | None) -> Path:
    """Return the folder of the runs: the one that was named, by itself or by its database, else the default.

    Raises
    ------
    StoreError
        When it begins with the home of somebody who is not here; when a database leads to no folder.
    """
    named = os.environ.get("ALVIN_STORE", "") if store is None else store
    if is_address(named):
        return store_folder(named)
    path = default_store() if store is None else Path(store)
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise StoreError(f"the store {path} cannot be found: {error}; name another folder") from error


def is_new(folder: Path) -> bool:
    """Return whether a store's folder is yet to be made, or empty: then there are no runs, and nothing is wrong.

    Raises
    ------
    StoreError
        When the folder is a database's, and that cannot be reached.
    """
    if read_place(folder) is not None:
        return not has_store(folder)
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def parse_set(assignments: Sequence[str]) -> dict[str, object]:
    """Read ``NAME=VALUE`` assignments, the value as TOML; bare words are taken as text.

    Raises
    ------
    SettingsError
        Where there is no ``=``, or the value is not one TOML value.
    """
    values: dict[str, object] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise SettingsError(f"--set {shown(assignment)} is not NAME=VALUE; write it like --set alvin.alpha=0.5")
        values[name.strip()] = _toml_value(assignment, text.strip())
    return values


def _toml_value(assignment: str, text: str) -> object:
    try:
        parsed = parse_toml(f"value = {text}")
    except SettingsError as error:
        # A word such as alvin.rank=distance: shells eat the quotes that TOML asks for.
        if all(character.isalnum() or character in "-_./:" for character in text):
            return text
        raise SettingsError(
            f"--set {shown(assignment)}: {error}; quote texts, as in --set 'alvin.rank=\"distance\"'"
        ) from error
    if list(parsed) != ["value"]:
        raise SettingsError(f"--set {shown(assignment)} holds more than one value; repeat --set for each")
    return parsed["value"]


def parse_depth(text: str) -> int | str:
    """Read ``--trainable-layers``: a number or ``all``; the settings check what it may be."""
    try:
        return int(text)
    except ValueError:
        return text
