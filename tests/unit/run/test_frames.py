import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from alvin_core.data.dataset import Texts
from alvin_core.data.spreadsheets import as_written
from alvin_core.errors import SettingsError, StoreError
from alvin_core.run import Run, create_run
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=5, initial=10)


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    made = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    list(made.run_rounds(2))
    return made


def test_examples_show_each_round_as_it_was(run: Run) -> None:
    for round_no, n_labeled in ((0, 10), (1, 15), (2, 20)):
        frame = run.examples(round_no)
        assert len(frame) == 72
        assert frame["labeled"].sum() == n_labeled
        assert frame["selected"].sum() == 5
        pool = frame[frame["split"] == "pool"]
        assert pool["label"].notna().sum() == n_labeled
        assert frame.loc[frame["split"] == "test", "label"].notna().all()
        labeled = frame[frame["labeled"]]
        assert labeled[["is_minority", "mean_gold_prob", "variability", "n_forgotten"]].notna().all(axis=None)
        assert frame.loc[~frame["labeled"], "is_minority"].isna().all()
        assert labeled["round_labeled"].value_counts().to_dict() == {0: 10} | dict.fromkeys(range(1, round_no + 1), 5)


def test_examples_hold_texts_predictions_and_ranks(run: Run, fake: ModuleType) -> None:
    frame = run.examples(1)
    assert frame.columns.tolist() == [
        *("id", "split", "text", "attribute", "label", "labeled", "label_source", "round_labeled"),
        *("is_minority", "mean_gold_prob", "variability", "n_forgotten"),
        *("predicted", "confidence", "entropy", "prob_neg", "prob_pos", "selected", "rank_alvin", "rank_entropy"),
    ]
    assert frame["text"].tolist() == list(run.dataset.texts)
    assert frame["attribute"].isna().sum() == 24
    np.testing.assert_allclose(frame["confidence"], frame[["prob_neg", "prob_pos"]].max(axis=1))
    expected = np.where(frame["prob_neg"] >= frame["prob_pos"], "neg", "pos")
    assert frame["predicted"].tolist() == expected.tolist()
    assert sorted(frame["rank_alvin"].dropna()) == list(range(1, 46))
    best = frame.sort_values("rank_alvin")["id"].head(5).tolist()
    assert best == run.selection(1)["id"].tolist()
    assert frame.loc[frame["id"].isin(best), "selected"].all()


def test_the_oracles_labels_are_shown_only_when_asked_for(run: Run) -> None:
    frame = run.examples(0, oracle=True)
    assert frame.columns.get_loc("oracle_label") == 5
    assert frame["oracle_label"].tolist() == ["neg", "pos"] * 36
    known = frame[frame["label"].notna()]
    assert (known["label"] == known["oracle_label"]).all()


def test_selection_is_ranked_from_one(run: Run) -> None:
    frame = run.selection(0)
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5]
    assert frame["score"].is_monotonic_decreasing
    assert frame["n_anchors"].tolist() == [1] * 5
    assert frame["nearest_distance"].tolist() == [0.0] * 5
    assert "rank_alvin" not in frame
    # The fake's entropy ranks backwards.
    assert frame["rank_entropy"].tolist() == [50, 49, 48, 47, 46]


def test_provenance_leads_from_the_selected_to_anchors_and_their_parents(run: Run) -> None:
    links, anchors, selected = run.provenance(1), run.anchors(1), run.selection(1)
    assert links["id"].tolist() == selected["id"].tolist()
    assert links["anchor"].tolist() == [0, 1, 0, 1, 0]
    first_two = run.labels()["id"].tolist()[:2]
    assert anchors["minority_id"].tolist() == first_two
    assert anchors["majority_id"].tolist() == first_two[::-1]
    assert anchors["weight"].tolist() == [0.25, 0.75]
    assert anchors["class"].tolist() == ["neg", "pos"]
    joined = links.merge(anchors, on="anchor", suffixes=("", "_of_anchor"))
    assert (joined["minority_id"] == joined["minority_id_of_anchor"]).all()
    assert (joined["weight"] == joined["weight_of_anchor"]).all()


def test_strategies_without_anchors_have_empty_frames_with_the_same_columns(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from alvin_core.run.engine import Engine

    def without(engine: Engine, *arguments: object) -> object:
        result, environment = fake.compute(engine, *arguments)
        bare = dataclasses.replace(result.selection, provenance=None, candidates=None, anchors=None, k=None)
        return dataclasses.replace(result, selection=bare), environment

    monkeypatch.setattr(Engine, "compute", without)
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS.with_value("strategy", "random"))
    run.step()
    assert run.anchors(0).empty
    assert run.provenance(0).columns.tolist() == [
        *("id", "anchor", "distance", "class", "minority_id", "majority_id", "weight")
    ]
    assert run.selection(0)["n_anchors"].isna().all()


