"""A team's store: its tables in a real PostgreSQL server, its arrays in a folder that says so."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from both_databases import forget_connections
from postgres_server import ROLE, WORD, Server, running_server
from sqlalchemy import select, text

from alvin_core.errors import RunBusyError, StoreError, StoreVersionError
from alvin_core.run import create_run, list_runs, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings
from alvin_core.store import postgres
from alvin_core.store.address import is_address, parse_address, without_password
from alvin_core.store.database import Store, open_store
from alvin_core.store.location import has_store, read_place, store_folder
from alvin_core.store.tables import LabelRow, MetaRow
from alvin_core.upkeep.backup import backup_store
from alvin_core.upkeep.mending import repair_store
from alvin_core.upkeep.restoring import restore_store
from alvin_core.upkeep.verifying import verify_store
from alvin_core.worker.jobs import enqueue_job
from alvin_core.worker.status import be_the_worker, worker_status, write_status

pytestmark = pytest.mark.usefixtures("cheap_rounds")
SMALL = RunSettings(budget=4, initial=8)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def team(postgres_address: str, shared: Path) -> Path:
    """The folder of a new store on the server."""
    return open_store(f"{postgres_address}&arrays={shared}", create=True).path


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server of one test alone, which it may stop."""
    with running_server() as server:
        yield server


def connection_of(store: Store) -> int:
    """Return the number by which the server knows the connection of this thread's locks."""
    with store.write() as session:
        return int(session.scalar(text("SELECT pg_backend_pid()")) or 0)


def write_note(store: Store, value: str) -> None:
    with store.write() as session:
        session.merge(MetaRow(key="note", value=value))


def note_in(store: Store) -> str | None:
    with store.read() as session:
        return session.scalar(select(MetaRow.value).where(MetaRow.key == "note"))


def test_an_address_with_a_folder_makes_a_store_that_later_needs_neither(postgres_address: str, shared: Path) -> None:
    with pytest.raises(StoreError, match=r"does not know yet where its arrays are; .* \?arrays=/shared/folder"):
        store_folder(postgres_address)
    address = f"{postgres_address}&arrays={shared}"
    assert store_folder(address) == shared
    assert not has_store(address)
    with pytest.raises(StoreError, match="there is no store in the database"):
        open_store(address)
    assert open_store(address, create=True).path == shared
    assert has_store(shared)
    assert store_folder(postgres_address) == shared
    assert open_store(postgres_address).path == shared
    assert open_store(shared).database.dialect == "postgresql"
    assert not (shared / "alvin.db").exists()


def test_the_folder_says_which_database_it_belongs_to_and_no_password(team: Path) -> None:
    place = read_place(team)
    assert place is not None
    assert place.database is not None
    assert place.database.startswith(f"postgresql+psycopg://{ROLE}@127.0.0.1:")
    assert place.arrays is None
    assert WORD not in (team / "store.json").read_text()
    with open_store(team).read() as session:
        facts = {row.key: row.value for row in session.scalars(select(MetaRow))}
    assert facts["store_id"] == place.id
    assert facts["arrays"] == str(team)


def test_two_stores_never_share_a_folder(team: Path, postgres_address: str) -> None:
    for other in (f"{postgres_address}_b&arrays={team}", f"{postgres_address.partition('?')[0]}?arrays={team}"):
        with pytest.raises(StoreError, match=r"belongs to the store postgresql.*name another folder"):
            store_folder(other)


