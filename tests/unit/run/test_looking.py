"""What a map, a search and a card are told of a run, against the frames and against brute force."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.errors import DataError, SettingsError, StoreError
from alvin_core.run import Run, create_run
from alvin_core.run import mapping as mapping_module
from alvin_core.run.engine import Engine
from alvin_core.run.mapping import MapAnchors
from alvin_core.run.measuring import RoundSpace, nearest_places
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=6, initial=24).with_values(
    {"alvin.backend": "faiss-flat", "alvin.max_pairs": 4, "alvin.n_anchors": 2, "alvin.k": 3}
)


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path, drawn: ModuleType, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    monkeypatch.setattr(Engine, "compute", drawn.compute)

    def make(n_rounds: int = 1, dataset: Dataset | None = None, **changes: object) -> Run:
        settings = SETTINGS.with_values({name.replace("__", "."): value for name, value in changes.items()})
        run = create_run(tmp_path, dataset or drawn.make_dataset(), settings, name="r")
        list(run.run_rounds(n_rounds - 1))
        return run

    return make


def coded(names: tuple[str, ...], values: Any) -> list[int]:
    """Codes of names, -1 where one is missing."""
    return [names.index(value) if isinstance(value, str) else -1 for value in values]


def test_columns_are_those_of_the_examples_frame(make_run: MakeRun) -> None:
    run = make_run(3)
    for round_no in range(3):
        columns = run.map_columns(round_no)
        frame = run.examples(round_no).iloc[columns.rows]
        assert (frame["split"] == "pool").all()
        assert len(columns) == 90
        assert columns.ids.tolist() == frame["id"].tolist()
        assert columns.classes == ("neg", "pos", "so-so")
        assert columns.attributes == ("long", "short")
        assert columns.labeled.tolist() == frame["labeled"].tolist()
        assert columns.selected.tolist() == frame["selected"].tolist()
        assert columns.label.tolist() == coded(columns.classes, frame["label"])
        assert columns.predicted.tolist() == coded(columns.classes, frame["predicted"])
        assert columns.attribute.tolist() == coded(columns.attributes, frame["attribute"])
        np.testing.assert_allclose(columns.confidence, frame["confidence"], rtol=1e-6)
        np.testing.assert_allclose(columns.entropy, frame["entropy"], rtol=1e-6)
        assert columns.is_minority.tolist() == [
            -1 if one is None else one for one in frame["is_minority"].to_numpy(object, na_value=None)
        ]
        assert columns.n_forgotten.tolist() == frame["n_forgotten"].fillna(-1).tolist()
        right = np.where(frame["labeled"], frame["label"] == frame["predicted"], -1)
        assert columns.correct.tolist() == right.tolist()
        assert list(columns.ranks) == [name.removeprefix("rank_") for name in frame if name.startswith("rank_")]
        for name, places in columns.ranks.items():
            assert places.tolist() == frame[f"rank_{name}"].fillna(0).tolist()
        assert columns.budget == 6


def test_columns_have_the_narrow_types_that_are_sent_to_a_screen(make_run: MakeRun) -> None:
    columns = make_run().map_columns(0)
    types = {name: str(value.dtype) for name, value in vars(columns).items() if isinstance(value, np.ndarray)}
    del types["ids"]
    assert types == {
        **{"rows": "int64", "labeled": "bool", "selected": "bool", "confidence": "float32", "entropy": "float32"},
        **dict.fromkeys(["label", "label_now", "predicted", "n_forgotten", "attribute"], "int16"),
        **dict.fromkeys(["is_minority", "correct"], "int8"),
    }
    assert {str(one.dtype) for one in columns.ranks.values()} == {"int32"}


def test_the_order_of_points_is_the_same_in_every_round(make_run: MakeRun) -> None:
    run = make_run(3)
    first = run.map_columns(0)
    for round_no in (1, 2):
        assert run.map_columns(round_no).rows.tolist() == first.rows.tolist() == run.dataset.rows_of("pool").tolist()


def test_an_oracles_label_is_never_on_the_map_before_it_is_given(make_run: MakeRun, drawn: ModuleType) -> None:
    run = make_run()
    assert run.annotator == "oracle"
    before = run.map_columns(0)
    assert (before.label[~before.labeled] == -1).all()
    assert (before.label_now[~before.labeled] == -1).all()
    assert (before.correct[~before.labeled] == -1).all()
    assert (before.is_minority[~before.labeled] == -1).all()
    # Any other answers of the oracle make the very same columns, but for the labels that were given.
    run.step()
    after = run.map_columns(0)
    assert after.label.tolist() == before.label.tolist()
    assert after.labeled.tolist() == before.labeled.tolist()
    gold = run.dataset.labels[after.rows]
    assert after.label_now.tolist() == np.where(before.labeled | before.selected, gold, -1).tolist()
    run.undo(str(before.ids[before.selected][0]))
    assert int((run.map_columns(0).label_now >= 0).sum()) == 29


def test_nothing_that_is_shown_depends_on_labels_that_nobody_gave(make_run: MakeRun) -> None:
    run = make_run()
    handle, dataset = run._handle, run.dataset
    opened = dataset.ids[~np.isin(dataset.ids, run.labels()["id"].to_numpy(dtype=str)) & (dataset.splits == "pool")]

    def everything() -> list[str]:
        shown = [str(values) for values in vars(run.map_columns(0)).values()]
        for one in opened[::6].tolist():
            shown += [str(run.explain(0, one)), run.nearest(0, one, k=89).to_csv(), run.predictions(one).to_csv()]
        return shown

    before = everything()
    is_open = np.isin(dataset.ids, opened)
    handle.__dict__["dataset"] = replace(dataset, labels=np.where(is_open, (dataset.labels + 1) % 3, dataset.labels))
    assert everything() == before


def test_data_without_attributes_or_labels_still_has_columns(make_run: MakeRun, drawn: ModuleType) -> None:
    run = make_run(dataset=drawn.make_dataset(attributes=None))
    columns = run.map_columns(0)
    assert columns.attributes == ()
    assert (columns.attribute == -1).all()


def test_more_attribute_values_than_sixteen_bits_count_are_told_apart(drawn: ModuleType) -> None:
    values = np.asarray([f"v{number:05d}" for number in range(40_000)])
    dataset = drawn.make_dataset(39_994, attributes=values)
    names, codes = mapping_module._attribute_codes(dataset, np.arange(40_000))
    assert codes.dtype == np.int32
    assert [names[code] for code in codes[[0, 32_768, 39_999]]] == ["v00000", "v32768", "v39999"]


def test_columns_of_different_lengths_are_refused(make_run: MakeRun) -> None:
    columns = make_run().map_columns(0)
    with pytest.raises(ValueError, match="MapColumns: arrays of one length expected"):
        replace(columns, label=columns.label[1:])
    with pytest.raises(ValueError, match=r"ranks\['alvin'\]=89"):
        replace(columns, ranks={"alvin": columns.ranks["alvin"][1:]})


# Anchors


class AnyMap:
    """A map by chance: where an anchor lies on it follows from its true neighbors alone."""

    def __init__(self, run: Run, space: str = "model") -> None:
        n = len(run.dataset.rows_of("pool"))
        self.xy, self.space = np.random.default_rng(5).random((n, 2), dtype=np.float32), space

    def __len__(self) -> int:
        return len(self.xy)


def a_map(run: Run, space: str = "model") -> Any:
    return AnyMap(run, space)


def test_anchors_on_the_map_are_those_that_retrieved_the_selected(make_run: MakeRun) -> None:
    run = make_run()
    columns, links, anchors = run.map_columns(0), run.provenance(0), run.anchors(0)
    found = run.map_anchors(0, a_map(run))
    assert set(found.anchor.tolist()) == set(links["anchor"])
    assert (found.n_linked, found.n_total) == (links["anchor"].nunique(), len(anchors))
    stored = anchors.iloc[found.anchor]
    assert columns.ids[found.minority].tolist() == stored["minority_id"].tolist()
    assert columns.ids[found.majority].tolist() == stored["majority_id"].tolist()
    assert found.weight.tolist() == stored["weight"].tolist()
    assert found.class_.tolist() == coded(columns.classes, stored["class"])
    pairs = {(int(found.anchor[anchor]), str(columns.ids[point])) for anchor, point in found.picks}
    assert pairs == set(zip(links["anchor"], links["id"], strict=True))
    assert len(found.picks) == len(links)


@pytest.mark.parametrize("space", ["model", "encoder"])
def test_on_a_map_of_either_space_anchors_lie_amid_their_true_neighbors(make_run: MakeRun, space: str) -> None:
    run = make_run()
    shown = a_map(run, space)
    found = run.map_anchors(0, shown)
    ids, vectors = run.vectors(0)
    at = {one: row for row, one in enumerate(ids.tolist())}
    for xy, anchor in zip(found.xy, run.anchors(0).iloc[found.anchor].to_dict("records"), strict=True):
        weight = anchor["weight"]
        point = weight * vectors[at[anchor["minority_id"]]] + (1 - weight) * vectors[at[anchor["majority_id"]]]
        distances = np.linalg.norm(vectors - point, axis=1)
        nearest = np.argsort(distances)[:10]
        expected = np.average(shown.xy[nearest], axis=0, weights=1 / distances[nearest])
        np.testing.assert_allclose(xy, expected, rtol=1e-4)


def test_when_there_is_room_for_few_every_selected_example_keeps_one(make_run: MakeRun) -> None:
    run = make_run(alvin__k=12)
    columns, links = run.map_columns(0), run.provenance(0)
    everything = run.map_anchors(0, a_map(run))
    assert everything.n_linked > 12
    nearest = links.drop_duplicates("id")["anchor"]
    few = run.map_anchors(0, a_map(run), most=6)
    assert few.anchor.tolist()[: nearest.nunique()] == list(dict.fromkeys(nearest))
    assert set(columns.ids[few.picks[:, 1]]) == set(run.selection(0)["id"])
    assert (len(few), few.n_linked, few.n_total) == (6, everything.n_linked, everything.n_total)
    assert few.anchor.tolist() == everything.anchor[:6].tolist()
    # All links of the anchors that are shown are there, not only the one that each was chosen for.
    assert len(few.picks) == links["anchor"].isin(few.anchor.tolist()).sum()
    one = run.map_anchors(0, a_map(run), most=1)
    assert one.anchor.tolist() == [links["anchor"].iloc[0]]
    assert len(run.map_anchors(0, a_map(run), most=0)) == 0
    with pytest.raises(SettingsError, match="most = -1 is out of range"):
        run.map_anchors(0, a_map(run), most=-1)


def test_a_strategy_without_anchors_has_none_on_the_map(make_run: MakeRun) -> None:
    run = make_run(strategy="margin")
    found = run.map_anchors(0, a_map(run))
    assert (len(found), found.n_total, found.n_linked, found.picks.shape, found.xy.shape) == (0, 0, 0, (0, 2), (0, 2))


def test_map_anchors_of_wrong_shapes_are_refused() -> None:
    nothing = np.empty(0, dtype=np.int32)
    with pytest.raises(ValueError, match=r"must be \(n, 2\)"):
        MapAnchors(np.empty((0, 2)), nothing, nothing, nothing, nothing, nothing, np.empty((0, 3)), 0, 0)
    with pytest.raises(ValueError, match="arrays of one length"):
        MapAnchors(np.empty((1, 2)), nothing, nothing, nothing, nothing, nothing, np.empty((0, 2)), 0, 0)


# Texts and search


def test_texts_come_one_or_two_an_example(make_run: MakeRun, drawn: ModuleType) -> None:
    run = make_run()
    assert run.texts([5, 0]) == [("text 5, Straße 北京",), ("text 0, Straße 北京",)]
    assert run.texts([]) == []
    for row in (-1, 96):
        with pytest.raises(DataError, match=f"no example has the row {row}; rows run from 0 to 95"):
            run.texts([0, row])


def test_pairs_have_two_texts_and_either_is_searched(make_run: MakeRun, drawn: ModuleType) -> None:
    run = make_run(dataset=drawn.make_dataset(pairs=True))
    assert run.texts(np.asarray([1])) == [("text 1, Straße 北京", "second 1")]
    rows = run.map_columns(0).rows
    assert rows[run.search("SECOND 41")].tolist() == [41]
    assert rows[run.search("TEXT 41,")].tolist() == [41]
    assert rows[run.search("second 4[12]$", regex=True)].tolist() == [41, 42]


TEXTS = [
    "Die STRASSE ist lang",
    "die straße ist lang",
    "caf\u00e9",  # one character
    "cafe\u0301",  # two
    "cafe",
    "ﬁnal ＡＢＣ",
    "ΣΊΣΥΦΟΣ",
    "Σίσυφος",
    "<b>bold</b> $x^2$ \x00 end",
    "İstanbul",
    "👩‍🔬 שלום",
    "",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("strasse", [0, 1]),
        ("STRAßE", [0, 1]),
        ("CAFÉ", [2, 3]),
        ("cafe\u0301", [2, 3]),
        ("CAFE", [4]),
        ("FINAL abc", [5]),
        ("σίσυφος", [6, 7]),
        ("σίσυφοσ", [6, 7]),
        ("<B>Bold", [8]),
        ("$X^2$ \x00", [8]),
        ("istanbul", []),
        ("i\u0307stanbul", [9]),
        ("🔬 שלום", [10]),
        ("langdie", []),
        ("", []),
        ("  \t", []),
        (".", []),
        ("nowhere", []),
    ],
)
def test_a_search_ignores_case_as_unicode_does(
    make_run: MakeRun, drawn: ModuleType, text: str, expected: list[int]
) -> None:
    texts = [*TEXTS, *["filler"] * (90 - len(TEXTS))]
    dataset = drawn.make_dataset(84, texts=Texts.pack(texts))
    run = make_run(dataset=replace(dataset, splits=np.asarray(["pool"] * 84 + ["test"] * 6)))
    found = run.search(text)
    assert found.shape == (84,)
    assert np.flatnonzero(found).tolist() == expected


def test_a_search_answers_in_the_order_of_the_map(make_run: MakeRun) -> None:
    run = make_run()
    columns = run.map_columns(0)
    for text, regex in (("text 17,", False), (r"^TEXT 1\d,", True)):
        found = run.search(text, regex=regex)
        holds = [one[0].startswith(("text 17,") if not regex else "text 1") for one in run.texts(columns.rows)]
        if regex:
            assert not run.search("\ud800", regex=regex).any()  # half a character
            holds = [
                held and len(one[0].split(",")[0]) == 7
                for held, one in zip(holds, run.texts(columns.rows), strict=True)
            ]
        assert found.tolist() == holds
        assert found.any()


def test_regular_expressions_ignore_case_and_compose_accents(make_run: MakeRun, drawn: ModuleType) -> None:
    texts = [*TEXTS, *["filler"] * (90 - len(TEXTS))]
    run = make_run(dataset=drawn.make_dataset(90, n_test=0, texts=Texts.pack(texts)))
    assert np.flatnonzero(run.search("^CAF(É|x)$", regex=True)).tolist() == [2, 3]
    assert np.flatnonzero(run.search("^die .* lang$", regex=True)).tolist() == [0, 1]
    assert np.flatnonzero(run.search(r"^$", regex=True)).tolist() == [11]
    assert np.flatnonzero(run.search(r"\pL{4}ER|<b>", regex=True)).tolist() == [8, *range(12, 90)]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", r"the regular expression cannot be read: missing \).*; correct it"),
        ("(?=a)", "lookaround and backreferences are not supported"),
        (r"(a)\1", "lookaround and backreferences are not supported"),
        ("a" * 501, "has 501 characters, at most 500 are searched"),
        ("(?:(?:a|b){30}c){30}", r"comes to 1,830 steps .* at most 500 are searched; lower the numbers in braces"),
        (".{0,501}", "comes to 501 steps"),
        ("[a-z{}()]{501,}", "comes to 501 steps"),
        (")))a{3}", "cannot be read"),
    ],
)
def test_a_regular_expression_that_is_none_or_too_large_is_refused_in_one_line(
    make_run: MakeRun, pattern: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        make_run().search(pattern, regex=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*$", "(.*)*b", "a?" * 60 + "a" * 60, "(?:.?){400}Z"])
def test_a_hostile_regular_expression_comes_to_its_end(make_run: MakeRun, drawn: ModuleType, pattern: str) -> None:
    texts = ["a" * 20_000, *[f"text {number}" for number in range(95)]]
    run = make_run(dataset=drawn.make_dataset(texts=Texts.pack(texts)))
    start = time.perf_counter()
    assert run.search(pattern, regex=True).shape == (90,)
    assert time.perf_counter() - start < 3


def test_a_search_that_takes_too_long_is_given_up_with_a_remedy(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alvin_core.run import searching

    run = make_run()
    monkeypatch.setattr(searching, "SECONDS", -1.0)
    with pytest.raises(DataError, match=r"took longer than .* at text 0 of 96; write it with fewer repetitions"):
        run.search("a", regex=True)


def test_long_and_short_texts_are_all_searched(make_run: MakeRun, drawn: ModuleType) -> None:
    texts = ["x" * 300_000 + " here", *["padding " * 4_000 + f"<{number}>" for number in range(94)], "end here"]
    splits = np.asarray(["pool"] * 96)
    run = make_run(dataset=drawn.make_dataset(texts=Texts.pack(texts), splits=splits))
    assert np.flatnonzero(run.search("here$", regex=True)).tolist() == [0, 95]
    assert np.flatnonzero(run.search("<93>$", regex=True)).tolist() == [94]


# One example


def test_predictions_have_a_row_for_each_round(make_run: MakeRun) -> None:
    run = make_run(3)
    for row in (0, 3, 50):  # row 3 is of the test split
        example_id = str(run.dataset.ids[row])
        found = run.predictions(example_id)
        assert found.columns.tolist() == [
            *("round", "predicted", "confidence", "prob_neg", "prob_pos", "prob_so-so", "entropy", "labeled", "rank")
        ]
        for round_no in range(3):
            expected = run.examples(round_no).iloc[row]
            shown = found.iloc[round_no]
            assert shown["round"] == round_no
            for name in ("predicted", "confidence", "prob_pos", "labeled"):
                assert shown[name] == expected[name]
            assert shown["entropy"] == pytest.approx(expected["entropy"])
            if expected["split"] == "test":
                assert found["rank"].isna().all()
            else:
                rank = expected["rank_alvin"]
                assert str(shown["rank"]) == str(rank)
    with pytest.raises(DataError, match="has no example 'nobody'"):
        run.predictions("nobody")


def test_predictions_rank_by_the_strategy_of_each_round(make_run: MakeRun) -> None:
    run = make_run(2)
    forked = run.fork(1, strategy="entropy")
    forked.step()
    best = forked.selection(1)["id"].iloc[2]
    assert forked.predictions(best)["rank"].iloc[1] == 3
    first = run.selection(0)["id"].iloc[1]
    assert forked.predictions(first)["rank"].iloc[0] == 2


def test_predictions_before_the_first_round_are_an_empty_frame(tmp_path: Path, drawn: ModuleType) -> None:
    run = create_run(tmp_path, drawn.make_dataset(), SETTINGS)
    assert run.predictions(str(run.dataset.ids[0])).empty


def test_nearest_are_those_of_brute_force_labeled_or_not(make_run: MakeRun) -> None:
    run = make_run(2)
    ids, vectors = run.vectors(1)
    columns = run.map_columns(1)
    exact = vectors.astype(np.float64)
    for place in range(0, 90, 7):
        distances = np.linalg.norm(exact - exact[place], axis=1)
        distances[place] = np.inf
        order = np.lexsort((ids, distances))[:10]
        found = run.nearest(1, str(ids[place]))
        assert found["id"].tolist() == ids[order].tolist()
        np.testing.assert_allclose(found["distance"], distances[order], rtol=1e-12, atol=0)
        assert found["text"].tolist() == run.dataset.texts.take(columns.rows[order])
        assert found["labeled"].tolist() == columns.labeled[order].tolist()
        assert coded(columns.classes, found["label"]) == columns.label[order].tolist()
        assert coded(columns.classes, found["predicted"]) == columns.predicted[order].tolist()


def test_examples_at_one_point_are_nearest_by_id(make_run: MakeRun) -> None:
    run = make_run()
    ids, vectors = run.vectors(0)
    assert (vectors[10:16] == vectors[10]).all()
    found = run.nearest(0, str(ids[12]), k=5)
    assert found["id"].tolist() == sorted(set(ids[10:16].tolist()) - {str(ids[12])})
    assert found["distance"].tolist() == [0.0] * 5


def test_nearest_never_show_a_label_that_was_not_given(make_run: MakeRun) -> None:
    run = make_run()
    frame = run.examples(0).set_index("id")
    opened = frame[(frame["split"] == "pool") & ~frame["labeled"]].index
    run.step()
    for example_id in opened[:20]:
        found = run.nearest(0, example_id, k=89)
        assert len(found) == 89
        shown = frame.loc[found["id"]]
        assert found["label"].isna().tolist() == (~shown["labeled"]).tolist()


def test_nearest_refuses_what_has_no_place(make_run: MakeRun) -> None:
    run = make_run()
    example_id = str(run.dataset.ids[3])
    with pytest.raises(DataError, match=f"the example '{example_id}' is in the split 'test'; only pool examples, and"):
        run.nearest(0, example_id)
    with pytest.raises(SettingsError, match="k = 0 is out of range"):
        run.nearest(0, str(run.dataset.ids[0]), k=0)
    with pytest.raises(StoreError, match="has no round 4"):
        run.nearest(4, str(run.dataset.ids[0]))
    assert len(run.nearest(0, str(run.dataset.ids[0]), k=1000)) == 89


def a_space(vectors: np.ndarray[Any, Any]) -> RoundSpace:
    n = len(vectors)
    return RoundSpace(vectors, np.arange(n), np.asarray([f"{row:05d}" for row in range(n)]), np.arange(n) % 3 > 0)


@pytest.mark.parametrize("kind", ["far away", "ties", "tiny", "huge", "one point"])
def test_the_search_is_exact_where_float32_alone_is_not(kind: str) -> None:
    rng = np.random.default_rng(11)
    vectors = rng.standard_normal((900, 24)).astype(np.float32)
    if kind == "far away":
        vectors += np.float32(5e4)
    elif kind == "ties":
        vectors = np.round(vectors * 0.4).astype(np.float32)
    elif kind == "tiny":
        vectors *= np.float32(1e-25)
    elif kind == "huge":
        vectors *= np.float32(1e30)
    elif kind == "one point":
        vectors[:] = 7
    space = a_space(vectors)
    points = np.vstack([vectors[0], 0.3 * vectors[1].astype(np.float64) + 0.7 * vectors[2], vectors[4] * 1.0000001])
    found = nearest_places(space, points, 12, among=space.is_open)
    searched = np.flatnonzero(space.is_open)
    for point, (places, distances) in zip(points, found, strict=True):
        differences = vectors[searched].astype(np.float64) - point
        exact = np.sqrt(np.einsum("nd,nd->n", differences, differences))
        order = np.lexsort((space.ids[searched], exact))[:12]
        assert places.tolist() == searched[order].tolist()
        np.testing.assert_allclose(distances, exact[order], rtol=1e-12)


def test_nothing_to_search_among_finds_nothing() -> None:
    space = a_space(np.ones((3, 2), dtype=np.float32))
    [(places, distances)] = nearest_places(space, np.ones((1, 2)), 5, among=np.zeros(3, dtype=bool))
    assert (len(places), len(distances)) == (0, 0)


def test_rows_without_a_vector_are_no_places() -> None:
    space = RoundSpace(np.ones((2, 2), dtype=np.float32), np.asarray([3, 7]), np.asarray(["a", "b"]), np.ones(2, bool))
    assert space.places_of(np.asarray([7, 3])).tolist() == [1, 0]
    for row in (0, 5, 9):
        with pytest.raises(ValueError, match="have no vector"):
            space.places_of(np.asarray([row]))


def test_looking_needs_no_heavy_library(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(2)
    shown, other = str(run.dataset.ids[0]), run.selection(0)["id"].iloc[0]
    program = (
        "import sys\n"
        "from alvin_core.run import open_run\n"
        f"run = open_run({str(tmp_path)!r}, 'r')\n"
        f"run.map_columns(1), run.search('text'), run.search('a.b', regex=True), run.predictions({shown!r})\n"
        f"run.nearest(1, {shown!r}), run.explain(0, {other!r}), run.explain(0, {shown!r})\n"
        "heavy = {'torch', 'transformers', 'faiss', 'numba', 'sklearn', 'scipy', 'umap'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_labels_held_at_a_moment_are_those_of_the_store(make_run: MakeRun) -> None:
    from alvin_core.run.held import held_classes
    from alvin_core.store.labels import current_labels

    run = make_run(3)
    twice = str(run.labels()["id"].iloc[2])
    run.undo(twice)
    run.submit({twice: "so-so"}, annotator="me")
    run.undo(str(run.labels()["id"].iloc[5]))
    moments = [0, 7, 24, 30, 36, 37, 38, None]
    for moment, held in zip(moments, held_classes(run._handle, *moments), strict=True):
        with run._handle.store.read() as session:
            rows, classes = run._handle.labeled(current_labels(session, run.id, up_to=moment))
        expected = np.full(96, -1)
        expected[rows] = classes
        assert held.tolist() == expected.tolist()