def test_dynamics_and_vectors_come_back_as_they_were(run: Run, fake: ModuleType) -> None:
    dynamics = run.dynamics(1)
    assert dynamics.ids.tolist() == run.labels()["id"].tolist()[:15]
    assert dynamics.gold_prob.shape == (3, 15)
    ids, vectors = run.vectors(1)
    assert isinstance(vectors, np.memmap)
    assert vectors.shape == (60, 4)
    assert ids.tolist() == run.dataset.ids[:60].tolist()
    assert vectors.dtype == np.float32


def test_metrics_have_a_row_for_each_round_and_split(run: Run) -> None:
    frame = run.metrics()
    assert frame[["round", "split", "n_labeled"]].to_numpy().tolist() == [
        [0, "test", 10],
        [1, "test", 15],
        [2, "test", 20],
    ]
    assert {"accuracy", "macro_f1", "selection_mean_confidence", "groups_n_minority", "n_anchors"} <= set(frame.columns)


def test_pairs_have_two_text_columns(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(pairs=True), SETTINGS)
    run.step()
    for frame in (run.examples(0), run.selection(0), run.labels(), run.pending()):
        assert {"text_a", "text_b"} <= set(frame.columns)
        assert "text" not in frame


@pytest.mark.parametrize(("format_name", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_exports_are_read_back_as_the_labels_that_hold(
    run: Run, tmp_path: Path, format_name: str, read: object
) -> None:
    undone = run.labels()["id"].iloc[3]
    run.undo(undone)
    path = tmp_path / f"labels.{format_name}"
    assert run.export(path, format_name) == 19
    assert callable(read)
    back = read(path)
    assert back.columns.tolist() == [
        "id",
        "round",
        "label",
        "source",
        "text",
        "attribute",
        "annotator",
        "time",
        "parent_id",
    ]
    known = [frame.astype(object).where(frame.notna(), None) for frame in (back, run.labels())]
    pd.testing.assert_frame_equal(*known)
    assert undone not in back["id"].tolist()
    assert list(tmp_path.glob(".labels*")) == []


def test_json_lines_hold_one_object_a_label(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "labels.jsonl", "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == run.labels()["id"].tolist()
    assert {line["round"] for line in lines} == {0, 1, 2}


def test_texts_with_quotes_line_ends_and_formulas_survive_every_export(tmp_path: Path, fake: ModuleType) -> None:
    import dataclasses

    texts = [
        'say "no", twice',
        "two\nlines",
        "a\r\nwindows line",
        "old mac\rline",
        "=1+1",
        "naïve 😀 \u2028 end",
        " edges ",
    ]
    dataset = fake.make_dataset(20, 4)
    run = create_run(
        tmp_path, dataclasses.replace(dataset, texts=Texts.pack((texts * 4)[:24])), RunSettings(initial=19, budget=1)
    )
    expected = run.labels()["text"].tolist()
    assert set(expected) == set(texts)
    for format_name in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"out.{format_name}"
        run.export(path, format_name)
        if format_name == "csv":
            import csv

            with path.open(newline="", encoding="utf-8") as file:
                found = [as_written(row["text"]) for row in csv.DictReader(file)]
        elif format_name == "jsonl":
            found = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").split("\n") if line]
        else:
            found = pd.read_parquet(path)["text"].tolist()
        assert found == expected, format_name


def test_exports_that_cannot_be_written_say_why(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="format = 'xlsx' is unknown; choose one of: csv, jsonl, parquet"):
        run.export(tmp_path / "x", "xlsx")
    with pytest.raises(StoreError, match="is a folder"):
        run.export(tmp_path)
    with pytest.raises(StoreError, match=r"cannot write .*nowhere"):
        run.export(tmp_path / "nowhere" / "x.csv")


def test_importing_the_run_pulls_in_nothing_heavy() -> None:
    code = (
        "import sys; from alvin_core.run import Run, create_run, open_run; "
        "heavy = {'torch', 'transformers', 'pandas', 'faiss', 'numba', 'sklearn', 'pyarrow'}; "
        "print(sorted(heavy & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    light = "import sys, alvin_core.run, alvin_core.store; print('sqlalchemy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
