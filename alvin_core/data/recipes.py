"""Named recipes: public data sets of the hub put together as pool, test and out-of-distribution sets of one task.

Which sets belong together is the field's usage, not the paper's: its own six could not be read. The names and columns
are those of the data sets' cards on the hub.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alvin_core.data.formats import RECIPE
from alvin_core.data.hub import BATCH_ROWS, load_hub, named_values
from alvin_core.data.problems import ProblemLog, Unit
from alvin_core.data.textfiles import Record

__all__ = ["RECIPES", "Recipe", "RecipePart", "open_recipe"]

POOL_ROWS = 20_000  # of a larger training set, drawn with a fixed seed; `recipe:NAME/N` takes another number
EVALUATION_ROWS = 2_000  # of each evaluation set
DRAW_SEED = 0


@dataclass(frozen=True)
class RecipePart:
    """One split of a recipe.

    Attributes
    ----------
    split : str
        ``pool``, ``test`` or ``ood:<name>``.
    dataset : str
        ``owner/name`` on the hub, or ``owner/name/config``.
    part : str
        The hub's own split.
    texts : tuple of str
        Its columns, one or two.
    labels : mapping of str to str
        Its class names -> the recipe's; rows of other classes have no label and are left out.
    attribute : str or None
        A column with a known attribute.
    revision : str or None
        A branch of the hub, for sets that are kept as a script on the main one.
    """

    split: str
    dataset: str
    part: str
    texts: tuple[str, ...]
    labels: Mapping[str, str]
    attribute: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A task with its splits.

    Attributes
    ----------
    name, what, cite : str
    parts : tuple of RecipePart
    """

    name: str
    what: str
    cite: str
    parts: tuple[RecipePart, ...] = field(repr=False)

    @property
    def is_pair(self) -> bool:
        return len(self.parts[0].texts) == 2


_MOOD = {"neg": "negative", "pos": "positive", "negative": "negative", "positive": "positive"}
_STARS = {"1": "negative", "2": "positive"}
# HANS knows two classes, so neutral and contradiction are one here.
_ENTAILS = {
    "entailment": "entailment",
    "neutral": "non-entailment",
    "contradiction": "non-entailment",
    "non-entailment": "non-entailment",
}
_SAME = {
    "duplicate": "paraphrase",
    "not_duplicate": "different",
    "equivalent": "paraphrase",
    "not_equivalent": "different",
    "1": "paraphrase",
    "0": "different",
}
_NLI = ("premise", "hypothesis")
_TWO = ("sentence1", "sentence2")

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "sentiment",
            "sentences of film reviews; whole reviews of films, shops and places as other distributions",
            "SST-2 (Socher et al. 2013), IMDb (Maas et al. 2011), Yelp and Amazon (Zhang et al. 2015)",
            (
                RecipePart("pool", "stanfordnlp/sst2", "train", ("sentence",), _MOOD),
                RecipePart("test", "stanfordnlp/sst2", "validation", ("sentence",), _MOOD),
                RecipePart("ood:imdb", "stanfordnlp/imdb", "test", ("text",), _MOOD),
                RecipePart("ood:yelp", "fancyzhx/yelp_polarity", "test", ("text",), _STARS),
                RecipePart("ood:amazon", "fancyzhx/amazon_polarity", "test", ("content",), _MOOD),
            ),
        ),
        Recipe(
            "nli",
            "does the first sentence entail the second; word overlap misleads on HANS",
            "MultiNLI (Williams et al. 2018), SNLI (Bowman et al. 2015), ANLI (Nie et al. 2020), "
            "HANS (McCoy et al. 2019)",
            (
                RecipePart("pool", "nyu-mll/multi_nli", "train", _NLI, _ENTAILS),
                RecipePart("test", "nyu-mll/multi_nli", "validation_matched", _NLI, _ENTAILS),
                RecipePart(
                    "ood:hans",
                    "jhu-cogsci/hans/plain_text",
                    "validation",
                    _NLI,
                    _ENTAILS,
                    attribute="heuristic",
                    revision="refs/convert/parquet",
                ),
                RecipePart("ood:snli", "stanfordnlp/snli", "test", _NLI, _ENTAILS),
                RecipePart("ood:anli", "facebook/anli", "test_r1", _NLI, _ENTAILS),
            ),
        ),
        Recipe(
            "paraphrase",
            "do two questions mean the same; the same words in another order mislead on PAWS",
            "QQP (Iyer et al. 2017, as in GLUE), PAWS (Zhang et al. 2019), MRPC (Dolan & Brockett 2005)",
            (
                RecipePart("pool", "nyu-mll/glue/qqp", "train", ("question1", "question2"), _SAME),
                RecipePart("test", "nyu-mll/glue/qqp", "validation", ("question1", "question2"), _SAME),
                RecipePart("ood:paws", "google-research-datasets/paws/labeled_final", "test", _TWO, _SAME),
                RecipePart("ood:mrpc", "nyu-mll/glue/mrpc", "test", _TWO, _SAME),
            ),
        ),
    )
}


