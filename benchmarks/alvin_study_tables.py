"""Tables of the study, in Markdown: differences paired by seed, heights of curves, and what went on in selections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from alvin_study_arms import untrained

from alvin_core.statistics import PairedDifference, mean_interval, paired_differences
from alvin_core.types import FloatArray

MEASURES = ("test", "ood", "worst")
SAME_SELECTION = "default training"  # the reference of arms that change the training alone

Key = tuple[str, str, int]  # arm, data, seed


@dataclass(frozen=True)
class Cells:
    """Finished cells of some files, by arm, data and seed; each in the order in which it first appears."""

    found: Mapping[Key, Mapping[str, Any]]

    @classmethod
    def read(cls, files: Sequence[Path], data: Sequence[str] = (), arms: Sequence[str] = ()) -> Cells:
        found: dict[Key, Mapping[str, Any]] = {}
        for file in files:
            for line in file.read_text(encoding="utf-8").splitlines():
                cell = json.loads(line)
                if (not data or cell["data"] in data) and (not arms or cell["arm"] in arms):
                    found[cell["arm"], cell["data"], cell["seed"]] = cell
        return cls(found)

    def names(self, place: int) -> list[Any]:
        return list(dict.fromkeys(key[place] for key in self.found))

    def data_of(self, arm: str, measure: str) -> list[str]:
        """Return the data on which an arm has the measure."""
        has = dict.fromkeys(key[1] for key, cell in self.found.items() if key[0] == arm and measure in cell["area"])
        return [data for data in self.names(1) if data in has]

    def areas(self, arm: str, data: Sequence[str], measure: str) -> FloatArray:
        """Areas under the curves, of shape (n_data, n_seeds); NaN where a cell is missing."""
        seeds = self.names(2)
        rows = [[self.found.get((arm, one, seed), {"area": {}})["area"] for seed in seeds] for one in data]
        return np.array([[area.get(measure, np.nan) for area in row] for row in rows]).reshape(len(data), len(seeds))

    def differences(self, arm: str, reference: str, data: Sequence[str], measure: str) -> FloatArray:
        """Areas minus the reference's, of shape (n_data, n_seeds)."""
        against = untrained(arm) if reference == SAME_SELECTION else reference
        return self.areas(arm, data, measure) - self.areas(against, data, measure)


def effects(cells: Cells, reference: str, measure: str) -> str:
    """Each arm minus the reference on every data set, and on their mean; bold after Holm over all of them."""
    arms = [arm for arm in cells.names(0) if _compared(cells, arm, reference, measure)]
    if not arms:
        return ""
    singles = {
        (arm, one): row
        for arm in arms
        for one in cells.data_of(arm, measure)
        if np.isfinite(row := cells.differences(arm, reference, [one], measure)[0]).any()
    }
    if not singles:
        return ""
    data = [one for one in cells.names(1) if any((arm, one) in singles for arm in arms)]
    judged = dict(zip(singles, paired_differences(np.array(list(singles.values()))), strict=True))
    of = {arm: [one for one in data if (arm, one) in singles] for arm in arms}
    means = [cells.differences(arm, reference, of[arm], measure).mean(axis=0) for arm in arms]
    overall = dict(zip(arms, paired_differences(np.array(means)), strict=True))
    heads = [f"{measure}, minus {reference}", *data, "mean of data sets", f"Holm p ({len(arms)} arms)"]
    lines = []
    for arm in arms:
        mark = "" if of[arm] == data else " †"
        shown = [_shown(judged.get((arm, one))) for one in data]
        lines.append([arm + mark, *shown, _shown(overall[arm]), f"{overall[arm].p_corrected:.3f}"])
    return _table(heads, lines)


