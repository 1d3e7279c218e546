"""A run that is not in the database yet, while its arrays are written and sent: nobody sweeps them.

To copy arrays and to send them elsewhere can take hours, for which nobody should wait. So the store is locked for a
moment at the beginning and at the end alone; between them the lock of the run that is to be tells everybody who sweeps
that its maker is alive. What a maker that was killed leaves goes with the next sweep, as its lock went with it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from alvin_core.errors import AlvinError, StoreError
from alvin_core.store.arrays import PACKED
from alvin_core.store.database import Store
from alvin_core.store.mirror import mirror_at
from alvin_core.store.runs import new_run_id, sweep_store

__all__ = ["check_kept", "making_run"]

log = logging.getLogger(__name__)


@contextmanager
def making_run(store: Store, name: str, *, patient: bool = False) -> Iterator[str]:
    """Lend the id of a run that is to be, and keep what is written under it from being swept until the block ends.

    The store is swept first. The row that makes the run exist is to be written in the block, while the store is locked
    again, and after `check_kept`: whoever sweeps holds that lock, and sees either the row or the run's lock.

    Parameters
    ----------
    store : Store
    name : str
        Of the run, for messages.
    patient : bool
        Wait long for the store, as what is to be the run took long already.

    Raises
    ------
    StoreError
        When the store cannot be used.
    """
    try:
        with ExitStack() as held:
            with store.lock(patient=patient):  # so that nobody sweeps between the id and its lock
                sweep_store(store)
                run_id = new_run_id()
                held.enter_context(store.run_lock(run_id, name))
            yield run_id
    except BaseException:
        _sweep_again(store)
        raise


def _sweep_again(store: Store) -> None:
    """Remove what a run that came to nothing left, unless others are busy: then they, or whoever is next, do.

    Under a lock that is taken anew: where the server was lost in mid-commit the run may exist, and until that is
    settled there the locks are still held.
    """
    try:
        with store.database.lock("store", subject=f"the store {store.path}"):
            sweep_store(store)
    except AlvinError as error:
        log.info("what is left over is removed later: %s", error)


def check_kept(store: Store, run_id: str, folders: Iterable[str]) -> None:
    """See that the rounds of a run that is to be are where arrays are kept. The caller holds the store's lock.

    Raises
    ------
    StoreError
        When one was removed meanwhile, or that place cannot be reached.
    """
    folder, mirror = store.run_folder(run_id), mirror_at(store.path)
    found = {path.name for path in folder.iterdir()} if mirror is None and folder.is_dir() else set[str]()
    if mirror is not None:
        found = set(mirror.remote.names(mirror.key(folder)))
    for name in folders:
        # A listing may be older than what was just sent, so that it cannot tell that something is missing.
        if name not in found and (mirror is None or mirror.remote.size(mirror.key(folder / name / PACKED)) is None):
            where = store.path if mirror is None else mirror.url
            raise StoreError(
                f"{name} of the new run was removed from {where} before the run was there; does another machine use an "
                "older ALVIN Studio? Upgrade it, then try again"
            )
