"""Making a comparison of a plan and a data set in a store, and finding those that are there."""

from __future__ import annotations

from pathlib import Path

from alvin_core.data.dataset import Dataset
from alvin_core.experiments.checking import check_comparable, settings_of_arms
from alvin_core.experiments.plan import ComparisonPlan
from alvin_core.experiments.stored import Comparison
from alvin_core.experiments.values import CellState, ComparisonInfo
from alvin_core.run.slice_lookup import check_named_slice
from alvin_core.store.comparisons import find_comparison, list_comparison_rows, refuse_name
from alvin_core.store.database import open_store
from alvin_core.store.datasets import save_dataset, send_ahead
from alvin_core.store.labels import now
from alvin_core.store.runs import check_name, default_name, new_run_id, sweep_store
from alvin_core.store.tables import ComparisonRow

__all__ = [
    "CellState",
    "Comparison",
    "ComparisonInfo",
    "create_comparison",
    "default_comparison_name",
    "list_comparisons",
    "open_comparison",
]


def create_comparison(
    store: Path | str, dataset: Dataset, plan: ComparisonPlan, *, name: str | None = None, source: str = ""
) -> Comparison:
    """Put a comparison into a store; nothing is computed yet.

    Parameters
    ----------
    store : Path or str
        Made when missing.
    dataset : Dataset
        Copied into the store. Every pool example must have a label.
    plan : ComparisonPlan
    name : str, optional
        Letters, digits, ``-``, ``_`` and ``.``, at most 64; made of the source by default.
    source : str
        Where the data came from, for people.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingsError
        When a strategy is unknown, settings contradict each other or the data, or they name a slice that the store
        does not have of this data.
    DataError
        When pool examples, or examples to evaluate on, have no label; when there are fewer than two classes.
    PoolError
        When the pool is too small for the rounds.
    StoreError
        When the store cannot be used, or the name is bad or taken.
    """
    name = check_name(default_comparison_name(source) if name is None else name, "comparison")
    check_comparable(dataset, plan)
    opened = open_store(store, create=True)
    sent = send_ahead(opened, dataset)
    with opened.lock():
        sweep_store(opened, keep=sent)
        digest = save_dataset(opened.path, dataset)
        with opened.write() as session:
            refuse_name(session, name)
            for settings in settings_of_arms(plan):
                check_named_slice(session, digest, settings)
            row = ComparisonRow(
                id=new_run_id(),
                name=name,
                plan=plan.to_dict(),
                dataset=digest,
                source=source.encode("utf-8", "replace").decode(),
                created_at=now(),
            )
            session.add(row)
    return Comparison(opened, row)


def open_comparison(store: Path | str, name: str) -> Comparison:
    """Open a comparison by its name, its id, or the beginning of its id.

    Raises
    ------
    StoreError
        When there is none; the message has close names.
    """
    opened = open_store(store)
    with opened.read() as session:
        return Comparison(opened, find_comparison(session, name))


def list_comparisons(store: Path | str) -> tuple[ComparisonInfo, ...]:
    """Return every comparison in a store, oldest first.

    Raises
    ------
    StoreError
        When the store is not there or cannot be used.
    """
    opened = open_store(store)
    with opened.read() as session:
        rows = list_comparison_rows(session)
    return tuple(Comparison(opened, row).info() for row in rows)


def default_comparison_name(source: str) -> str:
    """Return what a comparison is called unless somebody says: ``reviews-compare``."""
    return default_name(source, "compare")
