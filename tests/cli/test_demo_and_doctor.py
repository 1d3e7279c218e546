"""``alvin demo`` and ``alvin doctor``."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from alvin_core.cli import demo, doctor
from alvin_core.cli.dashboard import serve_dashboard
from alvin_core.data.dataset import Dataset
from alvin_core.data.planted import make_planted
from alvin_core.encoding.models import packaged_folder
from alvin_core.errors import StoreError
from alvin_core.settings import RunSettings

needs_packaged = pytest.mark.skipif(packaged_folder() is None, reason="the extra 'offline' is not installed")


@pytest.fixture(scope="module")
def short() -> Dataset:
    """Data like the demo's, of fewer rows."""
    return make_planted("reviews", strength=0.9, n_pool=280, n_test=30, n_ood=30, seed=7)


def test_the_demo_compares_two_runs_from_one_initial_set(
    alvin: Any, short: Dataset, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def load(data: str, *rest: object, **options: object) -> Dataset:
        asked.append(data)
        return short

    monkeypatch.setattr(demo, "load", load)
    monkeypatch.setattr(demo, "RunSettings", lambda: RunSettings().with_value("encoder.name", str(encoder)))
    answer = alvin("demo", "--no-serve", "--quiet")
    assert answer.code == 0
    assert asked == ["reviews"]
    runs = [json.loads(line) for line in alvin("runs", "--json").lines]
    assert [(run["name"], run["strategy"], run["n_rounds"]) for run in runs] == [
        ("demo-alvin", "alvin", 4),
        ("demo-entropy", "entropy", 4),
    ]
    table = answer.lines[answer.lines.index("After 3 rounds, 250 labels each") :]
    assert table[1].split() == ["alvin", "entropy"]
    rows = [line.strip().rsplit(maxsplit=2) for line in table[2 : table.index("")]]
    cells = {name: (first, second) for name, first, second in rows}
    shown = {name: json.loads(alvin("show", name, "--json").out) for name in ("demo-alvin", "demo-entropy")}
    for split in ("test", "ood:balanced", "ood:reversed"):
        real = [one["rounds"][3]["metrics"][split]["accuracy"] for one in shown.values()]
        assert [float(cell) for cell in cells[f"accuracy on {split}"]] == pytest.approx(real, abs=5e-4)
    # Counted by hand: what a strategy picked, and how much of it has the genre that its class seldom has.
    usual = {"positive": "romance", "negative": "horror"}
    genre = dict(zip(short.ids.tolist(), short.attributes.tolist(), strict=True))  # type: ignore[union-attr]
    for column, name in enumerate(shown):
        alvin("export", name, "--out", f"{name}.jsonl")
        labels = [json.loads(line) for line in Path(f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        picked = [one for one in labels if one["round"] > 0]
        share = sum(genre[one["id"]] != usual[one["label"]] for one in picked) / len(picked)
        assert cells["picks against the shortcut (pool: 10%)"][column] == f"{100 * share:.0f}%"
    first = [[one["id"] for one in json_lines(f"{name}.jsonl") if one["round"] == 0] for name in shown]
    assert first[0] == first[1]
    again = alvin("demo", "--no-serve", "--quiet")
    assert again.code == 0
    assert "alvin (run demo-alvin-2)" in again.lines


def json_lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@needs_packaged
def test_the_doctor_finds_nothing_missing(alvin: Any) -> None:
    answer = alvin("doctor")
    assert answer.code == 0
    found = {line.split()[1]: line for line in answer.lines if line.startswith(("ok", "–"))}
    assert {"python", "torch", "transformers", "device", "threads", "encoder", "store"} <= set(found)
    assert found["encoder"].endswith("(packaged copy, checksum ok)")
    assert answer.lines[-1] == "Nothing is missing; try: alvin demo"
    assert not Path("alvin-store").exists()


def test_the_doctor_says_what_is_missing_and_how_to_get_it(alvin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "a-package-that-nobody-wrote"))
    monkeypatch.setattr(doctor, "OPTIONAL", {"another-one": "only for flying"})
    monkeypatch.setattr(doctor, "_encoder", lambda: ("ok", "not looked at"))

    def broken() -> Any:
        raise OSError("libsomething.so is not there")

    monkeypatch.setattr(doctor, "_device", broken)
    answer = alvin("doctor")
    assert answer.code == 1
    assert any(
        line.split() == ["MISSING", "device", "OSError:", "libsomething.so", "is", "not", "there"]
        for line in answer.lines
    )
    assert any(
        line.startswith("MISSING  a-package-that-nobody-wrote  not installed; pip install") for line in answer.lines
    )
    assert any("not installed: only for flying" in line for line in answer.lines)
    assert "Traceback" not in answer.err
    state = json.loads(alvin("doctor", "--json").out)
    assert (state["numpy"]["state"], state["another-one"]["state"], state["device"]["state"]) == (
        "ok",
        "note",
        "missing",
    )


def test_the_doctor_downloads_nothing_but_says_how_to_get_the_encoder(
    alvin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alvin_core.encoding.models.packaged_folder", lambda: None)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *names: None)
    monkeypatch.setattr("alvin_core.encoding.models.load_pretrained", None)  # calling it would fail
    answer = alvin("doctor")
    assert answer.code == 0
    (line,) = [line for line in answer.lines if " encoder " in line]
    assert line.startswith("–")
    assert line.endswith("pip install 'alvin-studio[offline]'")


def test_the_doctor_refuses_a_store_on_a_network_drive(alvin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise StoreError(f"the store {path} lies on a network drive (nfs)")

    monkeypatch.setattr("alvin_core.store.mounts.refuse_network_drive", refuse)
    monkeypatch.setattr(doctor, "_encoder", lambda: ("ok", "not looked at"))
    answer = alvin("doctor")
    assert answer.code == 1
    assert any(line.startswith("MISSING  store") and "network drive (nfs)" in line for line in answer.lines)


def test_a_file_called_dashboard_in_the_folder_at_hand_is_not_the_dashboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dashboard.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve_dashboard(tmp_path / "store", port=port, open_browser=False) == 2  # the port is in use
