from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core import settings as settings_module
from alvin_core.run import create_run, open_run
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings, TrainingSettings

pytestmark = pytest.mark.usefixtures("real_engine")


def settings(encoder: Path, **changes: Any) -> RunSettings:
    plain = RunSettings(
        budget=4,
        initial=8,
        encoder=EncoderSettings(name=str(encoder), max_length=32),
        training=TrainingSettings(epochs=2, hidden=8),
        runtime=RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
    )
    return plain.with_values({name.replace("__", "."): value for name, value in changes.items()})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"space": "encoder"},
        {"training__trainable_layers": 1},
        {"training__trainable_layers": "all", "space": "encoder", "strategy": "entropy"},
    ],
)
def test_real_rounds_are_stored_replayed_and_looked_into(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path, changes: dict[str, Any]
) -> None:
    run = create_run(tmp_path, fake.make_dataset(24, 6), settings(tiny_encoder, **changes))
    records = list(run.run_rounds(2))
    assert [record.n_labeled for record in records] == [8, 12, 16]
    assert {"load", "encode", "train", "evaluate", "select"} <= records[0].seconds.keys()
    assert records[1].seconds["encode"] == 0
    json.dumps(records[-1].to_dict(), allow_nan=False)
    again = open_run(tmp_path, run.id)
    assert [(one.same, one.note) for one in again.replay()] == [(True, "")] * 3
    examples, selection, anchors = again.examples(1), again.selection(1), again.anchors(1)
    assert examples["labeled"].sum() == 12
    assert examples.loc[examples["selected"], "id"].isin(selection["id"]).all()
    ids, vectors = again.vectors(1)
    assert vectors.shape[0] == len(ids) == 24
    if run.settings.strategy == "alvin":
        assert {"rank_alvin", "rank_entropy", "rank_random"} <= set(examples.columns)
        assert len(anchors) == records[1].anchors["n"] > 0
        assert set(anchors["minority_id"]) <= set(examples.loc[examples["labeled"], "id"])
        links = again.provenance(1)
        assert set(links["id"]) == set(selection["id"])
        counts = links["id"].value_counts()
        assert selection.set_index("id")["n_anchors"].to_dict() == counts.to_dict()
        nearest = links.groupby("id")["distance"].min()
        assert selection.set_index("id")["nearest_distance"].sub(nearest).abs().max() < 1e-6


def test_a_fork_with_another_depth_loads_what_it_needs(tmp_path: Path, fake: ModuleType, tiny_encoder: Path) -> None:
    run = create_run(tmp_path, fake.make_dataset(24, 6), settings(tiny_encoder))
    list(run.run_rounds(1))
    child = run.fork(1, changes={"training.trainable_layers": 1})
    list(child.run_rounds(2))
    assert [one.same for one in child.replay()] == [True] * 3
    assert child.vectors(0)[1].shape[1] == 8
    assert child.vectors(1)[1].shape[1] == 16


def test_cut_texts_are_told_of_once(tmp_path: Path, fake: ModuleType, tiny_encoder: Path) -> None:
    run = create_run(tmp_path, fake.make_dataset(24, 6), settings(tiny_encoder, encoder__max_length=8))
    first, second = run.run_rounds(1)
    assert first.warnings == () or not any("longer" in one for one in first.warnings)
    longer = create_run(
        tmp_path,
        fake.make_dataset(24, 6, pairs=True),
        settings(tiny_encoder, encoder__max_length=8, training__trainable_layers=1),
    )
    first, second = longer.run_rounds(1)
    assert "30 of 30 texts are longer than the encoder reads (at most 8 tokens)" in first.warnings[0]
    assert not any("longer" in one for one in second.warnings)


def test_vectors_of_a_frozen_encoder_are_stored_once(tmp_path: Path, fake: ModuleType, tiny_encoder: Path) -> None:
    links = {}
    for space in ("encoder", "model"):
        run = create_run(tmp_path, fake.make_dataset(24, 6), settings(tiny_encoder, space=space))
        list(run.run_rounds(2))
        files = sorted((tmp_path / "runs" / run.id).glob("round-*/vectors.npy"))
        links[space] = [path.stat().st_nlink for path in files]
        assert (run.vectors(0)[1] == run.vectors(2)[1]).all() == (space == "encoder")
    assert links == {"encoder": [3, 3, 3], "model": [1, 1, 1]}


def test_vectors_encoded_beside_the_trained_layers_are_counted(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path
) -> None:
    deep = settings(tiny_encoder, space="encoder", training__trainable_layers="all")
    first, second = create_run(tmp_path, fake.make_dataset(24, 6), deep).run_rounds(1)
    assert first.encoding["n_encoded"] == 30
    assert first.encoding["texts_per_second"] > 0
    assert (second.encoding["n_encoded"], second.encoding["texts_per_second"]) == (0, None)


