"""What every strategy must do, whatever it ranks by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import PoolError, SettingsError
from alvin_core.groups import infer_groups
from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool, all_strategies, get_strategy, strategy_names
from alvin_core.strategies.registry import Strategy
from alvin_core.types import Selection

N_POOL, N_LABELED, DIM = 60, 24, 5


def make_pool(seed: int = 0, n_pool: int = N_POOL, probs: np.ndarray | None = None) -> Pool:
    rng = np.random.default_rng(seed)
    classes = np.arange(N_LABELED) % 2
    gold_prob = rng.random((4, N_LABELED))
    labeled = LabeledSet(
        ids=np.array([f"labeled-{row}" for row in range(N_LABELED)]),
        classes=classes,
        vectors=rng.normal(size=(N_LABELED, DIM)).astype(np.float32),
        groups=infer_groups(gold_prob > 0.5, gold_prob, classes),
    )
    return Pool(
        ids=np.array([f"pool-{row:03d}" for row in rng.permutation(n_pool)]),
        probs=rng.dirichlet([1, 1, 1], size=n_pool).astype(np.float32) if probs is None else probs,
        vectors=rng.normal(size=(n_pool, DIM)).astype(np.float32),
        labeled=labeled,
    )


def select(entry: Strategy, pool: Pool, budget: int, seed: int = 0) -> Selection:
    return entry.select(pool, budget, RunSettings(), np.random.default_rng(seed))


every_strategy = pytest.mark.parametrize("entry", all_strategies(), ids=strategy_names())


@every_strategy
@pytest.mark.parametrize("budget", [1, 7, N_POOL])
def test_exactly_the_budget_is_selected_without_repeats_from_the_pool(entry: Strategy, budget: int) -> None:
    pool = make_pool()
    selection = select(entry, pool, budget)
    assert len(selection) == budget == len(set(selection.ids.tolist()))
    assert set(selection.ids.tolist()) <= set(pool.ids.tolist())
    np.testing.assert_array_equal(pool.ids[selection.rows], selection.ids)


@every_strategy
def test_the_ranking_starts_with_the_selection_and_never_repeats(entry: Strategy) -> None:
    selection = select(entry, make_pool(), 7)
    np.testing.assert_array_equal(selection.ranking[:7], selection.rows)
    assert len(np.unique(selection.ranking)) == len(selection.ranking)
    assert (np.diff(selection.scores) <= 0).all()


@every_strategy
def test_the_same_seed_gives_the_same_answer(entry: Strategy) -> None:
    np.testing.assert_array_equal(select(entry, make_pool(), 9).ids, select(entry, make_pool(), 9).ids)


@every_strategy
def test_inputs_are_not_written(entry: Strategy) -> None:
    pool = make_pool()
    assert pool.labeled is not None
    for array in (pool.ids, pool.probs, pool.vectors, pool.labeled.ids, pool.labeled.vectors, pool.labeled.classes):
        assert array is not None
        array.setflags(write=False)
    select(entry, pool, 5)


@every_strategy
def test_one_class_in_all_predictions_is_no_obstacle(entry: Strategy) -> None:
    probs = np.zeros((N_POOL, 3), dtype=np.float32)
    probs[:, 1] = 1
    assert len(select(entry, make_pool(probs=probs), 11)) == 11


@every_strategy
def test_where_all_scores_tie_the_order_of_the_pool_does_not_matter(entry: Strategy) -> None:
    if entry.name == "random":
        pytest.skip("random draws by row; it has no ties")
    pool = make_pool(probs=np.full((N_POOL, 3), 1 / 3, dtype=np.float32))
    assert pool.vectors is not None
    assert pool.probs is not None
    shuffled = np.random.default_rng(5).permutation(N_POOL)
    other = replace(pool, ids=pool.ids[shuffled], vectors=pool.vectors[shuffled], probs=pool.probs[shuffled])
    assert select(entry, pool, 8).ids.tolist() == select(entry, other, 8).ids.tolist()


@every_strategy
def test_two_classes_work_as_well(entry: Strategy) -> None:
    probs = np.random.default_rng(3).dirichlet([1, 1], size=N_POOL).astype(np.float32)
    assert len(select(entry, make_pool(probs=probs), 5)) == 5


@every_strategy
def test_a_pool_of_one_example_gives_that_example(entry: Strategy) -> None:
    pool = make_pool(n_pool=1)
    assert select(entry, pool, 1).ids.tolist() == pool.ids.tolist()


@every_strategy
@pytest.mark.parametrize("budget", [0, -1, N_POOL + 1])
def test_a_budget_outside_the_pool_is_refused(entry: Strategy, budget: int) -> None:
    with pytest.raises(PoolError, match=rf"asked for {budget} examples, {N_POOL} remain"):
        select(entry, make_pool(), budget)


@every_strategy
def test_what_is_needed_and_missing_is_named(entry: Strategy) -> None:
    for need in entry.needs:
        field = "labeled" if need == "groups" else need
        with pytest.raises(PoolError, match=f"needs {need}"):
            select(entry, replace(make_pool(), **{field: None}), 3)


@every_strategy
def test_every_strategy_says_what_it_does_and_where_it_is_from(entry: Strategy) -> None:
    assert entry.summary.startswith("Select ")
    assert entry.cite


@pytest.mark.parametrize("bad", [np.nan, -0.5, 1.5])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    probs = np.full((N_POOL, 2), 0.5)
    probs[4, 0] = bad
    with pytest.raises(PoolError, match="first: row 4"):
        make_pool(probs=probs)


def test_an_unknown_strategy_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="did you mean 'entropy'"):
        get_strategy("entropie")


def test_the_names_are_those_users_type() -> None:
    assert strategy_names() == ("alvin", "random", "entropy", "margin", "least-confidence")
