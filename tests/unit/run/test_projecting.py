import json
import os
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import alvin_core as alvin
from alvin_core.errors import Cancelled, RunNotFoundError, SettingsError, StoreError
from alvin_core.progress import ProgressEvent
from alvin_core.projection import displacement
from alvin_core.run.engine import Engine

SETTINGS = {"initial": 8, "budget": 4, "seed": 3}


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> alvin.Run:
    made = alvin.create_run(tmp_path / "store", fake.make_dataset(), alvin.RunSettings(**SETTINGS), name="one")
    list(made.run_rounds(2))
    return made


def folders(run: alvin.Run) -> list[Path]:
    return sorted(run._handle.folder.glob("round-*"))


def test_a_round_has_no_map_before_one_is_made_and_then_the_same_one_in_every_process(run: alvin.Run) -> None:
    assert run.projection(0) is None
    made = run.project(0)
    read = alvin.open_run(run._handle.store.path, "one").projection(0)
    assert read is not None
    np.testing.assert_array_equal(read.xy, made.xy)
    assert (read.revision, read.method, read.round_no, read.space) == (made.revision, "umap", 0, "model")
    assert (read.neighbors_kept, read.n_neighbors_checked) == (made.neighbors_kept, 60)
    assert (read.kept_freely, read.units, read.displacement) == (made.kept_freely, made.units, None)


def test_a_map_shows_the_pool_split_in_the_order_of_the_data_set(run: alvin.Run) -> None:
    pool = run.dataset.rows_of("pool")
    for round_no in (0, 2):
        np.testing.assert_array_equal(run.project(round_no).ids, run.dataset.ids[pool])


def test_points_of_a_map_are_those_of_their_own_vectors(run: alvin.Run) -> None:
    ids, vectors = run.vectors(1)
    order = np.argsort(ids)
    places = order[np.searchsorted(ids, run.dataset.ids[run.dataset.rows_of("pool")], sorter=order)]
    expected = alvin_pca(np.asarray(vectors)[places])
    np.testing.assert_allclose(run.project(1, method="pca").xy, expected, atol=1e-6)


def alvin_pca(vectors: np.ndarray) -> np.ndarray:
    from alvin_core.projection import project_vectors

    return project_vectors(np.arange(len(vectors)), vectors, method="pca").xy


def test_a_map_continues_that_of_the_nearest_earlier_round_and_fills_none_in(run: alvin.Run) -> None:
    first = run.project(0)
    last = run.project(2)
    assert run.projection(1) is None
    assert last.displacement == pytest.approx(displacement(last.xy, first.xy))


def test_the_first_map_of_a_run_continues_none_though_a_later_one_is_there(run: alvin.Run) -> None:
    run.project(1)
    assert run.project(0).displacement is None


def test_a_stored_map_is_returned_without_any_work(run: alvin.Run) -> None:
    made = run.project(1)
    events: list[ProgressEvent] = []
    assert run.project(1, progress=events.append).revision == made.revision
    assert not events


def test_pca_is_not_stored_and_does_not_hide_the_stored_map(run: alvin.Run) -> None:
    assert run.project(0, method="pca").method == "pca"
    assert run.projection(0) is None
    stored = run.project(0)
    assert run.project(0, method="pca").revision != stored.revision


def test_a_cancelled_map_leaves_nothing_behind(run: alvin.Run) -> None:
    def stop(event: ProgressEvent) -> None:
        if event.stage == "layout" and event.done:
            raise Cancelled

    before = [sorted(path.name for path in folder.iterdir()) for folder in folders(run)]
    with pytest.raises(Cancelled):
        run.project(1, progress=stop)
    assert [sorted(path.name for path in folder.iterdir()) for folder in folders(run)] == before
    assert run.projection(1) is None


def test_a_full_disk_is_one_line_and_leaves_no_map(run: alvin.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StoreError, match="No space left on device"):
        run.project(1)
    assert not [path for folder in folders(run) for path in folder.iterdir() if path.name.startswith("map")]


def test_what_a_killed_process_left_of_a_map_goes_with_the_next_map_of_the_run(run: alvin.Run) -> None:
    old, fresh = folders(run)[0] / "map-model-0a1b2c3d.new", folders(run)[2] / "map-model-4e5f6a7b.new"
    part = old.with_name(f"{old.name}.part")
    for path in (old, part, fresh):
        path.write_bytes(b"half of a map")
    two_hours_ago = time.time() - 7200
    for path in (old, part):
        os.utime(path, (two_hours_ago, two_hours_ago))
    kept = run.project(0).revision
    run.project(1)
    assert not old.exists()
    assert not part.exists()
    assert fresh.exists(), "another process may be at work on it"
    found = run.projection(0)
    assert found is not None
    assert found.revision == kept


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "outside", "short"])
def test_a_damaged_map_counts_as_none_and_is_made_again(run: alvin.Run, damage: str) -> None:
    made = run.project(1)
    path = folders(run)[1] / "map-model.npz"
    figures = np.load(path)["figures"]
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other":
        np.savez(path, xy=made.xy)
    elif damage == "outside":
        np.savez(path, xy=made.xy * 9, figures=figures)
    else:
        np.savez(path, xy=made.xy[:-1], figures=figures)
    assert run.projection(1) is None
    np.testing.assert_array_equal(run.project(1).xy, made.xy)
    assert run.projection(1) is not None


def test_a_map_of_another_version_counts_as_none(run: alvin.Run) -> None:
    made = run.project(1)
    path = folders(run)[1] / "map-model.npz"
    figures = json.loads(np.load(path)["figures"].tobytes()) | {"format": 99}
    np.savez(path, xy=made.xy, figures=np.frombuffer(json.dumps(figures).encode(), dtype=np.uint8))
    assert run.projection(1) is None


