"""A team's server that is lost at the worst moments: at a commit, in a sweep, while a lock is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from postgres_server import Server
from processes import wait_for
from sqlalchemy import select, text

from alvin_core.errors import StoreError
from alvin_core.run import create_run, delete_run, list_runs, open_run
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.trash import list_trash, purge_trash, trash_run
from alvin_core.settings import RunSettings
from alvin_core.store import clock, labels, postgres_locks, rounds, runs
from alvin_core.store.database import Store, open_store
from alvin_core.store.runs import delete_run_rows
from alvin_core.store.tables import LabelRow, MetaRow, RunRow
from alvin_core.upkeep.verifying import verify_store

pytestmark = pytest.mark.usefixtures("cheap_rounds")
SMALL = RunSettings(budget=4, initial=8)
PERSON = RunSettings(budget=4, initial=8, annotator="person")
UNKNOWN = "whether the last change is stored is not known; look before you repeat it"


@pytest.fixture
def team(postgres_address: str, tmp_path: Path) -> Path:
    """The folder of a new store on the server."""
    (tmp_path / "shared").mkdir()
    return open_store(f"{postgres_address}&arrays={tmp_path / 'shared'}", create=True).path


@pytest.fixture
def lose(postgres_server: Server) -> Callable[[Store], None]:
    """Ends the connection of this thread's locks, as a server does whose client is silent for a minute."""

    def lose(store: Store) -> None:
        with store.write() as session:
            number = session.scalar(text("SELECT pg_backend_pid()"))
        postgres_server.run(f"SELECT pg_terminate_backend({number})")
        gone = f"SELECT 1 FROM pg_stat_activity WHERE pid = {number}"
        wait_for(lambda: not postgres_server.run(gone))

    return lose


@contextmanager
def commits_unanswered(*, stored: bool, skip: int = 0) -> Iterator[None]:
    """Lose the server at a commit of a writer, before it was stored or after, and before that was heard of."""
    left, commit = [skip], psycopg.Connection.commit

    def commit_once(self: Any) -> None:
        if self.read_only or left[0] < 0:
            commit(self)
            return
        left[0] -= 1
        if left[0] >= 0 or stored:
            commit(self)
        if left[0] < 0:
            self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Connection, "commit", commit_once)
        yield


def labels_of(store: Path) -> list[tuple[int, str]]:
    with open_store(store).read() as session:
        return [(one.seq, one.example_id) for one in session.scalars(select(LabelRow).order_by(LabelRow.seq))]


@pytest.mark.parametrize("stored", [True, False])
def test_a_label_whose_commit_was_not_heard_of_can_be_given_again_and_is_there_once(
    team: Path, fake: ModuleType, stored: bool
) -> None:
    run = create_run(team, fake.make_dataset(), PERSON, name="first")
    example_id = run.pending()["id"].iloc[0]
    with commits_unanswered(stored=stored), pytest.raises(StoreError, match=UNKNOWN):
        run.submit({example_id: "pos"}, annotator="ada")
    report = open_run(team, "first").submit({example_id: "pos"}, annotator="ada")
    assert (report.n_new, report.n_same) == ((0, 1) if stored else (1, 0))
    assert labels_of(team) == [(1, example_id)]


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("kind", ["create", "fork", "unpack", "step"])
def test_what_a_commit_that_was_not_heard_of_may_name_is_kept(
    team: Path, fake: ModuleType, tmp_path: Path, kind: str, stored: bool
) -> None:
    parent = create_run(team, fake.make_dataset(), SMALL, name="first")
    list(parent.run_rounds(1))
    pack_run(team, "first", tmp_path / "first.zip")
    make: dict[str, Callable[[], object]] = {
        "create": lambda: create_run(team, fake.make_dataset(20), SMALL, name="new"),
        "fork": lambda: parent.fork(2, name="new"),
        "unpack": lambda: unpack_run(team, tmp_path / "first.zip", name="new"),
        "step": lambda: open_run(team, "first").step(),
    }
    skip = 1 if kind == "step" else 0  # which first writes what the oracle says
    with commits_unanswered(stored=stored, skip=skip), pytest.raises(StoreError, match=UNKNOWN):
        make[kind]()
    assert len(list_runs(team)) == (2 if stored and kind != "step" else 1)
    assert open_run(team, "first").n_rounds == (3 if stored and kind == "step" else 2)
    found = verify_store(team)
    assert found.sound
    if stored or kind in ("fork", "unpack"):
        assert found.findings == []
    if stored and kind != "step":
        delete_run(team, "new")
    make[kind]()
    assert verify_store(team).findings == []


