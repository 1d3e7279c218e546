"""The lesson's pages, read from Markdown files that an instructor can edit; nothing here draws.

A page is one file, in the order of the names. Its first heading is its title. A line that is nothing but a link of the
form ``[Show me](show:strength=0.97&stage=train)`` is a button that opens that world at that stage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from dashboard.views.classroom_address import CHOICES, SLIDERS, read_spot

__all__ = ["LESSONS", "Page", "ShowMe", "folder_of", "read_page", "read_pages"]

LESSONS: Final = Path(__file__).parents[1] / "lessons"
OWN: Final = "lessons"  # the folder in a store that replaces ours
MOST_BYTES: Final = 64 * 1024
MOST_PAGES: Final = 40
SPOTS: Final = ("seed", "turn", "stage", "show", "anchor", "truth")
_SHOW = re.compile(r"^\s*\[(?P<label>[^\]]+)\]\(show:(?P<what>[^)\s]*)\)\s*$")
_TITLE = re.compile(r"^#\s+(?P<title>.+?)\s*#*$")


@dataclass(frozen=True)
class ShowMe:
    """A button of a page.

    Attributes
    ----------
    label : str
    values : dict of str to str
        What it writes into the address. Settings of the world that it does not name take their usual values; the seed
        stays unless it is named.
    """

    label: str
    values: dict[str, str]


@dataclass(frozen=True)
class Page:
    """A page of the lesson.

    Attributes
    ----------
    title : str
    parts : tuple of str or ShowMe
        Markdown and buttons, in order.
    problems : tuple of str
        What of the file could not be read, for who wrote it.
    """

    title: str
    parts: tuple[str | ShowMe, ...] = ()
    problems: tuple[str, ...] = field(default=())


def folder_of(store: Path) -> Path:
    """Return the folder of the lesson: the store's own where it has one, else the one that comes with the program."""
    own = store / OWN
    return own if own.is_dir() else LESSONS


def read_pages(store: Path) -> tuple[Page, ...]:
    """Read the lesson anew. A file that cannot be read becomes a page that says so."""
    folder = folder_of(store)
    files = sorted(path for path in folder.glob("*.md") if path.is_file() and path.stem.lower() != "readme")
    pages = [_page_of(path) for path in files[:MOST_PAGES]]
    if not pages:
        return (Page("No lesson", (), (f"There is no Markdown file in {folder}: put one there.",)),)
    return tuple(pages)


def _page_of(path: Path) -> Page:
    try:
        if path.stat().st_size > MOST_BYTES:
            size = path.stat().st_size // 1024
            problem = (
                f"{path.name} has {size} KiB; a page may have {MOST_BYTES // 1024} KiB. Divide it into several files."
            )
            return Page(path.stem, (), (problem,))
        return read_page(path.read_text(encoding="utf-8-sig"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        return Page(path.stem, (), (f"{path.name} cannot be read: {error}. Save it as UTF-8 text.",))


def read_page(text: str, name: str) -> Page:
    """Read a page's Markdown; ``name`` is its title where it has no heading, and names it in problems."""
    title, lines = "", text.splitlines()
    parts: list[str | ShowMe] = []
    problems: list[str] = []
    waiting: list[str] = []

    def end_text() -> None:
        if any(line.strip() for line in waiting):
            parts.append("\n".join(waiting).strip("\n"))
        waiting.clear()

    for number, line in enumerate(lines, start=1):
        heading = _TITLE.match(line)
        button = _SHOW.match(line)
        if heading and not title:
            title = heading["title"]
        elif button:
            values, wrong = _values_of(button["what"])
            if wrong:
                problems.append(f"{name}, line {number}: {wrong}")
            else:
                end_text()
                parts.append(ShowMe(button["label"], values))
        else:
            waiting.append(line)
    end_text()
    return Page(title or name.removesuffix(".md"), tuple(parts), tuple(problems))


def _values_of(what: str) -> tuple[dict[str, str], str]:
    """Return what a button writes into the address, and what is wrong with it."""
    known = (*SLIDERS, *CHOICES, *SPOTS)
    try:
        given = dict(parse_qsl(what, strict_parsing=True, keep_blank_values=True)) if what else {}
    except ValueError:
        return {}, f"“show:{what}” is not of the form show:name=value&name=value"
    unknown = [name for name in given if name not in known]
    if unknown:
        return {}, f"nothing is called {unknown[0]!r}; there are {', '.join(known)}"
    problems = read_spot(given)[1]
    return given, problems[0] if problems else ""
