"""Shortcuts drawn and told: lines of a cue, the dataset map, the matrix of groups, and texts with their cue marked."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from dashboard.cue_marks import marked, spans_of
from dashboard.cue_words import added, change_of, cue_name, goes_with, shown_p
from dashboard.figures.cue_lines import CHANCE, CueLine, cue_lines
from dashboard.figures.shortcuts import dataset_map, group_table
from dashboard.palette import DARK


def history(*rows: tuple[int, float, float, float]) -> pd.DataFrame:
    """n, share, base share and z of rounds 0, 1, …"""
    frame = pd.DataFrame(rows, columns=["n", "share", "base_share", "z"])
    return frame.assign(round=range(len(rows)), lmi=0.01)


GROUPS = pd.DataFrame(
    [
        ("bad", "horror", 90, 0.45, 0.95, 40, 3),
        ("bad", "romance", 10, 0.05, 0.3, 1, 2),
        ("good", "horror", 0, 0.0, float("nan"), 0, 0),
        ("good", "<b>", 100, 0.5, 1.0, 50, 5),
    ],
    columns=["label", "attribute", "n", "share", "accuracy", "n_labeled", "n_selected"],
)


def test_a_cue_is_named_as_a_reader_would() -> None:
    assert [cue_name(one) for one in ("token:horror", "ngram:not good", "attribute:a:b", "overlap:high")] == [
        "“horror”",
        "“not good”",
        "attribute a:b",
        "high word overlap",
    ]


def test_the_sentence_counts_back_from_the_share() -> None:
    row = {"cue": "token:horror", "label": "negative", "n": 97, "share": 92 / 97, "base_share": 0.5, "z": 8.83}
    assert goes_with(row) == (
        "The word “horror” goes with negative: 92 of 97 labeled examples with it (95%; of all 50%), z 8.8"
    )


@pytest.mark.parametrize(("p", "told"), [(0.0004, "< .001"), (0.032, ".032"), (1.0, "1.000"), (float("nan"), "–")])
def test_a_p_value_is_written_without_its_zero(p: float, told: str) -> None:
    assert shown_p(p) == told


def test_a_cue_is_weaker_when_its_share_above_base_falls_though_z_rises() -> None:
    assert change_of(history((30, 0.95, 0.5, 4.9), (120, 0.75, 0.5, 5.5))) == "weaker"
    assert change_of(history((30, 0.75, 0.5, 2.7), (120, 0.95, 0.5, 9.9))) == "stronger"
    # The label itself became as much more frequent as the cue's share rose.
    assert change_of(history((30, 0.75, 0.5, 2.7), (120, 0.85, 0.6, 5.6))) == "unchanged"


def test_a_small_change_and_a_single_round_are_no_change() -> None:
    # Of 5 that all have the label, little can be said; of 200, that it is not less than before.
    assert change_of(history((2, 1.0, 0.45, 1.5), (5, 1.0, 0.48, 2.3))) == "unchanged"
    assert change_of(history((200, 1.0, 0.4, 17.3), (200, 1.0, 0.5, 14.1))) == "weaker"
    # Two standard errors of 0.8 among 100 are 0.08.
    assert change_of(history((30, 0.87, 0.5, 4.1), (100, 0.80, 0.5, 6.0))) == "unchanged"
    assert change_of(history((30, 0.89, 0.5, 4.3), (100, 0.80, 0.5, 6.0))) == "weaker"
    assert change_of(history((0, float("nan"), 0.5, float("nan")), (30, 0.9, 0.5, 4.4))) == "unchanged"


def test_what_was_added_is_counted_with_and_without_the_label() -> None:
    assert added(history((20, 0.95, 0.5, 4.0), (50, 0.7, 0.5, 2.8))) == (16, 14)
    assert added(history((0, float("nan"), 0.5, float("nan")))) == (0, 0)


def test_words_are_marked_whole_in_any_case_and_never_inside_others() -> None:
    text = "Horror, horrors; HORROR-show and horror's end. horror"
    held = [text[left:right] for left, right in spans_of(text, "token:horror")]
    assert held == ["Horror", "horror"]
    assert [text[left:right] for left, right in spans_of("It is Not,  good", "ngram:not good")] != []
    assert spans_of("not very good", "ngram:not good") == []
    assert spans_of("a horror", "attribute:horror") == []


def test_of_word_overlap_the_shared_words_are_marked_in_both_texts() -> None:
    told = marked(("The cat sat.", "A CAT <i>ran</i>"), "overlap:high")
    assert re.findall(r"<mark>(.*?)</mark>", told) == ["cat", "CAT"]
    assert "&lt;i&gt;ran&lt;/i&gt;" in told


def test_a_long_text_is_cut_around_its_first_mark_and_escaped() -> None:
    text = "<script>" + "word " * 100 + "needle & " + "word " * 100
    told = marked((text,), "token:needle")
    assert "<mark>needle</mark> &amp; word" in told
    assert "<script>" not in told
    assert len(told) < 400


def test_the_lines_have_a_zero_a_band_of_chance_and_every_run_s_name() -> None:
    lines = [
        CueLine("ALVIN", history((30, 0.95, 0.5, 4.9), (60, 0.8, 0.5, 4.6))),
        CueLine("<entropy>", history((30, 0.95, 0.5, 4.9), (60, 0.9, 0.5, 6.2))),
    ]
    drawn = cue_lines(lines, "negative", look=DARK, round_no=1)
    root = ElementTree.fromstring(drawn)
    words = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"ALVIN", "<entropy>", "all labeled", "chance", "share that is negative"} <= set(words)
    assert "ALVIN: z from 4.9 to 4.6, share of negative from 95% to 80%" in root.attrib["aria-label"]
    band = next(one for one in root.iter("{http://www.w3.org/2000/svg}rect") if one.get("fill-opacity"))
    zero = next(one for one in root.iter("{http://www.w3.org/2000/svg}line") if one.get("stroke-opacity") == "0.7")
    top, height = float(band.attrib["y"]), float(band.attrib["height"])
    assert top + height / 2 == pytest.approx(float(zero.attrib["y1"]), abs=0.2)
    # In the same scale: pixels of z between the band's edges, and of the first run's first and last value.
    per_z = height / (2 * CHANCE)
    path = next(
        one.attrib["d"] for one in root.iter("{http://www.w3.org/2000/svg}path") if one.attrib["stroke"] == DARK.accent
    )
    ys = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
    assert ys[1] - ys[0] == pytest.approx(0.3 * per_z, abs=0.2)


def test_a_round_in_which_nothing_holds_the_cue_is_a_gap() -> None:
    gap = (0, float("nan"), 0.5, float("nan"))
    drawn = cue_lines([CueLine("a", history((9, 1, 0.5, 3.0), gap, (9, 1, 0.5, 3.0)))], "x")
    assert "nan" not in drawn.replace("z from", "")
    assert re.search(r"M[\d. ]+M", drawn)
    assert "No round to draw." in cue_lines([CueLine("a", history())], "x")


def test_the_dataset_map_has_a_point_for_each_example_and_points_some_out() -> None:
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "label": ["x", "y"],
            "confidence": [0.9, 0.2],
            "variability": [0.1, 0.3],
            "correctness": [1.0, 0.25],
            "forgotten": [0, 2],
            "is_minority": [False, True],
        }
    )
    figure = dataset_map(frame, ["one %{x} <b>", "two"], lit=["b", "of another split"])
    [points] = figure.data
    assert points.type == "scatter"
    assert list(points.customdata) == ["a", "b"]
    assert list(points.x) == [0.1, 0.3]
    assert list(points.y) == [0.9, 0.2]
    assert list(points.selectedpoints) == [1]
    assert list(points.marker.symbol) == ["circle", "diamond"]
    assert "%{x}" not in points.text[0]
    assert dataset_map(frame, ["", ""]).data[0].selectedpoints is None


def test_the_matrix_marks_the_worst_group_and_escapes_names() -> None:
    told = group_table(GROUPS)
    assert told.count("▼ worst") == 1
    assert re.search(r"<b>\.30</b><span class=\"worst\">▼ worst</span><small>10 · 5\.0%<br>1 labeled", told)
    assert '<td class="none">none</td>' in told
    assert "&lt;b&gt;" in told
    assert "<b>1.00</b>" in told
    # The lower the accuracy, the more colour.
    depth = {int(one) for one in re.findall(r"#D55E00 (\d+)%", told)}
    assert depth == {0, round(62 * 0.05), round(62 * 0.7)}
