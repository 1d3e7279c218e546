"""The planted-shortcut generator: what is asked for is what is written."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvin_core.data import planted
from alvin_core.data.grammars import GRAMMARS, Grammar
from alvin_core.data.grammars.drawing import Draw, finished, gerund, phrases, third_person
from alvin_core.data.grammars.events import changed, draw_event, roles_swapped, tell, without_details
from alvin_core.data.grammars.overlap import HIGH, LOW, jaccard, overlap_name, share_in_premise
from alvin_core.data.planted import TASKS, PlantedSettings, make_planted, planted_rows, write_planted
from alvin_core.errors import DataError, SettingsError

Row = dict[str, str]

# The attribute that goes with each class where the shortcut holds.
SHORTCUTS = {
    "reviews": {"positive": "romance", "negative": "horror"},
    "occupations": {"surgeon": "male", "nurse": "female"},
    "nli": {"entailment": "high-overlap", "not_entailment": "low-overlap"},
    "paraphrase": {"paraphrase": "high-overlap", "not_paraphrase": "low-overlap"},
}
PAIRS = ("nli", "paraphrase")
OVERLAPS = {"nli": share_in_premise, "paraphrase": jaccard}


@pytest.fixture(scope="module", params=TASKS)
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def rows(task: str) -> list[Row]:
    return list(planted_rows(PlantedSettings(task, n_pool=1000, n_test=200, n_ood=200, seed=3)))


def share_where_the_shortcut_is_right(task: str, rows: list[Row], split: str) -> float:
    in_split = [row for row in rows if row["split"] == split]
    return sum(row["attribute"] == SHORTCUTS[task][row["label"]] for row in in_split) / len(in_split)


def test_a_predictor_that_knows_only_the_shortcut_scores_the_strength_and_fails_where_it_is_reversed(
    task: str, rows: list[Row]
) -> None:
    expected = {"pool": 0.9, "test": 0.9, "ood:balanced": 0.5, "ood:reversed": 0.1}
    found = {split: share_where_the_shortcut_is_right(task, rows, split) for split in expected}
    assert found == pytest.approx(expected, abs=1e-9)


def test_every_group_has_the_share_asked_for(task: str) -> None:
    made = planted_rows(PlantedSettings(task, strength=0.8, balance=0.25, n_pool=400, n_test=0, n_ood=80, seed=1))
    first, second = GRAMMARS[task].classes
    sizes = Counter((row["split"], row["label"], row["attribute"]) for row in made)
    right = SHORTCUTS[task]
    assert sizes["pool", first, right[first]] == 80
    assert sizes["pool", first, right[second]] == 20
    assert sizes["pool", second, right[second]] == 240
    assert sizes["pool", second, right[first]] == 60
    assert sizes["ood:balanced", first, right[first]] == sizes["ood:balanced", first, right[second]] == 10
    assert sizes["ood:reversed", second, right[first]] == 48


def test_splits_have_the_sizes_asked_for_and_stand_in_file_order(rows: list[Row]) -> None:
    splits = [row["split"] for row in rows]
    assert list(dict.fromkeys(splits)) == ["pool", "test", "ood:balanced", "ood:reversed"]
    assert Counter(splits) == {"pool": 1000, "test": 200, "ood:balanced": 200, "ood:reversed": 200}


def test_a_split_of_size_zero_is_left_out(task: str) -> None:
    made = list(planted_rows(PlantedSettings(task, n_pool=20, n_test=0, n_ood=0)))
    assert {row["split"] for row in made} == {"pool"}


def test_the_same_settings_give_the_same_rows_and_another_seed_gives_others(task: str) -> None:
    def texts(seed: int) -> list[Row]:
        return list(planted_rows(PlantedSettings(task, n_pool=60, n_test=10, n_ood=10, seed=seed)))

    assert texts(5) == texts(5)
    assert not {tuple(row.values()) for row in texts(5)} & {tuple(row.values()) for row in texts(6)}


def test_more_rows_in_one_split_change_no_label_of_another(task: str) -> None:
    def labels(n_test: int) -> list[tuple[str, str]]:
        made = planted_rows(PlantedSettings(task, n_pool=50, n_test=n_test, n_ood=50))
        return [(row["label"], row["attribute"]) for row in made if row["split"] != "test"]

    assert labels(10) == labels(40)


def test_twenty_thousand_rows_hold_no_text_twice(task: str) -> None:
    made = list(planted_rows(PlantedSettings(task, n_pool=20_000, n_test=600, n_ood=600)))
    columns = GRAMMARS[task].columns
    assert len({tuple(row[column].casefold() for column in columns) for row in made}) == len(made) == 21_800
    assert len({row["id"] for row in made}) == len(made)


def test_texts_vary_in_length_and_are_written_like_sentences(task: str, rows: list[Row]) -> None:
    texts = [row[column] for row in rows for column in GRAMMARS[task].columns]
    lengths = np.array([len(text.split()) for text in texts])
    assert lengths.min() >= 4
    assert lengths.max() <= 90
    assert lengths.std() > 2.5
    for text in texts:
        assert re.fullmatch(r"[A-Z].*[.!]", text), text
        assert not re.search(r"[{}|]|  | [.,;:]|\.\.|,,|\b([Aa]) [aeiou](?!ne|ni|se|ur|k)", text), text
        assert not re.search(r"\ban? (?:an?|the)\b", text, re.IGNORECASE), text


@pytest.mark.parametrize("pair_task", PAIRS)
def test_the_overlap_attribute_is_true_of_every_pair(pair_task: str) -> None:
    overlaps: dict[str, list[float]] = {"high-overlap": [], "low-overlap": []}
    for row in planted_rows(PlantedSettings(pair_task, n_pool=1000, ambiguity=0.2, strength=0.6)):
        overlaps[row["attribute"]].append(OVERLAPS[pair_task](row["text_a"], row["text_b"]))
    assert min(overlaps["high-overlap"]) >= HIGH
    assert max(overlaps["low-overlap"]) <= LOW


def test_pronouns_in_biographies_are_those_of_the_attribute_and_no_occupation_is_named() -> None:
    own = {"female": {"she", "her"}, "male": {"he", "his", "him"}}
    for row in planted_rows(PlantedSettings("occupations", n_pool=1500, strength=0.5)):
        words = set(re.findall(r"[a-z]+", row["text"].lower()))
        other = own["male" if row["attribute"] == "female" else "female"]
        assert words & own[row["attribute"]], row["text"]
        assert not words & other, row["text"]
        assert not re.search("surg|nurs", row["text"], re.IGNORECASE), row["text"]


def word_features(row: Row, task: str) -> set[str]:
    """The words of a text; of a pair, the words in both, those in one alone, and how far they overlap."""
    if task not in PAIRS:
        words = row["text"].lower().split()
        return {*words, *(f"{one} {two}" for one, two in pairwise(words))}
    first, second = (set(row[column].lower().strip(".").split()) for column in ("text_a", "text_b"))
    tenths = int(10 * OVERLAPS[task](row["text_a"], row["text_b"]))
    return {*(f"both {word}" for word in first & second), *(f"one {word}" for word in first ^ second), f"{tenths}/10"}


def naive_bayes_accuracies(rows: list[Row], task: str, n_train: int) -> tuple[float, float]:
    """Train on the first pool rows; accuracy and worst group on ood:balanced."""
    first = GRAMMARS[task].classes[0]
    train = [(word_features(row, task), row["label"] == first) for row in rows[:n_train]]
    sizes = Counter(label for _, label in train)
    counts = Counter((word, label) for words, label in train for word in words)
    known = {word for word, _ in counts}
    right: dict[tuple[str, str], list[bool]] = {}
    for row in rows:
        if row["split"] == "ood:balanced":
            score = 0.0
            for word in word_features(row, task) & known:
                shares = [(counts[word, label] + 0.5) / (sizes[label] + 1) for label in (True, False)]
                score += math.log(shares[0] / shares[1])
            right.setdefault((row["label"], row["attribute"]), []).append((score > 0) == (row["label"] == first))
    accuracies = [sum(answers) / len(answers) for answers in right.values()]
    assert len(accuracies) == 4
    return sum(accuracies) / 4, min(accuracies)


def test_a_bag_of_words_learns_the_task_where_there_is_no_shortcut(task: str) -> None:
    made = list(planted_rows(PlantedSettings(task, strength=0.5, n_pool=2000, n_test=0, n_ood=400, seed=2)))
    accuracy, worst = naive_bayes_accuracies(made, task, n_train=2000)
    assert accuracy > {"reviews": 0.9, "occupations": 0.9, "nli": 0.68, "paraphrase": 0.62}[task]
    assert worst > 0.4


def test_a_bag_of_words_trained_with_the_shortcut_fails_on_the_minority(task: str) -> None:
    made = list(planted_rows(PlantedSettings(task, n_pool=100, n_test=0, n_ood=400, seed=2)))
    accuracy, worst = naive_bayes_accuracies(made, task, n_train=100)
    assert accuracy < 0.82
    assert worst < accuracy - 0.1


class Recorder:
    """A grammar that notes what it is asked for and writes a new text each time."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def write(self, draw: Draw, label: str | None, attribute: str) -> tuple[str, ...]:
        self.asked.append(label)
        return (f"text {len(self.asked)}",)


