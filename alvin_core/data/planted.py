"""Data with a planted shortcut: the label follows from what a text says, and too well from something beside it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.data.grammars import GRAMMARS, Grammar
from alvin_core.data.grammars.drawing import Draw, shared_out
from alvin_core.errors import DataError, SettingsError

__all__ = ["TASKS", "PlantedSettings", "make_planted", "planted_rows", "write_planted"]

TASKS: tuple[str, ...] = tuple(GRAMMARS)

_MAX_TRIES = 2000  # for one new text; a grammar that has room left needs fewer than twenty


@dataclass(frozen=True)
class PlantedSettings:
    """What to plant, and how much of it.

    Attributes
    ----------
    task : str
        One of `TASKS`.
    strength : float
        Share of each class whose shortcut agrees with it, in ``pool`` and ``test``; in ``ood:reversed`` the share
        whose shortcut disagrees. 0.5 = no shortcut, 1 = nothing contradicts it.
    ambiguity : float
        Share of each split whose texts leave the label open; their label is a coin flip.
    balance : float
        Share of the first class: ``positive``, ``surgeon``, ``entailment`` or ``paraphrase``.
    n_pool, n_test, n_ood : int
        Rows of ``pool``, of ``test``, and of each of ``ood:balanced`` and ``ood:reversed``; 0 leaves a split out.
    seed : int
    """

    task: str
    strength: float = 0.9  # strong enough to be learned first, with enough counterexamples in a pool to find [ours]
    ambiguity: float = 0.05  # about what annotators of real sentiment data disagree on at the least [ours]
    balance: float = 0.5
    n_pool: int = 3000
    n_test: int = 600
    n_ood: int = 600
    seed: int = 0

    def __post_init__(self) -> None:
        if self.task not in GRAMMARS:
            raise SettingsError(f"task = {self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        for name in ("strength", "ambiguity", "balance"):
            value = getattr(self, name)
            is_share = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
            _require(is_share, name, value, "a share, between 0 and 1")
        for name, least in (("n_pool", 2), ("n_test", 0), ("n_ood", 0), ("seed", 0)):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
            _require(whole, name, value, f"a whole number, at least {least}")
        n_first = shared_out(self.n_pool, self.balance)
        if not 0 < n_first < self.n_pool:
            raise SettingsError(
                f"balance = {self.balance} of n_pool = {self.n_pool} leaves one class with no row in the pool; "
                "ask for more rows or a balance nearer 0.5"
            )

    @property
    def splits(self) -> tuple[tuple[str, int, float], ...]:
        """Name, number of rows, and share of rows whose shortcut agrees with their class, of each split."""
        return (
            ("pool", self.n_pool, self.strength),
            ("test", self.n_test, self.strength),
            ("ood:balanced", self.n_ood, 0.5),
            ("ood:reversed", self.n_ood, 1 - self.strength),
        )


def _require(holds: bool, name: str, value: object, limit: str) -> None:
    if not holds:
        raise SettingsError(f"{name} = {value!r} is out of range: it must be {limit}")


def make_planted(
    task: str,
    *,
    strength: float = PlantedSettings.strength,
    ambiguity: float = PlantedSettings.ambiguity,
    balance: float = PlantedSettings.balance,
    n_pool: int = PlantedSettings.n_pool,
    n_test: int = PlantedSettings.n_test,
    n_ood: int = PlantedSettings.n_ood,
    seed: int = PlantedSettings.seed,
) -> Dataset:
    """Make a data set with a planted shortcut, recorded for each example as its attribute.

    Parameters
    ----------
    task : {"reviews", "occupations", "nli", "paraphrase"}
        Sentiment against genre, occupation against gender, entailment or paraphrase against word overlap.
    strength, ambiguity, balance, n_pool, n_test, n_ood, seed
        See `PlantedSettings`.

    Returns
    -------
    Dataset
        With the splits ``pool`` and ``test``, where the shortcut holds, ``ood:balanced``, where it says nothing, and
        ``ood:reversed``, where it misleads.

    Raises
    ------
    SettingsError
        When a setting is out of range, or more rows are asked for than the grammar has different texts.

    Notes
    -----
    Occupation against gender as in Korakakis et al. (2024) and De-Arteaga et al. (2019); word overlap as in
    HANS (McCoy et al. 2019) and PAWS (Zhang et al. 2019). No text occurs twice.
    """
    settings = PlantedSettings(task, strength, ambiguity, balance, n_pool, n_test, n_ood, seed)
    rows = list(planted_rows(settings))
    columns = GRAMMARS[task].columns
    classes = tuple(sorted(GRAMMARS[task].classes))
    texts = [Texts.pack(row[column] for row in rows) for column in columns]
    return Dataset(
        ids=np.array([row["id"] for row in rows], dtype=np.str_),
        texts=texts[0],
        second_texts=texts[1] if len(texts) > 1 else None,
        labels=np.array([classes.index(row["label"]) for row in rows], dtype=np.int64),
        classes=classes,
        splits=np.array([row["split"] for row in rows], dtype=np.str_),
        attributes=np.array([row["attribute"] for row in rows], dtype=np.str_),
    )


def planted_rows(settings: PlantedSettings) -> Iterator[dict[str, str]]:
    """Write the rows in file order: ``id``, ``text`` (or ``text_a``, ``text_b``), ``label``, ``split``, ``attribute``.

    Raises
    ------
    SettingsError
        When the grammar has no new text left.
    """
    grammar = GRAMMARS[settings.task]
    seen: set[str] = set()
    for split, n_rows, agreement in settings.splits:
        # A stream for each purpose: asking for more rows of one split changes no label of another.
        plan = Draw(f"{settings.seed}:{settings.task}:{split}:plan")
        text = Draw(f"{settings.seed}:{settings.task}:{split}:text")
        labels, attributes = _planned(plan, grammar, n_rows, settings.balance, agreement)
        unclear = plan.flags(n_rows, settings.ambiguity)
        for number, (label, attribute, is_unclear) in enumerate(zip(labels, attributes, unclear, strict=True), start=1):
            texts = _new_texts(text, grammar, None if is_unclear else label, attribute, seen)
            if texts is None:
                raise SettingsError(
                    f"the {settings.task} grammar gave no new text in {_MAX_TRIES} tries after {len(seen)} rows; "
                    "ask for fewer rows"
                )
            row_id = f"{split.removeprefix('ood:')}-{number:05d}"
            yield {
                "id": row_id,
                **dict(zip(grammar.columns, texts, strict=True)),
                "label": label,
                "split": split,
                "attribute": attribute,
            }


def _planned(
    draw: Draw, grammar: Grammar, n_rows: int, balance: float, agreement: float
) -> tuple[list[str], list[str]]:
    """Labels and attributes of a split: exact shares in random order, so that small splits have no luck in them."""
    is_first = draw.flags(n_rows, balance)
    n_first = sum(is_first)
    agrees = {True: iter(draw.flags(n_first, agreement)), False: iter(draw.flags(n_rows - n_first, agreement))}
    labels = [grammar.classes[0 if first else 1] for first in is_first]
    attributes = [grammar.attributes[0 if first == next(agrees[first]) else 1] for first in is_first]
    return labels, attributes


def _new_texts(
    draw: Draw, grammar: Grammar, label: str | None, attribute: str, seen: set[str]
) -> tuple[str, ...] | None:
    for _ in range(_MAX_TRIES):
        texts = grammar.write(draw, label, attribute)
        if texts is None:
            continue
        key = "\n".join(texts).casefold()
        if key not in seen:
            seen.add(key)
            return texts
    return None


def write_planted(path: Path, settings: PlantedSettings) -> None:
    r"""Write the rows as CSV: UTF-8, ``\n`` line ends, the same bytes for the same settings everywhere.

    Raises
    ------
    SettingsError
        When the grammar has no new text left.
    DataError
        When the file cannot be written.
    """
    columns = ["id", *GRAMMARS[settings.task].columns, "label", "split", "attribute"]
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with unfinished.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(planted_rows(settings))
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder you may write"
        ) from error
