"""Plans: which arms and cells they make, what they refuse, and how they grow."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from alvin_core.errors import SettingsError
from alvin_core.experiments.extending import extend_plan
from alvin_core.experiments.plan import Arm, ComparisonPlan
from alvin_core.experiments.protocols import PROTOCOLS, get_protocol
from alvin_core.settings import RunSettings


def plan(**changes: Any) -> ComparisonPlan:
    return replace(ComparisonPlan(("alvin", "entropy", "random"), (0, 1), 3), **changes)


def names(one: ComparisonPlan) -> list[str]:
    return [arm.name for arm in one.arms]


def test_without_variation_each_strategy_is_an_arm() -> None:
    assert plan().arms == (Arm("alvin", "alvin"), Arm("entropy", "entropy"), Arm("random", "random"))


def test_a_cell_is_an_arm_with_a_seed_and_all_arms_of_a_seed_come_first() -> None:
    cells = plan(settings=RunSettings(budget=7, strategy="margin", seed=9)).cells
    assert [(cell.arm, cell.seed) for cell in cells[:4]] == [("alvin", 0), ("entropy", 0), ("random", 0), ("alvin", 1)]
    assert [(cell.settings.strategy, cell.settings.seed) for cell in cells] == [(cell.arm, cell.seed) for cell in cells]
    assert {cell.settings.budget for cell in cells} == {7}


def test_a_strategys_own_setting_varies_that_strategy_alone() -> None:
    varied = plan(vary=(("alpha", (0.5, 2)),))
    assert varied.vary == (("alvin.alpha", (0.5, 2.0)),)
    assert names(varied) == ["alvin alpha=0.5", "alvin alpha=2", "entropy", "random"]
    assert [cell.settings.alvin.alpha for cell in varied.cells[:4]] == [0.5, 2.0, 2.0, 2.0]


def test_a_group_rule_varies_only_what_needs_groups_and_training_varies_all() -> None:
    varied = plan(vary=(("groups.rule", ("forgetting", "confidence")),))
    assert names(varied) == ["alvin rule=forgetting", "alvin rule=confidence", "entropy", "random"]
    varied = plan(strategies=("entropy", "random"), vary=(("epochs", (2, 4)),))
    assert names(varied) == ["entropy epochs=2", "entropy epochs=4", "random epochs=2", "random epochs=4"]
    assert [cell.settings.training.epochs for cell in varied.cells[:4]] == [2, 4, 2, 4]


def test_several_varied_settings_make_every_combination() -> None:
    varied = plan(strategies=("alvin",), vary=(("alpha", (0.5, 2)), ("rank", ("distance", "random"))))
    assert names(varied) == [
        "alvin alpha=0.5 rank=distance",
        "alvin alpha=0.5 rank=random",
        "alvin alpha=2 rank=distance",
        "alvin alpha=2 rank=random",
    ]


def test_keys_tell_all_cells_apart_fit_file_names_and_stay_when_the_plan_grows() -> None:
    names_of_encoders = ("a/b", "a-b", "a b", "x" * 200, "A-B")
    small = plan(strategies=("alvin", "least-confidence"), vary=(("encoder.name", names_of_encoders),))
    keys = [cell.key for cell in small.cells]
    assert len({key.lower() for key in keys}) == len(keys) == 2 * 2 * 5
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", key) for key in keys)
    grown = replace(small, seeds=(5, 0, 1), strategies=("random", *small.strategies), rounds=9)
    of_grown = {(cell.arm, cell.seed): cell.key for cell in grown.cells}
    assert all(of_grown[cell.arm, cell.seed] == cell.key for cell in small.cells)
    assert plan().cells[0].key == "alvin-s0"


def test_a_plan_comes_back_from_its_plain_values() -> None:
    varied = plan(vary=(("alpha", (0.5, 2)), ("rank", ("distance",))), settings=RunSettings(initial=20))
    assert ComparisonPlan.from_dict(varied.to_dict()) == varied


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategies": ()}, "strategies: none is given"),
        ({"strategies": ("random", "random")}, "'random' is named twice"),
        ({"seeds": (1, 1)}, "seeds: 1 is named twice"),
        ({"seeds": (-1,)}, "seed = -1"),
        ({"rounds": 0}, "rounds = 0 leaves nothing to compare"),
        ({"settings": RunSettings(annotator="person")}, "the label column must answer; use 'oracle'"),
        ({"vary": (("strategy", ("a",)),)}, "strategy cannot vary .*--strategies"),
        ({"vary": (("seed", (1,)),)}, "seed cannot vary .*--seeds"),
        ({"vary": (("rounds", (1,)),)}, "rounds cannot vary .*--rounds"),
        ({"vary": (("budget", (1, 2)),)}, "budget cannot vary .*make a comparison for each"),
        ({"vary": (("initial", (8, 9)),)}, "initial cannot vary"),
        ({"vary": (("alpa", (1,)),)}, "no setting is called 'alpa'"),
        ({"vary": (("k", (1,)),)}, "several settings are called 'k'; say which: alvin.k, cal.k"),
        ({"vary": (("alpha", (0,)),)}, "alpha = 0"),
        ({"vary": (("alpha", (2, 2.0)),)}, "values of alvin.alpha: 2.0 is named twice"),
        ({"vary": (("alpha", (2,)), ("alvin.alpha", (3,)))}, "'alvin.alpha' is named twice"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan(**changes)


def test_a_setting_that_no_arm_takes_and_an_unknown_strategy_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"alvin\.alpha varies none of the strategies entropy, random"):
        _ = plan(strategies=("entropy", "random"), vary=(("alpha", (1,)),)).arms
    with pytest.raises(SettingsError, match="did you mean 'random'"):
        _ = plan(strategies=("rando",)).arms


def test_more_strategies_seeds_rounds_and_values_extend_a_plan_and_are_told() -> None:
    old = plan(vary=(("alpha", (0.5,)),))
    new = replace(old, strategies=("margin", *old.strategies), seeds=(2, 1, 0), rounds=5, vary=(("alpha", (2, 0.5)),))
    extended, added = extend_plan("c", old, new)
    assert extended.strategies == ("alvin", "entropy", "random", "margin")
    assert extended.seeds == (0, 1, 2)
    assert extended.vary == (("alvin.alpha", (0.5, 2.0)),)
    assert added == ("strategies margin", "seeds 2", "values of alvin.alpha 2.0", "rounds 4, 5")
    assert extend_plan("c", old, old) == (old, ())


def test_a_plan_that_differs_is_refused_with_everything_that_differs() -> None:
    old = plan(vary=(("alpha", (0.5,)),))
    new = plan(strategies=("alvin",), seeds=(0,), rounds=2, settings=RunSettings().with_value("alvin.n_anchors", 3))
    with pytest.raises(SettingsError) as found:
        extend_plan("c", old, new)
    assert str(found.value).startswith(
        "the comparison 'c' has another plan: alvin.n_anchors = 15, now 3; it has the strategies entropy, random as "
        "well; it has the seeds 1 as well; rounds = 3, now 2; it varies alvin.alpha, which is not varied now; leave"
    )


def test_the_fine_tuning_protocol_is_the_usual_one() -> None:
    usual = get_protocol("fine-tuning")
    settings = RunSettings().with_values(usual.settings)
    assert (settings.initial, settings.budget, usual.rounds, usual.n_seeds) == (100, 50, 10, 10)
    assert settings.training.trainable_layers == "all"
    assert settings.encoder.name == "bert-base-uncased"
    with pytest.raises(SettingsError, match="did you mean 'fine-tuning'"):
        get_protocol("finetuning")
    assert list(PROTOCOLS) == ["fine-tuning"]
