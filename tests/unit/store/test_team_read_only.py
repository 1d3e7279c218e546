"""A team's store that this role, or this server, may only read: it says so before anything is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from both_databases import forget_connections
from postgres_server import ROLE, WORD, Server, running_server

from alvin_core import why_read_only
from alvin_core.errors import StoreError
from alvin_core.run import create_run, list_runs, open_run
from alvin_core.settings import RunSettings
from alvin_core.store import postgres_rights
from alvin_core.store.address import parse_address
from alvin_core.store.database import open_store
from alvin_core.store.tables import MetaRow

pytestmark = pytest.mark.usefixtures("cheap_rounds", "_asked_anew")
READER = "alvin_reader"


@pytest.fixture
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No answer is kept, nor one of another test."""
    monkeypatch.setattr(postgres_rights, "KEPT_SECONDS", 0)
    postgres_rights._answers.clear()
    yield
    postgres_rights._answers.clear()


@pytest.fixture
def team(postgres_address: str, tmp_path: Path, fake: ModuleType) -> Path:
    """The folder of a store on the server with a run of one round."""
    folder = tmp_path / "shared"
    folder.mkdir()
    path = open_store(f"{postgres_address}&arrays={folder}", create=True).path
    create_run(path, fake.make_dataset(), RunSettings(budget=4, initial=8), name="first").step()
    return path


@pytest.fixture
def reader(
    team: Path, postgres_server: Server, postgres_address: str
) -> Iterator[tuple[str, Callable[[str], list[tuple[object, ...]]]]]:
    """The address of the store as a role reaches it that may only read, and what does as the owner of the server."""
    schema = parse_address(postgres_address).url.query["schema"]

    def do(statement: str) -> list[tuple[object, ...]]:
        return postgres_server.run(statement.replace("{schema}", f'"{schema}"'), database=ROLE)

    do(f"CREATE ROLE {READER} LOGIN PASSWORD '{WORD}'")
    try:
        do(f"GRANT USAGE ON SCHEMA {{schema}} TO {READER}")
        do(f"GRANT SELECT ON ALL TABLES IN SCHEMA {{schema}} TO {READER}")
        yield postgres_address.replace(f"//{ROLE}:", f"//{READER}:"), do
    finally:
        forget_connections()
        do(f"DROP OWNED BY {READER}")
        do(f"DROP ROLE {READER}")


def write(store: Path | str) -> None:
    with open_store(store).write() as session:
        session.merge(MetaRow(key="note", value="written"))


def test_a_role_that_may_only_read_is_told_so_and_reads(
    reader: tuple[str, Callable[[str], list[tuple[object, ...]]]], team: Path
) -> None:
    address, do = reader
    assert why_read_only(team) == ""
    why = why_read_only(address)
    assert why.startswith(
        f"the store {team} can be read only: the role '{READER}' may write to no table of the database"
    )
    assert why.endswith("; ask its owner to grant it")
    assert WORD not in why
    assert [one.name for one in list_runs(address)] == ["first"]
    assert len(open_run(address, "first").vectors(0)[1]) == 60
    with pytest.raises(StoreError, match="does not give you the right to that"):
        write(address)
    do(f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {{schema}} TO {READER}")
    assert why_read_only(address) == ""
    write(address)


def test_a_role_that_may_write_some_of_it_is_not_told_that_it_may_not(
    reader: tuple[str, Callable[[str], list[tuple[object, ...]]]],
) -> None:
    address, do = reader
    do(f"GRANT INSERT ON {{schema}}.labels TO {READER}")
    assert why_read_only(address) == ""


def test_transactions_that_the_server_opens_for_reading_stay_so(
    reader: tuple[str, Callable[[str], list[tuple[object, ...]]]],
) -> None:
    address, do = reader
    do(f"GRANT ALL ON ALL TABLES IN SCHEMA {{schema}} TO {READER}")
    assert why_read_only(address) == ""
    do(f"ALTER ROLE {READER} SET default_transaction_read_only = on")
    forget_connections()
    assert "opens each transaction for reading alone (default_transaction_read_only)" in why_read_only(address)
    with pytest.raises(StoreError, match=r"may only be read, .* or by its default_transaction_read_only"):
        write(address)
    assert [one.name for one in list_runs(address)] == ["first"]
    do(f"ALTER ROLE {READER} SET default_transaction_read_only = off")
    assert why_read_only(address) == ""  # though connections that are kept were made before
    write(address)


def test_the_server_is_asked_once_in_a_while(team: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(postgres_rights, "_ask", lambda database: (asked.append(database), "why")[1])
    now = 100.0
    monkeypatch.setattr(postgres_rights, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(postgres_rights, "KEPT_SECONDS", 5)
    assert [why_read_only(team) for _ in range(3)] == ["why"] * 3
    assert len(asked) == 1
    now = 105.0
    assert why_read_only(team) == "why"
    assert len(asked) == 2


def test_a_server_that_follows_another_or_is_away(tmp_path: Path, fake: ModuleType) -> None:
    with running_server() as server:
        path = open_store(f"{server.address}?arrays={tmp_path}", create=True).path
        assert why_read_only(path) == ""
        forget_connections()
        server.stop()
        assert why_read_only(path) == ""  # of which whoever reads it is told
        (server.folder / "data" / "standby.signal").touch()
        server.start()
        why = why_read_only(path)
        assert why.startswith(f"the store {path} can be read only: the database postgresql+psycopg://{ROLE}@127.0.0.1:")
        assert why.endswith(" follows another server; name the one that takes writes")
        assert list_runs(path) == []
        with pytest.raises(StoreError, match="may only be read, as a copy of another server is"):
            write(path)
        forget_connections()
