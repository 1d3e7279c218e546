from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray", reason="the cluster's tests need the extra `cluster`")

import ray
from processes import wait_for

from alvin_core.encoding.cache import CachedEntry
from alvin_core.encoding.models import load_pretrained
from alvin_core.errors import AlvinError, Cancelled, DeviceError, SettingsError
from alvin_core.experiments.cells import CellTask, do_cell
from alvin_core.experiments.comparison import Comparison, create_comparison
from alvin_core.experiments.on_ray import run_cells
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.ray_cell import CellError, CellWork, compute_cell
from alvin_core.experiments.ray_cluster import Cluster, Place, join_cluster
from alvin_core.experiments.ray_nodes import check_node, describe_home
from alvin_core.experiments.values import CELLS, ROUND, ROUNDS
from alvin_core.progress import ProgressEvent, silent
from alvin_core.run.opening import list_runs, open_run
from alvin_core.settings import RunSettings, RuntimeSettings

from .conftest import everything, ray_processes

Found = dict[str, list[dict[str, Any]]]


def assert_same(found: Found, expected: Found) -> None:
    assert found.keys() == expected.keys()
    for key, rounds in expected.items():
        assert len(found[key]) == len(rounds) == 4
        for one, other in zip(found[key], rounds, strict=True):
            assert one["arrays"].keys() == other["arrays"].keys()
            for name, array in other["arrays"].items():
                assert one["arrays"][name].dtype == array.dtype
                assert one["arrays"][name].tobytes() == array.tobytes(), (key, name)
            np.testing.assert_equal(one["figures"], other["figures"])
            assert (one["ids"] == other["ids"]).all()
            assert (one["settings"], one["warnings"]) == (other["settings"], other["warnings"])


@pytest.mark.usefixtures("cluster")
def test_every_array_and_figure_is_the_local_backends_to_the_last_bit(
    make: Callable[[], Comparison], by_local_backend: Found
) -> None:
    comparison, events = make(), list[ProgressEvent]()
    comparison.run(backend="ray", progress=events.append)
    found = everything(comparison)
    assert_same(found, by_local_backend)
    assert len(list_runs(comparison.store)) == 4
    assert {one["n_encoded"] for rounds in found.values() for one in rounds} == {0}
    counts = [event.done for event in events if event.stage == CELLS and event.total]
    assert counts == sorted(counts)
    assert (counts[-1], {event.total for event in events if event.stage == CELLS} - {0}) == (4, {4})
    rounds = [(event.done, event.total) for event in events if event.stage == ROUNDS]
    assert rounds == sorted(rounds)
    assert (rounds[0], rounds[-1]) == ((0, 16), (16, 16))
    assert len(set(rounds)) > 4
    assert any("alvin" in event.note and "round 2 of 4" in event.note for event in events)
    comparison.run(backend="ray")  # nothing is left to do
    assert len(list_runs(comparison.store)) == 4


@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_is_replaced_and_nothing_is_counted_twice(
    make: Callable[[], Comparison], by_local_backend: Found
) -> None:
    comparison, killed, notes = make(), list[int](), list[str]()

    def progress(event: ProgressEvent) -> None:
        notes.append(event.note)
        at_work = ray_processes("ray::compute_cell") if "round 2" in event.note and not killed else []
        for process in at_work[:1]:
            process.kill()
            killed.append(process.pid)

    comparison.run(backend="ray", progress=progress)
    assert killed
    assert sum("computed again" in note for note in notes) == 1
    assert_same(everything(comparison), by_local_backend)
    assert len(list_runs(comparison.store)) == 4


@pytest.mark.usefixtures("cluster")
def test_a_cell_that_fails_is_named_at_the_end_and_stops_no_other(
    tmp_path: Path, fake: ModuleType, base: RunSettings, tiny_encoder: Path
) -> None:
    plan = ComparisonPlan(
        strategies=("random",),
        seeds=(0,),
        rounds=1,
        settings=base.with_value("training.trainable_layers", "all"),
        vary=(("encoder.name", (str(tmp_path / "nowhere"), str(tiny_encoder))),),
    )
    comparison, notes = create_comparison(tmp_path / "store", fake.make_dataset(24, 6), plan), list[str]()
    with pytest.raises(AlvinError, match=r"1 of 2 cells failed.*nowhere seed 0: encoder .*no such folder") as caught:
        comparison.run(backend="ray", progress=lambda event: notes.append(event.note))
    assert type(caught.value) is AlvinError
    assert not any("again" in note for note in notes)
    assert [state.finished for state in comparison.states()] == [False, True]
    assert len(list_runs(comparison.store)) == 1


