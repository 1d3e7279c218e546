"""What is compared: a stored comparison's arms with one seed, or any runs on the same data. The address holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import streamlit as st

from alvin_core import AlvinError, open_comparison
from dashboard import comparing, data
from dashboard.comparing import LETTERS, Side
from dashboard.state import Place
from dashboard.views.holding import hold

if TYPE_CHECKING:
    from alvin_core import CellState, Comparison, RunInfo

__all__ = [
    "AT",
    "COMPARISON",
    "LETTERS_AND_MORE",
    "PLACES",
    "RUNS",
    "Choice",
    "read_choice",
    "render_choice",
    "set_param",
]

COMPARISON, SEED, AT, PLACES = "comparison", "seed", "at", "places"  # query parameters; and one for each letter
RUNS: Final = "runs"  # instead of a comparison's name: single runs
NOBODY: Final = "–"
LETTERS_AND_MORE: Final = (SEED, AT, *LETTERS)  # what one comparison's address says, and the next does not know


@dataclass(frozen=True)
class Choice:
    """What the address asks to compare, as far as the store has it.

    Attributes
    ----------
    comparison : Comparison or None
        None: single runs.
    states : tuple of CellState
        Of the comparison.
    seed : int or None
    options : tuple of (name, words)
        What each side can be: arms, or runs.
    sides : tuple of Side
        Two to four, or fewer where there are no more.
    round_no : int
        Of all sides; -1 where they have none in common.
    newest : int
        The last round that all sides have.
    problems : tuple of str
        What the address asks for and the store does not have.
    waiting : str
        The name of a comparison that the worker is about to make.
    """

    comparison: Comparison | None
    states: tuple[CellState, ...]
    seed: int | None
    options: tuple[tuple[str, str], ...]
    sides: tuple[Side, ...]
    round_no: int
    newest: int
    problems: tuple[str, ...] = field(default=())
    waiting: str = ""

    @property
    def begun(self) -> tuple[Side, ...]:
        """Sides with a finished round."""
        return tuple(side for side in self.sides if side.n_rounds)

    @property
    def run_ids(self) -> tuple[str, ...]:
        return tuple(side.run_id for side in self.sides)

    @property
    def is_ready(self) -> bool:
        """Whether there is a round of two or more sides to show."""
        return len(self.sides) > 1 and self.round_no >= 0


def set_param(name: str, value: str) -> None:
    """Set one of the page's own query parameters; an empty text takes it out."""
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def read_choice(place: Place) -> Choice:
    """Read the address; what it does not say is chosen so that there is something to see."""
    alike = comparing.like_runs(place.run_id) if place.run_id else []
    named, problems = st.query_params.get(COMPARISON, ""), []
    comparison: Comparison | None = None
    if named and named != RUNS:
        try:
            comparison = open_comparison(data.store(), named)
        except AlvinError as error:
            if any(job.params.get("name") == named for job in comparing.active_comparisons()):
                return Choice(None, (), None, (), (), -1, -1, waiting=named)
            problems.append(str(error))
    elif not named:
        comparison = comparing.newest_on({info.id for info in alike})
    if comparison is not None:
        return _of_comparison(comparison, problems)
    return _of_runs(place, alike, problems)


def _of_comparison(comparison: Comparison, problems: list[str]) -> Choice:
    states, plan = comparison.states(), comparison.plan
    arms = [arm.name for arm in plan.arms]
    asked = st.query_params.get(SEED, "")
    seed = int(asked) if asked.isdecimal() and int(asked) in plan.seeds else _fullest_seed(states, plan.seeds)
    if asked and asked != str(seed):
        problems.append(f"{comparison.name} has no seed {asked}; its seeds are {', '.join(map(str, plan.seeds))}.")
    state_of = {state.cell.arm: state for state in states if state.cell.seed == seed}
    names = _asked(arms, _usual_arms(arms), problems, f"an arm of {comparison.name}")
    sides = tuple(
        Side(letter, name, state_of[name].run or "", min(state_of[name].n_rounds, plan.rounds + 1))
        for letter, name in names.items()
    )
    return _choice(comparison, states, seed, tuple((arm, arm) for arm in arms), sides, problems)


def _fullest_seed(states: tuple[CellState, ...], seeds: tuple[int, ...]) -> int:
    """The seed whose cells have the most rounds, the first of these."""
    rounds = {seed: sum(state.n_rounds for state in states if state.cell.seed == seed) for seed in seeds}
    return max(seeds, key=lambda seed: (rounds[seed], -seeds.index(seed)))


def _usual_arms(arms: list[str]) -> list[str]:
    """ALVIN first, then what it is usually held against."""
    order = ["alvin", "entropy", "random"]
    return sorted(arms, key=lambda arm: order.index(arm) if arm in order else len(order))