def open_recipe(source: str, log: ProblemLog) -> RecipeSource | None:
    """Open ``recipe:NAME`` or ``recipe:NAME/ROWS``; log why it cannot be and return None then."""
    name, _, rows = source.removeprefix(RECIPE).partition("/")
    recipe = RECIPES.get(name)
    if recipe is None:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean {RECIPE}{near[0]}? " if near else ""
        log.add("no such recipe", f"{hint}there are: {', '.join(RECIPE + known for known in RECIPES)}")
        return None
    if rows and not (rows.isascii() and rows.isdigit() and int(rows)):
        log.add("no number of rows", f"write {RECIPE}{name}/{POOL_ROWS}", what=f"{rows!r} is no number of rows")
        return None
    loaded = []
    for part in recipe.parts:
        found = load_hub(part.dataset, log, revision=part.revision)
        if found is None:
            return None
        if part.part not in found:
            log.add("no such split", "the data set on the hub has changed", what=f"{part.dataset} has no {part.part!r}")
            return None
        loaded.append(_drawn(found[part.part], int(rows or POOL_ROWS) if part.split == "pool" else EVALUATION_ROWS))
    return RecipeSource(recipe, loaded)


def _drawn(rows: Any, at_most: int) -> tuple[Any, Sequence[int]]:
    """Return rows of the hub, at most so many, and the place of each there."""
    import numpy as np

    if len(rows) <= at_most:
        return rows, range(len(rows))
    places = np.sort(np.random.default_rng(DRAW_SEED).choice(len(rows), size=at_most, replace=False))
    return rows.select(places), places.tolist()


class RecipeSource:
    """The parts of a recipe one after the other, under the standard names of columns."""

    unit: Unit = "row"

    def __init__(self, recipe: Recipe, parts: Sequence[tuple[Any, Sequence[int]]]) -> None:
        self._recipe, self._parts = recipe, parts
        texts = ("text_a", "text_b") if recipe.is_pair else ("text",)
        attribute = ("attribute",) if any(part.attribute for part in recipe.parts) else ()
        self.header: tuple[str, ...] = ("id", *texts, "label", "split", *attribute)

    def records(self, wanted: Sequence[str], log: ProblemLog) -> Iterator[Record]:
        """Yield the wanted columns of each row that has one of the recipe's classes."""
        n_before = 0
        for part, (rows, places) in zip(self._recipe.parts, self._parts, strict=True):
            needed = [*part.texts, "label", *((part.attribute,) if part.attribute else ())]
            missing = [name for name in needed if name not in rows.column_names]
            if missing:
                remedy = "the data set on the hub has changed"
                log.add("missing column", remedy, what=f"{part.dataset} does not have it", column=missing[0])
                continue
            yield from self._records_of(part, rows.select_columns(needed), places, wanted, n_before)
            n_before += len(rows)

    def _records_of(
        self, part: RecipePart, rows: Any, places: Sequence[int], wanted: Sequence[str], n_before: int
    ) -> Iterator[Record]:
        names = getattr(rows.features["label"], "names", None)
        start = 0
        for batch in rows.iter(batch_size=BATCH_ROWS):
            labels = [part.labels.get(str(value)) for value in named_values(batch["label"], names)]
            columns = {
                "id": [f"{part.split.removeprefix('ood:')}-{place}" for place in places[start : start + len(labels)]],
                "label": labels,
                "split": [part.split] * len(labels),
                "attribute": batch[part.attribute] if part.attribute else [None] * len(labels),
                **dict(
                    zip(
                        ("text_a", "text_b") if self._recipe.is_pair else ("text",),
                        self._texts(part, batch),
                        strict=True,
                    )
                ),
            }
            for offset, values in enumerate(zip(*(columns[name] for name in wanted), strict=True)):
                if labels[offset] is not None:
                    yield n_before + start + offset + 1, values
            start += len(labels)

    @staticmethod
    def _texts(part: RecipePart, batch: Mapping[str, Sequence[object]]) -> list[Sequence[object]]:
        return [batch[name] for name in part.texts]
