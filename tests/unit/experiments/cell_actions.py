"""Computing and receiving a cell in processes that are killed at any point; see ``tests/crash/worker.py``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "crash"))

import worker

from alvin_core.experiments.cells import CellTask, do_cell, receive_cell
from alvin_core.experiments.comparison import list_comparisons, open_comparison


def cell(store: str, log: worker.Log, *, key: str) -> None:
    comparison = open_comparison(store, list_comparisons(store)[0].id)
    state = next(one for one in comparison.states() if one.cell.key == key)
    task = CellTask(key, state.cell.settings, comparison.plan.rounds, state.run)
    log.write(run=do_cell(store, comparison.id, task))


def receive(store: str, log: worker.Log, *, key: str, bundle: str) -> None:
    log.write(run=receive_cell(store, list_comparisons(store)[0].id, key, Path(bundle)))


worker.ACTIONS |= {"cell": cell, "receive": receive}

if __name__ == "__main__":
    worker.main()
