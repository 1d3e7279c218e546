"""Data sets of the Hugging Face hub, by name, through the ``datasets`` library (extra ``hub``)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alvin_core.data.columns import Columns
from alvin_core.data.problems import ProblemLog, Unit
from alvin_core.data.textfiles import Record

__all__ = ["BATCH_ROWS", "HubDataset", "load_hub", "named_values", "open_hub"]

BATCH_ROWS = 4096
POOL_NAMES = ("pool", "train")
TEST_NAMES = ("test", "validation", "dev")
SPLIT = "split"


def open_hub(name: str, columns: Columns, log: ProblemLog) -> HubDataset | None:
    """Load a data set: ``owner/name``, ``owner/name/config``, or a local folder that the library can load.

    Its split ``train`` becomes ``pool``; ``test`` (``validation``, where that is missing or has no labels)
    becomes ``test``. Other splits are left out, with a warning.
    """
    parts = load_hub(name, log)
    return None if parts is None else _choose_splits(parts, columns, log)


def load_hub(name: str, log: ProblemLog, *, revision: str | None = None) -> Mapping[str, Any] | None:
    """Load all splits of a data set by name; log why it cannot be loaded and return None then.

    Parameters
    ----------
    name : str
        ``owner/name``, ``owner/name/config``, or a local folder. Where the environment names a folder
        ``ALVIN_HUB_MIRROR`` that holds a folder ``name``, as ``save_to_disk`` writes it, that one is taken: for
        machines without a connection.
    log : ProblemLog
    revision : str, optional
        A branch or commit on the hub.

    Returns
    -------
    mapping of str to the library's data set
    """
    log.unit = "row"
    try:
        import datasets  # late: an optional library
    except ImportError:
        remedy = "pip install 'alvin-studio[hub]', or give the path of a file"
        log.add("the library 'datasets' is not installed", remedy)
        return None
    try:
        loaded = _load(_mirrored(name), datasets, revision)
    except Exception as error:  # its loaders raise nearly anything: HTTP errors, pyarrow's, ValueError, KeyError
        message = (str(error).splitlines() or [""])[0]
        remedy = "check the name (hf:owner/name or hf:owner/name/config) and the connection, or give the path of a file"
        log.add("data set not loaded", remedy, what=f"neither a file nor a data set that could be loaded: {message}")
        return None
    return loaded if isinstance(loaded, Mapping) else {"train": loaded}


def _mirrored(name: str) -> str:
    mirror = os.environ.get("ALVIN_HUB_MIRROR")
    if not mirror:
        return name
    folder = Path(mirror).expanduser() / name
    return str(folder) if folder.is_dir() else name


def _load(name: str, datasets: Any, revision: str | None = None) -> Any:
    folder = Path(name).expanduser()
    if folder.is_dir():
        if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            return datasets.load_from_disk(str(folder))
        return datasets.load_dataset(str(folder))
    owner_and_name, config = name, None
    if name.count("/") == 2:
        owner_and_name, _, config = name.rpartition("/")
    return datasets.load_dataset(owner_and_name, config, **({"revision": revision} if revision else {}))


def _choose_splits(parts: Mapping[str, Any], columns: Columns, log: ProblemLog) -> HubDataset | None:
    if columns.split is not None:
        return HubDataset(dict(parts), None)  # the user's own column tells the splits
    pool = next((name for name in POOL_NAMES if name in parts), None)
    if pool is None and len(parts) == 1:
        pool = next(iter(parts))
    if pool is None:
        log.add("no training split", "name a column that tells the splits", what=f"no split 'train' in {list(parts)}")
        return None
    tests = [name for name in TEST_NAMES if name in parts]
    label = columns.label or "label"
    test = next((name for name in tests if _has_labels(parts[name], label)), None)
    used = [name for name in (pool, test) if name is not None]
    unused = [name for name in parts if name not in used]
    if unused:
        log.add("splits left out", "", what=f"splits left out: {', '.join(unused)}", severity="warning")
    if test is None:
        return HubDataset({pool: parts[pool]}, None)
    return HubDataset({"pool": parts[pool], "test": parts[test]}, SPLIT)


def _has_labels(part: Any, label: str) -> bool:
    """Whether any row has a label; a public test split often holds -1 for all."""
    if label not in part.column_names:
        return False
    batches = part.select_columns([label]).iter(batch_size=BATCH_ROWS)
    return any(value is not None and value != -1 for batch in batches for value in batch[label])


class HubDataset:
    """A loaded data set: its parts one after the other, with the part's name as the column ``split``."""

    unit: Unit = "row"

    def __init__(self, parts: Mapping[str, Any], split_column: str | None) -> None:
        self.parts, self.split_column = parts, split_column
        names = list(next(iter(parts.values())).column_names)
        if split_column is not None:
            names = [name for name in names if name != split_column] + [split_column]
        self.header: tuple[str, ...] = tuple(names)

    def records(self, wanted: Sequence[str], log: ProblemLog) -> Iterator[Record]:
        """Yield the wanted columns of each row; class numbers come as the class names that the data set gives."""
        n_before = 0
        for part_name, part in self.parts.items():
            stored = [name for name in wanted if name != self.split_column]
            missing = [name for name in stored if name not in part.column_names]
            if missing:
                log.add("missing column", f"split {part_name!r} does not have it", column=missing[0])
                continue
            names_of = {name: getattr(part.features[name], "names", None) for name in stored}
            for batch in part.select_columns(stored).iter(batch_size=BATCH_ROWS) if stored else ():
                n = len(batch[stored[0]])
                columns = [
                    [part_name] * n if name == self.split_column else named_values(batch[name], names_of[name])
                    for name in wanted
                ]
                yield from enumerate(zip(*columns, strict=True), start=n_before + 1)
                n_before += n


def named_values(values: Sequence[object], names: Sequence[str] | None) -> Sequence[object]:
    """Replace class numbers by names; a number without a name, such as -1, means that no label is known."""
    if names is None:
        return values
    known = dict(enumerate(names))
    return [known.get(value) if isinstance(value, int) else value for value in values]
