"""Why an example was selected, and why not: every figure against brute force."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alvin_core.errors import DataError, SettingsError, StoreError
from alvin_core.run import Run, create_run
from alvin_core.run.engine import Engine
from alvin_core.run.measuring import anchor_distances
from alvin_core.run.reasons import Facts, reason_for
from alvin_core.settings import RunSettings
from alvin_core.types import Anchors

SETTINGS = RunSettings(budget=6, initial=24).with_values(
    {"alvin.backend": "faiss-flat", "alvin.max_pairs": 4, "alvin.n_anchors": 2, "alvin.k": 2}
)
FACTS = Facts(
    split="pool",
    strategy="alvin",
    rank="uncertainty",
    pairing="minority-majority",
    is_approximate=False,
    budget=50,
    place=0,
    n_ranked=2180,
    is_selected=False,
    n_selected=50,
    label=None,
    is_minority=None,
    n_anchors=900,
    n_as_parent=0,
    n_retrieving=0,
    retrieving_classes={},
    k=10,
    nearest=(0.4212, 0.3099),
)


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path, drawn: ModuleType, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    monkeypatch.setattr(Engine, "compute", drawn.compute)

    def make(n_rounds: int = 1, *, pairs: bool = False, **changes: object) -> Run:
        settings = SETTINGS.with_values({name.replace("__", "."): value for name, value in changes.items()})
        run = create_run(tmp_path, drawn.make_dataset(pairs=pairs), settings, name="r")
        list(run.run_rounds(n_rounds - 1))
        return run

    return make


def brute_force(run: Run, round_no: int, k: int) -> SimpleNamespace:
    """Every distance between anchors and open examples in float64, and who is among each anchor's k nearest."""
    ids, vectors = run.vectors(round_no)
    of_id = dict(zip(ids.tolist(), vectors.astype(np.float64), strict=True))
    frame = run.examples(round_no)
    opened = sorted(frame.loc[(frame["split"] == "pool") & ~frame["labeled"], "id"])
    anchors = run.anchors(round_no)
    weights = anchors["weight"].to_numpy().astype(np.float64)[:, None]
    first = np.stack([of_id[one] for one in anchors["minority_id"]])
    second = np.stack([of_id[one] for one in anchors["majority_id"]])
    points = weights * first + (1 - weights) * second
    distances = np.linalg.norm(np.stack([of_id[one] for one in opened]) - points[:, None], axis=2)  # (anchors, open)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]  # sorted by id, so a stable sort breaks ties by it
    retrieved = np.zeros(distances.shape, dtype=bool)
    np.put_along_axis(retrieved, order, True, axis=1)
    reach = np.take_along_axis(distances, order, axis=1)[:, -1]
    return SimpleNamespace(opened=opened, distances=distances, retrieved=retrieved, reach=reach)


@pytest.mark.parametrize("pairing", ["minority-majority", "across-classes", "no-interpolation"])
def test_anchors_distances_and_reach_are_those_of_brute_force(make_run: MakeRun, pairing: str) -> None:
    run = make_run(2, alvin__pairing=pairing)
    for round_no in (0, 1):
        k = run.record(round_no).anchors["k"]
        truth = brute_force(run, round_no, k)
        selected = set(run.selection(round_no)["id"])
        for column, example_id in enumerate(truth.opened):
            found = run.explain(round_no, example_id, n_anchors=3)
            distances = truth.distances[:, column]
            assert found.n_anchors == truth.retrieved[:, column].sum()
            assert found.k == k
            assert len(found.anchors) == min(3, found.n_anchors if example_id in selected else len(distances))
            for one in found.anchors:
                assert one.distance == pytest.approx(distances[one.anchor], rel=1e-12)
                assert one.reach == pytest.approx(truth.reach[one.anchor], rel=1e-12)
                assert one.retrieved == truth.retrieved[one.anchor, column]
            if found.is_candidate:
                assert any(one.retrieved for one in found.anchors)
            else:
                nearest = np.sort(distances)[: len(found.anchors)]
                np.testing.assert_allclose([one.distance for one in found.anchors], nearest, rtol=1e-12)


def test_all_kinds_of_examples_are_among_those_explained(make_run: MakeRun) -> None:
    run = make_run()
    kinds = [(one.selected, one.is_candidate) for one in (run.explain(0, id_) for id_ in run.dataset.ids.tolist())]
    assert set(kinds) == {(True, True), (False, True), (False, False)}


