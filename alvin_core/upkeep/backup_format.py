"""A backup: one tar of a store's tables as JSON Lines, its files as they are, and at its end a manifest of them all.

::

    tables/<table>.jsonl            every row, as the columns' names and values
    runs/<id>/<round>/<file>        arrays and maps
    datasets/<digest>.npz
    cache/<key>/<file>              encodings, where they were asked for
    backup.json                     format, versions, and size and SHA-256 of every other member

It names no database: a backup of one kind of store can be restored as another kind.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

from sqlalchemy import JSON, Column, LargeBinary
from sqlalchemy import Table as SqlTable

from alvin_core.errors import StoreError
from alvin_core.shown import shown
from alvin_core.store.rounds import ROUND_FOLDER
from alvin_core.store.sweeping_elsewhere import RUN_ID
from alvin_core.store.tables import LeaseRow, MetaRow, Table

__all__ = [
    "ENDINGS",
    "FORMAT",
    "FORMAT_VERSION",
    "MANIFEST",
    "MEMBER",
    "PIECE",
    "TABLES",
    "damaged",
    "row_of",
    "rows_in",
    "table_member",
    "tar_mode",
]

FORMAT, FORMAT_VERSION = "alvin-store", 1
MANIFEST = "backup.json"
ENDINGS: dict[str, Literal["w", "w:gz"]] = {
    ".tar": "w",
    ".tar.gz": "w:gz",
    ".tgz": "w:gz",
}  # and how tarfile is to write
PIECE = 2**20
HIGHEST = 2**53  # of whole numbers: those that databases count with are far below
LONGEST_ROW = 2**28  # bytes; a slice of a billion examples is 2 ** 27
PACKED = re.compile(r"(?<=.)(\.tar)?\.(zip|7z|rar|gz|bz2|xz|zst)$", re.IGNORECASE)
# In an order in which every row comes after what it refers to. What `meta` says is the restoring program's to say, and
# what somebody holds for minutes has ended when a backup is restored.
LEFT_OUT = (MetaRow.__tablename__, LeaseRow.__tablename__)
TABLES = tuple(one for one in Table.metadata.sorted_tables if one.name not in LEFT_OUT)
# What a store makes paths or names of files of: with anything else there, deleting a run would delete elsewhere.
DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FORMS = {
    "runs": {"id": RUN_ID, "name": NAME, "dataset": DIGEST},
    "rounds": {"folder": ROUND_FOLDER},
    "comparisons": {"id": RUN_ID, "name": NAME, "dataset": DIGEST},
    "slices": {"dataset": DIGEST, "name": NAME},
}
MEMBER = re.compile(
    r"tables/[a-z_]{1,40}\.jsonl|backup\.json|datasets/[0-9a-f]{64}\.npz"
    r"|runs/[0-9a-f]{8}/round-\d{4,9}-[0-9a-f]{8}/\w[\w.-]{0,99}|cache/[0-9a-f]{64}/\w[\w.-]{0,99}",
    re.ASCII,
)


def tar_mode(file: Path) -> Literal["w", "w:gz"]:
    """Return how a backup of this name is written, for `tarfile.open`.

    Raises
    ------
    StoreError
        When the name promises something else than a tar.
    """
    for ending, mode in ENDINGS.items():
        if file.name.lower().endswith(ending):
            return mode
    better = file.with_name(PACKED.sub("", file.name) + ".tar")
    raise StoreError(f"{file} is no name for a backup, which is a tar: name it {better}, or {better}.gz to compress it")


def table_member(table: SqlTable) -> str:
    """Return the name of the member that has a table's rows."""
    return f"tables/{table.name}.jsonl"


def row_of(values: Mapping[str, Any]) -> bytes:
    """Return a row as a line of JSON, bytes in base64."""
    plain = {
        name: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for name, value in values.items()
    }
    return json.dumps(plain, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def rows_in(stream: IO[bytes], table: SqlTable) -> Iterator[dict[str, Any]]:
    """Yield the rows of a member.

    Raises
    ------
    StoreError
        When a line is none.
    """
    columns: dict[str, Column[Any]] = {one.name: one for one in table.columns}
    number = 0
    while line := stream.readline(LONGEST_ROW):
        number += 1
        try:
            values = _values(json.loads(line), columns)
            _check_forms(values, FORMS.get(table.name, {}))
            yield values
        except (ValueError, TypeError, KeyError, binascii.Error, RecursionError) as error:
            raise damaged(f"{table_member(table)}, line {number}", str(error)) from error


def _values(row: Any, columns: Mapping[str, Column[Any]]) -> dict[str, Any]:
    if not isinstance(row, dict) or not row.keys() <= columns.keys():
        raise ValueError("it is no row of this table")
    if lacking := [name for name, column in columns.items() if column.primary_key and row.get(name) is None]:
        raise ValueError(f"it has no {lacking[0]}")
    values = {
        name: base64.b64decode(value, validate=True)
        if isinstance(columns[name].type, LargeBinary) and value is not None
        else value
        for name, value in row.items()
    }
    if wrong := [name for name, value in values.items() if not _fits(value, columns[name])]:
        raise ValueError(f"{wrong[0]} = {shown(row[wrong[0]])} is of another type than the column")
    return values


def _fits(value: Any, column: Column[Any]) -> bool:
    """Tell whether a value is of a column's type: SQLite would take any, and what reads it later would not."""
    if value is None:
        return bool(column.nullable) or isinstance(column.type, JSON)
    if isinstance(column.type, JSON):
        return True
    kind = column.type.python_type
    if kind is float:
        return type(value) in (int, float)
    return type(value) is kind and (kind is not int or abs(value) < HIGHEST)


def _check_forms(values: Mapping[str, Any], forms: Mapping[str, re.Pattern[str]]) -> None:
    for name, form in forms.items():
        value = values.get(name)
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ValueError(f"{name} = {str(value)[:40]!r} is none that a store has")


def damaged(where: str, what: str) -> StoreError:
    """Make the error of a backup that is not as it was written."""
    return StoreError(f"the backup cannot be read: {where}: {what}; take another copy of it")
