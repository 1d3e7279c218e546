"""Writing a packed run: its records in one view, its files as they are, and a manifest of what was written."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alvin_core.errors import StoreError
from alvin_core.run.archive import VECTORS
from alvin_core.run.bundle_added import ADDED_FIELDS
from alvin_core.run.bundle_opinions import OPINION_FIELDS
from alvin_core.run.bundle_reading import (
    ADDED,
    DATASET,
    FORMAT,
    LABELS,
    MANIFEST,
    MARKS,
    OPINIONS,
    OPTIONAL,
    PLAIN_VERSION,
    PROPOSALS,
    ROUNDS,
    RUN,
    SLICES,
    array_member,
)
from alvin_core.run.bundle_records import LABEL_FIELDS, MARK_FIELDS, ROUND_FIELDS, RUN_FIELDS, Record
from alvin_core.run.slice_packing import slice_records
from alvin_core.store.added import added_rows
from alvin_core.store.arrays import PACKED
from alvin_core.store.database import Store
from alvin_core.store.datasets import dataset_path
from alvin_core.store.labels import label_events, now
from alvin_core.store.marks import mark_events
from alvin_core.store.mirror import fetch_missing
from alvin_core.store.opinions import opinion_events
from alvin_core.store.rounds import list_rounds, proposal
from alvin_core.store.runs import find_run
from alvin_core.store.tables import INITIAL_PROPOSAL, RunRow, Table

__all__ = ["Snapshot", "take_snapshot", "write_members"]

PIECE = 2**20
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a zip's oldest time, so that equal contents make equal bytes


@dataclass(frozen=True)
class Snapshot:
    """A run's records, read in one transaction, and the files that they name."""

    run: RunRow
    documents: dict[str, list[Record]]  # member -> its records, one a line
    files: dict[str, Path]  # member -> the file that is copied into it


def take_snapshot(store: Store, run: str) -> Snapshot:
    """Read a run's records; of what is written meanwhile, nothing is in it.

    Raises
    ------
    RunNotFoundError
        When there is no such run.
    StoreError
        When a file of it is missing.
    """
    with store.read() as session:
        row = find_run(session, run)
        rounds = list_rounds(session, row.id)
        proposals = [
            {"round_no": round_no, "rank": rank, "example_id": example_id}
            for round_no in range(INITIAL_PROPOSAL, len(rounds))
            for rank, example_id in enumerate(proposal(session, row.id, round_no))
        ]
        labels = [_record(one, LABEL_FIELDS) for one in label_events(session, row.id)]
        marks = [_record(one, MARK_FIELDS) for one in mark_events(session, row.id)]
        added = [_record(one, ADDED_FIELDS) for one in added_rows(session, row.id)]
        slices = slice_records(session, row.dataset)
        opinions = [_record(one, OPINION_FIELDS) for one in opinion_events(session, row.id)]
    files, records = {DATASET: dataset_path(store.path, row.dataset)}, []
    fetch_missing(files[DATASET])
    for one in rounds:
        folder = store.run_folder(row.id) / one.folder
        named = {}
        for kind, file_name in (("arrays", PACKED), ("vectors", f"{VECTORS}.npy")):
            named[kind] = _sha256_of(folder / file_name)
            # Of the same content there is one: a frozen encoder's vectors are those of every round.
            files[array_member(named[kind], file_name[-3:])] = folder / file_name
        records.append(_record(one, ROUND_FIELDS) | named)
    documents = {RUN: [_record(row, RUN_FIELDS)], ROUNDS: records, PROPOSALS: proposals, LABELS: labels, MARKS: marks}
    optional = {ADDED: added, SLICES: slices, OPINIONS: opinions}
    return Snapshot(row, documents | {name: found for name, found in optional.items() if found}, files)


def _record(row: Table, fields: Iterable[str]) -> Record:
    return {name: getattr(row, name) for name in fields}


def _sha256_of(path: Path) -> str:
    fetch_missing(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; the run is damaged, or was just deleted") from error


def write_members(archive: zipfile.ZipFile, snapshot: Snapshot) -> None:
    """Write a run's members, and the manifest of them."""
    members = {}
    for name, records in snapshot.documents.items():
        members[name] = _write(archive, name, map(_line, records))
    for name, file in snapshot.files.items():
        members[name] = _write(archive, name, _pieces(file))
    manifest = {
        "format": FORMAT,
        "version": max((OPTIONAL.get(name, PLAIN_VERSION) for name in snapshot.documents), default=PLAIN_VERSION),
        "packed_by": f"alvin-studio {version('alvin-studio')}",
        "packed_at": now(),
        "members": members,
    }
    _write(archive, MANIFEST, [_line(manifest)])


def _write(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
    """Write one member and return its size and hash."""
    info = zipfile.ZipInfo(name, LONG_AGO)
    info.external_attr = 0o644 << 16
    # Vectors are noise to a compressor.
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".npy") else zipfile.ZIP_DEFLATED
    sha, n_bytes = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as member:
        for piece in pieces:
            member.write(piece)
            sha.update(piece)
            n_bytes += len(piece)
    return {"bytes": n_bytes, "sha256": sha.hexdigest()}


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
