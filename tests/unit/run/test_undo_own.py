"""Taking back only what is one's own: the engine looks in the transaction that takes it back."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from alvin_core.errors import LabelError
from alvin_core.run import create_run
from alvin_core.settings import RunSettings


def test_of_a_trained_round_a_shared_label_is_not_one_persons_to_take_back(
    tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    settings = RunSettings(budget=2, initial=4).with_value("annotation.overlap", 2)
    run = create_run(tmp_path / "store", fake.make_dataset(labeled=0.0), settings)
    said = {one: "pos" if place % 2 else "neg" for place, one in enumerate(run.pending()["id"])}
    run.submit(said, annotator="Ada")
    run.submit(said, annotator="Bo")
    first, second, *_ = said
    run.undo(first, "Ada", only_own=True)  # while they are asked: it is their opinion alone
    assert run.opinions().groupby("id").size()[first] == 1
    run.submit({first: said[first]}, annotator="Ada")
    run.step()
    before = run.labels()
    with pytest.raises(LabelError, match="was labeled by Bo as well: an owner may take that back"):
        run.undo(second, "Ada", only_own=True)
    with pytest.raises(LabelError, match="was labeled by Ada, Bo: an owner may take that back"):
        run.undo(second, "Cy", only_own=True)
    assert run.labels().equals(before)
    run.undo(second, "Ada")
    assert second not in set(run.labels()["id"])
