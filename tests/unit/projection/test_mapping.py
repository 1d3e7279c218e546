import subprocess
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest

from alvin_core.errors import Cancelled, DataError, SettingsError
from alvin_core.progress import ProgressEvent
from alvin_core.projection import Projection, displacement, neighbors_kept, project_vectors, rms_radius, warm_up

N = 400


def clusters(seed: int = 0, n: int = N, n_clusters: int = 8, dim: int = 16) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = 6 * np.random.default_rng(99).standard_normal((n_clusters, dim))
    noise = rng.standard_normal((n, dim))
    return (centres[np.arange(n) % n_clusters] + noise).astype(np.float32)


def drifting(n_rounds: int) -> list[np.ndarray]:
    """Spaces that change from one to the next as a model's do: another noise on every example."""
    return [clusters() + 0.5 * clusters(seed + 1) for seed in range(n_rounds)]


@pytest.fixture(scope="module")
def first() -> Projection:
    return project_vectors(np.arange(N), clusters())


def test_a_map_is_centred_within_the_unit_disc_and_keeps_far_more_neighbours_than_chance(first: Projection) -> None:
    assert first.method == "umap"
    assert first.xy.dtype == np.float32
    assert np.hypot(*first.xy.T).max() == pytest.approx(0.95, abs=1e-5)
    assert np.abs(first.xy.mean(axis=0)).max() < 1e-5
    assert first.displacement is None
    assert first.kept_freely == first.neighbors_kept > 10 * 10 / (N - 1)


def test_clusters_of_the_space_are_clusters_of_the_map(first: Projection) -> None:
    cluster = np.arange(N) % 8
    distances = np.linalg.norm(first.xy[:, None] - first.xy[None], axis=2) + 9 * np.eye(N)
    assert (cluster[distances.argmin(axis=1)] == cluster).mean() > 0.99


def test_the_share_of_neighbours_on_a_map_is_what_the_public_measure_says(first: Projection) -> None:
    assert (first.neighbors_kept, first.n_neighbors_checked) == neighbors_kept(clusters(), first.xy)


def test_the_same_input_and_seed_give_the_same_map_and_another_seed_another(first: Projection) -> None:
    again = project_vectors(np.arange(N), clusters())
    other = project_vectors(np.arange(N), clusters(), seed=1)
    assert again.revision == first.revision != other.revision
    np.testing.assert_array_equal(again.xy, first.xy)


def test_maps_of_later_rounds_move_at_most_a_twentieth_of_the_radius_and_keep_most_of_what_a_free_one_keeps() -> None:
    maps: list[Projection] = []
    spaces = drifting(5)
    for round_no, vectors in enumerate(spaces):
        home = maps[-1] if maps else None
        maps.append(project_vectors(np.arange(N), vectors, round_no=round_no, home=home))
    for before, after in pairwise(maps):
        moved = displacement(after.xy, before.xy)
        assert after.displacement == pytest.approx(moved)
        assert 0 < moved <= 0.05
        assert np.hypot(*after.xy.T).max() <= 1 + 1e-6
        assert rms_radius(after.xy) == pytest.approx(rms_radius(maps[0].xy), rel=0.02)
    free = project_vectors(np.arange(N), spaces[-1])
    assert maps[-1].neighbors_kept > 0.7 * free.neighbors_kept
    assert maps[-1].kept_freely == maps[0].neighbors_kept
    stale = neighbors_kept(spaces[-1], maps[0].xy)[0]
    assert maps[-1].neighbors_kept > 1.1 * stale, "a map that follows the space beats one that stayed"


def test_a_map_of_an_unchanged_space_hardly_moves_and_loses_no_neighbours(first: Projection) -> None:
    same = project_vectors(np.arange(N), clusters(), round_no=1, home=first)
    assert same.displacement is not None
    assert same.displacement <= 0.05
    assert same.neighbors_kept > 0.9 * first.neighbors_kept


def test_a_map_lets_go_of_an_earlier_one_when_the_space_has_become_another(first: Projection) -> None:
    shuffled = clusters()[np.random.default_rng(0).permutation(N)]
    jumped = project_vectors(np.arange(N), shuffled, round_no=1, home=first)
    assert jumped.displacement is not None
    assert jumped.displacement > 0.3
    assert jumped.neighbors_kept > 0.8 * first.neighbors_kept
    assert jumped.kept_freely == jumped.neighbors_kept


def test_a_space_turned_and_mirrored_as_a_whole_gives_a_map_that_stays(first: Projection) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(5).standard_normal((16, 16)))
    turned = project_vectors(np.arange(N), (clusters() @ turn).astype(np.float32), round_no=1, home=first)
    assert turned.displacement is not None
    assert turned.displacement <= 0.05


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_too_few_examples_for_umap_are_mapped_by_pca_and_say_so(n: int) -> None:
    found = project_vectors(np.arange(n), clusters(n=n))
    assert found.method == "pca"
    assert found.xy.shape == (n, 2)
    assert 0 <= found.neighbors_kept <= 1


