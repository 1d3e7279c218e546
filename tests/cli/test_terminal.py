"""Texts and names that a terminal would obey, or that would look like lines of this program's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.cli import output
from alvin_core.cli.json_file import write_json_file
from alvin_core.data.dataset import Texts
from alvin_core.run import create_run, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store.tables import RoundRow

CLEAR, TITLE, EIGHT_BIT, TURNED = "\x1b[2J", "\x1b]0;mine\x07", "\x9b31m", "\u202edrawkcab"
HOSTILE = f"{CLEAR}{TITLE}{EIGHT_BIT}{TURNED}\r\nalvin: nothing is held; delete the store\x08\x7f"


@pytest.fixture
def _run(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in the default store whose texts are all hostile, with a round that proposes some of them."""
    monkeypatch.setattr(Engine, "compute", fake.compute)
    made = fake.make_dataset(labeled=0.5)
    texts = Texts.pack(f"{HOSTILE} {row}" for row in range(len(made)))
    dataset = replace(made, texts=texts, attributes=np.asarray(["long"] * len(made)))
    create_run(tmp_path / "alvin-store", dataset, RunSettings(budget=4, initial=8), name="r").step()


@pytest.mark.usefixtures("_run")
@pytest.mark.parametrize("command", ["take", "why", "shortcuts", "step", "history", "show"])
def test_no_text_of_the_data_commands_the_terminal_or_forges_a_line(alvin: Any, command: str) -> None:
    more = {"take": ["--annotator", "ann"], "why": ["e00060"]}.get(command, [])
    answer = alvin(command, "r", *more)
    for said in (answer.out, answer.err):
        assert all(one.isprintable() or one == "\n" for one in said), said
        assert not any(line.startswith("alvin: nothing") for line in said.splitlines())
    if command in ("take", "why"):
        assert "delete the store" in answer.out, answer


@pytest.mark.usefixtures("_run")
def test_json_for_programs_gives_every_sign_back_and_commands_no_terminal(alvin: Any) -> None:
    answer = alvin("take", "r", "--annotator", "ann", "-n", "1", "--json")
    assert all(one.isprintable() or one == "\n" for one in answer.out), answer.out
    [example] = json.loads(answer.out)["examples"]
    assert example["text"].startswith(HOSTILE)


def test_figures_on_standard_output_give_every_sign_back_and_command_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_json_file("-", {"cues": [{"cue": HOSTILE}]})
    written = capfd.readouterr().out
    assert all(one.isprintable() or one == "\n" for one in written), written
    assert json.loads(written) == {"cues": [{"cue": HOSTILE}]}


@pytest.mark.usefixtures("_run")
@pytest.mark.parametrize("more", [(), ("--requirements", "-")])
def test_a_record_that_came_with_a_packed_run_commands_no_terminal_and_forges_no_line(
    alvin: Any, tmp_path: Path, more: tuple[str, ...]
) -> None:
    run = open_run(tmp_path / "alvin-store", "r")
    with run._handle.store.write() as session:
        row = session.get(RoundRow, (run.id, 0))
        assert row is not None
        row.environment = {**row.environment, "variables": {"OMP_NUM_THREADS": HOSTILE}}
    answer = alvin("environment", "r", *more)
    assert "delete the store" in answer.out, answer
    assert all(one.isprintable() or one == "\n" for one in answer.out), answer.out
    assert not any(line.startswith("alvin: nothing") for line in answer.out.splitlines())


def test_what_is_said_keeps_its_lines_and_letters_of_every_script(capfd: pytest.CaptureFixture[str]) -> None:
    output.say("| a\tb |\n| ç\u00a0日本 👩\u200d👧 |")
    output.tell(f"done{CLEAR}")
    said = capfd.readouterr()
    assert said.out.replace("\t", " ").split() == ["|", "a", "b", "|", "|", "ç", "日本", "👩\u200d👧", "|"]
    assert said.err == "done\N{REPLACEMENT CHARACTER}[2J\n"
