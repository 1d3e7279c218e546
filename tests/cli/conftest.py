"""A small data set, a tiny encoder, and the command line called within the test's own process."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from alvin_core.cli import main

N_POOL, N_OTHER = 60, 20


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Call = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _plain_screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No terminal, no colours, a known width, and an empty folder to work in."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CLICOLOR_FORCE", "ALVIN_STORE", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def alvin(capfd: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: str | Path) -> Answer:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 60 pool rows, with attributes and three evaluation splits."""
    from alvin_core.data.planted import PlantedSettings, write_planted

    path = tmp_path_factory.mktemp("data") / "tiny.csv"
    settings = PlantedSettings("reviews", strength=0.8, n_pool=N_POOL, n_test=N_OTHER, n_ood=N_OTHER, seed=1)
    write_planted(path, settings)
    return path


@pytest.fixture(scope="session")
def unlabeled(tmp_path_factory: pytest.TempPathFactory, reviews: Path) -> Path:
    """The same rows, without the labels of the pool."""
    path = tmp_path_factory.mktemp("data") / "unlabeled.csv"
    rows = [row | ({"label": ""} if row["split"] == "pool" else {}) for row in read_rows(reviews)]
    write_rows(path, rows)
    return path


@pytest.fixture(scope="session")
def encoder(make_tiny_bert: Callable[[Sequence[str]], Path], reviews: Path) -> Path:
    """The folder of a random BERT of two thin layers that knows the words of the data."""
    texts = " ".join(row["text"].lower() for row in read_rows(reviews))
    return make_tiny_bert(sorted(set(re.findall(r"\w+|[^\w\s]", texts))))


@pytest.fixture(scope="session")
def small(reviews: Path, encoder: Path) -> tuple[str, ...]:
    """The arguments of a run that takes a second."""
    return ("--data", str(reviews), "--encoder", str(encoder), "--initial", "20", "--budget", "5", "--threads", "1")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, small: tuple[str, ...]) -> Path:
    """A store with the run ``first``, of three rounds. Tests must only look at it."""
    store = tmp_path_factory.mktemp("finished") / "store"
    arguments = ("run", *small, "--rounds", "2", "--name", "first", "--store", str(store), "--quiet")
    assert main(arguments) == 0
    return store


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="session")
def gold(reviews: Path) -> dict[str, str]:
    """The class of every example."""
    return {row["id"]: row["label"] for row in read_rows(reviews)}


@pytest.fixture
def fill_in(gold: dict[str, str]) -> Callable[[Path], None]:
    """What a person does with an exported file: fill in its label column."""

    def fill(path: Path) -> None:
        write_rows(path, [row | {"label": gold[row["id"]]} for row in read_rows(path)])

    return fill
