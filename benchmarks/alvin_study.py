"""Why ALVIN does not beat entropy sampling over a frozen encoder: the study of docs/results.md, to be run again.

    python benchmarks/alvin_study.py check                                   # is a round here the engine's round?
    python benchmarks/alvin_study.py choose --file sst2-to-imdb.csv --out choose.jsonl
    python benchmarks/alvin_study.py confirm --file sst2-to-imdb.csv --out confirm.jsonl
    python benchmarks/alvin_study.py train --file sst2-to-imdb.csv --out train.jsonl
    python benchmarks/alvin_study.py phase --out phase.jsonl
    python benchmarks/alvin_study.py neighborhoods
    python benchmarks/alvin_study.py tables confirm.jsonl --reference random
    python benchmarks/alvin_study.py tables choose.jsonl train.jsonl --reference "default training"

Settings and variants are chosen on some data sets and seeds, and what looks best is confirmed on others. A cell is one
arm on one data set with one seed: 100 labels to begin with, 5 rounds of 50, the oracle's labels. Finished cells stand
in the JSONL file and are not run again. Every arm starts from the same labeled set in each seed, and with the same
training sees the same model in round 0. The file, whose halves are two of the data sets, is not part of the project.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from alvin_study_arms import ALVIN, ARMS, OURS, PLAIN, TRAINED, needs_attributes
from alvin_study_data import Loader
from alvin_study_figures import neighborhoods
from alvin_study_rounds import Protocol, Runner
from alvin_study_tables import Cells, all_tables

THREE = ("reviews", "occupations:0.9:0.15", "sst2-to-imdb:A")
SIX = (*THREE, "reviews:0.95:0", "reviews:0.9:0.3", "occupations:0.95:0")
CONFIRMING = ("occupations", "sst2-to-imdb:B", "nli", "paraphrase")
CANDIDATES = ("few l2", "disagreement anchors", "disagreement labeled", "disagreement")
GRID = tuple(f"{t}:{s}:{a}" for t in ("reviews", "occupations") for s in (0.8, 0.9, 0.95) for a in (0, 0.15, 0.3))
LOOKED_AT = ("reviews", "occupations:0.9:0.15", "occupations", "nli", "paraphrase")

# stage -> blocks of (data, arms), and the seeds; no seed of a data set is in two stages but with other training
STAGES: dict[str, tuple[tuple[tuple[Sequence[str], Sequence[str]], ...], str]] = {
    "choose": (((SIX, (*PLAIN, "alvin", *OURS)), (THREE, tuple(ALVIN))), "10-14"),
    "confirm": (((CONFIRMING, (*PLAIN, "alvin", *CANDIDATES)),), "0-9"),
    "phase": (((GRID, (*PLAIN, "alvin", "few l2", "disagreement")),), "20-24"),
    "train": (((THREE, tuple(TRAINED)),), "10-14"),
}


def main() -> None:
    options = _options()
    if options.what == "tables":
        cells = Cells.read(options.files, options.data, options.arms)
        print(all_tables(cells, options.reference, as_grid=options.grid))
        return
    loader = Loader(options.cache, options.file)
    if options.what == "check":
        check(loader, options)
    elif options.what == "neighborhoods":
        look(loader, options)
    else:
        run(loader, options)
        cells = Cells.read([options.out], options.data, options.arms)
        print(all_tables(cells, options.reference, as_grid=options.what == "phase"))


def run(loader: Loader, options: argparse.Namespace) -> None:
    """Run the cells that are not in the file yet, one after the other."""
    blocks, usual = STAGES[options.what]
    if options.arms:
        blocks = ((options.data or blocks[0][0], options.arms),)
    done = set(Cells.read([options.out]).found) if options.out.exists() else set()
    with options.out.open("a", encoding="utf-8") as out:
        for spec, arms in (pair for data, arms in blocks for pair in ((spec, arms) for spec in options.data or data)):
            for seed in _seeds(options.seeds or usual):
                missing = [arm for arm in arms if (arm, spec, seed) not in done]
                if not missing:
                    continue
                data = loader.load(spec, seed)
                runner = Runner(data, seed)
                for arm in missing:
                    if needs_attributes(ARMS[arm]) and data.corpus.attributes is None:
                        continue
                    start = time.perf_counter()
                    found = runner.run(ARMS[arm])
                    del found["labeled"]
                    out.write(json.dumps({"arm": arm, "data": spec, "seed": seed, **found}) + "\n")
                    out.flush()
                    done.add((arm, spec, seed))
                    print(f"  {spec} seed {seed} {arm}: {time.perf_counter() - start:.1f} s", file=sys.stderr)


def look(loader: Loader, options: argparse.Namespace) -> None:
    """Print who lives near minority examples, as means over seeds."""
    for spec in options.data or LOOKED_AT:
        looks = [neighborhoods(loader, spec, seed) for seed in _seeds(options.seeds or "0-4")]
        print(f"### {spec}\n\n| figure | mean |\n|---|--:|")
        for name in looks[0]:
            print(f"| {name} | {sum(one[name] for one in looks) / len(looks):.2f} |")
        print(flush=True)


def check(loader: Loader, options: argparse.Namespace) -> None:
    """Compare rounds here with the engine's own on samples: the same labels selected, the same accuracies."""
    import numpy as np

    import alvin_core as alvin
    from alvin_core.run.engine import Engine

    n_rounds, n_apart = 2, 0
    for spec in options.data or ("reviews", "paraphrase"):
        data = loader.load(spec, 0)
        engine = Engine(alvin.load_dataset(alvin.sample_path(spec)), options.cache)
        for arm in ("alvin", "entropy"):
            for seed in _seeds(options.seeds or "0-1"):
                ours = Runner(data, seed, Protocol(rounds=n_rounds)).run(ARMS[arm])
                values = {"strategy": arm, "seed": seed, "runtime.threads": 1, "runtime.device": "cpu"}
                settings = alvin.RunSettings().with_values({**values, "runtime.beside": "none"})
                labeled = np.array(ours["labeled"][: settings.initial])
                for round_no in range(n_rounds):
                    result, _ = engine.compute(labeled, data.corpus.labels[labeled], round_no, settings)
                    labeled = np.concatenate([labeled, result.pool_rows[result.selection.rows]])
                result, _ = engine.compute(labeled, data.corpus.labels[labeled], n_rounds, settings)
                accuracy = {split: metrics["accuracy"] for split, metrics in result.metrics.items()}
                same = labeled.tolist() == ours["labeled"] and all(ours["last"][s] == a for s, a in accuracy.items())
                n_apart += not same
                print(f"{spec} seed {seed} {arm}: {'the same' if same else 'NOT the same'} as the engine", flush=True)
    if n_apart:
        raise SystemExit(f"{n_apart} runs differ from the engine's")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*STAGES, "tables", "neighborhoods", "check"])
    parser.add_argument("files", nargs="*", type=Path, help="for tables: JSONL files of stages")
    parser.add_argument("--seeds", help="such as 10-14; the stage's own without it")
    parser.add_argument("--data", nargs="+", default=[], help="names of data sets; the stage's own without it")
    parser.add_argument("--arms", nargs="+", default=[], choices=list(ARMS), metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--out", type=Path, help="JSONL file of finished cells; STAGE.jsonl without it")
    parser.add_argument("--cache", type=Path, default=Path("alvin-store/cache"), help="folder of cached encodings")
    parser.add_argument("--file", type=Path, help="the file that is split in halves, sst2-to-imdb.csv")
    parser.add_argument("--reference", default="entropy", help="an arm, or 'default training'")
    parser.add_argument("--grid", action="store_true", help="for tables: strength by ambiguity")
    options = parser.parse_args()
    options.out = options.out or Path(f"{options.what}.jsonl")
    return options


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    main()
