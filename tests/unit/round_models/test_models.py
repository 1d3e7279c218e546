from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.errors import DataError, RunNotFoundError, StoreError
from alvin_core.run import delete_run, models
from alvin_core.run.engine import Engine
from alvin_core.run.models import KEPT_MODELS, ModelShelf

DEPTHS: list[dict[str, Any]] = [
    {},
    {"training__trainable_layers": 1},
    {"training__trainable_layers": "all"},
    {"space": "encoder", "training__trainable_layers": 1},
]


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("changes", DEPTHS)
def test_a_model_made_again_says_what_the_round_stored(
    tmp_path: Path, fake: ModuleType, make_run: Any, model_of: Any, changes: dict[str, Any], pairs: bool
) -> None:
    run = make_run(tmp_path, fake.make_dataset(24, 6, pairs=pairs), **changes)
    made = model_of(run, 1)
    rows = [0, 5, 17]
    probs, vectors = made.read(run.texts(rows))
    stored = run.examples(1)[["prob_neg", "prob_pos"]].to_numpy()[rows]
    assert np.abs(probs - stored).max() < 2e-3  # states are kept in half precision
    assert np.abs(vectors - run.vectors(1)[1][rows]).max() < 2e-2 * np.abs(vectors).max()
    assert np.abs(made.probs(run.texts(rows)) - probs).max() < 1e-6
    # It is round 1's, not round 0's.
    assert np.abs(model_of(run, 0).probs(run.texts(rows)) - probs).max() > 1e-3


def test_a_model_that_says_something_else_than_the_round_is_refused(
    tmp_path: Path, fake: ModuleType, make_run: Any, model_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, fake.make_dataset(24, 6))
    round_of = type(run._handle).round

    def other(handle: Any, round_no: int) -> Any:
        stored, arrays = round_of(handle, round_no)
        return stored, {**arrays, "probs": np.roll(arrays["probs"], 1, axis=1)}

    monkeypatch.setattr(type(run._handle), "round", other)
    with pytest.raises(StoreError, match=r"round 1 .* is another one: \d+ of 30 predictions differ.*the same versions"):
        model_of(run, 1)


def test_labels_that_are_not_those_of_the_round_are_refused(
    tmp_path: Path, fake: ModuleType, make_run: Any, model_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, fake.make_dataset(24, 6))
    current = models.current_labels
    monkeypatch.setattr(models, "current_labels", lambda *args, **kw: dict(list(current(*args, **kw).items())[1:]))
    with pytest.raises(StoreError, match="the log has 15, the round 16"):
        model_of(run, 1)


def test_an_example_that_was_added_since_changes_no_earlier_model(
    tmp_path: Path, fake: ModuleType, make_run: Any, model_of: Any
) -> None:
    run = make_run(tmp_path, fake.make_dataset(24, 6))
    before = model_of(run, 1).probs([("text 7",)])
    run.add_example(("text 9 with a comma",), "pos")
    run.step()
    assert np.array_equal(model_of(run, 1).probs([("text 7",)]), before)
    after = model_of(run, 2)
    assert len(after.arrays["labeled_rows"]) == 21
    assert np.abs(after.probs(run.texts([4])) - run.examples(2)[["prob_neg", "prob_pos"]].to_numpy()[4]).max() < 1e-5


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "0 texts to predict at once; give 1 to 2,000"),
        ([("a", "b")], "2 texts given for one example, but the examples of this run are single texts"),
        ([("a" * 100_001,)], "a text of 100,001 characters; at most 100,000 are read"),
    ],
)
def test_texts_that_are_no_example_of_the_run_are_refused(
    tmp_path: Path, fake: ModuleType, make_run: Any, model_of: Any, texts: Any, message: str
) -> None:
    made = model_of(make_run(tmp_path, fake.make_dataset(24, 6), rounds=0), 0)
    with pytest.raises(DataError, match=message):
        made.probs(texts)


def test_a_shelf_makes_a_model_once_keeps_few_and_notices_that_a_run_is_gone(
    tmp_path: Path, fake: ModuleType, make_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, fake.make_dataset(40, 6), rounds=KEPT_MODELS)
    made: list[int] = []
    monkeypatch.setattr(Engine, "train", _counted(Engine.train, made))
    shelf = ModelShelf(tmp_path)
    first = shelf.get(run.name, 0)
    assert shelf.get(run.id, 0) is first
    for round_no in range(1, KEPT_MODELS + 1):
        shelf.get(run.id, round_no)
    assert made == list(range(KEPT_MODELS + 1))
    assert shelf.get(run.id, 0) is not first
    assert made[-1] == 0
    with pytest.raises(StoreError, match="has no round 9"):
        shelf.get(run.id, 9)
    delete_run(tmp_path, run.id)
    with pytest.raises(RunNotFoundError):
        shelf.get(run.id, 0)


def _counted(train: Any, made: list[int]) -> Any:
    def counted(engine: Any, rows: Any, classes: Any, round_no: int, *rest: Any) -> Any:
        made.append(round_no)
        return train(engine, rows, classes, round_no, *rest)

    return counted
