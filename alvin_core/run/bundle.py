"""A run as one file: packed whole, and unpacked by somebody who trusts nothing in it."""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy.orm import Session

from alvin_core.errors import StoreError
from alvin_core.run.bundle_contents import Contents, read_contents
from alvin_core.run.bundle_reading import REMEDY, UNREADABLE, as_damage, open_members
from alvin_core.run.bundle_writing import take_snapshot, write_members
from alvin_core.run.creating import AlongWithRun
from alvin_core.run.handle import RunHandle
from alvin_core.run.run import Run
from alvin_core.run.slice_packing import add_packed_slices
from alvin_core.store.arrays import MAKE_ROOM, disk_reason, save_arrays, sweep, sync_folder
from alvin_core.store.database import Store, open_store
from alvin_core.store.datasets import save_dataset, send_ahead
from alvin_core.store.making import check_kept, making_run
from alvin_core.store.mirror import publish
from alvin_core.store.rounds import add_proposal
from alvin_core.store.runs import (
    STAGE,
    UNPACK_LOCK,
    check_name,
    free_name,
    refuse_taken,
)
from alvin_core.store.tables import AddedExampleRow, LabelRow, MarkRow, OpinionRow, RoundRow, RunRow

__all__ = ["pack_run", "unpack_along", "unpack_run"]

WAIT_SECONDS = 60  # for another that unpacks into the same store


def pack_run(store: Path | str, run: str, path: Path | str) -> Path:
    """Write a run as one file, whole or not at all: settings, rounds, labels, added examples, marks, arrays and data.

    The opinions that labels were made of and the slices of its data go with it. It is consistent while a round is
    trained in another process: a round that is not finished is not in it. Maps are left out, since they can be made
    again, and what annotators hold at the moment. What was written is read back and checked before it gets its name.

    Parameters
    ----------
    store : Path or str
    run : str
        Name, id, or the beginning of the id.
    path : Path or str
        A zip file; replaced when it is there.

    Returns
    -------
    Path

    Raises
    ------
    RunNotFoundError
        When there is no such run.
    StoreError
        When the file cannot be written, or the run in the store is damaged.
    """
    path = Path(path)
    if path.is_dir():
        raise StoreError(f"{path} is a folder; name a file to pack the run into, such as {path / 'run.zip'}")
    if not path.parent.is_dir():
        raise StoreError(f"cannot write {path}: there is no folder {path.parent}; make it first, or name another file")
    snapshot = take_snapshot(open_store(store), run)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("wb") as file:
            with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
                write_members(archive, snapshot)
            file.flush()
            os.fsync(file.fileno())
        _check_packed(temporary, snapshot.run.name)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"cannot pack the run {snapshot.run.name!r} into {path}: {disk_reason(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def unpack_run(store: Path | str, path: Path | str, *, name: str | None = None) -> Run:
    """Add a packed run to a store, under a new id. Nothing in the file is trusted; on any error nothing is added.

    Parameters
    ----------
    store : Path or str
        Made when missing.
    path : Path or str
        What `pack_run` wrote.
    name : str, optional
        The name that it was packed under by default, with a number where that is taken.

    Returns
    -------
    Run
        Its parent is kept where the store has it; where the run comes from, ``environment["unpacked"]`` tells.

    Raises
    ------
    StoreError
        When the file is not there, is damaged or was changed, or would unpack to more than is read or there is room
        for; when the name is bad or taken, or that of the slice that it selects from is another's in the store.
    StoreVersionError
        When a newer version packed it.
    """
    return unpack_along(store, path, name=name)


def unpack_along(
    store: Path | str, path: Path | str, *, name: str | None = None, along: AlongWithRun | None = None
) -> Run:
    """Add a packed run as `unpack_run` does, perhaps together with something else, both or neither."""
    path = Path(path)
    if name is not None:
        check_name(name)
    with open_members(path) as members:
        with as_damage(path):
            contents = read_contents(members)
        opened = open_store(store, create=True)
        with ExitStack() as held:
            with _stage(opened, members.n_bytes) as stage:
                if name is not None:
                    with opened.read() as session:
                        refuse_taken(session, name)
                folders = _stage_rounds(path, contents, stage)
                run_id = held.enter_context(making_run(opened, name or contents.run["name"], patient=True))
                if folders:
                    _give_name(stage, opened.run_folder(run_id))
            row = _add(opened, contents, run_id, folders, name, along)
    return Run(RunHandle(opened, row))


