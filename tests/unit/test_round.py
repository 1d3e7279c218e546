"""One round from end to end, with a real encoder of three layers."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alvin_core import anchors as anchors_module
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.errors import Cancelled, DataError, SettingsError
from alvin_core.metrics import accuracy, jaccard
from alvin_core.progress import ProgressEvent
from alvin_core.round import RoundResult, run_round
from alvin_core.strategies import selecting, strategy_names

HERE = Path(__file__).parent


def module_at(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tiny = module_at(HERE / "tiny_round.py", "tiny_round")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoders = module_at(HERE / "encoding" / "conftest.py", "tiny_encoders")
    return encoders.save_encoder(tmp_path_factory.mktemp("bert"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load_encoder(tiny.make_settings(folder).encoder, tiny.PLAN)


@pytest.fixture
def play(folder: Path, encoder: Encoder):
    """Run a round of a data set with some settings changed."""

    def run(dataset=None, *, labeled=None, round_no: int = 0, progress=None, **changes: object) -> RoundResult:
        dataset = dataset or tiny.make_dataset()
        settings = tiny.make_settings(folder, **changes)
        inputs = tiny.make_inputs(dataset, settings, encoder=encoder, labeled=labeled, round_no=round_no)
        return run_round(inputs, settings, tiny.PLAN, **({} if progress is None else {"progress": progress}))

    return run


def vectors_of(result: RoundResult, rows: np.ndarray) -> np.ndarray:
    """The vectors of some rows of the data set."""
    place_of_row = {row: place for place, row in enumerate(result.vector_rows.tolist())}
    return result.vectors[[place_of_row[row] for row in rows.tolist()]]


def selected(result: RoundResult) -> dict[str, list[str]]:
    return {name: one.ids.tolist() for name, one in result.alternatives.items()}


def test_a_strategy_beside_takes_what_it_takes_as_the_run_s_own(play) -> None:
    rounds = {name: play(strategy=name) for name in strategy_names()}
    own = {name: result.selection.ids.tolist() for name, result in rounds.items()}
    for name, result in rounds.items():
        assert selected(result) == {other: ids for other, ids in own.items() if other != name}
    assert len({tuple(ids) for ids in own.values()}) > 1


def test_one_labeled_set_and_seed_give_one_model_whatever_the_strategy(play) -> None:
    one, other, reseeded = play(strategy="alvin"), play(strategy="random"), play(strategy="random", seed=1)
    np.testing.assert_array_equal(one.probs, other.probs)
    np.testing.assert_array_equal(one.vectors, other.vectors)
    np.testing.assert_array_equal(one.dynamics.gold_prob, other.dynamics.gold_prob)
    assert not np.array_equal(one.probs, reseeded.probs)


def test_the_same_seed_gives_the_same_round_and_another_round_number_another(play) -> None:
    one, again, later = play(), play(), play(round_no=1)
    assert one.selection.ids.tolist() == again.selection.ids.tolist()
    assert selected(one) == selected(again)
    np.testing.assert_array_equal(one.selection.anchors.weights, again.selection.anchors.weights)
    assert selected(one)["random"] != selected(later)["random"]
    assert not np.array_equal(one.probs, later.probs)


def test_the_pool_is_what_is_neither_labeled_nor_evaluated(play) -> None:
    dataset = tiny.make_dataset()
    result = play(dataset, labeled=[30, 3, 17, 8])
    assert result.labeled_rows.tolist() == [30, 3, 17, 8]
    assert result.pool_rows.tolist() == sorted(set(range(tiny.N_POOL)) - {30, 3, 17, 8})
    assert result.vector_rows.tolist() == [*result.pool_rows, 30, 3, 17, 8]
    for one in (result.selection, *result.alternatives.values()):
        np.testing.assert_array_equal(dataset.ids[result.pool_rows[one.rows]], one.ids)


def test_anchors_lie_between_the_vectors_of_the_labeled_examples(play) -> None:
    dataset = tiny.make_dataset()
    result = play(dataset)
    anchors = result.selection.anchors
    assert anchors.parent_ids.tolist() == dataset.ids[result.labeled_rows].tolist()
    np.testing.assert_array_equal(anchors.parent_vectors, vectors_of(result, result.labeled_rows))
    assert result.groups.is_minority[anchors.minority_rows].all()
    assert not result.groups.is_minority[anchors.majority_rows].any()
    np.testing.assert_array_equal(dataset.labels[result.labeled_rows][anchors.minority_rows], anchors.classes)


def test_a_link_tells_the_distance_from_the_selected_to_the_anchor(play) -> None:
    result = play()
    links, anchors = result.selection.provenance, result.selection.anchors
    row_of = dict(zip(result.selection.ids.tolist(), result.pool_rows[result.selection.rows].tolist(), strict=True))
    rows = np.array([row_of[one] for one in links.ids.tolist()])
    vectors = vectors_of(result, rows)
    expected = np.linalg.norm(vectors - anchors.vectors_of(links.anchor_rows), axis=1)
    np.testing.assert_allclose(links.distances, expected, rtol=1e-5)


def test_the_figures_are_those_of_the_predictions(play) -> None:
    dataset = tiny.make_dataset()
    result = play(dataset)
    own, entropy = result.selection, result.alternatives["entropy"]
    figures = result.summary["selection"]
    confidence = result.probs.max(axis=1)
    assert figures["mean_confidence"] == pytest.approx(confidence[result.pool_rows[own.rows]].mean())
    assert figures["uncertainty_mean_confidence"] == pytest.approx(confidence[result.pool_rows[entropy.rows]].mean())
    assert figures["overlap_entropy"] == jaccard(own.ids, entropy.ids)
    assert figures["class_shares"].get("neg", 0) == np.mean(dataset.labels[result.pool_rows[own.rows]] == 0)
    labeled = vectors_of(result, result.labeled_rows)
    chosen = vectors_of(result, result.pool_rows[own.rows])
    distances = np.linalg.norm(chosen[:, None] - labeled[None], axis=2).min(axis=1)
    assert figures["diversity"] == pytest.approx(distances.mean(), rel=1e-4)
    assert set(figures["others"]) == set(strategy_names()) - {"alvin"}
    test = dataset.rows_of("test")
    assert result.metrics["test"]["accuracy"] == accuracy(dataset.labels[test], result.probs[test].argmax(axis=1))
    json.dumps(result.summary, allow_nan=False)
    assert set(result.seconds) == {"train", "evaluate", "select", "measure"}


def test_groups_leave_out_what_has_no_known_attribute(play) -> None:
    dataset = tiny.make_dataset()
    test = dataset.rows_of("test")
    groups = play(dataset).metrics["test"]["groups"]
    assert sum(group["n"] for group in groups.values()) == np.count_nonzero(dataset.attributes[test] != "") < len(test)
    assert play(replace(dataset, attributes=None)).metrics["test"]["worst_group_accuracy"] is None


def test_where_most_minority_examples_were_filled_in_the_round_says_so(play) -> None:
    alike = tiny.make_dataset(attributes=np.full(tiny.N_POOL + tiny.N_TEST, "x"))
    result = play(alike, groups__rule="known")
    assert result.groups.filled_share == 1
    assert result.warnings[0] == (
        "100% of the minority examples were filled up by low confidence, not found by the 'known' rule "
        "(classes: neg, pos)"
    )


def test_where_half_of_the_minority_was_filled_in_nothing_is_said(play) -> None:
    attributes = np.full(tiny.N_POOL + tiny.N_TEST, "x")
    attributes[0] = "y"  # the minority of class 0 is found, that of class 1 is filled
    result = play(tiny.make_dataset(attributes=attributes), groups__rule="known")
    assert result.groups.filled_share == 0.5
    assert result.warnings == ()


def test_nothing_is_left_to_select_of_an_empty_pool(play) -> None:
    result = play(labeled=np.arange(tiny.N_POOL))
    assert (len(result.selection), result.alternatives, len(result.pool_rows)) == (0, {}, 0)
    assert result.warnings[-1] == "the pool is empty"
    assert result.summary["selection"]["n"] == 0
    assert result.summary["selection"]["candidate_share"] is None
    assert 0 <= result.metrics["test"]["accuracy"] <= 1
    json.dumps(result.summary, allow_nan=False)


@pytest.mark.parametrize("strategy", strategy_names())
def test_a_budget_above_the_pool_takes_all_that_is_left(play, strategy: str) -> None:
    result = play(labeled=np.arange(tiny.N_POOL - 3), strategy=strategy, budget=50)
    assert sorted(result.selection.ids.tolist()) == ["e37", "e38", "e39"]


def test_without_an_evaluation_split_there_is_nothing_to_evaluate(play) -> None:
    result = play(tiny.make_dataset(n_test=0))
    assert result.metrics == {}
    assert len(result.selection) == 5


def test_a_class_without_labeled_examples_gets_no_anchors(play) -> None:
    dataset = tiny.make_dataset(3)
    result = play(dataset, labeled=np.flatnonzero(dataset.labels[:30] != 1))
    assert result.probs.shape == (len(dataset), 3)
    np.testing.assert_allclose(result.probs.sum(axis=1), 1, atol=1e-6)
    assert set(result.selection.anchors.classes.tolist()) == {0, 2}
    assert result.metrics["test"]["n"] == tiny.N_TEST


def test_where_all_must_stay_majority_the_whole_pool_is_ranked_and_the_round_says_so(play) -> None:
    result = play(groups__min_majority=100)
    assert result.summary["groups"]["n_minority"] == 0
    assert result.summary["anchors"] == {"n": 0, "k": None}
    assert result.selection.ids.tolist() == selected(result)["entropy"]
    assert result.warnings == ("no class had anchors, so the whole pool was ranked",)


@pytest.mark.parametrize("depth", [0, 2])
def test_in_the_encoder_s_space_vectors_are_the_frozen_encoder_s(play, folder: Path, encoder: Encoder, depth) -> None:
    changes = {"training__trainable_layers": depth, "space": "encoder"}
    dataset, settings = tiny.make_dataset(), tiny.make_settings(folder, **changes)
    embeddings = tiny.make_inputs(dataset, settings, encoder=encoder).embeddings
    result = play(dataset, **changes)
    np.testing.assert_array_equal(result.vectors, embeddings[result.vector_rows])
    np.testing.assert_array_equal(result.selection.anchors.parent_vectors, embeddings[result.labeled_rows])
    in_the_model_s = play(dataset, training__trainable_layers=depth)
    np.testing.assert_array_equal(result.probs, in_the_model_s.probs)
    assert not np.array_equal(result.vectors[:, :8], in_the_model_s.vectors[:, :8])


@pytest.mark.parametrize("depth", [0, 1, "all"])
def test_pairs_are_read_at_every_depth(play, depth) -> None:
    result = play(tiny.make_dataset(pairs=True), training__trainable_layers=depth)
    assert result.vectors.shape == (tiny.N_POOL, 8 if depth == 0 else 16)
    assert result.summary["anchors"]["n"] > 0


def test_what_a_person_has_not_said_is_not_looked_at(play) -> None:
    dataset = tiny.make_dataset()
    labeled = np.arange(tiny.N_LABELED)
    hidden = dataset.labels.copy()
    hidden[tiny.N_LABELED : tiny.N_POOL] = -1
    known = play(dataset, labeled=labeled, annotator="person")
    unknown = play(replace(dataset, labels=hidden), labeled=labeled, annotator="person")
    assert known.summary == unknown.summary
    assert known.summary["selection"]["class_shares"] == known.summary["selection"]["group_shares"] == {}
    assert known.selection.ids.tolist() == unknown.selection.ids.tolist()
    oracle = play(dataset, labeled=labeled)
    assert oracle.selection.ids.tolist() == known.selection.ids.tolist()
    assert oracle.summary["selection"]["class_shares"] != {}


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail where a round begins to train."""
    from alvin_core import round as round_module

    def train(*arguments: object) -> None:
        raise AssertionError("the round began to train")

    with monkeypatch.context() as patch:
        patch.setattr(round_module, "train_model", train)
        yield


