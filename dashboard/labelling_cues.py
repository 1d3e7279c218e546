"""Whether an example that was just labeled follows the strongest shortcuts: counted aside, so that no key waits."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dashboard import data
from dashboard.cue_words import cue_name
from dashboard.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from alvin_core import Run

__all__ = ["OwnCue", "begin_counting", "in_words", "own_cues"]

MOST: Final = 3  # shortcuts that are told of one example

_aside = ThreadPoolExecutor(1, thread_name_prefix="label-cues")
_counted: Shelf[tuple[Path, str, int], Future[None]] = Shelf(8)
_found: Shelf[tuple[Path, str, int, str, str], tuple[OwnCue, ...]] = Shelf(256)


@dataclass(frozen=True)
class OwnCue:
    """A significant cue that an example holds.

    Attributes
    ----------
    cue : str
        Its key, such as ``token:great``.
    label : str
        The class that it goes with.
    z : float
    follows : bool
        Whether the example was given this class.
    """

    cue: str
    label: str
    z: float
    follows: bool


def begin_counting(run: Run, round_no: int) -> Future[None]:
    """Have a round's cues counted, once: the first look at a data set takes seconds, all later ones milliseconds."""

    def count() -> None:
        dataset = run.dataset
        run.example_cues(round_no, str(dataset.ids[0]), dataset.classes[0], 1)

    return _counted.get((data.store(), run.id, round_no), lambda: _aside.submit(count))


def own_cues(run: Run, round_no: int, example_id: str, label: str) -> tuple[OwnCue, ...] | None:
    """Return the strongest shortcuts of a round's labeled set that an example holds; None while they are counted.

    Parameters
    ----------
    run : Run
    round_no : int
    example_id, label : str
        The example, and the class that it was given.

    Raises
    ------
    AlvinError
        When the run is gone.
    """
    if not begin_counting(run, round_no).done():
        return None

    def ask() -> tuple[OwnCue, ...]:
        frame = run.example_cues(round_no, example_id, label, MOST)
        columns = (frame[name].tolist() for name in ("cue", "label", "z", "follows"))
        return tuple(OwnCue(cue, of, float(z), bool(follows)) for cue, of, z, follows in zip(*columns, strict=True))

    return _found.get((data.store(), run.id, round_no, example_id, label), ask)


def in_words(one: OwnCue) -> tuple[str, str]:
    """Return what an example does about a cue, and the cue: ``contradicts``, ``“horror” → negative (z 7.2)``."""
    return "follows" if one.follows else "contradicts", f"{cue_name(one.cue)} → {one.label} (z {one.z:.1f})"