def test_who_lost_its_lock_in_a_sweep_removes_no_round_that_another_has_written_since(
    team: Path, fake: ModuleType, lose: Callable[[Store], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, store = create_run(team, fake.make_dataset(), SMALL, name="first"), open_store(team)
    real, asked = rounds.leftovers, list[int]()

    def leftovers(*arguments: Any) -> list[Path]:
        asked.append(1)
        if len(asked) == 1:  # it sleeps here, such as on a laptop
            lose(store)
            with ThreadPoolExecutor(1) as other:
                other.submit(lambda: open_run(team, "first").step()).result()
        return real(*arguments)

    monkeypatch.setattr(rounds, "leftovers", leftovers)
    with pytest.raises(StoreError, match="lost its server"):
        run.step()
    assert open_run(team, "first").n_rounds == 1
    assert verify_store(team).findings == []


def test_who_lost_its_lock_in_a_sweep_removes_no_data_that_another_has_named_since(
    team: Path, fake: ModuleType, lose: Callable[[Store], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = open_store(team), list[int]()
    with store.write() as session:  # as somebody who is killed while they delete
        delete_run_rows(session, create_run(team, fake.make_dataset(20), SMALL, name="gone").id)
    real = runs.store_leftovers

    def leftovers(*arguments: Any, **keywords: Any) -> list[Path]:
        found = real(*arguments, **keywords)
        asked.append(1)
        if len(asked) == 1:
            assert [path.name for path in found] == [f"{fake.make_dataset(20).digest()}.npz"]
            lose(store)
            monkeypatch.setattr(runs, "store_leftovers", real)
            # Whoever makes a run keeps data that it is about to name, where it was sent ahead.
            with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as other:
                patch.setattr("alvin_core.run.creating.sweep_store", lambda *_, **__: [])
                other.submit(create_run, team, fake.make_dataset(20), SMALL, name="other").result()
        return found

    monkeypatch.setattr(runs, "store_leftovers", leftovers)
    with pytest.raises(StoreError, match="lost its server"):
        create_run(team, fake.make_dataset(40), SMALL, name="first")
    assert [one.name for one in list_runs(team)] == ["other"]
    assert verify_store(team).sound


@pytest.mark.parametrize("others", [0, 1])
def test_a_lock_that_was_given_while_its_taker_was_interrupted_is_given_back(
    team: Path, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    store, take = open_store(team), postgres_locks._take

    def interrupted(*arguments: Any) -> None:
        take(*arguments)
        raise KeyboardInterrupt

    def take_it() -> None:
        monkeypatch.setattr(postgres_locks, "_take", interrupted)
        with pytest.raises(KeyboardInterrupt), store.run_lock("12345678", "first"):
            pass
        monkeypatch.setattr(postgres_locks, "_take", take)
        wait_for(lambda: store.database.is_free("12345678"))

    locks: AbstractContextManager[None] = store.lock() if others else _nothing()
    with locks:
        take_it()
        assert store.database.is_free("store") == (not others)
        store.database.confirm_locks()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def test_a_look_at_the_locks_that_fails_leaves_writes_in_transactions(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, execute = open_store(team), psycopg.Connection.execute

    def cancelled(self: Any, query: Any, *arguments: Any, **keywords: Any) -> Any:
        if query == "SELECT 1":
            raise psycopg.errors.QueryCanceled("canceling statement due to user request")
        return execute(self, query, *arguments, **keywords)

    def write_half() -> None:
        with store.write() as session:
            session.merge(MetaRow(key="note", value="half"))
            session.flush()
            raise ValueError("no")

    with store.lock():
        monkeypatch.setattr(psycopg.Connection, "execute", cancelled)
        store.database.confirm_locks()
        monkeypatch.undo()
        with pytest.raises(ValueError, match="no"):
            write_half()
    with store.read() as session:
        assert session.get(MetaRow, "note") is None
        assert session.scalar(select(RunRow.id)) is None


def test_a_machine_whose_clock_is_years_behind_puts_nothing_into_the_trash_of_years_ago(
    team: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime(1990, 1, 1, tzinfo=UTC)

    create_run(team, fake.make_dataset(), SMALL, name="first")
    with monkeypatch.context() as patch:
        for module in (labels, clock):
            patch.setattr(module, "datetime", Clock)
        trash_run(team, "first")
    assert abs(datetime.fromisoformat(list_trash(team)[0].deleted_at) - datetime.now(UTC)) < timedelta(hours=1)
    assert purge_trash(team, older_than_days=30) == 0
    assert purge_trash(team) == 1
