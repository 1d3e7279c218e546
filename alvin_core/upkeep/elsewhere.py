"""What must hold between a store's records, the copies here, and the place where the arrays are kept, if elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sqlalchemy import select

from alvin_core.errors import StoreError
from alvin_core.run.archive import VECTORS
from alvin_core.store.arrays import PACKED, TEMPORARY, make_folder
from alvin_core.store.database import Store
from alvin_core.store.datasets import dataset_path, is_dataset
from alvin_core.store.mirror import PARTS, Mirror, bring, fetch_missing, mirror_at
from alvin_core.store.mirror_mark import UnmarkedError
from alvin_core.store.remote import RemoteError
from alvin_core.store.rounds import ROUND_FOLDER
from alvin_core.store.sums import SUMS, crc_of, parse_sums, read_sums
from alvin_core.store.tables import ComparisonRow, RoundRow, RunRow
from alvin_core.upkeep.findings import StoreReport
from alvin_core.upkeep.records import RunRecords

__all__ = ["SEND", "Elsewhere", "bring_round", "bring_store", "is_here", "look_elsewhere"]

SEND = "send it with --repair"
FETCH = "fetch it again with --repair"
LOST_TOO = "train it again from its record with --repair --retrain, or restore the store from a backup"
State = Literal["whole", "wrong", "missing"]
Sums = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Elsewhere:
    """What lies where a store's arrays are kept, as one listing told.

    Attributes
    ----------
    mirror : Mirror
    sizes : dict of key to bytes
    missing : set of key
        What was asked for since and is not there.
    thorough : bool
        Whether every byte is compared.
    reached : bool
        Whether the place can be used at all.
    """

    mirror: Mirror
    sizes: dict[str, int] = field(default_factory=dict)
    thorough: bool = True
    reached: bool = True
    missing: set[str] = field(default_factory=set)

    def check_run(self, records: RunRecords, folder: Path, report: StoreReport) -> set[int]:
        """Compare a run's rounds here and there; return the rounds of which the copies here cannot be checked yet."""
        left = set()
        for one in records.rounds:
            subject = f"{records.subject}, round {one.round_no}"
            n_before, place = len(report.findings), folder / one.folder
            if not self.reached:
                if not is_here(place):
                    report.note(subject, f"its arrays are not here, but at {self.mirror.url}", "look again later")
                    left.add(one.round_no)
                continue
            for path, here, there in self.states(place):
                self._tell(subject, path, here, there, report)
            for path in sorted(place.glob("map-*.npz")):
                if self._size(self.mirror.key(path)) is None:
                    report.note(subject, f"{path.name} is missing in {self.mirror.url}", SEND)
            if any(found.kind == "damage" for found in report.findings[n_before:]) or not is_here(place):
                left.add(one.round_no)
        return left

    def check_dataset(self, digest: str, report: StoreReport) -> bool:
        """Compare a data set here and there; return whether there is anything left to read here."""
        path = dataset_path(self.mirror.root, digest)
        key, subject, is_here = self.mirror.key(path), f"data set {digest[:12]}…", path.exists()
        if not self.reached:
            if not is_here:
                report.note(subject, f"it is not here, but at {self.mirror.url}", "look again later")
            return is_here
        if not is_here:
            return True
        size = self._size(key)
        if not is_dataset(path, digest):
            if size is not None:
                report.damage(subject, "the copy of it here is damaged", FETCH, mendable=True)
            return size is None
        if size is None:
            report.damage(subject, f"it is missing in {self.mirror.url}", SEND, mendable=True)
        elif size not in (-1, path.stat().st_size) or (self.thorough and not self._has(path, digest)):
            report.damage(subject, f"it is damaged in {self.mirror.url}", SEND, mendable=True)
        return True

    def _size(self, key: str) -> int | None:
        """Return the size of a file there; what the listing lacks is asked for once, as it may have come since.

        What the database names was sent before, so that what is missing when it is first asked for stays missing.
        """
        if key not in self.sizes and key not in self.missing:
            found = self.mirror.remote.size(key)
            if found is None:
                self.missing.add(key)
            else:
                self.sizes[key] = found
        return self.sizes.get(key)

    def _has(self, path: Path, digest: str) -> bool:
        """Return whether a data set is whole there; two machines may have written the same one with other bytes."""
        if self.mirror.remote.has(path, self.mirror.key(path)):
            return True
        part = self.mirror.root / PARTS / f"{digest}.npz{TEMPORARY}"
        make_folder(part.parent)
        try:
            return self.mirror.remote.get(self.mirror.key(path), part) and is_dataset(part, digest)
        finally:
            part.unlink(missing_ok=True)

    def leftovers(self, records: RunRecords, folder: Path) -> list[Path]:
        """Return what killed processes left of a run there, as it would be named here."""
        if not self.reached:
            return []
        named = {one.folder for one in records.rounds}
        found = [folder / name for name in self.mirror.leftovers(folder, named, ROUND_FOLDER)]
        prefix = self.mirror.key(folder)
        parts = (key for key in self.sizes if key.startswith(f"{prefix}/") and TEMPORARY in key)
        return found + [self.mirror.root / key for key in sorted(parts) if key.split("/")[2] in named]

    def states(self, place: Path) -> Iterator[tuple[Path, State, State]]:
        """Yield each file of a round, how it is here and how it is there; what is missing here is fetched."""
        sums, sums_here, sums_there = self._sums(place)
        if sums:  # an older version wrote none
            yield place / SUMS, sums_here, sums_there
        for name, told in sums.items() if sums else ((PACKED, None), (f"{VECTORS}.npy", None)):
            path = place / name
            here = _state_here(path, told, every_byte=self.thorough)
            there = self._state_there(path, told, here)
            if there == "whole" and here == "missing" and self.thorough:
                here, there = self._fetched(path)
            yield path, here, there

    def _sums(self, place: Path) -> tuple[Sums, State, State]:
        """Return what a round's folder must hold, and how the file that tells it is here and there."""
        path = place / SUMS
        here = path.read_bytes() if path.exists() else None
        is_there = self._size(self.mirror.key(path)) is not None
        there = self.mirror.remote.read(self.mirror.key(path)) if is_there and (self.thorough or here is None) else here
        told = [(text, parse_sums(text)) for text in (there, here) if text is not None]
        fitting = [(text, sums) for text, sums in told if sums and self._fits(place, sums)]
        text, sums = next(iter([*fitting, *((text, sums) for text, sums in told if sums)]), (None, {}))
        if here is None and there is not None and there == text:
            self.mirror.fetch(path)
            here = there
        return sums, _as_state(here, text), _as_state(there if is_there else None, text)

    def _fits(self, place: Path, sums: Sums) -> bool:
        """Return whether the files of a round are what its sums say, each here or there."""
        return all(
            _state_here(place / name, told, every_byte=self.thorough) == "whole"
            or self.sizes.get(self.mirror.key(place / name)) == told[0]
            for name, told in sums.items()
        )

    def _fetched(self, path: Path) -> tuple[State, State]:
        try:
            return ("whole", "whole") if self.mirror.fetch(path) else ("missing", "missing")
        except RemoteError:
            raise
        except StoreError:  # other bytes than were written
            return "missing", "wrong"

    def _state_there(self, path: Path, told: tuple[int, int] | None, here: State) -> State:
        key = self.mirror.key(path)
        size = self._size(key)
        if size is None:
            return "missing"
        if told is not None and size not in (-1, told[0]):
            return "wrong"
        if not self.thorough or here == "missing":  # what is fetched is compared then
            return "whole"
        if here == "whole":
            return "whole" if self.mirror.remote.has(path, key) else "wrong"
        return "whole" if told is None or self.mirror.remote.crc(key) == told[1] else "wrong"

    def _tell(self, subject: str, path: Path, here: State, there: State, report: StoreReport) -> None:
        what = "is missing in" if there == "missing" else "has other bytes than were written in"
        if there == "whole" and here == "wrong":
            report.damage(subject, f"the copy of {path.name} here is damaged", FETCH, mendable=True)
        elif there != "whole" and here == "whole":
            report.damage(subject, f"{path.name} {what} {self.mirror.url}", SEND, mendable=True)
        elif there != "whole":
            also = "missing" if here == "missing" else "damaged"
            report.damage(subject, f"{path.name} {what} {self.mirror.url}, and {also} here", LOST_TOO)


