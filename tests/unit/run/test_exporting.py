"""Exports that spreadsheets open, and labels that come back from them."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from alvin_core.cli.labels import read_labels
from alvin_core.data.dataset import Dataset, Texts
from alvin_core.run import create_run
from alvin_core.run.exporting import export_labels
from alvin_core.settings import RunSettings


def dangerous(fake: ModuleType) -> Dataset:
    """Every id, text, class and attribute is a formula."""
    plain = fake.make_dataset(40, 10, labeled=0.0)
    return replace(
        plain,
        ids=np.asarray([f"=HYPERLINK({row})" for row in range(50)]),
        texts=Texts.pack(f"@SUM({row})" for row in range(50)),
        classes=("+bad", "-good"),
        attributes=np.asarray(["=a"] * 50),
    )


def test_no_cell_of_an_exported_csv_is_a_formula_and_its_labels_can_be_submitted(
    tmp_path: Path, fake: ModuleType
) -> None:
    run = create_run(tmp_path / "store", dangerous(fake), RunSettings(budget=4, initial=8))
    pending = run.pending()
    path = tmp_path / "to-label.csv"
    export_labels(pending.assign(label=["+bad", "-good"] * 4), path, "csv")
    cells = pd.read_csv(path, dtype=str).drop(columns=["round"], errors="ignore").fillna("")
    for name in cells.columns:
        assert not cells[name].str.match("[=+@-]").any(), name
    labels = read_labels(path)
    packed = tmp_path / "to-label.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_labels(packed).equals(labels)
    assert labels["id"].tolist() == pending["id"].tolist()
    assert run.submit(labels).n_new == 8
    run.export(tmp_path / "labels.jsonl", "jsonl")
    read = pd.read_json(tmp_path / "labels.jsonl", lines=True)
    assert set(read["label"]) == {"+bad", "-good"}  # as it is, for programs
