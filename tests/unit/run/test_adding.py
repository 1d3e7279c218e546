"""Examples that a person wrote: stored with their label or not at all, trained on from then on, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alvin_core.data.dataset import Dataset
from alvin_core.errors import AlvinError, DataError, LabelError, PoolError
from alvin_core.run import Run, create_run, delete_run, growing, list_runs, open_run
from alvin_core.settings import RunSettings
from alvin_core.store import added as store_added
from alvin_core.store.database import open_store
from alvin_core.store.tables import ComparisonCellRow, ComparisonRow

SETTINGS = RunSettings(budget=5, initial=10)
N = 72  # examples of the made-up data set: 60 in the pool, 12 to test on


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    made = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    list(made.run_rounds(1))
    return made


def labeled_in(run: Run, round_no: int) -> list[str]:
    frame = run.examples(round_no)
    return sorted(frame.loc[frame["labeled"], "id"])


def test_an_added_example_is_labeled_and_stands_behind_all_others(run: Run) -> None:
    before = run.dataset
    assert (
        run.add_example(("text 99, new",), "pos", parent_id="e00003", attribute="long", annotator="Ada") == "edit-0001"
    )
    after = run.dataset
    assert len(after) == N + 1
    assert after.ids[:N].tolist() == before.ids.tolist()
    assert (after.ids[N], after.text_of(N), after.splits[N]) == ("edit-0001", "text 99, new", "added")
    assert (after.classes[after.labels[N]], after.attributes is not None and after.attributes[N]) == ("pos", "long")
    assert after.evaluation_splits == ("test",)
    assert len(after.rows_of("pool")) == 60
    [row] = run.labels().tail(1).to_dict(orient="records")
    assert {name: row[name] for name in ("id", "round", "label", "source", "annotator", "parent_id")} == {
        "id": "edit-0001", "round": 2, "label": "pos", "source": "counterfactual", "annotator": "Ada",
        "parent_id": "e00003",
    }  # fmt: skip
    assert run.labels()["parent_id"].isna().sum() == 15
    event = run.history().iloc[-1]
    assert event[["action", "id", "source"]].tolist() == ["label", "edit-0001", "counterfactual"]
    [listed] = run.added().drop(columns="time").to_dict(orient="records")
    assert listed == {
        "id": "edit-0001", "text": "text 99, new", "written_for": "pos", "label": "pos", "attribute": "long",
        "parent_id": "e00003", "annotator": "Ada",
    }  # fmt: skip


def test_the_next_round_trains_on_it_and_never_selects_it(run: Run) -> None:
    run.add_example(("text 99",), "pos")
    record = run.step()
    assert record.n_labeled == 10 + 2 * 5 + 1
    assert "edit-0001" in labeled_in(run, 2)
    frame = run.examples(2)
    assert frame["split"].tolist()[N:] == ["added"]
    assert frame.loc[N, ["label", "label_source", "round_labeled"]].tolist() == ["pos", "counterfactual", 2]
    ids, vectors = run.vectors(2)
    assert (len(ids), ids[-1], len(vectors)) == (61, "edit-0001", 61)
    assert len(run.map_columns(2)) == 60
    assert run.search("text 99").sum() == 0
    [info] = list_runs(run._handle.store.path)
    assert info.n_labeled == 21  # the second proposal is not annotated yet
    list(run.run_rounds(10))
    assert run.record(10).n_labeled == 61
    assert "edit-0001" not in pd.concat([run.selection(one) for one in range(11)])["id"].tolist()


def test_rounds_before_it_stay_as_they_were(run: Run) -> None:
    frames = [run.examples(one) for one in range(2)]
    run.add_example(("text 99",), "pos")
    run.step()
    for one in (run, open_run(run._handle.store.path, "r")):
        for round_no in range(2):
            pd.testing.assert_frame_equal(one.examples(round_no), frames[round_no])
        assert len(one.examples(2)) == N + 1


def test_either_example_and_label_are_stored_or_neither(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: Any, *_: Any, **__: Any) -> None:
        session.flush()  # the example's row is sent by now
        raise RuntimeError("pulled the plug")

    n_events = len(run.history())
    with monkeypatch.context() as patch:
        patch.setattr(store_added, "add_labels", fail)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            run.add_example(("text 99",), "pos")
    assert (len(run.added()), len(run.dataset), len(run.history())) == (0, N, n_events)
    assert run.add_example(("text 99",), "pos") == "edit-0001"


def test_a_run_that_another_process_opened_before_sees_it_everywhere(run: Run) -> None:
    other = open_run(run._handle.store.path, "r")
    assert len(other.dataset) == N
    assert len(other.labels()) == 15
    run.add_example(("text 98",), "neg")
    assert other.labels()["id"].iloc[-1] == "edit-0001"  # an id that it has never heard of
    run.add_example(("text 99",), "pos")
    assert other.map_columns(1).label_now.max() == 1
    assert other.step().n_labeled == 22
    run.add_example(("text 100",), "pos")
    run.step()
    assert len(other.examples(3)) == N + 3  # a round with rows beyond those that it knew
    other.undo("edit-0003")
    assert other.dataset.ids[-1] == "edit-0003"
    run.add_example(("text 101",), "pos")
    other.flag("edit-0004")
    assert len(other.dataset) == N + 4


def test_a_label_taken_back_takes_the_example_out_of_training_and_leaves_its_row(run: Run) -> None:
    run.add_example(("text 99",), "pos")
    run.add_example(("text 100",), "neg")
    run.undo("edit-0001", annotator="Bob")
    assert run.step().n_labeled == 21
    assert [one for one in labeled_in(run, 2) if one.startswith("edit")] == ["edit-0002"]
    assert run.dataset.ids[N:].tolist() == ["edit-0001", "edit-0002"]
    assert run.added()["label"].tolist() == [None, "neg"]
    ids, _ = run.vectors(2)
    assert "edit-0001" not in ids.tolist()
    with pytest.raises(LabelError, match="only pool examples are annotated"):
        run.submit({"edit-0001": "pos"})
    assert run.add_example(("text 99",), "pos") == "edit-0003"  # the same text again, once the first does not hold


@pytest.mark.parametrize(
    ("texts", "changes", "error", "message"),
    [
        (("a", "b"), {}, DataError, "has 1 text, given: 2; give 1"),
        ("text", {}, DataError, "given: a single string"),
        ((" \n",), {}, DataError, "is empty; write one"),
        (("half \ud800",), {}, DataError, "half a character"),
        (("nul \0",), {}, DataError, r"U\+0000"),
        (("x" * (16 * 2**20 + 1),), {}, DataError, "16,777,217 characters, at most 16,777,216"),
        (("new",), {"label": "good"}, LabelError, "the class 'good' is unknown; the classes are: neg, pos"),
        (("new",), {"attribute": "two\nlines"}, DataError, "at most 128 printable characters"),
        (("new",), {"attribute": "x" * 129}, DataError, "at most 128 printable characters"),
        (("new",), {"annotator": " "}, LabelError, "must be a name"),
        (("new",), {"parent_id": "nobody"}, LabelError, "has no example 'nobody'"),
        (("new",), {"parent_id": "e00065"}, LabelError, "in the split 'test'.*edit an example of the pool"),
        (
            ("text 65, with a comma",),
            {},
            LabelError,
            "'e00065' in the split 'test' has this text, and is there to eval",
        ),
    ],
)
def test_what_cannot_be_added_is_refused_in_words(
    run: Run, texts: Any, changes: dict[str, str], error: type[AlvinError], message: str
) -> None:
    with pytest.raises(error, match=message):
        run.add_example(texts, changes.pop("label", "pos"), **changes)  # type: ignore[arg-type]
    assert run.added().empty


def test_a_text_that_is_there_already_is_named(run: Run) -> None:
    labels = run.labels().set_index("id")
    held = labels.index[0]
    free = next(one for one in run.dataset.ids[:60].tolist() if one not in labels.index)
    with pytest.raises(LabelError, match=f"'{held}' has this text and is labeled '{labels['label'].iloc[0]}' already"):
        run.add_example((labels["text"].iloc[0],), "pos")
    with pytest.raises(LabelError, match=f"'{free}' of the pool has this text; label that one"):
        run.add_example((str(run.dataset.text_of(int(free[1:]))),), "pos")
    run.add_example(("text 99",), "pos", parent_id=held)
    with pytest.raises(LabelError, match="'edit-0001' has this text and is labeled 'pos'"):
        run.add_example(("text 99",), "neg")
    assert run.add_example(("text 99 ",), "neg", parent_id="edit-0001") == "edit-0002"


def test_a_pair_has_two_texts_and_data_without_attributes_takes_none(tmp_path: Path, fake: ModuleType) -> None:
    from dataclasses import replace

    run = create_run(tmp_path, replace(fake.make_dataset(pairs=True), attributes=None), SETTINGS)
    with pytest.raises(DataError, match="has 2 texts, given: 1; give 2"):
        run.add_example(("one",), "pos")
    with pytest.raises(DataError, match="the attribute 'long' is given, and the data set has none"):
        run.add_example(("one", "two"), "pos", attribute="long")
    run.add_example(("text 3, with a comma", "two"), "pos")
    assert run.dataset.text_of(N) == ("text 3, with a comma", "two")
    assert run.labels()["text_b"].iloc[-1] == "two"
    assert run.step().n_labeled == 11


def test_ids_that_the_data_has_are_passed_over(tmp_path: Path, fake: ModuleType) -> None:
    from dataclasses import replace

    made = fake.make_dataset()
    ids = made.ids.astype("<U9")
    ids[[3, 4]] = "edit-0001", "edit-0003"
    run = create_run(tmp_path, replace(made, ids=ids), SETTINGS)
    assert [run.add_example((f"text {number}",), "pos") for number in (97, 98, 99)] == [
        "edit-0002", "edit-0004", "edit-0005",
    ]  # fmt: skip
    assert run._handle.row_of_id["edit-0005"] == N + 2


@pytest.mark.parametrize("few", [0, 100])
def test_rows_of_ids_are_found_with_and_without_a_table_of_all(
    tmp_path: Path, fake: ModuleType, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    monkeypatch.setattr(growing, "FEW", few)
    monkeypatch.setattr(growing, "LOOKED_UP_AT_ONCE", 7)
    made = fake.make_dataset()
    ids = made.ids[np.random.default_rng(0).permutation(len(made))]
    run = create_run(tmp_path, replace(made, ids=ids), SETTINGS)
    added = run.add_example(("text 99",), "pos")
    rows_of = open_run(tmp_path, run.id)._handle.row_of_id.rows_of
    asked = [*ids[[5, 3, 3, len(ids) - 1, 0]].tolist()]
    assert rows_of(asked).tolist() == [5, 3, 3, len(ids) - 1, 0]
    assert rows_of([]).tolist() == []
    assert rows_of([added, asked[0]]).tolist() == [len(ids), 5]
    with pytest.raises(KeyError):
        rows_of([asked[0], "nobody"])


def test_a_waiting_run_goes_on_waiting(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(labeled=0.0), SETTINGS)
    run.add_example(("text 98",), "pos")
    run.add_example(("text 99",), "neg")
    assert (run.state, len(run.pending()), len(run.queue())) == ("waiting", 10, 10)
    report = run.submit(dict.fromkeys(run.queue(), "pos"))  # one class alone, but for the added one
    assert (report.n_new, report.n_pending, run.state) == (10, 0, "ready")
    assert run.step().n_labeled == 12


def test_after_the_pool_is_used_up_an_added_example_makes_one_more_round(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(20, 6), SETTINGS)
    run.add_example(("text 97",), "pos")
    list(run.run_rounds(2))
    with pytest.raises(PoolError, match="all 20 pool examples"):
        run.step()
    with pytest.raises(PoolError, match="with 0 examples left"):
        run.run_rounds(3)
    run.add_example(("text 98",), "pos")
    [record] = run.run_rounds(3)
    assert (record.round, record.n_labeled) == (3, 22)
    with pytest.raises(PoolError, match="all 20 pool examples"):
        run.step()


def test_an_unknown_attribute_is_never_a_known_minority(tmp_path: Path, fake: ModuleType) -> None:
    from alvin_core.groups import infer_groups

    run = create_run(tmp_path, fake.make_dataset(), SETTINGS.with_value("groups.rule", "known"))
    run.add_example(("text 99",), "pos")
    run.step()
    rows = run._handle.round(0)[1]["labeled_rows"]
    assert run.dataset.attributes is not None
    dynamics = run.dynamics(0)
    groups = infer_groups(
        dynamics.correct, dynamics.gold_prob, run.dataset.labels[rows], rule="known", min_minority=0.0,
        attributes=run.dataset.attributes[rows],
    )  # fmt: skip
    assert rows[-1] == N
    assert not groups.is_minority[-1]


def test_a_cell_of_a_comparison_takes_none(run: Run) -> None:
    store = open_store(run._handle.store.path)
    row = run._handle.row
    with store.write() as session:
        session.add(ComparisonRow(id="c", name="c", plan={}, dataset=row.dataset, source="", created_at=row.created_at))
        session.flush()
        session.add(ComparisonCellRow(comparison_id="c", key="alvin-0", run_id=row.id))
    with pytest.raises(LabelError, match=r"part of a comparison.*fork it"):
        run.add_example(("text 99",), "pos")
    assert run.fork(1).add_example(("text 99",), "pos") == "edit-0001"


def test_a_fork_has_what_had_been_added_by_its_round(run: Run) -> None:
    run.add_example(("text 98",), "pos", parent_id="e00003")
    run.step()
    run.add_example(("text 99",), "neg")
    run.flag("edit-0001")
    run.flag("edit-0002")
    run.step()
    n_of = {at: run.fork(at, name=f"at{at}") for at in (1, 2, 3, 4)}
    assert [len(one.added()) for one in n_of.values()] == [0, 1, 2, 2]
    assert [one.marks()["id"].tolist() for one in n_of.values()] == [
        [], ["edit-0001"], ["edit-0001", "edit-0002"], ["edit-0001", "edit-0002"],
    ]  # fmt: skip
    child = n_of[2]
    assert child.add_example(("text 100",), "pos") == "edit-0002"
    assert child.step().n_labeled == 22
    pd.testing.assert_frame_equal(child.examples(1), run.examples(1))
    assert [one.same for one in child.replay()] == [True] * 3
    store = run._handle.store.path
    delete_run(store, "r")
    assert child.dataset.text_of(N + 1) == "text 100"


def test_replay_of_an_old_round_leaves_out_what_was_added_since(run: Run) -> None:
    run.add_example(("text 98",), "pos")
    run.step()
    run.undo("edit-0001")
    run.add_example(("text 99",), "neg")
    run.add_example(("text 100",), "neg")
    run.step()
    run.add_example(("text 101",), "neg")
    for one in (run, open_run(run._handle.store.path, "r")):
        assert [(again.same, again.note) for again in one.replay()] == [(True, "")] * 4
    sizes = [len(run._handle.round(one)[1]["probs"]) for one in range(4)]
    assert sizes == [N, N, N + 1, N + 3]


def test_a_deleted_run_leaves_nothing_of_it(run: Run) -> None:
    from sqlalchemy import func, select

    from alvin_core.store.tables import AddedExampleRow

    run.add_example(("text 99",), "pos")
    store = run._handle.store
    delete_run(store.path, "r")
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(AddedExampleRow)) == 0


def test_a_stored_data_set_is_not_copied_for_its_first_rows(run: Run) -> None:
    run.add_example(("text 99",), "pos")
    whole: Dataset = run.dataset
    first = run._handle.dataset_of(N)
    assert first is run._handle.stored_dataset
    run.add_example(("text 100",), "pos")
    part = run._handle.dataset_of(N + 1)
    assert part.ids.tolist() == whole.ids.tolist()
    assert list(part.texts) == list(whole.texts)
    assert np.shares_memory(part.texts.blob, run.dataset.texts.blob)
