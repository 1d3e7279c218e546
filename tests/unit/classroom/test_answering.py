"""A world's answer: the engine's own rounds, kept, and computed once however many ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alvin_core.classroom import answer, answering
from alvin_core.classroom.answering import Shelf
from alvin_core.classroom.plane import PlaneEncoder, PlaneFeatures, read_places
from alvin_core.classroom.planting import plant_points
from alvin_core.classroom.settings import WorldSettings
from alvin_core.classroom.world import World, run_settings
from alvin_core.encoding import features, transformer
from alvin_core.run import create_run

ROUNDS = 2
SEED = 1


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    return answer({"seed": SEED, "rounds": ROUNDS, "strategies": ["alvin", "entropy"]})


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """Which rounds were really computed."""
    calls: list[tuple[str, int]] = []
    really = World.run_round

    def counted(self: World, strategy: str, labeled_rows: Any, round_no: int) -> Any:
        calls.append((strategy, round_no))
        return really(self, strategy, labeled_rows, round_no)

    monkeypatch.setattr(World, "run_round", counted)
    return calls  # type: ignore[return-value]


def without_seconds(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: without_seconds(value) for name, value in told.items() if name != "seconds"}
    return [without_seconds(value) for value in told] if isinstance(told, list) else told


@pytest.mark.parametrize("strategy", ["alvin", "entropy"])
def test_each_round_is_that_of_a_run_in_a_store(
    world: dict[str, Any], strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The whole engine, as any run has it: only the encoder is the plane's.
    monkeypatch.setattr(transformer, "load_encoder", lambda settings, plan: PlaneEncoder(plan))
    monkeypatch.setattr(
        features, "compute_features", lambda encoder, texts, second, **rest: PlaneFeatures(read_places(texts))
    )
    settings = WorldSettings(seed=SEED)
    dataset = plant_points(settings).as_dataset()
    run = create_run(tmp_path / "store", dataset, run_settings(settings, strategy), name="world")
    for number, record in enumerate(run.run_rounds(ROUNDS)):
        told = world["runs"][strategy][number]
        arrays = run._handle.round(number)[1]
        assert record.metrics["test"]["accuracy"] == told["metrics"]["accuracy"]
        balanced = record.metrics["ood:balanced"]
        assert balanced["accuracy"] == told["metrics"]["balanced_accuracy"]
        assert balanced["worst_group_accuracy"] == told["metrics"]["worst_group"]
        assert arrays["labeled_rows"].tolist() == told["labeled"]
        assert arrays["labeled_rows"][arrays["is_minority"]].tolist() == told["minority"]
        assert arrays["selected_rows"].tolist() == told["selected"]
        assert arrays[f"ranking:{strategy}"].tolist() == told["ranking"]
        assert np.allclose(arrays["gold_prob"].T, told["dynamics"]["gold_prob"], atol=0.0051)
        assert ["".join("01"[one] for one in row) for row in arrays["correct"].T.astype(int)] == told["dynamics"][
            "correct"
        ]
        if strategy == "alvin":
            assert len(arrays["anchor_weights"]) == told["n_anchors"]
            assert arrays["candidate_rows"].tolist() == told["candidates"]


def test_anchors_lie_on_their_segments_and_found_their_nearest_points(world: dict[str, Any]) -> None:
    xy = np.array(world["points"]["xy"])
    split, labels = np.array(world["points"]["split"]), world["points"]["label"]
    for told in world["runs"]["alvin"]:
        unlabeled = np.setdiff1d(np.flatnonzero(split == "pool"), told["labeled"])
        minority = set(told["minority"])
        assert told["anchors"]
        for anchor, found in zip(told["anchors"], told["neighbors"], strict=True):
            first, second = anchor["minority"], anchor["majority"]
            assert [first, second] in told["segments"]
            assert first in minority
            assert second not in minority
            assert labels[first] == labels[second] == anchor["class"]
            place = anchor["weight"] * xy[first] + (1 - anchor["weight"]) * xy[second]
            assert np.allclose(place, anchor["xy"], atol=0.004)
            distances = np.linalg.norm(xy[unlabeled] - anchor["xy"], axis=1)
            assert distances[np.isin(unlabeled, found)].max() <= np.sort(distances)[told["k"] - 1] + 0.002
            assert set(found) <= set(told["candidates"])


def test_where_all_anchors_are_shown_their_neighbors_are_the_candidates(world: dict[str, Any]) -> None:
    told = world["runs"]["alvin"][0]
    assert len(told["anchors"]) == told["n_anchors"] == 5 * told["pairs_total"]
    assert {row for found in told["neighbors"] for row in found} == set(told["candidates"])


def test_too_many_anchors_are_thinned_evenly_and_the_count_says_how_many_there_are() -> None:
    told = answer({"seed": SEED, "strategies": ["alvin"], "rule": "confidence", "n_initial": 100})["runs"]["alvin"][0]
    # A quarter of each class of 50 is minority, 13 of 50: 13 × 37 pairs twice, five anchors each.
    assert told["pairs_total"] == 2 * 13 * 37
    assert told["n_anchors"] == 5 * 2 * 13 * 37
    assert len(told["segments"]) == 300
    assert len(told["anchors"]) == len(told["neighbors"]) == 120
    assert all([one["minority"], one["majority"]] in told["segments"] for one in told["anchors"])
    assert {one["class"] for one in told["anchors"]} == {0, 1}


def test_the_selected_are_the_first_of_the_ranking_by_score_with_an_anchor_as_reason(world: dict[str, Any]) -> None:
    for strategy, rounds in world["runs"].items():
        for told in rounds:
            scores = [told["scores"][str(row)] for row in told["ranking"]]
            assert scores == sorted(scores, reverse=True)
            assert told["selected"] == told["ranking"][:10]
            if strategy == "alvin":
                assert sorted(told["ranking"]) == told["candidates"]
                assert [one["row"] for one in told["reasons"]] == told["selected"]
                for one in told["reasons"]:
                    gap = np.subtract(world["points"]["xy"][one["row"]], one["anchor"]["xy"])
                    assert np.linalg.norm(gap) == pytest.approx(one["distance"], abs=0.003)
            else:
                assert told["anchors"] == told["segments"] == told["neighbors"] == told["candidates"] == []


@pytest.mark.parametrize("rank", ["certainty", "distance", "frequency"])
def test_scores_are_those_of_the_rank(rank: str) -> None:
    told = answer({"seed": SEED, "strategies": ["alvin"], "rank": rank})["runs"]["alvin"][0]
    scores = [told["scores"][str(row)] for row in told["ranking"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == len(told["candidates"])
    if rank == "frequency":
        found = [row for one in told["neighbors"] for row in one]
        assert scores == [found.count(row) for row in told["ranking"]]


def test_the_boundary_is_told_from_the_bottom_left(world: dict[str, Any]) -> None:
    shortcut = world["runs"]["alvin"][0]["boundary"]
    prob = np.array(shortcut["prob"]).reshape(shortcut["grid"], shortcut["grid"])
    assert (prob[:, 0] < 0.5).all()
    assert (prob[:, -1] > 0.5).all()
    told = answer({"strength": 0.5, "n_initial": 200, "strategies": ["random"]})["runs"]["random"][0]
    core = np.array(told["boundary"]["prob"]).reshape(shortcut["grid"], shortcut["grid"])
    assert (core[0] < 0.5).all()  # low: circles, the first class
    assert (core[-1] > 0.5).all()


def test_the_next_round_s_labels_are_this_round_s_and_its_selection(world: dict[str, Any]) -> None:
    for rounds in world["runs"].values():
        assert [one["round"] for one in rounds] == [0, 1, 2]
        for one, following in pairwise(rounds):
            assert following["labeled"] == one["labeled"] + one["selected"]
    first = [rounds[0] for rounds in world["runs"].values()]
    assert first[0]["labeled"] == first[1]["labeled"]
    assert first[0]["boundary"] == first[1]["boundary"]  # one labeled set, one model


def test_the_same_settings_and_seed_give_the_same_answer_in_another_process_s_place(world: dict[str, Any]) -> None:
    anew = Shelf().answer({"seed": SEED, "rounds": ROUNDS})
    assert without_seconds(anew) == without_seconds(world)
    other = Shelf().answer({"seed": SEED + 1})
    assert other["points"]["xy"] != world["points"]["xy"]


def test_one_round_more_computes_that_round_alone(computed: list[tuple[str, int]]) -> None:
    shelf = Shelf()
    shelf.answer({"rounds": 1, "strategies": ["alvin"]})
    assert computed == [("alvin", 0), ("alvin", 1)]
    told = shelf.answer({"rounds": 2, "strategies": ["alvin"]})
    assert computed == [("alvin", 0), ("alvin", 1), ("alvin", 2)]
    assert len(told["runs"]["alvin"]) == 3
    assert len(shelf.answer({"rounds": 0, "strategies": ["alvin"]})["runs"]["alvin"]) == 1
    shelf.answer({"rounds": 0, "strategies": ["alvin", "entropy"]})
    assert computed[3:] == [("entropy", 0)]


def test_thirty_who_ask_the_same_at_once_wait_for_one_computation(computed: list[tuple[str, int]]) -> None:
    shelf = Shelf()
    with ThreadPoolExecutor(30) as everybody:
        answers = list(everybody.map(lambda _: shelf.answer({"seed": 3}), range(30)))
    assert sorted(computed) == [("alvin", 0), ("entropy", 0)]
    assert all(one == answers[0] for one in answers)


def test_the_world_that_was_not_asked_for_the_longest_is_let_go(computed: list[tuple[str, int]]) -> None:
    shelf = Shelf(most=2)
    for seed in (1, 2, 1, 3, 1):
        shelf.answer({"seed": seed, "strategies": ["random"]})
    assert len(computed) == 3
    shelf.answer({"seed": 2, "strategies": ["random"]})
    assert len(computed) == 4


def test_an_answer_of_six_rounds_is_plain_and_small() -> None:
    told = answer({"rounds": 6, "seed": SEED})
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    assert json.loads(text) == told
    assert len(text) < 400_000
    assert told["settings"] == WorldSettings(seed=SEED).to_dict()
    assert told["classes"] == ["circle", "square"]
    lengths = {name: len(column) for name, column in told["points"].items()}
    assert set(lengths.values()) == {900}


def test_a_pool_that_runs_empty_ends_with_a_warning() -> None:
    told = answer({"n_pool": 60, "n_initial": 30, "budget": 20, "rounds": 2, "strategies": ["entropy"]})
    rounds = told["runs"]["entropy"]
    assert [len(one["selected"]) for one in rounds] == [20, 10, 0]
    assert rounds[-1]["warnings"] == ["the pool is empty"]
    assert rounds[-1]["confidence"] is None


def test_the_module_s_shelf_is_what_answers(world: dict[str, Any]) -> None:
    assert answering.answer({"seed": SEED})["runs"]["alvin"][0] is world["runs"]["alvin"][0]
