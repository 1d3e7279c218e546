"""The report of a check: counts, caps, and warnings about length."""

from __future__ import annotations

from pathlib import Path

import pytest

from alvin_core.data.checking import check_dataset
from alvin_core.data.problems import Problem
from alvin_core.errors import SettingsError


def write(path: Path, lines: list[str], header: str = "text,label,split") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def good_lines(n_pool: int = 20) -> list[str]:
    pool = [f"film {row},{'good' if row % 4 else 'bad'},pool" for row in range(n_pool)]
    return [*pool, "play 1,good,test", "play 2,bad,test", "opera 1,good,ood:opera"]


def test_a_good_file_has_no_problems_and_all_its_counts(tmp_path: Path) -> None:
    report = check_dataset(write(tmp_path / "d.csv", good_lines()))
    assert report.ok
    assert report.problems == ()
    assert report.n_rows == 23
    assert report.splits == {"pool": 20, "test": 2, "ood:opera": 1}
    assert report.classes == {
        "pool": {"bad": 5, "good": 15},
        "test": {"bad": 1, "good": 1},
        "ood:opera": {"good": 1},
    }
    assert not report.is_pairs
    assert report.oracle == "column"
    assert report.dropped == {"empty": 0, "duplicate": 0, "leaked": 0}


def test_problems_beyond_the_cap_are_counted_for_each_kind(tmp_path: Path) -> None:
    lines = good_lines() + [f"x {row},good,train" for row in range(250)] + [f"y {row}" for row in range(30)]
    report = check_dataset(write(tmp_path / "d.csv", lines), max_problems=10)
    assert report.n_errors == 280
    assert len(report.problems) == 22
    assert [problem.what for problem in report.problems[-2:]] == [
        "and 20 more: ragged row",
        "and 240 more: unknown split name",
    ]


def test_dropped_rows_are_listed_as_warnings_and_do_not_make_the_data_bad(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", [*good_lines(), "film 1,good,pool", ",good,pool", "play 1,good,pool"])
    report = check_dataset(path)
    assert report.ok
    assert report.dropped == {"empty": 1, "duplicate": 1, "leaked": 1}
    assert [problem.row for problem in report.warnings] == [25, 26, 27]
    strict = check_dataset(path, strict=True)
    assert [problem.row for problem in strict.errors] == [25, 26, 27]
    assert not strict.ok


def test_a_missing_column_does_not_hide_the_rows_own_problems(tmp_path: Path) -> None:
    report = check_dataset(write(tmp_path / "d.csv", ["a,b", "a,b,c,d"], header="review,label,split"))
    assert [(problem.row, problem.column) for problem in report.errors] == [(None, "text"), (2, None), (3, None)]


def test_a_problem_is_one_line_whatever_is_in_it() -> None:
    problem = Problem("a\nb.csv", 3, "two\nlines", "'x\\ny'", "wrong", "mend it")
    assert str(problem) == r"'a\nb.csv', line 3, column 'two\nlines', value 'x\ny': wrong; mend it"


def test_a_cap_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="max_problems = 0 is out of range; at least 1 is needed"):
        check_dataset(tmp_path / "d.csv", max_problems=0)


def test_too_many_labels_are_cut_off_before_they_fill_the_memory(tmp_path: Path) -> None:
    lines = [f"film {row},class {row},pool" for row in range(10_050)]
    report = check_dataset(write(tmp_path / "d.csv", lines))
    kinds = [problem.what for problem in report.errors]
    assert kinds.count("more than 10,000 different values") == 50


def test_a_pool_too_small_after_dropping_is_refused(tmp_path: Path) -> None:
    lines = [*(["film,good,pool"] * 20), *(f"film {row},bad,pool" for row in range(8)), "p,good,test", "q,bad,test"]
    report = check_dataset(write(tmp_path / "d.csv", lines))
    assert [problem.what for problem in report.errors] == ["only 9 rows in the pool"]


def test_an_unlabeled_pool_may_have_classes_that_only_the_test_split_shows(tmp_path: Path) -> None:
    lines = [f"film {row},,pool" for row in range(12)] + ["p,good,test", "q,bad,test"]
    report = check_dataset(write(tmp_path / "d.csv", lines))
    assert report.ok
    assert report.oracle == "person"


def test_one_row_is_not_one_rows(tmp_path: Path) -> None:
    report = check_dataset(write(tmp_path / "d.csv", ["fine,good,pool", "x,good,test", "alone"]))
    said = [problem.what for problem in report.errors]
    assert "only 1 row in the pool" in said
    assert "ragged row: 1 value where the header has 3 columns" in said
