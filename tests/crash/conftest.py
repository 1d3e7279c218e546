"""A process that carries out commands in forks of itself, so that they can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
KILLED = -9


class Workers:
    """A process that carries out commands in forks of itself; see `worker.py`."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.log = folder / "log.jsonl"
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def carry_out(self, store: Path, *actions: dict[str, Any]) -> list[int]:
        """Carry out actions at the same time; return their exit codes, -9 where one was killed."""
        commands = [{"store": str(store), "log": str(self.log), "arguments": {}, **action} for action in actions]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(commands), file=self.process.stdin, flush=True)
        codes: list[int] = json.loads(self.process.stdout.readline())
        return codes

    def facts(self, name: str) -> list[Any]:
        """What actions have said, since the log was emptied, that has happened."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [fact[name] for fact in map(json.loads, lines) if name in fact]

    def forget(self) -> None:
        self.log.unlink(missing_ok=True)

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Workers whose rounds cost nothing."""
    started = Workers("fake", tmp_path_factory.mktemp("log"))
    yield started
    started.close()
