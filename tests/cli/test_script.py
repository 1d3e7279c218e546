"""The installed ``alvin``, as a process of its own: pipes, Ctrl-C, and the packaged encoder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alvin_core.encoding.models import packaged_folder

SCRIPT = Path(sysconfig.get_path("scripts")) / "alvin"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the project is not installed, so there is no `alvin`")
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes are POSIX's here")


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the installed script; ended with the test, whatever happens."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": ""}
    command = [str(SCRIPT), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # A test run that was started in the background ignores Ctrl-C, and so would what it starts.
    hears = (lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None
    with subprocess.Popen(command, **pipes, text=True, encoding="utf-8", env=environment, preexec_fn=hears) as process:
        try:
            yield process
        finally:
            process.kill()


@on_posix
def test_each_round_comes_through_a_pipe_at_once_and_ctrl_c_keeps_it(small: tuple[str, ...], alvin: Any) -> None:
    slow = ("--set", "training.epochs=400", "--budget", "1")
    with started("run", *small, *slow, "--rounds", "35", "--json", "--name", "stopped") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=240)
    assert json.loads(line)["round"] == 0
    assert process.returncode == 130
    assert "Traceback" not in err
    n_rounds = 1 + len(rest.splitlines())
    assert n_rounds < 36
    last = err.splitlines()[-1]
    assert last.startswith("alvin: stopped; the run 'stopped' is kept with round")
    assert last.endswith("go on with: alvin step stopped")
    answer = alvin("step", "stopped", "--json")
    assert answer.code == 0
    # One more round may have been stored, but not yet printed.
    assert json.loads(answer.out)["round"] in (n_rounds, n_rounds + 1)


@on_posix
def test_a_reader_that_goes_away_ends_it_silently() -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("needs bash")
    Path("many.csv").write_text("text,label,split\n" + ",,poool\n" * 500, encoding="utf-8")
    command = f"'{SCRIPT}' check many.csv | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run([shell, "-c", command], capture_output=True, text=True, timeout=240, check=True)
    first, code = done.stdout.splitlines()
    assert first.startswith("error  line 2, column ")
    assert code in ("141", "2")  # 2 where all of it fitted into the pipe
    assert done.stderr == ""


@on_posix
@pytest.mark.parametrize("arguments", ["--help", "run --help", "--version", "samples", "settings", "no-such-command"])
def test_every_command_and_its_help_end_silently_where_nobody_reads(arguments: str) -> None:
    """The pipe's reader is gone before the first word, so that chance has no part in it."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [str(SCRIPT), *arguments.split()],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=240,
            check=False,
        )
    finally:
        os.close(writer)
    if arguments == "no-such-command":
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
    else:
        assert (done.returncode, done.stderr) == (141, "")


def test_output_is_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    Path("wörter.csv").write_text("text,label,split\nnaïve,a,pööl\n", encoding="utf-8")
    with started("check", "wörter.csv") as process:
        out, err = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "value" not in err
    assert "'pööl'" in out


@pytest.mark.skipif(packaged_folder() is None, reason="the extra 'offline' is not installed")
def test_the_packaged_encoder_runs_from_the_command_line(reviews: Path) -> None:
    arguments = ("--data", str(reviews), "--initial", "20", "--budget", "5", "--rounds", "1", "--seed", "3")
    with started("run", *arguments, "--strategy", "entropy", "--json") as process:
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["run"], line["round"], line["n_labeled"]) for line in lines] == (
        [("tiny-entropy", 0, 20), ("tiny-entropy", 1, 25)]
    )
    assert lines[0]["selection"]["overlap_entropy"] == 1.0
    assert lines[0]["seconds"]["encode"] > 0
