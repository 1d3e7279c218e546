"""Predict, then reveal: every answer is recomputed here from the world itself."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest

from alvin_core.classroom import answer
from alvin_core.classroom.quiz import make_questions, shortcut_share
from alvin_core.classroom.settings import STAGES, WorldSettings
from alvin_core.classroom.world import make_world

SEEDS = (0, 1, 2)
KINDS = {
    "balanced", "boundary", "minority", "contradict", "candidate", "selected", "confidence", "gain", "found",
}  # fmt: skip


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest) -> dict[str, Any]:
    return answer({"seed": request.param, "rounds": 1, "questions": True})


def of_kind(world: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [one for one in world["questions"] if one["kind"] == kind]
    assert found
    return found


def round_of(world: dict[str, Any], question: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = world["runs"][question["strategy"]][question["round"]]
    return told


def right(question: dict[str, Any]) -> str:
    return str(question["choices"][question["answer"]])


def true_of(question: dict[str, Any], rows: list[int]) -> list[bool]:
    return [row in set(rows) for row in question["rows"]]


def test_every_question_is_whole_and_each_kind_is_asked(world: dict[str, Any]) -> None:
    questions = world["questions"]
    assert {one["kind"] for one in questions} == KINDS
    ids = [one["id"] for one in questions]
    assert len(set(ids)) == len(ids)
    for one in questions:
        assert one["question"].endswith(("?", "…"))
        assert 2 <= len(one["choices"]) == len(set(one["choices"])) <= 4
        assert 0 <= one["answer"] < len(one["choices"])
        assert re.search(r"\d", one["why"])
        assert one["why"].endswith(".")
    order = [(one["round"], STAGES.index(one["stage"])) for one in questions]
    assert order == sorted(order)


@pytest.mark.parametrize("kind", ["minority", "candidate", "selected"])
def test_where_the_choices_are_points_one_is_right_and_the_others_are_wrong(world: dict[str, Any], kind: str) -> None:
    name = {"minority": "minority", "candidate": "candidates", "selected": "selected"}[kind]
    for question in of_kind(world, kind):
        told = round_of(world, question)
        truth = true_of(question, told[name])
        assert truth == [place == question["answer"] for place in range(4)]
        for letter, choice, row in zip("ABCD", question["choices"], question["rows"], strict=True):
            x, y = world["points"]["xy"][row]
            assert choice == f"{letter} at ({x:.2f}, {y:.2f})"
        among = told["labeled"] if kind == "minority" else np.setdiff1d(range(300), told["labeled"]).tolist()
        assert set(question["rows"]) <= set(among)


@pytest.mark.parametrize(("kind", "name"), [("contradict", "minority"), ("found", "selected")])
def test_counts_of_points_that_contradict_the_shortcut_are_recounted(
    world: dict[str, Any], kind: str, name: str
) -> None:
    for question in of_kind(world, kind):
        rows = round_of(world, question)[name]
        assert question["rows"] == rows
        points = world["points"]
        # A point contradicts where its side is not its class's: left for the first, right for the second.
        true = sum((points["xy"][row][0] > 0) != (points["label"][row] == 1) for row in rows)
        assert right(question) == str(true)
        assert question["why"].startswith(f"{true} of {len(rows)} ")
        assert question["choices"] == sorted(question["choices"], key=int)


def test_accuracy_on_balanced_data_is_the_metric_in_percent(world: dict[str, Any]) -> None:
    for question in of_kind(world, "balanced"):
        accuracy = round_of(world, question)["metrics"]["balanced_accuracy"]
        assert right(question) == f"{round(100 * accuracy)}%"
        numbers = [int(choice.rstrip("%")) for choice in question["choices"]]
        assert np.diff(numbers).tolist() == [10, 10, 10]
        assert 0 <= numbers[0] < numbers[-1] <= 100


def test_what_the_boundary_would_do_is_computed_from_that_world(world: dict[str, Any]) -> None:
    (question,) = of_kind(world, "boundary")
    settings = WorldSettings.from_dict({**world["settings"], "strength": 0.99})
    stronger = make_world(settings)
    _, boundary = stronger.run_round("alvin", stronger.initial_rows, 0)
    side = np.linspace(world["bounds"][0], world["bounds"][1], len(boundary)) > 0
    share = float(((np.round(boundary, 3) > 0.5) == side).mean())
    assert right(question) == f"{round(100 * share)}%"


def test_the_share_of_the_plane_that_the_shortcut_decides_is_counted_by_hand() -> None:
    # Places at x = -1 and 1; right class in three of four: at the bottom left the model says the second class.
    assert shortcut_share([-1, 1, -1, 1], {"grid": 2, "prob": [0.9, 0.8, 0.1, 0.7]}) == 0.75


def test_whose_selection_is_more_certain_is_read_off_the_model_s_confidence(world: dict[str, Any]) -> None:
    (question,) = of_kind(world, "confidence")
    made = make_world(WorldSettings.from_dict(world["settings"]))
    confidence = []
    for strategy in ("alvin", "entropy"):
        result, _ = made.run_round(strategy, made.initial_rows, 0)
        confidence.append(result.probs[result.pool_rows[result.selection.rows]].max(axis=1).mean())
    gap = confidence[0] - confidence[1]
    assert question["answer"] == (2 if abs(gap) < 0.01 else 0 if gap > 0 else 1)


def test_who_gains_more_is_the_difference_of_the_next_round_and_this_one(world: dict[str, Any]) -> None:
    (question,) = of_kind(world, "gain")
    gains = []
    for strategy in ("alvin", "entropy"):
        now, then = (one["metrics"]["balanced_accuracy"] for one in world["runs"][strategy][:2])
        gains.append(then - now)
        assert f"{100 * (then - now):+.1f} points" in question["why"]
    gap = gains[0] - gains[1]
    assert question["answer"] == (2 if abs(gap) < 0.01 else 0 if gap > 0 else 1)


def test_the_same_world_has_the_same_questions_and_one_round_s_can_be_asked_alone(world: dict[str, Any]) -> None:
    plain = {name: value for name, value in world.items() if name != "questions"}
    assert make_questions(plain) == make_questions(plain)
    alone = make_questions(plain, round_no=1)
    assert alone == [one for one in world["questions"] if one["round"] == 1]
    assert make_questions(plain, round_no=7) == []
    assert "boundary" not in {one["kind"] for one in make_questions(plain)}  # nothing to compare with


def test_the_right_choice_stands_nowhere_in_particular() -> None:
    places = Counter(
        one["answer"]
        for seed in range(12)
        for one in make_questions(answer({"seed": seed, "strategies": ["alvin"]}))
        if len(one["choices"]) == 4
    )
    assert set(places) == {0, 1, 2, 3}
    assert max(places.values()) < 0.6 * sum(places.values())


def test_a_world_without_alvin_has_questions_without_anchors() -> None:
    questions = make_questions(answer({"strategies": ["entropy"], "rounds": 1}))
    assert {one["kind"] for one in questions} == {"balanced", "selected", "found"}


def test_a_screen_reads_settings_plans_and_questions_without_torch() -> None:
    code = (
        "import sys, alvin_core.classroom, alvin_core.classroom.settings, alvin_core.classroom.phase_plan, "
        "alvin_core.classroom.quiz; print(sorted({'torch', 'numba', 'faiss', 'umap', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