def grids(cells: Cells, reference: str, measure: str) -> str:
    """Each arm minus the reference over strength and ambiguity; bold after Holm over the cells of an arm."""
    parts = {name: name.split(":") for name in cells.names(1) if name.count(":") == 2}
    columns = list(dict.fromkeys((task, ambiguity) for task, _, ambiguity in parts.values()))
    strengths = list(dict.fromkeys(strength for _, strength, _ in parts.values()))
    blocks = []
    for arm in (arm for arm in cells.names(0) if arm != reference):
        rows = cells.differences(arm, reference, list(parts), measure)
        judged = dict(zip(parts, paired_differences(rows), strict=True))
        heads = [
            f"{arm} − {reference}, {measure}; strength",
            *(f"{task}, ambiguity {ambiguity}" for task, ambiguity in columns),
        ]
        lines = [[s, *(_shown(judged.get(f"{task}:{s}:{a}")) for task, a in columns)] for s in strengths]
        means = []
        for task in dict.fromkeys(task for task, _ in columns):
            of_task = rows[[part[0] == task for part in parts.values()]].mean(axis=0)
            means.append(f"{task} {_shown(paired_differences(of_task[None])[0])}")
        smallest = min(one.p_corrected for one in judged.values())
        note = f"Mean of cells, each judged by itself: {'; '.join(means)}. Smallest Holm p {smallest:.3f}."
        blocks.append(f"{_table(heads, lines)}\n\n{note}")
    return "\n\n".join(blocks)


def heights(cells: Cells, measures: Sequence[str]) -> str:
    """Mean height of the curves of each arm, with its interval over seeds."""
    data = cells.names(1)
    lines = []
    for arm in cells.names(0):
        line = [arm]
        for one in data:
            areas = [cells.areas(arm, [one], measure)[0] for measure in measures if one in cells.data_of(arm, measure)]
            intervals = [mean_interval(area) for area in areas]
            line.append(" / ".join(f"{100 * i.mean:.1f} ± {50 * (i.high - i.low):.1f}" for i in intervals))
        lines.append(line)
    return _table([f"curve's height: {' / '.join(measures)}", *data], lines)


def figures(cells: Cells, arms: Sequence[str], *, by_data: bool) -> str:
    """Means of what went on in selections, over seeds, and over data sets or for each of them."""
    rows: dict[str, list[Mapping[str, float | None]]] = {}
    for (arm, data, _), cell in cells.found.items():
        if arm in arms:
            rows.setdefault(f"{data}, {arm}" if by_data else arm, []).append(cell["mech"])
    names = list(dict.fromkeys(name for row in rows.values() for one in row for name in one))
    lines = []
    for head, row in rows.items():
        known = {name: [v for one in row if (v := one.get(name)) is not None] for name in names}
        lines.append([head, *(f"{np.mean(values):.2f}" if values else "" for values in known.values())])
    return _table(["", *names], lines)


def all_tables(cells: Cells, reference: str, *, as_grid: bool) -> str:
    """Everything that the cells tell, as Markdown."""
    draw = grids if as_grid else effects
    blocks = [draw(cells, reference, measure) for measure in MEASURES]
    if reference != SAME_SELECTION:
        blocks.append(heights(cells, MEASURES))
        blocks.append(figures(cells, ("entropy", "random", "alvin"), by_data=True))
        blocks.append(figures(cells, cells.names(0), by_data=False))
    return "\n\n".join(block for block in blocks if block)


def _compared(cells: Cells, arm: str, reference: str, measure: str) -> bool:
    against = untrained(arm) if reference == SAME_SELECTION else reference
    shared = set(cells.data_of(arm, measure)) & set(cells.data_of(against, measure))
    return arm != against and bool(shared)


def _shown(one: PairedDifference | None) -> str:
    """A difference in points with half of its interval's width; bold where it holds after correction."""
    if one is None or not one.n:
        return ""
    text = f"{100 * one.mean:+.2f}" + (f" ± {50 * (one.high - one.low):.2f}" if one.n > 1 else "")
    return f"**{text}**" if one.verdict in ("better", "worse") else text


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [heads, ["---", *["--:"] * (len(heads) - 1)], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
