"""Stores whose arrays are kept elsewhere: several machines' folders on one database."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from alvin_core.run import create_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store import remote
from alvin_core.store.database import open_store


@pytest.fixture
def mirrored(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Path, Path, Path]]:
    """Makes a store with a run of two rounds, as two machines see it, and the folder that its arrays are kept in."""
    monkeypatch.setattr(Engine, "compute", fake.compute)
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))

    def make(protocol: str = "file", n_rounds: int = 2) -> tuple[Path, Path, Path]:
        place, ada, bob = tmp_path / "place", tmp_path / "ada", tmp_path / "bob"
        for folder in (ada, bob):
            folder.mkdir()
            sign = {"database": None, "arrays": f"{protocol}://{place}"}
            (folder / "store.json").write_text(json.dumps(sign))
        open_store(ada, create=True)
        for name in ("alvin.db", "locks"):
            (bob / name).symlink_to(ada / name)
        run = create_run(ada, fake.make_dataset(), RunSettings(budget=4, initial=8), name="first")
        list(run.run_rounds(n_rounds - 1))
        return ada, bob, place

    return make


@pytest.fixture(scope="session")
def faulty() -> ModuleType:
    """The module of a place that fails when it is told to."""
    spec = importlib.util.spec_from_file_location("faulty_place", Path(__file__).parent / "faulty_place.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["faulty_place"] = module
    spec.loader.exec_module(module)
    return module
