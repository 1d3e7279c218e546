"""A worker that the tests of one module share: whatever one does to it, it must go on for the next."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from processes import wait_for


@pytest.fixture(scope="session")
def harness() -> ModuleType:
    place = Path(__file__).with_name("harness.py")
    spec = importlib.util.spec_from_file_location("worker_harness", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def worker(harness: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with harness.FakeWorker(tmp_path_factory.mktemp("worker") / "store") as running:
        wait_for(running.alive)
        yield running
