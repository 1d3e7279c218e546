from __future__ import annotations

import base64
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.errors import DataError, SettingsError
from alvin_core.run import editing
from alvin_core.run.editing import counterfactual
from alvin_core.run.models import ModelShelf


@pytest.mark.parametrize("changes", [{}, {"space": "encoder", "training__trainable_layers": 1}])
def test_a_text_of_the_data_gets_the_stored_prediction_and_changes_move_it(
    tmp_path: Path, fake: ModuleType, make_run: Any, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, fake.make_dataset(24, 6), **changes)
    own = "encoder" if changes else "model"
    stored = run.project(1, own, "pca")
    # Making a UMAP for it would cost more than all the rest.
    monkeypatch.setattr(editing, "stored_projection", lambda handle, no, space: stored if space == own else None)
    texts = [list(run.texts([7])[0]), ["second comma 3"]]
    params = {"run": run.name, "round": 1, "texts": texts, "k": 4, "vectors": True, "words": True, "without": "e00007"}
    answer = counterfactual(ModelShelf(tmp_path), params)
    json.dumps(answer, allow_nan=False)
    examples = run.examples(1)
    row = examples.iloc[7]
    assert answer["classes"] == ["neg", "pos"]
    assert answer["probs"][0] == pytest.approx([row["prob_neg"], row["prob_pos"]], abs=2e-3)
    assert answer["predicted"][0] == row["predicted"]
    assert answer["entropy"][0] == pytest.approx(row["entropy"], abs=5e-3)
    assert answer["probs"][1] != pytest.approx(answer["probs"][0], abs=1e-4)
    ids, known = run.vectors(1)
    vectors = np.frombuffer(base64.b64decode(answer["vectors"]), dtype="<f4").reshape(2, -1)
    assert np.abs(vectors[0] - known[ids.tolist().index("e00007")]).max() < 1e-3
    for vector, near in zip(vectors, answer["nearest"], strict=True):
        distances = {one: np.linalg.norm(vector.astype(float) - z) for one, z in zip(ids, known, strict=True)}
        del distances["e00007"]
        expected = sorted(distances, key=lambda one: (distances[one], one))[:4]
        assert [one["id"] for one in near] == expected
        assert [one["distance"] for one in near] == pytest.approx([distances[one] for one in expected], abs=1e-5)
    known_rows = examples.set_index("id")
    for one in answer["nearest"][0]:
        about = known_rows.loc[one["id"]]
        assert (one["text"], one["predicted"]) == (about["text"], about["predicted"])
        assert one["label"] == (about["label"] if about["labeled"] else None)
    assert set(answer["places"]) == {own}
    assert np.allclose(answer["places"][own][0], stored.xy[7], atol=0.05)  # its nearest neighbour is itself
    assert answer["places"][own] == run.place(1, vectors, stored).tolist()
    assert [one["text"] for one in answer["words"][1][0]] == ["second", "comma", "3"]


def test_without_a_map_there_are_no_places_and_nothing_is_returned_unasked(
    tmp_path: Path, fake: ModuleType, make_run: Any
) -> None:
    run = make_run(tmp_path, fake.make_dataset(24, 6, pairs=True), rounds=0)
    answer = counterfactual(ModelShelf(tmp_path), {"run": run.id, "round": 0, "texts": [["text 1", "second 2"]]})
    assert answer["places"] == {}
    assert not {"vectors", "words"} & set(answer)
    assert len(answer["nearest"][0]) == 5
    assert " ⫽ second " in answer["nearest"][0][0]["text"]


def test_what_is_no_question_is_refused(tmp_path: Path, fake: ModuleType, make_run: Any) -> None:
    run, shelf = make_run(tmp_path, fake.make_dataset(24, 6), rounds=0), ModelShelf(tmp_path)
    about = {"run": run.id, "round": 0, "texts": [["a text"]]}
    for more, error, message in (
        ({"k": 0}, SettingsError, "k = 0 is out of range: it must be between 1 and 100"),
        ({"texts": "a text"}, DataError, "a list of lists of one or two texts, not str"),
        ({"texts": ["a text"]}, DataError, "lists of one or two texts: "),
        ({"texts": [["a", "b"]]}, DataError, "single texts"),
        ({"without": "nobody"}, DataError, "no example 'nobody' to leave out"),
    ):
        with pytest.raises(error, match=message):
            counterfactual(shelf, {**about, **more})
