"""A round needs torch, transformers, scikit-learn and numpy; all else may be absent, as on a borrowed GPU machine."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alvin_core.strategies import strategy_names

HERE = Path(__file__).parent
NEVER_NEEDED = (
    "faiss", "pyarrow", "sqlalchemy", "umap", "streamlit", "plotly", "typer", "rich", "pandas", "datasets",
)  # fmt: skip


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = importlib.util.spec_from_file_location("tiny_encoders", HERE / "encoding" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    encoders = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(encoders)
    folder: Path = encoders.save_encoder(tmp_path_factory.mktemp("bert"))
    return folder


def bare_round(folder: Path, *absent: str) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "bare_round.py"), str(folder), *absent]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert not set(absent) & set(told["imported"])
    return told


def test_a_round_runs_with_nothing_but_torch_and_without_numba_selects_the_same(encoder_folder: Path) -> None:
    with_numba = bare_round(encoder_folder, *NEVER_NEEDED)
    assert with_numba["n_anchors"] > 0
    assert len(with_numba["selected"]) == 5
    assert set(with_numba["alternatives"]) == set(strategy_names()) - {"alvin"}
    without_numba = bare_round(encoder_folder, *NEVER_NEEDED, "numba", "llvmlite")
    assert "numba" in with_numba.pop("imported")
    assert "numba" not in without_numba.pop("imported")
    assert without_numba == with_numba
