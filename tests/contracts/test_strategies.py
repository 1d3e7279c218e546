"""What every strategy must do, whatever it ranks by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import Cancelled, PoolError, SettingsError
from alvin_core.groups import infer_groups
from alvin_core.progress import ProgressEvent
from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool, PoolSlice, Readout, all_strategies, get_strategy, strategy_names
from alvin_core.strategies.pool import DrawProbs
from alvin_core.strategies.registry import Strategy
from alvin_core.types import Float32Array, IntArray, Selection

N_POOL, N_LABELED, DIM, READ_DIM = 60, 24, 5, 4
NAMES = (  # those that users type
    *("alvin", "random", "entropy", "margin", "least-confidence", "bald", "coreset", "bert-km", "badge", "cal"),
    *("alfa-mix", "anchoral", "typiclust", "counter-shortcut"),
)


def make_pool(seed: int = 0, n_pool: int = N_POOL, probs: np.ndarray | None = None) -> Pool:
    """Two of three classes are labeled; the vectors that the last layer reads are others than those of the space.

    Every other example is in the slice.
    """
    rng = np.random.default_rng(seed)
    if probs is None:
        probs = rng.dirichlet([1, 1, 1], size=n_pool).astype(np.float32)
    n_classes = probs.shape[1]
    classes = np.arange(N_LABELED) % 2
    gold_prob = rng.random((4, N_LABELED))
    labeled = LabeledSet(
        ids=np.array([f"labeled-{row}" for row in range(N_LABELED)]),
        classes=classes,
        vectors=normal(rng, N_LABELED, DIM),
        groups=infer_groups(gold_prob > 0.5, gold_prob, classes),
        probs=rng.dirichlet(np.ones(n_classes), size=N_LABELED).astype(np.float32),
    )
    return Pool(
        ids=np.array([f"pool-{row:03d}" for row in rng.permutation(n_pool)]),
        probs=probs,
        vectors=normal(rng, n_pool, DIM),
        labeled=labeled,
        slice_=PoolSlice("half", np.arange(n_pool) % 2 == 0, shortcut_class=1),
        readout=Readout(
            vectors=normal(rng, n_pool, READ_DIM),
            labeled_vectors=normal(rng, N_LABELED, READ_DIM),
            weight=normal(rng, n_classes, READ_DIM),
            bias=normal(rng, n_classes, 1)[:, 0],
        ),
        draw_probs=draws_around(probs),
        draw_steps=1_000,
    )


def normal(rng: np.random.Generator, n: int, dim: int) -> Float32Array:
    return rng.normal(size=(n, dim)).astype(np.float32)


def draws_around(probs: np.ndarray) -> DrawProbs:
    """Sharpen and blur each row's probabilities by chance, from the seed and the row alone; even ones stay even."""

    def draw(rows: IntArray, n_draws: int, seed: int) -> Float32Array:
        chance = np.stack([np.random.default_rng([seed, int(row)]).uniform(0.2, 3, n_draws) for row in rows], axis=1)
        drawn = probs[rows].astype(np.float64) ** chance[:, :, None]  # (n_draws, n_rows, n_classes)
        return (drawn / drawn.sum(axis=2, keepdims=True)).astype(np.float32)

    return draw


def select(entry: Strategy, pool: Pool, budget: int, seed: int = 0) -> Selection:
    return entry.select(pool, budget, RunSettings(), np.random.default_rng(seed))


def check_selection(selection: Selection, pool: Pool, budget: int) -> None:
    assert len(selection) == budget == len(set(selection.rows.tolist()))
    np.testing.assert_array_equal(pool.ids[selection.rows], selection.ids)
    assert np.isfinite(selection.scores).all()


every_strategy = pytest.mark.parametrize("entry", all_strategies(), ids=strategy_names())


@every_strategy
@pytest.mark.parametrize("budget", [1, 7, N_POOL])
def test_exactly_the_budget_is_selected_without_repeats_from_the_pool(entry: Strategy, budget: int) -> None:
    pool = make_pool()
    check_selection(select(entry, pool, budget), pool, budget)


@every_strategy
def test_the_ranking_starts_with_the_selection_and_never_repeats(entry: Strategy) -> None:
    selection = select(entry, make_pool(), 7)
    np.testing.assert_array_equal(selection.ranking[:7], selection.rows)
    assert len(np.unique(selection.ranking)) == len(selection.ranking)
    assert len(selection.ranking) <= selection.n_candidates <= N_POOL
    assert selection.n_candidates > 7  # nobody chooses from what is chosen
    assert (np.diff(selection.scores) <= 0).all()