def test_one_store_never_has_two_folders(team: Path, postgres_address: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no store.json. Is the share mounted\?"):
        store_folder(f"{postgres_address}&arrays={tmp_path}")
    sign = json.loads((team / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps(sign | {"id": "another"}))
    with pytest.raises(StoreError, match="name another folder"):
        store_folder(f"{postgres_address}&arrays={tmp_path}")
    with pytest.raises(StoreError, match="is the folder of another store"):
        open_store(tmp_path)


def test_a_copy_of_the_database_is_refused_until_it_is_told_to_take_the_place(
    team: Path, postgres_server: Server, postgres_address: str
) -> None:
    assert open_store(team).path == team
    forget_connections()
    postgres_server.run(f"CREATE DATABASE copied TEMPLATE {ROLE}")
    copy = f"{postgres_address.replace(f'/{ROLE}?', '/copied?')}&arrays={team}"
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match=r"/copied\?.* is a copy of another, .*`alvin backup` there") as caught:
                open_store(copy)
            assert WORD not in str(caught.value)
            assert open_store(postgres_address).path == team
        postgres_server.run(str(caught.value).partition("by psql: ")[2], database="copied")
        assert open_store(copy).path == team
        facts = open_store(copy).database.facts() or {}
        assert facts["server"].split("/")[1] == "copied"
    finally:
        forget_connections()
        postgres_server.run("DROP DATABASE copied")


def test_the_same_folder_may_be_mounted_elsewhere(team: Path, postgres_address: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(team)
    address = f"{postgres_address}&arrays={tmp_path / 'elsewhere'}"
    assert open_store(address).path == tmp_path / "elsewhere"


def test_a_share_that_is_not_there_is_never_made(postgres_address: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="which is not there: make that folder or mount it"):
        store_folder(f"{postgres_address}&arrays={tmp_path / 'none'}")
    assert not (tmp_path / "none").exists()


def test_a_folder_with_a_store_of_its_own_is_refused(postgres_address: str, tmp_path: Path) -> None:
    open_store(tmp_path, create=True)
    with pytest.raises(StoreError, match="is a store of its own"):
        store_folder(f"{postgres_address}&arrays={tmp_path}")


def test_arrays_of_a_database_that_was_dropped_are_not_swept(
    team: Path, fake: ModuleType, postgres_address: str
) -> None:
    create_run(team, fake.make_dataset(), SMALL, name="first").step()
    file = team.parent / "all.tar"
    backup_store(team, file)
    schema = parse_address(postgres_address).url.query["schema"]
    with open_store(team).write() as session:
        session.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))
    with pytest.raises(StoreError, match=r"has runs, and the database .* holds no store: was it dropped\?"):
        open_store(team, create=True)
    restore_store(file, team)
    assert open_run(team, "first").n_rounds == 1
    assert verify_store(team).sound


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mysql://x/y", "a store is a folder, or a PostgreSQL database"),
        ("postgresql+asyncpg://x/y", "is neither"),
        (f"postgresql://u:{WORD}@h:port/x", "cannot be read; write it like"),
        ("postgresql://u@h/x?arrays=here", "must be named from the root"),
        (f"postgresql://u@h/x?arrays=s3://key:{WORD}@bucket/x", "has a password in it"),
        ("postgresql://u@h/x?schema=A-b", "take small letters"),
        ("postgresql://u@h/x?schema=a&schema=b", "twice"),
        (f"postgresql://u:{WORD}@127.0.0.1:1/x", "cannot be reached: nothing answers there"),
        (f"postgresql://u:{WORD}@nowhere.invalid/x", "nobody knows that host"),
        (f"postgresql://u:{WORD}@/x?host=/nowhere", "no server listens at that socket"),
        (f"postgresql://u:{WORD}@127.0.0.1:1/x?colour=red", "libpq's options are meant"),
    ],
)
def test_an_address_that_leads_nowhere_is_answered_in_one_line_without_its_password(address: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        store_folder(address)
    assert "\n" not in str(caught.value)
    assert WORD not in str(caught.value)
    assert WORD not in without_password(address)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: url.set(password="wrong"), "lets nobody in by this name and password; see ~/.pgpass"),
        (lambda url: url._replace(password=None), "needs a password; put it into ~/.pgpass or PGPASSWORD"),
        (lambda url: url.set(database="none"), "does not exist.*make it, or name another"),
        (lambda url: url.update_query_dict({"sslmode": "require"}), "cannot be reached by an encrypted connection"),
        (lambda url: url.set(database="latin"), "has the encoding SQL_ASCII"),
        (lambda url: url.set(database="closed"), "does not give you the right to that"),
    ],
)
def test_what_a_server_refuses_is_said_in_one_line(
    postgres_server: Server, postgres_address: str, shared: Path, change: Callable[..., object], message: str
) -> None:
    if not postgres_server.run("SELECT 1 FROM pg_database WHERE datname = 'latin'"):
        postgres_server.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
        postgres_server.run("CREATE DATABASE closed")
    address = change(parse_address(postgres_address).url)
    words = address.render_as_string(hide_password=False)  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match=message) as caught:
        open_store(f"{words}&arrays={shared}", create=True)
    assert "\n" not in str(caught.value)
    assert WORD not in str(caught.value)


