"""Time the competency z and the local mutual information of every word of many texts, beside scikit-learn's counting.

Run it from the repository's root, on a machine that does little else::

    python benchmarks/shortcuts.py                  # 100,000 texts of 20 words
    python benchmarks/shortcuts.py --texts 1000000 --repeats 1
    python benchmarks/shortcuts.py --not-ascii      # every text holds an accented letter

The peer is ``CountVectorizer(binary=True)`` with the same rule for what a word is, and the same two statistics from its
matrix. Both begin with the texts as each has them, packed or as strings, run in one process with one thread and take
turns; their results are compared first. Read the ratio of the best times: of seconds on the clock, and of seconds of
processor time, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from alvin_core.data.dataset import Texts
from alvin_core.shortcuts import (
    base_shares,
    competency_z,
    count_cues,
    local_mutual_information,
    token_holding,
    tokenize,
)

PATTERN = r"[^\W_]+(?:['-][^\W_]+)*"
N_WORDS = 20_000  # of the made-up language, drawn as Zipf has it
Found = tuple[list[str], np.ndarray, np.ndarray]  # words, z and LMI, both of shape (n_words, n_classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=20, help="in each text")
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--not-ascii", action="store_true", help="put an accented letter into every text")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    texts, classes = make_texts(arguments.texts, arguments.words, arguments.classes, arguments.not_ascii)
    packed, n_class = Texts.pack(texts), np.bincount(classes, minlength=arguments.classes)
    works: dict[str, Callable[[], Found]] = {
        "alvin": lambda: ours(packed, classes, n_class),
        "scikit-learn": lambda: peer(texts, classes, n_class),
    }
    check_same(works["alvin"](), works["scikit-learn"]())
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(arguments.repeats):
        for name, work in works.items():
            start, processor_start = time.perf_counter(), time.process_time()
            work()
            seconds[name].append((time.perf_counter() - start, time.process_time() - processor_start))
    best = {name: np.min(times, axis=0) for name, times in seconds.items()}
    for name, (clock, processor) in best.items():
        print(f"{name:>12}: {clock:6.2f} s on the clock, {processor:6.2f} s of processor time")
    clock, processor = best["scikit-learn"] / best["alvin"]
    print(f"scikit-learn takes {clock:.1f} times as long on the clock, {processor:.1f} times in processor time")


def make_texts(n_texts: int, n_words: int, n_classes: int, not_ascii: bool) -> tuple[list[str], np.ndarray]:
    """Make texts whose words go with their class a little."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    language = np.array(["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(N_WORDS)])
    shares = 1 / np.arange(1, N_WORDS + 1)
    classes = rng.integers(n_classes, size=n_texts)
    drawn = rng.choice(N_WORDS, size=(n_texts, n_words), p=shares / shares.sum())
    drawn[:, -1] = (drawn[:, -1] // n_classes * n_classes + classes) % N_WORDS
    end = " é." if not_ascii else "."
    return [" ".join(line).capitalize() + end for line in language[drawn]], classes


def ours(packed: Texts, classes: np.ndarray, n_class: np.ndarray) -> Found:
    table = tokenize([packed])
    counts = count_cues(token_holding(table), np.arange(len(packed)), classes, len(n_class))
    n = counts.n[:, None]
    z = competency_z(counts.n_label, n, base_shares(n_class))
    return list(table.vocabulary), z, local_mutual_information(counts.n_label, n, n_class, len(packed))


def peer(texts: list[str], classes: np.ndarray, n_class: np.ndarray) -> Found:
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(binary=True, token_pattern=PATTERN)
    held = vectorizer.fit_transform(texts)
    one_hot = (classes == np.arange(len(n_class))[:, None]).astype(np.int64)
    n_label = np.asarray(held.T @ one_hot.T)
    n = n_label.sum(axis=1, keepdims=True)
    base = n_class / len(texts)
    z = (n_label / n - base) / np.sqrt(base * (1 - base) / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        information = n_label / len(texts) * np.log(n_label / n / base)
    return vectorizer.get_feature_names_out().tolist(), z, np.where(n_label > 0, information, 0)


def check_same(one: Found, other: Found) -> None:
    """Raise when two results differ by more than rounding."""
    places = [np.argsort(words) for words, *_ in (one, other)]
    if [one[0][place] for place in places[0]] != [other[0][place] for place in places[1]]:
        raise SystemExit("the words differ")
    for mine, theirs in zip(one[1:], other[1:], strict=True):
        np.testing.assert_allclose(mine[places[0]], theirs[places[1]], rtol=1e-9, atol=1e-12)
    print(f"the same z and LMI of {len(one[0]):,} words × {one[1].shape[1]} classes")


if __name__ == "__main__":
    main()