def test_k_is_the_one_the_round_used_after_doubling(make_run: MakeRun) -> None:
    run = make_run(budget=40)
    used = run.record(0).anchors["k"]
    assert used > 2
    found = run.explain(0, run.selection(0)["id"].iloc[0])
    assert found.k == used
    truth = brute_force(run, 0, used)
    assert found.anchors[0].reach == pytest.approx(truth.reach[found.anchors[0].anchor], rel=1e-12)


def test_k_follows_from_the_links_where_a_round_did_not_record_it(make_run: MakeRun) -> None:
    from sqlalchemy.orm.attributes import flag_modified

    run = make_run(budget=40)
    used = run.record(0).anchors["k"]
    with run._handle.store.write() as session:
        row = run._handle.round_row(session, 0)
        del row.summary["anchors"]["k"]
        flag_modified(row, "summary")
    assert "k" not in run.record(0).anchors
    assert run.explain(0, run.selection(0)["id"].iloc[0]).k == used


def test_a_selected_example_has_the_anchors_that_are_stored(make_run: MakeRun) -> None:
    run = make_run()
    for example_id, links in run.provenance(0).groupby("id"):
        found = run.explain(0, str(example_id), n_anchors=100)
        assert found.selected
        assert [one.anchor for one in found.anchors] == links["anchor"].tolist()
        assert [one.distance for one in found.anchors] == links["distance"].tolist()
        assert all(one.retrieved for one in found.anchors)
        assert found.n_anchors == len(links)


@pytest.mark.parametrize("pairing", ["minority-majority", "majority-majority", "across-classes"])
def test_parents_come_with_their_true_groups_labels_and_texts(make_run: MakeRun, pairing: str) -> None:
    run = make_run(alvin__pairing=pairing, pairs=True)
    frame, anchors = run.examples(0).set_index("id"), run.anchors(0)
    for example_id in run.selection(0)["id"]:
        found = run.explain(0, example_id)
        assert found.pairing == pairing
        for one in found.anchors:
            stored = anchors.iloc[one.anchor]
            assert (one.minority_id, one.majority_id) == (stored["minority_id"], stored["majority_id"])
            assert (one.class_, one.weight) == (stored["class"], stored["weight"])
            assert one.minority_label == one.class_ == frame.loc[one.minority_id, "label"]
            assert one.majority_label == frame.loc[one.majority_id, "label"]
            assert (one.majority_label == one.class_) == (pairing != "across-classes")
            for role, parent in ((one.minority_role, one.minority_id), (one.majority_role, one.majority_id)):
                assert role == ("minority" if frame.loc[parent, "is_minority"] else "majority")
            first = "majority" if pairing == "majority-majority" else "minority"
            assert (one.minority_role, one.majority_role) == (first, "majority")
            row = frame.loc[one.majority_id]
            assert one.majority_text == f"{row['text_a']} | {row['text_b']}"


def test_a_minority_pair_is_never_called_a_majority(make_run: MakeRun) -> None:
    run = make_run(alvin__pairing="minority-minority")
    found = run.explain(0, run.selection(0)["id"].iloc[0])
    assert {(one.minority_role, one.majority_role) for one in found.anchors} == {("minority", "minority")}


def test_ranks_are_those_of_every_strategy_the_own_first(make_run: MakeRun) -> None:
    run = make_run(strategy="entropy")
    frame = run.examples(0).set_index("id")
    best = run.selection(0)["id"].iloc[3]
    found = run.explain(0, best)
    assert next(iter(found.ranks)) == found.strategy == "entropy"
    assert found.ranks["entropy"] == (4, 66)
    for name, (place, _) in found.ranks.items():
        expected = frame.loc[best, f"rank_{name}"]
        assert place == (0 if expected is frame["rank_alvin"].dtype.na_value else expected)
    assert (found.anchors, found.n_anchors, found.k, found.pairing) == ((), 0, None, None)
    assert found.reason == "Selected: it ranked 4th of 66 by entropy, within the budget of 6."
    worst = frame["rank_entropy"].astype(float).idxmax()
    assert run.explain(0, worst).reason == "Not selected: it ranked 66th of 66 by entropy; the budget is 6."


def test_an_unranked_example_has_place_zero_under_alvin(make_run: MakeRun) -> None:
    run = make_run()
    for example_id in run.dataset.ids[run.dataset.splits == "pool"].tolist():
        found = run.explain(0, example_id)
        place, n_ranked = found.ranks["alvin"]
        assert n_ranked == run.record(0).selection["n_candidates"]
        assert (place > 0) == found.is_candidate == (found.n_anchors > 0)
        assert found.selected == (0 < place <= 6)


