"""The sample data sets that come with the project, by name."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alvin_core.data.planted import PlantedSettings
from alvin_core.errors import DataError
from alvin_core.shown import shown

__all__ = ["SAMPLE_SETTINGS", "Sample", "describe_samples", "sample_names", "sample_path"]

SAMPLE_SETTINGS: Mapping[str, PlantedSettings] = {
    name: PlantedSettings(task=name, seed=7) for name in ("reviews", "occupations", "nli", "paraphrase")
}
"""What made each sample file: `write_planted` gives the same bytes again."""

_DESCRIPTIONS: Mapping[str, str] = {
    "reviews": "sentiment of short reviews; shortcut: genre (romance = positive, horror = negative)",
    "occupations": "surgeon or nurse, from a short biography; shortcut: gender",
    "nli": "does the hypothesis follow from the premise; shortcut: how many of its words the premise holds",
    "paraphrase": "do two sentences mean the same; shortcut: how many words they share",
}

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Sample:
    """What a user must know to choose a sample.

    Attributes
    ----------
    name, description : str
    n_rows : int
    classes : tuple of str
        Sorted.
    splits : dict of str to int
        Number of rows of each split, in file order.
    """

    name: str
    description: str
    n_rows: int
    classes: tuple[str, ...]
    splits: Mapping[str, int]


def sample_names() -> tuple[str, ...]:
    """Return the names of the samples."""
    return tuple(SAMPLE_SETTINGS)


def sample_path(name: str) -> Path:
    """Return where a sample's CSV file lies, in a checkout or in an installed package.

    Raises
    ------
    DataError
        When no sample has this name, or its file is missing.
    """
    if name not in SAMPLE_SETTINGS:
        raise DataError(f"no sample is called {shown(name)}; the samples are: {', '.join(sample_names())}")
    # A wheel carries the folder inside the package, a checkout has it beside the package.
    places = [folder / "sample_data" / f"{name}.csv" for folder in (_PACKAGE, _PACKAGE.parent)]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"the file of sample {name!r} is missing: neither {places[0]} nor {places[1]} is there; "
        f"make it with: alvin make-data --task {name} --seed {SAMPLE_SETTINGS[name].seed} --out {places[1]}"
    )


def describe_samples() -> list[Sample]:
    """Describe every sample, its numbers counted from its file.

    Raises
    ------
    DataError
        When a sample's file is missing or holds other columns.
    """
    return [_described(name) for name in sample_names()]


def _described(name: str) -> Sample:
    path = sample_path(name)
    splits: dict[str, int] = {}
    classes: set[str] = set()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                splits[row["split"]] = splits.get(row["split"], 0) + 1
                classes.add(row["label"])
    except (KeyError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the sample cannot be read ({error}); make it anew, see its README") from error
    return Sample(name, _DESCRIPTIONS[name], sum(splits.values()), tuple(sorted(classes)), splits)
