"""AnchorAL: anchors of every class, the subpool around them, and the base strategy on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import Cancelled, PoolError, SettingsError
from alvin_core.groups import infer_groups
from alvin_core.progress import ProgressEvent
from alvin_core.settings import AnchoralSettings, RunSettings
from alvin_core.strategies import LabeledSet, Pool, get_strategy
from alvin_core.strategies.anchoral import anchoral, check_base, choose_anchors, similar_to_anchors
from alvin_core.types import Selection


def make_pool(
    vectors: np.ndarray, labeled_vectors: np.ndarray, classes: np.ndarray, probs: np.ndarray | None = None
) -> Pool:
    classes = np.asarray(classes)
    gold = np.full((2, len(classes)), 0.9)
    labeled = LabeledSet(
        ids=np.array([f"l{row:04d}" for row in range(len(classes))]),
        classes=classes,
        vectors=np.asarray(labeled_vectors, dtype=np.float32),
        groups=infer_groups(gold > 0.5, gold, classes),
        probs=np.full((len(classes), 2), 0.5),
    )
    ids = np.array([f"p{row:04d}" for row in range(len(vectors))])
    return Pool(ids, probs, np.asarray(vectors, dtype=np.float32), labeled)


def random_pool(n_pool: int = 200, n_labeled: int = 40, dim: int = 6, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet([1, 1], size=n_pool)
    return make_pool(rng.normal(size=(n_pool, dim)), rng.normal(size=(n_labeled, dim)), np.arange(n_labeled) % 2, probs)


def select(pool: Pool, budget: int, seed: int = 0, **params: object) -> Selection:
    settings = RunSettings(anchoral=AnchoralSettings(**params))  # type: ignore[arg-type]
    return get_strategy("anchoral").select(pool, budget, settings, np.random.default_rng(seed))


def at_angles(*degrees: float) -> np.ndarray:
    """Vectors of length 1 in the plane."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def test_the_subpool_is_what_the_anchors_retrieve_nearest_first() -> None:
    # The anchors lie at 0 and 90 degrees. Of 5, 40, 60 and 200 degrees the first retrieves 5 and 40, the other one 60
    # and 40; 40 is 1 - (cos 40 + cos 50) / 2 = .296 from them on average, 60 is .134 and 5 is .004 from its one.
    pool = make_pool(at_angles(40, 5, 200, 60), at_angles(0, 90), [0, 1])
    rows, k = similar_to_anchors(pool, at_angles(0, 90).astype(np.float32), n_neighbors=2, least=1)
    assert rows.tolist() == [1, 3, 0]
    assert k == 2


def test_length_does_not_matter_only_direction() -> None:
    pool = make_pool(at_angles(40, 5, 200, 60) * [[9.0], [0.1], [1.0], [3.0]], at_angles(0, 90), [0, 1])
    rows, _ = similar_to_anchors(pool, at_angles(0, 90).astype(np.float32), n_neighbors=2, least=1)
    assert rows.tolist() == [1, 3, 0]


def test_the_base_selects_from_the_subpool_alone() -> None:
    # The most uncertain of all is at 200 degrees, which no anchor retrieves; of the others 60 degrees is.
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5], [0.6, 0.4]])
    pool = make_pool(at_angles(40, 5, 200, 60), at_angles(0, 90), [0, 1], probs)
    selection = select(pool, 2, n_neighbors=2)
    assert selection.ids.tolist() == ["p0003", "p0001"]
    assert selection.rows.tolist() == [3, 1]
    assert selection.ranking.tolist() == [3, 1, 0]
    np.testing.assert_allclose(selection.scores, [0.67301, 0.50040], atol=1e-5)  # their entropies
    assert selection.provenance is None
    assert selection.warnings == ()


def test_only_the_nearest_are_kept_in_the_subpool() -> None:
    probs = np.array([[0.6, 0.4], [0.8, 0.2], [0.5, 0.5], [0.7, 0.3]])
    pool = make_pool(at_angles(40, 5, 200, 60), at_angles(0, 90), [0, 1], probs)
    assert sorted(select(pool, 1, n_neighbors=2, subpool=2).ranking.tolist()) == [1, 3]


