"""``python -m dashboard.reporting``: a comparison as one HTML page that needs no network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alvin_core import AlvinError, RunSettings, open_comparison, open_run, summarize_comparison

if TYPE_CHECKING:
    from alvin_core import Comparison

__all__ = ["main", "provenance", "write_report"]

Rows = list[tuple[str, str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, and return the exit code: 2 on an error of use, in one line on standard error."""
    options = _parse(arguments)
    try:
        write_report(options.store, options.comparison, options.out, reference=options.reference, test=options.test)
    except (AlvinError, OSError) as error:
        sys.stderr.write(f"alvin: {' '.join(str(error).split())}\n")
        return 2
    return 0


def write_report(
    store: Path | str, comparison: str, out: Path, *, reference: str | None = None, test: str = "t"
) -> Path:
    """Write a comparison's page.

    Parameters
    ----------
    store : Path or str
    comparison : str
        Its name or id.
    out : Path
        The file; one that is there is replaced.
    reference : str, optional
        The arm that the others are compared with.
    test : {"t", "sign-flip"}

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    StoreError, SettingsError
        When there is no such store, comparison, arm or test, or no round is finished.
    """
    from dashboard.report_page import report_page  # it loads Plotly

    opened = open_comparison(store, comparison)
    summary = summarize_comparison(opened.results(), reference=reference, test=test)
    page = report_page(summary, provenance(opened))
    out.write_bytes(page.encode("utf-8", errors="replace"))
    return out


def provenance(comparison: Comparison) -> dict[str, Rows]:
    """Return where a comparison's numbers come from, in titled tables of names and values.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    dict of str to list of (str, str)
        ``Plan``, ``Data``, ``Settings that are not the default`` and ``Versions``.
    """
    return {
        "Plan": _plan_rows(comparison),
        "Data": _data_rows(comparison),
        "Settings that are not the default": _changed_rows(comparison),
        "Versions": _version_rows(comparison),
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m dashboard.reporting", description="Write a comparison as one HTML page."
    )
    parser.add_argument("--store", required=True, metavar="DIR", help="folder of the runs")
    parser.add_argument("--comparison", required=True, metavar="NAME", help="name or id")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html", help="where to write")
    parser.add_argument("--reference", metavar="ARM", help="what the other arms are compared with")
    parser.add_argument("--test", default="t", metavar="t|sign-flip", help="the paired test")
    return parser.parse_args(arguments)


def _plan_rows(comparison: Comparison) -> Rows:
    plan, states = comparison.plan, comparison.states()
    settings = plan.settings
    n_done = sum(state.finished for state in states)
    rows = [
        ("comparison", comparison.name),
        ("arms", ", ".join(arm.name for arm in plan.arms)),
        ("seeds", ", ".join(map(str, plan.seeds))),
        (
            "annotated rounds",
            f"{plan.rounds}, of {settings.budget:,} examples each, from {settings.initial:,} labels on",
        ),
        ("cells", f"{n_done} of {len(states)} finished"),
        ("encoder", f"{settings.encoder.name}, trained layers: {settings.training.trainable_layers}"),
    ]
    return rows + [(f"varied: {name}", ", ".join(map(str, values))) for name, values in plan.vary]


def _data_rows(comparison: Comparison) -> Rows:
    dataset = comparison.dataset
    splits = ", ".join(f"{split} {len(dataset.rows_of(split)):,}" for split in ("pool", *dataset.evaluation_splits))
    return [
        ("source", comparison.source or "given by a program"),
        ("splits", splits),
        ("classes", ", ".join(dataset.classes)),
        ("digest (SHA-256)", comparison.digest),
    ]


def _changed_rows(comparison: Comparison) -> Rows:
    """The settings that all cells share; strategy and seed are each cell's own."""
    chosen, usual = _flat(comparison.plan.settings.to_dict()), _flat(RunSettings().to_dict())
    names = [name for name in chosen if name not in ("strategy", "seed") and chosen[name] != usual.get(name)]
    return [(name, str(chosen[name])) for name in names] or [("all", "as they come")]


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat


def _version_rows(comparison: Comparison) -> Rows:
    """What the runs were computed with; where they differ, every value that occurs."""
    found: dict[str, dict[str, None]] = {}
    for state in comparison.states():
        if state.run is not None:
            for name, value in _flat(open_run(comparison.store, state.run).environment).items():
                found.setdefault(name.removeprefix("packages."), {})[str(value or "not installed")] = None
    return [(name, " and ".join(values)) for name, values in found.items()]


if __name__ == "__main__":
    sys.exit(main())
