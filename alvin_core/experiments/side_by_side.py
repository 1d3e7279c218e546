"""Runs on the same data side by side in one round: what each selected, how far that overlaps, and why it differs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from alvin_core.errors import SettingsError
from alvin_core.experiments.side_notes import check_runs, notes_on
from alvin_core.experiments.side_picks import only_one, picks_of
from alvin_core.experiments.side_rounds import SideRound, mean_nearest, mean_pairwise, spread_of
from alvin_core.experiments.side_values import SideBySide, SideOverlap, SideRun, SideShares
from alvin_core.run.run import Run
from alvin_core.types import FloatArray, IdArray, IntArray

__all__ = ["N_BINS", "SideBySide", "side_by_side"]

N_BINS = 10  # of confidence, from chance to certainty [ours]
MOST_PICKS = 200


def side_by_side(runs: Sequence[Run], round_no: int, *, most: int = MOST_PICKS) -> SideBySide:
    """Compare what runs on the same data selected in a round.

    Parameters
    ----------
    runs : sequence of Run
        Two to four.
    round_no : int
        A finished round of all of them.
    most : int
        Of the examples that only one run selected, how many to list of each run: those of best rank.

    Returns
    -------
    SideBySide

    Raises
    ------
    SettingsError
        When there are fewer than two or more than four runs, one is given twice, or ``most`` is negative.
    DataError
        When the runs are not on the same data.
    StoreError
        When a run has no such round.

    Notes
    -----
    Everything is of each run's own model of that round. Distances are in its own space, whose unit is `SideRun.spread`:
    divided by it, distances of different models can be compared [ours].
    """
    check_runs(runs)
    if most < 0:
        raise SettingsError(f"most = {most} is out of range: it must be at least 0")
    rounds = [SideRound.of(run, round_no) for run in runs]
    same_start, alike, notes = notes_on(rounds)
    alone = only_one(rounds)
    n_classes = len(runs[0].dataset.classes)
    edges = np.linspace(1 / n_classes, 1, N_BINS + 1)
    return SideBySide(
        round_no=round_no,
        runs=tuple(_side_run(one, edges, len(places)) for one, places in zip(rounds, alone, strict=True)),
        edges=tuple(edges.tolist()),
        overlaps=tuple(_overlap(rounds, one, other) for one, other in combinations(range(len(rounds)), 2)),
        shares=tuple(_shares(run, place, earlier) for place, run in enumerate(runs) for earlier in range(round_no + 1)),
        only=tuple(pick for place in range(len(rounds)) for pick in picks_of(rounds, place, alone[place][:most])),
        same_start=same_start,
        alike=alike,
        notes=notes,
    )


def _side_run(one: SideRound, edges: FloatArray, n_only: int) -> SideRun:
    selected = one.selected
    confidence, entropy = one.confidence_of(selected), one.entropy_of(selected)
    vectors = one.vectors_of(selected)
    # Rounding may take a probability somewhat out of the bins, and nothing may be lost.
    counts, _ = np.histogram(np.clip(confidence, edges[0], edges[-1]), bins=edges)
    return SideRun(
        run=one.run.id,
        name=one.run.name,
        strategy=one.settings.strategy,
        seed=one.settings.seed,
        budget=one.settings.budget,
        n_labeled=len(one.labeled),
        n_selected=len(selected),
        n_only=n_only,
        confidence=tuple(counts.tolist()),
        mean_confidence=float(confidence.mean()) if len(selected) else None,
        mean_entropy=float(entropy.mean()) if len(selected) else None,
        to_labeled=mean_nearest(vectors, one.vectors_of(one.labeled)),
        among=mean_pairwise(vectors),
        spread=spread_of(one.space.vectors),
    )


def _overlap(rounds: Sequence[SideRound], first: int, second: int) -> SideOverlap:
    shared, either = _counts(rounds[first].selected, rounds[second].selected)
    labeled_shared, labeled_either = _counts(*(one.ids_of(one.labeled) for one in (rounds[first], rounds[second])))
    return SideOverlap(
        first=first,
        second=second,
        shared=shared,
        either=either,
        jaccard=shared / either if either else None,
        labeled_shared=labeled_shared,
        labeled_either=labeled_either,
    )


def _counts(one: IntArray | IdArray, other: IntArray | IdArray) -> tuple[int, int]:
    return len(np.intersect1d(one, other)), len(np.union1d(one, other))


def _shares(run: Run, place: int, round_no: int) -> SideShares:
    one = SideRound.of(run, round_no)
    labeled_classes, labeled_groups = one.shares(one.held[one.labeled], one.labeled)
    told = one.stored.summary.get("selection", {})  # where a person answers, it says nothing of the selected
    return SideShares(
        run=place,
        round_no=round_no,
        n_labeled=len(one.labeled),
        n_selected=len(one.selected),
        labeled_classes=labeled_classes,
        selected_classes=dict(told.get("class_shares") or {}),
        labeled_groups=labeled_groups,
        selected_groups=dict(told.get("group_shares") or {}),
    )
