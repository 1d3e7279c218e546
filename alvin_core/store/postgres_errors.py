"""What a PostgreSQL server complains about, in one line with what to do. No secret is in any of them."""

from __future__ import annotations

import re

from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from alvin_core.errors import StoreError
from alvin_core.store.sqlite import BUSY_SECONDS

__all__ = ["explain_postgres", "refuse_server"]

OLDEST_SERVER = 13
ENCODING = "UTF8"
SHOWN = 60  # characters of a text that cannot be stored

# By the class or the code of an error (SQLSTATE), the longer one first: what is so, and what to do.
CODES = {
    "25006": "may only be read, as a copy of another server is, or by its default_transaction_read_only; name the "
    "server that takes writes, or ask its owner why",
    "25P03": "waited over a minute for this process in the middle of writing, and gave up; nothing of it is stored: "
    "try again",
    "28": "lets nobody in by this name and password; see ~/.pgpass, PGPASSWORD and PGUSER",
    "3D000": "does not exist; make it with `createdb`, or name another",
    "40": "had another transaction in the way, and nothing of this one is stored; try again",
    "42501": "does not give you the right to that ({reason}); ask its owner to grant it, see docs/teams.md",
    "42": "has not the tables of a store, or they are another program's ({reason}); name another, or a ?schema= of it",
    "3F000": "has no such schema ({reason}); name another with ?schema=",
    "53100": "has no room: the server's disk is full; nothing of this is stored: make room there, and try again",
    "53200": "has no memory left on its server; nothing of this is stored: try again",
    "53300": "has no connection left; close some, or raise max_connections on the server",
    "55P03": f"was in use by another process for {BUSY_SECONDS} s; try again",
    "57014": "was told to stop this ({reason}); nothing of it is stored: try again, or raise statement_timeout",
    "57P03": "is starting or stopping; try again in a moment",
    "57P": "lost its server while it was used; nothing of this is stored: try again once the server is up",
    "08": "lost its server while it was used; nothing of this is stored: try again",
    "XX001": "is damaged on its server ({reason}); restore the store from a backup",
    "XX002": "has a damaged index on its server ({reason}); rebuild it with `alvin verify --repair`",
}
# By what the client library says when there is no connection, and so no code.
WORDS = (
    ("no password supplied", "needs a password; put it into ~/.pgpass or PGPASSWORD"),
    ("password authentication failed", CODES["28"]),
    ("pg_hba.conf", "lets nobody in from this machine, or not by this name; ask for a line in its pg_hba.conf"),
    ("does not exist", "cannot be opened ({reason}); make it, or name another"),
    ("permission denied", CODES["42501"]),
    ("too many", CODES["53300"]),
    ("remaining connection slots", CODES["53300"]),
    ("starting up", CODES["57P03"]),
    ("shutting down", CODES["57P03"]),
    ("SSL", "cannot be reached by an encrypted connection ({reason}); see sslmode and sslrootcert of libpq"),
    ("certificate", "cannot be trusted ({reason}); see sslrootcert of libpq"),
    ("resolve host", "cannot be reached: nobody knows that host; mend the address"),
    ("could not translate host", "cannot be reached: nobody knows that host; mend the address"),
    ("refused", "cannot be reached: nothing answers there; see that the server runs and takes connections from here"),
    ("No such file", "cannot be reached: no server listens at that socket; see that it runs, or name a host"),
    ("timeout", "cannot be reached: no answer in time; see that the server runs and no firewall is between"),
    ("unreachable", "cannot be reached ({reason}); see the network"),
    ("invalid connection option", "has an address with an {reason}; libpq's options are meant"),
    ('missing "="', "has an address that cannot be read; mend it"),
)
UNKNOWN = "lost its server at the very end: whether the last change is stored is not known; look before you repeat it"
LOST = "lost its server while it was used; nothing of this is stored: try again"


def explain_postgres(name: str, error: Exception) -> str:
    """Say in one line what is wrong, and what to do.

    Parameters
    ----------
    name : str
        How the database is called: ``"the database postgresql://…"``.
    error : Exception
        Of SQLAlchemy, or of psycopg itself.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(original, "sqlstate", None) or ""
    reason = _first_line(original)
    if isinstance(error, NoSuchModuleError):
        return f"{name} needs a driver that is not here; write postgresql+psycopg://"
    refused = _refused_value(error, reason, code)
    if refused:
        return f"{name} cannot hold {refused}"
    if isinstance(error, DBAPIError) and error.connection_invalidated and error.statement is None:
        return f"{name} {UNKNOWN}"
    for length in (5, 3, 2):
        if code[:length] in CODES and len(code) >= length:
            return f"{name} {CODES[code[:length]].format(reason=reason)}"
    if not code:
        for words, what in WORDS:
            if words in str(original):
                return f"{name} {what.format(reason=reason)}"
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return f"{name} {LOST}"
    return f"{name} cannot be used: {reason}"


def refuse_server(address: str, version: int, encoding: str) -> None:
    """Raise where a server is too old, or a database cannot hold every text.

    Raises
    ------
    StoreError
    """
    if version < OLDEST_SERVER * 10_000:
        found = f"{version // 10_000}.{version % 10_000 // 100 if version < 100_000 else version % 10_000}"
        raise StoreError(
            f"the server of {address} is PostgreSQL {found}; {OLDEST_SERVER} or newer is needed: upgrade it"
        )
    if encoding != ENCODING:
        raise StoreError(
            f"the database {address} has the encoding {encoding}, which not every text has; make one with "
            f"`createdb --encoding={ENCODING} --template=template0 NAME`"
        )


def _refused_value(error: Exception, reason: str, code: str) -> str:
    """Say which value a database refuses to hold; empty where it is not that."""
    if "NUL (0x00)" in reason or code in ("22021", "22P05"):
        found = next((one for one in _texts(getattr(error, "params", None)) if "\0" in one), "")
        which = f" {found[:SHOWN]!r}" if found else ""
        return f"the text{which} with the character NUL (U+0000); take it out"
    if code == "22001":
        return f"a text of that length ({reason}); shorten it"
    if code == "22003":
        return f"a number of that size ({reason})"
    return ""


def _texts(params: object) -> list[str]:
    if isinstance(params, str):
        return [params]
    values = params.values() if isinstance(params, dict) else params if isinstance(params, list | tuple) else ()
    return [text for one in values for text in _texts(one)]


def _first_line(error: BaseException) -> str:
    """Return what the server says, without where and how it was reached."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return re.split(r"FATAL:|ERROR:|connection to server .*? failed:", lines[0])[-1].strip()
