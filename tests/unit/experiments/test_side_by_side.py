"""Runs side by side in a round: overlaps, histograms, shares, distances, reasons, and who may stand beside whom."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import alvin_core as alvin
from alvin_core.data.dataset import Dataset
from alvin_core.errors import DataError, SettingsError, StoreError
from alvin_core.experiments.side_by_side import SideBySide, side_by_side
from alvin_core.experiments.side_notes import initial_labels
from alvin_core.experiments.side_rounds import mean_nearest, mean_pairwise, spread_of
from alvin_core.experiments.side_runs import runs_alike
from alvin_core.round import RoundResult
from alvin_core.run.engine import Engine
from alvin_core.types import Anchors, Candidates, Groups, Provenance, Selection, TrainingDynamics

N_POOL, INITIAL, BUDGET = 12, 4, 5
SETTINGS = alvin.RunSettings(budget=BUDGET, initial=INITIAL)
# Row r of the pool stands at the point (r, 0), and its model is sure of class 0 with 0.5 + r / 24.


def compute(engine: Engine, labeled: Any, classes: Any, round_no: int, settings: Any, progress: Any) -> Any:
    """Entropy takes the lowest rows that are open, alvin those from the second on, any other strategy the highest."""
    dataset = engine.dataset
    open_rows = np.setdiff1d(dataset.rows_of("pool"), labeled)
    budget = min(settings.budget, len(open_rows))
    orders = {"entropy": np.arange(len(open_rows)), "alvin": np.roll(np.arange(len(open_rows)), -1)}
    highest = np.arange(len(open_rows))[::-1]

    def selection(name: str) -> Selection:
        ranking = orders.get(name, highest)
        rows = ranking[:budget]
        return Selection(dataset.ids[open_rows][rows], rows, 10.0 - np.arange(budget), ranking)

    own = selection(settings.strategy)
    if settings.strategy == "alvin":
        points = np.stack([labeled, np.zeros(len(labeled))], axis=1).astype(np.float32)
        anchors = Anchors(
            points, dataset.ids[labeled], np.array([0]), np.array([1]), np.float32([0.25]), np.array([classes[0]])
        )
        own = replace(
            own,
            provenance=Provenance(own.ids, np.zeros(budget, dtype=int), np.arange(budget) + 0.5),
            candidates=Candidates(np.sort(own.ranking), np.ones(len(open_rows), dtype=int), np.zeros(len(open_rows))),
            anchors=anchors,
            k=3,
        )
    rows = np.arange(len(dataset))
    first = 0.5 + np.minimum(rows, N_POOL - 1) / 24
    vector_rows = dataset.rows_of("pool")
    n = len(labeled)
    result = RoundResult(
        round_no=round_no,
        labeled_rows=labeled,
        pool_rows=open_rows,
        dynamics=TrainingDynamics(dataset.ids[labeled], np.ones((2, n), dtype=bool), np.full((2, n), 0.5)),
        groups=Groups(np.arange(n) == 0, classes, "forgetting", np.zeros(n, dtype=bool)),
        selection=own,
        alternatives={name: selection(name) for name in ("entropy", "random") if name != settings.strategy},
        probs=np.stack([first, 1 - first], axis=1).astype(np.float32),
        vectors=np.stack([vector_rows, np.zeros(len(vector_rows))], axis=1).astype(np.float32),
        vector_rows=vector_rows,
        metrics={"test": {"n": 2, "accuracy": 0.5, "macro_f1": 0.5, "groups": {}}},
        summary={
            "groups": {}, "anchors": {"k": 3},
            "selection": {"n": budget, "class_shares": {"neg": 0.6, "pos": 0.4}, "group_shares": {"neg × long": 1.0}},
        },
        seconds={},
        warnings=(),
    )  # fmt: skip
    return result, {"device": "made"}


@pytest.fixture(autouse=True)
def _made_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "compute", compute)


@pytest.fixture
def dataset(fake: ModuleType) -> Dataset:
    made: Dataset = fake.make_dataset(N_POOL, 2)
    return made


def begun(store: Path, dataset: Dataset, name: str, settings: alvin.RunSettings = SETTINGS, n: int = 1) -> alvin.Run:
    run = alvin.create_run(store, dataset, settings, name=name, source=f"data/{name}.csv")
    for _ in range(n):
        run.step()
    return run


@pytest.fixture
def runs(tmp_path: Path, dataset: Dataset) -> dict[str, alvin.Run]:
    """One run of each strategy, from the same four labels, with rounds 0 and 1."""
    return {
        name: begun(tmp_path / "s", dataset, f"by-{name}", replace(SETTINGS, strategy=name), 2)
        for name in ("alvin", "entropy", "random")
    }


@pytest.fixture
def two(runs: dict[str, alvin.Run]) -> SideBySide:
    """Entropy and random in round 0: the five lowest and the five highest of eight open rows."""
    return side_by_side([runs["entropy"], runs["random"]], 0)


def open_rows(run: alvin.Run) -> list[int]:
    return np.flatnonzero(initial_labels(run)[:N_POOL] < 0).tolist()


def test_five_lowest_and_five_highest_of_eight_share_two(two: SideBySide) -> None:
    (overlap,) = two.overlaps
    assert (overlap.first, overlap.second, overlap.shared, overlap.either) == (0, 1, 2, 8)
    assert overlap.jaccard == 0.25
    assert (overlap.labeled_shared, overlap.labeled_either) == (INITIAL, INITIAL)
    assert [one.n_only for one in two.runs] == [3, 3]
    assert two.overlap(1, 0) is overlap
    with pytest.raises(SettingsError, match="no pair of the runs 0 and 2"):
        two.overlap(0, 2)


def test_after_a_round_the_labels_in_common_are_counted_too(runs: dict[str, alvin.Run]) -> None:
    (overlap,) = side_by_side([runs["entropy"], runs["random"]], 1).overlaps
    # Each has the four first labels and its own five of eight, two of which both took.
    assert (overlap.labeled_shared, overlap.labeled_either) == (INITIAL + 2, N_POOL)
    assert (overlap.shared, overlap.either) == (0, 6)  # three are left to each, and none to both


def test_confidence_is_counted_on_bins_from_chance_to_one(two: SideBySide, runs: dict[str, alvin.Run]) -> None:
    assert two.edges == pytest.approx([0.5 + 0.05 * step for step in range(11)])
    rows = open_rows(runs["entropy"])
    for one, chosen in zip(two.runs, (rows[:5], rows[-5:]), strict=True):
        counts = [0] * 10
        for row in chosen:
            counts[int((0.5 + row / 24 - 0.5) / 0.05)] += 1
        assert list(one.confidence) == counts
        assert one.mean_confidence == pytest.approx(sum(0.5 + row / 24 for row in chosen) / 5)


def test_distances_are_those_on_the_line(two: SideBySide, runs: dict[str, alvin.Run]) -> None:
    rows = open_rows(runs["entropy"])
    labeled = [row for row in range(N_POOL) if row not in rows]
    for one, chosen in zip(two.runs, (rows[:5], rows[-5:]), strict=True):
        pairs = [abs(a - b) for a, b in combinations(chosen, 2)]
        assert one.among == pytest.approx(sum(pairs) / len(pairs))
        assert one.to_labeled == pytest.approx(sum(min(abs(a - b) for b in labeled) for a in chosen) / 5)
        # The variance of 0 … 11 is 13, and twice that is the mean squared distance.
        assert one.spread == pytest.approx(math.sqrt(26))


def test_distances_by_blocks_equal_those_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from alvin_core.experiments import side_rounds

    rng = np.random.default_rng(3)
    points, others = rng.normal(size=(17, 4)) + 50, rng.normal(size=(9, 4)) + 50
    for most in (1, 20, 10_000):
        monkeypatch.setattr(side_rounds, "DISTANCES_AT_ONCE", most)
        monkeypatch.setattr(side_rounds, "NUMBERS_AT_ONCE", most)
        all_pairs = np.linalg.norm(points[:, None] - points[None], axis=2)
        assert mean_pairwise(points) == pytest.approx(all_pairs.sum() / (17 * 16))
        to_others = np.linalg.norm(points[:, None] - others[None], axis=2)
        assert mean_nearest(points, others) == pytest.approx(to_others.min(axis=1).mean())
        expected = math.sqrt((all_pairs**2).sum() / (17 * 16))
        assert spread_of(points.astype(np.float32)) == pytest.approx(expected, rel=1e-5)
    assert mean_pairwise(np.repeat(points[:1], 3, axis=0)) == 0
    assert mean_pairwise(points[:1]) is mean_nearest(points, others[:0]) is spread_of(np.zeros((1, 2))) is None


def test_shares_of_labels_and_selected_are_told_for_every_round_so_far(
    runs: dict[str, alvin.Run], dataset: Dataset
) -> None:
    found = side_by_side([runs["entropy"], runs["random"]], 1)
    assert [(one.run, one.round_no) for one in found.shares] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    labeled = runs["random"].labels()
    for one in found.shares[2:]:
        names = labeled.loc[labeled["round"] <= one.round_no, "label"].tolist()
        assert one.labeled_classes == {name: names.count(name) / len(names) for name in sorted(set(names))}
        assert sum(one.labeled_groups.values()) == pytest.approx(1)
        assert one.selected_classes == {"neg": 0.6, "pos": 0.4}
    assert [one.n_labeled for one in found.shares] == [4, 9, 4, 9]


def test_what_one_alone_chose_has_its_ranks_its_anchor_and_the_other_models_word(runs: dict[str, alvin.Run]) -> None:
    found = side_by_side([runs["alvin"], runs["entropy"]], 0)
    rows = open_rows(runs["alvin"])
    alone = [pick for pick in found.only if pick.chosen_by == 0]
    # ALVIN takes the second to the sixth open row, entropy the first to the fifth.
    assert [pick.id for pick in alone] == [f"e{rows[5]:05d}"]
    assert [pick.id for pick in found.only if pick.chosen_by == 1] == [f"e{rows[0]:05d}"]
    (pick,) = alone
    assert (pick.rank, pick.score) == (5, 6.0)
    assert pick.texts == (f"text {rows[5]}, with a comma",)
    assert pick.ranks == {"entropy": (6, 8), "random": (3, 8)}
    assert [(view.rank, view.n_ranked, view.labeled, view.selected) for view in pick.views] == [
        (5, 8, False, True),
        (6, 8, False, False),
    ]
    assert pick.views[0].confidence == pytest.approx(0.5 + rows[5] / 24)
    assert pick.reason == runs["alvin"].explain(0, pick.id).reason
    labeled = [row for row in range(N_POOL) if row not in rows]
    assert pick.anchor is not None
    held = runs["alvin"].labels().loc[lambda frame: frame["round"] == 0, "id"].tolist()
    assert {pick.anchor.minority_id, pick.anchor.majority_id} <= set(held)
    assert (pick.anchor.weight, pick.anchor.distance) == (0.25, 4.5)
    assert pick.anchor.minority_text in [f"text {row}, with a comma" for row in labeled]


def test_an_example_that_the_other_has_labeled_already_says_so(runs: dict[str, alvin.Run]) -> None:
    found = side_by_side([runs["entropy"], runs["random"]], 1)
    assert {pick.views[1].labeled for pick in found.only if pick.chosen_by == 0} == {True}
    assert {pick.views[1].rank for pick in found.only if pick.chosen_by == 0} == {0}
    assert all(pick.anchor is None for pick in found.only)


def test_only_the_best_ranked_are_listed_and_all_are_counted(runs: dict[str, alvin.Run]) -> None:
    found = side_by_side([runs["entropy"], runs["random"]], 0, most=1)
    assert [(pick.chosen_by, pick.rank) for pick in found.only] == [(0, 1), (1, 1)]
    assert [one.n_only for one in found.runs] == [3, 3]
    with pytest.raises(SettingsError, match="most = -1"):
        side_by_side([runs["entropy"], runs["random"]], 0, most=-1)


def test_the_same_start_is_said_and_nothing_needs_a_note(two: SideBySide) -> None:
    assert two.same_start
    assert two.alike == ("the same data", "the same 4 initial labels", "seed 0", "budget 5")
    assert two.notes == ()


def test_other_starts_seeds_budgets_and_settings_are_told(tmp_path: Path, dataset: Dataset) -> None:
    one = begun(tmp_path / "s", dataset, "one", n=2)
    changes = {"seed": 3, "budget": 3, "alvin.alpha": 0.5, "runtime.threads": 1}
    other = begun(tmp_path / "s", dataset, "other", SETTINGS.with_values(changes), n=2)
    found = side_by_side([one, other], 1)
    assert not found.same_start
    same = (initial_labels(one) >= 0) & (initial_labels(other) >= 0)
    either = (initial_labels(one) >= 0) | (initial_labels(other) >= 0)
    start, seeds, budgets, sizes, settings = found.notes
    assert f"(only {same.sum()} of {either.sum()} in common)" in start
    assert seeds == "The seeds differ: one 0, other 3."
    assert budgets == "The budgets differ: one 5, other 3."
    assert "one 9, other 7" in sizes
    assert settings == "Other settings differ as well: alvin.alpha: one 2.0, other 0.5."
    assert found.alike == ("the same data",)


def test_the_same_strategy_twice_is_told(tmp_path: Path, dataset: Dataset) -> None:
    pair = [begun(tmp_path / "s", dataset, name) for name in ("one", "other")]
    found = side_by_side(pair, 0)
    assert found.notes == ("All runs select by alvin, with the same settings.",)
    assert found.only == ()
    assert found.overlaps[0].jaccard == 1


def test_runs_on_other_data_are_refused_with_both_names(tmp_path: Path, dataset: Dataset, fake: ModuleType) -> None:
    here = begun(tmp_path / "s", dataset, "here")
    there = begun(tmp_path / "s", fake.make_dataset(N_POOL + 1, 2), "there")
    with pytest.raises(DataError, match=r"'here' \(here.csv\) and 'there' \(there.csv\) are on different data"):
        side_by_side([here, there], 0)


def test_a_number_of_runs_that_cannot_be_shown_and_a_round_that_is_not_there_are_refused(
    runs: dict[str, alvin.Run],
) -> None:
    one, other = runs["entropy"], runs["random"]
    with pytest.raises(SettingsError, match="1 run cannot stand side by side; give 2 to 4"):
        side_by_side([one], 0)
    with pytest.raises(SettingsError, match="5 runs"):
        side_by_side([one] * 5, 0)
    with pytest.raises(SettingsError, match="'by-entropy' is given twice"):
        side_by_side([one, other, one], 0)
    with pytest.raises(StoreError, match="'by-entropy' has no round 7"):
        side_by_side([one, other], 7)


def test_plain_values_are_fit_for_json(two: SideBySide) -> None:
    plain = json.loads(json.dumps(two.to_dict()))
    assert plain["overlaps"][0]["jaccard"] == 0.25
    assert plain["runs"][0]["strategy"] == "entropy"
    assert len(plain["only"]) == 6


def test_runs_on_the_same_data_are_found_those_of_comparisons_last(
    tmp_path: Path, dataset: Dataset, fake: ModuleType
) -> None:
    store = tmp_path / "s"
    from alvin_core.experiments.cells import do_cell

    comparison = alvin.create_comparison(
        store, dataset, alvin.ComparisonPlan(("random",), (0,), 1, SETTINGS), name="c", source="x"
    )
    for task in comparison._tasks():
        do_cell(store, comparison.id, task)
    begun(store, dataset, "own")
    begun(store, fake.make_dataset(N_POOL + 1, 2), "elsewhere")
    found = runs_alike(store, "own")
    assert [info.name for info in found] == ["own", "c-random-s0"]
    assert [info.id for info in found] == [info.id for info in runs_alike(store, "c-random-s0")]
