"""A real disk that is full: each kind of write says so with a remedy, damages nothing, and works once there is room."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.encoding.cache import EntryWriter
from alvin_core.encoding.tokens import TokenCounts
from alvin_core.errors import AlvinError, StoreError
from alvin_core.experiments.cells import CellTask, do_cell
from alvin_core.experiments.comparison import create_comparison, open_comparison
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.run import create_run, open_run, projecting
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.verifying import verify_store
from alvin_core.worker import enqueue_job

SETTINGS = RunSettings(budget=4, initial=8)
SIZE = 8 * 2**20
ROOM = (0, 24_000, 48_000, 96_000)  # bytes that are left: too few for the first file, for the database, for both
KEY = "a" * 64


@pytest.fixture(autouse=True)
def _cheap(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds without a model, and maps of a moment."""
    project: Callable[..., Any] = projecting.project_vectors

    def quick(ids: Any, vectors: Any, *, method: str, home: Any = None, **rest: Any) -> Any:
        return dataclasses.replace(project(ids, vectors, method="pca", home=None, **rest), method=method)

    monkeypatch.setattr(Engine, "compute", fake.compute)
    monkeypatch.setattr(projecting, "project_vectors", quick)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no disk may be mounted here: that takes root, or `unshare -Urm` before the command")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def store(disk: Path, tmp_path: Path, fake: ModuleType) -> Path:
    folder = disk / "store"
    oracle = create_run(folder, fake.make_dataset(400), SETTINGS, name="oracle")
    list(oracle.run_rounds(1))
    create_run(folder, fake.make_dataset(400, labeled=0.0), SETTINGS, name="person")
    plan = ComparisonPlan(("random",), seeds=(0,), rounds=1, settings=SETTINGS)
    create_comparison(folder, fake.make_dataset(400), plan, name="compared")
    pack_run(folder, "oracle", tmp_path / "packed.zip")
    return folder


def leave(disk: Path, n_bytes: int) -> Path:
    """Fill a disk but for some bytes; return what fills it."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * max(0, shutil.disk_usage(disk).free - n_bytes))
    return ballast


def cell(store: Path) -> None:
    opened = open_comparison(store, "compared")
    (planned,) = opened.plan.cells
    do_cell(store, opened.id, CellTask(planned.key, planned.settings, 1, None))


def encode(store: Path) -> None:
    values = np.zeros((4000, 16), dtype=np.float32)
    writer = EntryWriter(store / "cache", KEY, {"texts": "all"}, values.shape, values.dtype)
    writer.write(0, values)
    writer.finish(TokenCounts(np.ones(4000, dtype=np.int32), np.ones(4000, dtype=np.int32)))


WRITES: dict[str, Callable[[Path, Path, Any], object]] = {
    "create": lambda store, _, fake: create_run(store, fake.make_dataset(300), SETTINGS, name="new"),
    "round": lambda store, *_: open_run(store, "oracle").step(),
    "submit": lambda store, *_: open_run(store, "person").submit(dict.fromkeys(waiting(store), "pos")),
    "mark": lambda store, *_: open_run(store, "person").note("e00001", "a note " * 1400, annotator="Ada"),
    "add": lambda store, *_: open_run(store, "oracle").add_example(("a text " * 9000,), "neg", annotator="Ada"),
    "fork": lambda store, *_: open_run(store, "oracle").fork(1, name="fork"),
    "unpack": lambda store, *_: unpack_run(store, store.parents[1] / "packed.zip", name="unpacked"),
    "export": lambda store, out, _: open_run(store, "long").export(out / "labels.csv", "csv"),
    "pack": lambda store, out, _: pack_run(store, "oracle", out / "packed.zip"),
    "backup": lambda store, out, _: backup_store(store, out / "all.tar"),
    "map": lambda store, *_: open_run(store, "oracle").project(1, "model"),
    "cache": lambda store, *_: encode(store),
    "cell": lambda store, *_: cell(store),
    "job": lambda store, *_: enqueue_job(store, "rounds", run="oracle", params={"n": 2}),
}


def refusal_of(write: Callable[[], object]) -> str | None:
    """Return what a write is refused with; None where it is done."""
    try:
        write()
    except AlvinError as error:
        return str(error)
    return None


def waiting(store: Path) -> list[str]:
    return list(open_run(store, "person").pending()["id"])


@pytest.mark.parametrize("kind", WRITES)
def test_a_write_to_a_full_disk_says_so_damages_nothing_and_works_once_there_is_room(
    store: Path, disk: Path, tmp_path: Path, fake: ModuleType, kind: str
) -> None:
    if kind == "export":  # of many labels, so that the file is longer than what is left
        run = create_run(store, fake.make_dataset(1500), RunSettings(budget=4, initial=1400), name="long")
        run.step()
    (out := disk / "out").mkdir()
    n_refused = 0
    for room in ROOM:
        ballast = leave(disk, room)
        refusal = refusal_of(lambda: WRITES[kind](store, out, fake))
        ballast.unlink()
        assert verify_store(store).sound
        if refusal is None:
            break
        n_refused += 1
        assert any(words in refusal for words in ("is full", "No space left", "are free", "GB free")), refusal
        assert "free some space" in refusal or "free space there" in refusal
        assert "\n" not in refusal
        assert [str(one) for one in repair_store(store)[1].findings] == []
        assert list(out.iterdir()) == []
    else:
        WRITES[kind](store, out, fake)
    assert n_refused
    assert verify_store(store).sound
    assert all(one.same for one in open_run(store, "oracle").replay())
    if kind == "submit":
        assert len(open_run(store, "person").labels()) == SETTINGS.initial


def test_what_sqlite_says_of_a_full_disk_has_a_remedy_whatever_room_is_left_for_others(store: Path) -> None:
    """A transaction can be longer than what is left, so that much is left when it has failed."""
    from sqlalchemy.exc import OperationalError

    from alvin_core.store.database import open_store

    with pytest.raises(StoreError, match="its disk is full; free some space"), open_store(store).read():
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))
