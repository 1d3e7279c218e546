"""How many labels a second a store takes from many people at once, each a process, and how long one waits.

    python benchmarks/annotators.py                      # 20 people, 400 examples, one and two people an example
    python benchmarks/annotators.py --quick
    python benchmarks/annotators.py --store postgresql+psycopg://…   # a team's store, an empty one

People take some examples and submit one label after another: first without a pause, which shows where the store ends,
then with 1 to 3 seconds for each text, which is fast for a person. Every label is on disk when its call returns. The
people are forks, so that none of their imports is timed. The queue must be answered whole, and no example by more
people than were asked, or the program ends non-zero.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

import alvin_core as alvin
from alvin_core.data.dataset import Dataset, Texts

N_TAKEN = 5
THOUGHT = (1.0, 3.0)  # seconds, from and to, that a person looks at a text
PAUSE = 0.1  # seconds, of who finds that others hold the rest


def make_run(store: str, n_examples: int, overlap: int) -> alvin.Run:
    """Return a run that asks people for its initial set."""
    n = n_examples + 100
    dataset = Dataset(
        ids=np.asarray([f"e{row:06d}" for row in range(n)]),
        texts=Texts.pack(f"a text of some ten words that somebody has to read, number {row}" for row in range(n)),
        second_texts=None,
        labels=np.asarray([-1] * (n - 20) + [0, 1] * 10),
        classes=("negative", "positive"),
        splits=np.asarray(["pool"] * (n - 20) + ["test"] * 20),
        attributes=None,
    )
    settings = replace(alvin.RunSettings(initial=n_examples), annotation=alvin.AnnotationSettings(overlap=overlap))
    return alvin.create_run(store, dataset, settings)


def annotate(run: alvin.Run, name: str, times: Path, *, thinks: bool) -> None:
    """Take and submit until nothing is left; write down what each call took."""
    rng = np.random.default_rng(crc32(name.encode()))
    taken, submitted = [], []
    while True:
        began = time.perf_counter()
        ids = run.take(name, N_TAKEN)
        taken.append(time.perf_counter() - began)
        for one in ids:
            if thinks:
                time.sleep(rng.uniform(*THOUGHT))
            began = time.perf_counter()
            run.submit({one: "positive" if int(one[1:]) % 2 else "negative"}, annotator=name)
            submitted.append(time.perf_counter() - began)
        if not ids:
            if not run.queue_state().n_open:
                break
            time.sleep(PAUSE)
    np.savez(times, taken=np.asarray(taken), submitted=np.asarray(submitted))


def all_at_once(run: alvin.Run, n_people: int, folder: Path, *, thinks: bool) -> float:
    """Let everybody annotate; return the seconds that it took."""
    run.queue_state()
    run.give_back("nobody")  # what is read and compiled once is before the forks
    began = time.perf_counter()
    children = []
    for number in range(n_people):
        child = os.fork()
        if not child:
            code = 1
            try:
                annotate(run, f"person-{number}", folder / f"{number}.npz", thinks=thinks)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if any(codes):
        sys.exit(f"{sum(map(bool, codes))} of {n_people} people failed")
    return time.perf_counter() - began


def check(run: alvin.Run, n_examples: int, overlap: int) -> int:
    """Return how many labels people gave; end the program where one was lost or is too many."""
    labels = run.labels()
    if labels["id"].nunique() != n_examples or len(labels) != n_examples:
        sys.exit(f"{len(labels)} labels of {labels['id'].nunique()} examples, not {n_examples}")
    if overlap == 1:
        return n_examples
    given = Counter(run.opinions()["id"])
    if set(given.values()) != {overlap}:
        sys.exit(f"examples have {sorted(set(given.values()))} opinions, not {overlap}")
    return given.total()


def measure(store: str, n_people: int, n_examples: int, overlap: int, *, thinks: bool) -> dict[str, object]:
    run = make_run(store, n_examples, overlap)
    with tempfile.TemporaryDirectory() as folder:
        seconds = all_at_once(run, n_people, Path(folder), thinks=thinks)
        answers = [np.load(file) for file in Path(folder).glob("*.npz")]
        calls = {name: 1000 * np.concatenate([one[name] for one in answers]) for name in ("taken", "submitted")}
    n_labels = check(run, n_examples, overlap)
    row: dict[str, object] = {"people": n_people, "an example": overlap, "they think": "1 to 3 s" if thinks else "no"}
    row |= {"labels": n_labels, "seconds": seconds}
    row["labels/s"] = n_labels / seconds
    for name, word in (("taken", "take"), ("submitted", "submit")):
        row[f"{word} ms, median"], row[f"{word} ms, 95 %"] = np.percentile(calls[name], [50, 95])
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--examples", type=int, default=400)
    parser.add_argument("--store", help="folder or address of an empty store; a temporary folder by default")
    parser.add_argument("--quick", action="store_true", help="40 examples")
    options = parser.parse_args()
    n_examples = 40 if options.quick else options.examples
    rows = []
    people = options.people
    for n_people, overlap, thinks in ((1, 1, False), (people, 1, False), (people, 2, False), (people, 1, True)):
        with tempfile.TemporaryDirectory(prefix="alvin-annotators-") as folder:
            rows.append(measure(options.store or f"{folder}/store", n_people, n_examples, overlap, thinks=thinks))
    sys.stdout.write(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.1f}") + "\n")


if __name__ == "__main__":
    main()
