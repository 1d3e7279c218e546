"""CAL on cases worked out by hand, and against the definition written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import Cancelled, PoolError
from alvin_core.groups import infer_groups
from alvin_core.progress import ProgressEvent
from alvin_core.settings import CalSettings, RunSettings
from alvin_core.strategies import LabeledSet, Pool, get_strategy
from alvin_core.strategies.cal import EPSILON, cal
from alvin_core.types import Selection


def make_labeled(vectors: np.ndarray, probs: np.ndarray, ids: list[str] | None = None) -> LabeledSet:
    classes = np.arange(len(vectors)) % 2
    gold = np.full((2, len(vectors)), 0.9)
    return LabeledSet(
        ids=np.array(ids or [f"l{row:04d}" for row in range(len(vectors))]),
        classes=classes,
        vectors=np.asarray(vectors, dtype=np.float32),
        groups=infer_groups(gold > 0.5, gold, classes),
        probs=np.asarray(probs, dtype=np.float64),
    )


def make_pool(vectors: np.ndarray, probs: np.ndarray, labeled: LabeledSet) -> Pool:
    ids = np.array([f"p{row:04d}" for row in range(len(vectors))])
    return Pool(ids, np.asarray(probs), np.asarray(vectors, dtype=np.float32), labeled)


def random_pool(n_pool: int, n_labeled: int, n_classes: int, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    labeled = make_labeled(rng.normal(size=(n_labeled, 4)), rng.dirichlet(np.ones(n_classes), n_labeled))
    return make_pool(rng.normal(size=(n_pool, 4)), rng.dirichlet(np.ones(n_classes), n_pool), labeled)


def select(pool: Pool, budget: int, k: int = 10) -> Selection:
    return cal(pool, budget, CalSettings(k=k), np.random.default_rng(0))


def divergence(first: np.ndarray, second: np.ndarray) -> float:
    return float(sum(a * np.log(a / b) for a, b in zip(first, second, strict=True) if a > 0))


def test_the_score_is_the_divergence_of_the_nearest_labeled_prediction_from_the_candidates() -> None:
    labeled = make_labeled([[0.0], [10.0]], [[0.9, 0.1], [0.25, 0.75]])
    pool = make_pool([[1.0], [9.0]], [[0.5, 0.5], [0.5, 0.5]], labeled)
    selection = select(pool, 2, k=1)
    # KL(.9 .1 || .5 .5) = .9 ln 1.8 + .1 ln .2 and KL(.25 .75 || .5 .5) = .25 ln .5 + .75 ln 1.5
    assert selection.ids.tolist() == ["p0000", "p0001"]
    np.testing.assert_allclose(selection.scores, [0.36806, 0.13081], atol=1e-5)


def test_the_neighbors_distribution_comes_first_in_the_divergence() -> None:
    labeled = make_labeled([[0.0], [10.0]], [[0.99, 0.01], [0.5, 0.5]])
    pool = make_pool([[0.0], [10.0]], [[0.5, 0.5], [0.99, 0.01]], labeled)
    selection = select(pool, 1, k=1)
    # KL(.99 .01 || .5 .5) = .637 but KL(.5 .5 || .99 .01) = 1.614; turned around, the first would be taken.
    assert selection.ids.tolist() == ["p0001"]
    np.testing.assert_allclose(selection.scores, [1.61446], atol=1e-5)


def test_the_score_is_the_mean_over_the_k_nearest_alone() -> None:
    labeled = make_labeled([[1.0], [2.0], [3.0]], [[0.8, 0.2], [0.6, 0.4], [0.01, 0.99]])
    pool = make_pool([[0.0]], [[0.5, 0.5]], labeled)
    expected = (divergence([0.8, 0.2], [0.5, 0.5]) + divergence([0.6, 0.4], [0.5, 0.5])) / 2
    np.testing.assert_allclose(select(pool, 1, k=2).scores, [expected], rtol=1e-12)


def test_more_neighbors_than_labeled_examples_are_all_of_them() -> None:
    pool = random_pool(7, 3, 2)
    np.testing.assert_array_equal(select(pool, 7, k=50).scores, select(pool, 7, k=3).scores)


@pytest.mark.parametrize(("n_pool", "n_labeled", "n_classes", "k"), [(40, 12, 3, 5), (9, 30, 2, 10), (25, 4, 6, 1)])
def test_it_is_the_definition_written_out(n_pool: int, n_labeled: int, n_classes: int, k: int) -> None:
    pool = random_pool(n_pool, n_labeled, n_classes, seed=n_pool)
    labeled = pool.labeled
    assert labeled is not None
    assert labeled.probs is not None
    assert pool.vectors is not None
    assert pool.probs is not None
    scores = []
    for vector, probs in zip(pool.vectors, pool.probs, strict=True):
        nearest = np.argsort(np.linalg.norm(labeled.vectors - vector, axis=1))[:k]
        scores.append(np.mean([divergence(labeled.probs[row], probs) for row in nearest]))
    selection = select(pool, n_pool, k=k)
    np.testing.assert_array_equal(selection.rows, np.argsort(-np.array(scores)))
    np.testing.assert_allclose(selection.scores, np.sort(scores)[::-1], rtol=1e-9)


def test_blocks_do_not_change_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = random_pool(50, 11, 3)
    whole = select(pool, 50)
    monkeypatch.setattr("alvin_core.strategies.cal.NUMBERS_AT_ONCE", 80)  # 2 examples a block
    blocked = select(pool, 50)
    np.testing.assert_array_equal(blocked.rows, whole.rows)
    np.testing.assert_allclose(blocked.scores, whole.scores, rtol=1e-12)


def test_a_probability_of_zero_gives_a_large_score_and_never_an_infinite_one() -> None:
    labeled = make_labeled([[0.0], [5.0]], [[1.0, 0.0], [1.0, 0.0]])
    pool = make_pool([[0.0], [1.0]], [[0.0, 1.0], [1.0, 0.0]], labeled)
    selection = select(pool, 2, k=2)
    np.testing.assert_allclose(selection.scores, [-np.log(EPSILON), 0], atol=1e-9)
    assert selection.ids.tolist() == ["p0000", "p0001"]


def test_equally_near_labeled_examples_go_by_id_whatever_their_order() -> None:
    vectors, probs, ids = [[1.0], [1.0], [-1.0]], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], ["c", "a", "b"]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        labeled = make_labeled(np.array(vectors)[order], np.array(probs)[order], [ids[row] for row in order])
        pool = make_pool([[0.0]], [[0.5, 0.5]], labeled)
        np.testing.assert_allclose(select(pool, 1, k=1).scores, [divergence([0.2, 0.8], [0.5, 0.5])], rtol=1e-12)


def test_equal_scores_go_by_id() -> None:
    labeled = make_labeled([[0.0], [1.0]], [[0.9, 0.1], [0.9, 0.1]])
    pool = make_pool(np.zeros((4, 1)), np.full((4, 2), 0.5), labeled)
    pool = replace(pool, ids=np.array(["d", "b", "c", "a"]))
    assert select(pool, 3).ids.tolist() == ["a", "b", "c"]


def test_the_whole_pool_is_ranked() -> None:
    assert sorted(select(random_pool(20, 6, 2), 3).ranking.tolist()) == list(range(20))


def test_a_stop_is_heard_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ProgressEvent] = []

    def stop_at_third(event: ProgressEvent) -> None:
        seen.append(event)
        if len(seen) == 3:
            raise Cancelled("stopped")

    monkeypatch.setattr("alvin_core.strategies.cal.NUMBERS_AT_ONCE", 80)
    with pytest.raises(Cancelled):
        select(replace(random_pool(50, 6, 2), progress=stop_at_third), 3)
    assert [(event.stage, event.total, event.note) for event in seen] == [("select", 50, "cal")] * 3


def test_a_labeled_set_without_predictions_is_refused() -> None:
    pool = random_pool(9, 4, 2)
    assert pool.labeled is not None
    bare = replace(pool, labeled=replace(pool.labeled, probs=None))
    with pytest.raises(PoolError, match="needs labeled"):
        get_strategy("cal").select(bare, 2, RunSettings(), np.random.default_rng(0))


def test_the_work_grows_with_the_pool_and_with_the_labeled_set() -> None:
    def steps(n_pool: int, n_labeled: int) -> int:
        return get_strategy("cal").steps(random_pool(n_pool, n_labeled, 2), RunSettings())

    assert steps(60, 5) == 2 * steps(30, 5)
    assert steps(30, 50) > steps(30, 5)
