"""``alvin diagnose``: the table, one round, JSON, and runs of which nothing can be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alvin_core.run import open_run


def test_every_round_is_a_line_with_the_figures_of_its_diagnosis(alvin: Any, finished: Path) -> None:
    answer = alvin("diagnose", "first", "--store", finished)
    assert (answer.code, answer.err) == (0, "")
    assert answer.lines[0].split()[:3] == ["round", "minority", "true"]
    assert answer.lines[0].split()[-3:] == ["entropy", "random", "pool"]
    run = open_run(finished, "first")
    for round_no, line in enumerate(answer.lines[1:4]):
        found = run.diagnose(round_no)
        cells = line.split()
        assert cells[:2] == [str(round_no), str(found.n_minority)]
        assert cells[2] == ("–" if found.minority_precision is None else f"{found.minority_precision:.0%}")
        assert cells[-1] == f"{found.pool_contradicts:.0%}"
        assert cells[-4] == f"{found.spread:.2f}"
    assert answer.lines[4] == ""
    assert "share that contradict the shortcut" in " ".join(answer.lines[5:])


def test_the_explanation_is_as_wide_as_the_screen(alvin: Any, finished: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = alvin("diagnose", "first", "--store", finished).lines
    assert max(map(len, lines[lines.index("") + 1 :])) < 60


def test_one_round_and_json(alvin: Any, finished: Path) -> None:
    assert len(alvin("diagnose", "first", "--round", "1", "--store", finished).lines[1:]) >= 3
    one, other = (
        [json.loads(line) for line in alvin("diagnose", "first", *more, "--json", "--store", finished).lines]
        for more in (("--round", "1"), ())
    )
    assert [line["round_no"] for line in other] == [0, 1, 2]
    assert one == [other[1]] == [{"run": "first", **open_run(finished, "first").diagnose(1).to_dict()}]


def test_a_run_without_rounds_says_so_and_a_round_that_is_not_there_is_an_error(
    alvin: Any, finished: Path, small: tuple[str, ...]
) -> None:
    assert alvin("run", *small, "--rounds", "0", "--name", "new").code == 0
    answer = alvin("diagnose", "new")
    assert (answer.code, answer.out) == (0, "")
    assert "the run 'new' has no round yet" in answer.err
    wrong = alvin("diagnose", "first", "--round", "9", "--store", finished)
    assert (wrong.code, wrong.out) == (2, "")
    assert "has no round 9: it has rounds 0 to 2" in wrong.err
    assert "no run is called 'none'" in alvin("diagnose", "none", "--store", finished).err