def _check_packed(path: Path, name: str) -> None:
    """Raise unless the file unpacks: a person may delete the run once it is packed."""
    try:
        with open_members(path) as members, as_damage(path):
            contents = read_contents(members)
            for round_no in range(len(contents.rounds)):
                contents.arrays(round_no)
    except StoreError as error:
        reason = str(error).removeprefix(UNREADABLE).removesuffix(REMEDY)
        raise StoreError(f"the run {name!r} cannot be packed, it is damaged in the store: {reason}") from error


@contextmanager
def _stage(store: Store, n_bytes: int) -> Iterator[Path]:
    """Yield a folder, not made yet, for a run that is not in the store yet; what is left of it goes at the end."""
    runs = store.path / "runs"
    free = shutil.disk_usage(runs).free
    if n_bytes > free:
        raise StoreError(f"the packed run takes {n_bytes:,} bytes, and {free:,} are free at {store.path}; {MAKE_ROOM}")
    subject = f"unpacking into the store {store.path}"
    with store.database.lock(Path(UNPACK_LOCK).stem, subject=subject, wait_seconds=WAIT_SECONDS):
        sweep(runs, keep=(), ours=STAGE)  # of a process that was killed: the lock tells that none is at work
        stage = runs / f"unpack-{secrets.token_hex(4)}"
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _stage_rounds(path: Path, contents: Contents, stage: Path) -> list[str]:
    """Write each round's arrays anew, as this version writes them, and return the names of their folders."""
    folders: list[str] = []
    for round_no in range(len(contents.rounds)):
        with as_damage(path):
            packed, mapped = contents.arrays(round_no)
        twin = stage / folders[-1] if folders else None
        folders.append(f"round-{round_no:04d}-{secrets.token_hex(4)}")
        save_arrays(stage / folders[-1], packed, mapped=mapped, twin=twin)
    return folders


def _add(
    store: Store, contents: Contents, run_id: str, folders: list[str], name: str | None, along: AlongWithRun | None
) -> RunRow:
    """Make the run exist: data set and arrays first, then, in one transaction, all that names them."""
    send_ahead(store, contents.dataset)
    if folders:
        publish(store.run_folder(run_id))
    with store.lock(patient=True):  # all is unpacked, and may have taken minutes
        save_dataset(store.path, contents.dataset)
        check_kept(store, run_id, folders)
        with store.write() as session:
            row = _add_rows(session, contents, run_id, folders, name)
            if along is not None:
                along(session, row)
            return row


def _give_name(stage: Path, folder: Path) -> None:
    try:
        stage.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise StoreError(f"could not write {folder}: {disk_reason(error)}") from error


def _add_rows(session: Session, contents: Contents, run_id: str, folders: list[str], name: str | None) -> RunRow:
    packed = contents.run
    origin = {key: packed[key] for key in ("id", "name", "parent_id", "parent_round")}
    known_parent = packed["parent_id"] is not None and session.get(RunRow, packed["parent_id"]) is not None
    values = packed | {
        "id": run_id,
        "name": free_name(session, packed["name"]) if name is None else refuse_taken(session, name),
        "environment": packed["environment"] | {"unpacked": origin},
        "parent_id": packed["parent_id"] if known_parent else None,
        "parent_round": packed["parent_round"] if known_parent else None,
    }
    row = RunRow(**values)
    session.add(row)
    session.flush()  # the run before what refers to it
    rounds = zip(contents.rounds, folders, strict=True)
    session.add_all(RoundRow(run_id=run_id, folder=folder, **one) for one, folder in rounds)
    add_packed_slices(session, packed["dataset"], contents.slices, contents.named_slices)
    session.add_all(AddedExampleRow(run_id=run_id, **one) for one in contents.added)
    session.add_all(LabelRow(run_id=run_id, **one) for one in contents.labels)
    session.add_all(OpinionRow(run_id=run_id, **one) for one in contents.opinions)
    session.add_all(MarkRow(run_id=run_id, **one) for one in contents.marks)
    for round_no, proposed in contents.proposals.items():
        add_proposal(session, run_id, round_no, proposed)
    return row