def test_a_default_that_changes_later_does_not_change_what_a_round_is_replayed_with(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unset = settings(tiny_encoder, training__epochs=None, training__head_learning_rate=None)
    run = create_run(tmp_path, fake.make_dataset(), unset)
    list(run.run_rounds(1))
    monkeypatch.setattr(settings_module, "FROZEN_DEFAULTS", {**settings_module.FROZEN_DEFAULTS, "epochs": 1})
    assert [replayed.same for replayed in open_run(tmp_path, run.name).replay()] == [True, True]
    assert len(run.dynamics(1).correct) == 20


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"space": "encoder"},
        {"training__trainable_layers": 1},
        {"training__trainable_layers": "all"},
        {"training__trainable_layers": 1, "space": "encoder", "strategy": "entropy"},
    ],
)
def test_added_examples_are_read_by_themselves_and_old_rounds_stay_repeatable(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path, changes: dict[str, Any]
) -> None:
    run = create_run(tmp_path, fake.make_dataset(24, 6), settings(tiny_encoder, **changes))
    run.step()
    run.add_example(
        ("text 41, with a text, a text, a text, a text, a text, a text, a text",), "pos", parent_id="e00002"
    )
    second = run.step()
    assert run.step().encoding["n_encoded"] == 0
    encoded = {(0, "model"): 1, (0, "encoder"): 1, (1, "model"): 1, (1, "encoder"): 2, ("all", "model"): 0}
    depth, space = run.settings.training.trainable_layers, run.settings.space
    assert second.encoding["n_encoded"] == encoded[depth, space]
    assert second.n_labeled == 13
    run.add_example(("text 42",), "neg")
    run.undo("edit-0001")
    run.step()
    run.add_example(("text 43, with a comma",), "neg")
    assert [(one.same, one.note) for one in run.replay()] == [(True, "")] * 4
    again = open_run(tmp_path, run.id)
    assert [(one.same, one.note) for one in again.replay()] == [(True, "")] * 4
    kept = [run._handle.round(one)[1]["probs"] for one in range(4)]
    assert [len(one) for one in kept] == [30, 31, 31, 32]
    ids, vectors = run.vectors(1)
    assert (len(ids), len(vectors), ids[-1]) == (25, 25, "edit-0001")


def test_what_is_predicted_does_not_depend_on_what_is_added_later(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path
) -> None:
    """Bit by bit: a round computed anew, with its vectors and probabilities, is the stored one."""
    import numpy as np

    run = create_run(tmp_path, fake.make_dataset(24, 6), settings(tiny_encoder, training__trainable_layers=1))
    run.step()
    run.add_example(("text 41",), "pos")
    run.step()
    for number in range(50, 60):
        run.add_example((f"text {number}, with a comma",), "neg")
    _, arrays = run._handle.round(1)
    engine = open_run(tmp_path, run.id)._engine.grown(run._handle.dataset_of(31))
    rows = arrays["labeled_rows"].astype(np.int64)
    result, _ = engine.compute(rows, run.dataset.labels[rows], 1, run.settings)
    np.testing.assert_array_equal(result.probs, arrays["probs"])
    by_row = np.argsort(result.vector_rows)
    np.testing.assert_array_equal(result.vectors[by_row], run.vectors(1)[1])
    np.testing.assert_array_equal(result.vector_rows[by_row], arrays["vector_rows"])


def test_the_data_set_is_not_encoded_again_because_of_an_added_text(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alvin_core.encoding import encode

    sizes = []
    real = encode.encode_texts

    def counting(encoder: Any, texts: Any, *arguments: Any, **named: Any) -> Any:
        sizes.append(len(texts))
        return real(encoder, texts, *arguments, **named)

    monkeypatch.setattr("alvin_core.encoding.features.encode_texts", counting)
    run = create_run(tmp_path, fake.make_dataset(24, 6, pairs=True), settings(tiny_encoder))
    list(run.run_rounds(1))
    run.add_example(("text 41", "second 41"), "pos")
    run.step()
    run.add_example(("text 42", "second 42"), "pos")
    list(run.run_rounds(4))
    assert sizes == [30, 30, 1, 1, 1, 1]  # both texts of each pair, read apart
    assert list((tmp_path / "cache").glob("*.partial")) == []
    assert len([one for one in (tmp_path / "cache").iterdir() if one.is_dir()]) == 2


def test_an_added_text_that_is_cut_is_told_of_in_its_round(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path
) -> None:
    run = create_run(tmp_path, fake.make_dataset(24, 6), settings(tiny_encoder, encoder__max_length=8))
    run.step()
    run.add_example(("text a text a text a text a text a text a text",), "pos")
    warnings = run.step().warnings
    assert warnings[0].startswith("1 of 1 texts is longer than the encoder reads (at most 8 tokens)")
    assert not any("longer" in one for one in run.step().warnings)
