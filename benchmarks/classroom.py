"""The classroom: seconds and CPU seconds of one step, of a whole answer, and of a cell of the phase diagram.

A step is one round of one strategy, described for the screen. Imports and the first round, which loads compiled code,
are counted apart. Prints the size of an answer as well.

    python benchmarks/classroom.py
    python benchmarks/classroom.py --worlds 5 --rounds 8
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

STRATEGIES = ("alvin", "entropy")


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what a piece of work gives, and its wall-clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return made, time.perf_counter() - wall, time.process_time() - cpu


def told(name: str, walls: list[float], cpus: list[float]) -> str:
    return (
        f"| {name} | {np.median(walls):.3f} | {max(walls):.3f} | {np.median(cpus):.3f} |"
        if walls
        else f"| {name} | – | – | – |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--worlds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()

    from alvin_core.classroom import answering
    from alvin_core.classroom.phase import sweep_world
    from alvin_core.classroom.phase_plan import WorldPhasePlan

    shelf = answering.Shelf()
    _, wall, cpu = timed(lambda: shelf.answer({"seed": 10_000}))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"first answer, with imports: {wall:.1f} s ({cpu:.1f} s of CPU)\n")
    print("| what | median s | most s | median CPU s |\n|---|--:|--:|--:|")
    steps: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in (*STRATEGIES, "asked again")}
    size = 0
    for seed in range(options.worlds):
        for strategy in STRATEGIES:
            for number in range(options.rounds + 1):
                params = {"seed": seed, "strategies": [strategy], "rounds": number}
                _, wall, cpu = timed(lambda params=params: shelf.answer(params))
                steps[strategy][0].append(wall)
                steps[strategy][1].append(cpu)
        whole, wall, cpu = timed(lambda seed=seed: shelf.answer({"seed": seed, "rounds": options.rounds}))
        steps["asked again"][0].append(wall)
        steps["asked again"][1].append(cpu)
        size = max(size, len(json.dumps(whole, separators=(",", ":"))))
    for name in STRATEGIES:
        print(told(f"one step, {name}", *steps[name]))
    print(told("both, asked again", *steps["asked again"]))
    plan = WorldPhasePlan(strengths=(0.9,), ambiguities=(0.1,), seeds=(0, 1), rounds=options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        _, wall, cpu = timed(lambda: sweep_world(Path(folder), plan))
    print(told("a cell of the diagram", [wall / 4], [cpu / 4]))
    n_cells = 2 * len(WorldPhasePlan().points) * len(WorldPhasePlan().seeds)
    print(f"\nAn answer of {options.rounds} rounds of both is {size / 1000:.0f} kB.")
    print(f"The default diagram has {n_cells} cells: about {n_cells * cpu / 4 / 60:.1f} min of CPU.")


if __name__ == "__main__":
    main()
