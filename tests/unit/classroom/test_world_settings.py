"""What a world may be asked for: every value has a limit, and the message says it."""

from __future__ import annotations

from typing import Any

import pytest

from alvin_core.classroom import answer
from alvin_core.classroom.phase_plan import WorldPhasePlan
from alvin_core.classroom.settings import WorldSettings
from alvin_core.errors import SettingsError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strength": 0.4}, "strength = 0.4 is out of range: it must be between 0.5 and 1"),
        ({"strength": float("nan")}, "strength = nan is out of range"),
        ({"ambiguity": 0.6}, "ambiguity = 0.6 is out of range: it must be between 0 and 0.5"),
        ({"imbalance": 0.05}, "imbalance = 0.05 is out of range: it must be between 0.1 and 0.9"),
        ({"n_pool": 10}, "n_pool = 10 is out of range: it must be between 60 and 2000 points"),
        ({"n_test": 10}, "n_test = 10 is out of range: it must be between 40 and 2000 points"),
        ({"n_initial": 1}, "n_initial = 1 is out of range: it must be between 2 and 500 points"),
        ({"budget": 0}, "budget = 0 is out of range: it must be between 1 and 100 points"),
        ({"alpha": 0.0}, "alpha = 0.0 is out of range: it must be in (0, 100]"),
        ({"n_anchors": 31}, "n_anchors = 31 is out of range: it must be between 1 and 30"),
        ({"k": 0}, "k = 0 is out of range: it must be between 1 and 100"),
        ({"rank": "best"}, "rank = 'best' is unknown; choose one of: uncertainty"),
        ({"rule": "luck"}, "rule = 'luck' is unknown; choose one of: forgetting"),
        ({"seed": -1}, "seed = -1 is out of range"),
        ({"budget": 10.5}, "budget = 10.5 is of the wrong kind; expected: a whole number"),
        ({"colour": "red"}, "no setting is called 'colour'; here are: strength, ambiguity"),
        ({"n_pool": 60, "n_initial": 55}, "n_initial = 55 and budget = 10 are more than the n_pool = 60 points"),
    ],
)
def test_a_value_out_of_range_is_refused_with_value_and_limit(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        WorldSettings.from_dict(values)
    assert message in str(error.value)


def test_settings_go_to_plain_values_and_back() -> None:
    settings = WorldSettings(strength=0.97, k=5, rank="distance", seed=3)
    assert WorldSettings.from_dict(settings.to_dict()) == settings
    assert WorldSettings.from_dict({"strength": 1}).strength == 1.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"strategies": "alvin"}, "strategies = 'alvin' must be a list of 1 to 4 names"),
        ({"strategies": []}, "strategies = [] must be a list of 1 to 4 names"),
        ({"strategies": ["luck"]}, "no strategy is called 'luck'; there are: "),
        ({"rounds": 13}, "rounds = 13 is out of range: it must be a whole number, 0 to 12"),
        ({"rounds": True}, "rounds = True is out of range"),
        ({"questions": 1}, "questions = 1 is of the wrong kind; expected: true or false"),
        ({"colour": "red"}, "no setting is called 'colour'"),
    ],
)
def test_a_bad_wish_is_refused_before_anything_is_computed(params: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        answer(params)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strengths": []}, "strengths = [] must name at least one value, and each once"),
        ({"strengths": [0.9, 0.9]}, "strengths = [0.9, 0.9] must name at least one value, and each once"),
        ({"strengths": [2]}, "strength = 2.0 is out of range"),
        ({"strengths": 0.9}, "strengths = 0.9 must be a list"),
        ({"ambiguities": ["much"]}, "ambiguities holds 'much', which is no number"),
        ({"seeds": 0}, "seeds = 0 is out of range: name their number"),
        ({"seeds": [-1]}, "seed = -1 is out of range"),
        ({"rounds": 0}, "rounds = 0 is out of range: it must be between 1 and 12"),
        ({"world": {"colour": "red"}}, "no setting is called 'colour'"),
        ({"world": 3}, "world = 3 must be a table of settings"),
        ({"strategies": ["alvin"]}, "strategies = ['alvin'] must name two different ones"),
        ({"strategies": ["alvin", "alvin"]}, "must name two different ones"),
        ({"measure": "beauty"}, "measure = 'beauty' is unknown; choose one of: worst_group, balanced_accuracy"),
        ({"seeds": 1000}, "the plan has 40,000 cells, at most 10,000; name fewer points or seeds"),
        ({"pace": 3}, "no setting of a plan is called 'pace'; here are: strengths"),
    ],
)
def test_a_plan_that_cannot_be_swept_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        WorldPhasePlan.from_dict(values)
    assert message in str(error.value)


def test_a_plan_goes_to_plain_values_and_back_and_takes_a_number_of_seeds() -> None:
    plan = WorldPhasePlan.from_dict({"strengths": [0.6, 1], "seeds": 3, "world": {"budget": 5}})
    assert plan.seeds == (0, 1, 2)
    assert plan.world.budget == 5
    assert WorldPhasePlan.from_dict(plan.to_dict()) == plan
