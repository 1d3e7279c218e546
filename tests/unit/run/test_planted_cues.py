"""Planted shortcuts stand at the head of the table of cues: on the samples, by the word lists of their own grammars.

*Planted* is a word of the lists that the grammar has for each value of the attribute (genre, gender), in none of those
that both values share, and beside the value in one of whose lists it has the greater share of phrases ("husband" is the
one word for a woman's spouse, and one of six for a man). Words as rare as one of twenty-two first names are no shortcut
that a model could live on, so how many texts must hold a word is said each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from alvin_core.data.grammars.occupations_words import DUTIES, GENDER_WORDS, SHARED_WORDS, TRAINING
from alvin_core.data.grammars.reviews_words import GENRE_WORDS, MEDIA, OPINION_WORDS
from alvin_core.data.reading import load_dataset
from alvin_core.data.samples import sample_path
from alvin_core.run import Run, create_run
from alvin_core.settings import RunSettings
from alvin_core.shortcuts import words_of

Lists = Mapping[str, Sequence[str]]

GOES_WITH = {"romance": "positive", "horror": "negative", "male": "surgeon", "female": "nurse"}
PLANTED: dict[str, Mapping[str, Lists]] = {"reviews": GENRE_WORDS, "occupations": GENDER_WORDS}
SHARED: dict[str, list[Lists]] = {
    "reviews": [*MEDIA, *OPINION_WORDS.values()],
    "occupations": [SHARED_WORDS, DUTIES, TRAINING],
}


def sample_run(tmp_path: Path, name: str) -> Run:
    dataset = load_dataset(sample_path(name))
    run = create_run(tmp_path, dataset, RunSettings(), name=name)
    list(run.run_rounds(0))
    return run


def planted(run: Run, name: str, one_in: int) -> dict[str, str]:
    """Return the planted words that one pool text in so many holds, and the label that each was planted beside."""
    shared = {word for lists in SHARED[name] for phrases in lists.values() for one in phrases for word in spoken(one)}
    weights = {value: greatest_shares(lists) for value, lists in PLANTED[name].items()}
    in_pool = run.dataset.splits == "pool"
    found = {}
    for value, other in (tuple(weights), tuple(weights)[::-1]):
        for word, weight in weights[value].items():
            if word in shared or weight <= weights[other].get(word, 0):
                continue
            if one_in * (run.cue_members(f"token:{word}") & in_pool).sum() >= in_pool.sum():
                found[word] = GOES_WITH[value]
    return found


def greatest_shares(lists: Lists) -> dict[str, float]:
    """Return each word's greatest share of the phrases of one list."""
    shares: dict[str, float] = {}
    for phrases in lists.values():
        for word in {word for one in phrases for word in spoken(one)}:
            share = sum(word in spoken(one) for one in phrases) / len(phrases)
            shares[word] = max(shares.get(word, 0), share)
    return shares


def spoken(phrase: str) -> list[str]:
    """Return the words of a phrase, without its slots."""
    return words_of(re.sub(r"\{\w+\}", " ", phrase))


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("reviews", {"horror": "negative", "romance": "positive", "romantic": "positive"}),
        ("occupations", {"he": "surgeon", "him": "surgeon", "wife": "surgeon", "she": "nurse", "sister": "nurse"}),
    ],
)
def test_every_planted_token_is_among_the_first_twenty(tmp_path: Path, name: str, some: dict[str, str]) -> None:
    run = sample_run(tmp_path, name)
    frame = run.cues(0, of="pool")
    words = planted(run, name, one_in=12)
    assert some.items() <= words.items()
    first = frame.head(20)
    assert words.items() <= dict(zip(first["name"], first["label"], strict=True)).items()
    assert first["significant"].all()
    # The shortcut itself, which the data know as its attribute, is before all words.
    assert first["kind"].tolist()[:3] == ["attribute", "attribute", "token"]
    rarer = planted(run, name, one_in=20)
    assert len(rarer) > len(words)
    for label in run.dataset.classes:
        own = frame.loc[frame["label"] == label, "name"].head(20).tolist()
        assert {word for word, of in rarer.items() if of == label} <= set(own)


@pytest.mark.parametrize("name", ["nli", "paraphrase"])
def test_word_overlap_is_first_of_all_cues_of_pairs(tmp_path: Path, name: str) -> None:
    run = sample_run(tmp_path, name)
    for kinds in (("token", "attribute", "overlap"), ("token", "ngram", "overlap")):
        frame = run.cues(0, of="pool", kinds=kinds)
        assert frame.loc[0, "kind"] == "overlap"
        assert frame.loc[0, "significant"]
        words = frame[frame["kind"].isin(["token", "ngram"])]
        assert frame.loc[0, "z"] > 2 * words["z"].max()


def test_a_function_word_is_not_significant_unless_it_tells_something(tmp_path: Path) -> None:
    frame = sample_run(tmp_path, "reviews").cues(0, of="pool").set_index("cue")
    for word in ("the", "a", "and", "of", "this"):
        assert not frame.loc[f"token:{word}", "significant"]
        assert frame.loc[f"token:{word}", "n"] > 200