@pytest.mark.parametrize("n", [8, 12, 15, 16])
def test_umap_works_with_no_more_examples_than_it_wants_neighbours(n: int) -> None:
    found = project_vectors(np.arange(n), clusters(n=n))
    assert found.method == "umap"
    assert np.isfinite(found.xy).all()


def test_equal_vectors_are_one_point_and_not_a_cloud() -> None:
    found = project_vectors(np.arange(30), np.full((30, 4), 0.3, dtype=np.float32))
    assert found.method == "pca"
    assert not found.xy.any()


def test_a_map_goes_on_from_one_of_equal_vectors() -> None:
    home = project_vectors(np.arange(N), np.ones((N, 4), dtype=np.float32))
    found = project_vectors(np.arange(N), clusters(), round_no=1, home=home)
    assert (found.method, found.displacement) == ("umap", None)


def test_many_duplicates_lie_together_and_apart_from_the_others() -> None:
    vectors = clusters(n=100)
    vectors[:40] = vectors[0]
    found = project_vectors(np.arange(100), vectors)
    assert np.isfinite(found.xy).all()
    assert rms_radius(found.xy[:40]) < 0.5 * rms_radius(found.xy)


def test_vectors_of_one_dimension_are_mapped() -> None:
    found = project_vectors(np.arange(50), np.arange(50, dtype=np.float32)[:, None])
    assert found.method == "umap"
    assert found.neighbors_kept > 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["umap", "pca"])
def test_a_vector_that_is_no_number_is_named_by_its_row(bad: float, method: str) -> None:
    vectors = clusters(n=40)
    vectors[17, 3] = bad
    with pytest.raises(DataError, match=r"row 17 of 40 holds NaN or infinity; .*learning_rate"):
        project_vectors(np.arange(40), vectors, method=method)  # type: ignore[arg-type]


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'tsne' is unknown; choose 'umap' or 'pca'"):
        project_vectors(np.arange(N), clusters(), method="tsne")  # type: ignore[arg-type]


def test_a_home_of_other_examples_is_refused(first: Projection) -> None:
    with pytest.raises(ValueError, match="other examples"):
        project_vectors(np.arange(N)[::-1], clusters(), home=first)


def test_umap_tells_of_its_stages_and_counts_each_to_the_end() -> None:
    events: list[ProgressEvent] = []
    project_vectors(np.arange(N), clusters(), progress=events.append)
    assert list(dict.fromkeys(event.stage for event in events)) == ["neighbours", "layout"]
    last = {event.stage: event for event in events}
    assert (last["neighbours"].done, last["neighbours"].total) == (N, N)
    assert (last["layout"].done, last["layout"].total) == (500, 500)


@pytest.mark.parametrize(("stage", "done"), [("neighbours", 0), ("neighbours", N), ("layout", 0)])
def test_a_map_that_continues_none_stops_between_its_stages(stage: str, done: int) -> None:
    seen: list[ProgressEvent] = []

    def stop_at(event: ProgressEvent) -> None:
        seen.append(event)
        if (event.stage, event.done) == (stage, done):
            raise Cancelled

    with pytest.raises(Cancelled):
        project_vectors(np.arange(N), clusters(), progress=stop_at)
    assert (seen[-1].stage, seen[-1].done) == (stage, done)


def test_a_held_layout_stops_within_an_epoch_of_being_told(first: Projection) -> None:
    seen: list[ProgressEvent] = []

    def stop_at(event: ProgressEvent) -> None:
        seen.append(event)
        if event.stage == "layout" and event.done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        project_vectors(np.arange(N), clusters(), home=first, progress=stop_at)
    assert seen[-1].done == 3


def test_pca_needs_no_heavy_library_and_importing_maps_neither() -> None:
    program = (
        "import sys, numpy as np, alvin_core.projection as p\n"
        "v = np.random.default_rng(0).standard_normal((50, 4))\n"
        "m = p.project_vectors(np.arange(50), v, method='pca')\n"
        "p.place_by_neighbors(v, m.xy, v[:3])\n"
        "print(sorted({'torch', 'umap', 'numba', 'faiss', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_warming_up_raises_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warm_up()


def test_a_map_outside_the_unit_disc_is_refused() -> None:
    with pytest.raises(ValueError, match="unit disc"):
        Projection(np.arange(2), np.array([[0, 0], [1, 1]], dtype=np.float32), "pca", "model", 0, 1.0, 2)
    with pytest.raises(ValueError, match="unit disc"):
        Projection(np.arange(1), np.array([[np.nan, 0]], dtype=np.float32), "pca", "model", 0, 1.0, 1)


def test_without_umap_learn_umap_says_what_to_install_and_pca_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap.umap_", None)
    events: list[ProgressEvent] = []
    with pytest.raises(SettingsError, match=r'needs umap-learn.*`pip install "alvin-studio\[dashboard\]"`.*\'pca\''):
        project_vectors(np.arange(N), clusters(), progress=events.append)
    assert not events, "it says so before it searches"
    assert project_vectors(np.arange(N), clusters(), method="pca").method == "pca"
