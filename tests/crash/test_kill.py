"""Real processes, killed with SIGKILL: no label is lost, no round is half there, the run goes on to the same end."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

import pytest

from alvin_core.run import Run, create_run, list_runs, open_run
from alvin_core.run.archive import VECTORS
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings, TrainingSettings
from alvin_core.store.arrays import load_array

from .conftest import KILLED, Workers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")

SETTINGS = RunSettings(budget=4, initial=8)


def contents(run: Run) -> dict[str, Any]:
    """Everything about a run that must not depend on when it was computed, read from the store."""
    labels = run.labels()
    assert labels["id"].is_unique
    records = run.records()
    assert [record.round for record in records] == list(range(len(records)))
    rounds = []
    for record in records:
        stored, arrays = run._handle.round(record.round)
        vectors = load_array(run._handle.folder / stored.folder, VECTORS)
        assert len(arrays["labeled_rows"]) == record.n_labeled
        assert len(vectors) == len(arrays["vector_rows"])
        rounds.append({name: crc32(array.tobytes()) for name, array in {**arrays, VECTORS: vectors}.items()})
    return {
        "labels": labels[["id", "label", "source", "round"]].to_numpy().tolist(),
        "rounds": rounds,
        "pending": run.pending()["id"].tolist(),
    }


def store_contents(store: Path) -> dict[str, Any]:
    if not (store / "alvin.db").exists():
        return {}
    return {info.name: contents(open_run(store, info.id)) for info in list_runs(store)}


def prepare(store: Path, fake: ModuleType, *, person: bool) -> None:
    """Make a store with a run of two rounds, whose second proposal waits."""
    run = create_run(store, fake.make_dataset(labeled=0.0 if person else 1.0), SETTINGS, name="r")
    for _ in range(2):
        if person:
            run.submit({one: fake.label_of(one) for one in run.pending()["id"]})
        run.step()


ACTIONS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "create": (None, {"settings": SETTINGS.to_dict()}),
    "rounds": ("oracle", {"n": 2}),
    "submit": ("person", {"n": 3}),
    "undo": ("person", {"example_id": ""}),
    "fork": ("oracle", {"at": 2}),
    "delete": ("oracle", {}),
}
KILLS_EACH = 7


@pytest.mark.usefixtures("cheap_rounds")
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_killed_at_any_point_has_happened_or_has_not_and_can_be_done_again(
    tmp_path: Path, fake: ModuleType, workers: Workers, action: str
) -> None:
    kind, arguments = ACTIONS[action]
    template = tmp_path / "template"
    if kind:
        prepare(template, fake, person=kind == "person")
    else:
        template.mkdir()
    if action == "undo":
        arguments = {"example_id": open_run(template, "r").labels()["id"].iloc[0]}
    before = store_contents(template)
    shutil.copytree(template, tmp_path / "whole")
    command = {"action": action, "arguments": arguments}
    workers.forget()
    assert workers.carry_out(tmp_path / "whole", {**command, "count": True}) == [0]
    (n_points,) = workers.facts("points")
    after = store_contents(tmp_path / "whole")
    assert after != before
    allowed = [before, after]
    if action == "rounds":  # the oracle's answers are on disk before the training that they make possible
        annotated = shutil.copytree(template, tmp_path / "annotated")
        open_run(annotated, "r").submit({one: label for one, label, _, no in after["r"]["labels"] if no == 2})
        expected = store_contents(annotated)
        for label in expected["r"]["labels"]:
            label[2] = "oracle" if label[2] == "person" else label[2]
        allowed.append(expected)
    seen = []
    for point in sorted({round(1 + place * (n_points - 1) / (KILLS_EACH - 1)) for place in range(KILLS_EACH)}):
        store = shutil.copytree(template, tmp_path / f"at{point}")
        assert workers.carry_out(store, {**command, "kill_at": point}) == [KILLED]
        found = store_contents(store)
        assert found in allowed, f"killed at point {point} of {n_points}"
        seen.append(allowed.index(found))
        if found == before or action == "rounds":
            assert workers.carry_out(store, command) == [0]
        assert store_contents(store) == after
        check_no_leftovers(store)
        shutil.rmtree(store)
    assert seen == sorted(seen, key=[0, 2, 1].index), "a later kill must not leave less"
    assert seen[0] == 0


def check_no_leftovers(store: Path) -> None:
    """Whatever half-written things the kill left must be gone once the action was done again."""
    for name in ("runs", "datasets"):
        for path in (store / name).rglob("*"):
            assert not path.name.endswith(".part"), path
    known = {info.id for info in list_runs(store)}
    for info in list_runs(store):
        assert len(list((store / "runs" / info.id).glob("*"))) == info.n_rounds
    # A folder of a run that was never made is swept by whoever next makes or deletes one.
    open_store_and_sweep(store)
    assert {path.name for path in (store / "runs").iterdir()} <= known


def open_store_and_sweep(store: Path) -> None:
    from alvin_core.store.database import open_store
    from alvin_core.store.runs import sweep_store

    opened = open_store(store)
    with opened.lock():
        sweep_store(opened)


@pytest.mark.usefixtures("cheap_rounds")
def test_a_person_and_a_machine_killed_again_and_again_lose_no_label(
    tmp_path: Path, fake: ModuleType, workers: Workers
) -> None:
    n_rounds, rng = 5, random.Random(0)
    annotate = {"action": "annotate", "arguments": {"n": 3, "n_rounds": n_rounds}}
    step = {"action": "step_when_ready", "arguments": {"n_rounds": n_rounds}}
    whole, killed = (
        create_run(tmp_path / place, fake.make_dataset(labeled=0.0), SETTINGS, name="r") for place in ("whole", "s")
    )
    start = time.monotonic()
    assert workers.carry_out(tmp_path / "whole", annotate, step) == [0, 0]
    longest = (time.monotonic() - start) / 3
    workers.forget()
    n_killed = 0
    for _ in range(12):
        pair = ({**action, "kill_after": rng.uniform(0.0, longest)} for action in (annotate, step))
        codes = workers.carry_out(tmp_path / "s", *pair)
        assert set(codes) <= {0, KILLED}
        n_killed += codes.count(KILLED)
        found = contents(open_run(tmp_path / "s", "r"))
        held = {one: label for one, label, _, _ in found["labels"]}
        for acknowledged in workers.facts("labels"):
            assert acknowledged.items() <= held.items()
        assert len(found["rounds"]) > max(workers.facts("round"), default=-1)
    assert n_killed >= 6
    assert workers.carry_out(tmp_path / "s", annotate, step) == [0, 0]
    found, expected = contents(killed), contents(whole)
    assert found["rounds"] == expected["rounds"]
    # How much of the last proposal was answered before the last round was there is a matter of chance.
    used = [[label for label in one["labels"] if label[3] < n_rounds] for one in (found, expected)]
    assert used[0] == used[1]
    assert [one.same for one in killed.replay()] == [True] * killed.n_rounds


@pytest.mark.usefixtures("cheap_rounds")
def test_an_oracle_run_killed_again_and_again_ends_like_an_uninterrupted_one(
    tmp_path: Path, fake: ModuleType, workers: Workers
) -> None:
    rng = random.Random(1)
    whole, killed = (create_run(tmp_path / place, fake.make_dataset(), SETTINGS, name="r") for place in ("whole", "s"))
    command = {"action": "rounds", "arguments": {"n": 6}}
    start = time.monotonic()
    assert workers.carry_out(tmp_path / "whole", command) == [0]
    longest = (time.monotonic() - start) / 3
    codes = [
        workers.carry_out(tmp_path / "s", {**command, "kill_after": rng.uniform(0.0, longest)})[0] for _ in range(8)
    ]
    assert codes.count(KILLED) >= 4
    assert workers.carry_out(tmp_path / "s", command) == [0]
    assert contents(killed) == contents(whole)


def test_the_real_engine_killed_while_it_encodes_and_trains_ends_like_an_uninterrupted_one(
    tmp_path: Path, fake: ModuleType, tiny_encoder: Path
) -> None:
    settings = RunSettings(
        budget=4,
        initial=8,
        encoder=EncoderSettings(name=str(tiny_encoder), max_length=32),
        training=TrainingSettings(epochs=4, trainable_layers=1),
        runtime=RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
    )
    rng = random.Random(2)
    workers = Workers("real", tmp_path)
    command = {"action": "rounds", "arguments": {"n": 2}}
    for store in ("whole", "s"):
        create = {"action": "create", "arguments": {"settings": settings.to_dict()}}
        assert workers.carry_out(tmp_path / store, create) == [0]
    start = time.monotonic()
    assert workers.carry_out(tmp_path / "whole", command) == [0]
    longest = (time.monotonic() - start) / 2
    n_killed = 0
    for _ in range(5):
        n_killed += workers.carry_out(tmp_path / "s", {**command, "kill_after": rng.uniform(0.0, longest)}) == [KILLED]
        contents(open_run(tmp_path / "s", "r"))
    assert workers.carry_out(tmp_path / "s", command) == [0]
    workers.close()
    assert n_killed >= 3
    found, expected = (contents(open_run(tmp_path / store, "r")) for store in ("s", "whole"))
    assert found == expected
