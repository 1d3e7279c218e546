from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from alvin_core.encoding import cache
from alvin_core.encoding.cache import EntryWriter, cache_key, entry_lock, read_entry
from alvin_core.encoding.tokens import TokenCounts
from alvin_core.errors import Cancelled, StoreError
from alvin_core.progress import ProgressEvent, silent

VALUES = np.arange(24, dtype=np.float16).reshape(8, 3)
COUNTS = TokenCounts(np.array([9, 5], dtype=np.int32), np.array([3, 5], dtype=np.int32))
KEY = cache_key({"texts": "t"})


def writer(folder: Path) -> EntryWriter:
    return EntryWriter(folder, KEY, {"texts": "t"}, VALUES.shape, VALUES.dtype)


def write_whole(folder: Path) -> None:
    entry = writer(folder)
    entry.write(4, VALUES[4:])
    entry.write(0, VALUES[:4])
    entry.finish(COUNTS)


def test_what_is_written_in_any_order_is_read_back(tmp_path: Path) -> None:
    assert read_entry(tmp_path, KEY) is None
    write_whole(tmp_path)
    entry = read_entry(tmp_path, KEY)
    assert entry is not None
    assert np.array_equal(entry.values, VALUES)
    assert entry.values.dtype == np.float16
    assert entry.counts.full.tolist() == [9, 5]
    assert entry.counts.kept.tolist() == [3, 5]
    assert sorted(path.name for path in (tmp_path / KEY).iterdir()) == ["counts.npy", "meta.json", "values.bin"]
    assert json.loads((tmp_path / KEY / "meta.json").read_text())["parts"] == {"texts": "t"}


def test_an_entry_of_no_texts_is_whole(tmp_path: Path) -> None:
    empty = EntryWriter(tmp_path, KEY, {}, (0, 3), np.dtype(np.float32))
    empty.finish(TokenCounts(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)))
    entry = read_entry(tmp_path, KEY)
    assert entry is not None
    assert entry.values.shape == (0, 3)


def test_an_entry_under_way_is_not_read(tmp_path: Path) -> None:
    writer(tmp_path).write(0, VALUES)
    assert read_entry(tmp_path, KEY) is None


def test_whole_shards_of_a_killed_process_are_kept(tmp_path: Path) -> None:
    first = writer(tmp_path)
    first.write(0, VALUES[:3])
    first.write(3, VALUES[3:6])
    again = writer(tmp_path)
    assert again.has(0, 3)
    assert again.has(3, 6)
    assert not again.has(6, 8)
    again.write(6, VALUES[6:])
    again.finish(COUNTS)
    entry = read_entry(tmp_path, KEY)
    assert entry is not None
    assert np.array_equal(entry.values, VALUES)


def test_a_journal_cut_short_by_the_kill_costs_one_shard(tmp_path: Path) -> None:
    first = writer(tmp_path)
    first.write(0, VALUES[:3])
    first.write(3, VALUES[3:])
    journal = tmp_path / f"{KEY}.partial" / "journal.jsonl"
    journal.write_text(journal.read_text()[:-20])
    again = writer(tmp_path)
    assert again.has(0, 3)
    assert not again.has(3, 8)
    again.write(3, VALUES[3:])  # goes on a line of its own
    assert writer(tmp_path).has(3, 8)


def test_a_shard_whose_bytes_are_not_what_the_journal_says_is_written_again(tmp_path: Path) -> None:
    writer(tmp_path).write(0, VALUES[:3])
    values = tmp_path / f"{KEY}.partial" / "values.bin"
    data = bytearray(values.read_bytes())
    data[5] ^= 1
    values.write_bytes(data)
    assert not writer(tmp_path).has(0, 3)


def test_a_file_of_another_size_starts_anew(tmp_path: Path) -> None:
    writer(tmp_path).write(0, VALUES[:3])
    values = tmp_path / f"{KEY}.partial" / "values.bin"
    values.write_bytes(values.read_bytes()[:10])
    assert not writer(tmp_path).has(0, 3)


@pytest.mark.parametrize("name", ["values.bin", "counts.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone"])
def test_a_damaged_entry_is_taken_for_missing_and_written_anew(tmp_path: Path, name: str, damage: str) -> None:
    write_whole(tmp_path)
    path = tmp_path / KEY / name
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"flip": data, "cut": data[:-7], "empty": b""}[damage])
    assert read_entry(tmp_path, KEY) is None
    write_whole(tmp_path)
    entry = read_entry(tmp_path, KEY)
    assert entry is not None
    assert np.array_equal(entry.values, VALUES)


@pytest.mark.parametrize("meta", ["[]", "{}", '{"sha256": {}}', "null"])
def test_a_meta_file_of_something_else_is_taken_for_missing(tmp_path: Path, meta: str) -> None:
    write_whole(tmp_path)
    (tmp_path / KEY / "meta.json").write_text(meta)
    assert read_entry(tmp_path, KEY) is None


def test_a_folder_that_cannot_be_one_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="name another folder"), entry_lock(tmp_path / "file", KEY, silent):
        pass
    with pytest.raises(StoreError, match="name another folder"):
        read_entry(tmp_path / "file", KEY)
    with pytest.raises(StoreError, match="name another folder"):
        writer(tmp_path / "file")


def test_a_full_disk_is_an_error_before_the_work_starts(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"GB needed, .* GB free; free space there, name another folder, or set"):
        EntryWriter(tmp_path, KEY, {}, (10**12, 384), np.dtype(np.float16))


def test_a_second_writer_waits_says_so_once_and_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_LOCK_POLL_SECONDS", 0.001)
    events: list[ProgressEvent] = []

    def stop_after_three(event: ProgressEvent) -> None:
        events.append(event)
        if len(events) == 3:
            raise Cancelled("enough")

    with entry_lock(tmp_path, KEY, silent):
        with pytest.raises(Cancelled), entry_lock(tmp_path, KEY, stop_after_three):
            pass
        with entry_lock(tmp_path, cache_key({"texts": "other"}), stop_after_three):
            pass  # another entry is free
    assert [event.note for event in events] == ["another process encodes the same texts; waiting for it", "", ""]
    with entry_lock(tmp_path, KEY, stop_after_three):
        pass  # let go


def test_the_key_does_not_depend_on_the_order_of_its_parts() -> None:
    assert cache_key({"a": 1, "b": 2}) == cache_key({"b": 2, "a": 1})
    assert cache_key({"a": 1}) != cache_key({"a": 2})
