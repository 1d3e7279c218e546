"""Where the user is: every query parameter and every session key, in one place.

The address is the truth. A script run reads it (`current_place`), views change it (`go`), and a reload or a second tab
opens what it says. What does not fit the store falls back to something that does, with a plain sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import streamlit as st

from alvin_core import AlvinError
from dashboard import data, people

if TYPE_CHECKING:
    from alvin_core import Run

__all__ = [
    "COLORS",
    "DEFAULT_ANNOTATOR",
    "NO_ROUND",
    "PAGES",
    "SPACES",
    "Color",
    "Notice",
    "Page",
    "Place",
    "Space",
    "Wish",
    "current_place",
    "dismiss",
    "go",
    "notices",
    "notify",
    "read_wish",
]

Page = Literal["explore", "compare", "shortcuts", "label", "classroom", "runs"]
Color = Literal["class", "group", "known", "confidence", "entropy", "forgetting", "right", "match"]
Space = Literal["model", "encoder"]
PAGES: Final[tuple[Page, ...]] = get_args(Page)
COLORS: Final[tuple[Color, ...]] = get_args(Color)
SPACES: Final[tuple[Space, ...]] = get_args(Space)
DEFAULT_ANNOTATOR: Final = "person"  # the engine's own
NO_ROUND: Final = -1  # of a run whose first round is yet to be trained
MAX_VALUE: Final = 2000  # characters of any parameter; an address that is longer was not written by this program

RUN, ROUND, PAGE, EXAMPLE = "run", "round", "page", "example"
COLOR, SPACE, SEARCH, ANNOTATOR = "color", "space", "q", "annotator"

# Session keys that are no widget's. A reload forgets them: nothing that matters is here.
SEEN_ROUNDS: Final = "_seen_rounds"  # (run id, rounds it had): who looked at the newest round follows it
NOTICES: Final = "_notices"
TOUR_STEP: Final = "_tour_step"  # absent: as the store says; None: closed
JOBS_TOLD: Final = "_jobs_told"


@dataclass(frozen=True)
class Place:
    """What is on the screen.

    Attributes
    ----------
    run : Run or None
        None where the store has no run.
    run_id : str
        Empty where there is none.
    round_no : int
        `NO_ROUND` where none is finished.
    n_rounds : int
        Finished rounds of the run.
    page : {"explore", "compare", "shortcuts", "label", "classroom", "runs"}
    annotator : str
    dark : bool
        Whether the browser shows the dark theme.
    example : str or None
        Id of the example in focus. It may be one that the run does not have: check before use.
    color : str
        What the map is coloured by.
    space : {"model", "encoder"}
    search : str
    """

    run: Run | None
    run_id: str
    round_no: int
    n_rounds: int
    page: Page
    annotator: str
    dark: bool
    example: str | None = None
    color: Color = "class"
    space: Space = "model"
    search: str = ""


@dataclass(frozen=True)
class Wish:
    """What an address asks for, as far as it can be read without the store; ``problems`` says what could not."""

    run: str | None
    round_no: int | None
    page: Page
    annotator: str
    example: str | None
    color: Color
    space: Space
    search: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """A message that stays until it is dismissed. All of it is text, never markup."""

    key: str
    kind: Literal["info", "warning", "error"]
    text: str
    details: str = ""
    job_id: int | None = None


def read_wish(params: Mapping[str, str]) -> Wish:
    """Read query parameters; every value that is none of those allowed becomes the default and a problem."""
    problems: list[str] = []

    def one_of(name: str, choices: tuple[str, ...]) -> str:
        value = params.get(name, "")
        if value and value not in choices:
            problems.append(f"The address asks for {name} {_quoted(value)}; it can be {', '.join(choices)}.")
        return value if value in choices else choices[0]

    def text(name: str) -> str:
        value = params.get(name, "")
        if len(value) > MAX_VALUE or not _writable(value):
            problems.append(f"The address's {name} cannot be read; it was left out.")
            return ""
        return value

    page, color, space = (one_of(name, choices) for name, choices in ((PAGE, PAGES), (COLOR, COLORS), (SPACE, SPACES)))
    round_text = params.get(ROUND, "")
    round_no = int(round_text) if re.fullmatch(r"[0-9]{1,9}", round_text) else None
    if round_text and round_no is None:
        problems.append(f"The address asks for round {_quoted(round_text)}, which is no number; the newest is shown.")
    return Wish(
        run=text(RUN) or None,
        round_no=round_no,
        page=page,  # type: ignore[arg-type]  # one of its choices
        annotator=text(ANNOTATOR).strip() or DEFAULT_ANNOTATOR,
        example=text(EXAMPLE) or None,
        color=color,  # type: ignore[arg-type]
        space=space,  # type: ignore[arg-type]
        search=text(SEARCH),
        problems=tuple(problems),
    )


def _writable(value: str) -> bool:
    """Whether a text can go into an address and a store: no half characters, no null bytes."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _quoted(value: str) -> str:
    printable = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in value)
    return f"“{printable if len(printable) <= 40 else printable[:39] + '…'}”"


