"""A database that was copied with the store in it, as by a dump that is restored elsewhere: it is not the store's own.

Both would take the same folder for theirs, and each remove there what it does not know of. So a store keeps on which
server, and in which database and schema, its tables were made. A standby server that takes the place of a lost one says
the same of itself; so does a copy of the server's disk, which nothing tells from the server that was copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Engine, text

from alvin_core.errors import StoreError
from alvin_core.store.address import plain_address, schema_of
from alvin_core.store.location import SERVER

__all__ = ["refuse_copy", "server_of"]

MAY_ASK = "SELECT has_function_privilege('pg_control_system()', 'execute')"
WHICH_SERVER = "SELECT system_identifier, current_database() FROM pg_control_system()"

_servers: WeakKeyDictionary[Engine, str] = WeakKeyDictionary()  # what each was found to lead to


def server_of(engine: Engine, schema: str) -> str:
    """Return which server, database and schema an engine leads to; empty where the server does not tell."""
    if engine not in _servers:
        with engine.connect() as connection:
            told = connection.execute(text(WHICH_SERVER)).one() if connection.scalar(text(MAY_ASK)) else None
        _servers[engine] = "" if told is None else f"{told[0]}/{told[1]}/{schema}"
    return _servers[engine]


def refuse_copy(engine: Engine, url: URL, facts: Mapping[str, str]) -> None:
    """Raise where a store's tables were made in another database than they are in.

    Parameters
    ----------
    engine : Engine
    url : URL
        That the engine is of.
    facts : mapping of str to str
        The store's; those of an older store do not tell.

    Raises
    ------
    StoreError
        With both remedies.
    """
    told, schema = facts.get(SERVER, ""), schema_of(url)
    server = server_of(engine, schema) if told else ""
    if told and server and told != server:
        raise StoreError(
            f"the database {plain_address(url)} is a copy of another, with whose store it would share the arrays; make "
            "a store of its own by `alvin backup` there and `alvin restore` here; or, where the other is gone for "
            f"good, let this one take its place, by psql: DELETE FROM \"{schema}\".meta WHERE key = '{SERVER}'"
        )
