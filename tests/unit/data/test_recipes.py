"""Recipes of the hub, on small sets of the same columns and class names that the library makes here: no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alvin_core.data.reading import load_dataset
from alvin_core.data.recipes import RECIPES, Recipe
from alvin_core.errors import DataError

datasets = pytest.importorskip("datasets", reason="needs the extra 'hub'")

# The classes of each data set in the order of its numbers, as its card on the hub gives them.
CLASSES = {
    "stanfordnlp/sst2": ["negative", "positive"],
    "stanfordnlp/imdb": ["neg", "pos"],
    "fancyzhx/yelp_polarity": ["1", "2"],
    "fancyzhx/amazon_polarity": ["negative", "positive"],
    "nyu-mll/multi_nli": ["entailment", "neutral", "contradiction"],
    "stanfordnlp/snli": ["entailment", "neutral", "contradiction"],
    "facebook/anli": ["entailment", "neutral", "contradiction"],
    "jhu-cogsci/hans/plain_text": ["entailment", "non-entailment"],
    "nyu-mll/glue/qqp": ["not_duplicate", "duplicate"],
    "nyu-mll/glue/mrpc": ["not_equivalent", "equivalent"],
    "google-research-datasets/paws/labeled_final": ["0", "1"],
}
N = 12


def save_mirror(folder: Path, recipe: Recipe, *, unlabeled: int = 0) -> None:
    """Write every data set of a recipe, with a column that no recipe asks for."""
    for name in {part.dataset for part in recipe.parts}:
        parts: dict[str, Any] = {}
        for part in recipe.parts:
            if part.dataset != name:
                continue
            classes = CLASSES[name]
            columns: dict[str, list[object]] = {
                text: [f"{part.split} {text} number {row}" for row in range(N)] for text in part.texts
            }
            columns["label"] = [-1] * unlabeled + [row % len(classes) for row in range(N - unlabeled)]
            columns["idx"] = list(range(N))
            features = {text: datasets.Value("string") for text in part.texts}
            features |= {"label": datasets.ClassLabel(names=classes), "idx": datasets.Value("int32")}
            if part.attribute:
                columns[part.attribute] = ["lexical_overlap", "subsequence"] * (N // 2)
                features[part.attribute] = datasets.Value("string")
            parts[part.part] = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
        datasets.DatasetDict(parts).save_to_disk(str(folder / name))


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALVIN_HUB_MIRROR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("sentiment", ("negative", "positive")),
        ("nli", ("entailment", "non-entailment")),
        ("paraphrase", ("different", "paraphrase")),
    ],
)
def test_a_recipe_has_its_pool_its_test_split_and_its_other_distributions(
    mirror: Path, name: str, classes: tuple[str, ...]
) -> None:
    recipe = RECIPES[name]
    save_mirror(mirror, recipe)
    data = load_dataset(f"recipe:{name}")
    assert data.classes == classes
    assert set(data.evaluation_splits) == {part.split for part in recipe.parts[1:]}
    assert (data.labels >= 0).all()
    for part in recipe.parts:
        rows = data.rows_of(part.split)
        short = part.split.removeprefix("ood:")
        assert data.ids[rows].tolist() == [f"{short}-{place}" for place in range(N)]
        assert data.texts.take(rows[:1]) == [f"{part.split} {part.texts[0]} number 0"]
        said = [CLASSES[part.dataset][row % len(CLASSES[part.dataset])] for row in range(N)]
        assert [data.classes[label] for label in data.labels[rows]] == [part.labels[one] for one in said]
        if recipe.is_pair:
            assert data.second_texts is not None
            assert data.second_texts.take(rows[1:2]) == [f"{part.split} {part.texts[1]} number 1"]
    assert (data.second_texts is None) is not recipe.is_pair


def test_hans_tells_which_heuristic_misleads_and_the_others_have_no_attribute(mirror: Path) -> None:
    save_mirror(mirror, RECIPES["nli"])
    data = load_dataset("recipe:nli")
    assert data.attributes is not None
    assert set(data.attributes[data.rows_of("ood:hans")]) == {"lexical_overlap", "subsequence"}
    assert set(data.attributes[data.rows_of("pool")]) == {""}


def test_a_smaller_pool_is_drawn_with_one_seed_and_keeps_the_names_of_its_rows(mirror: Path) -> None:
    save_mirror(mirror, RECIPES["sentiment"])
    first, again = load_dataset("recipe:sentiment/10"), load_dataset("recipe:sentiment/10")
    pool = first.rows_of("pool")
    assert len(pool) == 10
    assert first.ids.tolist() == again.ids.tolist()
    assert len(first.rows_of("test")) == N
    for row in pool:
        assert first.texts[row] == f"pool sentence number {first.ids[row].removeprefix('pool-')}"


def test_rows_without_a_class_are_left_out(mirror: Path) -> None:
    save_mirror(mirror, RECIPES["nli"], unlabeled=2)  # SNLI has such rows where the annotators did not agree
    data = load_dataset("recipe:nli")
    assert len(data.rows_of("ood:snli")) == N - 2
    assert data.ids[data.rows_of("ood:snli")][0] == "snli-2"


def test_an_unknown_recipe_names_the_nearest(mirror: Path) -> None:
    with pytest.raises(DataError, match=r"did you mean recipe:sentiment\? there are: recipe:sentiment, recipe:nli"):
        load_dataset("recipe:sentimant")


def test_a_pool_of_no_number_is_refused(mirror: Path) -> None:
    with pytest.raises(DataError, match="'many' is no number of rows"):
        load_dataset("recipe:nli/many")


def test_a_set_that_changed_on_the_hub_is_named_with_what_it_lacks(mirror: Path) -> None:
    save_mirror(mirror, RECIPES["sentiment"])
    changed = datasets.Dataset.from_dict({"words": ["a", "b"], "label": [0, 1]})
    datasets.DatasetDict({"test": changed}).save_to_disk(str(mirror / "stanfordnlp" / "imdb-new"))
    (mirror / "stanfordnlp" / "imdb").rename(mirror / "old")
    (mirror / "stanfordnlp" / "imdb-new").rename(mirror / "stanfordnlp" / "imdb")
    with pytest.raises(DataError, match="stanfordnlp/imdb does not have it"):
        load_dataset("recipe:sentiment")


def test_without_a_connection_the_message_names_the_data_set_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ALVIN_HUB_MIRROR", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(DataError, match="the connection"):
        load_dataset("recipe:paraphrase")
