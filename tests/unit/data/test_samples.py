"""The sample files that come with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from alvin_core.data import samples
from alvin_core.data.planted import TASKS, write_planted
from alvin_core.data.samples import SAMPLE_SETTINGS, describe_samples, sample_names, sample_path
from alvin_core.errors import DataError


@pytest.mark.parametrize("name", sample_names())
def test_the_sample_file_is_made_again_byte_for_byte(name: str, tmp_path: Path) -> None:
    write_planted(tmp_path / "again.csv", SAMPLE_SETTINGS[name])
    assert (tmp_path / "again.csv").read_bytes() == sample_path(name).read_bytes()


@pytest.mark.parametrize("name", sample_names())
def test_a_sample_file_is_small_utf8_and_has_unix_line_ends(name: str) -> None:
    content = sample_path(name).read_bytes()
    assert len(content) < 1_250_000
    assert b"\r" not in content
    assert content.decode("utf-8").endswith("\n")


def test_there_is_one_sample_for_each_task() -> None:
    assert sample_names() == TASKS


def test_samples_are_described_by_what_their_files_hold() -> None:
    described = {sample.name: sample for sample in describe_samples()}
    assert tuple(described) == sample_names()
    assert described["reviews"].classes == ("negative", "positive")
    assert described["nli"].classes == ("entailment", "not_entailment")
    for sample in described.values():
        assert dict(sample.splits) == {"pool": 3000, "test": 600, "ood:balanced": 600, "ood:reversed": 600}
        assert sample.n_rows == 4800
        assert sample.description
        assert "\n" not in sample.description


def test_an_unknown_sample_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match="no sample is called 'imdb'; the samples are: reviews, occupations, nli, para"):
        sample_path("imdb")


def test_a_missing_sample_file_says_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_PACKAGE", tmp_path / "alvin_core")
    with pytest.raises(DataError, match="make it with: alvin make-data --task nli --seed 7 --out "):
        sample_path("nli")


def test_a_sample_inside_the_package_is_found_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "alvin_core" / "sample_data" / "nli.csv"
    beside = tmp_path / "sample_data" / "nli.csv"
    for place in (inside, beside):
        place.parent.mkdir(parents=True)
        place.write_text("id,text_a,text_b,label,split,attribute\n")
    monkeypatch.setattr(samples, "_PACKAGE", tmp_path / "alvin_core")
    assert sample_path("nli") == inside


def test_a_sample_with_other_columns_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sample_data"
    folder.mkdir()
    (folder / "reviews.csv").write_text("id,words\n1,fine\n")
    monkeypatch.setattr(samples, "_PACKAGE", tmp_path / "alvin_core")
    with pytest.raises(DataError, match="the sample cannot be read"):
        describe_samples()
