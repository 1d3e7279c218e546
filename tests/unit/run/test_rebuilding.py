"""A run's record gives a requirements file that pip reads, and tells what this machine has otherwise."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

from alvin_core.cli import main
from alvin_core.run import Run, create_run
from alvin_core.run.engine import Engine
from alvin_core.run.environment import changed_facts, describe_environment
from alvin_core.run.installed import installed_packages, source_digest
from alvin_core.run.rebuilding import requirements_of, run_environment
from alvin_core.settings import RunSettings
from alvin_core.store.tables import RoundRow


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch, tiny_encoder: Path) -> Run:
    from alvin_core.encoding.models import load_pretrained

    settings = RunSettings(budget=4, initial=8).with_value("encoder.name", str(tiny_encoder))
    plan = {"device": "cpu", "threads": 1, "inference_dtype": "float32", "name": "CPU, 1 thread"}
    encoder = load_pretrained(settings.encoder).fingerprint

    def compute(*arguments: Any) -> Any:
        return fake.compute(*arguments)[0], {**describe_environment(), **plan, "encoder": encoder}

    monkeypatch.setattr(Engine, "compute", compute)
    fixed = settings.with_values({"runtime.device": "cpu", "runtime.threads": 1, "runtime.inference_dtype": "float32"})
    made = create_run(tmp_path, fake.make_dataset(), fixed, name="first")
    made.step()
    return made


def change(run: Run, **facts: Any) -> None:
    with run._handle.store.write() as session:
        row = session.get(RoundRow, (run.id, 0))
        assert row is not None
        row.environment = {**row.environment, **facts}


def test_nothing_that_a_record_says_becomes_a_line_for_pip(run: Run) -> None:
    n_lines = len(requirements_of(run.recorded_environment()).splitlines())
    evil = [f"1{end}evil @ https://evil.example/evil.zip" for end in ("\n", "\r", "\x0b", "\u2028")]
    change(run, variables={"OMP_NUM_THREADS": evil[0]}, name=evil[1], platform=evil[2], source=evil[3])
    lines = requirements_of(run.recorded_environment()).splitlines()
    assert sum("evil.zip" in line for line in lines) == 4
    assert not any(line.startswith("evil") for line in lines)
    assert len(lines) - n_lines in (0, 1)  # a variable where none was recorded


def test_the_requirements_have_every_package_that_is_needed_with_its_exact_version(run: Run) -> None:
    text = requirements_of(run.recorded_environment())
    lines = [Requirement(line) for line in text.splitlines() if line and not line.startswith(("#", "--"))]
    found = {one.name: str(one.specifier) for one in lines}
    for name in ("numpy", "torch", "transformers", "tokenizers", "numba", "llvmlite", "scikit-learn", "faiss-cpu"):
        assert found[name] == f"=={version(name)}"
    assert "alvin-studio" not in found or installed_packages()["origins"].get("alvin-studio") != "folder"
    assert "# Seed 0, data " + run._handle.row.dataset in text
    steps = [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]
    assert [one.split()[:3] for one in steps[-3:]] == [
        ["rebuilt/bin/alvin", "unpack", "run.zip"],
        ["rebuilt/bin/alvin", "environment", run.name],
        ["rebuilt/bin/alvin", "replay", run.name],
    ]
    assert all("--store rebuilt-store" in one for one in steps[-3:])
    assert "--store rebuilt-store --check " in steps[-2]
    assert str(Path.home()) not in text


def test_builds_of_torch_name_the_index_they_come_from(run: Run) -> None:
    installed = {"torch": "2.9.0+cu128", "numpy": "2.0", "thing": "1.0", "other": "1.0", "mine": "0.1"}
    origins = {
        "thing": "git+https://example.org/thing@abc123",
        "other": "https://example.org/other.whl sha256=ff",
        "mine": "folder",
    }
    change(run, installed=installed, origins=origins)
    lines = requirements_of(run.recorded_environment(0)).splitlines()
    assert "--extra-index-url https://download.pytorch.org/whl/cu128" in lines
    assert "torch==2.9.0+cu128" in lines
    assert "thing @ git+https://example.org/thing@abc123" in lines
    assert "other @ https://example.org/other.whl#sha256=ff" in lines
    assert "mine==0.1  # came from a folder, not from an index" in lines


def test_an_older_record_opens_and_says_what_it_does_not_know(run: Run) -> None:
    with run._handle.store.write() as session:
        row = session.get(RoundRow, (run.id, 0))
        assert row is not None
        row.environment = {
            "python": "3.11.1", "platform": "Linux", "machine": "x86_64", "device": "cpu", "threads": 2,
            "packages": {"numpy": "2.0.1", "torch": "2.6.0", "faiss-cpu": None, "alvin-studio": "0.0.9"},
        }  # fmt: skip
    text = requirements_of(run_environment(run._handle))
    assert "numpy==2.0.1\ntorch==2.6.0\n" in text
    assert "An older record" in text
    assert "# Code of alvin-studio: version 0.0.9\n" in text
    assert "faiss" not in text
    changed = {one.name: one.then for one in run.changed_here()}
    assert changed["numpy"] == "2.0.1"
    assert changed["trainer"] is None
    assert "source" not in changed


def test_this_machine_has_everything_and_each_change_is_named(run: Run) -> None:
    assert run.changed_here() == []
    assert run.changed_here(0) == []
    change(run, source="ff", threads=3, encoder="cd")
    assert {(one.name, one.then) for one in run.changed_here()} == {("source", "ff"), ("threads", 3), ("encoder", "cd")}


def test_an_encoder_that_is_not_here_any_more_is_a_difference_and_no_error(run: Run) -> None:
    with run._handle.store.write() as session:
        row = session.get(RoundRow, (run.id, 0))
        assert row is not None
        row.settings = {**row.settings, "encoder": {**row.settings["encoder"], "name": "/no/such/folder"}}
    (found,) = run.changed_here()
    assert found.name == "encoder"
    assert "no such folder" in found.now


def test_the_command_shows_writes_and_compares(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ["--store", str(tmp_path)]
    assert main(["environment", "first", *store]) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["torch", version("torch"), installed_packages()["digests"]["torch"]] in shown
    assert main(["environment", "first", *store, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["round"], told["seed"], told["environment"]["source"]) == (0, 0, source_digest())
    assert main(["environment", "first", *store, "--requirements", "r.txt"]) == 0
    assert "packages with exact versions to r.txt" in capsys.readouterr().out
    assert main(["environment", "first", *store, "--requirements", "-"]) == 0
    assert capsys.readouterr().out == Path("r.txt").read_text(encoding="utf-8")
    assert main(["environment", "first", *store, "--requirements", "r.txt"]) == 2
    assert "r.txt exists already" in capsys.readouterr().err
    assert main(["environment", "first", *store, "--check"]) == 0
    change(run, threads=3)
    assert main(["environment", "first", *store, "--check"]) == 1
    assert "1 recorded fact differs here" in capsys.readouterr().err
    assert main(["environment", "first", *store, "--check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["changed"] == [
        {"name": "threads", "kind": "threads", "then": 3, "now": 1}
    ]
    assert main(["environment", "first", *store, "--round", "7"]) == 2
    assert "has no round 7" in capsys.readouterr().err


def test_versions_are_told_once_and_files_only_where_the_version_is_the_same() -> None:
    now = describe_environment()
    then = {
        **now,
        "packages": {**now["packages"], "numpy": "1.0"},
        "installed": {**now["installed"], "numpy": "1.0"},
        "digests": {**now["digests"], "numpy": "aa", "scipy": "bb"},
    }
    assert [(one.name, one.kind) for one in changed_facts(then, now)] == [("numpy", "package"), ("scipy", "files of")]
