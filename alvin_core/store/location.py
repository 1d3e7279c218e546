"""Where a store is: a folder, or the address of a team's database, which leads to one.

A folder with a ``store.json`` is a store whose tables are in a PostgreSQL database; its arrays are in the folder, or,
where the file names another place for them, the folder is this machine's copy. ::

    {"database": "postgresql+psycopg://user@host:5432/name", "arrays": null, "id": "…"}

A password is never written there. libpq finds it (PGPASSWORD, ~/.pgpass, a service), or it is in the address that this
process was given; processes that it starts have it from an environment variable.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.errors import StoreError
from alvin_core.store.address import EXAMPLE, Address, is_address, parse_address, with_slashes

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["ARRAYS", "SERVER", "SIGN", "STORE_ID", "Place", "database_url", "has_store", "read_place", "store_folder"]

SIGN = "store.json"
LOCAL = "alvin.db"  # the database of a store that is a folder alone
STORE_ID, ARRAYS, SERVER = "store_id", "arrays", "server"  # keys of the table of facts


@dataclass(frozen=True)
class Place:
    """What a folder says of the store that it belongs to.

    Attributes
    ----------
    database : str or None
        Address of the database, without a password; None where it is a file of the folder.
    arrays : str or None
        Where arrays are kept, as an fsspec URL; None where it is this folder.
    id : str
        Of the store; its database says the same.
    """

    database: str | None
    arrays: str | None
    id: str


def store_folder(store: Path | str) -> Path:
    """Return the folder of a store: a path made absolute, or the folder that a database's address leads to.

    Parameters
    ----------
    store : Path or str
        A folder, or an address such as ``postgresql+psycopg://user@host:5432/name?arrays=/shared/folder``. ``arrays``
        names a folder that everybody can reach, or an fsspec URL; the database keeps it, so that it is asked for once.

    Raises
    ------
    StoreError
        When the address cannot be read, the database not be reached, or the folder is another store's.
    """
    if not is_address(store):
        try:
            return Path(store).expanduser().absolute()
        except RuntimeError as error:
            raise StoreError(f"the store {store} cannot be found: {error}; name another folder") from error
    text = with_slashes(str(store))
    if text not in _known or not (_known[text] / SIGN).exists():
        _known[text] = _resolve(parse_address(text))
    return _known[text]


_known: dict[str, Path] = {}  # by address, of this process


def has_store(store: Path | str) -> bool:
    """Return whether a store was ever made there: tables of this program, in the folder or in its database.

    Raises
    ------
    StoreError
        When its database cannot be reached.
    """
    folder = store_folder(store)
    place = read_place(folder)
    if place is None or place.database is None:
        return (folder / LOCAL).exists()
    if str(folder) in _made:
        return True
    from alvin_core.store.postgres import stored_facts

    if "schema_version" not in (stored_facts(database_url(folder, place)) or {}):
        return False
    _made.add(str(folder))
    return True


_made: set[str] = set()  # folders whose stores were there when this process looked


def read_place(folder: Path) -> Place | None:
    """Return what a folder says of its store; None where it says nothing: it is a store of its own, or none.

    Raises
    ------
    StoreError
        When the folder's ``store.json`` cannot be read.
    """
    try:
        values = json.loads((folder / SIGN).read_text(encoding="utf-8"))
        place = Place(values["database"], values.get("arrays"), str(values.get("id", "")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"cannot read {folder / SIGN}: {error.strerror}; ask whose folder it is") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{folder / SIGN} is damaged; name the store by its database: --store '{EXAMPLE}'") from error
    if not isinstance(place.arrays, str | None) or not isinstance(place.database, str | None):
        raise StoreError(f"{folder / SIGN} is damaged; name the store by its database: --store '{EXAMPLE}'")
    return place


def database_url(folder: Path, place: Place) -> URL:
    """Return how this process reaches the database of a folder: as it was told itself, or as the folder says."""
    return parse_address(os.environ.get(_variable(folder)) or place.database or "").url


def _resolve(address: Address) -> Path:
    """Find the folder of a database, and tie the two together where neither has another."""
    from alvin_core.store.postgres import stored_facts

    facts = stored_facts(address.url) or {}
    arrays = _arrays_of(address, facts.get(ARRAYS))
    is_mirror = "://" in arrays
    folder = _mirror(address) if is_mirror else Path(arrays)
    if not folder.is_dir():
        raise StoreError(
            f"the arrays of the store {address.plain} belong into {folder}, which is not there: make that folder or "
            "mount it, where all who use the store can write; or name where it is on this machine with ?arrays=FOLDER"
        )
    os.environ[_variable(folder)] = address.url.render_as_string(hide_password=False)
    _tie(folder, address, facts.get(STORE_ID), arrays if is_mirror else None)
    return folder


def _arrays_of(address: Address, stored: str | None) -> str:
    if address.arrays is None and stored is None:
        raise StoreError(
            f"the store {address.plain} does not know yet where its arrays are; name a folder that all who use it can "
            "write to, or an fsspec URL: ?arrays=/shared/folder"
        )
    if address.arrays is None or stored is None:
        return address.arrays or stored or ""
    # A shared folder may be mounted elsewhere on another machine; its sign tells whether it is the one.
    if "://" in stored + address.arrays and stored != address.arrays:
        raise StoreError(f"the arrays of the store {address.plain} are in {stored}; leave out ?arrays={address.arrays}")
    return address.arrays


def _mirror(address: Address) -> Path:
    """Return the folder where this machine keeps copies of arrays that are kept elsewhere; made when missing."""
    base = os.environ.get("ALVIN_MIRRORS")
    home = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "alvin-studio" / "stores"
    folder = home.expanduser().absolute() / hashlib.sha256(repr(address.database).encode()).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {folder} for copies of arrays: {error.strerror}; set $ALVIN_MIRRORS") from error
    return folder


def _tie(folder: Path, address: Address, store_id: str | None, arrays: str | None) -> None:
    """See to it that the folder is of this database and of no other."""
    place = read_place(folder)
    if place is None:
        if (folder / LOCAL).exists():
            raise StoreError(f"{folder} is a store of its own; name an empty folder with ?arrays=")
        if store_id is not None and arrays is None:
            raise StoreError(
                f"{folder} is not the folder of the store {address.plain}: it has no {SIGN}. Is the share mounted? "
                "Name the right one with ?arrays=FOLDER"
            )
        place = _sign(folder, Place(address.plain, arrays, store_id or secrets.token_hex(8)))
    is_ours = place.id == store_id and place.database is not None
    if store_id is None and place.database is not None:
        is_ours = parse_address(place.database).database == address.database
    elif (
        arrays is not None and store_id is not None and not is_ours
    ):  # copies alone: another machine was quicker to make the store
        _replace_sign(folder, Place(address.plain, arrays, store_id))
        is_ours = True
    if not is_ours:
        raise StoreError(
            f"{folder} belongs to the store {place.database or folder}; name another folder with ?arrays=, one for each"
        )


def _sign(folder: Path, place: Place) -> Place:
    """Write what a folder says, unless another process was quicker; return what it says now."""
    part = _written(folder, place)
    try:
        os.link(part, folder / SIGN)
    except FileExistsError:
        pass
    except OSError:  # a drive without second names
        with suppress(FileExistsError), (folder / SIGN).open("x", encoding="utf-8") as file:
            file.write(part.read_text(encoding="utf-8"))
    finally:
        part.unlink(missing_ok=True)
    found = read_place(folder)
    assert found is not None
    return found


def _replace_sign(folder: Path, place: Place) -> None:
    _written(folder, place).replace(folder / SIGN)


def _written(folder: Path, place: Place) -> Path:
    part = folder / f".{SIGN}.{secrets.token_hex(4)}.part"
    try:
        with part.open("x", encoding="utf-8") as file:
            json.dump(asdict(place), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}; ask for the right to, or name another"
        ) from error
    return part


def _variable(folder: Path) -> str:
    """Return the environment variable that holds this process's own address of a folder's database."""
    return f"ALVIN_DATABASE_{hashlib.sha256(str(folder).encode()).hexdigest()[:16].upper()}"