def test_unclear_texts_are_written_without_knowing_their_label(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setitem(GRAMMARS, "reviews", Grammar(("yes", "no"), ("a", "b"), ("text",), recorder.write))  # type: ignore[misc]
    made = list(planted_rows(PlantedSettings("reviews", ambiguity=0.3, n_pool=2000, n_test=0, n_ood=0)))
    unclear = [row["label"] for row, label in zip(made, recorder.asked, strict=True) if label is None]
    assert len(unclear) == 600
    # A coin flip: 300 heads expected, standard deviation below 12.3.
    assert 250 < unclear.count("yes") < 350
    assert all(label in (None, row["label"]) for row, label in zip(made, recorder.asked, strict=True))


def test_an_exhausted_grammar_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(draw: Draw, label: str | None, attribute: str) -> tuple[str, ...]:
        return (draw.one(("one", "two", "three")),)

    monkeypatch.setitem(GRAMMARS, "reviews", Grammar(("yes", "no"), ("a", "b"), ("text",), write))  # type: ignore[misc]
    with pytest.raises(SettingsError, match="gave no new text in 2000 tries after 3 rows; ask for fewer rows"):
        list(planted_rows(PlantedSettings("reviews", n_pool=10)))


def test_the_file_holds_the_rows_and_ends_lines_the_same_way_everywhere(task: str, tmp_path: Path) -> None:
    asked = PlantedSettings(task, n_pool=40, n_test=10, n_ood=10, seed=9)
    write_planted(tmp_path / "made.csv", asked)
    content = (tmp_path / "made.csv").read_bytes()
    assert b"\r" not in content
    read = list(csv.DictReader(content.decode("utf-8").splitlines()))
    assert read == list(planted_rows(asked))
    assert list(read[0]) == ["id", *GRAMMARS[task].columns, "label", "split", "attribute"]
    assert [path.name for path in tmp_path.iterdir()] == ["made.csv"]


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    asked = PlantedSettings("nli", n_pool=4, n_test=0, n_ood=0)
    with pytest.raises(DataError, match="cannot be written"):
        write_planted(tmp_path / "no-such-folder" / "made.csv", asked)
    with pytest.raises(DataError, match="cannot be written"):
        write_planted(tmp_path, asked)
    assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.parent.glob(f".{tmp_path.name}.*")) == []


