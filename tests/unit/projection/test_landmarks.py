import numpy as np
import pytest

from alvin_core.progress import ProgressEvent, silent
from alvin_core.projection import Projection, displacement, landmarks, neighbors_kept, project_vectors
from alvin_core.projection.faithfulness import checked_rows
from alvin_core.projection.landmarks import landmark_rows, nearest_landmarks, placed_among

N, N_LANDMARKS = 900, 300


@pytest.fixture
def few_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "LAID_OUT_UP_TO", N_LANDMARKS)
    monkeypatch.setattr(landmarks, "N_LANDMARKS", N_LANDMARKS)


def clusters(seed: int = 0, n: int = N) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = 6 * np.random.default_rng(99).standard_normal((9, 16))
    return (centres[np.arange(n) % 9] + rng.standard_normal((n, 16))).astype(np.float32)


def project(vectors: np.ndarray, home: Projection | None = None) -> Projection:
    return project_vectors(np.arange(len(vectors)), vectors, home=home)


def test_up_to_fifty_thousand_examples_are_all_laid_out_and_of_more_twenty_thousand() -> None:
    np.testing.assert_array_equal(landmark_rows(50_000, seed=0), np.arange(50_000))
    rows = landmark_rows(50_001, seed=0)
    assert len(rows) == len(np.unique(rows)) == 20_000
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, landmark_rows(50_001, seed=0))
    assert not np.array_equal(rows, landmark_rows(50_001, seed=1))


@pytest.mark.parametrize("n", [50_001, 60_000, 99_999, 300_000])
def test_the_examples_that_a_map_is_judged_by_are_landmarks_no_more_often_than_others(n: int) -> None:
    share = np.isin(checked_rows(n), landmark_rows(n, seed=0)).mean()
    assert share == pytest.approx(20_000 / n, abs=0.05)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_the_nearest_landmarks_are_those_of_brute_force_with_ties_duplicates_and_far_from_the_origin(
    offset: float,
) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.integers(0, 4, size=(400, 3)) + offset).astype(np.float32)  # at most 64 different ones
    rows = np.sort(rng.choice(400, 90, replace=False))
    others = np.setdiff1d(np.arange(400), rows)
    nearest, distances = nearest_landmarks(vectors, rows, silent)
    exact = np.linalg.norm(vectors[others, None].astype(np.float64) - vectors[rows], axis=2)
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :10], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(exact, nearest, axis=1), distances, atol=1e-6)
    assert all(len(set(row)) == 10 for row in nearest.tolist())


def test_an_example_is_put_a_fifth_of_the_way_from_its_nearest_landmark_to_the_barycentre() -> None:
    xy = np.array([[0, 0], [3, 0]], dtype=np.float32)
    places = placed_among(xy, np.array([0, 2]), np.array([[0, 1]], dtype=np.int32), np.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(places[[0, 2]], xy)
    np.testing.assert_allclose(places[1], [0.2 * 1.0, 0], rtol=1e-6)  # the weights are 2/3 and 1/3


def test_an_example_equal_to_a_landmark_lies_on_it() -> None:
    xy = np.array([[0, 0], [3, 0]], dtype=np.float32)
    places = placed_among(xy, np.array([0, 1]), np.array([[1, 0]], dtype=np.int32), np.array([[0.0, 2.0]]))
    np.testing.assert_array_equal(places[2], xy[1])


@pytest.mark.usefixtures("few_landmarks")
def test_a_map_by_landmarks_keeps_clusters_and_says_what_it_keeps_of_all_neighbours() -> None:
    vectors = clusters()
    made = project(vectors)
    assert np.hypot(*made.xy.T).max() == pytest.approx(0.95, abs=1e-5)
    assert np.abs(made.xy.mean(axis=0)).max() < 1e-5
    assert (made.neighbors_kept, made.n_neighbors_checked) == neighbors_kept(vectors, made.xy)
    distances = np.linalg.norm(made.xy[:, None] - made.xy[None], axis=2) + 9 * np.eye(N)
    cluster = np.arange(N) % 9
    assert (cluster[distances.argmin(axis=1)] == cluster).mean() > 0.97
    assert project(vectors).revision == made.revision


def test_a_map_by_landmarks_keeps_most_of_what_a_whole_layout_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = project(clusters())
    monkeypatch.setattr(landmarks, "LAID_OUT_UP_TO", N_LANDMARKS)
    monkeypatch.setattr(landmarks, "N_LANDMARKS", N_LANDMARKS)
    by_landmarks = project(clusters())
    assert by_landmarks.revision != whole.revision
    assert by_landmarks.neighbors_kept > 0.6 * whole.neighbors_kept


@pytest.mark.usefixtures("few_landmarks")
def test_later_maps_by_landmarks_move_at_most_a_twentieth_of_the_radius() -> None:
    made = project(clusters())
    for seed in (1, 2):
        before, vectors = made, clusters() + 0.5 * clusters(seed)
        made = project(vectors, before)
        assert 0 < displacement(made.xy, before.xy) <= 0.05
        assert made.neighbors_kept > neighbors_kept(vectors, before.xy)[0]


@pytest.mark.usefixtures("few_landmarks")
def test_a_map_by_landmarks_tells_of_the_examples_that_it_places() -> None:
    events: list[ProgressEvent] = []
    project_vectors(np.arange(N), clusters(), progress=events.append)
    places = [event.done for event in events if event.stage == "places"]
    assert places[0] == 0
    assert places[-1] == N - N_LANDMARKS
    assert [event.stage for event in events if event.done == 0] == ["neighbours", "places", "layout"]


@pytest.mark.usefixtures("few_landmarks")
def test_where_all_landmarks_are_equal_the_map_is_by_pca() -> None:
    vectors = np.zeros((N, 4), dtype=np.float32)
    other = np.setdiff1d(np.arange(N), landmark_rows(N, seed=0))[0]
    vectors[other] = 1
    made = project(vectors)
    assert made.method == "pca"
    assert np.isfinite(made.xy).all()
