"""One question, and choices that give nothing away: by order, by number, or by where the truth stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from alvin_core.data.grammars.drawing import Draw

__all__ = ["Question", "count_choices", "percent_choices", "point_choices"]

LETTERS = "ABCD"
STEP = 10  # points between two choices
N_CHOICES = 4


@dataclass(frozen=True)
class Question:
    """What is asked, and what is right: see `alvin_core.classroom.quiz.make_questions`."""

    id: str
    kind: str
    stage: str
    round: int
    strategy: str
    question: str
    choices: tuple[str, ...]
    answer: int
    why: str
    rows: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {**asdict(self), "choices": list(self.choices), "rows": list(self.rows)}


def percent_choices(draw: Draw, true: int) -> tuple[list[str], int]:
    """Return four percentages in ascending order, ten apart, and where the true one stands among them."""
    fitting = [
        place for place in range(N_CHOICES) if true - place * STEP >= 0 and true + (N_CHOICES - 1 - place) * STEP <= 100
    ]
    answer = draw.one(fitting)
    return [f"{true + (place - answer) * STEP}%" for place in range(N_CHOICES)], answer


def count_choices(draw: Draw, true: int, most: int) -> tuple[list[str], int]:
    """Return up to four different counts from 0 to ``most`` in ascending order, and where the true one stands."""
    others = [count for count in range(most + 1) if count != true]
    counts = sorted([true, *draw.some(others, min(N_CHOICES - 1, len(others)))])
    return [str(count) for count in counts], counts.index(true)


def point_choices(
    draw: Draw, right: int, wrong: Sequence[int], places: Callable[[Sequence[int]], list[list[float]]]
) -> tuple[list[int], list[str], int]:
    """Return rows in random order, each with a letter and its place in words, and where the right one stands."""
    rows = draw.shuffled([right, *wrong])
    named = zip(LETTERS, places(rows), strict=False)
    return rows, [f"{letter} at ({x:.2f}, {y:.2f})" for letter, (x, y) in named], rows.index(right)
