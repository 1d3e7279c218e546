"""A fork: a new run with another's past."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from alvin_core.errors import SettingsError, StoreError
from alvin_core.round_inputs import check_data
from alvin_core.run.desk import Desk, draw_wanted, read_desk
from alvin_core.run.environment import describe_environment
from alvin_core.run.handle import RunHandle
from alvin_core.run.slice_lookup import check_named_slice
from alvin_core.settings import RunSettings
from alvin_core.store.added import copy_added, count_added
from alvin_core.store.labels import label_events, now
from alvin_core.store.linking import link_folder
from alvin_core.store.making import check_kept, making_run
from alvin_core.store.marks import copy_marks
from alvin_core.store.opinions import copy_opinions
from alvin_core.store.rounds import add_proposal, find_round, list_rounds, proposal
from alvin_core.store.runs import check_name, free_name, refuse_taken
from alvin_core.store.tables import INITIAL_PROPOSAL, RunRow, Table
from alvin_core.strategies import check_strategy

__all__ = ["fork_run"]

# The labels that a fork shares were given under these.
FIXED = ("initial", "annotator")


def fork_run(parent: RunHandle, at: int, changes: Mapping[str, object], name: str | None) -> RunHandle:
    """Make a run that shares another's past; see `Run.fork`."""
    fixed = [setting for setting in FIXED if setting in changes]
    if fixed:
        raise SettingsError(f"{fixed[0]!r} cannot change in a fork, which shares its parent's labels; make a new run")
    settings = parent.settings.with_values(changes)
    check_strategy(settings)
    check_data(parent.dataset, settings)
    if name is not None:
        check_name(name)
    store = parent.store
    with store.read() as session:
        folders = _shared_folders(session, parent, at, settings)
        if name is not None:
            refuse_taken(session, name)  # before anything is copied, which may take long
    # Others go on meanwhile, and may delete the parent or train a lost round of it again: so it is looked at twice.
    with making_run(store, name or parent.row.name) as child_id:
        _link_rounds(parent, child_id, folders, at, settings)
        with store.lock(patient=True):  # the copies are made, and may have taken minutes
            check_kept(store, child_id, folders)
            with store.write() as session:
                _refuse_changed(session, parent, folders, at, settings)
                child = _add_child(session, parent, child_id, at, settings, name)
                _copy_past(session, parent, child, at)
    return RunHandle(store, child)


def _shared_folders(session: Session, parent: RunHandle, at: int, settings: RunSettings) -> list[str]:
    """Return the folders of the rounds that a fork shares, once it is sure that it may."""
    parent.check_exists(session)
    check_named_slice(session, parent.row.dataset, settings)
    rounds = list_rounds(session, parent.row.id)
    if at == len(rounds):
        _check_sharing(read_desk(session, parent), settings, parent.row.name)
    if not 0 <= at <= len(rounds):
        raise StoreError(f"the run {parent.row.name!r} cannot be forked at round {at}; from 0 to {len(rounds)} it can")
    return [one.folder for one in rounds[:at]]


def _link_rounds(parent: RunHandle, child_id: str, folders: list[str], at: int, settings: RunSettings) -> None:
    target = parent.store.run_folder(child_id)
    try:
        for folder in folders:
            link_folder(parent.folder / folder, target / folder)
    except StoreError:
        with parent.store.read() as session:  # which tells better what is wrong, where the arrays went meanwhile
            _refuse_changed(session, parent, folders, at, settings)
        raise


def _refuse_changed(session: Session, parent: RunHandle, folders: list[str], at: int, settings: RunSettings) -> None:
    """Raise where the rounds that were copied are no longer those of the parent, or a fork may no longer be."""
    if _shared_folders(session, parent, at, settings) != folders:
        raise StoreError(f"the run {parent.row.name!r} was mended while it was forked; nothing was made: try again")


def _check_sharing(desk: Desk, settings: RunSettings, name: str) -> None:
    """Raise when a fork would ask another number of people for examples of which some of them are done."""
    n_begun = len(desk.undecided)
    if n_begun and draw_wanted(settings, desk.round_no, desk.proposed) != desk.wanted:
        have = "example has" if n_begun == 1 else "examples have"
        raise SettingsError(
            f"{n_begun} proposed {have} some of the opinions asked for, and the fork would ask another number of "
            f"people; annotate what is pending in the run {name!r} first, or fork it at an earlier round"
        )


def _add_child(
    session: Session, parent: RunHandle, child_id: str, at: int, settings: RunSettings, name: str | None
) -> RunRow:
    default = f"{parent.row.name}-at{at}-{settings.strategy}"
    child = RunRow(
        id=child_id,
        name=free_name(session, default) if name is None else refuse_taken(session, name),
        settings=settings.to_dict(),
        annotator=parent.row.annotator,
        dataset=parent.row.dataset,
        source=parent.row.source,
        environment=describe_environment(),
        parent_id=parent.row.id,
        parent_round=at,
        created_at=now(),
    )
    session.add(child)
    session.flush()  # the run before what refers to it
    return child


def _copy_past(session: Session, parent: RunHandle, child: RunRow, at: int) -> None:
    """Copy rounds before ``at``, their proposals, and the label events that round ``at`` had read, or has now.

    So the opinions that these labels were made of, and those given since where no round has replaced the proposal.
    The examples that people had added by then come along. So do flags and notes, as they are now, since they tell of
    examples and not of rounds.
    """
    replaced = find_round(session, parent.row.id, at)
    up_to = None if replaced is None else replaced.last_seq
    events = label_events(session, parent.row.id, up_to=up_to)
    rounds = [one for one in list_rounds(session, parent.row.id) if one.round_no < at]
    session.add_all(_copy(row, child.id) for row in (*events, *rounds))
    for round_no in range(INITIAL_PROPOSAL, at):
        add_proposal(session, child.id, round_no, proposal(session, parent.row.id, round_no))
    copy_opinions(session, parent.row.id, child.id, at, up_to)
    later = copy_added(session, parent.row.id, child.id, count_added(session, parent.row.id, up_to))
    copy_marks(session, parent.row.id, child.id, without=later)


def _copy(row: Table, run_id: str) -> Table:
    values = {attribute.key: getattr(row, attribute.key) for attribute in inspect(type(row)).column_attrs}
    return type(row)(**{**values, "run_id": run_id})
