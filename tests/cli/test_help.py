"""The help: quick, complete, and true to the settings."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from alvin_core.cli.app import build_command
from alvin_core.cli.commands import COMMANDS as LISTED
from alvin_core.cli.data import PLANTED_DEFAULTS
from alvin_core.settings import RunSettings

COMMANDS = build_command().commands

ASKED_FOR = ["run", "step", "submit", "undo", "fork", "replay", "show", "runs", "delete", "export"]
ASKED_FOR += ["check", "samples", "recipes", "strategies", "make-data", "doctor", "demo"]
ASKED_FOR += ["dashboard", "worker", "jobs", "cancel", "why", "diagnose", "history", "settings"]
ASKED_FOR += ["pack", "unpack", "trash", "restore"]
ASKED_FOR += ["report"]
ASKED_FOR += ["add"]
ASKED_FOR += ["take", "give-back", "agreement"]
ASKED_FOR += ["shortcuts"]
ASKED_FOR += ["slices"]
ASKED_FOR += ["backup", "verify"]
ASKED_FOR += ["environment"]
ASKED_FOR += ["compare", "comparisons", "discard", "phase"]

HEAVY = ["numpy", "pandas", "torch", "transformers", "sqlalchemy", "faiss", "numba", "pyarrow", "sklearn", "scipy"]
HEAVY += ["datasets", "tokenizers", "safetensors", "huggingface_hub", "streamlit", "umap"]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, json, io, contextlib\n"
        "from alvin_core.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()): code = main(['run', '--help']) or main(['--help'])\n"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    code, modules = json.loads(done.stdout)
    assert code == 0
    assert "alvin_core.settings" in modules
    assert [name for name in HEAVY if name in modules] == []
    assert "rich.progress" not in modules


def test_every_command_is_there_and_no_other() -> None:
    assert sorted(COMMANDS) == sorted(ASKED_FOR)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_what_the_help_lists_without_importing_a_command_is_what_the_command_says(name: str) -> None:
    command, listed = COMMANDS[name], LISTED[name]
    assert command.callback is not None
    assert command.callback.__module__ == f"alvin_core.cli.{listed.module}"
    assert command.rich_help_panel == listed.panel
    assert command.help is not None
    assert " ".join(command.help.split("\n\n")[0].split()) == listed.summary


def test_calling_one_command_imports_no_other() -> None:
    program = (
        "import sys; from alvin_core.cli.app import build_command; tree = build_command('doctor');"
        "names = [f'alvin_core.cli.{name}' for name in ('doctor', 'compare')];"
        "print('compare' in tree.commands, *(name in sys.modules for name in names))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False"]


def test_the_help_lists_the_same_whichever_command_is_called() -> None:
    def listed(tree: Any) -> list[tuple[str, str, str]]:
        return [(name, one.get_short_help_str(), one.rich_help_panel) for name, one in tree.commands.items()]

    assert listed(build_command("doctor")) == listed(build_command())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_and_an_example_that_it_takes(name: str) -> None:
    command = COMMANDS[name]
    assert command.help is not None
    assert len(command.help.splitlines()[0]) <= 79
    assert command.epilog is not None
    assert command.epilog.startswith("Example: `alvin ")
    program, verb, *arguments = shlex.split(command.epilog.removeprefix("Example: ").strip("`"))
    assert (program, verb) == ("alvin", name)
    command.make_context(name, arguments)  # raises on an option or a value that it does not take


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_says_what_it_does(name: str) -> None:
    silent = [parameter.name for parameter in COMMANDS[name].params if not getattr(parameter, "help", "x")]
    assert silent == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_every_command_goes_to_standard_output(name: str, alvin: Any) -> None:
    answer = alvin(name, "--help")
    assert answer.code == 0
    assert f"alvin {name}" in answer.out
    assert answer.err == ""


def test_no_command_shows_the_help(alvin: Any) -> None:
    assert alvin() == alvin("--help")
    assert "make-data" in alvin().out


def test_version(alvin: Any) -> None:
    from importlib.metadata import version

    assert alvin("--version").out == f"alvin {version('alvin-studio')}\n"


def test_defaults_in_the_help_are_those_of_the_settings(alvin: Any) -> None:
    words = " ".join(alvin("run", "--help").out.replace("│", " ").split())
    defaults = RunSettings()
    for name in ("strategy", "budget", "initial", "seed", "annotator"):
        assert f"[default: {getattr(defaults, name)}]" in words
    assert f"[default: {defaults.encoder.name}]" in words
    assert f"[default: {defaults.training.trainable_layers}]" in words


def test_defaults_of_make_data_are_those_of_the_generator() -> None:
    from alvin_core.data.planted import PlantedSettings

    real = {item.name: item.default for item in fields(PlantedSettings) if item.name != "task"}
    assert real == PLANTED_DEFAULTS