@pytest.mark.usefixtures("cluster")
def test_who_stops_the_work_keeps_the_finished_cells_and_goes_on_later(
    make: Callable[[], Comparison], by_local_backend: Found
) -> None:
    comparison = make()

    def stop(event: ProgressEvent) -> None:
        if event.stage == CELLS and event.done:
            raise Cancelled

    with pytest.raises(Cancelled):
        comparison.run(backend="ray", workers=1, progress=stop)
    first = {state.cell.key: state.run for state in comparison.states() if state.finished}
    assert len(first) == 1
    wait_for(lambda: not ray_processes("ray::compute_cell"))  # told to stop, it ends within its next step
    comparison.run(backend="ray")
    assert first.items() <= {state.cell.key: state.run for state in comparison.states()}.items()
    assert_same(everything(comparison), by_local_backend)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_cell_that_was_begun_here_goes_on_unless_its_threads_are_others(
    make: Callable[[], Comparison], by_local_backend: Found, threads: int
) -> None:
    comparison = make()
    cell = comparison.plan.cells[0]
    begun = CellTask(cell.key, replace(cell.settings, runtime=replace(cell.settings.runtime, threads=threads)), 3, None)

    def stop(event: ProgressEvent) -> None:
        if event.stage == ROUND and event.done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        do_cell(comparison.store, comparison.id, begun, stop)
    old = comparison.states()[0]
    assert old.run is not None
    assert old.n_rounds == 2
    before = [record.created_at for record in open_run(comparison.store, old.run).records()]
    task = CellTask(cell.key, cell.settings, 3, old.run)
    run_cells(comparison, [task], workers=None, progress=silent)
    new = comparison.states()[0]
    assert new.run is not None
    assert [info.id for info in list_runs(comparison.store)] == [new.run]
    after = [record.created_at for record in open_run(comparison.store, new.run).records()]
    assert (after[:2] == before) == (threads == 1)
    arrays = open_run(comparison.store, new.run)._handle.round(3)[1]
    expected = by_local_backend[cell.key][3]["arrays"]
    assert all(array.tobytes() == expected[name].tobytes() for name, array in arrays.items())


@pytest.mark.usefixtures("cluster")
def test_a_task_computes_with_as_many_threads_as_a_process_of_the_local_backend() -> None:
    def look(runtime: RuntimeSettings) -> tuple[int, str, str]:
        import torch

        given = os.environ["OMP_NUM_THREADS"]
        check_node(describe_home("cpu", "float32"), runtime)
        return torch.get_num_threads(), given, os.environ["NUMBA_NUM_THREADS"]

    runtime = RuntimeSettings(device="cpu", threads=2, inference_dtype="float32")
    task = ray.remote(look).options(**Place(2, 0).options())
    assert ray.get(task.remote(runtime)) == (2, "2", "2")