def test_neighbors_are_doubled_until_the_budget_is_reached_and_it_is_said() -> None:
    pool = make_pool(at_angles(*range(0, 160, 10)), at_angles(0, 0), [0, 1], np.full((16, 2), 0.5))
    selection = select(pool, 7, n_neighbors=2)
    assert sorted(selection.ranking.tolist()) == list(range(8))  # 2, 4, 8
    assert selection.warnings == ("2 neighbors of each of 2 anchors are fewer than the budget; 8 were taken",)


def test_a_subpool_smaller_than_the_budget_is_raised_and_it_is_said() -> None:
    selection = select(random_pool(), 30, subpool=5)
    assert len(selection) == len(selection.ranking) == 30
    assert selection.warnings == ("subpool = 5 is smaller than the budget; 30 examples were kept",)


def test_with_the_whole_pool_as_subpool_it_is_the_base() -> None:
    pool = random_pool()
    expected = get_strategy("margin").select(pool, 20, RunSettings(), np.random.default_rng(0))
    selection = select(pool, 20, base="margin", n_neighbors=200)
    np.testing.assert_array_equal(selection.rows, expected.rows)
    np.testing.assert_array_equal(selection.ranking, expected.ranking)
    np.testing.assert_array_equal(selection.scores, expected.scores)


def test_the_base_reads_its_own_settings_of_the_run() -> None:
    # ALVIN ranked by certainty takes what ALVIN ranked by uncertainty takes last.
    pool = random_pool()
    picks = []
    for rank in ("uncertainty", "certainty"):
        settings = RunSettings(anchoral=AnchoralSettings(base="alvin"))
        settings = replace(settings, alvin=replace(settings.alvin, rank=rank, k=50))
        picks.append(get_strategy("anchoral").select(pool, 5, settings, np.random.default_rng(0)))
    uncertain, certain = picks
    assert uncertain.ranking.tolist() == certain.ranking.tolist()[::-1]
    assert uncertain.provenance is uncertain.anchors is uncertain.candidates is None


def test_there_are_anchors_of_every_class() -> None:
    classes = np.array([0] * 30 + [1] * 2 + [5] * 12)
    vectors = np.random.default_rng(0).normal(size=(44, 3))
    rows = choose_anchors(vectors.astype(np.float32), classes, 10, np.random.default_rng(1))
    assert len(set(rows.tolist())) == len(rows)
    assert np.bincount(classes[rows], minlength=6).tolist() == [10, 2, 0, 0, 0, 10]


