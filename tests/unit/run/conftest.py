import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from alvin_core.run.engine import Engine


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    path = Path(__file__).parents[2] / "crash" / "fake_engine.py"
    spec = importlib.util.spec_from_file_location("fake_engine", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _cheap_rounds(request: pytest.FixtureRequest, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds without a model, in all tests but those that ask for the real engine."""
    if "real_engine" not in request.fixturenames:
        monkeypatch.setattr(Engine, "compute", fake.compute)


@pytest.fixture
def real_engine() -> None:
    """Ask for rounds with a model."""