@pytest.mark.usefixtures("cluster")
def test_another_process_joins_the_cluster_that_ray_address_names_and_leaves_it_running(
    make: Callable[[], Comparison], by_local_backend: Found
) -> None:
    comparison = make()
    script = (
        "import sys, ray\n"
        "from alvin_core.experiments.comparison import open_comparison\n"
        "from alvin_core.experiments.on_ray import run_cells\n"
        "comparison = open_comparison(sys.argv[1], 'pair')\n"
        "run_cells(comparison, comparison._tasks()[:1])\n"
        "assert not ray.is_initialized()\n"
    )
    environment = {**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    command = [sys.executable, "-c", script, str(comparison.store)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0
    (key,) = (state.cell.key for state in comparison.states() if state.finished)
    assert_same(everything(comparison, [key]), {key: by_local_backend[key]})
    assert ray.get(ray.remote(lambda: 7).remote()) == 7


@pytest.mark.usefixtures("cluster")
def test_more_threads_than_a_node_has_are_refused_before_anything_begins(
    make: Callable[[], Comparison], base: RunSettings
) -> None:
    comparison = make()
    settings = replace(base, runtime=replace(base.runtime, threads=64))
    task = CellTask(comparison.plan.cells[0].key, settings, 1, None)
    with pytest.raises(DeviceError, match=r"threads = 64, but the largest node of the cluster has 2 CPUs; set"):
        run_cells(comparison, [task], workers=None, progress=silent)
    with pytest.raises(SettingsError, match=r"workers = 0"):
        run_cells(comparison, [task], workers=0, progress=silent)


def test_a_node_with_other_versions_or_another_number_format_is_refused() -> None:
    runtime = RuntimeSettings(device="cpu", threads=1, inference_dtype="float32")
    home = describe_home("cpu", "float32")
    check_node(home, runtime)
    with pytest.raises(DeviceError, match=r"other versions .*torch 0\.1 -> "):
        check_node(replace(home, versions={**home.versions, "torch": "0.1"}), runtime)
    with pytest.raises(DeviceError, match=r"computes on cpu in float32, others on cpu in bfloat16"):
        check_node(replace(home, inference_dtype="bfloat16"), runtime)


def test_a_node_where_the_encoders_name_means_other_weights_is_refused(
    fake: ModuleType, base: RunSettings, tiny_encoder: Path
) -> None:
    settings = base.with_value("training.trainable_layers", "all")
    dataset, home = fake.make_dataset(24, 6), describe_home("cpu", "float32")
    work = CellWork("name", "", settings, 1, dataset.digest(), home, fingerprint="another")
    *rounds, last = compute_cell(work, dataset, None, {})
    assert rounds == [0]
    assert isinstance(last, CellError)
    assert "other weights of the encoder" in last.text
    known = load_pretrained(settings.encoder).fingerprint
    *rounds, packed = compute_cell(replace(work, fingerprint=known), dataset, None, {})
    assert rounds == [0, 1, 2]
    assert isinstance(packed, np.ndarray)
    # Encodings that came, but not those that this node reads: it would encode by itself.
    frozen = replace(work, settings=base, fingerprint="")
    *rounds, last = compute_cell(frozen, dataset, None, {"of another encoder": CachedEntry(None, None)})
    assert rounds == [0]
    assert isinstance(last, CellError)


@pytest.mark.parametrize(
    ("device", "threads", "expected"),
    [("cpu", 3, Place(3, 0)), ("auto", 3, Place(3, 1)), ("cuda", 16, Place(4, 1))],
)
def test_a_task_takes_one_gpu_where_there_are_some(device: str, threads: int, expected: Place) -> None:
    cluster = Cluster(((8, 2, 1e9), (6, 0, 1e9)))
    place = cluster.place(RuntimeSettings(device=device, threads=threads))
    assert place == expected
    assert cluster.room(place) == {0: 8 // 3 + 6 // 3, 1: 2}[place.gpus]


def test_gpus_that_are_not_there_or_cannot_be_chosen_are_refused() -> None:
    with pytest.raises(DeviceError, match=r"no GPU"):
        Cluster(((8, 0, 1e9),)).place(RuntimeSettings(device="cuda", threads=1))
    with pytest.raises(SettingsError, match=r"'cuda:1' names one GPU.*use 'cuda'"):
        Cluster(((8, 2, 1e9),)).place(RuntimeSettings(device="cuda:1", threads=1))
    assert Place(1, 0).options()["runtime_env"]["env_vars"]["CUDA_VISIBLE_DEVICES"] == ""
    assert "CUDA_VISIBLE_DEVICES" not in Place(1, 1).options()["runtime_env"]["env_vars"]


@pytest.mark.parametrize(
    ("address", "kind", "message"),
    [
        ("ray://127.0.0.1:10001", SettingsError, r"RAY_ADDRESS = 'ray://.*ray job submit"),
        ("127.0.0.1:1", DeviceError, r"no Ray cluster answers at RAY_ADDRESS = '127\.0\.0\.1:1'.*ray start"),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str, kind: type[AlvinError], message: str
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(kind, match=message), join_cluster(2):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"alvin-studio\[cluster\]"), join_cluster(2):
        pass