def test_an_existing_file_stays_whole_when_the_grammar_is_exhausted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "made.csv"
    path.write_text("old")
    monkeypatch.setattr(planted, "_MAX_TRIES", 0)
    with pytest.raises(SettingsError, match="gave no new text in 0 tries"):
        write_planted(path, PlantedSettings("reviews"))
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["made.csv"]


def test_the_data_set_holds_the_rows(task: str) -> None:
    made = make_planted(task, n_pool=30, n_test=10, n_ood=10, seed=4)
    rows = list(planted_rows(PlantedSettings(task, n_pool=30, n_test=10, n_ood=10, seed=4)))
    columns = GRAMMARS[task].columns
    assert made.is_pairs == (task in PAIRS)
    assert made.classes == tuple(sorted(SHORTCUTS[task]))
    assert made.evaluation_splits == ("test", "ood:balanced", "ood:reversed")
    for number, row in enumerate(rows):
        text = made.text_of(number)
        assert (text if made.is_pairs else (text,)) == tuple(row[column] for column in columns)
        assert made.classes[made.labels[number]] == row["label"]
        assert made.attributes is not None
        found = (made.ids[number], made.splits[number], made.attributes[number])
        assert found == (row["id"], row["split"], row["attribute"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("task", "imdb", "task = 'imdb' is unknown; choose one of: reviews, occupations, nli, paraphrase"),
        ("strength", 1.2, "strength = 1.2 is out of range: it must be a share, between 0 and 1"),
        ("strength", float("nan"), "strength = nan is out of range"),
        ("ambiguity", -0.1, "ambiguity = -0.1 is out of range"),
        ("strength", "high", "strength = 'high' is out of range"),
        ("balance", 0.0, "balance = 0.0 of n_pool = 3000 leaves one class with no row in the pool; ask for more"),
        ("balance", 0.9999, "balance = 0.9999 of n_pool = 3000 leaves one class with no row"),
        ("n_pool", 1, "n_pool = 1 is out of range: it must be a whole number, at least 2"),
        ("n_test", -1, "n_test = -1 is out of range"),
        ("n_ood", 2.5, "n_ood = 2.5 is out of range"),
        ("n_pool", True, "n_pool = True is out of range"),
        ("seed", -3, "seed = -3 is out of range"),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}"):
        PlantedSettings(**{"task": "reviews", name: value})  # type: ignore[arg-type]


def test_overlap_counts_distinct_words_and_has_a_gap_between_its_names() -> None:
    assert share_in_premise("The cat sat on the mat.", "The dog sat.") == pytest.approx(2 / 3)
    assert jaccard("The cat sat", "the CAT ran") == pytest.approx(0.5)
    assert [overlap_name(value) for value in (1.0, HIGH, 0.5, LOW, 0.0)] == [
        "high-overlap",
        "high-overlap",
        None,
        "low-overlap",
        "low-overlap",
    ]


def test_draws_are_pinned_to_the_values_that_every_python_gives() -> None:
    draw = Draw("0:reviews:pool:text")
    assert [draw.one(range(100)) for _ in range(4)] == [98, 1, 59, 77]
    assert draw.shuffled("abcdef") == list("deafcb")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 300), st.floats(0, 1))
