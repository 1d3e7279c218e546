"""``alvin check``, ``samples``, ``strategies`` and ``make-data``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BROKEN = "id,text,label,split\na,fine film,pos,pool\na,,neg,poool\nc,dull film,,test\n"


def test_check_of_good_data_is_0_and_sums_it_up(alvin: Any, reviews: Path) -> None:
    answer = alvin("check", reviews)
    assert answer.code == 0
    assert answer.lines[0] == f"{reviews}: 0 errors, 0 warnings"
    assert answer.lines[1].split()[:3] == ["pool", "60", "rows"]
    assert answer.lines[-1] == "The data can be used."
    assert answer.err == ""


def test_check_lists_every_problem_with_place_value_and_remedy(alvin: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(BROKEN, encoding="utf-8")
    answer = alvin("check", path)
    assert answer.code == 2
    assert answer.lines[:2] == [
        "error  line 3, column split: 'poool'",
        "    unknown split name → allowed are pool, test and ood:<name>",
    ]
    places = [line for line in answer.lines if line.startswith(("error", "warning"))]
    assert "error  line 3, column id: 'a'" in places
    assert "warning  line 3, column text: ''" in places
    assert "error  line 4, column label" in places
    assert answer.lines[-1] == "The data cannot be used as it is."
    shown = json.loads(alvin("check", path, "--json").out)
    assert (shown["ok"], shown["n_errors"]) == (False, sum(place.startswith("error") for place in places))
    assert {"file", "row", "column", "value", "what", "remedy", "severity"} <= set(shown["problems"][0])


def test_check_with_warnings_alone_is_0_and_strict_is_not(alvin: Any, reviews: Path, tmp_path: Path) -> None:
    path = tmp_path / "blank.csv"
    path.write_text(reviews.read_text(encoding="utf-8") + "extra,,positive,pool,horror\n", encoding="utf-8")
    answer = alvin("check", path)
    assert answer.code == 0
    assert "0 errors, 1 warning" in answer.out
    assert "dropped: 1 empty" in answer.out
    assert alvin("check", path, "--strict").code == 2


def test_run_prints_the_first_problem_the_count_and_the_command_that_lists_them(alvin: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(BROKEN, encoding="utf-8")
    answer = alvin("run", "--data", path)
    assert answer.code == 2
    assert "line 3, column 'split', value 'poool': unknown split name" in answer.err
    assert f"problems in all; run `alvin check {path}` to see them all" in answer.err


def test_strategies_are_one_a_line_with_the_name_first(alvin: Any) -> None:
    from alvin_core.strategies import all_strategies

    answer = alvin("strategies")
    assert [line.split()[0] for line in answer.lines] == [one.name for one in all_strategies()]
    assert all(line.endswith("]") for line in answer.lines)
    assert json.loads(alvin("strategies", "--json").lines[0])["name"] == answer.lines[0].split()[0]


def test_samples_are_listed_and_can_be_checked_by_name(alvin: Any) -> None:
    from alvin_core.data.samples import describe_samples

    header, *rows = alvin("samples").lines
    assert header.split()[0] == "name"
    assert [row.split()[0] for row in rows] == [one.name for one in describe_samples()]
    listed = [json.loads(line) for line in alvin("samples", "--json").lines]
    assert listed[0]["splits"] == dict(describe_samples()[0].splits)
    for one in listed:
        assert alvin("check", one["name"]).code == 0


def test_make_data_writes_what_it_says_and_the_same_seed_the_same_bytes(alvin: Any) -> None:
    sizes = ("--pool", "40", "--test", "10", "--ood", "0", "--strength", "0.9", "--seed", "3")
    answer = alvin("make-data", "--task", "nli", *sizes, "--out", "one.csv")
    assert answer.out == "wrote one.csv: pool 40, test 10\n"
    assert answer.err == "next: alvin run --data one.csv\n"
    alvin("make-data", "--task", "nli", *sizes, "--out", "two.csv")
    assert Path("one.csv").read_bytes() == Path("two.csv").read_bytes()
    assert alvin("check", "one.csv").code == 0


def test_make_data_replaces_nothing_unasked(alvin: Any) -> None:
    Path("one.csv").write_text("precious", encoding="utf-8")
    answer = alvin("make-data", "--task", "nli", "--pool", "10", "--out", "one.csv")
    assert answer.code == 2
    assert Path("one.csv").read_text(encoding="utf-8") == "precious"
    assert alvin("make-data", "--task", "nli", "--pool", "10", "--out", "one.csv", "--force").code == 0


def test_names_look_for_files_then_samples_and_the_hub_only_when_named(tmp_path: Path) -> None:
    from alvin_core.cli.sources import resolve
    from alvin_core.data.samples import sample_path

    assert resolve("nli") == sample_path("nli")
    Path("nli").touch()
    assert resolve("nli") == "nli"
    assert resolve("hf:owner/name") == "hf:owner/name"
    assert resolve("folder/other.csv") == "folder/other.csv"
