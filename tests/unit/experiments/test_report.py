"""What a comparison says, from curves with known answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from alvin_core.errors import SettingsError
from alvin_core.experiments.markdown import interval_text
from alvin_core.experiments.report import default_reference, summarize_comparison, to_markdown
from alvin_core.experiments.results import CellResult, results_of
from alvin_core.experiments.summary import ComparisonSummary, LabelsToReach
from alvin_core.statistics import Interval

made = SimpleNamespace(**run_path(str(Path(__file__).with_name("made_records.py"))))

LOW = [[0.50, 0.60, 0.70], [0.52, 0.60, 0.72], [0.54, 0.62, 0.70]]
HIGH = [[0.50, 0.70, 0.80], [0.52, 0.71, 0.81], [0.54, 0.72, 0.80]]


def summary_of(**options: object) -> ComparisonSummary:
    return summarize_comparison(made.gathered({"alvin": HIGH, "entropy": LOW}), **options)


def test_a_curve_has_the_mean_and_interval_of_each_round_its_area_and_its_end() -> None:
    curve = summary_of().curve("accuracy:test", "entropy")
    assert [one.mean for one in curve.rounds] == pytest.approx([0.52, 1.82 / 3, 2.12 / 3])
    # Areas of the three seeds: (first / 2 + second + third / 2) / 2.
    areas = [0.60, 0.61, 0.62]
    half = stats.t.ppf(0.975, 2) * np.std(areas, ddof=1) / np.sqrt(3)
    assert (curve.area.mean, curve.area.low, curve.area.high) == pytest.approx((0.61, 0.61 - half, 0.61 + half))
    assert curve.final == curve.rounds[-1]
    assert curve.final.n == 3


def test_differences_are_paired_by_seed_arm_minus_reference() -> None:
    summary = summary_of()
    (primary,) = summary.primary
    (secondary,) = summary.secondary
    assert (primary.arm, primary.reference, primary.measure) == ("alvin", "entropy", "accuracy:test")
    # Areas of alvin: 0.675, 0.6875, 0.695; of entropy: 0.60, 0.61, 0.62.
    assert primary.difference.mean == pytest.approx(0.2275 / 3)
    assert secondary.difference.mean == pytest.approx((0.10 + 0.09 + 0.10) / 3)
    assert primary.difference.verdict == "better"


def test_turning_the_reference_round_turns_the_signs() -> None:
    there, back = summary_of().primary[0], summary_of(reference="alvin").primary[0]
    assert (back.arm, back.reference) == ("entropy", "alvin")
    assert back.difference.mean == pytest.approx(-there.difference.mean)
    assert back.difference.verdict == "worse"


def test_p_is_corrected_over_all_arms_and_tested_measures_together() -> None:
    cells = []
    rng = np.random.default_rng(0)
    for arm in ("entropy", "alvin", "random"):
        for seed in range(4):
            rounds = [
                made.record(row, 100 + row, {split: made.figures(*rng.uniform(0, 1, 2)) for split in ("test", "ood:a")})
                for row in range(2)
            ]
            cells.append(CellResult(arm, seed, "", tuple(rounds)))
    results = results_of("made", "", cells)
    summary = summarize_comparison(results)
    # 2 arms × 2 splits × (accuracy, worst group); macro-F1 is only described.
    assert [(one.measure, one.arm) for one in summary.primary] == [
        (f"{kind}:{split}", arm)
        for split in ("test", "ood:a")
        for kind in ("accuracy", "worst_group")
        for arm in ("alvin", "random")
    ]
    assert {one.difference.n_comparisons for one in summary.primary + summary.secondary} == {8}
    # Areas by hand: a curve of two points has the mean of both.
    tested = [row for row, measure in enumerate(results.measures) if not measure.startswith("macro")]
    areas = results.values[tested].mean(axis=-1)  # (n_tested, n_arms, n_seeds)
    rows = (areas[:, 1:] - areas[:, :1]).reshape(8, 4)
    p = np.array([stats.ttest_1samp(row, 0).pvalue for row in rows])
    order = np.argsort(p)
    expected = np.empty(8)
    expected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(8, 0, -1)), 1)
    assert [one.difference.p_corrected for one in summary.primary] == pytest.approx(expected.tolist())


def test_the_usual_reference_is_entropy_else_random_else_the_first() -> None:
    assert default_reference(("alvin", "random", "entropy")) == "entropy"
    assert default_reference(("alvin", "random", "badge")) == "random"
    assert default_reference(("cal", "badge")) == "cal"
    assert default_reference(("alvin epochs=3", "entropy epochs=3", "entropy epochs=4")) == "entropy epochs=3"


def test_a_reference_that_is_no_arm_is_an_error_with_the_arms() -> None:
    with pytest.raises(SettingsError, match="'margin' is no arm of 'made'; choose one of: alvin, entropy"):
        summary_of(reference="margin")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"confidence": 95}, "confidence = 95 must be between 0 and 1"), ({"test": "wilcoxon"}, "one of: t, sign-flip")],
)
def test_settings_out_of_range_are_errors(options: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        summary_of(**options)


def test_the_sign_flip_test_cannot_tell_with_three_seeds() -> None:
    summary = summary_of(test="sign-flip")
    assert summary.primary[0].difference.verdict == "too few seeds"
    assert "6 seeds are needed" in to_markdown(summary)


def test_the_headline_says_who_is_clearly_better_or_worse_in_how_many_measures() -> None:
    found = summarize_comparison(made.gathered({"alvin": HIGH, "badge": LOW, "entropy": LOW}))
    assert found.headline() == "alvin (in 1 of 1 measure) is measurably better than entropy."
    worse = summarize_comparison(made.gathered({"alvin": LOW, "badge": LOW, "entropy": HIGH}))
    assert worse.headline() == (
        "alvin (in 1 of 1 measure) and badge (in 1 of 1 measure) are measurably worse than entropy. "
        "No arm is measurably better than entropy in anything."
    )
    for one in (found, worse):
        assert one.headline() in to_markdown(one).splitlines()[2]
        assert one.to_dict()["headline"] == one.headline()


def test_no_difference_beyond_all_points_is_said_to_be_detectable() -> None:
    wild = [[0.1, 0.1], [0.9, 0.9]]
    power = summarize_comparison(made.gathered({"alvin": wild, "entropy": [[0.5, 0.5], [0.5, 0.5]]})).power()
    assert power.startswith("With 2 seeds, a true difference of over 100 points would be found")
    assert summarize_comparison(made.gathered({"alvin": wild})).power() == ""


def test_the_confidence_is_that_of_intervals_and_verdicts() -> None:
    wide, narrow = (summary_of(confidence=level).curve("accuracy:test", "alvin").area for level in (0.99, 0.5))
    assert wide.high - wide.low > 10 * (narrow.high - narrow.low)


def test_an_unfinished_seed_is_in_no_difference_and_the_others_are() -> None:
    results = made.gathered({"alvin": HIGH, "entropy": [*LOW[:2], LOW[2][:2]]})
    summary = summarize_comparison(results)
    assert summary.primary[0].difference.n == 2
    assert summary.curve("accuracy:test", "alvin").area.n == 3
    assert summary.curve("accuracy:test", "entropy").rounds[1].n == 3
    assert summary.notes == (
        "entropy: 1 of 3 seeds is not finished",
        "this is an interim look: a verdict can change until every seed is finished",
    )


def test_an_arm_without_a_finished_seed_is_in_no_test_and_named() -> None:
    cells = [made.cell(arm, seed, HIGH[seed]) for arm in ("alvin", "entropy") for seed in range(3)]
    cells += [CellResult("random", seed, "", ()) for seed in range(3)]
    summary = summarize_comparison(results_of("made", "", cells))
    assert [one.arm for one in summary.primary] == ["alvin"]
    assert summary.curve("accuracy:test", "random").final is None
    assert "random has finished no seed that entropy has, and is in no test" in summary.notes
    assert "| test | 0.686 ± 0.025 | 0.686 ± 0.025 | – | +0.000 ± 0.000 |" in to_markdown(summary)


def test_one_seed_has_no_interval_and_is_too_few() -> None:
    summary = summarize_comparison(made.gathered({"alvin": HIGH[:1], "entropy": LOW[:1]}))
    assert summary.primary[0].difference.verdict == "too few seeds"
    assert "| test | 0.675 | 0.600 | +0.075 |" in to_markdown(summary)


def test_one_arm_alone_is_described_and_not_tested() -> None:
    summary = summarize_comparison(made.gathered({"alvin": HIGH}))
    assert summary.primary == summary.secondary == summary.labels_to_reach == ()
    assert "Nothing was tested" in to_markdown(summary)


def test_one_round_is_its_own_area() -> None:
    summary = summarize_comparison(made.gathered({"alvin": [[0.5], [0.7]]}))
    assert summary.curve("accuracy:test", "alvin").area.mean == pytest.approx(0.6)


def reach(own: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> LabelsToReach:
    (found,) = summarize_comparison(made.gathered({"alvin": own, "entropy": other})).labels_to_reach
    return found


def test_labels_to_reach_lie_on_the_line_between_two_rounds() -> None:
    # 0.60 is reached three quarters of the way from 100 labels (0.30) to 150 (0.70).
    found = reach([[0.30, 0.70, 0.90]], [[0.20, 0.40, 0.60]])
    assert found.n_labeled == pytest.approx(137.5)
    assert found.saved == pytest.approx(62.5)
    assert found.target == pytest.approx(0.6)


def test_what_is_reached_from_the_start_takes_the_initial_labels() -> None:
    assert reach([[0.9, 0.9, 0.9]], [[0.2, 0.4, 0.6]]).n_labeled == 100


def test_what_is_never_reached_has_no_number() -> None:
    found = reach([[0.1, 0.2, 0.3]], [[0.2, 0.4, 0.6]])
    assert (found.n_labeled, found.saved, found.saved_per_seed) == (None, None, None)
    assert (found.n_not_reached, found.per_seed) == (1, (None,))


def test_labels_saved_are_averaged_only_where_every_seed_gets_there() -> None:
    both = reach([[0.2, 0.6, 0.8], [0.2, 0.4, 0.6]], [[0.2, 0.4, 0.6], [0.2, 0.4, 0.5]])
    assert both.per_seed == pytest.approx((150, 175))
    assert both.saved_per_seed.mean == pytest.approx(37.5)
    one = reach([[0.2, 0.6, 0.8], [0.2, 0.3, 0.4]], [[0.2, 0.4, 0.6], [0.2, 0.4, 0.5]])
    assert one.per_seed == (pytest.approx(150), None)
    assert one.saved_per_seed is None
    assert one.n_not_reached == 1


def test_figures_of_a_selection_are_averaged_over_annotated_rounds_alone() -> None:
    cells = []
    for seed, shift in enumerate((0.0, 0.1)):
        rounds = [
            made.record(row, 100 + row, {"test": made.figures(0.5)}, mean_confidence=value + shift)
            for row, value in enumerate((0.6, 0.8, 0.1))
        ]
        cells.append(CellResult("alvin", seed, "", tuple(rounds)))
    one = summarize_comparison(results_of("made", "", cells)).selection("mean_confidence", "alvin")
    assert [value.mean for value in one.rounds] == pytest.approx([0.65, 0.85, 0.15])
    assert one.annotated.mean == pytest.approx(0.75)
    assert one.annotated.n == 2


def test_json_is_plain_rounded_and_the_same_each_time() -> None:
    plain, again = summary_of().to_dict(), summary_of().to_dict()
    text = json.dumps(plain, allow_nan=False)
    assert text == json.dumps(again, allow_nan=False)
    assert plain["primary"][0]["difference"]["mean"] == round(0.2275 / 3, 6)
    assert plain["primary"][0]["sentence"] == summary_of().primary[0].sentence
    assert not any(word in text for word in ("created_at", "seconds", "2026", "alvin-0"))


def test_what_is_not_known_is_null_in_json() -> None:
    plain = summarize_comparison(made.gathered({"alvin": HIGH[:1]})).to_dict()
    assert plain["curves"][0]["final"] == {"mean": 0.8, "low": None, "high": None, "n": 1}


def test_markdown_has_arms_as_columns_and_clear_differences_in_bold() -> None:
    lines = to_markdown(summary_of()).splitlines()
    table = lines.index("## Accuracy, mean over the learning curve")
    assert lines[table + 2] == "|  | alvin | entropy | alvin − entropy |"
    cells = lines[table + 4].strip("| ").split(" | ")
    assert cells[0] == "test"
    assert cells[2] == "0.610 ± 0.025"
    assert cells[3] == "**+0.076 ± 0.004**"
    assert any(line.startswith("## Macro-F1") for line in lines)


def test_markdown_does_not_embolden_what_chance_explains() -> None:
    noisy = [[0.50, 0.60, 0.72], [0.52, 0.60, 0.70], [0.54, 0.62, 0.71]]
    text = to_markdown(summarize_comparison(made.gathered({"alvin": noisy, "entropy": LOW})))
    assert "**" not in text
    assert "no measurable difference between alvin and entropy in accuracy on test" in text


def test_every_verdict_and_note_is_in_the_markdown_which_ends_with_how_it_was_computed() -> None:
    results = made.gathered({"alvin": HIGH, "entropy": [*LOW[:2], LOW[2][:2]], "random": LOW})
    summary = summarize_comparison(results)
    text = to_markdown(summary)
    for sentence in [one.sentence for one in summary.primary] + list(summary.notes) + list(summary.method()):
        assert sentence.replace("<", "\\<").replace("~", "\\~") in text
    end = text[text.index("## How this was computed") :]
    assert "corrected by Holm over 2 comparisons" in end
    assert "paired t-test" in end
    assert "over 2 seeds" in end or "2 to 3 seeds" in end


def test_names_cannot_break_a_table() -> None:
    results = made.gathered({"a|b *c*": HIGH, "entropy": LOW})
    assert "| a\\|b \\*c\\* | entropy |" in to_markdown(summarize_comparison(results))


def test_an_interval_is_written_with_its_half_width_or_its_ends() -> None:
    assert interval_text(Interval(0.5, 0.48, 0.52, 3)) == "0.500 ± 0.020"
    assert interval_text(Interval(0.5, 0.45, 0.52, 3), "+") == "+0.500 [+0.450, +0.520]"
    assert interval_text(Interval(-0.0001, float("nan"), float("nan"), 1), "+") == "+0.000"
    assert interval_text(None) == "–"
