import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from alvin_core.errors import StoreError, StoreVersionError
from alvin_core.store.database import open_store
from alvin_core.store.mounts import file_system_of, refuse_network_drive


def test_a_new_store_is_a_folder_with_a_write_ahead_database(tmp_path: Path) -> None:
    open_store(tmp_path / "a" / "s", create=True)
    connection = sqlite3.connect(tmp_path / "a" / "s" / "alvin.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert open_store(tmp_path / "a" / "s").path == tmp_path / "a" / "s"


def test_commits_are_synced_and_writers_begin_as_writers(tmp_path: Path) -> None:
    store = open_store(tmp_path, create=True)
    with store.write() as session:
        driver = session.connection().connection.driver_connection
        assert driver.in_transaction
        assert driver.execute("PRAGMA synchronous").fetchone() == (2,)
        assert driver.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert driver.execute("PRAGMA busy_timeout").fetchone() == (30000,)
        other = sqlite3.connect(tmp_path / "alvin.db", timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        other.close()


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file is a file; a store is a folder"):
        open_store(tmp_path / "file", create=True)
    with pytest.raises(StoreError, match=r"below cannot be made: .*file is a file; name another folder"):
        open_store(tmp_path / "file" / "below", create=True)


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"\x00" * 4096])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "alvin.db").write_bytes(content)
    with pytest.raises(StoreError, match="damaged or is no database"):
        open_store(tmp_path, create=True)
    assert (tmp_path / "alvin.db").read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "alvin.db")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="another program's database"):
        open_store(tmp_path, create=True)


@pytest.mark.parametrize(("version", "message"), [("6", "has version 6, this ALVIN Studio reads 5"), ("old", "'old'")])
def test_a_store_of_another_version_is_refused(tmp_path: Path, version: str, message: str) -> None:
    open_store(tmp_path, create=True)
    connection = sqlite3.connect(tmp_path / "alvin.db", isolation_level=None)
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (version,))
    connection.close()
    with pytest.raises(StoreVersionError, match=message):
        open_store(tmp_path)


ADDED_BY = {
    2: ("marks", "trash", "jobs"),
    3: ("comparison_cells", "comparisons"),
    4: ("slices", "added_examples"),
    5: ("leases", "opinions"),
}


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_store_of_an_older_version_gets_the_tables_it_lacks_and_keeps_its_rows(tmp_path: Path, version: int) -> None:
    open_store(tmp_path, create=True)
    lacking = {table for added, tables in ADDED_BY.items() if added > version for table in tables}
    with closing(sqlite3.connect(tmp_path / "alvin.db", isolation_level=None)) as connection:
        for table in sorted(lacking):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(version),))
        connection.execute("INSERT INTO meta VALUES ('kept', 'yes')")
    open_store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "alvin.db")) as connection:
        assert dict(connection.execute("SELECT key, value FROM meta")) == {"schema_version": "5", "kept": "yes"}
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert lacking <= tables


def test_an_empty_database_file_is_a_store_not_yet_made(tmp_path: Path) -> None:
    (tmp_path / "alvin.db").touch()
    open_store(tmp_path)
    open_store(tmp_path)


def test_many_processes_can_make_one_store_at_once(tmp_path: Path) -> None:
    code = "import sys; from alvin_core.store.database import open_store; open_store(sys.argv[1], create=True)"
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "s")], stderr=subprocess.PIPE) for _ in range(4)
    ]
    errors = [process.communicate()[1] for process in started]
    assert errors == [b""] * 4


def test_a_full_disk_is_called_so_whatever_sqlite_calls_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    store = open_store(tmp_path / "s", create=True)
    for free, message in ((0, "its disk is full; free some space"), (10**9, "cannot be used: disk I/O error")):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr("alvin_core.store.sqlite.shutil.disk_usage", lambda path, usage=usage: usage)
        with pytest.raises(StoreError, match=message), store.read():
            raise OperationalError("SELECT", {}, Exception("disk I/O error"))


def test_another_programs_database_with_a_table_like_ours_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "alvin.db")) as connection:
        connection.execute("CREATE TABLE meta (k, v)")
    with pytest.raises(StoreError, match=r"alvin\.db is another program's database, or damaged"):
        open_store(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    code = (
        "import os, sys\n"
        "from alvin_core.store.database import open_store\n"
        "from alvin_core.errors import StoreError\n"
        "if os.getuid() == 0: os.seteuid(65534)\n"  # root may write anywhere
        "try: open_store(sys.argv[1], create=True)\n"
        "except StoreError as error: print(error)\n"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    closed.chmod(0o555)
    found = subprocess.run([sys.executable, "-c", code, str(closed / "s")], capture_output=True, text=True, check=True)
    assert f"closed/s cannot be made: this user may not write to {closed}; ask for" in found.stdout


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/local xfs rw 0 0
//server/share /mnt/my\\040share cifs rw 0 0
me@host: /mnt/over fuse.sshfs rw 0 0
tmpfs /mnt/over tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/s", "ext4"),
        ("/home/ada/s", "nfs4"),
        ("/home/local/s", "xfs"),
        ("/homework", "ext4"),
        ("/mnt/my share/s", "cifs"),
        ("/mnt/over/s", "tmpfs"),
    ],
)
def test_the_deepest_and_latest_mount_tells_the_file_system(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


def test_network_drives_are_refused_and_unknown_ones_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mounts").write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path.resolve()} nfs rw 0 0\n")
    monkeypatch.setattr("alvin_core.store.mounts.MOUNTS", tmp_path / "mounts")
    with pytest.raises(StoreError, match=r"network drive \(nfs\).*local folder"):
        open_store(tmp_path / "s", create=True)
    assert not (tmp_path / "s").exists()
    monkeypatch.setattr("alvin_core.store.mounts.MOUNTS", tmp_path / "not linux")
    refuse_network_drive(tmp_path / "s")


@pytest.mark.parametrize("name", ["with space", "100% ?x=1&y#z", "ünï 😀", ":memory:"])
def test_a_store_may_lie_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    open_store(tmp_path / name, create=True)
    assert (tmp_path / name / "alvin.db").stat().st_size > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
    open_store(tmp_path / name)
