"""Every colouring says what it should, and nothing that is not known yet."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alvin_core import SettingsError
from dashboard.colouring import COLOURINGS, MISSING, color_by


def legend(codes) -> dict[str, int]:
    return {entry.label: entry.count for entry in codes.entries}


def test_labeled_points_take_their_class_and_the_others_the_predicted_one(columns) -> None:
    codes = color_by(columns, "class")
    # labels 0 1 0 1, then predictions 0 0 1 1 0 0
    assert codes.values.tolist() == [0, 1, 0, 1, 0, 0, 1, 1, 0, 0]
    assert legend(codes) == {"negative": 6, "positive": 4}
    assert "unlabeled: as predicted" in codes.title


@pytest.mark.parametrize("how", COLOURINGS)
def test_no_colouring_tells_a_label_that_was_not_given(how: str, make_columns) -> None:
    n = 10
    labeled = np.arange(n) < 4
    unlabeled = ~labeled
    plain = make_columns(label_now=make_columns().label)
    # The same round, with an oracle's answers in every column that could carry them where nobody has labeled.
    oracle = np.where(labeled, plain.label, 1 - plain.predicted).astype(np.int16)
    leaking = make_columns(
        label=oracle,
        label_now=plain.label,
        correct=np.where(unlabeled, 0, plain.correct).astype(np.int8),
        is_minority=np.where(unlabeled, 1, plain.is_minority).astype(np.int8),
        n_forgotten=np.where(unlabeled, 7, plain.n_forgotten).astype(np.int16),
    )
    assert color_by(leaking, how).values.tolist() == color_by(plain, how).values.tolist()
    assert color_by(leaking, how).to_dict("u") == color_by(plain, how).to_dict("u")


def test_a_label_given_since_the_round_shows_only_when_asked_for(columns) -> None:
    assert columns.label_now[9] == 1
    assert color_by(columns, "class").values[9] == 0
    assert color_by(columns, "class", now=True).values[9] == 1


def test_the_inferred_group_is_of_labeled_points(columns) -> None:
    codes = color_by(columns, "group")
    assert codes.values.tolist() == [0, 1, 0, 0] + [MISSING] * 6
    assert legend(codes) == {"majority": 3, "minority": 1, "unlabeled: no group": 6}
    assert [entry.grey for entry in codes.entries] == [False, False, True]


def test_the_known_group_is_class_by_attribute_of_labeled_points(columns) -> None:
    codes = color_by(columns, "known")
    # attributes of 0 to 3: none, horror, romance, none
    assert codes.values.tolist() == [MISSING, 2, 1] + [MISSING] * 7
    assert legend(codes) == {
        "negative × horror": 0,
        "negative × romance": 1,
        "positive × horror": 1,
        "positive × romance": 0,
        "unlabeled, or without the attribute": 8,
    }


def test_data_without_attributes_say_so(make_columns) -> None:
    codes = color_by(make_columns(attributes=(), attribute=np.full(10, -1, dtype=np.int16)), "known")
    assert legend(codes) == {"the data have no attribute column": 10}


def test_confidence_runs_from_chance_to_one(columns) -> None:
    codes = color_by(columns, "confidence")
    assert codes.ramp is not None
    assert (codes.values[0], codes.values[-1]) == (0, 254)
    assert (codes.ramp.low, codes.ramp.high) == ("0.50", "1.00")
    assert (np.diff(codes.values.astype(int)) > 0).all()
    assert codes.entries == ()


def test_entropy_runs_from_none_to_that_of_equal_shares(columns) -> None:
    codes = color_by(columns, "entropy")
    assert codes.ramp is not None
    assert (codes.values[0], codes.values[-1]) == (254, 0)
    assert (codes.ramp.low, codes.ramp.high) == ("0", "0.69")


def test_forgetting_is_of_labeled_points_up_to_the_most_forgotten(columns) -> None:
    codes = color_by(columns, "forgetting")
    assert codes.ramp is not None
    assert codes.values.tolist() == [0, 85, 169, 254] + [MISSING] * 6
    assert (codes.ramp.low, codes.ramp.high) == ("never", "3 times")
    assert legend(codes) == {"unlabeled: not trained on": 6}


def test_right_and_wrong_are_of_labeled_points(columns) -> None:
    codes = color_by(columns, "right")
    # labels 0 1 0 1 against predictions 0 0 1 1
    assert codes.values.tolist() == [1, 0, 0, 1] + [MISSING] * 6
    assert legend(codes) == {"wrong": 2, "right": 2, "unlabeled: not known": 6}


def test_a_match_is_coloured_and_the_rest_grey(columns) -> None:
    codes = color_by(columns, "match", match=np.arange(10) == 6)
    assert codes.values.tolist() == [MISSING] * 6 + [0] + [MISSING] * 3
    assert legend(codes) == {"match": 1, "no match": 9}
    assert legend(color_by(columns, "match")) == {"match": 0, "no search and no filter is set": 10}


def test_a_missing_number_is_grey(make_columns) -> None:
    confidence = np.linspace(0.5, 1, 10, dtype=np.float32)
    confidence[3] = np.nan
    codes = color_by(make_columns(confidence=confidence), "confidence")
    assert np.flatnonzero(codes.values == MISSING).tolist() == [3]
    assert legend(codes) == {"no prediction": 1}


def test_of_too_many_classes_the_most_frequent_have_colours_and_the_rest_one_entry(make_columns) -> None:
    n, n_classes = 1_000, 300
    predicted = np.where(np.arange(n) < 500, 299, np.arange(n) % 299).astype(np.int16)
    columns = make_columns(
        n=n,
        classes=tuple(f"class {row}" for row in range(n_classes)),
        labeled=np.zeros(n, dtype=bool),
        label=np.full(n, -1, dtype=np.int16),
        predicted=predicted,
    )
    codes = color_by(columns, "class")
    by_label = legend(codes)
    assert len(codes.entries) == 201
    assert by_label["class 299"] == 500
    assert codes.entries[-1].label == "100 others, less frequent"
    assert sum(by_label.values()) == n
    assert codes.values.max() == 200
    assert len({entry.color for entry in codes.entries}) == 201


def test_a_colouring_is_json_with_the_address_of_its_codes(columns) -> None:
    told = json.loads(json.dumps(color_by(columns, "group").to_dict("/codes.bin"), allow_nan=False))
    assert told["url"] == "/codes.bin"
    assert (told["kind"], told["missing"], told["ramp"]) == ("categories", 255, None)
    assert told["entries"][1] == {"code": 1, "label": "minority", "color": "#D55E00", "count": 1, "grey": False}
    assert color_by(columns, "entropy").to_dict("")["kind"] == "ramp"


def test_the_revision_changes_with_any_code(columns, make_columns) -> None:
    label = columns.label.copy()
    label[0] = 1
    assert color_by(columns, "class").revision == color_by(make_columns(), "class").revision
    assert color_by(make_columns(label=label), "class").revision != color_by(columns, "class").revision


def test_an_unknown_colouring_names_those_there_are(columns) -> None:
    with pytest.raises(SettingsError, match="'age' is unknown; choose one of class, group, known"):
        color_by(columns, "age")
