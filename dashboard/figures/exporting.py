"""Figures as files: a page that needs no network, or an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from alvin_core import AlvinError, SettingsError

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["ExportError", "Format", "export_figure", "save_figure"]

Format = Literal["html", "png", "svg"]
FORMATS: tuple[Format, ...] = get_args(Format)


class ExportError(AlvinError):
    """An image cannot be made, because a part that draws it is missing or failed."""


def export_figure(
    figure: go.Figure, format_: Format, *, width: int = 1280, height: int = 720, scale: float = 1.0
) -> bytes:
    """Return a figure as the content of a file.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    format_ : {"html", "png", "svg"}
        HTML holds all it needs and stays interactive. Images are drawn by kaleido in a browser that it finds: Chrome
        or Chromium.
    width, height : int
        Pixels of an image; HTML fills its window.
    scale : float
        Image pixels for one of ``width``.

    Raises
    ------
    SettingsError
        When the format is another.
    ExportError
        When kaleido or the browser is missing, or drawing fails.
    """
    if format_ not in FORMATS:
        raise SettingsError(f"format {format_!r} is unknown; figures are exported as {', '.join(FORMATS)}")
    if format_ == "html":
        page = figure.to_html(include_plotlyjs=True, include_mathjax=False, full_html=True, config={"responsive": True})
        return bytes(page.encode("utf-8", errors="replace"))
    try:
        return bytes(figure.to_image(format=format_, width=width, height=height, scale=scale))
    except Exception as error:  # kaleido's own errors cannot be named where kaleido is missing
        raise ExportError(_remedy(format_, error)) from error


def save_figure(figure: go.Figure, path: str | Path, *, width: int = 1280, height: int = 720) -> Path:
    """Write a figure to a file, in the format that its name ends with; see `export_figure`."""
    path = Path(path)
    ending = path.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise SettingsError(f"{path.name} ends with {path.suffix!r}; figures are exported as .{', .'.join(FORMATS)}")
    content = export_figure(figure, ending, width=width, height=height)
    path.write_bytes(content)
    return path


def _remedy(format_: Format, error: Exception) -> str:
    from importlib.util import find_spec

    start = f"the figure cannot be drawn as {format_.upper()}"
    if find_spec("kaleido") is None:
        return f"{start}: kaleido is missing; pip install kaleido, or export HTML, which needs neither"
    told = str(error).strip().splitlines()
    if "Chrome" in type(error).__name__ or any("chrome" in line.lower() for line in told[:3]):
        return (
            f"{start}: no Chrome or Chromium was found; install one or set BROWSER_PATH to it, "
            "or export HTML, which needs none"
        )
    return f"{start}: {type(error).__name__}: {told[0] if told else 'no reason was given'}; export HTML instead"
