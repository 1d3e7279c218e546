"""Data sets that a place has already: what is compared, how often, and what is taken in place of the copy here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.errors import StoreError
from alvin_core.run import create_run, delete_run, open_run
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import load_packed, save_packed
from alvin_core.store.database import open_store
from alvin_core.store.datasets import dataset_lock, dataset_path, load_stored_dataset
from alvin_core.store.mirror import fetch_missing
from alvin_core.store.runs import sweep_store
from alvin_core.upkeep.verifying import verify_store

Mirrored = Callable[..., tuple[Path, Path, Path]]
SMALL = RunSettings(budget=4, initial=8)


@pytest.fixture
def sealed(faulty: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place tells sums of what it keeps encrypted, as S3 with keys of one's own does."""
    info = faulty.FaultyPlace.info

    def tell(self: Any, path: str, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = info(self, path, **options)
        if found["type"] == "file":
            content = b"sealed" + Path(found["name"]).read_bytes()
            found["ETag"] = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        return found

    monkeypatch.setattr(faulty.FaultyPlace, "info", tell)


@pytest.fixture
def reads(tmp_path: Path) -> Callable[[], int]:
    """Counts how often a data set was read at the place since it was last asked."""
    seen = 0

    def reads() -> int:
        nonlocal seen
        lines = (tmp_path / "place.told" / "log").read_text().splitlines()
        new, seen = lines[seen:], len(lines)
        return sum(line.startswith(("get ", "open ")) and "/datasets/" in line for line in new)

    return reads


def changed(path: Path) -> bytes:
    """Change a byte of a file, and return what it was."""
    before = path.read_bytes()
    path.write_bytes(before[:-30] + bytes([before[-30] ^ 1]) + before[-29:])
    return before


def rewrite(path: Path, target: Path) -> None:
    """Write a data set as a machine with another numpy might: the same content in other bytes."""
    save_packed(target, dict(reversed(load_packed(path).items())))
    assert target.read_bytes() != path.read_bytes()


@pytest.mark.usefixtures("sealed")
def test_a_data_set_is_read_back_once_where_no_sum_of_it_is_told(
    mirrored: Mirrored, fake: ModuleType, reads: Callable[[], int]
) -> None:
    ada, bob, place = mirrored("faulty")
    assert reads() == 1  # to see that it arrived
    for name in ("second", "third"):
        create_run(ada, fake.make_dataset(), SMALL, name=name)
    assert reads() == 0
    for name, n_reads in (("fourth", 1), ("fifth", 0)):  # another machine, which sees for itself
        create_run(bob, fake.make_dataset(), SMALL, name=name)
        assert reads() == n_reads
    [path] = (place / "datasets").iterdir()
    assert (ada / "datasets" / path.name).read_bytes() == path.read_bytes()
    assert verify_store(ada).findings == verify_store(bob).findings == []


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("side", ["here", "there"])
def test_what_changed_since_it_was_compared_is_compared_again(
    mirrored: Mirrored, fake: ModuleType, reads: Callable[[], int], side: str
) -> None:
    ada, _, place = mirrored("faulty")
    path = next(((ada if side == "here" else place) / "datasets").glob("*.npz"))
    before = path.read_bytes()
    if side == "here":  # whole, and otherwise written: what is damaged here is written anew, and needs no look
        save_packed(path, dict(reversed(load_packed(path).items())))
    else:
        changed(path)
    assert path.read_bytes() != before
    reads()
    create_run(ada, fake.make_dataset(), SMALL, name="second")
    assert reads() > 0
    assert path.read_bytes() == before  # what is whole there is kept, what is not is sent anew
    assert verify_store(ada).findings == []


@pytest.mark.usefixtures("sealed")
def test_what_was_damaged_here_is_written_anew_and_not_fetched(
    mirrored: Mirrored, fake: ModuleType, reads: Callable[[], int]
) -> None:
    ada, _, _ = mirrored("faulty")
    path = next((ada / "datasets").glob("*.npz"))
    before = changed(path)
    reads()
    create_run(ada, fake.make_dataset(), SMALL, name="second")
    assert (path.read_bytes() == before, reads()) == (True, 0)
    assert verify_store(ada).findings == []


@pytest.mark.usefixtures("sealed")
def test_a_note_that_was_cut_off_is_none(mirrored: Mirrored, fake: ModuleType, reads: Callable[[], int]) -> None:
    ada, _, _ = mirrored("faulty")
    [note] = (ada / "datasets").glob("*.same")
    reads()
    for content in (b"", b"\xff", b"[]", note.read_bytes()[:20]):
        note.write_bytes(content)
        create_run(ada, fake.make_dataset(), SMALL)
        assert reads() == 1


@pytest.mark.usefixtures("sealed")
def test_the_note_goes_with_its_data_set(mirrored: Mirrored) -> None:
    ada, _, place = mirrored("faulty")
    assert len(list((ada / "datasets").iterdir())) == 2
    with open_store(ada).lock():
        assert sweep_store(open_store(ada)) == []
    delete_run(ada, "first")
    assert not list((ada / "datasets").iterdir())
    assert not list((place / "datasets").iterdir())


def test_the_same_data_in_other_bytes_is_taken_from_there(mirrored: Mirrored, fake: ModuleType) -> None:
    ada, bob, place = mirrored()
    there = next((place / "datasets").iterdir())
    rewrite(there, bob / "datasets" / there.name)
    create_run(bob, fake.make_dataset(), SMALL, name="second")
    assert (bob / "datasets" / there.name).read_bytes() == there.read_bytes()
    assert sorted(path.name for path in (bob / "datasets").iterdir()) == [there.name]
    assert verify_store(ada).findings == verify_store(bob).findings == []


def test_a_whole_archive_of_other_data_is_not_taken(mirrored: Mirrored, fake: ModuleType) -> None:
    ada, bob, place = mirrored()
    there = next((place / "datasets").iterdir())
    before = there.read_bytes()
    other = open_store(bob).path / "other.npz"
    save_packed(other, {"labels": load_packed(there)["labels"]})
    there.write_bytes(other.read_bytes())
    with pytest.raises(StoreError, match=r"datasets/\w+\.npz at file://.* is not what was written"):
        fetch_missing(bob / "datasets" / there.name)
    assert not (bob / "datasets" / there.name).exists()
    create_run(ada, fake.make_dataset(), SMALL, name="second")
    assert (ada / "datasets" / there.name).read_bytes() == before
    assert there.read_bytes() == before  # it is sent again, whatever its size
    assert verify_store(bob).findings == []
    assert load_stored_dataset(bob, there.stem).digest() == there.stem


def test_while_another_copy_is_fetched_the_one_here_stays(
    mirrored: Mirrored, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob, place = mirrored()
    there = next((place / "datasets").iterdir())
    here = bob / "datasets" / there.name
    rewrite(there, here)
    mine = here.read_bytes()

    def killed(*_: object) -> bool:
        assert here.read_bytes() == mine
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alvin_core.store.remote.Remote.get", killed)
        with pytest.raises(KeyboardInterrupt):
            create_run(bob, fake.make_dataset(), SMALL, name="second")
    assert here.read_bytes() == mine
    assert [path.name for path in here.parent.iterdir()] == [here.name]


def test_what_older_versions_set_aside_when_they_were_killed_is_swept(mirrored: Mirrored, fake: ModuleType) -> None:
    ada, _, _ = mirrored()
    digest = open_run(ada, "first").dataset.digest()
    path = dataset_path(ada, digest)
    aside = path.with_name(f"{path.name}.new")
    aside.touch()
    store = open_store(ada)
    with store.database.lock(dataset_lock(digest), subject="the data"), store.lock():
        assert sweep_store(store) == []  # its process is at work
    assert [one.what for one in verify_store(ada).findings] == [f"{aside.name} belongs to no run"]
    create_run(ada, fake.make_dataset(), SMALL, name="second")
    assert not aside.exists()
    assert path.exists()


def test_locks_of_data_sets_that_are_gone_are_swept(mirrored: Mirrored, fake: ModuleType) -> None:
    ada, _, _ = mirrored()
    create_run(ada, fake.make_dataset(20), SMALL, name="second")
    mine, others = (dataset_lock(fake.make_dataset(n).digest()) for n in (60, 20))

    def locks() -> set[str]:
        return {path.stem for path in (ada / "locks").glob("data-*")}

    assert locks() == {mine, others}
    delete_run(ada, "second")
    assert locks() == {mine}
    store = open_store(ada)
    with store.database.lock(others, subject="the data"):  # somebody sends it
        delete_run(ada, "first")
        assert locks() == {others}
        assert not store.database.is_free(others)
    create_run(ada, fake.make_dataset(), SMALL, name="third")
    assert locks() == {mine}
