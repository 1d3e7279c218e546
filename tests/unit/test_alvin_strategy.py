"""ALVIN's retrieval and ranking with known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core import anchors as anchors_module
from alvin_core.errors import PoolError, SettingsError
from alvin_core.groups import infer_groups
from alvin_core.neighbors import candidates, nearest_in_pool
from alvin_core.settings import AlvinSettings, RunSettings
from alvin_core.strategies import LabeledSet, Pool, get_strategy, rank_candidates
from alvin_core.strategies import alvin as alvin_module
from alvin_core.types import Anchors, Neighbors

# Two parents on a line, one anchor in their middle, and a pool along the line.
ANCHORS = Anchors(
    parent_vectors=np.array([[0.0, 0.0], [10.0, 0.0]], dtype=np.float32),
    parent_ids=np.array(["minority", "majority"]),
    minority_rows=np.array([0, 0]),
    majority_rows=np.array([1, 1]),
    weights=np.array([0.5, 0.9], dtype=np.float32),  # anchors at x = 5 and x = 1
    classes=np.array([0, 0]),
)
POOL_VECTORS = np.array([[1.0, 0], [2, 0], [4, 0], [5, 1], [9, 0]], dtype=np.float32)
POOL_IDS = np.array(["p0", "p1", "p2", "p3", "p4"])
PROBS = np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.99, 0.01], [0.5, 0.5]], dtype=np.float32)


def neighbors(k: int = 3) -> Neighbors:
    return nearest_in_pool(POOL_VECTORS, POOL_IDS, ANCHORS, k=k)


def ranked(rank: str, budget: int = 4):
    return rank_candidates(neighbors(), POOL_IDS, PROBS, budget=budget, rank=rank, rng=np.random.default_rng(0))  # type: ignore[arg-type]


def test_the_neighbors_of_the_two_anchors_are_the_candidates() -> None:
    assert neighbors().ids.tolist() == [["p2", "p3", "p1"], ["p0", "p1", "p2"]]
    candidates = ranked("uncertainty").candidates
    assert candidates is not None
    assert candidates.rows.tolist() == [0, 1, 2, 3]
    assert candidates.n_anchors.tolist() == [1, 2, 2, 1]
    np.testing.assert_allclose(candidates.nearest, [0, 1, 1, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        ("uncertainty", ["p1", "p2", "p0", "p3"]),
        ("certainty", ["p3", "p0", "p2", "p1"]),
        ("distance", ["p0", "p1", "p2", "p3"]),
        ("frequency", ["p1", "p2", "p0", "p3"]),
    ],
)
def test_each_rank_orders_the_candidates_as_it_says(rank: str, expected: list[str]) -> None:
    assert ranked(rank).ids.tolist() == expected


def test_a_random_rank_is_seeded() -> None:
    assert ranked("random").ids.tolist() == ranked("random").ids.tolist()


def test_every_link_of_a_selected_example_is_in_its_provenance_nearest_first() -> None:
    provenance = ranked("uncertainty", budget=2).provenance
    assert provenance is not None
    links = list(zip(provenance.ids.tolist(), provenance.anchor_rows.tolist(), strict=True))
    assert links == [("p1", 1), ("p1", 0), ("p2", 0), ("p2", 1)]
    np.testing.assert_allclose(provenance.distances, [1, 3, 1, 3], atol=1e-5)


def test_the_ranking_holds_all_candidates_beyond_the_budget() -> None:
    selection = ranked("uncertainty", budget=1)
    assert POOL_IDS[selection.ranking].tolist() == ["p1", "p2", "p0", "p3"]
    assert selection.n_candidates == 4


@pytest.mark.parametrize("budget", [0, 5])
def test_more_than_the_candidates_cannot_be_taken(budget: int) -> None:
    with pytest.raises(PoolError, match=f"asked for {budget} of 4 candidates"):
        ranked("uncertainty", budget=budget)


def test_nan_probabilities_and_unknown_ranks_are_refused() -> None:
    probs = PROBS.copy()
    probs[2] = np.nan
    with pytest.raises(PoolError, match="first: row 2"):
        rank_candidates(neighbors(), POOL_IDS, probs, budget=1, rng=np.random.default_rng(0))
    with pytest.raises(SettingsError, match=r"alvin.rank = 'luck'"):
        ranked("luck")
    with pytest.raises(PoolError, match="must be of one length"):
        rank_candidates(neighbors(), POOL_IDS[:3], PROBS, budget=1, rng=np.random.default_rng(0))
    with pytest.raises(PoolError, match="not those the neighbors were found among"):
        rank_candidates(neighbors(), POOL_IDS[::-1], PROBS, budget=1, rng=np.random.default_rng(0))


def test_links_looked_at_in_small_portions_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = small_pool()
    whole = run_alvin(pool, 20, k=2, n_anchors=1)
    monkeypatch.setattr(candidates, "LINKS_AT_ONCE", 3)
    parts = run_alvin(pool, 20, k=2, n_anchors=1)
    assert (parts.k, parts.ids.tolist()) == (whole.k, whole.ids.tolist())
    assert parts.provenance is not None
    assert whole.provenance is not None
    assert parts.candidates is not None
    assert whole.candidates is not None
    for name in ("ids", "anchor_rows", "distances"):
        np.testing.assert_array_equal(getattr(parts.provenance, name), getattr(whole.provenance, name))
    for name in ("rows", "n_anchors", "nearest"):
        np.testing.assert_array_equal(getattr(parts.candidates, name), getattr(whole.candidates, name))


def test_examples_may_have_numbers_for_ids() -> None:
    pool = small_pool()
    numbered = replace(pool, ids=np.arange(len(pool)) * 7)
    assert (run_alvin(numbered, 6).ids // 7).tolist() == [int(name[1:]) for name in run_alvin(pool, 6).ids.tolist()]


def small_pool(n_pool: int = 30, minority: bool = True) -> Pool:
    rng = np.random.default_rng(1)
    classes = np.array([0, 0, 0, 1, 1, 1]) if minority else np.arange(6)
    gold_prob = rng.random((3, 6))
    groups = infer_groups(gold_prob > 2, gold_prob, classes)
    vectors = rng.normal(size=(6, 4)).astype(np.float32)
    return Pool(
        ids=np.array([f"p{row:02d}" for row in range(n_pool)]),
        probs=rng.dirichlet([1] * (classes.max() + 1), size=n_pool),
        vectors=rng.normal(size=(n_pool, 4)).astype(np.float32),
        labeled=LabeledSet(np.arange(6), classes, vectors, groups),
    )


def run_alvin(pool: Pool, budget: int, **changes: object):
    settings = replace(RunSettings(), alvin=replace(AlvinSettings(), **changes))  # type: ignore[arg-type]
    return get_strategy("alvin").select(pool, budget, settings, np.random.default_rng(0))


def test_k_doubles_until_the_candidates_suffice_and_says_so() -> None:
    selection = run_alvin(small_pool(), 20, k=1, n_anchors=1, max_pairs=1)
    assert selection.k is not None
    assert selection.k in (16, 30)
    assert "gave fewer candidates than the budget" in selection.warnings[0]


def test_a_sufficient_k_is_left_alone_without_a_warning() -> None:
    selection = run_alvin(small_pool(), 5, k=10)
    assert selection.k == 10
    assert selection.warnings == ()


def test_without_anchors_the_whole_pool_is_ranked_and_flagged() -> None:
    pool = small_pool(minority=False)  # six classes of one example: no pair anywhere
    selection = run_alvin(pool, 4)
    entropy = get_strategy("entropy").select(pool, 4, RunSettings(), np.random.default_rng(0))
    assert selection.ids.tolist() == entropy.ids.tolist()
    assert selection.warnings == ("no class had anchors, so the whole pool was ranked",)
    assert selection.n_candidates == 30


def test_without_anchors_a_rank_by_distance_says_that_it_took_uncertainty() -> None:
    assert (
        "by uncertainty ('distance' needs anchors)"
        in run_alvin(small_pool(minority=False), 4, rank="distance").warnings[0]
    )


@pytest.mark.parametrize("rank", ["certainty", "random"])
def test_without_anchors_the_other_ranks_keep_their_meaning(rank: str) -> None:
    selection = run_alvin(small_pool(minority=False), 4, rank=rank)
    assert selection.warnings == ("no class had anchors, so the whole pool was ranked",)


def test_too_many_links_are_refused_before_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alvin_module, "MAX_LINKS", 100)
    with pytest.raises(SettingsError, match=r"pass the limit of 100 links; set alvin.max_pairs"):
        run_alvin(small_pool(), 20)


def test_the_limit_of_anchors_is_the_documented_one() -> None:
    assert anchors_module.MAX_ANCHORS == 10_000_000
