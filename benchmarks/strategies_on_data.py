"""ALVIN beside other strategies on one or more data sets, over seeds, as Markdown.

Every strategy starts from the same labeled set in each seed, and sees the same model in round 0. Intervals are 95 %
t-intervals over seeds; differences are paired by seed. What is printed is what came out, won or lost.

    python benchmarks/strategies_on_data.py reviews occupations nli paraphrase
    python benchmarks/strategies_on_data.py FILE.csv --trainable-layers 2 --budget 100 --rounds 3 --seeds 3
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shlex
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

import alvin_core as alvin

Figures = dict[str, float]


def figures_of(run: alvin.Run, records: Sequence[alvin.RoundRecord]) -> Figures:
    """Accuracy after the last round, and means over all proposals that were annotated."""
    last, annotated = records[-1], records[:-1]
    found: Figures = {}
    for split, metrics in last.metrics.items():
        found[split] = metrics["accuracy"]
        if metrics["worst_group_accuracy"] is not None:
            found[f"{split}, worst group"] = metrics["worst_group_accuracy"]
    found["confidence of the selected"] = mean(record.selection["mean_confidence"] for record in annotated)
    found["candidates / pool"] = mean(record.selection["candidate_share"] for record in annotated)
    against = contradicting(run.dataset)
    if against is not None:
        labels = run.labels()
        chosen = labels[labels["round"] > 0]["id"]
        found["selected against the shortcut"] = mean(example in against for example in chosen)
    return found


def contradicting(dataset: alvin.Dataset) -> set[str] | None:
    """Ids of pool examples whose attribute is not the most frequent one of their class; None without attributes."""
    if dataset.attributes is None:
        return None
    rows = dataset.rows_of("pool")
    against: set[str] = set()
    for label in np.unique(dataset.labels[rows]):
        of_class = rows[dataset.labels[rows] == label]
        values, counts = np.unique(dataset.attributes[of_class], return_counts=True)
        against |= set(dataset.ids[of_class[dataset.attributes[of_class] != values[counts.argmax()]]].tolist())
    return against


def mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def run_all(store: Path, data: str, options: argparse.Namespace) -> dict[str, list[Figures]]:
    source = alvin.sample_path(data) if data in alvin.sample_names() else Path(data)
    dataset = alvin.load_dataset(source)
    results: dict[str, list[Figures]] = {}
    for seed in range(options.seeds):
        for strategy in options.strategies.split(","):
            settings = alvin.RunSettings().with_values(
                {
                    "strategy": strategy,
                    "seed": seed,
                    "budget": options.budget,
                    "initial": options.initial,
                    "training.trainable_layers": options.trainable_layers,
                    **{name: _value(text) for name, text in (item.split("=", 1) for item in options.set)},
                }
            )
            run = alvin.create_run(store, dataset, settings)
            records = list(run.run_rounds(options.rounds))
            results.setdefault(strategy, []).append(figures_of(run, records))
            final = results[strategy][-1]
            print(f"  {source.stem} seed {seed} {strategy}: test {final['test']:.3f}", file=sys.stderr, flush=True)
    return results


def _value(text: str) -> object:
    return tomllib.loads(f"value = {text}")["value"]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of its 95 % t-interval."""
    array = np.asarray(values, dtype=float)
    half = stats.t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)) if len(array) > 1 else np.nan
    return float(array.mean()), float(half)


def table(results: dict[str, list[Figures]]) -> str:
    names = list(next(iter(results.values()))[0])
    reference = next(iter(results))
    others = [strategy for strategy in results if strategy != reference]
    heads = ["", *results, *(f"{reference} − {other}" for other in others)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name in names:
        cells = [name]
        cells += [_shown(interval([one[name] for one in runs]), "") for runs in results.values()]
        for other in others:
            pairs = zip(results[reference], results[other], strict=True)
            cells.append(_shown(interval([first[name] - second[name] for first, second in pairs]), "+"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _shown(value: tuple[float, float], sign: str) -> str:
    centre, half = value
    clear = sign and abs(centre) > half > 0
    text = f"{centre:{sign}.3f} ± {half:.3f}"
    return f"**{text}**" if clear else text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="*", default=["reviews"], help="names of samples, or files")
    parser.add_argument("--strategies", default="alvin,entropy,random")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=50)
    parser.add_argument("--initial", type=int, default=100)
    parser.add_argument("--trainable-layers", type=_depth, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--store", type=Path, help="keep the runs, and use its cache")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        store = options.store or Path(temporary)
        print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, {_arguments()}\n")
        for data in options.data:
            print(f"### {Path(data).stem}\n\n{table(run_all(store, data, options))}\n", flush=True)


def _depth(text: str) -> int | str:
    return text if text == "all" else int(text)


def _arguments() -> str:
    """The command, without the folders of this machine."""
    words = [Path(word).name if "/" in word else word for word in sys.argv]
    return "`python benchmarks/" + " ".join(shlex.quote(word) for word in words) + "`"


if __name__ == "__main__":
    main()
