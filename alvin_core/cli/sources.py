"""What ``--data`` may name: a file, a sample of the project, or a data set of the hub."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.errors import DataError
from alvin_core.shown import shown

if TYPE_CHECKING:
    from alvin_core.data.columns import Columns
    from alvin_core.data.dataset import Dataset

__all__ = ["columns_of", "load", "parse_classes", "resolve"]


def resolve(data: str) -> str | Path:
    """Return what to read: an existing path first, then a sample by its name, then the hub (``hf:…``).

    Raises
    ------
    DataError
        When a bare name is neither a file nor a sample; the hub is asked only when it is named.
    """
    if not data.strip():
        raise DataError("--data is empty; name a file or a sample, such as: --data reviews")
    if data.startswith(("hf:", "recipe:")) or _is_there(data):
        return data
    from alvin_core.data.samples import sample_names, sample_path

    if data in sample_names():
        return sample_path(data)
    if Path(data).name == data and not Path(data).suffix:
        near = difflib.get_close_matches(data, sample_names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DataError(
            f"{shown(data)} is neither a file nor a sample; {hint}samples: {', '.join(sample_names())}; "
            f"a data set of the hub is named hf:{data if data.isprintable() and len(data) < 100 else 'owner/name'}"
        )
    return data


def _is_there(data: str) -> bool:
    try:
        return Path(data).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # too long a name, nobody's home: reading it says so
        return False


def columns_of(
    text: str | None,
    text_a: str | None,
    text_b: str | None,
    label: str | None,
    id_: str | None,
    split: str | None,
    attribute: str | None,
) -> Columns:
    """Gather the column options."""
    from alvin_core.data.columns import Columns

    return Columns(text=text, text_a=text_a, text_b=text_b, label=label, id=id_, split=split, attribute=attribute)


def parse_classes(classes: str | None) -> Sequence[str] | None:
    """Read ``--classes A,B``."""
    return None if classes is None else [name.strip() for name in classes.split(",")]


def load(data: str, columns: Columns, *, strict: bool, seed: int, classes: Sequence[str] | None) -> Dataset:
    """Read a data set by what the user called it."""
    from alvin_core.data.reading import load_dataset

    return load_dataset(resolve(data), columns=columns, strict=strict, seed=seed, classes=classes)
