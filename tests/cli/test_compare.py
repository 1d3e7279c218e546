"""``alvin compare`` and ``alvin comparisons``, with real processes and a tiny encoder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from alvin_core.cli import cell_bars, main
from alvin_core.cli.cell_bars import CellWatch
from alvin_core.cli.comparing import Wishes, make_plan, parse_seeds, parse_vary
from alvin_core.errors import SettingsError
from alvin_core.experiments.comparison import open_comparison
from alvin_core.experiments.plan import N_SEEDS, STRATEGIES, ComparisonPlan
from alvin_core.experiments.values import CELLS, ROUNDS
from alvin_core.progress import ProgressEvent
from alvin_core.run import list_runs
from alvin_core.settings import RunSettings

PLANNED = ("--strategies", "entropy,random", "--seeds", "2", "--rounds", "2")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, small: tuple[str, ...]) -> Path:
    """A folder with a store that has the finished comparison ``c``, and its figures as JSON. Only to be looked at."""
    folder = tmp_path_factory.mktemp("compared")
    where = ("--store", str(folder / "store"), "--json", str(folder / "whole.json"))
    assert main(("compare", *small, *PLANNED, "--name", "c", "--workers", "1", "--quiet", *where)) == 0
    return folder


def figures(path: Path) -> dict[str, Any]:
    """What a comparison wrote, without its timings."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert values.pop("timings")
    return values


def test_the_json_has_every_cell_once_with_every_round(compared: Path) -> None:
    values = figures(compared / "whole.json")
    assert list(values) == ["comparison", "summary", "cells", "warnings"]
    cells = [(cell["arm"], cell["seed"]) for cell in values["cells"]]
    assert cells == [("entropy", 0), ("random", 0), ("entropy", 1), ("random", 1)]
    assert all([one["n_labeled"] for one in cell["records"]] == [20, 25, 30] for cell in values["cells"])
    assert values["comparison"]["plan"]["settings"]["budget"] == 5
    assert values["summary"]["reference"] == "entropy"


def test_a_finished_comparison_is_shown_again_without_work(compared: Path, alvin: Any) -> None:
    answer = alvin("compare", "--name", "c", "--resume", "--store", compared / "store", "--reference", "random")
    assert answer.code == 0
    assert "| test |" in answer.out
    assert "entropy − random" in answer.out
    assert answer.err.splitlines() == [
        f"comparison c: entropy, random on {figures(compared / 'whole.json')['comparison']['source']}",
        "2 arms × 2 seeds = 4 cells, 4 of them finished; 20 labels and 2 rounds of 5, of a pool of 60",
    ]
    only_json = alvin("compare", "--name", "c", "--resume", "--store", compared / "store", "--json", "-", "--quiet")
    values = json.loads(only_json.out)
    assert values.pop("timings")
    assert values == figures(compared / "whole.json")
    assert only_json.err == ""


def test_comparisons_are_listed(compared: Path, alvin: Any, tmp_path: Path) -> None:
    answer = alvin("comparisons", "--store", compared / "store")
    assert re.match(r"name +id +cells +finished +data +created", answer.lines[0])
    assert re.match(r"c +[0-9a-f]{8} +4 +4 +.*tiny\.csv +\d{4}-", answer.lines[1])
    (line,) = alvin("comparisons", "--store", compared / "store", "--json").lines
    assert json.loads(line)["n_finished"] == 4
    nothing = alvin("comparisons", "--store", tmp_path / "none")
    assert (nothing.code, nothing.out) == (0, "")
    assert "no comparisons in" in nothing.err


def test_a_taken_name_is_refused_with_the_command_that_goes_on(
    compared: Path, alvin: Any, small: tuple[str, ...]
) -> None:
    store = compared / "store"
    answer = alvin("compare", *small, *PLANNED, "--name", "c", "--store", store)
    assert answer.code == 2
    assert (
        "there is a comparison called 'c' already, with 4 of 4 cells finished; go on with "
        f"`alvin compare --name c --resume --store {store}`, or choose another --name"
    ) in answer.err


def test_runs_of_comparisons_are_listed_when_asked_for(compared: Path, alvin: Any) -> None:
    store = compared / "store"
    answer = alvin("runs", "--store", store)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "4 runs of comparisons left out; see them with --all, or `alvin comparisons`\n"
    names = [line.split()[0] for line in alvin("runs", "--all", "--store", store).lines[1:]]
    assert names == ["c-entropy-s0", "c-random-s0", "c-entropy-s1", "c-random-s1"]
    assert len(alvin("runs", "--all", "--json", "--store", store).lines) == 4