def test_a_server_that_is_too_old_is_refused(postgres_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from alvin_core.store import postgres_errors

    monkeypatch.setattr(postgres_errors, "OLDEST_SERVER", 99)
    with pytest.raises(StoreError, match=r"is PostgreSQL \d+\.\d+; 99 or newer is needed"):
        store_folder(postgres_address)


def test_another_programs_tables_are_left_alone(postgres_server: Server, postgres_address: str, shared: Path) -> None:
    schema = parse_address(postgres_address).url.query["schema"]
    postgres_server.run(f'CREATE SCHEMA "{schema}" AUTHORIZATION {ROLE}', database=ROLE)
    postgres_server.run(f'CREATE TABLE "{schema}".runs (id text)', database=ROLE)
    with pytest.raises(StoreError, match="has a table 'runs' of another program"):
        open_store(f"{postgres_address}&arrays={shared}", create=True)


def test_a_store_of_a_newer_version_is_refused(team: Path) -> None:
    with open_store(team).write() as session:
        session.merge(MetaRow(key="schema_version", value="999"))
    with pytest.raises(StoreVersionError, match="has version 999"):
        open_store(team)


def test_twenty_writers_at_once_count_without_a_gap(team: Path, fake: ModuleType) -> None:
    run = create_run(team, fake.make_dataset(labeled=False), RunSettings(budget=4, initial=40), name="first")
    ids = run.pending()["id"].tolist()
    n_people = 20

    def submit(person: int) -> None:
        for example_id in ids[person::n_people]:
            open_run(team, "first").submit({example_id: "pos"}, annotator=f"person-{person}")

    with ThreadPoolExecutor(n_people) as pool:
        list(pool.map(submit, range(n_people)))
    with open_store(team).read() as session:
        events = list(session.scalars(select(LabelRow).order_by(LabelRow.seq)))
    assert [one.seq for one in events] == list(range(1, len(ids) + 1))
    assert sorted(one.example_id for one in events) == sorted(ids)


def test_a_reader_sees_one_moment_and_cannot_write(team: Path) -> None:
    store = open_store(team)
    with store.read() as session:
        before = session.scalar(select(MetaRow.value).where(MetaRow.key == "note"))
        with store.write() as other:
            other.merge(MetaRow(key="note", value="after"))
        session.expire_all()
        assert session.scalar(select(MetaRow.value).where(MetaRow.key == "note")) == before
        with pytest.raises(Exception, match="read-only transaction"):
            session.execute(text("DELETE FROM meta"))
        session.rollback()


def test_a_writer_waits_for_another_no_longer_than_said(team: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_connections()
    monkeypatch.setattr(postgres, "BUSY_SECONDS", 0.2)
    store = open_store(team)
    with store.write() as session:
        session.merge(MetaRow(key="note", value="first"))
        session.flush()
        with pytest.raises(StoreError, match="was in use by another process for 30 s; try again"):
            write_note(store, "second")


def test_a_commit_waits_for_the_disk_and_readers_for_nobody(team: Path) -> None:
    store = open_store(team)
    with store.write() as session:
        assert session.scalar(text("SHOW synchronous_commit")) == "on"
        assert session.scalar(text("SHOW fsync")) == "on"
        with store.read() as other:
            assert other.scalar(text("SHOW transaction_isolation")) == "repeatable read"
            assert other.scalar(text("SHOW transaction_read_only")) == "on"


def test_a_run_in_use_says_by_which_process_of_which_machine(team: Path, fake: ModuleType) -> None:
    run = create_run(team, fake.make_dataset(), SMALL, name="first")
    program = (
        "import sys; from alvin_core.store.database import open_store\n"
        f"with open_store(sys.argv[1]).run_lock({run.id!r}, 'first'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(team)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunBusyError, match=rf"run 'first' is in use by process {other.pid} on \S+; wait"):
            run.step()
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert run.step().round == 0  # the lock died with its process


def test_two_threads_of_one_process_exclude_each_other(team: Path) -> None:
    store, seen = open_store(team), list[str]()
    with store.run_lock("12345678", "first"):
        with pytest.raises(RunBusyError, match="another part of this process"), store.run_lock("12345678", "first"):
            pass

        def other() -> None:
            try:
                with store.run_lock("12345678", "first"):
                    seen.append("held")
            except RunBusyError as error:
                seen.append(str(error))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert ["another part of this process" in one for one in seen] == [True]
    other()
    assert seen[-1] == "held"


def test_a_round_is_not_stored_once_the_lock_is_lost(
    team: Path, fake: ModuleType, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(team, fake.make_dataset(), SMALL, name="first")

    def compute(*args: object, **kwargs: object) -> object:
        postgres_server.run(f"SELECT pg_terminate_backend({connection_of(open_store(team))})")
        return fake.compute(*args, **kwargs)

    monkeypatch.setattr(Engine, "compute", compute)
    with pytest.raises(StoreError, match=r"lost its server.*nothing of this is stored"):
        run.step()
    monkeypatch.setattr(Engine, "compute", fake.compute)
    assert open_run(team, "first").n_rounds == 0
    assert open_run(team, "first").step().round == 0
    assert verify_store(team).sound


def test_two_stores_of_one_server_do_not_lock_each_other(team: Path, postgres_address: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = open_store(f"{postgres_address}_b&arrays={other}", create=True)
    with open_store(team).run_lock("12345678", "first"), second.run_lock("12345678", "first"), second.lock():
        pass


def test_a_fork_leaves_its_parents_connections_alone(team: Path) -> None:
    store = open_store(team)
    write_note(store, "parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            write_note(store, "child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert note_in(store) == "child"


def test_the_worker_is_seen_from_every_machine(team: Path, postgres_address: str) -> None:
    assert not worker_status(team).alive
    with be_the_worker(team):
        write_status(team, warm=True, since="2020")
        seen = worker_status(postgres_address)
        assert (seen.alive, seen.warm, seen.pid, seen.since) == (True, True, os.getpid(), "2020")
        assert seen.host
        with pytest.raises(RunBusyError, match="has a worker already"), be_the_worker(team):
            pass
    assert not worker_status(team).alive


def test_a_worker_that_lost_its_lock_ends(team: Path, postgres_server: Server) -> None:
    store = open_store(team)
    with be_the_worker(team):
        store.database.confirm_locks()
        postgres_server.run(f"SELECT pg_terminate_backend({connection_of(store)})")
        with pytest.raises(StoreError, match="lost its server"):
            store.database.confirm_locks()
        assert not store.database.keeps_locks()
        assert not worker_status(team).alive


def test_locks_are_confirmed_in_the_middle_of_writing(team: Path, postgres_server: Server) -> None:
    store = open_store(team)
    with store.lock(), store.write() as session:
        session.merge(MetaRow(key="note", value="kept"))
        session.flush()
        store.database.confirm_locks()  # which ends no transaction
    assert note_in(store) == "kept"

    found: list[str] = []

    def write_on() -> None:
        with store.lock(), store.write() as session:
            postgres_server.run(f"SELECT pg_terminate_backend({session.scalar(text('SELECT pg_backend_pid()'))})")
            try:
                store.database.confirm_locks()
            except StoreError as error:
                found.append(str(error))
                raise

    with pytest.raises(StoreError, match="lost its server"):
        write_on()
    assert [one.partition(" while this process ")[2][:11] for one in found] == ["held a lock"]


def test_a_text_that_the_server_cannot_hold_is_named(team: Path) -> None:
    store = open_store(team)
    with pytest.raises(
        StoreError, match=r"cannot hold the text 'a\\x00b' with the character NUL \(U\+0000\); take it out"
    ):
        write_note(store, "a\0b")
    with pytest.raises(StoreError, match="cannot be stored: its character 5 is half of one"):
        write_note(store, "half \ud800")
    assert note_in(store) is None


def test_a_store_goes_from_folder_to_server_and_back(team: Path, fake: ModuleType, tmp_path: Path) -> None:
    old = tmp_path / "old"
    run = create_run(old, fake.make_dataset(), SMALL, name="first")
    list(run.run_rounds(1))
    enqueue_job(old, "rounds", run="first")
    backup_store(old, tmp_path / "one.tar")
    report = restore_store(tmp_path / "one.tar", team)
    assert report.sound
    assert (report.n_runs, report.n_rounds) == (1, 2)
    assert enqueue_job(team, "rounds", run="first").id == 2  # numbers go on where they were
    with pytest.raises(StoreError, match="holds a store that is in use"):
        restore_store(tmp_path / "one.tar", team)
    open_run(team, "first").step()
    backup_store(team, tmp_path / "two.tar")
    assert restore_store(tmp_path / "two.tar", tmp_path / "new").sound
    again = open_run(tmp_path / "new", "first")
    assert again.n_rounds == 3
    assert again.labels().equals(open_run(team, "first").labels())
    assert not [path for path in team.iterdir() if path.name.startswith(".snapshot")]


def test_damage_in_the_database_is_found_and_mended(team: Path, postgres_server: Server, postgres_address: str) -> None:
    assert verify_store(team).sound
    schema = parse_address(postgres_address).url.query["schema"]
    postgres_server.run(
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"{schema}\".jobs_by_state'::regclass",
        database=ROLE,
    )
    report = verify_store(team)
    assert [str(one.what) for one in report.findings if one.mendable]
    assert not report.sound
    done, report = repair_store(team)
    assert "rebuilt the indices of the database" in done
    assert report.sound
    postgres_server.run(f'DROP TABLE "{schema}".slices', database=ROLE)
    assert "the table 'slices' is missing" in str(verify_store(team).findings[0])


def test_a_server_that_stops_in_mid_write_loses_nothing_that_was_stored(own_server: Server, tmp_path: Path) -> None:
    store = open_store(f"{own_server.address}?arrays={tmp_path}", create=True)
    write_note(store, "stored")

    def stop_while_it_writes() -> None:
        with store.write() as session:
            session.merge(MetaRow(key="note", value="lost"))
            session.flush()
            own_server.stop("immediate")
            session.execute(text("SELECT 1"))

    with pytest.raises(StoreError, match=r"lost its server.*nothing of this is stored"):
        stop_while_it_writes()
    with pytest.raises(StoreError, match="cannot be reached"):
        note_in(store)
    own_server.start()
    assert note_in(store) == "stored"


def test_no_log_of_any_library_has_the_password(
    postgres_address: str, shared: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    # SQLAlchemy's own level is above that of the root.
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "sqlalchemy"):
        store = open_store(f"{postgres_address}&arrays={shared}", create=True)
        with store.write() as session:
            session.merge(MetaRow(key="note", value="x"))
    assert "INSERT INTO meta" in caplog.text
    assert WORD not in caplog.text
    assert WORD not in repr(store) + repr(store.database) + store.database.name
    assert WORD not in "".join(capfd.readouterr())


def test_a_folder_is_never_taken_for_an_address() -> None:
    assert not any(map(is_address, ["C:/data", "alvin-store", "/a/b", Path("s3:/x"), "~/x"]))
    assert all(map(is_address, ["s3://x", "postgresql://x", Path("postgresql+psycopg://u@h/x")]))


def test_no_two_processes_name_a_connection_alike() -> None:
    assert re.fullmatch(rf"alvin {os.getpid()}@\S+", postgres.connection_name())
    assert len(postgres.connection_name()) <= 63


def test_a_list_of_runs_is_that_of_the_server(team: Path, fake: ModuleType, postgres_address: str) -> None:
    create_run(postgres_address, fake.make_dataset(), SMALL, name="first")
    assert [one.name for one in list_runs(team)] == ["first"]