@pytest.mark.usefixtures("no_training")
def test_an_unlabeled_example_to_evaluate_on_is_refused_before_training(play) -> None:
    labels = tiny.make_dataset().labels.copy()
    labels[-3:] = -1
    with pytest.raises(DataError, match=r"3 examples to evaluate on have no label, first e47 in test; label them"):
        play(tiny.make_dataset(labels=labels))


@pytest.mark.usefixtures("no_training")
def test_known_groups_without_attributes_are_refused_before_training(play) -> None:
    with pytest.raises(SettingsError, match=r"groups.rule = 'known' needs attributes, and the data set has none"):
        play(tiny.make_dataset(attributes=None), groups__rule="known")


@pytest.mark.usefixtures("no_training")
def test_the_encoder_s_space_without_embeddings_is_refused_before_training(folder: Path, encoder: Encoder) -> None:
    inputs = tiny.make_inputs(tiny.make_dataset(), tiny.make_settings(folder), encoder=encoder)
    with pytest.raises(ValueError, match="space = 'encoder' needs the embeddings"):
        run_round(inputs, tiny.make_settings(folder, space="encoder"), tiny.PLAN)


def test_a_strategy_that_fails_beside_does_not_stop_the_run(play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchors_module, "MAX_ANCHORS", 10)
    result = play(strategy="entropy")
    assert set(result.alternatives) == set(strategy_names()) - {"alvin", "entropy"}
    assert result.warnings[-1].startswith("what 'alvin' would have taken is not known: ")
    assert "above the limit of 10; set alvin.max_pairs" in result.warnings[-1]
    with pytest.raises(SettingsError, match="above the limit of 10"):
        play(strategy="alvin")


