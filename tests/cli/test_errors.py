"""Errors: one line on standard error, the right exit code, a traceback only when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alvin_core.cli import sources
from alvin_core.errors import Cancelled

BAD_USE = (
    (("run",), "alvin: Missing option '--data' / '-d'. (help: alvin run --help)"),
    (("rum",), "alvin: No such command 'rum'. Did you mean 'run'? (help: alvin --help)"),
    (("step",), "alvin: Missing argument 'RUN'. (help: alvin step --help)"),
    (("show", "x", "--tops", "1"), "alvin: No such option: --tops"),
    (("run", "--data", "x", "--rounds", "-1"), "alvin: Invalid value for '--rounds' / '-r'"),
)

BAD_VALUES = (
    (("run", "--data", "missing.csv"), "missing.csv: no such file"),
    (("run", "--data", ""), "--data is empty"),
    (("run", "--data", "reviws"), "'reviws' is neither a file nor a sample; did you mean 'reviews'?"),
    (("run", "--data", "x.csv", "--strategy", "alvn"), "no strategy is called 'alvn'; did you mean 'alvin'?"),
    (("run", "--data", "x.csv", "--budget", "0"), "budget = 0 is out of range: it must be at least 1"),
    (("run", "--data", "x.csv", "--trainable-layers", "some"), "training.trainable_layers = 'some' is"),
    (("run", "--data", "x.csv", "--set", "alvin.alpha"), "--set 'alvin.alpha' is not NAME=VALUE"),
    (("run", "--data", "x.csv", "--set", "alvin.alpha=[1"), "--set 'alvin.alpha=[1': "),
    (("run", "--data", "x.csv", "--set", "alvin.alpah=1"), "no setting is called 'alvin.alpah'"),
    (("run", "--data", "x.csv", "--settings", "none.toml"), "settings file none.toml: "),
    (("show", "first"), "there is no store at "),
    (("make-data", "--task", "poems", "--out", "x.csv"), "task = 'poems' is unknown; choose one of: reviews"),
    (("make-data", "--task", "nli", "--out", ".", "--force"), ". is a folder; name the file to write"),
    (("make-data", "--task", "nli", "--strength", "2", "--out", "x.csv"), "strength = 2.0 is out of range"),
)


@pytest.mark.parametrize(("arguments", "message"), BAD_USE)
def test_a_mistyped_command_is_one_line_and_code_2(arguments: tuple[str, ...], message: str, alvin: Any) -> None:
    answer = alvin(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(message)
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(("arguments", "message"), BAD_VALUES)
def test_a_bad_value_is_one_line_and_code_2(arguments: tuple[str, ...], message: str, alvin: Any) -> None:
    answer = alvin(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"alvin: {message}")
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("arguments", [("--debug", "show", "x"), ("show", "--debug", "x"), ("show", "x", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(arguments: tuple[str, ...], alvin: Any) -> None:
    answer = alvin(*arguments)
    assert answer.code == 2
    assert "Traceback (most recent call last)" in answer.err
    assert answer.err.splitlines()[-1].startswith("alvin: there is no store at ")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (RuntimeError("odd\nthing"), 1, "alvin: RuntimeError: odd thing (a fault in this program; run again with"),
        (KeyboardInterrupt(), 130, "alvin: stopped; everything finished before is kept"),
        (Cancelled("stopped by hand"), 130, "alvin: stopped by hand"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_what_becomes_of_an_exception(
    error: BaseException, code: int, line: str, alvin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: str) -> str:
        raise error

    monkeypatch.setattr(sources, "resolve", fail)
    monkeypatch.setattr("alvin_core.cli.app.silence_pipe", lambda: None)  # it would silence the test's own output
    answer = alvin("run", "--data", "x.csv")
    assert answer.code == code
    assert answer.err.startswith(line)
    assert answer.err.count("\n") == bool(line)


def test_control_characters_of_bad_data_do_not_reach_the_terminal(alvin: Any, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("text,label,split\nfine,\x1b[31mred,poool\n", encoding="utf-8")
    for answer in (alvin("run", "--data", path), alvin("check", path)):
        assert answer.code == 2
        assert "\x1b" not in answer.out + answer.err