def test_a_fork_has_the_maps_of_the_rounds_it_shares_and_keeps_them_when_its_parent_goes(run: alvin.Run) -> None:
    shared, own = run.project(0), run.project(1)
    child = run.fork(1, name="two")
    child.step()
    alvin.delete_run(run._handle.store.path, "one")
    found = child.projection(0)
    assert found is not None
    assert found.revision == shared.revision
    assert child.projection(1) is None
    assert child.project(1).displacement is not None
    assert own.displacement is not None


def test_the_next_round_leaves_maps_where_they_are(run: alvin.Run) -> None:
    made = run.project(2)
    run.step()
    found = run.projection(2)
    assert found is not None
    assert found.revision == made.revision


def test_a_deleted_run_is_not_brought_back_by_a_map_that_was_under_way(run: alvin.Run) -> None:
    def delete(event: ProgressEvent) -> None:
        if event.stage == "layout" and event.done == event.total:
            alvin.delete_run(run._handle.store.path, "one")

    folder = run._handle.folder
    with pytest.raises(RunNotFoundError):
        run.project(1, progress=delete)
    assert not folder.exists()


def test_what_cannot_be_mapped_is_refused(run: alvin.Run) -> None:
    with pytest.raises(StoreError, match="no round 9"):
        run.project(9)
    with pytest.raises(StoreError, match="no round -1"):
        run.projection(-1)
    with pytest.raises(SettingsError, match="the space 'text' is unknown; choose 'model' or 'encoder'"):
        run.projection(0, "text")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="the method 'tsne' is unknown; choose 'umap' or 'pca'"):
        run.project(0, method="tsne")  # type: ignore[arg-type]


def test_the_vector_of_a_pool_example_is_placed_on_it_in_its_own_round(run: alvin.Run) -> None:
    made = run.project(1)
    ids, vectors = run.vectors(1)
    places = {example: place for place, example in enumerate(made.ids.tolist())}
    np.testing.assert_array_equal(
        run.place(1, np.asarray(vectors[:5]), made), made.xy[[places[one] for one in ids[:5].tolist()]]
    )


def test_vectors_of_another_width_and_maps_of_another_pool_are_refused(run: alvin.Run, fake: ModuleType) -> None:
    made = run.project(0, method="pca")
    with pytest.raises(SettingsError, match=r"shape \(2, 9\) have no place in round 0, whose space has 4 dimensions"):
        run.place(0, np.ones((2, 9), dtype=np.float32), made)
    store = run._handle.store.path
    other = alvin.create_run(store, fake.make_dataset(40), alvin.RunSettings(**SETTINGS), name="other")
    other.step()
    with pytest.raises(SettingsError, match=r"shows 60 examples, the pool of the run 'other' has 40"):
        other.place(0, np.ones((2, 4), dtype=np.float32), made)


@pytest.mark.parametrize("layers", [0, 1])
def test_the_encoders_space_is_mapped_once_for_all_rounds(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = alvin.RunSettings(
        **SETTINGS,
        encoder=alvin.EncoderSettings(name=str(tiny_encoder)),
        training=alvin.TrainingSettings(trainable_layers=layers),
    )
    run = alvin.create_run(tmp_path / "store", fake.make_dataset(), settings, name="one")
    list(run.run_rounds(1))
    made = run.project(1, "encoder")
    assert (made.space, made.round_no, made.displacement) == ("encoder", 1, None)

    def fail(*_: object) -> None:
        raise AssertionError("the encoder was loaded again")

    monkeypatch.setattr(Engine, "embed", fail)
    again = alvin.open_run(tmp_path / "store", "one").project(0, "encoder")
    assert (again.revision, again.round_no) == (made.revision, 0)
    assert run.projection(0) is None, "the model's space has a map of its own"


def test_what_the_frozen_encoder_makes_of_the_texts_is_the_same_whatever_is_trained(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path
) -> None:
    dataset = fake.make_dataset(20, 4)
    encoder = alvin.EncoderSettings(name=str(tiny_encoder))
    plain = alvin.RunSettings(encoder=encoder)
    expected = Engine(dataset, tmp_path).embed(plain)
    assert expected.shape[0] == 24
    deeper = replace(plain, training=alvin.TrainingSettings(trainable_layers=1))
    engine = Engine(dataset, tmp_path / "other")
    for settings in (deeper, replace(deeper, space="encoder"), replace(plain, space="encoder")):
        np.testing.assert_allclose(engine.embed(settings), expected, atol=1e-6)


def test_a_run_that_retrieves_in_the_encoders_space_has_that_map_whichever_is_asked_for(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = alvin.RunSettings(**SETTINGS, space="encoder")
    run = alvin.create_run(tmp_path / "store", fake.make_dataset(), settings, name="one")
    run.step()
    monkeypatch.delattr(Engine, "embed")  # the round stored the vectors
    made = run.project(0, "model")
    assert made.space == "encoder"
    found = run.projection(0, "encoder")
    assert found is not None
    assert found.revision == made.revision


def test_pool_examples_without_a_vector_are_counted(run: alvin.Run) -> None:
    folder = folders(run)[0]
    arrays = dict(np.load(folder / "arrays.npz"))
    keep = np.arange(2, len(arrays["vector_rows"]))
    arrays["vector_rows"] = arrays["vector_rows"][keep]
    (folder / "arrays.npz").unlink()
    np.savez(folder / "arrays.npz", **arrays)
    vectors = np.load(folder / "vectors.npy")[keep]
    (folder / "vectors.npy").unlink()
    np.save(folder / "vectors.npy", vectors)
    with pytest.raises(StoreError, match="lacks the vectors of 2 of 60 pool examples"):
        run.project(0)
