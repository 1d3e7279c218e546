"""Labels to a file, for other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.data.spreadsheets import csv_of
from alvin_core.errors import SettingsError, StoreError
from alvin_core.store.arrays import disk_reason

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXPORT_FORMATS", "export_labels"]


def export_labels(labels: pd.DataFrame, path: Path, format_name: str) -> int:
    """Write labels to a file, whole or not at all, and return how many; see `Run.export`."""
    if format_name not in EXPORT_FORMATS:
        raise SettingsError(f"format = {format_name!r} is unknown; choose one of: {', '.join(EXPORT_FORMATS)}")
    if path.is_dir():
        raise StoreError(f"{path} is a folder; name a file to export to")
    if not path.parent.is_dir():
        raise StoreError(f"cannot write {path}: there is no folder {path.parent}; make it first, or name another file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        EXPORT_FORMATS[format_name](labels, temporary)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {disk_reason(error)}") from error
    except ImportError as error:
        raise StoreError(
            f"parquet files need pyarrow ({error}); `pip install pyarrow`, or take csv or jsonl"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return len(labels)


def _write_csv(labels: pd.DataFrame, path: Path) -> None:
    path.write_text(csv_of(labels), encoding="utf-8", newline="")


def _write_jsonl(labels: pd.DataFrame, path: Path) -> None:
    labels.to_json(path, orient="records", lines=True, force_ascii=False)


def _write_parquet(labels: pd.DataFrame, path: Path) -> None:
    labels.to_parquet(path, index=False)


EXPORT_FORMATS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
}
