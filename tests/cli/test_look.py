"""Looking at runs, branching off, and taking labels out."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished store that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_show_tells_settings_origin_rounds_and_what_is_pending(alvin: Any, finished: Path, reviews: Path) -> None:
    answer = alvin("show", "first", "--store", finished)
    assert answer.code == 0
    assert answer.lines[0] == "first"
    pairs = dict(line.split(maxsplit=1) for line in answer.lines[1 : answer.lines.index("")])
    assert pairs["data"] == str(reviews)
    assert pairs["splits"] == "pool 60, test 20, ood:balanced 20, ood:reversed 20"
    assert (pairs["budget"], pairs["initial"], pairs["runtime.threads"]) == ("5", "20", "1")
    assert [line.split()[1] for line in answer.lines if line.split()[:1] in (["0"], ["1"], ["2"])] == ["20", "25", "30"]
    assert any(line.startswith("Pending: 5 examples, which the next step annotates") for line in answer.lines)


def test_show_json_is_one_line_with_everything(alvin: Any, finished: Path) -> None:
    answer = alvin("show", "first", "--store", finished, "--json")
    assert len(answer.lines) == 1
    shown = json.loads(answer.out)
    assert (shown["run"], shown["state"], shown["annotator"], shown["parent"]) == ("first", "ready", "oracle", None)
    assert [one["round"] for one in shown["rounds"]] == [0, 1, 2]
    assert len(shown["pending"]) == 5
    assert shown["settings"]["alvin"]["alpha"] == 2.0


def test_show_settings_is_toml_that_makes_the_same_settings(alvin: Any, finished: Path, tmp_path: Path) -> None:
    from alvin_core.run import open_run
    from alvin_core.settings import RunSettings

    path = tmp_path / "same.toml"
    path.write_text(alvin("show", "first", "--settings", "--store", finished).out, encoding="utf-8")
    assert RunSettings.from_toml(path) == open_run(finished, "first").settings


def test_a_round_shows_each_pick_with_its_nearest_anchor_and_both_parents(alvin: Any, finished: Path) -> None:
    from alvin_core.run import open_run

    run = open_run(finished, "first")
    picks = json.loads(alvin("show", "first", "--round", "1", "--json", "--store", finished).out)["picks"]
    assert [pick["id"] for pick in picks] == run.selection(1)["id"].tolist()
    links = run.provenance(1)
    for pick in picks:
        anchor = pick["nearest_anchor"]
        assert anchor["distance"] == links.loc[links["id"] == pick["id"], "distance"].min()
        assert anchor["distance"] == pytest.approx(pick["nearest_distance"])
        rows = {id_: row for row, id_ in enumerate(run.dataset.ids.tolist())}
        assert anchor["minority_text"] == run.dataset.texts[rows[anchor["minority_id"]]]
        assert anchor["majority_text"] == run.dataset.texts[rows[anchor["majority_id"]]]
    words = alvin("show", "first", "--round", "1", "--top", "1", "--store", finished).out
    first = picks[0]
    assert first["id"] in words
    assert f"% minority {first['nearest_anchor']['minority_id']}: " in words
    assert picks[1]["id"] not in words
    assert "… and 4 more; see them with --top 5" in words


def test_a_round_that_is_not_there_is_an_error(alvin: Any, finished: Path) -> None:
    answer = alvin("show", "first", "--round", "3", "--store", finished)
    assert (answer.code, answer.out) == (2, "")
    assert "has no round 3: it has rounds 0 to 2" in answer.err


def test_runs_are_listed_by_name_and_as_json(alvin: Any, finished: Path) -> None:
    header, row = alvin("runs", "--store", finished).lines
    assert header.split()[:5] == ["name", "id", "strategy", "rounds", "labels"]
    assert row.split()[0] == "first"
    assert row.split()[2:6] == ["alvin", "3", "30", "ready"]
    (line,) = alvin("runs", "--store", finished, "--json").lines
    assert {"id", "name", "strategy", "state", "n_rounds", "n_labeled", "source", "parent"} <= set(json.loads(line))


def test_a_store_without_runs_says_how_to_start(alvin: Any) -> None:
    answer = alvin("runs", "--store", "nowhere")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "no runs in nowhere; start one with: alvin run --data reviews\n"
    assert not Path("nowhere").exists()


def test_the_store_comes_from_the_environment(alvin: Any, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALVIN_STORE", str(finished))
    assert alvin("show", "first").code == 0


def test_a_run_is_found_by_its_id(alvin: Any, finished: Path) -> None:
    run_id = json.loads(alvin("show", "first", "--json", "--store", finished).out)["id"]
    assert alvin("show", run_id, "--store", finished).lines[0] == "first"


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_export_has_a_row_for_each_label(format_: str, alvin: Any, finished: Path, gold: dict[str, str]) -> None:
    import pandas as pd

    path = Path(f"out.{format_}")
    answer = alvin("export", "first", "--format", format_, "--out", path, "--store", finished)
    assert answer.out == f"wrote 30 labels to out.{format_}\n"
    readers = {"csv": pd.read_csv, "jsonl": lambda file: pd.read_json(file, lines=True), "parquet": pd.read_parquet}
    frame = readers[format_](path)
    assert list(frame.columns[:4]) == ["id", "round", "label", "source"]
    assert frame["round"].value_counts().to_dict() == {0: 20, 1: 5, 2: 5}
    assert frame["source"].tolist() == ["initial"] * 20 + ["oracle"] * 10
    assert all(gold[id_] == label for id_, label in zip(frame["id"], frame["label"], strict=True))


def test_export_takes_the_format_from_the_name_and_replaces_nothing_unasked(alvin: Any, finished: Path) -> None:
    path = Path("out.jsonl")
    assert alvin("export", "first", "--out", path, "--store", finished).code == 0
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0])["round"] == 0
    path.write_text("precious", encoding="utf-8")
    answer = alvin("export", "first", "--out", path, "--store", finished)
    assert answer.code == 2
    assert "out.jsonl is there already; name another --out, or replace it with --force" in answer.err
    assert path.read_text(encoding="utf-8") == "precious"
    assert alvin("export", "first", "--out", path, "--force", "--store", finished).code == 0


def test_export_refuses_an_unknown_format_and_a_missing_folder(alvin: Any, finished: Path) -> None:
    answer = alvin("export", "first", "--format", "xlsx", "--store", finished)
    assert answer.err == "alvin: --format 'xlsx' is unknown; choose one of: csv, jsonl, parquet\n"
    answer = alvin("export", "first", "--out", "no/such/folder.csv", "--store", finished)
    assert answer.code == 2
    assert answer.err.startswith("alvin: cannot write no/such/folder.csv: there is no folder no/such; make it first")


def test_a_fork_shares_the_past_and_goes_as_far_as_its_parent(alvin: Any, store: Path) -> None:
    answer = alvin("fork", "first", "--at", "1", "--strategy", "random", "--name", "second", "--store", store, "--json")
    assert answer.code == 0
    lines = [json.loads(line) for line in answer.lines]
    assert [(line["run"], line["round"], line["strategy"]) for line in lines] == [
        ("second", 1, "random"),
        ("second", 2, "random"),
    ]
    assert [line["selection"] is None for line in lines] == [False, True]
    for name in ("first", "second"):
        alvin("export", name, "--out", f"{name}.csv", "--store", store)

    def labels(name: str, last: int) -> list[str]:
        with Path(f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return [row["id"] for row in csv.DictReader(file) if int(row["round"]) <= last]

    assert labels("first", 1) == labels("second", 1)
    assert labels("first", 2) != labels("second", 2)
    shown = alvin("show", "second", "--store", store).out
    assert "forked from" in shown
    assert "first at round 1" in shown


def test_a_fork_with_another_setting_and_its_own_last_round(alvin: Any, store: Path) -> None:
    answer = alvin(
        "fork", "first", "--at", "2", "--set", "alvin.alpha=0.5", "--rounds", "3", "--store", store, "--json"
    )
    assert [json.loads(line)["round"] for line in answer.lines] == [2, 3]
    answer = alvin("fork", "first", "--at", "9", "--store", store)
    assert answer.code == 2
    assert "cannot be forked at round 9; from 0 to 3 it can" in answer.err


def test_a_replay_of_the_same_is_0(alvin: Any, finished: Path) -> None:
    answer = alvin("replay", "first", "--store", finished)
    assert answer.code == 0
    assert answer.lines == [
        "round 0: same picks",
        "round 1: same picks",
        "round 2: same picks",
        "all 3 rounds picked the same examples again",
    ]


def test_a_replay_that_differs_is_1_and_names_the_rounds(alvin: Any, store: Path) -> None:
    with sqlite3.connect(store / "alvin.db") as database:
        database.execute("UPDATE proposals SET example_id = 'pool-99999' WHERE round_no = 2 AND rank = 3")
    database.close()
    answer = alvin("replay", "first", "--store", store)
    assert answer.code == 1
    assert answer.lines == ["round 0: same picks", "round 1: same picks", "round 2: 1 pick differs"]
    assert answer.err.splitlines()[-1] == "the run 'first' does not replay: round 2 picks other examples"
    lines = [json.loads(line) for line in alvin("replay", "first", "--store", store, "--json").lines]
    assert [line["n_different"] for line in lines] == [0, 0, 1]


def test_a_run_is_deleted_only_when_agreed_to(alvin: Any, store: Path) -> None:
    answer = alvin("delete", "first", "--store", store)
    assert answer.code == 2
    assert "with 3 rounds and 30 labels cannot be undone; repeat the command with --yes" in answer.err
    assert alvin("show", "first", "--store", store).code == 0
    answer = alvin("delete", "first", "--yes", "--store", store)
    assert answer.out == "deleted the run 'first' with 3 rounds and 30 labels\n"
    assert alvin("show", "first", "--store", store).code == 2


def test_a_run_that_is_not_there_names_a_close_one(alvin: Any, finished: Path) -> None:
    for command in ("show", "step", "replay", "export", "delete"):
        answer = alvin(command, "frist", "--store", finished)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == "alvin: no run is called 'frist'; did you mean 'first'?\n"


def test_an_unknown_ending_is_refused_rather_than_written_with_commas(alvin: Any, finished: Path) -> None:
    answer = alvin("export", "first", "--out", "labels.tsv", "--store", finished)
    assert answer.code == 2
    assert (
        answer.err.strip() == "alvin: '.tsv' is no export format; choose one of: csv, jsonl, parquet, or say --format"
    )
    assert not Path("labels.tsv").exists()
