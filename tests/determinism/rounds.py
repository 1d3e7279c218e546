"""Rounds of real runs in a process of its own; prints what they selected and digests of all that is stored.

Arguments: a folder for the store, one with data and encoder, the number of threads, and any of ``reversed`` (folders
are listed the other way round), ``small`` (memory for few texts at once), ``loaded`` (other threads keep the processor
busy).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

RUNS: dict[str, dict[str, object]] = {
    "frozen": {"training.trainable_layers": 0},
    "in the encoder's space": {"training.trainable_layers": 0, "space": "encoder", "alvin.rank": "distance"},
    "one layer": {"training.trainable_layers": 1, "training.epochs": 2},
}


def main(store: Path, given: Path, threads: int, *, small: bool, busy: bool) -> dict[str, Any]:
    """Make the runs and return what they found."""
    from alvin_core import RunSettings, create_run, load_dataset

    if small:
        _leave_little_memory()
    stop = threading.Event()
    for _ in range(1 if busy else 0):
        threading.Thread(target=_burn, args=(stop,), daemon=True).start()
    dataset = load_dataset(given / "data.csv")
    base = {
        "budget": 5, "initial": 16, "seed": 3, "encoder.name": str(given / "encoder"), "runtime.device": "cpu",
        "runtime.threads": threads, "training.hidden": 8, "runtime.beside": "entropy",
    }  # fmt: skip
    found = {}
    for name, changes in RUNS.items():
        run = create_run(
            store, dataset, RunSettings().with_values({**base, **changes}), name=name.replace(" ", "-").replace("'", "")
        )
        list(run.run_rounds(1))
        found[name] = [_told(run, number) for number in range(2)]
    stop.set()
    return found


def _told(run: Any, number: int) -> dict[str, Any]:
    row, arrays = run._handle.round(number)
    _, vectors = run.vectors(number)
    digests = {name: _digest(array) for name, array in arrays.items()}
    return {
        "selected": run.selection(number)["id"].tolist(),
        "digests": {**digests, "vectors": _digest(vectors)},
        "metrics": row.metrics,
        "probs": np.asarray(arrays["probs"], dtype=np.float64)[:, 0].tolist(),
    }


def _digest(array: Any) -> str:
    return hashlib.sha256(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def _leave_little_memory() -> None:
    """Have every batch of more than seven texts fail once, as where memory is short."""
    from alvin_core import device

    def try_work(rows: Any, work: Any, _try: Any = device._try_work) -> Any:
        return (False, None) if len(rows) > 7 else _try(work, rows)

    device._try_work = lambda work, rows: try_work(rows, work)


def _burn(stop: threading.Event) -> None:
    while not stop.is_set():
        hashlib.sha256(b"x" * 10**6).digest()


def _list_the_other_way_round() -> None:
    listdir, scandir = os.listdir, os.scandir

    class Reversed:
        def __init__(self, path: Any = ".") -> None:
            with scandir(path) as entries:
                self._entries = iter(sorted(entries, key=lambda one: one.name, reverse=True))

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __iter__(self) -> Any:
            return self._entries

        def __next__(self) -> Any:
            return next(self._entries)

        def close(self) -> None:
            return None

    os.listdir = lambda path=".": sorted(listdir(path), reverse=True)  # type: ignore[assignment]
    os.scandir = Reversed  # type: ignore[assignment]


if __name__ == "__main__":
    if "reversed" in sys.argv[4:]:
        _list_the_other_way_round()
    print(  # noqa: T201 - what the test reads
        json.dumps(
            main(
                Path(sys.argv[1]),
                Path(sys.argv[2]),
                int(sys.argv[3]),
                small="small" in sys.argv[4:],
                busy="loaded" in sys.argv[4:],
            )
        )
    )
