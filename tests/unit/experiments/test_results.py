"""Rounds of runs as arrays."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.errors import SettingsError
from alvin_core.experiments.results import CellResult, ComparisonResults, groups_against, results_of
from alvin_core.experiments.words import figure_words, measure_words

made = SimpleNamespace(**run_path(str(Path(__file__).with_name("made_records.py"))))
cell, figures, record = made.cell, made.figures, made.record

BOTH = {"ood:balanced": figures(0.5, 0.2), "test": figures(0.9, 0.1)}


def test_every_split_has_accuracy_macro_f1_and_worst_group_test_first() -> None:
    results = results_of("made", "", [CellResult("alvin", 0, "a", (record(0, 100, BOTH),))])
    assert results.measures == (
        "accuracy:test",
        "macro_f1:test",
        "worst_group:test",
        "accuracy:ood:balanced",
        "macro_f1:ood:balanced",
        "worst_group:ood:balanced",
    )
    assert results.values[:, 0, 0, 0].tolist() == [0.9, 0.45, 0.1, 0.5, 0.25, 0.2]


def test_without_groups_there_is_no_worst_group() -> None:
    results = results_of("made", "", [cell("alvin", 0, [0.5])])
    assert results.measures == ("accuracy:test", "macro_f1:test")


def test_each_value_stands_at_its_arm_seed_and_round_whatever_the_order_of_cells() -> None:
    cells = [cell("random", 7, [0.1, 0.2]), cell("alvin", 3, [0.3, 0.4]), cell("random", 3, [0.5, 0.6])]
    cells.append(cell("alvin", 7, [0.7, 0.8]))
    results = results_of("made", "", cells)
    assert (results.arms, results.seeds) == (("random", "alvin"), (3, 7))
    assert results.n_labeled.tolist() == [100, 150]
    assert results.values[0].tolist() == [[[0.5, 0.6], [0.1, 0.2]], [[0.3, 0.4], [0.7, 0.8]]]
    assert results.notes == ()


def test_records_are_taken_in_the_order_of_their_rounds() -> None:
    one = cell("alvin", 0, [0.1, 0.2, 0.3])
    turned = CellResult("alvin", 0, "a", one.records[::-1])
    assert results_of("made", "", [turned]).values[0, 0, 0].tolist() == [0.1, 0.2, 0.3]


def test_what_is_missing_is_nan_and_counted() -> None:
    cells = [cell("alvin", 0, [0.1, 0.2]), cell("alvin", 1, [0.3]), CellResult("entropy", 0, "", ())]
    cells.append(cell("entropy", 1, [0.5, 0.6]))
    results = results_of("made", "", cells)
    assert np.isnan(results.values[0]).tolist() == [[[False, False], [False, True]], [[True, True], [False, False]]]
    assert results.notes == ("alvin: 1 of 2 seeds is not finished", "entropy: 1 of 2 seeds is not finished")


def test_cells_that_all_stopped_early_are_not_finished() -> None:
    results = results_of("made", "", [cell("alvin", 0, [0.1, 0.2]), cell("alvin", 1, [0.1, 0.2])], n_rounds=3)
    assert results.n_labeled.tolist() == [100, 150]
    assert results.notes == ("alvin: 2 of 2 seeds are not finished",)


def test_rounds_beyond_those_asked_for_are_left_out() -> None:
    results = results_of("made", "", [cell("alvin", 0, [0.1, 0.2, 0.3]), cell("random", 0, [0.1, 0.2])], n_rounds=2)
    assert results.values[0, :, 0].tolist() == [[0.1, 0.2], [0.1, 0.2]]
    assert results.notes == ()


def test_only_the_rounds_before_the_first_with_another_number_of_labels_are_compared() -> None:
    fewer = cell("random", 0, [0.4, 0.5, 0.6])
    last = record(2, 180, {"test": figures(0.6)})
    cells = [cell(arm, 0, [0.1, 0.2, 0.3]) for arm in ("alvin", "entropy")]
    cells.append(CellResult("random", 0, "r", (*fewer.records[:2], last)))
    results = results_of("made", "", cells)
    assert results.n_labeled.tolist() == [100, 150]
    words = "the runs of 'made' have 180 or 200 labels in round 2 (random seed 0 with 180)"
    assert results.notes == (f"only rounds 0 to 1 are compared: {words}",)


def test_rounds_after_the_pool_is_exhausted_are_left_out() -> None:
    records = tuple(record(row, n, {"test": figures(0.5)}) for row, n in enumerate((100, 150, 150)))
    results = results_of("made", "", [CellResult("alvin", 0, "a", records)])
    assert results.n_labeled.tolist() == [100, 150]
    assert "only rounds 0 to 1 are compared: from round 2 on nothing was annotated" in results.notes


def test_initial_sets_of_several_sizes_cannot_be_compared() -> None:
    with pytest.raises(SettingsError, match=r"have 100 or 120 labels in round 0 .*; compare runs with one size"):
        results_of("made", "", [cell("alvin", 0, [0.1]), cell("random", 0, [0.1], first=120)])


def test_nothing_finished_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match="'made' has no finished round yet; run it with `alvin compare`"):
        results_of("made", "", [CellResult("alvin", 0, "", ())])


def test_two_runs_of_one_arm_and_seed_are_an_error() -> None:
    with pytest.raises(SettingsError, match="the arm 'alvin' has two runs with seed 4"):
        results_of("made", "", [cell("alvin", 4, [0.1]), cell("alvin", 4, [0.2])])


def test_a_run_without_its_first_round_is_an_error() -> None:
    late = CellResult("alvin", 0, "late", cell("alvin", 0, [0.1, 0.2]).records[1:])
    with pytest.raises(SettingsError, match=r"the run 'late' has the rounds \[1\]"):
        results_of("made", "", [late])


def test_shares_that_a_selection_does_not_name_are_zero_and_unknown_ones_are_nan() -> None:
    cells = [
        cell("alvin", 0, [0.5], class_shares={"neg": 1.0}, group_shares={"neg × film": 0.75, "neg × book": 0.25}),
        cell("random", 0, [0.5], class_shares={"neg": 0.5, "pos": 0.5}),
    ]
    results = results_of("made", "", cells, against=["neg × book", "pos × film"])
    found = dict(zip(results.figures, results.selections[:, :, 0, 0].tolist(), strict=True))
    assert found["class_share:pos"] == [0.0, 0.5]
    assert found["group_share:neg × book"][0] == 0.25
    assert found["against"][0] == 0.25
    assert np.isnan(found["group_share:neg × book"][1])
    assert np.isnan(found["against"][1])


def test_figures_that_no_round_has_are_not_listed() -> None:
    results = results_of("made", "", [cell("alvin", 0, [0.5], mean_confidence=0.75, mean_entropy=None)])
    assert results.figures == ("mean_confidence",)
    assert results.selections.tolist() == [[[[0.75]]]]


def test_without_help_the_smaller_groups_of_the_test_split_contradict() -> None:
    shares = {"neg × book": 0.25, "pos × film": 0.5, "pos × book": 0.25}
    one = record(0, 100, BOTH, class_shares={"neg": 0.25, "pos": 0.75}, group_shares=shares)
    results = results_of("made", "", [CellResult("alvin", 0, "a", (one,))])
    assert results.selections[results.figures.index("against")].item() == 0.75


def planted(labels: list[int], attributes: list[str] | None, splits: list[str] | None = None) -> Dataset:
    n = len(labels)
    return Dataset(
        ids=np.array([f"{row:02}" for row in range(n)]),
        texts=Texts.pack([f"text {row}" for row in range(n)]),
        labels=np.array(labels),
        classes=("neg", "pos"),
        splits=np.array(splits or ["pool"] * n),
        attributes=None if attributes is None else np.array(attributes),
    )


def test_groups_whose_attribute_is_not_the_usual_one_of_their_class_contradict() -> None:
    labels, attributes = [0, 0, 0, 0, 1, 1, 1], ["film", "film", "book", "song", "book", "book", "film"]
    assert groups_against(planted(labels, attributes)) == ("neg × book", "neg × song", "pos × film")


def test_only_the_pool_says_what_is_usual() -> None:
    labels, attributes = [0, 0, 0, 0, 0, 0], ["film", "film", "book", "book", "book", "book"]
    splits = ["pool", "pool", "pool", "test", "test", "test"]
    assert groups_against(planted(labels, attributes, splits)) == ("neg × book",)


def test_a_class_without_one_usual_attribute_has_none_that_contradicts() -> None:
    assert groups_against(planted([0, 0, 1, 1, 1], ["film", "book", "book", "book", "film"])) == ("pos × film",)


def test_without_attributes_nothing_contradicts() -> None:
    assert groups_against(planted([0, 1], None)) == ()
    assert groups_against(planted([0, 0, 0], ["", "", ""])) == ()


def test_measures_and_figures_have_words() -> None:
    assert measure_words("accuracy:ood:balanced") == "accuracy on ood:balanced"
    assert measure_words("worst_group:test") == "worst-group accuracy on test"
    assert measure_words("macro_f1:test") == "macro-F1 on test"
    assert figure_words("mean_confidence") == "mean confidence of the selected"
    assert figure_words("group_share:neg × a:b") == "share of the selected in the group neg × a:b"


def test_arrays_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values of shape \(1, 1, 1, 2\) should be of shape \(1, 1, 1, 1\)"):
        ComparisonResults(
            "made",
            "",
            ("a",),
            (0,),
            np.array([100]),
            ("accuracy:test",),
            np.zeros((1, 1, 1, 2)),
            (),
            np.zeros((0, 1, 1, 1)),
        )
