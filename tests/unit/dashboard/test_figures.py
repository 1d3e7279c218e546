"""Figures: the same marks and colours as the interactive map, in words and shapes as well as in colours."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from alvin_core import RoundRecord, SettingsError
from dashboard.colouring import color_by
from dashboard.figures.representation_map import representation_map
from dashboard.figures.small import curves, sparkline
from dashboard.figures.strip import round_strip_values
from dashboard.figures.texts import hover_text, plain_text
from dashboard.palette import DARK, LIGHT

HOSTILE = '<b onclick="x()">bold</b> <a href="javascript:alert(1)">link</a> $\\frac{1}{2}$ %{x} &lt; \x00 \ud800'


@pytest.fixture
def draw(columns, projection, anchors):
    def make(how: str = "class", **given: Any):
        figured = given.pop("columns", columns)
        codes = color_by(figured, how, match=np.arange(len(figured.ids)) == 6)
        return representation_map(figured, given.pop("projection", projection), codes, **{"anchors": anchors, **given})

    return make


def drawn(figure, symbol: str) -> set[int]:
    """Indexes of the points drawn with a symbol."""
    return {
        index
        for trace in figure.data
        if trace.customdata is not None and trace.marker.symbol == symbol
        for index in np.asarray(trace.customdata).tolist()
    }


def legend(figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.showlegend is not False]


def notes(figure) -> str:
    return " ".join(annotation.text for annotation in figure.layout.annotations)


def test_minority_examples_are_diamonds_and_all_others_discs(draw) -> None:
    figure = draw()
    assert drawn(figure, "diamond") == {1}
    assert drawn(figure, "circle") == set(range(10)) - {1}


def test_the_legend_says_every_colour_and_every_mark_in_words(draw) -> None:
    figure = draw(other="entropy")
    assert legend(figure) == [
        "negative  6", "positive  4", "segment to both parents", "anchor, place approximate", "majority",
        "minority (inferred)", "selected",
    ]  # fmt: skip
    assert [shape.name for shape in figure.layout.shapes if shape.showlegend] == ["entropy's choice"]
    assert figure.layout.legend.title.text == "Class (unlabeled: as predicted)"


def test_selected_points_are_ringed_and_anothers_choice_is_ringed_with_dashes(draw, projection) -> None:
    figure = draw(other="entropy")
    rings = next(trace for trace in figure.data if trace.name == "selected")
    assert np.allclose(np.c_[rings.x, rings.y], projection.xy[[4, 5]])
    assert rings.marker.symbol == "circle-open"
    dashed = {(shape.xanchor, shape.yanchor) for shape in figure.layout.shapes}
    assert dashed == {tuple(map(float, projection.xy[row])) for row in (4, 7)}
    assert {shape.line.dash for shape in figure.layout.shapes} == {"dot"}


def test_a_segment_runs_from_the_minority_parent_through_the_anchor_to_the_majority_parent(
    draw, projection, anchors
) -> None:
    segments = next(trace for trace in draw().data if trace.mode == "lines")
    first = np.c_[segments.x, segments.y][:3]
    assert np.allclose(first, [projection.xy[1], anchors.xy[0], projection.xy[0]])
    assert np.isnan(segments.x[3])


def test_a_map_says_what_of_it_is_approximate(draw) -> None:
    told = notes(draw(note="Round 2 of 9."))
    assert told == (
        "Round 2 of 9. Principal components of the model&#39;s space; it keeps 31&#37; of the 10 nearest true "
        "neighbours. 3 of 40 anchors, of those that retrieved the selected; their places are approximate."
    )


def test_layers_are_left_out(draw) -> None:
    figure = draw(layers=dict.fromkeys(("pool", "anchors", "segments", "selected"), False))
    assert drawn(figure, "circle") | drawn(figure, "diamond") == {0, 1, 2, 3}
    assert legend(figure) == ["negative  6", "positive  4", "majority", "minority (inferred)"]
    assert drawn(draw(layers={"labeled": False}), "circle") == set(range(4, 10))


@pytest.mark.parametrize(("dark", "look"), [(False, LIGHT), (True, DARK)])
def test_a_theme_is_card_and_ink(draw, dark: bool, look) -> None:
    layout = draw(dark=dark).layout
    assert (layout.paper_bgcolor, layout.plot_bgcolor, layout.font.color) == (look.card, look.card, look.ink)


@pytest.mark.parametrize("how", ["confidence", "entropy", "forgetting"])
def test_a_ramp_has_a_colour_bar_and_its_grey_points_a_legend_entry(draw, how: str) -> None:
    figure = draw(how)
    assert figure.layout.coloraxis.colorscale[0][1] != figure.layout.coloraxis.colorscale[-1][1]
    assert list(figure.layout.coloraxis.colorbar.tickvals) == [0, 254]
    assert drawn(figure, "circle") | drawn(figure, "diamond") == set(range(10))
    assert ("unlabeled: not trained on  6" in legend(figure)) == (how == "forgetting")


@pytest.mark.parametrize("how", ["class", "group", "known", "confidence", "forgetting", "right", "match"])
def test_every_point_is_drawn_once_in_every_colouring(draw, how: str) -> None:
    indexes = [index for trace in draw(how).data if trace.customdata is not None for index in trace.customdata]
    assert sorted(indexes) == list(range(10))


def test_a_crowd_is_drawn_by_webgl_and_thinned_where_it_is_missing(make_columns, project_columns, draw) -> None:
    columns = make_columns(n=30_000)
    projection = project_columns(columns)
    by_gl = draw(columns=columns, projection=projection)
    assert {type(trace).__name__ for trace in by_gl.data if trace.customdata is not None} == {"Scattergl"}
    without = draw(columns=columns, projection=projection, webgl=False)
    assert {type(trace).__name__ for trace in without.data} == {"Scatter"}
    assert len(drawn(without, "circle") | drawn(without, "diamond")) == 20_004
    assert "20,000 of 29,996 pool points drawn." in notes(without)
    assert "drawn." not in notes(by_gl)


def test_few_points_need_no_webgl(draw) -> None:
    assert {type(trace).__name__ for trace in draw().data} == {"Scatter"}


def test_hovering_tells_an_unlabeled_points_prediction_and_a_labeled_ones_label(draw) -> None:
    texts = [f"text {row}" for row in range(10)]
    told = {
        index: line
        for trace in draw(texts=texts).data
        if trace.customdata is not None
        for index, line in zip(trace.customdata, trace.text, strict=True)
    }
    assert told[1] == "text 1<br><i>label positive · predicted negative 0.56</i>"
    assert told[6] == "text 6<br><i>predicted positive 0.83</i>"


def test_hostile_names_and_texts_stay_text(draw, make_columns) -> None:
    columns = make_columns(classes=(HOSTILE, "positive"))
    figure = draw(columns=columns, texts=[HOSTILE] * 10, title=HOSTILE, note=HOSTILE)
    shown = [figure.layout.title.text, notes(figure), *legend(figure)]
    shown += [line for trace in figure.data if trace.text is not None for line in trace.text]
    for text in shown:
        bare = text.replace("<br>", "").replace("<i>", "").replace("</i>", "")
        assert not set("<>$\x00\ud800") & set(bare)
        assert "%{" not in bare


def test_a_text_for_hovering_is_short_lines_of_its_beginning() -> None:
    lines = hover_text("word " * 20_000).split("<br>")
    assert len(lines) <= 5
    assert max(map(len, lines)) <= 61
    assert plain_text("a < b & c") == "a &#60; b &#38; c"
    assert hover_text("") == ""


@pytest.mark.parametrize("given", [{"texts": ["one"]}, {"other": "magic"}])
def test_what_does_not_fit_the_map_is_refused(draw, given) -> None:
    with pytest.raises(SettingsError):
        draw(**given)


def svg(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def path_of(text: str) -> str:
    return next(node.attrib["d"] for node in svg(text).iter() if node.tag.endswith("path"))


def test_a_sparkline_rises_with_its_values() -> None:
    assert path_of(sparkline([0.0, 1.0], label="p", width=108, height=24)) == "M4.0 20.0L104.0 4.0"


def test_a_sparkline_has_a_gap_where_a_value_is_missing_and_says_so() -> None:
    line = sparkline([0.2, None, 0.4, float("nan"), 0.6], label="probability")
    assert path_of(line).count("M") == 3
    assert svg(line).attrib["aria-label"] == "probability: 0.20, missing, 0.40, missing, 0.60"


@pytest.mark.parametrize(("values", "n_dots"), [([], 0), ([None], 0), ([0.5], 1)])
def test_a_sparkline_of_few_values_is_drawn(values, n_dots: int) -> None:
    assert sum(node.tag.endswith("circle") for node in svg(sparkline(values, label="p")).iter()) == n_dots


def test_a_sparklines_label_is_text() -> None:
    drawing = sparkline([1.0], label='"><script>alert(1)</script>', color='red" onload="x')
    assert {node.tag.rpartition("}")[2] for node in svg(drawing).iter()} == {"svg", "title", "path", "circle"}
    assert "onload" not in svg(drawing).attrib


def metrics(rounds: int = 3) -> pd.DataFrame:
    rows = [
        {
            "round": no,
            "n_labeled": 100 + 50 * no,
            "split": split,
            "accuracy": start + 0.1 * no,
            "worst_group_accuracy": worst,
        }
        for no in range(rounds)
        for split, start, worst in (("test", 0.5, 0.25), ("ood:balanced", 0.3, None))
    ]
    return pd.DataFrame(rows)


def test_learning_curves_name_each_line_with_its_last_value() -> None:
    drawing = svg(curves(metrics()))
    texts = [node.text for node in drawing.iter() if node.tag.endswith("text")]
    assert {"test 0.70", "balanced 0.50", "worst group 0.25", "100", "200 labels"} <= set(texts)
    assert drawing.attrib["aria-label"] == (
        "Accuracy by number of labels. test: from 0.50 to 0.70; worst group: from 0.25 to 0.25; "
        "balanced: from 0.30 to 0.50"
    )


def test_learning_curves_differ_by_dashes_too() -> None:
    dashes = [node.get("stroke-dasharray") for node in svg(curves(metrics())).iter() if node.tag.endswith("path")]
    assert len(set(dashes)) == 3


def test_names_at_the_ends_of_curves_do_not_overlap() -> None:
    frame = pd.DataFrame(
        [{"n_labeled": n, "split": f"ood:{row}", "accuracy": 0.5} for row in range(6) for n in (100, 200)]
    )
    heights = sorted(
        float(node.attrib["y"])
        for node in svg(curves(frame)).iter()
        if node.tag.endswith("text") and " 0.50" in node.text
    )
    assert len(heights) == 6
    assert np.diff(heights).min() >= 11.9


def test_one_round_is_a_dot_and_no_round_is_said() -> None:
    assert "150 labels" in curves(metrics(2).query("round == 1"))
    assert "no round was evaluated yet" in curves(pd.DataFrame())
    assert "no round was evaluated yet" in curves(pd.DataFrame([{"split": None, "n_labeled": 3, "accuracy": None}]))


def record(**given: Any) -> RoundRecord:
    split = {"n": 600, "accuracy": 0.9, "worst_group": "positive × horror", "worst_group_accuracy": 0.066}
    known: dict[str, Any] = {
        "run": "r", "round": 2, "strategy": "alvin", "n_labeled": 200,
        "metrics": {"test": split, "ood:balanced": {**split, "accuracy": 0.54}},
        "groups": {"n_minority": 12, "n_majority": 1_188, "rule": "forgetting", "filled_share": 0.25},
        "anchors": {"n": 40}, "selection": {"n": 50, "mean_confidence": 0.583, "uncertainty_mean_confidence": 0.552},
        "encoding": {}, "seconds": {}, "warnings": (), "created_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return RoundRecord(**{**known, **given})


def test_the_strip_has_the_figures_of_a_round() -> None:
    assert [(value, label) for value, label, _ in round_strip_values(record())] == [
        ("0.90", "test"),
        ("0.54", "balanced (OOD)"),
        ("0.07", "worst group"),
        ("12 / 1,188", "minority / majority"),
        ("0.58 vs 0.55", "mean confidence, ALVIN vs entropy"),
    ]
    helps = [help_ for _, _, help_ in round_strip_values(record())]
    assert helps[2] == "Lowest accuracy of a group (class × attribute) on test: positive × horror."
    assert "25% of the minority were filled up" in helps[3]


def test_a_missing_figure_is_a_dash_with_its_reason() -> None:
    values = round_strip_values(record(metrics={}, groups={}, selection={"n": 0, "mean_confidence": None}))
    assert [value for value, _, _ in values] == ["–"] * 5
    assert [help_.split(".")[0] for _, _, help_ in values] == [
        "The data have no test split",
        "The data have no split out of distribution (a split named ood:…)",
        "Groups are class × attribute, and no split has an attribute column",
        "No groups were inferred in this round",
        "Nothing was selected in this round: the pool was empty",
    ]


def test_of_many_splits_out_of_distribution_the_lowest_has_a_place() -> None:
    splits = {f"ood:{name}": {"n": 9, "accuracy": value} for name, value in (("a", 0.5), ("b", 0.2), ("c", 0.7))}
    values = round_strip_values(record(metrics=splits))
    assert values[1][:2] == ("0.20", "lowest of 3 OOD")
    assert values[1].help.endswith(": b.")


def test_a_run_of_entropy_is_not_compared_with_itself() -> None:
    assert round_strip_values(record(strategy="entropy"))[-1][:2] == ("0.58", "mean confidence, entropy")


def test_where_entropy_was_not_computed_its_place_is_a_dash() -> None:
    *_, last = round_strip_values(record(selection={"n": 50, "mean_confidence": 0.5}))
    assert last.value == "0.50 vs –"
    assert "was not computed" in last.help
