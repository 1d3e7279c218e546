from types import ModuleType

import pytest

from alvin_core.run.engine import Engine


@pytest.fixture(autouse=True)
def _cheap_rounds(request: pytest.FixtureRequest, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds without a model, in all tests but those that ask for the real engine."""
    if "real_engine" not in request.fixturenames:
        monkeypatch.setattr(Engine, "compute", fake.compute)


@pytest.fixture
def real_engine() -> None:
    """Ask for rounds with a model."""
