from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from alvin_core.errors import AnnotationNeeded, LabelError
from alvin_core.run import Run, SubmitReport, create_run
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=5, initial=10)


@pytest.fixture
def waiting(tmp_path: Path, fake: ModuleType) -> Run:
    return create_run(tmp_path, fake.make_dataset(labeled=0.0), SETTINGS, name="r")


def halves(ids: list[str]) -> dict[str, str]:
    return {one: "pos" if place % 2 else "neg" for place, one in enumerate(ids)}


def test_a_pool_without_labels_waits_for_the_initial_set(waiting: Run) -> None:
    assert waiting.state == "waiting"
    pending = waiting.pending()
    assert pending.columns.tolist() == ["id", "text", "attribute"]
    assert len(pending) == 10
    with pytest.raises(AnnotationNeeded, match=r"10 of the 10 .*`alvin submit r LABELS.csv`"):
        waiting.step()


def test_partial_submits_add_up_and_then_the_run_goes_on(waiting: Run) -> None:
    ids = waiting.pending()["id"].tolist()
    first = waiting.submit(halves(ids[:4]), annotator="Ada")
    assert first == SubmitReport(n_new=4, n_same=0, n_blank=0, n_outside=0, n_pending=6)
    assert waiting.pending()["id"].tolist() == ids[4:]
    with pytest.raises(AnnotationNeeded, match="6 of the 10"):
        waiting.step()
    # The same labels again are no mistake; blank cells are examples that nobody has come to.
    frame = pd.DataFrame({"id": ids, "label": [*halves(ids)][:0] + list(halves(ids).values())})
    frame.loc[9, "label"] = None
    second = waiting.submit(frame)
    assert second == SubmitReport(n_new=5, n_same=4, n_blank=1, n_outside=0, n_pending=1)
    waiting.submit({ids[9]: "pos"})
    assert waiting.state == "ready"
    assert waiting.step().n_labeled == 10
    assert waiting.state == "waiting"
    labels = waiting.labels()
    assert labels["annotator"].tolist() == ["Ada"] * 4 + ["person"] * 6
    assert set(labels["source"]) == {"person"}
    assert set(labels["round"]) == {0}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"nobody": "pos"}, "has no example 'nobody'; nothing was stored"),
        ({"e00060": "pos"}, "'e00060' is in the split 'test'"),
        ({"e00001": "maybe"}, "unknown class 'maybe'; the classes are: neg, pos"),
        ({"e00000": "maybe", "e00001": "x", "e00002": "pos"}, r"unknown class 'maybe'.*\(the first of 2 such labels\)"),
        (
            pd.DataFrame({"id": ["e00003", "e00003"], "label": ["pos", "neg"]}),
            "'e00003' is given two labels, 'pos' and 'neg'",
        ),
        (pd.DataFrame({"id": ["e00003"], "class": ["pos"]}), "'label' is missing among: id, class"),
        ([("e00003", "pos")], "a mapping of id to label or a frame, not list"),
    ],
)
def test_bad_labels_are_refused_and_none_of_them_is_stored(waiting: Run, bad: object, message: str) -> None:
    with pytest.raises(LabelError, match=message):
        waiting.submit(bad)  # type: ignore[arg-type]
    assert len(waiting.labels()) == 0


def test_a_label_does_not_change_unless_it_is_undone_first(waiting: Run) -> None:
    waiting.submit({"e00001": "pos"})
    with pytest.raises(LabelError, match="'e00001' is labeled 'pos' and cannot become 'neg'; undo"):
        waiting.submit({"e00002": "pos", "e00001": "neg"})
    waiting.undo("e00001", "Ada")
    assert len(waiting.labels()) == 0
    with pytest.raises(LabelError, match="'e00001' has no label"):
        waiting.undo("e00001")
    waiting.submit({"e00002": "pos", "e00001": "neg"})
    assert waiting.labels()["id"].tolist() == ["e00002", "e00001"]


def test_several_labels_are_taken_back_together_or_not_at_all(waiting: Run) -> None:
    waiting.submit({"e00001": "pos", "e00002": "neg", "e00003": "pos"})
    with pytest.raises(LabelError, match=r"'e00009' has no label .* none of the 2 was taken back"):
        waiting.undo(["e00001", "e00009"])
    assert len(waiting.labels()) == 3
    waiting.undo(["e00003", "e00001", "e00003"], "Ada")
    assert waiting.labels()["id"].tolist() == ["e00002"]
    waiting.undo([])
    assert len(waiting.labels()) == 1


def test_an_undo_leaves_the_rounds_that_were_trained_as_they_are(waiting: Run) -> None:
    waiting.submit(halves(waiting.pending()["id"].tolist()))
    waiting.step()
    before = waiting.examples(0)
    taken = waiting.labels()["id"].iloc[0]
    waiting.undo(taken)
    pd.testing.assert_frame_equal(waiting.examples(0), before)
    assert waiting.replay()[0].same
    waiting.submit(halves(waiting.pending()["id"].tolist()))
    record = waiting.step()
    assert record.n_labeled == 14
    after = waiting.examples(1).set_index("id")
    assert not after.loc[taken, "labeled"]
    assert pd.isna(after.loc[taken, "label"])