def test_flags_hold_the_whole_number_nearest_to_the_share(seed: int, n: int, share: float) -> None:
    flags = Draw(str(seed)).flags(n, share)
    assert len(flags) == n
    assert abs(sum(flags) - n * share) <= 0.5 + 1e-9


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 3))
def test_a_changed_event_differs_and_one_without_details_only_leaves_out(seed: int, n_changes: int) -> None:
    draw = Draw(str(seed))
    event = draw_event(draw)
    other = changed(draw, event, n_changes)
    parts = ("agent", "patient", "place", "time")
    n_different = sum(getattr(event, part) != getattr(other, part) for part in parts)
    n_different += event.action.verbs[0] != other.action.verbs[0]
    assert n_different == n_changes
    kept = without_details(draw, event)
    for part in ("place", "time", "manner", "trait"):
        assert getattr(kept, part) in (getattr(event, part), None)
    assert not event.negated or kept == event


def test_swapping_roles_twice_gives_the_event_back() -> None:
    for seed in range(50):
        event = draw_event(Draw(str(seed)), needs_two_people=True)
        assert roles_swapped(event) != event
        assert roles_swapped(roles_swapped(event)) == event


def test_what_was_lent_is_borrowed_by_the_receiver_in_the_other_wording() -> None:
    seeds = (str(seed) for seed in range(5000))
    events = (draw_event(Draw(seed), needs_two_people=True) for seed in seeds)
    event = next(e for e in events if e.action.verbs[0].base == "lend" and not e.negated and e.receiver is not None)
    assert event.receiver is not None
    draw = Draw("tell")
    for _ in range(40):
        plain, other = tell(draw, event, 0), tell(draw, event, 1)
        assert re.search(rf"to the {event.receiver[0]}", plain)
        assert "borrowed" in other
        assert re.search(rf"from the .*({event.agent[0]}|{event.agent[1]})", other)


def test_words_are_inflected() -> None:
    assert [third_person(verb) for verb in ("carry it", "watch over", "stay", "do", "lead the team")] == [
        *("carries it", "watches over", "stays", "does", "leads the team"),
    ]
    assert [gerund(verb) for verb in ("remove it", "see", "put on", "operate", "empty bins")] == [
        *("removing it", "seeing", "putting on", "operating", "emptying bins"),
    ]
    assert (
        finished("a hour, a useful one.  then a apple! a one-off.")
        == "An hour, a useful one. Then an apple! A one-off."
    )
    assert phrases("a | b c\n  d |") == ("a", "b c", "d")