@every_strategy
def test_the_same_seed_gives_the_same_answer(entry: Strategy) -> None:
    np.testing.assert_array_equal(select(entry, make_pool(), 9).ids, select(entry, make_pool(), 9).ids)


@every_strategy
def test_inputs_are_not_written(entry: Strategy) -> None:
    pool = make_pool()
    for owner in (pool, pool.labeled, pool.readout):
        for array in vars(owner).values():
            if isinstance(array, np.ndarray):
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
    other = pool.take(np.random.default_rng(5).permutation(N_POOL))
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
    pool = make_pool()
    assert pool.labeled is not None
    without = {
        "probs": replace(pool, probs=None),
        "vectors": replace(pool, vectors=None),
        "groups": replace(pool, labeled=None),
        "labeled": replace(pool, labeled=replace(pool.labeled, probs=None)),
        "slice": replace(pool, slice_=None),
        "readout": replace(pool, readout=None),
        "draws": replace(pool, draw_probs=None),
    }
    assert entry.needs <= without.keys()
    for need in entry.needs:
        with pytest.raises(PoolError, match=f"needs .*{need}"):
            select(entry, without[need], 3)
        with pytest.raises(PoolError, match=f"needs .*{need}"):
            entry.steps(without[need], RunSettings())


@every_strategy
def test_what_is_not_needed_may_be_missing(entry: Strategy) -> None:
    if entry.name == "anchoral":
        pytest.skip("it needs what its base needs")
    pool = make_pool()
    given = {
        "probs": {"probs"},
        "vectors": {"vectors"},
        "labeled": {"labeled", "groups"},
        "slice_": {"slice"},
        "readout": {"readout"},
        "draw_probs": {"draws"},
    }
    missing = {field: None for field, needs in given.items() if not needs & entry.needs}
    bare = replace(pool, **missing)
    assert select(entry, bare, 6).ids.tolist() == select(entry, pool, 6).ids.tolist()


@every_strategy
def test_the_steps_are_counted_without_selecting(entry: Strategy) -> None:
    assert entry.steps(make_pool(), RunSettings()) >= N_POOL


@every_strategy
@pytest.mark.parametrize("budget", [1, 7, N_POOL])
def test_copies_of_one_example_are_no_obstacle(entry: Strategy, budget: int) -> None:
    pool = make_pool().take(np.zeros(N_POOL, dtype=np.int64))
    pool = replace(pool, ids=np.array([f"copy-{row:03d}" for row in range(N_POOL)]))
    check_selection(select(entry, pool, budget), pool, budget)


@every_strategy
def test_vectors_of_zeros_are_no_obstacle(entry: Strategy) -> None:
    pool = make_pool()
    assert pool.labeled is not None
    assert pool.readout is not None
    nothing = {name: np.zeros_like(getattr(pool.readout, name)) for name in ("vectors", "labeled_vectors")}
    pool = replace(
        pool,
        vectors=np.zeros((N_POOL, DIM), dtype=np.float32),
        labeled=replace(pool.labeled, vectors=np.zeros((N_LABELED, DIM), dtype=np.float32)),
        readout=replace(pool.readout, **nothing),
    )
    check_selection(select(entry, pool, 7), pool, 7)


@every_strategy
def test_a_labeled_set_of_one_class_is_no_obstacle(entry: Strategy) -> None:
    pool = make_pool()
    assert pool.labeled is not None
    classes = np.ones(N_LABELED, dtype=np.int64)
    gold_prob = np.random.default_rng(0).random((4, N_LABELED))
    groups = infer_groups(gold_prob > 0.5, gold_prob, classes)
    pool = replace(pool, labeled=replace(pool.labeled, classes=classes, groups=groups))
    check_selection(select(entry, pool, 7), pool, 7)


@every_strategy
@pytest.mark.parametrize("n_pool", [2, 5])
def test_a_tiny_pool_can_be_taken_whole(entry: Strategy, n_pool: int) -> None:
    pool = make_pool(n_pool=n_pool)
    check_selection(select(entry, pool, n_pool), pool, n_pool)


@every_strategy
def test_a_stop_told_by_the_progress_is_not_swallowed(entry: Strategy) -> None:
    told: list[ProgressEvent] = []
    select(entry, replace(make_pool(), progress=told.append), 7)
    if not told:
        pytest.skip("a single pass over the pool: it has nothing to tell")

    def stop(event: ProgressEvent) -> None:
        raise Cancelled(event.stage)

    with pytest.raises(Cancelled):
        select(entry, replace(make_pool(), progress=stop), 7)


@every_strategy
def test_every_strategy_says_what_it_does_and_where_it_is_from(entry: Strategy) -> None:
    assert entry.summary.startswith(("Select ", "Select, "))
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
    assert strategy_names() == NAMES
