"""Added examples as maps, reasons and cards meet them: parents without a place, rounds that knew nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alvin_core.errors import DataError
from alvin_core.run import Run, create_run, open_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=6, initial=24).with_values(
    {"alvin.backend": "faiss-flat", "alvin.max_pairs": 12, "alvin.n_anchors": 2, "alvin.k": 3}
)
MakeRun = Callable[..., Run]


@pytest.fixture
def run(tmp_path: Path, drawn: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Two rounds; before the second, ten examples were added, and the first of them taken back."""
    monkeypatch.setattr(Engine, "compute", drawn.compute)
    made = create_run(tmp_path, drawn.make_dataset(), SETTINGS, name="r")
    made.step()
    parent = made.labels()["id"].iloc[0]
    for number in range(10):
        made.add_example((f"written {number}",), made.dataset.classes[number % 3], parent_id=parent, annotator="Ada")
    made.undo("edit-0001")
    made.step()
    return made


def added_parents(run: Run) -> np.ndarray:
    anchors = run.anchors(1)
    return (anchors["minority_id"].str.startswith("edit") | anchors["majority_id"].str.startswith("edit")).to_numpy()


def test_anchors_without_both_places_are_left_off_the_map_and_counted(run: Run) -> None:
    projection = run.project(1, method="pca")
    assert len(projection) == 90
    shown = run.map_anchors(1, projection)
    linked = np.unique(run.provenance(1)["anchor"])
    without = added_parents(run)[linked]
    assert 0 < without.sum() < len(linked)
    assert (shown.n_linked, shown.n_without_place) == (len(linked), without.sum())
    assert sorted(shown.anchor.tolist()) == linked[~without].tolist()
    ids, frame = run.map_columns(1).ids, run.anchors(1).iloc[shown.anchor]
    assert ids[shown.minority].tolist() == frame["minority_id"].tolist()
    assert ids[shown.majority].tolist() == frame["majority_id"].tolist()
    fewer = run.map_anchors(1, projection, 3)
    assert (len(fewer), fewer.n_without_place) == (3, without.sum())
    first = run.map_anchors(0, run.project(0, method="pca"))
    assert first.n_without_place == 0


def test_a_map_s_vectors_are_the_pool_s_and_none_is_copied(run: Run) -> None:
    from alvin_core.run.projecting import _round_vectors

    stored, _ = run._handle.round(1)
    vectors = _round_vectors(run._handle, stored)
    ids, everything = run.vectors(1)
    assert len(everything) == 99
    assert np.array_equal(vectors, everything[:90])
    assert ids[:90].tolist() == run.map_columns(1).ids.tolist()
    assert isinstance(vectors, np.memmap) or isinstance(vectors.base, np.ndarray | np.memmap)


def test_a_reason_shows_the_text_of_a_parent_that_was_added(run: Run) -> None:
    links = run.provenance(1)
    written = links[added_parents(run)[links["anchor"]]]
    found = run.explain(1, written["id"].iloc[0], n_anchors=100)
    texts = {
        one: text
        for anchor in found.anchors
        for one, text in (
            (anchor.minority_id, anchor.minority_text),
            (anchor.majority_id, anchor.majority_text),
        )
    }
    added = {one: text for one, text in texts.items() if one.startswith("edit")}
    assert added
    assert all(text == f"written {int(one[5:]) - 1}" for one, text in added.items())
    labels = dict(zip(run.labels()["id"], run.labels()["label"], strict=True))
    assert all(anchor.minority_label == labels[anchor.minority_id] for anchor in found.anchors)


def test_an_added_example_explains_whose_it_is(run: Run) -> None:
    parent = run.added()["parent_id"].iloc[0]
    found = run.explain(1, "edit-0002")
    assert (found.split, found.labeled, found.label, found.label_now) == ("added", True, "pos", "pos")
    assert (found.written_by, found.made_of, found.anchors) == ("Ada", parent, ())
    n = int(((run.anchors(1)[["minority_id", "majority_id"]] == "edit-0002").any(axis=1)).sum())
    group = "minority" if found.is_minority else "majority"
    role = f"it is a parent of {n:,} of the {len(run.anchors(1)):,} anchors" if n else "it is no parent of an anchor"
    assert found.reason == (
        f"Not selected: Ada added it as an edit of {parent}, and only pool examples are selected; this round trained "
        f"on it as pos and put it in the {group} group; {role}."
    )
    back = run.explain(1, "edit-0001")
    assert (back.labeled, back.label, back.label_now) == (False, None, None)
    assert back.reason.endswith("its label had been taken back, so this round did not train on it.")
    plain = run.explain(1, run.labels()["id"].iloc[0])
    assert (plain.written_by, plain.made_of) == (None, None)


def test_a_round_before_it_knows_nothing_of_it_and_says_so(run: Run) -> None:
    with pytest.raises(DataError, match="'edit-0002' was added after round 0, which knows nothing of it; ask for a"):
        run.explain(0, "edit-0002")
    history = run.predictions("edit-0002")
    assert history[["round", "labeled"]].values.tolist() == [[1, True]]
    assert history["confidence"].notna().all()
    assert len(run.predictions("edit-0001")) == 1
    other = open_run(run._handle.store.path, "r")
    assert len(other.dataset) == 106
    run.add_example(("written later",), "pos")
    assert other.predictions("edit-0011").empty
    with pytest.raises(DataError, match="was added after round 1"):
        other.explain(1, "edit-0011")


def test_what_lies_near_an_added_example_are_pool_examples(run: Run) -> None:
    near = run.nearest(1, "edit-0002", 5)
    ids, vectors = run.vectors(1)
    of_id = dict(zip(ids.tolist(), vectors.astype(np.float64), strict=True))
    distances = {one: np.linalg.norm(of_id[one] - of_id["edit-0002"]) for one in ids[:90].tolist()}
    expected = sorted(distances, key=lambda one: (distances[one], one))[:5]
    assert near["id"].tolist() == expected
    np.testing.assert_allclose(near["distance"], [distances[one] for one in expected])
    everywhere = run.nearest(1, expected[0], 200)
    assert len(everywhere) == 89
    assert not everywhere["id"].str.startswith("edit").any()
    with pytest.raises(DataError, match="'edit-0001' is in the split 'added'; only pool examples, and others"):
        run.nearest(1, "edit-0001")


def test_a_diagnosis_counts_an_added_example_as_labeled_and_as_unknown(run: Run) -> None:
    found = run.diagnose(1)
    assert found.n_anchors == len(run.anchors(1))
    assert found.labeled_contradicts is not None
    other = open_run(run._handle.store.path, "r")
    assert other.diagnose(1).to_dict() == found.to_dict()