def _of_runs(place: Place, alike: list[RunInfo], problems: list[str]) -> Choice:
    infos = {info.name: info for info in alike}
    foreign = {}
    for letter in LETTERS:  # a run on other data is not hidden: the page says why it cannot be compared
        name = st.query_params.get(letter, "")
        if name and name not in infos:
            try:
                foreign[name] = data.opened(name)
            except AlvinError:
                continue
    usual = _usual_runs(place, alike)
    names = _asked([*infos, *foreign], usual, problems, "a run on these data with a finished round")
    sides = tuple(
        Side(letter, name, infos[name].id, infos[name].n_rounds)
        if name in infos
        else Side(letter, name, foreign[name].id, foreign[name].n_rounds)
        for letter, name in names.items()
    )
    options = [(info.name, _describe(info)) for info in infos.values()]
    options += [(name, f"{name} — other data") for name in foreign]
    return _choice(None, (), None, tuple(options), sides, problems)


def _usual_runs(place: Place, alike: list[RunInfo]) -> list[str]:
    """The open run, then those of other strategies, then all others."""
    own = next((info for info in alike if info.id == place.run_id), None)
    strategy = "" if own is None else own.strategy
    rest = [info for info in alike if info is not own]
    ordered = sorted(rest, key=lambda info: info.strategy == strategy)
    return [info.name for info in ([] if own is None else [own]) + ordered]


def _describe(info: RunInfo) -> str:
    return f"{info.name} — {info.strategy}"  # and no more: these words must stay while the run grows


def _asked(names: list[str], usual: list[str], problems: list[str], what: str) -> dict[str, str]:
    """Return letter -> name: what the address asks for, each once; the first two letters are always taken."""
    found: dict[str, str] = {}
    for letter in LETTERS:
        asked = st.query_params.get(letter, "")
        if asked and asked not in names:
            problems.append(f"{asked} is not {what}.")
        elif asked and asked not in found.values():
            found[letter] = asked
    for letter in LETTERS[:2]:
        if letter not in found:
            free = [name for name in usual if name not in found.values()]
            if free:
                found[letter] = free[0]
    return {letter: found[letter] for letter in LETTERS if letter in found}


def _choice(
    comparison: Comparison | None,
    states: tuple[CellState, ...],
    seed: int | None,
    options: tuple[tuple[str, str], ...],
    sides: tuple[Side, ...],
    problems: list[str],
) -> Choice:
    newest = min((side.n_rounds for side in sides), default=0) - 1
    asked = st.query_params.get(AT, "")
    round_no = min(int(asked), newest) if asked.isdecimal() and len(asked) < 10 else newest
    return Choice(comparison, states, seed, options, sides, round_no, newest, tuple(problems))


def render_choice(choice: Choice) -> None:
    """Draw the boxes in which it is chosen."""
    with st.container(key="compare_choice", horizontal=True, vertical_alignment="bottom", gap="small"):
        _source_box(choice)
        if choice.waiting:
            return
        if choice.comparison is not None:
            _seed_box(choice)
        for letter in LETTERS:
            if letter in LETTERS[:2] or len(choice.options) > 2:
                _side_box(choice, letter)


def _source_box(choice: Choice) -> None:
    shown = choice.waiting or (RUNS if choice.comparison is None else choice.comparison.name)
    names = [info.name for info in comparing.comparisons()]
    hold("compare_source", shown)
    st.selectbox(
        "Compare",
        list(dict.fromkeys([*([choice.waiting] if choice.waiting else []), *names, RUNS])),
        key="compare_source",
        # Streamlit knows an option by its words: they must stay while a comparison grows.
        format_func=lambda name: "single runs on these data" if name == RUNS else name,
        on_change=_source_changed,
        width=250,
        help="A stored comparison has the same start for every strategy and several seeds: only it has a verdict.",
    )


def _source_changed() -> None:
    set_param(COMPARISON, st.session_state["compare_source"])
    for name in LETTERS_AND_MORE:
        set_param(name, "")


def _seed_box(choice: Choice) -> None:
    assert choice.comparison is not None
    hold("compare_seed", choice.seed)
    st.selectbox(
        "Seed",
        list(choice.comparison.plan.seeds),
        key="compare_seed",
        on_change=lambda: set_param(SEED, str(st.session_state["compare_seed"])),
        width=80,
        help="The maps show one seed: all its strategies begin with the same labels. Verdict and curves are of all.",
    )


def _side_box(choice: Choice, letter: str) -> None:
    words = dict(choice.options)
    taken = {side.letter: side.label for side in choice.sides}
    others = {name for other, name in taken.items() if other != letter}
    free = [name for name in words if name not in others]
    if letter not in LETTERS[:2]:
        free = [NOBODY, *free]
    key = f"strategy_{letter}"
    hold(key, taken.get(letter, NOBODY if NOBODY in free else None))
    st.selectbox(
        letter.upper(),
        free,
        key=key,
        format_func=lambda name: words.get(name, name),
        on_change=lambda: _side_changed(letter),
        disabled=not free,
        placeholder="nothing more to choose",
        width="stretch",
    )


def _side_changed(letter: str) -> None:
    chosen = st.session_state[f"strategy_{letter}"]
    set_param(letter, "" if chosen in (NOBODY, None) else chosen)
