"""Why a team's store may only be read: its server follows another, opens transactions to read, or grants no more."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, Row, text
from sqlalchemy.exc import SQLAlchemyError

from alvin_core.errors import StoreError
from alvin_core.store.address import schema_of
from alvin_core.store.postgres import MADE, PostgresDatabase
from alvin_core.store.tables import Table

__all__ = ["why_no_writing"]

KEPT_SECONDS = 5  # a page asks several times; who writes meanwhile all the same is told by the server
RIGHTS = """
SELECT pg_is_in_recovery() AS follows,
  current_setting('default_transaction_read_only') = 'on' AS reads_alone,
  current_user AS role,
  (SELECT bool_or(has_any_column_privilege(oid, 'INSERT')) FROM pg_class
   WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :schema) AND relname = ANY(:tables)) AS may_add
"""

_answers: dict[tuple[int, str], tuple[float, str]] = {}  # by process and address: until when, and what


def why_no_writing(url: URL, folder: Path) -> str:
    """Return why nothing can be written to a team's store, in one sentence; empty where nothing forbids it.

    Empty as well where the server cannot be asked, which whoever reads the store is told.

    Parameters
    ----------
    url : URL
        Of the database.
    folder : Path
        Of the store.
    """
    key = (os.getpid(), url.render_as_string(hide_password=False))
    until, answer = _answers.get(key, (0.0, ""))
    if time.monotonic() >= until:
        answer = _ask(PostgresDatabase(url, folder))
        _answers[key] = (time.monotonic() + KEPT_SECONDS, answer)
    return answer


def _ask(database: PostgresDatabase) -> str:
    asked: dict[str, object] = {"schema": schema_of(database.url), "tables": list(Table.metadata.tables)}
    try:
        found = _look(database.reading(), asked)
    except (SQLAlchemyError, StoreError):
        return ""
    reason = _reason(database, found)
    return f"the store {database.folder} can be read only: {reason}" if reason else ""


def _look(engine: Engine, asked: dict[str, object]) -> Row[Any]:
    """Ask. A connection keeps what its role was set to when it was made: old ones that read alone make way for new."""
    began = time.monotonic()
    while True:
        with engine.connect() as connection:
            found = connection.execute(text(RIGHTS), asked).one()
            if not found.reads_alone or connection.info[MADE] >= began:
                return found
            connection.invalidate()


def _reason(database: PostgresDatabase, found: Row[Any]) -> str:
    if found.follows:
        return f"{database.name} follows another server; name the one that takes writes"
    if found.reads_alone:
        return (
            f"{database.name} opens each transaction for reading alone (default_transaction_read_only); ask its owner "
            "why, or name the server that takes writes"
        )
    if found.may_add is False:  # None: there is no table yet
        return f"the role {found.role!r} may write to no table of {database.name}; ask its owner to grant it"
    return ""
