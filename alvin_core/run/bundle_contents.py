"""What a packed run holds, all of it checked, or an error and nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from alvin_core.data.dataset import UNLABELED, Dataset
from alvin_core.errors import AlvinError
from alvin_core.round_inputs import check_data
from alvin_core.run.archive import VECTORS
from alvin_core.run.bundle_added import check_added
from alvin_core.run.bundle_arrays import check_dataset_arrays, check_round_arrays
from alvin_core.run.bundle_opinions import check_opinions
from alvin_core.run.bundle_reading import (
    ADDED,
    DATASET,
    LABELS,
    MARKS,
    OPINIONS,
    PROPOSALS,
    ROUNDS,
    RUN,
    SLICES,
    Members,
    array_member,
    damaged,
)
from alvin_core.run.bundle_records import (
    RUN_FIELDS,
    Record,
    check_labels,
    check_marks,
    check_proposals,
    check_rounds,
    typed,
)
from alvin_core.run.slice_packing import check_slices
from alvin_core.settings import RunSettings
from alvin_core.store.added import COUNTERFACTUAL
from alvin_core.store.runs import check_name
from alvin_core.strategies import get_strategy

__all__ = ["Contents", "read_contents"]

RUN_ID = re.compile(r"[0-9a-f]{8}")
LONGEST_SOURCE = 10_000
MOST_FORKS = 2**31  # rounds that a parent can have had

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Contents:
    """A run as it was packed.

    Attributes
    ----------
    members : Members
    run : dict
        The run's own record.
    dataset : Dataset
        As it was stored, without what people added.
    added, rounds, labels, opinions, marks, slices : list of dict
        Records, in order.
    trained_on : list of list of str
        Ids that each round trained on, in the order of annotation.
    hashes : list of (str, str)
        Of each round's packed arrays, and of its vectors.
    proposals : dict of round to list of str
        Best first.
    """

    members: Members
    run: Record
    dataset: Dataset
    added: list[Record]
    rounds: list[Record]
    trained_on: list[list[str]]
    hashes: list[tuple[str, str]]
    labels: list[Record]
    opinions: list[Record]
    marks: list[Record]
    slices: list[Record]
    proposals: dict[int, list[str]]

    @property
    def named_slices(self) -> set[str]:
        """Names of slices that the settings of the run or of a round refer to."""
        tables = (one["settings"]["counter_shortcut"] for one in (self.run, *self.rounds))
        return {table["slice"] for table in tables if table["slice"] is not None}

    @cached_property
    def _row_of_id(self) -> dict[str, int]:
        ids = [*self.dataset.ids.tolist(), *(one["example_id"] for one in self.added)]
        return {example_id: row for row, example_id in enumerate(ids)}

    def _n_added(self, round_no: int) -> int:
        """Return how many examples had been added when a round read its labels."""
        events = self.labels[: self.rounds[round_no]["last_seq"]]
        return sum(one["source"] == COUNTERFACTUAL and one["action"] == "label" for one in events)

    def arrays(self, round_no: int) -> tuple[Arrays, Arrays]:
        """Return the arrays of a round, packed and mapped, after they have been checked."""
        packed_hash, vectors_hash = self.hashes[round_no]
        packed = self.members.packed_arrays(array_member(packed_hash, "npz"))
        mapped = {VECTORS: self.members.array(array_member(vectors_hash, "npy"))}
        where = f"arrays of round {round_no}"
        if VECTORS in packed:
            raise damaged(where, f"the array {VECTORS!r} is there twice")
        row = self._row_of_id
        check_round_arrays(
            packed | mapped,
            self.dataset,
            n_added=self._n_added(round_no),
            labeled=[row[one] for one in self.trained_on[round_no]],
            proposed=[row[one] for one in self.proposals[round_no]],
            strategy=self.rounds[round_no]["settings"]["strategy"],
            where=where,
        )
        return packed, mapped


def read_contents(members: Members) -> Contents:
    """Read everything but the rounds' arrays, which `Contents.arrays` reads when asked for.

    Raises
    ------
    StoreError
        When anything is not as it must be.
    """
    run = typed(members.document(RUN), RUN_FIELDS, RUN)
    dataset = check_dataset_arrays(members.packed_arrays(DATASET))
    _check_run(run, dataset)
    ids = set(dataset.ids.tolist())
    pool = set(dataset.ids[dataset.rows_of("pool")].tolist())
    added = check_added(
        members.lines(ADDED) if ADDED in members.sizes else (),
        ids,
        pool,
        is_pairs=dataset.is_pairs,
        has_attributes=dataset.attributes is not None,
    )
    ids_added = [one["example_id"] for one in added]
    labels = check_labels(members.lines(LABELS), pool, dataset.classes, ids_added)
    rounds, trained_on, hashes = check_rounds(members.lines(ROUNDS), labels, dataset.evaluation_splits)
    proposals = check_proposals(members.lines(PROPOSALS), pool, len(rounds))
    names = {array_member(one, suffix) for pair in hashes for one, suffix in zip(pair, ("npz", "npy"), strict=True)}
    if names != {name for name in members.sizes if name.startswith("arrays/")}:
        raise damaged(ROUNDS, "does not name the arrays that are there")
    return Contents(
        members=members,
        run=run,
        dataset=dataset,
        added=added,
        rounds=rounds,
        trained_on=trained_on,
        hashes=hashes,
        labels=labels,
        opinions=check_opinions(
            members.lines(OPINIONS) if OPINIONS in members.sizes else (), proposals, dataset.classes, len(labels)
        ),
        marks=check_marks(members.lines(MARKS), {*ids, *ids_added}),
        slices=check_slices(members.lines(SLICES) if SLICES in members.sizes else (), len(dataset), dataset.classes),
        proposals=proposals,
    )


def _check_run(run: Record, dataset: Dataset) -> None:
    settings = RunSettings.from_dict(run["settings"])
    try:
        check_name(run["name"])
        get_strategy(settings.strategy)
        check_data(dataset, settings)
    except AlvinError as error:
        raise damaged(RUN, str(error)) from error
    pool_labels = dataset.labels[dataset.rows_of("pool")]
    parent = run["parent_id"], run["parent_round"]
    problems = {
        "id": not RUN_ID.fullmatch(run["id"]),
        "annotator": run["annotator"] not in ("oracle", "person"),
        "dataset": run["dataset"] != dataset.digest(),
        "source": len(run["source"]) > LONGEST_SOURCE,
        "parent_id": parent != (None, None) and not RUN_ID.fullmatch(parent[0] or ""),
        "parent_round": parent != (None, None) and not 0 <= (-1 if parent[1] is None else parent[1]) < MOST_FORKS,
    }
    for name, is_bad in problems.items():
        if is_bad:
            raise damaged(RUN, f"{name} is {str(run[name])[:40]!r}, which cannot be")
    if run["annotator"] == "oracle" and (pool_labels == UNLABELED).any():
        raise damaged(RUN, "an oracle annotates, and its data set lacks labels")
