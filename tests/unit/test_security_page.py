"""The page on security and the tests that it names."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def named() -> list[str]:
    return sorted(set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"))))


@lru_cache(maxsize=1)
def known_tests() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(node.name)
    return found


@pytest.mark.parametrize("name", named())
def test_each_test_that_the_page_names_is_there(name: str) -> None:
    assert name in known_tests()


def test_every_defence_names_one() -> None:
    rows = [line for line in (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines() if "|" in line]
    assert len(rows) > 10
    assert all("`test_" in row for row in rows[2:])
