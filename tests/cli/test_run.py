"""``alvin run`` and ``step``: rounds, as JSON and as a table."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

SPLITS = ["test", "ood:balanced", "ood:reversed"]


def changed_copy(
    source: Path, target: Path, *, drop: tuple[str, ...] = (), names: dict[str, str] | None = None
) -> Path:
    """Copy a CSV file without some columns, or with others' names."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [{(names or {}).get(key, key): value for key, value in row.items() if key not in drop} for row in rows]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(kept[0]))
        writer.writeheader()
        writer.writerows(kept)
    return target


def test_json_has_one_line_a_round_of_exactly_this_shape(alvin: Any, small: tuple[str, ...]) -> None:
    answer = alvin("run", *small, "--rounds", "2", "--name", "shaped", "--json")
    assert answer.code == 0
    lines = [json.loads(line) for line in answer.lines]
    assert [line["round"] for line in lines] == [0, 1, 2]
    assert [line["n_labeled"] for line in lines] == [20, 25, 30]
    for line in lines:
        assert list(line) == (
            ["run", "round", "strategy", "n_labeled", "metrics", "groups", "anchors", "selection", "seconds"]
        )
        assert (line["run"], line["strategy"]) == ("shaped", "alvin")
        assert list(line["metrics"]) == SPLITS
        for scores in line["metrics"].values():
            assert list(scores) == ["accuracy", "macro_f1", "worst_group_accuracy"]
            assert all(0 <= score <= 1 for score in scores.values())
        assert list(line["groups"]) == ["n_minority", "n_majority"]
        assert sum(line["groups"].values()) == line["n_labeled"]
        assert list(line["anchors"]) == ["n"]
        assert line["anchors"]["n"] > 0
        assert list(line["seconds"]) == ["train", "encode", "select", "evaluate"]
        assert all(value >= 0 for value in line["seconds"].values())
    for line in lines[:2]:
        assert list(line["selection"]) == (
            ["n", "n_candidates", "mean_confidence", "uncertainty_mean_confidence", "overlap_entropy"]
        )
        assert line["selection"]["n"] == 5
    assert lines[2]["selection"] is None


def test_worst_group_is_null_without_attributes(alvin: Any, small: tuple[str, ...], tmp_path: Path) -> None:
    path = changed_copy(Path(small[1]), tmp_path / "plain.csv", drop=("attribute",))
    answer = alvin("run", *small, "--data", path, "--rounds", "0", "--name", "plain")
    assert answer.code == 0
    answer = alvin("step", "plain", "--json")
    assert json.loads(answer.out)["metrics"]["test"]["worst_group_accuracy"] is None


def test_the_same_seed_selects_the_same(alvin: Any, small: tuple[str, ...]) -> None:
    def rounds(name: str) -> list[Any]:
        lines = [json.loads(line) for line in alvin("run", *small, "--rounds", "1", "--name", name, "--json").lines]
        return [line | {"run": "", "seconds": 0} for line in lines]

    assert rounds("one") == rounds("two")


def test_progress_and_warnings_go_to_standard_error(alvin: Any, small: tuple[str, ...]) -> None:
    answer = alvin("run", *small, "--rounds", "0", "--json")
    assert (answer.code, answer.out) == (0, "")
    assert "run tiny-alvin: alvin on " in answer.err
    assert "nothing is trained yet; go on with: alvin step tiny-alvin" in answer.err


def test_the_table_grows_by_a_line_a_round_and_ends_with_what_to_do(alvin: Any, small: tuple[str, ...]) -> None:
    answer = alvin("run", *small, "--rounds", "1", "--name", "table")
    assert answer.code == 0
    assert answer.lines[0].startswith("run table: alvin on ")
    assert answer.lines[0].endswith("pool 60, test 20, ood:balanced 20, ood:reversed 20")
    top, bottom, *rounds = answer.lines[3:7]
    assert top.split("  ")[-1].strip() == "conf. of"
    assert bottom.split()[:5] == ["round", "labeled", "test", "balanced", "reversed"]
    assert "of test" in bottom
    assert [line.split()[:2] for line in rounds] == [["0", "20"], ["1", "25"]]
    assert len({len(line) for line in rounds}) == 1
    assert answer.lines[8] == "Next:"
    assert answer.lines[9].startswith("  alvin show table --round 1 ")


def test_no_rounds_creates_the_run_and_says_how_to_go_on(alvin: Any, small: tuple[str, ...]) -> None:
    answer = alvin("run", *small, "--rounds", "0", "--name", "later", "--store", "elsewhere")
    assert answer.code == 0
    assert "Created 'later' with its initial set; nothing is trained yet." in answer.out
    assert answer.lines[-1] == "  alvin step later --rounds 3 --store elsewhere"
    assert [json.loads(line)["n_labeled"] for line in alvin("runs", "--store", "elsewhere", "--json").lines] == [20]


def test_a_taken_name_is_refused_and_says_how_that_run_goes_on(alvin: Any, small: tuple[str, ...]) -> None:
    assert alvin("run", *small, "--rounds", "1", "--name", "mine", "--quiet").code == 0
    answer = alvin("run", *small, "--rounds", "4", "--name", "mine")
    assert (answer.code, answer.out) == (2, "")
    assert "there is a run called 'mine' already, with 2 rounds done" in answer.err
    assert "`alvin step mine --rounds 3`" in answer.err


def test_step_goes_on_with_several_rounds(alvin: Any, small: tuple[str, ...]) -> None:
    alvin("run", *small, "--rounds", "0", "--name", "steps", "--quiet")
    lines = [json.loads(line) for line in alvin("step", "steps", "--rounds", "2", "--json").lines]
    assert [line["round"] for line in lines] == [0, 1]
    assert [line["selection"] is None for line in lines] == [False, True]
    more = alvin("step", "steps")
    assert more.code == 0
    assert any(line.split()[:2] == ["2", "30"] for line in more.lines)


