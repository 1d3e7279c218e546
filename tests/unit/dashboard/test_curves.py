"""Figures of a comparison: what they draw is what the summary says."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from alvin_core import ComparisonSummary, SettingsError, results_of, summarize_comparison
from dashboard.figures.curves import arm_styles, difference_forest, learning_curve, selection_curve
from dashboard.palette import DARK, LIGHT

HELPERS = Path(__file__).parents[1] / "experiments" / "made_records.py"
made = SimpleNamespace(**run_path(str(HELPERS)))

LOW = [[0.50, 0.60, 0.70], [0.52, 0.60, 0.72], [0.54, 0.62, 0.70]]
HIGH = [[0.50, 0.70, 0.80], [0.52, 0.71, 0.81], [0.54, 0.72, 0.80]]
NOISY = [[0.50, 0.60, 0.72], [0.52, 0.60, 0.70], [0.54, 0.62, 0.71]]


def summary_of(**arms: list[list[float]]) -> ComparisonSummary:
    cells = [
        made.cell(arm, seed, heights, mean_confidence=0.6, overlap_entropy=0.25)
        for arm, seeds in arms.items()
        for seed, heights in enumerate(seeds)
    ]
    return summarize_comparison(results_of("made", "", cells))


@pytest.fixture
def summary() -> ComparisonSummary:
    return summary_of(alvin=HIGH, entropy=LOW, random=NOISY)


def test_a_line_has_the_means_and_its_band_the_ends_of_the_intervals(summary) -> None:
    figure = learning_curve(summary, "accuracy:test")
    line = next(trace for trace in figure.data if trace.name == "alvin" and trace.mode == "lines+markers")
    band = next(trace for trace in figure.data if trace.name == "alvin" and trace.fill == "toself")
    rounds = summary.curve("accuracy:test", "alvin").rounds
    assert list(line.x) == [100, 150, 200]
    assert list(line.y) == [one.mean for one in rounds]
    assert list(band.x) == [100, 150, 200, 200, 150, 100]
    assert list(band.y) == [one.high for one in rounds] + [one.low for one in reversed(rounds)]


def test_an_arm_with_one_seed_has_a_line_and_no_band() -> None:
    figure = learning_curve(summary_of(alvin=HIGH[:1], entropy=LOW[:1]), "accuracy:test")
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    assert [list(band.x) for band in bands] == [[], []]
    assert "1 seed" in figure.data[-1].text[0]


def test_a_measure_that_is_not_there_is_an_error_with_those_that_are(summary) -> None:
    with pytest.raises(SettingsError, match="no curve of 'accuracy:ood:x' for 'alvin'; the measures are accuracy:test"):
        learning_curve(summary, "accuracy:ood:x")
    with pytest.raises(SettingsError, match="no figure 'diversity' for 'alvin'; the figures are mean_confidence"):
        selection_curve(summary, "diversity")


def test_no_two_arms_share_colour_dashes_or_marker() -> None:
    arms = [f"arm {row}" for row in range(6)]
    styles = arm_styles(arms, "arm 3").values()
    for part in ("color", "dash", "symbol"):
        assert len({getattr(style, part) for style in styles}) == 6, part


def test_many_arms_still_differ_in_colour_and_in_marker_with_dashes() -> None:
    arms = [f"arm {row}" for row in range(20)]
    styles = arm_styles(arms, "arm 0")
    assert list(styles) == arms
    assert len({style.color for style in styles.values()}) == 20
    assert len({(style.dash, style.symbol) for style in styles.values()}) == 20


def test_an_arm_looks_the_same_in_every_figure(summary) -> None:
    lines = {
        trace.name: trace for trace in learning_curve(summary, "accuracy:test").data if trace.mode == "lines+markers"
    }
    others = {trace.name: trace for trace in selection_curve(summary, "mean_confidence").data if trace.fill is None}
    points = {trace.name: trace for trace in difference_forest(summary).data}
    for arm in ("alvin", "random"):
        assert lines[arm].line.color == others[arm].line.color == points[arm].marker.line.color
        assert lines[arm].marker.symbol == others[arm].marker.symbol == points[arm].marker.symbol


def test_the_forest_has_every_difference_in_points_with_its_interval(summary) -> None:
    figure = difference_forest(summary)
    assert [trace.name for trace in figure.data] == ["alvin", "random"]
    for trace, one in zip(figure.data, summary.primary, strict=True):
        found = one.difference
        assert trace.x[0] == pytest.approx(100 * found.mean)
        assert trace.x[0] + trace.error_x.array[0] == pytest.approx(100 * found.high)
        assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(100 * found.low)


def test_only_measurable_differences_are_filled(summary) -> None:
    assert [one.difference.verdict for one in summary.primary] == ["better", "no measurable difference"]
    alvin, random = difference_forest(summary).data
    assert alvin.marker.color == (alvin.marker.line.color,)
    assert random.marker.color == (LIGHT.card,)


def test_the_secondary_forest_is_of_the_last_round(summary) -> None:
    figure = difference_forest(summary, secondary=True)
    assert figure.data[0].x[0] == pytest.approx(100 * summary.secondary[0].difference.mean)
    assert figure.data[0].x[0] != pytest.approx(100 * summary.primary[0].difference.mean)


def test_shares_are_drawn_as_percentages_from_zero_and_others_are_not(summary) -> None:
    assert selection_curve(summary, "overlap_entropy").layout.yaxis.tickformat == ".0%"
    assert selection_curve(summary, "overlap_entropy").layout.yaxis.rangemode == "tozero"
    assert selection_curve(summary, "mean_confidence").layout.yaxis.tickformat == ".2f"


def test_names_are_shown_as_text() -> None:
    summary = summary_of(**{"<b>a</b> $x$": HIGH, "entropy": LOW})
    for figure in (learning_curve(summary, "accuracy:test"), difference_forest(summary)):
        assert "<b>a</b>" not in figure.to_json()
        assert figure.data[0].name == "&#60;b&#62;a&#60;/b&#62; &#36;x&#36;"


def test_the_theme_colours_the_figure(summary) -> None:
    assert learning_curve(summary, "accuracy:test", look=DARK).layout.paper_bgcolor == DARK.card


def test_the_axis_names_the_first_and_the_last_number_of_labels() -> None:
    cells = [made.cell("alvin", 0, [0.5] * 23)]
    figure = learning_curve(summarize_comparison(results_of("made", "", cells)), "accuracy:test")
    ticks = figure.layout.xaxis.tickvals
    assert (ticks[0], ticks[-1]) == (100, 1200)
    assert len(ticks) <= 7


def test_figures_come_without_streamlit() -> None:
    import subprocess
    import sys

    program = "import sys, dashboard.figures.curves, dashboard.report_page; print('streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
