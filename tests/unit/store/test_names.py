"""What may name a run: nothing that leads anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.errors import StoreError
from alvin_core.store.runs import LONGEST_NAME, check_name, new_run_id


@pytest.mark.parametrize("name", ["a", "reviews-alvin", "0", "A.b_c-9", "x" * LONGEST_NAME])
def test_a_name_is_letters_digits_and_a_few_signs(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "-x", "a/b", "a\\b", "../x", "a b", "a\n", "a\0", "ä", "x" * (LONGEST_NAME + 1)]
)
def test_any_other_is_refused(name: str) -> None:
    with pytest.raises(StoreError):
        check_name(name)


@given(st.text(max_size=12))
def test_whatever_is_taken_stays_in_its_folder(name: str) -> None:
    try:
        check_name(name)
    except StoreError:
        return
    assert (Path("/store/runs") / name).parent == Path("/store/runs")
    assert Path(name).name == name


def test_folders_of_runs_have_random_names() -> None:
    names = {new_run_id() for _ in range(200)}
    assert len(names) == 200
    assert all(len(name) == 8 and set(name) <= set("0123456789abcdef") for name in names)
