"""Run every benchmark that docs/results.md rests on, one after another, and end with the lines that count.

    python benchmarks/bench.py                     # what `make bench` runs: under 15 minutes on 2 cores
    python benchmarks/bench.py --quick             # their small forms: do they still run, and agree with their peers?
    python benchmarks/bench.py projection start_up
    python benchmarks/bench.py --list

Each is a process of its own and prints as it goes. It ends non-zero where its results and its peer's disagree; so does
this program then, or where one fails or does not end in its time. The others are run all the same.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

HERE = Path(__file__).parent
COUNTS = re.compile(
    r"\bratios?\b|\btimes (as|the)\b|\bgoal\b|largest displacement|\bshare of (its|the) floor\b", re.IGNORECASE
)
LONGEST = 900.0  # seconds that all are to take on a machine that does little else
MOST_LINES = 12  # of each, in the summary
GRACE = 10.0  # seconds that a benchmark has to end its own servers


@dataclass(frozen=True)
class Benchmark:
    """A program of this folder.

    Attributes
    ----------
    arguments : tuple of str
        Of the form that `make bench` runs.
    most : float
        Seconds after which it is ended, and counts as failed. It is far more than it takes, for busy machines.
    quick : tuple of str, optional
        Of the small form; None where there is none.
    """

    arguments: tuple[str, ...]
    most: float
    quick: tuple[str, ...] | None = ("--quick",)


BENCHMARKS = {
    "ceilings": Benchmark((), 60),
    "anchor_retrieval": Benchmark((), 240),
    "encoding": Benchmark((), 240),
    "training": Benchmark((), 240),
    "round": Benchmark((), 240),
    "strategies": Benchmark((), 240),
    "shortcuts": Benchmark((), 120, ("--texts", "10000", "--repeats", "1")),
    "projection": Benchmark(("reviews", "--rounds", "3"), 300),
    "start_up": Benchmark(("--repeats", "3"), 180),
    "classroom": Benchmark(("--worlds", "2", "--rounds", "2"), 120, ("--worlds", "1", "--rounds", "1")),
    "dashboard": Benchmark(
        ("--sizes", "100000", "--repeats", "1", "--skip-work"),
        300,
        ("--sizes", "3000", "--repeats", "1", "--skip-work"),
    ),
}


@dataclass
class Outcome:
    """How a benchmark ended: in words, empty when well; in how many seconds; and what it said."""

    problem: str
    seconds: float
    lines: list[str]


def run(name: str, *, quick: bool) -> Outcome:
    """Run one benchmark, passing on what it prints."""
    benchmark = BENCHMARKS[name]
    arguments = benchmark.quick if quick else benchmark.arguments
    command = [sys.executable, str(HERE / f"{name}.py"), *(arguments or ())]
    print(f"\n== {name}: python benchmarks/{name}.py {' '.join(arguments or ())}", flush=True)
    start = time.monotonic()
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", env=environment,
        cwd=HERE.parent, start_new_session=os.name != "nt",
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        process.wait(benchmark.most)
        problem = "" if process.returncode == 0 else f"ended with code {process.returncode}"
    except subprocess.TimeoutExpired:
        problem = f"did not end in {benchmark.most:.0f} s"
    finally:
        _end(process)
    reader.join(GRACE)
    return Outcome(problem, time.monotonic() - start, lines)


def _pass_on(stream: TextIO, lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.rstrip())
            print(line, end="", flush=True)


def _end(process: subprocess.Popen[str]) -> None:
    """End a benchmark that is still there with all that it started; gently first."""
    if process.poll() is not None:
        return
    for gently in (True, False):
        if os.name == "nt":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGTERM if gently else signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            break


def summarize(outcomes: dict[str, Outcome]) -> str:
    """Return the table of what ended how, and the lines of each that tell a ratio or a goal."""
    rows = ["", "== summary", "", "| benchmark | seconds | ended |", "|---|--:|---|"]
    for name, outcome in outcomes.items():
        rows.append(f"| {name} | {outcome.seconds:.0f} | {outcome.problem or 'well'} |")
    total = sum(outcome.seconds for outcome in outcomes.values())
    rows.append(f"| all | {total:.0f} | {'' if total < LONGEST else f'longer than {LONGEST:.0f} s'} |")
    for name, outcome in outcomes.items():
        telling = [line.strip() for line in outcome.lines if COUNTS.search(line) and line.strip()]
        rows += [f"{name}: {line}" for line in telling[:MOST_LINES]]
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; by default all")
    parser.add_argument("--quick", action="store_true", help="the small form of each")
    parser.add_argument("--list", action="store_true", help="say what would run, and end")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    names = options.names or list(BENCHMARKS)
    if options.list:
        for name in names:
            form = BENCHMARKS[name].quick if options.quick else BENCHMARKS[name].arguments
            print(
                f"python benchmarks/{name}.py {' '.join(form or ())}".rstrip(),
                f"# at most {BENCHMARKS[name].most:.0f} s",
            )
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    outcomes: dict[str, Outcome] = {}
    for number, name in enumerate(names, start=1):
        print(f"\n[{number} of {len(names)}]", end="", flush=True)
        outcomes[name] = run(name, quick=options.quick)
    print(summarize(outcomes), flush=True)
    return 1 if any(outcome.problem for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
