"""TypiClust: which cluster is next and who is typical in it, worked out by hand and by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core.errors import Cancelled
from alvin_core.progress import ProgressEvent
from alvin_core.settings import RunSettings
from alvin_core.strategies import LabeledSet, Pool, get_strategy, typiclust
from alvin_core.types import Groups, Selection


def pool_of(vectors: np.ndarray, labeled: np.ndarray, ids: np.ndarray | None = None) -> Pool:
    classes = np.arange(len(labeled)) % 2
    none = np.zeros(len(labeled), dtype=bool)
    return Pool(
        ids=np.array([f"example-{row:05d}" for row in range(len(vectors))]) if ids is None else ids,
        vectors=vectors.astype(np.float32),
        labeled=LabeledSet(
            ids=np.array([f"labeled-{row}" for row in range(len(labeled))]),
            classes=classes,
            vectors=labeled.astype(np.float32),
            groups=Groups(none, classes, "forgetting", none),
            probs=np.full((len(labeled), 2), 0.5),
        ),
    )


def select(pool: Pool, budget: int, seed: int = 0, **changes: int) -> Selection:
    settings = RunSettings().with_values({f"typiclust.{name}": value for name, value in changes.items()})
    return get_strategy("typiclust").select(pool, budget, settings, np.random.default_rng(seed))


def picks(values: list[float], labels: list[int], labeled_rows: list[int], budget: int, k: int = 20) -> list[int]:
    vectors = np.array(values, dtype=np.float32)[:, None]
    is_labeled = np.isin(np.arange(len(values)), labeled_rows)
    return typiclust.most_typical(vectors, np.array(labels), is_labeled, budget, n_neighbors=k).tolist()


def bundle(center: float, n: int, width: float, rng: np.random.Generator) -> np.ndarray:
    """Directions around one, in degrees."""
    degrees = np.radians(center + width * rng.uniform(-1, 1, n))
    return np.stack([np.cos(degrees), np.sin(degrees)], axis=1)


def test_clusters_without_labeled_examples_come_first_the_largest_before_the_others() -> None:
    # Cluster 0 (rows 0-6) holds a labeled example; 1 (rows 7-11) and 2 (rows 12-17) do not. Means of the distances to
    # the two nearest: in 1 the middle 10.2 has 0.15 and the others more, in 2 it is 30.1 with 0.1.
    values = [0, 1, 2, 3, 4, 5, 6, 10, 10.05, 10.2, 10.35, 11, 30, 30.1, 30.2, 31, 32, 33]
    labels = [0] * 7 + [1] * 5 + [2] * 6
    assert picks(values, labels, [3], 2, k=2) == [13, 8]
    # 10.05: (0.05 + 0.15) / 2 = 0.1; 10.2: (0.15 + 0.15) / 2 = 0.15; so row 8 it was.


def test_after_every_cluster_is_covered_the_one_with_the_fewest_labeled_or_picked_is_next() -> None:
    # Five examples and one labeled in cluster 0; five in cluster 1; six and two labeled in cluster 2.
    values = [0, 1, 2, 3, 4.5, 10, 11, 12, 13, 14.5, 20, 21, 22, 23, 24, 25.5]
    labels = [0] * 5 + [1] * 5 + [2] * 6
    # 1 (none) first; then 0 and 1 hold one each and are of one size, so 0, then 1; then all hold two and 2 is largest.
    clusters = np.array(labels)[picks(values, labels, [0, 10, 15], 4, k=1)]
    assert clusters.tolist() == [1, 0, 1, 2]


def test_the_neighbors_of_an_example_are_the_nearest_of_its_own_cluster_labeled_ones_included() -> None:
    # In one cluster 0, 4, 5, 9, 10.5: with one neighbor 4 and 5 tie and the lower row is taken. Row 1 is labeled.
    assert picks([0, 4, 5, 9, 10.5], [0] * 5, [1], 4, k=1) == [2, 3, 4, 0]
    # 4.4 of the other cluster is nearer to 4 and 5, and counts for nothing there.
    assert picks([0, 4, 5, 9, 9.5, 4.4], [0] * 5 + [1], [0], 1, k=1) == [3]


def test_a_small_cluster_comes_only_when_nothing_else_is_left() -> None:
    values = [0, 1, 2, 3, 4, 100, 101, 102, 103]
    labels = [0] * 5 + [1] * 4
    order = picks(values, labels, [0], 8)
    assert set(order[:4]) == {1, 2, 3, 4}
    assert set(order[4:]) == {5, 6, 7, 8}


def test_a_cluster_of_one_example_can_be_picked_from() -> None:
    assert picks([3.0], [0], [], 1) == [0]


def test_typicality_is_that_of_all_pairs_in_float64() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(300, 6)) + 20).astype(np.float32)
    exact = np.sqrt(((vectors[:, None].astype(float) - vectors[None]) ** 2).sum(axis=2))
    mean = np.sort(exact, axis=1)[:, 1:21].mean(axis=1)
    one_cluster, nobody = np.zeros(300, dtype=np.int64), np.zeros(300, dtype=bool)
    found = typiclust.most_typical(vectors, one_cluster, nobody, 300, n_neighbors=20)
    np.testing.assert_array_equal(found, np.argsort(mean))


def test_bundles_without_a_labeled_example_are_each_picked_from_whatever_the_lengths() -> None:
    rng = np.random.default_rng(1)
    centers = [0, 60, 120, 180, 240, 300]
    directions = np.concatenate([bundle(center, 30, 5, rng) for center in centers])
    bundles = np.repeat(np.arange(6), 30)
    labeled = bundle(0, 1, 1, rng)
    found = select(pool_of(directions * rng.uniform(1, 9, size=(180, 1)), labeled), 5)
    assert sorted(bundles[found.rows].tolist()) == [1, 2, 3, 4, 5]
    assert found.scores.tolist() == [5, 4, 3, 2, 1]
    for row in found.rows:
        inside = directions[bundles == bundles[row]]
        middle = inside.mean(axis=0) / np.linalg.norm(inside.mean(axis=0))
        assert directions[row] @ middle > np.cos(np.radians(4))


def test_no_more_clusters_are_made_than_the_setting_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    find = typiclust.find_clusters

    def find_and_note(vectors: np.ndarray, n_clusters: int, *args: object, **named: object) -> object:
        asked.append(n_clusters)
        return find(vectors, n_clusters, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(typiclust, "find_clusters", find_and_note)
    rng = np.random.default_rng(2)
    pool = pool_of(rng.normal(size=(60, 3)), rng.normal(size=(7, 3)))
    select(pool, 4)
    select(pool, 4, max_clusters=9)
    assert asked == [11, 9]


def test_a_seed_gives_one_answer_whatever_the_order_of_the_pool() -> None:
    rng = np.random.default_rng(3)
    pool = pool_of(rng.normal(size=(400, 10)), rng.normal(size=(20, 10)))
    assert pool.vectors is not None
    shuffled = rng.permutation(len(pool))
    other = replace(pool, ids=pool.ids[shuffled], vectors=pool.vectors[shuffled])
    expected = select(pool, 15).ids.tolist()
    assert select(other, 15).ids.tolist() == expected
    assert len(set(expected)) == 15
    assert select(pool, 15, seed=1).ids.tolist() != expected


@pytest.mark.parametrize("budget", [1, 5, 30])
def test_a_pool_of_equal_vectors_gives_the_budget(budget: int) -> None:
    selection = select(pool_of(np.ones((30, 3)), np.ones((2, 3))), budget)
    assert sorted(selection.ids.tolist()) == [f"example-{row:05d}" for row in range(budget)]


@pytest.mark.parametrize("n_pool", [1, 2, 5, 40])
def test_the_whole_pool_can_be_the_budget(n_pool: int) -> None:
    rng = np.random.default_rng(4)
    found = select(pool_of(rng.normal(size=(n_pool, 3)), rng.normal(size=(3, 3))), n_pool, n_neighbors=3)
    assert sorted(found.rows.tolist()) == list(range(n_pool))


def test_a_cancel_is_heard_while_picking() -> None:
    def stop(event: ProgressEvent) -> None:
        if event == ProgressEvent("select", 2, 6, "typiclust"):
            raise Cancelled("stopped")

    rng = np.random.default_rng(5)
    pool = replace(pool_of(rng.normal(size=(80, 3)), rng.normal(size=(3, 3))), progress=stop)
    with pytest.raises(Cancelled):
        select(pool, 6)


def test_the_work_grows_with_the_pool_the_labeled_set_and_the_budget() -> None:
    rng = np.random.default_rng(0)
    entry = get_strategy("typiclust")
    pool = pool_of(rng.normal(size=(1000, 4)), rng.normal(size=(10, 4)))
    few = entry.steps(pool, RunSettings(budget=5))
    assert entry.steps(pool, RunSettings(budget=50)) > few
    assert entry.steps(pool_of(rng.normal(size=(9000, 4)), rng.normal(size=(10, 4))), RunSettings(budget=5)) > few
    assert entry.steps(pool_of(rng.normal(size=(1000, 4)), rng.normal(size=(90, 4))), RunSettings(budget=5)) > few
