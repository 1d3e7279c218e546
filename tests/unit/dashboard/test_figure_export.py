"""Figures as files."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest

from alvin_core import SettingsError
from dashboard.figures.exporting import ExportError, export_figure, save_figure


@pytest.fixture
def figure() -> go.Figure:
    return go.Figure(go.Scatter(x=[1, 2], y=[3, 4], name="a line"), layout={"title": {"text": "a title"}})


def test_html_holds_the_library_and_asks_no_other_server_for_a_script(figure) -> None:
    page = export_figure(figure, "html").decode()
    assert "a title" in page
    assert len(page) > 3_000_000  # plotly.js itself
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", page)


@pytest.mark.browser
def test_images_are_drawn_in_the_size_asked_for(figure, tmp_path: Path) -> None:
    picture = save_figure(figure, tmp_path / "figure.png", width=300, height=200).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (300, 200)
    drawing = ElementTree.fromstring(export_figure(figure, "svg", width=300, height=200))
    assert drawing.attrib["width"] == "300"
    assert "a title" in "".join(drawing.itertext())


def test_without_kaleido_the_remedy_is_told(figure, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: go.Figure, **_: object) -> bytes:
        raise ValueError("Image export requires kaleido")

    monkeypatch.setattr(go.Figure, "to_image", missing)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExportError, match="as PNG: kaleido is missing; pip install kaleido, or export HTML"):
        export_figure(figure, "png")


def test_without_a_browser_the_remedy_is_told(figure, monkeypatch: pytest.MonkeyPatch) -> None:
    class ChromeNotFoundError(RuntimeError):
        pass

    def missing(self: go.Figure, **_: object) -> bytes:
        raise ChromeNotFoundError

    monkeypatch.setattr(go.Figure, "to_image", missing)
    with pytest.raises(ExportError, match="no Chrome or Chromium was found; install one or set BROWSER_PATH"):
        export_figure(figure, "svg")


def test_any_other_failure_is_told_in_one_line(figure, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: go.Figure, **_: object) -> bytes:
        raise OSError("the disk is full\nand more")

    monkeypatch.setattr(go.Figure, "to_image", fail)
    with pytest.raises(ExportError, match=r"OSError: the disk is full; export HTML instead$"):
        export_figure(figure, "png")


def test_a_format_that_there_is_not_is_refused(figure, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'pdf' is unknown; figures are exported as html, png, svg"):
        export_figure(figure, "pdf")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"map.jpeg ends with '.jpeg'"):
        save_figure(figure, tmp_path / "map.jpeg")
    assert list(tmp_path.iterdir()) == []