def test_alvin_is_left_out_where_it_takes_too_long_beside_and_the_round_says_so(
    play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "MAX_COMPARED_STEPS", 1000)
    result = play(strategy="entropy")
    assert set(result.alternatives) == set(strategy_names()) - {"alvin", "entropy"}
    assert "steps are more than the 1e+03 that a comparison is worth" in result.warnings[-1]
    assert len(play(strategy="alvin").selection) == 5


def test_without_a_named_slice_nobody_speaks_of_the_strategy_that_needs_one(play) -> None:
    result = play(counter_shortcut__slice=None)
    assert set(result.alternatives) == set(strategy_names()) - {"alvin", "counter-shortcut"}
    assert "counter-shortcut" not in result.summary["selection"]["left_out"]
    assert not [warning for warning in result.warnings if "counter-shortcut" in warning]


@pytest.mark.usefixtures("no_training")
def test_a_strategy_without_its_slice_is_refused_before_training(play) -> None:
    with pytest.raises(SettingsError, match=r"selects from a slice, and there is none .* = None"):
        play(strategy="counter-shortcut", counter_shortcut__slice=None)
    with pytest.raises(SettingsError, match="'anchoral' selects from a slice"):
        play(strategy="anchoral", anchoral__base="counter-shortcut", counter_shortcut__slice=None)


