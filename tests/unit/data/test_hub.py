"""Data sets of the hub, with small ones that the library makes here: no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alvin_core.data.checking import check_dataset
from alvin_core.data.reading import Columns, load_dataset
from alvin_core.errors import DataError

datasets = pytest.importorskip("datasets", reason="needs the extra 'hub'")

NAMES = ["bad", "good"]


def part(n: int, first: int = 0, labels: list[int] | None = None) -> Any:
    features = datasets.Features({"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=NAMES)})
    values = {
        "sentence": [f"film {row}" for row in range(first, first + n)],
        "label": labels or [row % 2 for row in range(n)],
    }
    return datasets.Dataset.from_dict(values, features=features)


def saved(folder: Path, parts: dict[str, Any]) -> str:
    datasets.DatasetDict(parts).save_to_disk(str(folder))
    return f"hf:{folder}"


TEXT = Columns(text="sentence")


def test_train_becomes_the_pool_and_test_stays_with_class_names_as_labels(tmp_path: Path) -> None:
    source = saved(tmp_path / "set", {"train": part(20), "test": part(4, 100)})
    data = load_dataset(source, columns=TEXT)
    assert data.classes == ("bad", "good")
    assert data.labels.tolist() == [0, 1] * 12
    assert data.splits.tolist() == ["pool"] * 20 + ["test"] * 4
    assert data.texts[20] == "film 100"
    assert data.ids[20] == "row-000021"
    assert data.warnings == ()


def test_validation_is_the_test_split_where_there_is_no_test(tmp_path: Path) -> None:
    source = saved(tmp_path / "set", {"validation": part(4, 100), "train": part(20)})
    assert check_dataset(source, columns=TEXT).splits == {"pool": 20, "test": 4}


def test_validation_is_the_test_split_where_the_test_labels_are_hidden(tmp_path: Path) -> None:
    parts = {"train": part(20), "validation": part(4, 100), "test": part(6, 200, labels=[-1] * 6)}
    data = load_dataset(saved(tmp_path / "set", parts), columns=TEXT)
    assert data.texts.take(data.rows_of("test")) == [f"film {row}" for row in range(100, 104)]
    assert data.warnings == ("splits left out: test",)


def test_a_lone_training_split_has_its_test_split_drawn(tmp_path: Path) -> None:
    part(50).save_to_disk(str(tmp_path / "set"))
    data = load_dataset(f"hf:{tmp_path / 'set'}", columns=TEXT)
    assert len(data.rows_of("test")) == 10


def test_a_split_column_that_the_user_names_wins_over_the_hub_splits(tmp_path: Path) -> None:
    values = {
        "text": [f"t{row}" for row in range(20)],
        "label": ["y", "n"] * 10,
        "part": ["pool"] * 14 + ["test"] * 4 + ["ood:far"] * 2,
    }
    source = saved(tmp_path / "set", {"train": datasets.Dataset.from_dict(values)})
    assert load_dataset(source, columns=Columns(split="part")).evaluation_splits == ("test", "ood:far")


def test_splits_without_a_training_part_are_refused(tmp_path: Path) -> None:
    source = saved(tmp_path / "set", {"a": part(20), "b": part(20, 50)})
    with pytest.raises(DataError, match=r"no split 'train' in \['a', 'b'\]; name a column that tells the splits"):
        load_dataset(source, columns=TEXT)


def test_problems_of_a_hub_data_set_name_the_row(tmp_path: Path) -> None:
    source = saved(tmp_path / "set", {"train": part(20), "test": part(3, 100, labels=[0, -1, 1])})
    with pytest.raises(DataError, match=r"row 22, column 'label': no label in an evaluation split"):
        load_dataset(source, columns=TEXT)


def test_a_folder_of_files_is_loaded_by_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "set"
    folder.mkdir()
    for name, first, n in (("train", 0, 20), ("test", 100, 4)):
        lines = [f"film {first + row},{NAMES[row % 2]}" for row in range(n)]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    assert check_dataset(f"hf:{folder}").splits == {"pool": 20, "test": 4}


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("hf:owner/name", ("owner/name", None)),
        ("owner/name", ("owner/name", None)),
        ("hf:owner/name/config", ("owner/name", "config")),
        ("hf:name", ("name", None)),
        ("name", ("name", None)),
    ],
)
def test_a_name_asks_the_library_for_owner_name_and_config(
    source: str, asked: tuple[str, str | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = []

    def fake_load(path: str, name: str | None = None) -> Any:
        calls.append((path, name))
        return datasets.DatasetDict({"train": part(20), "test": part(4, 100)})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", fake_load)
    assert len(load_dataset(source, columns=TEXT)) == 24
    assert calls == [asked]


def test_a_mistyped_file_beside_an_existing_folder_is_no_name_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"^data/reviews: no such file"):
        load_dataset("data/reviews")


def run(code: str, folder: Path) -> str:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


LOAD = """
from alvin_core.data.reading import load_dataset
from alvin_core.errors import DataError
try:
    load_dataset("hf:nobody/nothing")
except DataError as error:
    print(error)
"""


def test_a_name_that_the_hub_does_not_give_is_refused_with_what_to_do(tmp_path: Path) -> None:
    said = run(LOAD, tmp_path)
    assert said.startswith("hf:nobody/nothing: neither a file nor a data set that could be loaded: ")
    assert "check the name (hf:owner/name or hf:owner/name/config) and the connection" in said
    assert "\n" not in said


def test_without_the_library_the_message_says_how_to_install_it(tmp_path: Path) -> None:
    said = run("import sys; sys.modules['datasets'] = None\n" + LOAD, tmp_path)
    assert said.startswith(
        "hf:nobody/nothing: the library 'datasets' is not installed; "
        "pip install 'alvin-studio[hub]', or give the path of a file"
    )