def test_predictions_are_those_of_the_round(make_run: MakeRun) -> None:
    run = make_run()
    frame = run.examples(0)
    for row in frame.sample(10, random_state=0).to_dict("records"):
        found = run.explain(0, row["id"])
        assert (found.predicted, found.split, found.labeled) == (row["predicted"], row["split"], row["labeled"])
        assert found.confidence == pytest.approx(row["confidence"])
        assert found.entropy == pytest.approx(row["entropy"])


def test_labeled_and_evaluation_examples_say_plainly_that_they_cannot_be_selected(make_run: MakeRun) -> None:
    run = make_run()
    frame = run.examples(0)
    test_id = frame.loc[frame["split"] == "test", "id"].iloc[0]
    found = run.explain(0, test_id)
    assert found.reason == (
        "Not selected: it is in the split 'test', which the model is only evaluated on; candidates come from the pool."
    )
    assert (found.anchors, found.is_candidate, found.label) == ((), False, found.label_now)
    assert found.label == frame.set_index("id").loc[test_id, "label"]
    anchors = run.anchors(0)
    for example in frame[frame["labeled"]].to_dict("records"):
        found = run.explain(0, example["id"])
        group = "minority" if example["is_minority"] else "majority"
        n_parent = int(((anchors["minority_id"] == example["id"]) | (anchors["majority_id"] == example["id"])).sum())
        start = f"Not selected: it was labeled before this round, which trained on it as {example['label']} and put it"
        assert found.reason.startswith(f"{start} in the {group} group; ")
        end = f"it is a parent of {n_parent} of the {len(anchors)} anchors." if n_parent else "no parent of an anchor."
        assert found.reason.endswith(end)
        assert (found.is_minority, found.anchors, found.label) == (group == "minority", (), example["label"])


def test_an_oracles_label_is_never_told_before_it_is_given(make_run: MakeRun) -> None:
    run = make_run()
    assert run.annotator == "oracle"
    picked = run.selection(0)["id"].tolist()
    unlabeled = run.examples(0).query("split == 'pool' and not labeled")["id"]
    for example_id in unlabeled:
        found = run.explain(0, example_id)
        assert (found.label, found.label_now, found.is_minority) == (None, None, None)
    run.step()
    later = run.explain(0, picked[0])
    row = run.dataset.ids.tolist().index(picked[0])
    assert (later.label, later.label_now) == (None, run.dataset.classes[run.dataset.labels[row]])
    run.undo(picked[0])
    assert run.explain(0, picked[0]).label_now is None
    assert run.explain(1, picked[0]).label == later.label_now


def test_sentences_of_a_run_tell_its_own_figures(make_run: MakeRun) -> None:
    run = make_run()
    n = run.record(0).selection["n_candidates"]
    patterns = {
        "selected": rf"Selected: \d+ anchors? .*retrieved it \(nearest at [\d.]+\) and it ranked \d\w\w of {n} "
        r"candidates by uncertainty, within the budget of 6\.",
        "candidate": r"Not selected: it was a candidate \(retrieved by \d+ anchors?\), but ranked \d+\w\w of "
        rf"{n} candidates by uncertainty; the budget is 6\.",
        "other": r"Not selected: no anchor retrieved it; the nearest anchor is ([\d.]+) away and its 2nd neighbor "
        r"([\d.]+|just as far, with the lower id)\.",
    }
    seen = set()
    for example_id in run.examples(0).query("split == 'pool' and not labeled")["id"]:
        found = run.explain(0, example_id)
        kind = "selected" if found.selected else "candidate" if found.is_candidate else "other"
        assert re.fullmatch(patterns[kind], found.reason), found.reason
        if kind not in seen:  # whether or not anchors are to be shown
            assert run.explain(0, example_id, n_anchors=0).reason == found.reason
        seen.add(kind)
    assert seen == set(patterns)


def test_a_round_without_anchors_ranks_the_whole_pool_and_says_so(make_run: MakeRun) -> None:
    run = make_run(groups__rule="variability", alvin__rank="distance")
    assert run.anchors(0).empty
    found = run.explain(0, run.selection(0)["id"].iloc[1])
    assert found.reason == (
        "Selected: it ranked 2nd of 66 in the whole pool by uncertainty (this round had no anchors), within the "
        "budget of 6."
    )
    assert (found.k, found.pairing, found.anchors) == (None, None, ())


def test_a_round_that_used_up_the_pool_explains_what_is_left(make_run: MakeRun) -> None:
    run = make_run(2, budget=66)
    assert len(run.selection(1)) == 0
    found = run.explain(1, run.selection(0)["id"].iloc[0])
    assert found.labeled
    assert found.reason.startswith("Not selected: it was labeled before this round")
    assert run.explain(1, run.dataset.ids[3]).split == "test"


