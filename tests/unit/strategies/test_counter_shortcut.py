"""Counter-shortcut against orders worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import SettingsError
from alvin_core.settings import RunSettings
from alvin_core.strategies import Pool, PoolSlice, check_strategy, get_strategy
from alvin_core.types import Selection

PROBS = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.6, 0.4], [0.01, 0.99], [0.4, 0.6]], dtype=np.float32)


def make_pool(members: list[int], shortcut_class: int | None) -> Pool:
    is_member = np.zeros(len(PROBS), dtype=bool)
    is_member[members] = True
    return Pool(ids=np.array(list("abcdef")), probs=PROBS, slice_=PoolSlice("great", is_member, shortcut_class))


def select(pool: Pool, budget: int) -> Selection:
    return get_strategy("counter-shortcut").select(pool, budget, RunSettings(), np.random.default_rng(0))


def test_members_least_likely_of_the_shortcut_s_class_come_first() -> None:
    selection = select(make_pool([0, 2, 3, 4], shortcut_class=1), 2)
    assert selection.ids.tolist() == ["a", "d"]  # p(1) = .1 and .4
    np.testing.assert_allclose(selection.scores, [0.9, 0.6], rtol=1e-6)
    assert [str(pool_id) for pool_id in np.array(list("abcdef"))[selection.ranking]] == ["a", "d", "c", "e"]
    assert selection.warnings == ()


def test_where_the_slice_has_no_shortcut_the_least_sure_members_come_first() -> None:
    selection = select(make_pool([0, 2, 3, 4], shortcut_class=None), 3)
    assert selection.ids.tolist() == ["d", "c", "a"]
    np.testing.assert_allclose(selection.scores[0], -(0.6 * np.log(0.6) + 0.4 * np.log(0.4)), rtol=1e-6)


def test_too_few_members_are_filled_up_by_entropy_and_the_round_says_so() -> None:
    selection = select(make_pool([0, 4], shortcut_class=0), 4)
    assert selection.ids.tolist() == ["e", "a", "b", "d"]  # 1 - p(0) = .99 and .1; then b is even, d before f by id
    assert (selection.scores[:2] > 0).all()
    assert (selection.scores[2:] <= 0).all()
    assert selection.n_candidates == len(PROBS)
    [warning] = selection.warnings
    assert "the slice 'great' has 2 unlabeled examples left, fewer than the budget of 4; the other 2 were" in warning


def test_a_slice_that_is_used_up_leaves_uncertainty_sampling() -> None:
    pool = make_pool([], shortcut_class=0)
    entropy = get_strategy("entropy").select(pool, 3, RunSettings(), np.random.default_rng(0))
    selection = select(pool, 3)
    assert selection.ids.tolist() == entropy.ids.tolist()
    assert "has 0 unlabeled examples left" in selection.warnings[0]


def test_a_subpool_keeps_its_members() -> None:
    pool = make_pool([1, 2], shortcut_class=0)
    taken = pool.take(np.array([5, 2, 0]))
    assert taken.slice_ is not None
    assert taken.slice_.is_member.tolist() == [False, True, False]
    assert select(taken, 1).ids.tolist() == ["c"]


def test_a_slice_of_another_length_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="Pool: arrays of one length"):
        replace(make_pool([], 0), slice_=PoolSlice("short", np.zeros(2, dtype=bool)))


@pytest.mark.parametrize(
    "changes", [{"strategy": "counter-shortcut"}, {"strategy": "anchoral", "anchoral.base": "counter-shortcut"}]
)
def test_the_strategy_without_a_named_slice_is_refused_with_the_setting(changes: dict[str, object]) -> None:
    settings = RunSettings().with_values(changes)
    with pytest.raises(SettingsError, match=r"counter_shortcut\.slice names none; name one with --set"):
        check_strategy(settings)
    check_strategy(settings.with_value("counter_shortcut.slice", "great"))