def current_place() -> Place:
    """Read the address, open the run it names, say what could not be, and write the whole address."""
    wish = read_wish(st.query_params.to_dict())
    for problem in wish.problems:
        notify(problem)
    run = _find_run(wish.run)
    n_rounds = 0 if run is None else run.n_rounds
    round_no = NO_ROUND if run is None else _find_round(run, n_rounds, wish.round_no)
    place = Place(
        run=run,
        run_id="" if run is None else run.id,
        round_no=round_no,
        n_rounds=n_rounds,
        page=wish.page,
        annotator=people.person().name or wish.annotator,
        dark=st.context.theme.type == "dark",
        example=wish.example,
        color=wish.color,
        space=wish.space,
        search=wish.search,
    )
    _write_address(place)
    return place


def _find_run(name: str | None) -> Run | None:
    """Open the run of this name or id, else the newest; one of a comparison only where there are no others."""
    if name is not None:
        try:
            return data.opened(name)
        except AlvinError as error:
            notify(str(error))
    for info in reversed(data.runs() or data.runs(of_comparisons=True)):
        try:
            return data.opened(info.id)
        except AlvinError:  # deleted since the list was read
            continue
    return None


def _find_round(run: Run, n_rounds: int, wanted: int | None) -> int:
    newest = n_rounds - 1
    seen_id, seen_rounds = st.session_state.get(SEEN_ROUNDS, ("", 0))
    st.session_state[SEEN_ROUNDS] = (run.id, n_rounds)
    if wanted is None or newest == NO_ROUND:
        return newest
    if seen_id == run.id and seen_rounds < n_rounds and wanted == seen_rounds - 1:
        return newest  # there was nothing newer when the user last looked: stay at the front
    if wanted > newest:
        notify(f"Run {run.name} has no round {wanted}: its rounds are 0 to {newest}. Round {newest} is shown.")
        return newest
    return wanted


def _write_address(place: Place) -> None:
    _set_params(
        {
            RUN: "" if place.run is None else place.run.name,
            ROUND: "" if place.round_no == NO_ROUND else str(place.round_no),
            PAGE: place.page,
            EXAMPLE: place.example or "",
            COLOR: "" if place.color == COLORS[0] else place.color,
            SPACE: "" if place.space == SPACES[0] else place.space,
            SEARCH: place.search,
            ANNOTATOR: "" if place.annotator in (DEFAULT_ANNOTATOR, people.person().name) else place.annotator,
        }
    )


def _set_params(values: Mapping[str, str]) -> None:
    """Set parameters, and take out those without a value; touch the address only where it changes."""
    now = st.query_params.to_dict()
    later = {name: value for name, value in (now | dict(values)).items() if value or name not in values}
    if later != now:
        st.query_params.from_dict(later)


def go(
    *,
    page: Page | None = None,
    run: str | None = None,
    round_no: int | None = None,
    example: str | None = None,
    color: Color | None = None,
    space: Space | None = None,
    search: str | None = None,
    annotator: str | None = None,
) -> None:
    """Change the place: what is not given stays, an empty text takes the value out.

    Another run opens at its newest round, without an example, unless they are given too. In a widget's callback the
    script that follows sees it; elsewhere, and in a fragment when the page must follow, call ``st.rerun()`` afterwards.
    """
    given: dict[str, str | None] = {
        PAGE: page,
        RUN: run,
        ROUND: None if round_no is None else str(round_no),
        EXAMPLE: example,
        COLOR: color,
        SPACE: space,
        SEARCH: search,
        ANNOTATOR: annotator,
    }
    values = {name: value for name, value in given.items() if value is not None}
    is_another = run is not None and run != st.query_params.get(RUN)
    _set_params(({ROUND: "", EXAMPLE: ""} if is_another else {}) | values)


def notify(
    text: str,
    *,
    kind: Literal["info", "warning", "error"] = "warning",
    details: str = "",
    key: str = "",
    job_id: int | None = None,
) -> None:
    """Show a message at the top of every page until it is dismissed; one with the same key (or text) only once."""
    notice = Notice(key or text, kind, text, details, job_id)
    st.session_state.setdefault(NOTICES, {}).setdefault(notice.key, notice)


def notices() -> list[Notice]:
    """Return the messages that were not dismissed, oldest first."""
    return list(st.session_state.get(NOTICES, {}).values())


def dismiss(key: str) -> None:
    """Take a message off the screen."""
    st.session_state.get(NOTICES, {}).pop(key, None)
