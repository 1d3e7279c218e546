"""What `alvin verify` finds, and mends, in a store whose arrays are kept elsewhere."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.errors import StoreError
from alvin_core.run import create_run, open_run
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import load_packed, save_packed
from alvin_core.store.remote import Remote
from alvin_core.upkeep import mending, verifying
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.elsewhere import look_elsewhere
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.verifying import verify_store

Mirrored = Callable[..., tuple[Path, Path, Path]]


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        middle = len(content) // 2
        changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes(content[:-9] if how == "short" else changed)


@pytest.mark.parametrize("how", ["missing", "short", "changed"])
@pytest.mark.parametrize("name", ["arrays.npz", "vectors.npy", "sums.json", "dataset"])
def test_what_is_lost_there_is_sent_again(mirrored: Mirrored, name: str, how: str) -> None:
    ada, bob, place = mirrored()
    path = next(place.rglob("datasets/*" if name == "dataset" else f"round-0001-*/{name}"))
    before = path.read_bytes()
    spoil(path, how)
    [found] = verify_store(ada).findings
    assert found.kind == "damage"
    assert found.mendable
    assert f"file://{place}" in found.what
    assert "send it with --repair" in str(found)
    done, report = repair_store(ada)
    assert [line.split(" ")[0] for line in done] == ["sent"]
    assert report.findings == []
    assert path.read_bytes() == before
    assert verify_store(bob).findings == []


@pytest.mark.parametrize("how", ["short", "changed"])
@pytest.mark.parametrize("name", ["arrays.npz", "vectors.npy", "sums.json", "dataset"])
def test_a_damaged_copy_is_fetched_again(mirrored: Mirrored, name: str, how: str) -> None:
    ada, _, place = mirrored()
    path = next(ada.rglob("datasets/*" if name == "dataset" else f"round-0001-*/{name}"))
    before = path.read_bytes()
    spoil(path, how)
    report = verify_store(ada)
    assert [(one.mendable, one.remedy) for one in report.findings if one.kind == "damage"] == [
        (True, "fetch it again with --repair")
    ]
    done, report = repair_store(ada)
    assert [line.split(" ")[0] for line in done] == ["fetched"]
    assert report.findings == []
    assert path.read_bytes() == before == (place / path.relative_to(ada)).read_bytes()


def test_a_data_set_that_two_machines_wrote_at_other_times_is_the_same(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    digest = next((place / "datasets").iterdir()).name
    arrays = load_packed(ada / "datasets" / digest)
    save_packed(bob / "datasets" / digest, dict(reversed(arrays.items())))
    assert (bob / "datasets" / digest).read_bytes() != (place / "datasets" / digest).read_bytes()
    assert verify_store(bob).findings == []


def test_what_is_damaged_here_and_there_is_trained_again(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    for folder in (ada, place):
        spoil(next(folder.rglob("round-0001-*/vectors.npy")), "changed")
    report = verify_store(ada)
    assert [(one.kind, one.mendable) for one in report.findings] == [("damage", False)]
    assert "--retrain" in report.findings[0].remedy
    assert not repair_store(ada)[1].sound
    done, report = repair_store(ada, retrain=True)
    [told] = done
    assert told.startswith(
        "trained round 1 of the run 'first' again: it selects what it selected; what was left of its"
    )
    [aside] = (ada / "damaged").iterdir()
    assert told.endswith(f" is in damaged/{aside.name}, which may be deleted")
    assert report.findings == verify_store(bob).findings == []
    assert len(list(place.rglob("round-0001-*"))) == 1


def test_what_one_machine_has_whole_mends_it_for_all(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    shutil.rmtree(place / "runs")
    assert not verify_store(bob).sound
    assert not repair_store(bob)[1].sound  # this one has no copy
    repair_store(ada)
    assert verify_store(bob).findings == []


def test_a_place_that_was_emptied_is_filled_again(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    shutil.rmtree(place)
    [found] = [one for one in verify_store(ada).findings if one.kind == "damage"]
    assert found.mendable
    done, report = repair_store(ada)
    assert done[0] == f"marked file://{place} as the place of this store's arrays"
    assert len(done) == 8
    assert report.findings == verify_store(bob).findings == []


def test_a_store_is_moved_elsewhere_by_naming_the_place_and_repairing(
    mirrored: Mirrored, fake: ModuleType, tmp_path: Path
) -> None:
    mirrored()
    folder, place = tmp_path / "alone", tmp_path / "other"
    list(create_run(folder, fake.make_dataset(), RunSettings(budget=4, initial=8), name="run").run_rounds(1))
    (folder / "store.json").write_text(json.dumps({"database": None, "arrays": f"file://{place}"}))
    assert repair_store(folder)[1].findings == []
    for name in ("runs", "datasets"):
        shutil.rmtree(folder / name)
    assert verify_store(folder).findings == []
    open_run(folder, "run").step()


def test_a_damaged_map_goes_here_and_there(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    path = next(ada.rglob("round-0000-*")) / "map-model.npz"
    path.write_bytes(b"no map")
    shutil.copy(path, place / path.relative_to(ada))
    assert [one.mendable for one in verify_store(ada).findings] == [True]
    repair_store(ada)
    assert not list(place.rglob("map-*"))
    assert verify_store(ada).findings == verify_store(bob).findings == []


def test_rounds_of_older_versions_without_sums_are_compared_as_well(mirrored: Mirrored) -> None:
    ada, bob, place = mirrored()
    for folder in (ada, place):
        next(folder.rglob("round-0001-*/sums.json")).unlink()
    assert verify_store(ada).findings == []
    assert verify_store(bob).findings == []
    next(place.rglob("round-0001-*/vectors.npy")).unlink()
    assert [one.remedy for one in verify_store(bob).findings] == ["send it with --repair"]


def test_what_other_people_put_there_is_left_alone(mirrored: Mirrored) -> None:
    ada, _, place = mirrored()
    theirs = [place / "README", place / "runs" / "notes.txt", place / "datasets" / "raw.csv", place / "x" / "y"]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    save_packed(place / "runs" / "0a1b2c3d" / "round-0000-0a1b2c3d" / "arrays.npz", {"a": np.arange(2)})
    assert [one.kind for one in verify_store(ada).findings] == ["leftover"]
    repair_store(ada)
    assert verify_store(ada).findings == []
    assert all(path.exists() for path in theirs)


def test_what_came_since_the_place_was_listed_is_not_called_missing(
    mirrored: Mirrored, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, _ = mirrored()
    real = verifying.look_elsewhere

    def look_then_others_work(*arguments: Any, **keywords: Any) -> Any:
        found = real(*arguments, **keywords)
        open_run(ada, "first").step()
        return found

    monkeypatch.setattr(verifying, "look_elsewhere", look_then_others_work)
    assert verify_store(bob).findings == []
    assert verify_store(ada, thorough=False).findings == []


def test_a_backup_is_refused_where_a_file_of_a_round_is_nowhere(mirrored: Mirrored, tmp_path: Path) -> None:
    _, bob, place = mirrored()
    next(place.rglob("round-0001-*/vectors.npy")).unlink()
    with pytest.raises(StoreError, match=r"round-0001-\w+/vectors\.npy is neither in .*bob nor at .*alvin verify"):
        backup_store(bob, tmp_path / "store.tar")
    assert not (tmp_path / "store.tar").exists()


@pytest.mark.parametrize("mend", [False, True])
def test_what_is_not_there_is_asked_for_once_a_look(
    mirrored: Mirrored, fake: ModuleType, monkeypatch: pytest.MonkeyPatch, mend: bool
) -> None:
    ada, _, place = mirrored()
    for name, n_examples in (("second", 20), ("third", 60), ("fourth", 20)):  # in turns: one is kept in memory
        create_run(ada, fake.make_dataset(n_examples), RunSettings(budget=4, initial=8), name=name)
    shutil.rmtree(place / "runs")
    shutil.rmtree(place / "datasets")
    asked: Counter[tuple[int, str]] = Counter()
    real = Remote.size

    def size(self: Remote, key: str) -> int | None:
        asked[(len(looks), key)] += 1
        return real(self, key)

    looks: list[object] = []
    for module in (verifying, mending):

        def look(*arguments: Any, **keywords: Any) -> Any:
            looks.append(arguments)
            return look_elsewhere(*arguments, **keywords)

        monkeypatch.setattr(module, "look_elsewhere", look)
    monkeypatch.setattr(Remote, "size", size)
    if mend:
        for path in ada.rglob("vectors.npy"):  # nowhere any more
            path.unlink()
        repair_store(ada)
    else:
        told = [str(one) for one in verify_store(ada).findings]
        assert sum("data set" in one for one in told) == 2
        assert len(told) == len(set(told))
    assert len(looks) == 1 + mend
    assert set(asked.values()) == {1}
