import pytest


@pytest.fixture(autouse=True)
def _cheap_rounds(cheap_rounds: None) -> None:
    """Rounds without a model, in all tests but those that ask for the real engine."""
