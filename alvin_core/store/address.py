"""The address of a team's database, taken apart; no secret that is in one is ever shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = [
    "EXAMPLE",
    "Address",
    "is_address",
    "parse_address",
    "plain_address",
    "schema_of",
    "with_slashes",
    "without_password",
]

ARRAYS = "arrays"
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
DRIVER = "postgresql+psycopg"
DRIVERS = ("postgresql", "postgres", DRIVER)
SECRET = ("password", "sslpassword")  # among libpq's options
EXAMPLE = f"{DRIVER}://user@host:5432/database?arrays=/shared/folder"


@dataclass(frozen=True)
class Address:
    """A database's address, taken apart: how to reach it, and where it says that the arrays are."""

    url: URL
    arrays: str | None

    @property
    def plain(self) -> str:
        """The address without any secret."""
        return plain_address(self.url)

    @property
    def database(self) -> tuple[str, ...]:
        """Which database it is, by whatever user."""
        query = {name: str(self.url.query.get(name, "")) for name in ("host", "port", "service")}
        host, port = self.url.host or query["host"], str(self.url.port or query["port"] or 5432)
        return host.lower(), port, self.url.database or "", query["service"], schema_of(self.url)


def schema_of(url: URL) -> str:
    """Return the schema that a store's tables are in: several stores can share a database."""
    return str(url.query.get("schema") or "public")


def plain_address(url: URL) -> str:
    """Return an address without any secret."""
    kept = {name: value for name, value in url.query.items() if name not in SECRET}
    # `set` would take None for "as it is".
    return url._replace(password=None).set(query=kept).render_as_string(hide_password=False)


def is_address(store: Path | str) -> bool:
    """Return whether a store is named by an address and not by a folder.

    A path that was made of a database's address, which leaves it one slash, counts as well.
    """
    if isinstance(store, str):
        return SCHEME.match(store) is not None
    return str(store).startswith(tuple(f"{driver}:/" for driver in DRIVERS))


def without_password(store: Path | str) -> str:
    """Return how a store is named to people: an address without any secret, a folder as it is."""
    if not is_address(store):
        return str(store)
    try:
        return parse_address(with_slashes(str(store))).plain
    except StoreError:
        return f"{str(store).partition(':')[0]}://…"


def parse_address(text: str) -> Address:
    """Take an address apart.

    Raises
    ------
    StoreError
        When it cannot be read, or names another kind of database. The message holds no part of it that is secret.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    scheme = text.partition(":")[0]
    if scheme not in DRIVERS:
        raise StoreError(f"a store is a folder, or a PostgreSQL database such as '{EXAMPLE}'; {scheme!r} is neither")
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError, TypeError) as error:  # their messages may hold the password
        raise StoreError(
            f"this address of a database cannot be read; write it like '{EXAMPLE}', with signs such as @ : / in a "
            "password as %40 %3A %2F"
        ) from error.with_traceback(None)
    query = dict(url.query)
    for name in (ARRAYS, "schema", *SECRET):
        if isinstance(query.get(name, ""), tuple):
            raise StoreError(f"the address of the database has {name!r} twice; leave one out")
    password, arrays = query.pop("password", url.password), query.pop(ARRAYS, None)
    schema = query.get("schema")
    if schema is not None and not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", str(schema)):
        raise StoreError(f"schema = {schema!r} cannot be used; take small letters, digits and _, at most 63")
    url = url.set(drivername=DRIVER, password=None if password is None else str(password), query=query)
    return Address(url, None if arrays is None else _checked_arrays(str(arrays)))


def _checked_arrays(arrays: str) -> str:
    """Return where arrays are, a folder as an absolute path."""
    if "://" in arrays:
        from alvin_core.store.remote_url import check_arrays_url

        return check_arrays_url(arrays).rstrip("/")
    path = Path(arrays).expanduser()
    if not path.is_absolute():
        raise StoreError(f"arrays = {arrays!r} must be named from the root, such as /shared/folder, or be a URL")
    return str(path)


def with_slashes(text: str) -> str:
    """Return an address with the two slashes that a `Path` makes one."""
    return re.sub(r"^([A-Za-z0-9+.-]+):/(?!/)", r"\1://", text)