def test_a_slice_that_is_gone_is_told_where_its_strategy_only_stands_beside(folder: Path, encoder: Encoder) -> None:
    settings = tiny.make_settings(folder)
    inputs = replace(tiny.make_inputs(tiny.make_dataset(), settings, encoder=encoder), slice_=None)
    result = run_round(inputs, settings, tiny.PLAN)
    assert "counter-shortcut" not in result.alternatives
    assert result.warnings[-1].startswith("what 'counter-shortcut' would have taken is not known: ")


def test_the_members_of_the_slice_are_those_of_the_data_set_s_rows(play) -> None:
    result = play(strategy="counter-shortcut", labeled=[3, 30, 17, 8])
    rows = result.pool_rows[result.selection.rows]
    assert (rows % 2 == 0).all()
    members = [row for row in range(0, tiny.N_POOL, 2) if row not in (8, 30)]
    expected = sorted(members, key=lambda row: (result.probs[row, 1], row))  # least of the class that the shortcut says
    assert rows.tolist() == expected[:5]


def test_what_else_takes_too_long_beside_is_left_out_and_the_figures_tell_what_it_costs(
    play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "MAX_BESIDE_STEPS", 100)
    result = play(strategy="entropy")
    assert set(result.alternatives) == {"alvin", "random", "margin", "least-confidence", "counter-shortcut"}
    figures = result.summary["selection"]
    assert set(figures["left_out"]) == set(strategy_names()) - set(result.alternatives) - {"entropy"}
    assert min(figures["left_out"].values(), default=101) > 100
    assert not [warning for warning in result.warnings if "would have taken" in warning]


@pytest.mark.parametrize(("beside", "names"), [("entropy", {"entropy"}), ("none", set())])
def test_fewer_strategies_stand_beside_where_that_is_asked_for(play, beside: str, names: set[str]) -> None:
    everything, fewer = play(), play(runtime__beside=beside)
    assert set(fewer.alternatives) == names
    assert fewer.selection.ids.tolist() == everything.selection.ids.tolist()
    assert fewer.summary["selection"]["left_out"] == {}
    assert play(strategy="entropy", runtime__beside=beside).alternatives == {}


def test_a_round_stops_where_the_user_cancels_it_even_beside_its_own_strategy(play) -> None:
    def cancel(event: ProgressEvent) -> None:
        if event.stage == "retrieve":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        play(strategy="entropy", progress=cancel)


def test_where_nearly_all_the_pool_is_a_candidate_the_round_says_so(play) -> None:
    crowded = play(alvin__k=28)
    assert "100% of the pool are candidates, so the rank alone decides" in " ".join(crowded.warnings)
    sparse = play(alvin__k=1, alvin__n_anchors=1, alvin__max_pairs=2, budget=2)
    assert "are candidates" not in " ".join(sparse.warnings)
