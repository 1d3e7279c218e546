"""What all tests share: no network, no clock in property-based tests, and a tiny encoder."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

# Before any test imports a library that reads it.
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
from both_databases import database_kind, postgres_address, postgres_server, pytest_generate_tests

__all__ = ["database_kind", "postgres_address", "postgres_server", "pytest_generate_tests"]

# A shared machine may stop for a second at any moment; a slow example is no wrong example.
settings.register_profile("alvin", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("alvin")


@pytest.fixture(autouse=True)
def threads_as_given() -> Iterator[None]:
    """Puts torch's thread count back: it is the process's, and sums in another order have other last digits."""
    yield
    torch, given = sys.modules.get("torch"), os.environ.get("OMP_NUM_THREADS", "")
    if torch is not None and given.isdecimal() and torch.get_num_threads() != int(given):
        torch.set_num_threads(int(given))


@pytest.fixture(scope="session")
def make_tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[str]], Path]:
    """Writes folders of a BERT of two thin layers that nobody trained and that knows the given words."""

    def make(words: Sequence[str]) -> Path:
        import torch
        from transformers import BertConfig, BertModel, BertTokenizerFast

        folder = tmp_path_factory.mktemp("encoder") / "tiny-bert"
        vocabulary = {word: row for row, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
        BertTokenizerFast(vocab=vocabulary, do_lower_case=True).save_pretrained(folder)
        config = BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=128,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            BertModel(config).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_encoder(make_tiny_bert: Callable[[Sequence[str]], Path]) -> Path:
    """A tiny BERT that knows the words and numbers of the tests' made-up texts."""
    return make_tiny_bert([",", "text", "second", "with", "a", "comma", *map(str, range(80))])


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The module of made-up data sets and rounds that cost nothing."""
    return load_module(Path(__file__).parent / "crash" / "fake_engine.py")


@pytest.fixture
def real_engine() -> None:
    """Ask for rounds with a model, where a folder's other tests have `cheap_rounds`."""


@pytest.fixture
def cheap_rounds(request: pytest.FixtureRequest, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds without a model, but in a test that asks for the real engine."""
    if "real_engine" not in request.fixturenames:
        monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)


@pytest.fixture(scope="session")
def drawn() -> ModuleType:
    """The module of rounds with chance vectors and the real selection: its geometry is true."""
    return load_module(Path(__file__).parent / "unit" / "run" / "drawn_engine.py")


def load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
