"""One run gives one result: in other processes, surroundings, thread counts, and where memory or time is short.

``docs/reproducibility.md`` says what is promised; this holds it. ALVIN_DETERMINISM=long takes every change by itself.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alvin_core.data.planted import PlantedSettings, write_planted

LONG = os.environ.get("ALVIN_DETERMINISM") == "long"
PROGRAM = Path(__file__).with_name("rounds.py")
ROUNDING = 1e-5  # what sums in another order may change of a probability


@dataclass(frozen=True)
class Way:
    """How a process differs from the plain one."""

    threads: int = 1
    words: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "."


ELSEWHERE = {
    "PYTHONHASHSEED": "4711",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "tr_TR.UTF-8",
    "TZ": "Asia/Kathmandu",
    "HOME": "/nonexistent",
    "PYTHONOPTIMIZE": "1",
}
SAME = {"elsewhere": Way(words=("reversed", "loaded"), environment=ELSEWHERE, folder="/")}
ROUNDED = {"two threads and little memory": Way(threads=2, words=("small",))}
if LONG:
    SAME |= {f"{name} {value}": Way(environment={name: value}) for name, value in ELSEWHERE.items()}
    SAME |= {
        "again": Way(),
        "C locale": Way(environment={"LC_ALL": "C", "PYTHONUTF8": "0"}),
        "random hashes": Way(environment={"PYTHONHASHSEED": "random"}),
        "another folder": Way(folder="/"),
        "reversed": Way(words=("reversed",)),
        "loaded": Way(words=("loaded",)),
    }
    ROUNDED |= {"two threads": Way(threads=2), "four threads": Way(threads=4), "little memory": Way(words=("small",))}
    ROUNDED |= {"two threads, loaded": Way(threads=2, words=("loaded",))}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, make_tiny_bert: Callable[[Sequence[str]], Path]) -> Path:
    folder = tmp_path_factory.mktemp("given")
    write_planted(folder / "data.csv", PlantedSettings("reviews", strength=0.8, n_pool=80, n_test=20, n_ood=20, seed=1))
    words = set(re.findall(r"\w+|[^\w\s]", (folder / "data.csv").read_text(encoding="utf-8").lower()))
    make_tiny_bert(sorted(words)).rename(folder / "encoder")
    return folder


@pytest.fixture(scope="module")
def play(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Way], dict[str, Any]]:
    def run(way: Way) -> dict[str, Any]:
        store = tmp_path_factory.mktemp("store")
        command = [sys.executable, str(PROGRAM), str(store), str(given), str(way.threads), *way.words]
        known = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        root = str(Path(__file__).parents[2])
        environment = {**known, "PYTHONPATH": root, "PYTHONHASHSEED": "0", "HF_HUB_OFFLINE": "1", **way.environment}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=way.folder)
        assert done.returncode == 0, done.stderr[-2000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run


@pytest.fixture(scope="module")
def plain(play: Callable[[Way], dict[str, Any]]) -> dict[str, Any]:
    return play(Way())


def selections(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: [one["selected"] for one in rounds] for name, rounds in found.items()}


@pytest.mark.parametrize("name", SAME)
def test_another_process_in_other_surroundings_finds_the_same_to_the_bit(
    play: Callable[[Way], dict[str, Any]], plain: dict[str, Any], name: str
) -> None:
    found = play(SAME[name])
    assert selections(found) == selections(plain)
    for run, rounds in plain.items():
        for then, now in zip(rounds, found[run], strict=True):
            assert [one for one, digest in then["digests"].items() if now["digests"][one] != digest] == []
            assert now["metrics"] == then["metrics"]


@pytest.mark.parametrize("name", ROUNDED)
def test_threads_and_memory_select_the_same_and_change_the_last_digits_at_most(
    play: Callable[[Way], dict[str, Any]], plain: dict[str, Any], name: str
) -> None:
    found = play(ROUNDED[name])
    assert selections(found) == selections(plain)
    for run, rounds in plain.items():
        for then, now in zip(rounds, found[run], strict=True):
            np.testing.assert_allclose(now["probs"], then["probs"], rtol=0, atol=ROUNDING)