def test_rounds_beyond_the_pool_are_refused_and_leave_no_run(alvin: Any, small: tuple[str, ...]) -> None:
    answer = alvin("run", *small, "--rounds", "9", "--name", "long", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert "is used up after 8; lower the rounds" in answer.err
    assert alvin("runs").out == ""
    assert alvin("run", *small, "--rounds", "0", "--name", "long").code == 0


def test_an_encoder_that_is_not_there_leaves_no_run(alvin: Any, small: tuple[str, ...]) -> None:
    answer = alvin("run", *small, "--encoder", "./nothing", "--name", "lost")
    assert answer.code == 2
    assert "alvin: encoder './nothing': there is no such folder" in answer.err
    assert alvin("runs").out == ""


def test_set_wins_over_options_and_options_over_the_file(alvin: Any, small: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("budget = 7\nseed = 3\nstrategy = 'margin'\n[alvin]\nalpha = 0.5\nk = 4\n", encoding="utf-8")
    chosen = ("--settings", file, "--strategy", "entropy", "--set", "alvin.k=6", "--set", "alvin.rank=distance")
    assert alvin("run", *small, *chosen, "--rounds", "0", "--name", "chosen").code == 0
    settings = json.loads(alvin("show", "chosen", "--json").out)["settings"]
    assert (settings["budget"], settings["seed"], settings["strategy"]) == (5, 3, "entropy")
    assert (settings["alvin"]["alpha"], settings["alvin"]["k"], settings["alvin"]["rank"]) == (0.5, 6, "distance")


@pytest.mark.parametrize("depth", ["1", "all"])
def test_layers_can_be_trained(depth: str, alvin: Any, small: tuple[str, ...]) -> None:
    epochs = ("--set", "training.epochs=2")
    answer = alvin("run", *small, "--trainable-layers", depth, *epochs, "--rounds", "1", "--json")
    assert answer.code == 0
    assert len(answer.lines) == 2


def test_other_columns_are_named_by_options(alvin: Any, small: tuple[str, ...], tmp_path: Path) -> None:
    names = {"text": "body", "label": "stars", "id": "key", "split": "part", "attribute": "genre"}
    path = changed_copy(Path(small[1]), tmp_path / "other.csv", names=names)
    options = [word for role, name in names.items() for word in (f"--{role}", name)]
    answer = alvin("run", *small, "--data", path, *options, "--rounds", "0", "--name", "other")
    assert answer.code == 0
    assert "pool 60, test 20" in answer.out


def test_a_file_wins_over_a_sample_of_its_name(alvin: Any, tmp_path: Path) -> None:
    Path("reviews").mkdir()
    assert "reviews: a directory" in alvin("run", "--data", "reviews").err


def test_an_empty_folder_is_a_store_yet_to_be_made(alvin: Any, small: tuple[str, ...]) -> None:
    Path("empty").mkdir()
    assert alvin("runs", "--store", "empty").code == 0
    assert alvin("run", *small, "--rounds", "0", "--name", "first", "--store", "empty").code == 0


@pytest.mark.parametrize("command", [("runs",), ("run", "--data", "missing.csv", "--name", "x"), ("show", "x")])
def test_a_file_is_no_store(command: tuple[str, ...], alvin: Any) -> None:
    Path("file").write_text("something", encoding="utf-8")
    answer = alvin(*command, "--store", "file")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.endswith("file is a file; a store is a folder: name another\n")


def test_a_home_of_nobody_is_no_store(alvin: Any) -> None:
    answer = alvin("runs", "--store", "~nobody-is-called-so/runs")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "the store ~nobody-is-called-so/runs cannot be found" in answer.err


def test_encoding_is_reported_in_texts_a_second_once(alvin: Any, small: tuple[str, ...]) -> None:
    first = alvin("run", *small, "--rounds", "1", "--name", "first")
    assert len(re.findall(r"^encoded 120 texts in [\d.]+ s, [\d,]+ texts a second$", first.err, re.MULTILINE)) == 1
    rounds = json.loads(alvin("show", "first", "--json").out)["rounds"]
    assert [one["encoding"]["n_encoded"] for one in rounds] == [120, 0]
    assert rounds[0]["encoding"]["texts_per_second"] > 0
    assert "encoded" not in alvin("step", "first").err  # read from the cache


def test_a_run_at_the_end_of_its_pool_offers_no_more_rounds(alvin: Any, small: tuple[str, ...]) -> None:
    answer = alvin("run", *small, "--budget", "40", "--rounds", "1", "--name", "all", "--quiet")
    assert "Every example of the pool is labeled and trained on." in answer.lines
    assert not any("alvin step" in line for line in answer.lines)
    assert alvin("show", "all").lines[-1] == "Nothing is pending; every example of the pool is labeled and trained on"
    assert "nothing is left to select" in alvin("step", "all").err


def test_steps_beyond_the_pool_s_end_stop_there_and_name_the_last_round_with_picks(
    alvin: Any, small: tuple[str, ...]
) -> None:
    alvin("run", *small, "--rounds", "0", "--name", "whole", "--set", "budget=25")
    answer = alvin("step", "whole", "--rounds", "50")
    assert answer.code == 0
    assert "Every example of the pool is labeled and trained on." in answer.out
    last = alvin("show", "whole", "--json").out
    n_rounds = len(json.loads(last)["rounds"])
    assert f"alvin show whole --round {n_rounds - 2}" in answer.out