def test_a_comparison_is_discarded_with_its_runs_or_without(compared: Path, alvin: Any, tmp_path: Path) -> None:
    kept, gone = (shutil.copytree(compared / "store", tmp_path / name) for name in ("kept", "gone"))
    refused = alvin("discard", "c", "--store", kept)
    assert refused.code == 2
    assert "discarding the comparison 'c' with 4 of 4 cells finished cannot be undone; repeat" in refused.err
    assert alvin("discard", "c", "--yes", "--store", kept).lines == [
        "discarded the comparison 'c' with 4 of 4 cells finished; its runs stay"
    ]
    assert len(alvin("runs", "--store", kept).lines) == 5
    assert alvin("fork", "c-random-s0", "--at", "1", "--name", "own", "--store", gone).code == 0
    assert "c-random-s0 at 1" in alvin("runs", "--store", gone).lines[1]
    assert alvin("discard", "c", "--runs", "--yes", "--store", gone).out.endswith("; 4 runs put in the trash\n")
    assert [line.split()[0] for line in alvin("runs", "--store", gone).lines[1:]] == ["own"]
    assert len(alvin("trash", "--store", gone).lines) == 5
    assert alvin("comparisons", "--store", gone).out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", "6"), "another plan: budget = 5, now 6; leave out what differs"),
        (("--set", "alvin.alpha=3"), "alvin.alpha = 2.0, now 3.0"),
        (("--seeds", "1", "--strategies", "random"), "has the strategies entropy as well; it has the seeds 1 as well"),
        (("--rounds", "1"), "rounds = 2, now 1"),
        (("--vary", "epochs=3,4"), "it does not vary training.epochs"),
        (("--data", "reviews"), "has other data: that of"),
        (("--reference", "margin"), "--reference 'margin' is no arm; choose one of: entropy, random"),
        (("--rounds", "9"), "enough for 8 rounds"),
    ],
)
def test_going_on_with_another_plan_or_other_data_is_refused_with_what_differs(
    compared: Path, alvin: Any, arguments: tuple[str, ...], message: str
) -> None:
    answer = alvin("compare", "--name", "c", "--resume", "--store", compared / "store", *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert open_comparison(compared / "store", "c").info().n_cells == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--data is missing"),
        (("--resume",), "give its --name"),
        (("--data", "reviews", "--seeds", "none"), "--seeds 'none' is neither a number of seeds"),
        (("--data", "reviews", "--seeds", "0"), "--seeds '0' is neither"),
        (("--data", "reviews", "--strategies", "alvin,entrpy"), "did you mean 'entropy'"),
        (("--data", "reviews", "--vary", "budget=5,10"), "budget cannot vary within a comparison"),
        (("--data", "reviews", "--vary", "alpha"), "--vary 'alpha' is not NAME=A,B"),
        (("--data", "reviews", "--vary", "alpha=1,[2"), "neither a number nor a word"),
        (("--data", "reviews", "--set", "seed=3"), "--set seed has no place in a comparison; name them with --seeds"),
        (("--data", "reviews", "--annotator", "person"), "the label column must answer"),
        (("--data", "reviews", "--backend", "slurm"), "no backend is called 'slurm'"),
        (("--data", "reviews", "--test", "z"), "--test 'z' is unknown; choose one of: t, sign-flip"),
        (("--data", "reviews", "--protocol", "fine"), "no protocol is called 'fine'"),
        (("--data", "reviews", "--json", "nowhere/out.json"), "cannot write 'nowhere/out.json'"),
        (("--data", "reviews", "--reference", "cal"), "--reference 'cal' is no arm"),
        (("--data", "reviews", "--name", "a b"), "cannot name a comparison"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    alvin: Any, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = alvin("compare", *arguments, "--store", tmp_path / "s")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert not (tmp_path / "s").exists()


def test_a_comparison_that_cannot_even_begin_leaves_its_name_free(
    alvin: Any, small: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = ("compare", *small, *PLANNED, "--name", "c", "--store", tmp_path / "s", "--workers", "1")
    answer = alvin(*arguments, "--encoder", tmp_path / "no-encoder")
    assert answer.code == 2
    assert "no-encoder" in answer.err
    assert "--resume" not in answer.err
    assert alvin("comparisons", "--store", tmp_path / "s").out == ""
    assert alvin("runs", "--store", tmp_path / "s").out == ""


def test_the_plan_is_what_was_said_else_the_protocol_else_the_comparisons_own() -> None:
    plan = make_plan(Wishes())
    assert (plan.strategies, plan.seeds, plan.rounds) == (STRATEGIES, tuple(range(N_SEEDS)), 5)
    assert plan.settings == RunSettings().with_value("runtime.beside", "entropy")
    usual = make_plan(Wishes(protocol="fine-tuning"))
    assert (usual.rounds, len(usual.seeds), usual.settings.encoder.name) == (10, 10, "bert-base-uncased")
    wishes = Wishes("random", "0,3", 2, (), "fine-tuning", None, {"budget": 7, "initial": None}, ("encoder.name=x",))
    own = make_plan(wishes)
    assert (own.strategies, own.seeds, own.rounds) == (("random",), (0, 3), 2)
    assert (own.settings.budget, own.settings.initial, own.settings.encoder.name) == (7, 100, "x")
    assert own.settings.training.trainable_layers == "all"
    base = ComparisonPlan(("random",), (7,), 4, RunSettings(budget=9), (("epochs", (1, 2)),))
    assert make_plan(Wishes(), base) == base
    assert make_plan(Wishes(seeds="8"), base).seeds == tuple(range(8))


def test_a_settings_file_wins_over_the_protocol_and_options_over_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    file.write_text('strategy = "margin"\nseed = 4\nbudget = 20\ninitial = 30\n[alvin]\nalpha = 4.0\n')
    settings = make_plan(Wishes(protocol="fine-tuning", file=file, options={"initial": 40})).settings
    assert (settings.budget, settings.initial, settings.alvin.alpha) == (20, 40, 4.0)
    assert settings.training.trainable_layers == "all"
    assert capsys.readouterr().err.splitlines() == [
        f"strategy in {file} is not used: a comparison has those of --strategies",
        f"seed in {file} is not used: a comparison has those of --seeds",
    ]


def test_seeds_are_a_number_or_a_list() -> None:
    assert parse_seeds("5") == (0, 1, 2, 3, 4)
    assert parse_seeds("0, 3,7") == (0, 3, 7)
    assert parse_seeds("7,") == (7,)
    for text in ("", "0", "a", "1,b", "-3", ","):
        with pytest.raises(SettingsError, match="neither a number"):
            parse_seeds(text)


def test_varied_values_are_numbers_words_and_truths() -> None:
    assert parse_vary(["alpha=0.5, 2,8", "rank=distance,random", "x=true"]) == (
        ("alpha", (0.5, 2, 8)),
        ("rank", ("distance", "random")),
        ("x", (True,)),
    )


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_progress_is_a_line_every_ten_seconds_with_the_time_left_from_finished_cells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(cell_bars, "time", clock)
    with CellWatch() as watch:
        for second in range(31):
            clock.now = 100.0 + second
            done = 2 + second // 10  # two were done before; from then on one in ten seconds
            watch(ProgressEvent(CELLS, done, 8, "alvin seed 1, round 2 of 6"))
        watch(ProgressEvent(CELLS, 0, 0, "random seed 0: its process was killed"))
    assert capsys.readouterr().err.splitlines() == [
        "3 of 8 cells done, about 50 s left; at work: alvin seed 1, round 2 of 6",
        "4 of 8 cells done, about 40 s left; at work: alvin seed 1, round 2 of 6",
        "5 of 8 cells done, about 30 s left; at work: alvin seed 1, round 2 of 6",
        "warning: random seed 0: its process was killed",
    ]


def test_the_time_left_is_told_from_finished_rounds_before_the_first_cell_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(cell_bars, "time", clock)
    with CellWatch() as watch:
        for second in (0, 10):
            clock.now = 100.0 + second
            watch(ProgressEvent(ROUNDS, 4 + second // 5, 12))  # four were done before; two in ten seconds
            watch(ProgressEvent(CELLS, 1, 3))
    assert capsys.readouterr().err == "1 of 3 cells done, about 30 s left\n"


def test_quiet_progress_says_only_what_a_user_must_know(capsys: pytest.CaptureFixture[str]) -> None:
    with CellWatch(quiet=True) as watch:
        watch(ProgressEvent("encode", 5, 10))
        watch(ProgressEvent(CELLS, 1, 2, "alvin seed 1"))
        watch(ProgressEvent(CELLS, 0, 0, "out of memory"))
    assert capsys.readouterr().err == "warning: out of memory\n"


def test_a_terminal_shows_cells_what_is_at_work_and_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    with CellWatch() as watch:
        watch(ProgressEvent("encode", 5, 10))
        watch(ProgressEvent(CELLS, 1, 3, "alvin seed 0, round 1 of 6: train"))
        time.sleep(0.3)  # the bars draw themselves
        watch(ProgressEvent(CELLS, 2, 3, "random seed 0, round 1 of 6"))
        time.sleep(0.3)
    shown = capsys.readouterr().err
    words = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "1 of 3 cells done" in words
    assert "alvin seed 0, round 1 of 6: train" in words
    assert re.search(r"2 of 3 cells done.*about 0\.\d s left", words)
    assert shown.endswith("\x1b[2K")  # the bars are gone when the work is done


# A test run that was started in the background ignores Ctrl-C, and so would what it starts.
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from alvin_core.cli import main; sys.exit(main())"
)
CHEAP_WORKER = Path(__file__).parents[1] / "unit" / "experiments" / "cheap_cell_worker.py"
WITH_CHEAP_WORKERS = f"""
import sys, functools
from alvin_core.experiments import crew, local
local.Crew = functools.partial(crew.Crew, command=(sys.executable, {str(CHEAP_WORKER)!r}, "--hang"))
"""


@contextmanager
def begun(*arguments: str, program: str = PROGRAM) -> Iterator[subprocess.Popen[str]]:
    """A command as the leader of a process group of its own; the group is ended with the test, whatever happens."""
    command = [sys.executable, "-c", program, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for_rounds(process: subprocess.Popen[str], store: Path, n_more: int) -> int:
    """Wait until so many more rounds are stored; return how many there are."""
    n_before = n_stored(store)
    while (n := n_stored(store)) < n_before + n_more:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return n


def n_stored(store: Path) -> int:
    # By itself, since opening the store many times a second would take the time that the command needs.
    try:
        with closing(sqlite3.connect(f"file:{store / 'alvin.db'}?mode=ro", uri=True)) as database:
            (n,) = database.execute("SELECT count(*) FROM rounds").fetchone()
    except sqlite3.OperationalError:  # the store is being made
        return 0
    return int(n)


@pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")
def test_killed_twice_and_continued_it_gives_the_same_figures_and_no_stray_run(
    compared: Path, tmp_path: Path, small: tuple[str, ...]
) -> None:
    store = tmp_path / "store"
    arguments = ["compare", *small, *PLANNED, "--name", "c", "--store", str(store)]
    seen = []
    for more in (["--workers", "2"], ["--workers", "1", "--resume"]):
        with begun(*arguments, *more) as process:
            seen.append(wait_for_rounds(process, store, 2))
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert 2 <= seen[0] < seen[1] < 12  # of 4 cells with 3 rounds each
    last = ["--workers", "1", "--resume", "--json", str(tmp_path / "killed.json"), "--quiet"]
    assert main([*arguments, *last]) == 0
    assert figures(tmp_path / "killed.json") == figures(compared / "whole.json")
    states = open_comparison(store, "c").states()
    assert sorted(info.id for info in list_runs(store)) == sorted(str(state.run) for state in states)
    assert [state.n_rounds for state in states] == [3] * 4


@pytest.mark.skipif(os.name == "nt", reason="interrupts by POSIX signals")
def test_ctrl_c_stops_at_once_and_says_how_to_go_on(tmp_path: Path, small: tuple[str, ...]) -> None:
    store = tmp_path / "store"
    arguments = ("compare", *small, *PLANNED, "--name", "c", "--store", str(store), "--workers", "1")
    with begun(*arguments, program=WITH_CHEAP_WORKERS + PROGRAM) as process:
        wait_for_rounds(process, store, 1)
        os.killpg(process.pid, signal.SIGINT)
        stopped = time.monotonic()
        out, err = process.communicate()
    assert time.monotonic() - stopped < 10  # a second, on a machine that does nothing else
    assert (process.returncode, out) == (130, "")
    assert re.search(r"stopped; the comparison 'c' is kept with 0 of 4 cells finished", err)
    assert f"go on with: alvin compare --name c --resume --store {store}" in err
    with pytest.raises(ProcessLookupError):  # nobody of the group is left
        os.killpg(process.pid, 0)