def test_anchors_are_spread_over_the_class() -> None:
    # Three heaps a thousand times as far apart as they are wide: two of one heap are all but impossible.
    rng = np.random.default_rng(0)
    heaps = np.repeat([[0.0, 0.0], [1000.0, 0.0], [0.0, 1000.0]], 20, axis=0)
    vectors = (heaps + rng.normal(size=heaps.shape)).astype(np.float32)
    for seed in range(20):
        rows = choose_anchors(vectors, np.zeros(60, dtype=int), 3, np.random.default_rng(seed))
        assert sorted(row // 20 for row in rows.tolist()) == [0, 1, 2]


def test_the_chance_of_an_anchor_grows_with_the_squared_distance() -> None:
    # From 0, 3 and 4 are drawn second in 9 to 16; from 3 and 4, the chances are 9 to 1 and 16 to 1 for 0.
    vectors = np.array([[0.0], [3.0], [4.0]], dtype=np.float32)
    pairs = [
        tuple(choose_anchors(vectors, np.zeros(3, dtype=int), 2, np.random.default_rng(seed))) for seed in range(3000)
    ]
    expected = {(0, 1): 9 / 25, (0, 2): 16 / 25, (1, 0): 0.9, (1, 2): 0.1, (2, 0): 16 / 17, (2, 1): 1 / 17}
    for pair, chance in expected.items():
        assert pairs.count(pair) / 3000 == pytest.approx(chance / 3, abs=0.03)


def test_copies_of_one_vector_still_give_different_anchors() -> None:
    rows = choose_anchors(np.ones((9, 4), dtype=np.float32), np.zeros(9, dtype=int), 5, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 5


def test_where_all_vectors_are_equal_the_subpool_is_of_the_lowest_ids() -> None:
    pool = make_pool(np.ones((30, 3)), np.ones((6, 3)), [0, 1] * 3, np.full((30, 2), 0.5))
    pool = replace(pool, ids=pool.ids[::-1].copy())
    assert sorted(select(pool, 4, n_neighbors=5).ranking.tolist()) == [25, 26, 27, 28, 29]


def test_vectors_of_zeros_are_no_obstacle() -> None:
    pool = make_pool(np.zeros((6, 3)), np.zeros((4, 3)), [0, 1, 0, 1], np.full((6, 2), 0.5))
    assert select(pool, 6).ids.tolist() == pool.ids.tolist()


@pytest.mark.parametrize("base", ["entropy", "random", "alvin"])
def test_a_tiny_pool_is_taken_whole(base: str) -> None:
    pool = random_pool(n_pool=5)
    assert sorted(select(pool, 5, base=base).rows.tolist()) == list(range(5))


def test_the_order_of_the_pool_does_not_matter() -> None:
    pool = random_pool()
    other = pool.take(np.random.default_rng(1).permutation(200))
    for base in ("entropy", "random"):
        chosen = select(pool, 9, base=base, n_neighbors=3).ids.tolist()
        assert select(other, 9, base=base, n_neighbors=3).ids.tolist() == chosen


def test_another_seed_takes_other_anchors() -> None:
    pools = {tuple(sorted(select(random_pool(), 3, seed, n_anchors=2).ranking.tolist())) for seed in range(5)}
    assert len(pools) == 5


@pytest.mark.parametrize(("name", "told"), [("anchoral", "subpool of its subpool"), ("entropie", "did you mean")])
def test_a_base_that_cannot_be_is_refused_with_those_that_can(name: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as raised:
        check_base(name)
    assert "entropy" in str(raised.value)
    with pytest.raises(SettingsError, match=told):
        select(random_pool(), 3, base=name)


def test_what_the_base_lacks_is_said_in_its_name() -> None:
    with pytest.raises(PoolError, match="'entropy' needs probs"):
        select(replace(random_pool(), probs=None), 3)


def test_without_settings_of_a_run_the_base_has_its_defaults() -> None:
    pool = random_pool()
    assert pool.settings is None
    chosen = anchoral(pool, 6, AnchoralSettings(base="alvin"), np.random.default_rng(0))
    assert chosen.ids.tolist() == select(pool, 6, base="alvin").ids.tolist()


def test_a_stop_is_heard() -> None:
    def stop(event: ProgressEvent) -> None:
        raise Cancelled(event.stage)

    with pytest.raises(Cancelled):
        select(replace(random_pool(), progress=stop), 3)


def test_the_work_is_the_search_and_the_bases_on_the_subpool() -> None:
    def steps(pool: Pool, **params: object) -> int:
        settings = RunSettings(anchoral=AnchoralSettings(**params))  # type: ignore[arg-type]
        return get_strategy("anchoral").steps(pool, settings)

    pool = random_pool()
    of_base = {
        size: steps(pool, base="alvin", subpool=size) - steps(pool, base="random", subpool=size) for size in (100, 150)
    }
    alone = {size: get_strategy("alvin").steps(pool.take(np.arange(size)), RunSettings()) - size for size in (100, 150)}
    assert of_base == alone
    assert steps(pool, n_anchors=20) > steps(pool, n_anchors=10)
    with pytest.raises(SettingsError, match="subpool of its subpool"):
        steps(pool, base="anchoral")
