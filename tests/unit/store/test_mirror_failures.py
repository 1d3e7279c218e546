"""Places that fail, in the middle of whatever is asked of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alvin_core.errors import StoreError
from alvin_core.run import create_run, delete_run, open_run
from alvin_core.settings import RunSettings
from alvin_core.store import rounds
from alvin_core.store.arrays import save_packed
from alvin_core.store.database import open_store
from alvin_core.store.mirror import mirror_at
from alvin_core.store.rounds import sweep_run
from alvin_core.store.sending import md5_of, told_md5
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.verifying import verify_store

Mirrored = Callable[..., tuple[Path, Path, Path]]
N_TRIES = 3

STEP = """
import sys
sys.path[:0] = [{here!r}, {crash!r}]
import faulty_place, fake_engine
from alvin_core.run.engine import Engine
from alvin_core.run import open_run
Engine.compute = fake_engine.compute
open_run(sys.argv[1], "first").{call}
"""


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., None]:
    """Asks the place to fail, once for each fault named, the next times that something is done there."""

    def ask(what: str, *faults: str) -> None:
        folder = tmp_path / "place.told"
        folder.mkdir(exist_ok=True)
        (folder / what).write_text("\n".join(faults))

    return ask


def log_of(place: Path) -> list[str]:
    return place.with_name("place.told").joinpath("log").read_text().splitlines()


def start(store: Path, call: str) -> subprocess.Popen[str]:
    """Start a process on a store, with rounds that cost nothing."""
    here = Path(__file__).parent
    program = STEP.format(here=str(here), crash=str(here.parents[1] / "crash"), call=call)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("fault", ["io", "cut", "half", "other"])
def test_an_upload_that_fails_once_is_tried_again(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None], fault: str
) -> None:
    ada, bob, _ = mirrored("faulty")
    ask("put", fault)
    open_run(ada, "first").step()
    assert len(open_run(bob, "first").vectors(2)[1]) == 60
    assert verify_store(ada).findings == []


@pytest.mark.parametrize("fault", ["io", "cut", "half", "other", "denied"])
def test_an_upload_that_keeps_failing_fails_the_round_and_nothing_is_named(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None], fault: str
) -> None:
    ada, bob, place = mirrored("faulty")
    before = log_of(place)
    ask("put", *[fault] * N_TRIES)
    with pytest.raises(StoreError, match=r"could not write runs/.* at faulty://.*see that the place can be reached"):
        open_run(ada, "first").step()
    n_tries = sum(line.startswith("put") for line in log_of(place)[len(before) :])
    assert n_tries == (1 if fault == "denied" else N_TRIES)
    assert len(open_run(ada, "first").records()) == 2
    assert verify_store(bob).sound
    ask("put")
    open_run(bob, "first").step()  # which sweeps first, here and there
    assert verify_store(bob).findings == []


def test_a_data_set_that_cannot_be_sent_makes_no_run(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None], fake: ModuleType
) -> None:
    ada, bob, _ = mirrored("faulty")
    ask("put", *["cut"] * N_TRIES)
    with pytest.raises(StoreError, match=r"could not write datasets/"):
        create_run(ada, fake.make_dataset(20), RunSettings(budget=4, initial=8), name="second")
    assert [one.kind for one in verify_store(bob).findings] == ["leftover"]
    create_run(ada, fake.make_dataset(20), RunSettings(budget=4, initial=8), name="second").step()
    open_run(bob, "second").step()
    assert verify_store(bob).findings == verify_store(ada).findings == []


def test_a_data_set_that_arrived_with_other_bytes_is_not_taken_for_sent_the_next_time(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None], fake: ModuleType
) -> None:
    ada, bob, place = mirrored("faulty")
    ask("put", *["other"] * N_TRIES)
    with pytest.raises(StoreError, match=r"could not write datasets/.*other bytes arrived than were sent"):
        create_run(ada, fake.make_dataset(20), RunSettings(budget=4, initial=8), name="second")
    for name in ("second", "third"):
        create_run(ada, fake.make_dataset(20), RunSettings(budget=4, initial=8), name=name)
    digest = fake.make_dataset(20).digest()
    assert sum(line.startswith("put") and digest in line for line in log_of(place)) == N_TRIES + 1
    open_run(bob, "third").step()
    assert verify_store(ada).findings == verify_store(bob).findings == []


def test_a_round_whose_copies_are_removed_before_they_are_sent_is_not_named(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, _ = mirrored("file")
    real = rounds.save_arrays
    for gone in ("", "vectors.npy"):

        def save_and_lose(folder: Path, *arguments: object, gone: str = gone, **keywords: object) -> None:
            real(folder, *arguments, **keywords)  # type: ignore[arg-type]
            (folder / gone).unlink() if gone else shutil.rmtree(folder)

        monkeypatch.setattr(rounds, "save_arrays", save_and_lose)
        with pytest.raises(StoreError, match=rf"round-0002-\w+/?{gone} was removed before it was sent"):
            open_run(ada, "first").step()
        assert open_run(ada, "first").n_rounds == 2
    monkeypatch.setattr(rounds, "save_arrays", real)
    open_run(ada, "first").step()
    assert verify_store(bob).findings == []


def test_what_comes_back_otherwise_than_it_was_sent_is_not_taken(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None]
) -> None:
    _, bob, place = mirrored("faulty")
    ask("get", "cut")
    assert len(open_run(bob, "first").vectors(1)[1]) == 60
    damaged = next(place.rglob("round-0000-*/arrays.npz"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    with pytest.raises(
        StoreError, match=r"arrays\.npz at faulty://.* is not what was written; see with `alvin verify`"
    ):
        open_run(bob, "first").examples(0)
    assert not list((bob / "runs").rglob("round-0000-*/arrays.npz"))
    assert not list((bob / "fetching").iterdir())


def test_a_place_that_cannot_be_listed_is_told_of_and_nothing_is_called_lost(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None]
) -> None:
    ada, bob, _ = mirrored("faulty")
    ask("ls", *["io"] * N_TRIES)
    report = verify_store(ada)
    assert [(one.kind, one.subject) for one in report.findings] == [("damage", "arrays")]
    assert "could not list runs at faulty://" in report.findings[0].what
    ask("open", *["io"] * N_TRIES)
    report = verify_store(bob)
    assert [one.kind for one in report.findings] == ["damage", "note", "note"]
    assert verify_store(bob).findings == []


def test_a_place_that_may_only_be_read_serves_those_who_look(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None]
) -> None:
    _, bob, place = mirrored("faulty")
    ask("put", *["denied"] * 9)
    assert len(open_run(bob, "first").vectors(1)[1]) == 60
    mirror = mirror_at(bob)
    assert mirror is not None
    path = next((bob / "runs").rglob("round-0001-*")) / "map-model.npz"
    save_packed(path, {"xy": np.zeros(3)})
    mirror.publish_map(path)  # a map can be made again: it is kept, and a line in the log tells
    assert path.exists()
    assert not list(place.rglob("map-*"))
    ask("put")
    assert [one.what for one in verify_store(bob).findings] == [f"map-model.npz is missing in faulty://{place}"]
    repair_store(bob)
    assert verify_store(bob).findings == []
    assert list(place.rglob("map-*"))


def test_what_is_deleted_while_the_place_is_away_is_found_later(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    ada, _, place = mirrored("faulty")
    run_id = open_run(ada, "first").id
    ask("rm", *["denied"] * 20)
    delete_run(ada, "first")
    ask("rm")
    assert "`alvin verify --repair` removes it later" in caplog.text
    assert [one.what for one in verify_store(ada).findings][:1] == [f"{run_id} at faulty://{place} belongs to no run"]
    repair_store(ada)
    assert not [path for path in place.rglob("*") if path.is_file() and path.name != "alvin-arrays.json"]


def test_a_repair_does_not_say_that_it_removed_what_the_place_keeps(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None]
) -> None:
    ada, _, place = mirrored("faulty")
    named = next(place.rglob("round-0001-*"))
    left = [named.with_name("round-0002-0a1b2c3d"), place / "runs" / "0a1b2c3d"]
    for folder in left:
        folder.mkdir()
        (folder / "arrays.npz").touch()
    ask("rm", *["denied"] * 20)
    done, report = repair_store(ada)
    assert done == []
    assert [one.kind for one in report.findings] == ["leftover"] * 2
    ask("rm", "denied")  # the first of them alone
    done, report = repair_store(ada)
    assert len(done) == len(report.findings) == 1
    ask("rm")
    assert len(repair_store(ada)[0]) == 1
    assert not any(folder.exists() for folder in left)


def test_one_of_several_threads_fetches_what_all_want(mirrored: Mirrored, faulty: ModuleType) -> None:
    _, bob, place = mirrored("faulty")
    run, together = open_run(bob, "first"), threading.Barrier(6)

    def look() -> int:
        together.wait()
        return len(run.vectors(1)[1])

    with ThreadPoolExecutor(6) as pool:
        assert [one.result() for one in [pool.submit(look) for _ in range(6)]] == [60] * 6
    fetched = [line for line in log_of(place) if line.startswith("get")]
    assert len(fetched) == len(set(fetched)) == 4  # the data set, the sums, the arrays and the vectors


def test_one_of_several_processes_fetches_what_all_want(mirrored: Mirrored, faulty: ModuleType) -> None:
    _, bob, place = mirrored("faulty")
    processes = [start(bob, "vectors(1)") for _ in range(2)]
    for process in processes:
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0
    fetched = [line for line in log_of(place) if line.startswith("get")]
    assert len(fetched) == len(set(fetched)) == 4


@pytest.mark.parametrize("protocol", ["faulty"])
def test_who_is_killed_in_the_middle_of_an_upload_leaves_the_last_whole_round(
    mirrored: Mirrored, faulty: ModuleType, ask: Callable[..., None], protocol: str
) -> None:
    ada, bob, place = mirrored(protocol)
    ask("put", "stall")
    process = start(ada, "step()")
    wait_for(place.with_name("place.told") / "stalled", process)
    process.kill()
    process.communicate(timeout=60)
    assert len(open_run(bob, "first").records()) == 2
    report = verify_store(bob)
    assert report.sound
    [left] = report.findings
    assert left.what.endswith(f" at faulty://{place} belongs to no round")
    open_run(bob, "first").step()  # another machine goes on
    repair_store(ada)
    assert verify_store(ada).findings == verify_store(bob).findings == []
    assert len(list(place.rglob("sums.json"))) == 3


def test_two_machines_train_in_turns(mirrored: Mirrored, faulty: ModuleType) -> None:
    ada, bob, _ = mirrored("faulty")
    first, second = start(ada, "step()"), start(bob, "step()")
    ended = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert first.returncode == 0 or second.returncode == 0
    for process, said in zip((first, second), ended, strict=True):
        assert process.returncode == 0 or "RunBusyError" in said
    assert verify_store(ada).findings == verify_store(bob).findings == []


def test_a_full_disk_here_is_called_that(
    mirrored: Mirrored, faulty: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob, place = mirrored("faulty")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(faulty.FaultyPlace, "get_file", full)
    n_before = len(log_of(place))
    with pytest.raises(StoreError, match=r"No space left on device"):
        open_run(bob, "first").vectors(0)
    assert sum("info" in line for line in log_of(place)[n_before:]) == 1  # which no second try would help


def test_a_file_system_with_renames_shows_no_half_of_a_file(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    ada, _, place = mirrored("file")
    seen: list[str] = []
    put = LocalFileSystem.put_file

    def look(self: LocalFileSystem, source: str, target: str, **options: object) -> None:
        put(self, source, target, **options)
        seen.append(target)

    monkeypatch.setattr(LocalFileSystem, "put_file", look)
    open_run(ada, "first").step()
    assert len(seen) == 3
    assert all(name.endswith(".part") for name in seen)
    assert not list(place.rglob("*.part"))


def test_what_a_killed_upload_left_under_a_name_of_its_own_is_swept(mirrored: Mirrored) -> None:
    ada, _, place = mirrored("file")
    digest = next((place / "datasets").iterdir()).name
    (place / "datasets" / f"{digest}.0a1b2c3d.part").touch()
    named = next(place.rglob("round-0001-*"))
    (named / "map-model.npz.0a1b2c3d.part").touch()
    store = open_store(ada)
    unnamed = shutil.copytree(named, named.with_name("round-0002-0a1b2c3d"))
    assert len(verify_store(ada).findings) == 3
    with store.run_lock(named.parent.name, "first"):
        sweep_run(store, named.parent.name)
    assert not unnamed.exists()
    repair_store(ada)
    assert verify_store(ada).findings == []
    assert not list(place.rglob("*.part"))


def test_sums_that_a_place_tells_are_compared(tmp_path: Path) -> None:
    import base64
    import hashlib

    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    md5 = hashlib.md5(b"bytes", usedforsecurity=False)
    assert told_md5({"ETag": f'"{md5.hexdigest()}"'}) == md5.digest() == md5_of(path)
    assert told_md5({"ETag": f'"{md5.hexdigest()}-2"'}) is None  # of several parts, which tells nothing
    assert told_md5({"md5Hash": base64.b64encode(md5.digest()).decode()}) == md5.digest()
    assert told_md5({"content_settings": {"content_md5": bytearray(md5.digest())}}) == md5.digest()
    assert told_md5({"md5Hash": "!"}) is None
