"""Data sets in the store: one file each, named by its digest, so that a run never depends on the user's file."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.errors import StoreError
from alvin_core.store.arrays import load_packed, save_packed
from alvin_core.store.mirror import mirror_at, mirror_of

if TYPE_CHECKING:
    from alvin_core.store.database import Store

__all__ = [
    "ANEW",
    "dataset_lock",
    "dataset_of",
    "dataset_path",
    "is_dataset",
    "load_stored_dataset",
    "save_dataset",
    "send_ahead",
]

log = logging.getLogger(__name__)

ANEW = "start a run on the same data again, which writes it anew, or restore the store from a backup"
SEND_SECONDS = 3600  # how long others wait for one that sends the same data set


def dataset_path(store: Path, digest: str) -> Path:
    """Where the data set with this digest lies."""
    return store / "datasets" / f"{digest}.npz"


def dataset_lock(digest: str) -> str:
    """Return the name of the lock that whoever sends a data set holds; so it is not swept on its way."""
    return f"data-{digest[:16]}"


def save_dataset(store: Path, dataset: Dataset) -> str:
    """Write a data set unless it is there whole, and return its digest.

    Raises
    ------
    StoreError
        When the disk, or the place where the arrays are kept, refuses.
    """
    digest = dataset.digest()
    path = dataset_path(store, digest)
    _keep(path, dataset, digest)
    mirror = mirror_of(path)
    if mirror is not None and mirror.remote.size(mirror.key(path)) != path.stat().st_size:  # `send_ahead` compared more
        mirror.publish_new(path)
    return digest


def send_ahead(store: Store, dataset: Dataset) -> str:
    """Send a data set to where the arrays are kept, if that is elsewhere, before the store is locked to name it.

    Nobody sweeps it on its way. From then until it is named, somebody may: `save_dataset`, under the lock, sees to
    that.

    Returns
    -------
    str
        Its digest; empty where nothing was sent.

    Raises
    ------
    StoreError
        When the disk, or the place where the arrays are kept, refuses.
    """
    mirror = mirror_at(store.path)
    if mirror is None:
        return ""
    digest = dataset.digest()
    path = dataset_path(store.path, digest)
    subject = f"sending the data set {digest[:12]}…"
    with store.database.lock(dataset_lock(digest), subject=subject, wait_seconds=SEND_SECONDS):
        with store.lock():  # two processes would write to the same file
            _keep(path, dataset, digest)
        try:
            mirror.publish_new(path)
        except (StoreError, FileNotFoundError):
            if path.exists():  # else it was swept, by a version that knows nothing of that lock
                raise
            return ""
    return digest


def _keep(path: Path, dataset: Dataset, digest: str) -> None:
    """Write a data set unless it is there whole; one that a disk has damaged meanwhile is written anew."""
    if path.exists():
        if is_dataset(path, digest):
            return
        log.warning("the data set %s was damaged; it is written anew", digest[:12])
    save_packed(path, _arrays_of(dataset))


def _arrays_of(dataset: Dataset) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {"labels": np.asarray(dataset.labels, dtype=np.int64)}
    columns: dict[str, Texts | Iterable[str] | None] = {
        "ids": Texts.of_strings(dataset.ids),
        "texts": dataset.texts,
        "second_texts": dataset.second_texts,
        "classes": dataset.classes,
        "splits": Texts.of_strings(dataset.splits),
        "attributes": None if dataset.attributes is None else Texts.of_strings(dataset.attributes),
        "warnings": dataset.warnings,
    }
    for name, column in columns.items():
        if column is not None:
            # Packed, because numpy would give every string the room of the longest.
            packed = column if isinstance(column, Texts) else Texts.pack(column)
            arrays[f"{name}.blob"], arrays[f"{name}.offsets"] = packed.blob, packed.offsets
    return arrays


def load_stored_dataset(store: Path, digest: str) -> Dataset:
    """Read a data set back and check that it is the one that was written.

    Raises
    ------
    StoreError
        When it is missing, damaged, or not what its name says.
    """
    path = dataset_path(store, digest)
    arrays = load_packed(path, remedy=ANEW)
    try:
        dataset = dataset_of(arrays)
    except (KeyError, ValueError) as error:
        raise StoreError(f"{path} is not a stored data set: {error}; {ANEW}") from error
    if (found := dataset.digest()) != digest:
        raise StoreError(f"{path} has changed: its digest is {found[:12]}…; {ANEW}")
    return dataset


def is_dataset(path: Path, digest: str) -> bool:
    """Return whether a file is a stored data set with this digest, whatever it is called."""
    try:
        return dataset_of(load_packed(path)).digest() == digest
    except (StoreError, KeyError, ValueError):
        return False


def dataset_of(arrays: Mapping[str, NDArray[Any]]) -> Dataset:
    """Build a data set of its stored arrays.

    Raises
    ------
    KeyError, ValueError
        When one is missing, of another shape or type, or they do not fit together.
    """

    for name, array in arrays.items():
        if array.ndim != 1 or array.dtype.kind not in ("u" if name.endswith(".blob") else "iu"):
            raise ValueError(f"{name} has the shape {array.shape} and the type {array.dtype}")

    def texts(name: str) -> Texts | None:
        return Texts(arrays[f"{name}.blob"], arrays[f"{name}.offsets"]) if f"{name}.blob" in arrays else None

    def strings(name: str) -> NDArray[np.str_] | None:
        packed = texts(name)
        return None if packed is None else packed.to_strings()

    ids, first, splits = strings("ids"), texts("texts"), strings("splits")
    if ids is None or first is None or splits is None:
        raise ValueError("a column is missing")
    return Dataset(
        ids=ids,
        texts=first,
        labels=arrays["labels"],
        classes=tuple(texts("classes") or ()),
        splits=splits,
        second_texts=texts("second_texts"),
        attributes=strings("attributes"),
        warnings=tuple(texts("warnings") or ()),
    )