def test_what_is_not_there_is_refused_in_one_line(make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(DataError, match=r"the run 'r' has no example 'nobody'; ids are those of its data, such as e"):
        run.explain(0, "nobody")
    with pytest.raises(StoreError, match="has no round 9"):
        run.explain(9, str(run.dataset.ids[0]))
    with pytest.raises(SettingsError, match="n_anchors = -1 is out of range"):
        run.explain(0, str(run.dataset.ids[0]), n_anchors=-1)


def test_distances_to_anchors_follow_from_their_parents_alone() -> None:
    rng = np.random.default_rng(1)
    parents = rng.standard_normal((40, 7)).astype(np.float32) + 100
    first, second = rng.integers(40, size=(2, 500))
    weights = rng.random(500).astype(np.float32)
    weights[:3] = (0, 1, 1)
    anchors = Anchors(parents, np.arange(40), first, second, weights, np.zeros(500, dtype=int))
    point = parents[first[1]].astype(np.float64)
    exact = weights.astype(np.float64)[:, None]
    vectors = exact * parents[first].astype(np.float64) + (1 - exact) * parents[second]
    found = anchor_distances(anchors, point)
    np.testing.assert_allclose(found, np.linalg.norm(vectors - point, axis=1), rtol=1e-9, atol=1e-6)
    assert found[1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {
                "is_selected": True,
                "place": 4,
                "n_retrieving": 3,
                "retrieving_classes": {"pos": 3},
                "nearest": (0.31, 1),
            },
            "Selected: 3 anchors of class pos retrieved it (nearest at 0.31) and it ranked 4th of 2,180 candidates by "
            "uncertainty, within the budget of 50.",
        ),
        (
            {"is_selected": True, "place": 1, "n_retrieving": 3, "retrieving_classes": {"neg": 1, "pos": 2}},
            "Selected: 3 anchors (1 of class neg, 2 of class pos) retrieved it (nearest at 0.42) and it ranked 1st of "
            "2,180 candidates by uncertainty, within the budget of 50.",
        ),
        (
            {"is_selected": True, "place": 2, "n_retrieving": 1, "retrieving_classes": {"pos": 1}}
            | {"pairing": "across-classes", "rank": "frequency"},
            "Selected: 1 anchor between class pos and others retrieved it (nearest at 0.42) and it ranked 2nd of 2,180 "
            "candidates by the number of anchors that retrieved it, within the budget of 50.",
        ),
        (
            {"is_selected": True, "place": 3, "n_retrieving": 2, "retrieving_classes": {"pos": 2}}
            | {"pairing": "no-interpolation"},
            "Selected: 2 anchors (minority examples of class pos) retrieved it (nearest at 0.42) and it ranked 3rd of "
            "2,180 candidates by uncertainty, within the budget of 50.",
        ),
        (
            {"place": 214, "n_retrieving": 2},
            "Not selected: it was a candidate (retrieved by 2 anchors), but ranked 214th of 2,180 candidates by "
            "uncertainty; the budget is 50.",
        ),
        (
            {},
            "Not selected: no anchor retrieved it; the nearest anchor is 0.42 away and its 10th neighbor 0.31.",
        ),
        (
            {"nearest": (0.31002, 0.31001), "k": 21},
            "Not selected: no anchor retrieved it; the nearest anchor is 0.31002 away and its 21st neighbor 0.31001.",
        ),
        (
            {"nearest": (0.5, 0.5), "k": 1},
            "Not selected: no anchor retrieved it; the nearest anchor is 0.50 away and its nearest neighbor just "
            "as far, with the lower id.",
        ),
        (
            {"nearest": (0.3, 0.31), "is_approximate": True, "k": 112},
            "Not selected: no anchor retrieved it; the nearest anchor is 0.30 away and its 112th neighbor 0.31: the "
            "round's approximate search missed it.",
        ),
        (
            {"strategy": "random", "n_anchors": 0, "place": 2113, "n_ranked": 3000, "k": None, "nearest": None},
            "Not selected: it ranked 2,113th of 3,000 by chance; the budget is 50.",
        ),
        (
            {"n_selected": 0, "n_anchors": 0, "nearest": None, "k": None},
            "Not selected: this round selected nothing.",
        ),
        (
            {"strategy": "mine", "n_anchors": 0, "label": "neg", "is_minority": False},
            "Not selected: it was labeled before this round, which trained on it as neg and put it in the majority "
            "group.",
        ),
    ],
)
def test_the_sentence_of_each_case(changes: dict[str, Any], sentence: str) -> None:
    assert reason_for(replace(FACTS, **changes)) == sentence
