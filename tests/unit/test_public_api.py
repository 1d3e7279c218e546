"""The public names: all there, documented, and cheap to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import alvin_core

ROOT = Path(alvin_core.__file__).parent
HEAVY = ("torch", "faiss", "umap", "numba", "pandas", "transformers", "sklearn", "sqlalchemy", "pyarrow", "streamlit")


def test_every_public_name_can_be_had() -> None:
    for name in alvin_core.__all__:
        assert getattr(alvin_core, name) is not None
    assert set(alvin_core.__all__) <= set(dir(alvin_core))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        alvin_core.nothing  # noqa: B018


def test_the_names_type_checkers_see_are_those_python_gives() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        (alias.name, statement.module)
        for statement in checked.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert imported == set(alvin_core._HOME_OF.items())
    assert {name for name, _ in imported} | {"__version__"} == set(alvin_core.__all__)


def test_the_public_names_are_those_the_documentation_lists() -> None:
    text = (ROOT.parent / "docs" / "api.md").read_text(encoding="utf-8")
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert documented == set(alvin_core.__all__) - {"__version__"}


def test_every_public_function_and_class_says_what_it_is() -> None:
    for name in alvin_core.__all__:
        value = getattr(alvin_core, name)
        if callable(value) and name != "Progress":
            assert (value.__doc__ or "").strip(), name


def test_importing_the_engine_imports_nothing_heavy() -> None:
    program = f"import sys, alvin_core; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