def test_labels_outside_the_proposal_are_taken_and_counted(waiting: Run) -> None:
    proposed = waiting.pending()["id"].tolist()
    outside = [one for one in waiting.dataset.ids[:60].tolist() if one not in proposed][:3]
    report = waiting.submit(halves([*proposed, *outside]))
    assert (report.n_new, report.n_outside, report.n_pending) == (13, 3, 0)
    assert waiting.step().n_labeled == 13


def test_labels_in_the_pool_are_the_initial_set_of_a_person(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(labeled=0.25), SETTINGS)
    assert (run.annotator, run.state, len(run.labels())) == ("person", "ready", 15)
    assert set(run.labels()["source"]) == {"initial"}
    assert run.step().n_labeled == 15
    assert run.state == "waiting"


def test_pool_labels_of_a_single_class_are_kept_and_more_is_asked_for(tmp_path: Path, fake: ModuleType) -> None:
    dataset = fake.make_dataset(labeled=0.0)
    dataset.labels[5] = 1
    run = create_run(tmp_path, dataset, SETTINGS)
    assert len(run.labels()) == 1
    assert len(run.pending()) == 10
    assert "e00005" not in run.pending()["id"].tolist()


def test_a_person_never_sees_the_oracle_they_replace(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS.with_value("annotator", "person"))
    assert run.state == "waiting"
    assert len(run.labels()) == 0
    run.submit(halves(run.pending()["id"].tolist()))
    run.step()
    examples = run.examples(0)
    pool = examples[examples["split"] == "pool"]
    assert pool.loc[~pool["labeled"], "label"].isna().all()
    assert "oracle_label" not in examples
    assert run.examples(0, oracle=True)["oracle_label"].notna().all()


def test_ids_that_were_read_as_numbers_are_found(tmp_path: Path, fake: ModuleType) -> None:
    import dataclasses

    dataset = fake.make_dataset(labeled=0.0)
    run = create_run(tmp_path, dataclasses.replace(dataset, ids=np.arange(len(dataset)).astype(str)), SETTINGS)
    report = run.submit(pd.DataFrame({"id": run.pending()["id"].astype(int), "label": "pos"}))
    assert report.n_new == 10


def test_an_annotator_has_a_name(waiting: Run) -> None:
    with pytest.raises(LabelError, match="annotator = ' '"):
        waiting.submit({}, annotator=" ")


def test_labels_of_one_class_only_leave_the_run_waiting_for_another(waiting: Run) -> None:
    assert waiting.waits_for.startswith("10 of the 10 examples that the run 'r' proposed have no label yet")
    waiting.submit(dict.fromkeys(waiting.pending()["id"], "pos"))
    assert (waiting.state, len(waiting.pending())) == ("waiting", 0)
    assert "has only the class 'pos', at least 2 classes are needed to train; label any pool" in waiting.waits_for
    with pytest.raises(AnnotationNeeded) as raised:
        waiting.step()
    assert str(raised.value) == waiting.waits_for
    outside = next(one for one in waiting.dataset.ids[:60].tolist() if one not in set(waiting.labels()["id"]))
    waiting.submit({outside: "neg"})
    assert (waiting.state, waiting.waits_for) == ("ready", "")
    assert waiting.step().n_labeled == 11


def test_whole_numbers_with_a_decimal_point_mean_the_class_without_it(tmp_path: Path, fake: ModuleType) -> None:
    import dataclasses

    run = create_run(tmp_path, dataclasses.replace(fake.make_dataset(labeled=0.0), classes=("0", "1")), SETTINGS)
    ids = run.pending()["id"].tolist()
    run.submit(pd.DataFrame({"id": ids[:3], "label": [1, None, 0]}))  # pandas makes the column 1.0, NaN, 0.0
    run.submit({ids[3]: "1.0", ids[4]: " 0 ", ids[5]: 1})  # type: ignore[dict-item]
    run.submit(pd.DataFrame({"id": ids[6:8], "label": pd.array([0, None], dtype="Int64")}))
    assert run.labels()["label"].tolist() == ["1", "0", "1", "0", "1", "0"]
    with pytest.raises(LabelError, match=r"unknown class '1\.5'"):
        run.submit({ids[9]: 1.5})  # type: ignore[dict-item]


def test_a_class_that_is_called_so_keeps_its_decimal_point(tmp_path: Path, fake: ModuleType) -> None:
    import dataclasses

    run = create_run(tmp_path, dataclasses.replace(fake.make_dataset(labeled=0.0), classes=("1.0", "2.0")), SETTINGS)
    run.submit({run.pending()["id"].iloc[0]: "1.0"})
    assert run.labels()["label"].tolist() == ["1.0"]


def test_a_list_is_no_label(waiting: Run) -> None:
    with pytest.raises(LabelError, match=r"\['pos'\] stands where one id or one label is expected"):
        waiting.submit({"e00001": ["pos"]})  # type: ignore[dict-item]


def test_an_annotators_name_is_printable(waiting: Run) -> None:
    with pytest.raises(LabelError, match="must be a name of 1 to 200 printable characters"):
        waiting.submit({"e00001": "pos"}, annotator="maria\udcff")
