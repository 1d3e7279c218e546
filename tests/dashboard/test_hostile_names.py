"""Every page with a store in which all that comes from data is markup: what Streamlit reads as Markdown is plain."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import alvin_core as alvin
from alvin_core.data.dataset import Texts
from alvin_core.worker.answering import Desk
from dashboard import asking

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
LINK = "[here](http://evil.example)"
# Fields whose text a browser shows as it is, or that are no text at all.
AS_IT_IS = re.compile(
    r"(options|value|values|default|id|element_id|form_id|spec|json|key|placeholder|data|query_string|raw_value)$"
)


@pytest.fixture
def store(tmp_path: Path, fake: ModuleType, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("ALVIN_STORE", str(folder))
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    plain = fake.make_dataset(labeled=0.7)
    dataset = dataclasses.replace(
        plain,
        ids=np.asarray([f"{LINK} {row}" for row in range(len(plain))]),
        texts=Texts.pack(f"<b>{LINK}</b> word {row}" for row in range(len(plain))),
        classes=(f"neg {LINK}", f"pos {LINK}"),
        attributes=np.asarray([f"one {LINK}", f"two {LINK}", ""])[np.arange(len(plain)) % 3],
    )
    settings = alvin.RunSettings(
        budget=5,
        initial=20,
        encoder=alvin.EncoderSettings(name=str(tiny_encoder), max_length=32),
        training=alvin.TrainingSettings(epochs=2, hidden=8),
        runtime=alvin.RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
    )
    run = alvin.create_run(folder, dataset, settings, name="r", source=f"x {LINK}.csv")
    run.step()
    first, second = run.queue()[:2]
    run.submit({first: f"pos {LINK}"}, annotator=f"ann {LINK}")
    run.note(second, f"a note {LINK}", f"ann {LINK}")
    run.flag(second, f"ann {LINK}")
    rule = alvin.SliceRule("ids", (first, second), contradicts=f"neg {LINK}")
    run.save_slice("s", rule, note=f"of {LINK}")
    (folder / "dashboard").mkdir()
    (folder / "dashboard" / "tour-seen").touch()
    desk = Desk(folder)  # answers here, by what answers in a process of its own, which takes long to start
    for module in (alvin, asking):
        monkeypatch.setattr(module, "ask", lambda _, kind, params, timeout: desk.answer(kind, params))
    return folder


def fields(message: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of an element with its place."""
    for field, value in message.ListFields():
        is_many = not isinstance(value, (str, bytes)) and hasattr(value, "__iter__") and not hasattr(value, "keys")
        for one in value if is_many else (value,):
            if isinstance(one, str):
                yield f"{path}.{field.name}", one
            elif hasattr(one, "ListFields"):
                yield from fields(one, f"{path}.{field.name}")


@pytest.mark.parametrize("page", ["explore", "compare", "shortcuts", "label", "classroom", "runs"])
def test_nothing_that_comes_from_data_is_read_as_markdown_or_html_on_any_page(store: Path, page: str) -> None:
    app = AppTest.from_file(str(APP), default_timeout=120)
    asked = {"run": "r", "page": page, "example": f"{LINK} 0", "q": LINK, "cue": f"attribute:one {LINK}", "round": "9"}
    for name, value in asked.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    shown = [one for node in app._tree if getattr(node, "proto", None) is not None for one in fields(node.proto)]
    html = [text for place, text in shown if place.endswith(".body") and "<" in text]
    assert not [text for text in html if f"<b>{LINK}" in text]
    read = [(place, text) for place, text in shown if not AS_IT_IS.search(place) and text not in html]
    assert [one for one in read if LINK in one[1]] == []
    if page in ("explore", "shortcuts", "label"):  # what is looked for is on the page at all
        assert any("evil" in text for _, text in shown)
