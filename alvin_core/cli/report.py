"""``alvin report``: what a comparison found, as a page, as Markdown or as JSON."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from alvin_core.cli.app import app
from alvin_core.cli.options import JsonOption, StoreOption, store_path
from alvin_core.cli.output import print_json, say, tell
from alvin_core.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from alvin_core.experiments.summary import ComparisonSummary
    from alvin_core.statistics import PairedTest

__all__ = ["report", "why_no_page", "write_page"]

STDOUT = Path("-")
REMEDY = "pip install 'alvin-studio[dashboard]', or write Markdown with --markdown FILE.md"


@app.command(rich_help_panel="Experiments", epilog="Example: `alvin report reviews-compare --reference random`")
def report(
    comparison: Annotated[str, typer.Argument(metavar="COMPARISON", help="A comparison's name or id.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.html", help="Write the page there, over what is there.")
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", "-m", metavar="FILE.md|-", help="Write Markdown there; - is the screen."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="ARM", help="What the others are compared with: entropy, else random."),
    ] = None,
    test: Annotated[str, typer.Option("--test", metavar="t|sign-flip", help="The paired test over seeds.")] = "t",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a comparison found, with intervals and verdicts.

    Without --out, --markdown and --json: write COMPARISON.html to this folder and print Markdown. The page holds
    everything it needs: it can be sent, and opened without a network.
    """
    if as_json and markdown == STDOUT:
        raise SettingsError("--json and --markdown - both want the screen; write the Markdown to a file")
    folder = store_path(store)
    summary = _summary(folder, comparison, reference, test)
    if as_json:
        print_json(summary.to_dict())
    # Asked for nothing, it gives both; the page only where it can be made.
    bare = out is None and markdown is None and not as_json
    if markdown is not None or bare:
        _write_markdown(summary, markdown or STDOUT)
    if out is not None:
        _write_page(folder, summary, out, quiet=as_json)
    elif bare and (problem := why_no_page()):
        tell(f"no page was written: {problem}")
    elif bare:
        _write_page(folder, summary, Path(f"{summary.name}.html"), quiet=False)


def _summary(folder: Path, comparison: str, reference: str | None, test: str) -> ComparisonSummary:
    from alvin_core.experiments.comparison import open_comparison
    from alvin_core.experiments.report import summarize_comparison

    results = open_comparison(folder, comparison).results()
    return summarize_comparison(results, reference=reference, test=cast("PairedTest", test))


def _write_markdown(summary: ComparisonSummary, path: Path) -> None:
    from alvin_core.experiments.markdown import to_markdown

    text = to_markdown(summary)
    if path == STDOUT:
        say(text.rstrip("\n"))
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; name another file with --markdown") from error
    tell(f"wrote {path}")


def _write_page(folder: Path, summary: ComparisonSummary, path: Path, *, quiet: bool) -> None:
    write_page(folder, summary.name, path, reference=summary.reference, test=summary.test)
    if not quiet:
        tell(f"wrote {path}")


def why_no_page() -> str:
    """Say what is missing for the page, with the remedy; empty where nothing is."""
    for package in ("dashboard", "plotly"):
        # The dashboard is a package beside this one; only its own process imports it.
        if importlib.util.find_spec(package) is None:
            return f"the page needs the package {package!r}, which is not installed: {REMEDY}"
    return ""


def write_page(store: Path, comparison: str, out: Path, *, reference: str, test: str) -> None:
    """Write a comparison's page, in a process that has the figures' library.

    Raises
    ------
    SettingsError
        When the library is not installed.
    StoreError
        When the file cannot be written, or the page not be made.
    """
    problem = why_no_page()
    if problem:
        raise SettingsError(problem)
    if not out.parent.is_dir():
        raise StoreError(f"{out} cannot be written: there is no folder {out.parent}; make it, or name another --out")
    from alvin_core.worker.starting import python_command, worker_environment

    about: dict[str, Any] = {"store": store.absolute(), "comparison": comparison, "out": out.absolute()}
    about |= {"reference": reference, "test": test}
    command = python_command("dashboard.reporting")
    # With "=", so that a name that begins with "-" is no option.
    command += [f"--{name}={value}" for name, value in about.items()]
    done = subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"its process ended with the code {done.returncode}"]
        raise StoreError(f"the page was not written: {told[-1].removeprefix('alvin: ')}")