def look_elsewhere(store: Store, report: StoreReport, *, thorough: bool) -> Elsewhere | None:
    """List what lies where a store's arrays are kept; None where that is the store's own folder."""
    try:
        mirror = mirror_at(store.path)
    except StoreError as error:
        report.damage("arrays", str(error).split(";")[0], "mend store.json, or name the store by its database")
        return None
    if mirror is None:
        return None
    try:
        mirror.check()
        sizes = {**mirror.remote.sizes("runs"), **mirror.remote.sizes("datasets")}
    except StoreError as error:
        what, _, remedy = str(error).partition("; ")
        report.damage("arrays", what, remedy or "see with --repair", mendable=isinstance(error, UnmarkedError))
        return Elsewhere(mirror, thorough=thorough, reached=False)
    return Elsewhere(mirror, sizes, thorough)


def bring_store(store: Store) -> None:
    """Fetch all that the database names and that is not here; nothing in a store that keeps its arrays itself.

    Raises
    ------
    StoreError
        When the place of the arrays cannot be reached, or lacks a file.
    """
    if mirror_at(store.path) is None:
        return
    with store.read() as session:
        digests = {*session.scalars(select(RunRow.dataset)), *session.scalars(select(ComparisonRow.dataset))}
        rounds = session.execute(select(RoundRow.run_id, RoundRow.folder)).all()
    for digest in sorted(digests):
        fetch_missing(dataset_path(store.path, digest))
    for run_id, folder in rounds:
        bring(store.run_folder(run_id) / folder)


def bring_round(place: Path) -> None:
    """Fetch a round unless its files are here, without a look at maps that others made of it since."""
    if not is_here(place):
        bring(place)


def _state_here(path: Path, told: tuple[int, int] | None, *, every_byte: bool) -> State:
    if not path.exists():
        return "missing"
    is_whole = told is None or (path.stat().st_size == told[0] and (not every_byte or crc_of(path) == told[1]))
    return "whole" if is_whole else "wrong"


def _as_state(found: bytes | None, right: bytes | None) -> State:
    if found is None:
        return "missing"
    return "whole" if found == right else "wrong"


def is_here(place: Path) -> bool:
    """Return whether all files of a round are here, in whatever state."""
    try:
        names = list(read_sums(place)) or [PACKED, f"{VECTORS}.npy"]
    except StoreError:
        return True
    return all((place / name).exists() for name in names)
