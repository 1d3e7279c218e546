"""Predict, then reveal: questions about a world's rounds, whose answers are read off what the rounds did.

Nothing here needs torch: questions are made of a world's answer as `alvin_core.classroom.answer` gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alvin_core.classroom.question import Question, count_choices, percent_choices, point_choices
from alvin_core.classroom.settings import STAGES
from alvin_core.data.grammars.drawing import Draw

__all__ = ["SAME_ACCURACY", "SAME_CONFIDENCE", "WHAT_IF", "make_questions", "shortcut_share"]

WHAT_IF = 0.99  # the shortcut strength that a question about the boundary asks for
SAME_ACCURACY = 0.01  # gains that differ by less than a point count as the same [ours]
SAME_CONFIDENCE = 0.01
NAMES = {"alvin": "ALVIN", "entropy": "uncertainty sampling"}


def make_questions(
    world: Mapping[str, Any], *, round_no: int | None = None, what_if: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Make questions to be answered before a stage is shown.

    Parameters
    ----------
    world : mapping
        As `alvin_core.classroom.answer` returns it.
    round_no : int, optional
        Ask about this round alone; None asks about all that are there.
    what_if : mapping, optional
        The same world at shortcut strength `WHAT_IF`, with the first strategy's round 0; without it there is no
        question about that strength.

    Returns
    -------
    list of dict
        In order of rounds and stages: ``id``; ``kind`` (``balanced``, ``boundary``, ``minority``, ``contradict``,
        ``candidate``, ``selected``, ``confidence``, ``gain`` or ``found``); ``stage`` (of `settings.STAGES`, the one
        that reveals the answer); ``round``; ``strategy``; ``question``; ``choices``; ``answer`` (a position in these);
        ``why`` (a sentence with the numbers); ``rows`` (the points concerned, in the order of the choices where these
        are points). The same world has the same questions. What cannot be asked of a round is left out.
    """
    runs = world["runs"]
    n_rounds = min((len(rounds) for rounds in runs.values()), default=0)
    wanted = range(n_rounds) if round_no is None else range(round_no, min(round_no + 1, n_rounds))
    questions = []
    for number in wanted:
        turn = _Turn(world, number)
        found = [*_of_both(turn), *(one for strategy in runs for one in _of_strategy(turn, strategy))]
        if what_if is not None and number == 0:
            found += _boundary(turn, what_if)
        questions += sorted(found, key=lambda one: STAGES.index(one.stage))
    return [one.to_dict() for one in questions]


@dataclass(frozen=True)
class _Turn:
    """One round of a world."""

    world: Mapping[str, Any]
    number: int

    def of(self, strategy: str) -> Mapping[str, Any]:
        return dict(self.world["runs"][strategy][self.number])

    def draw(self, kind: str, strategy: str) -> Draw:
        """Return a stream of its own for each question."""
        return Draw(f"{self.world['settings']['seed']}:quiz:{self.number}:{strategy}:{kind}")

    def places(self, rows: Sequence[int]) -> list[list[float]]:
        return [self.world["points"]["xy"][row] for row in rows]

    def contradicting(self, rows: Sequence[int]) -> list[int]:
        return [row for row in rows if not self.world["points"]["follows"][row]]

    def unlabeled(self, strategy: str) -> list[int]:
        labeled = set(self.of(strategy)["labeled"])
        return [
            row for row, split in enumerate(self.world["points"]["split"]) if split == "pool" and row not in labeled
        ]

    def ask(
        self, kind: str, strategy: str, stage: str, question: str, choices: Sequence[str], answer: int, why: str,
        rows: Sequence[int] = (),
    ) -> Question:  # fmt: skip
        id_ = f"{kind}-{strategy}-{self.number}"
        return Question(
            id_, kind, stage, self.number, strategy, question, tuple(choices), answer, why, tuple(map(int, rows))
        )


def _of_strategy(turn: _Turn, strategy: str) -> Iterator[Question]:
    if turn.number == 0 and strategy != next(iter(turn.world["runs"])):
        yield from _selected(turn, strategy)  # round 0 has one model for all, so the rest is the same
        return
    yield from _balanced(turn, strategy)
    if turn.of(strategy)["anchors"]:
        yield from _minority(turn, strategy)
        yield from _contradict(turn, strategy)
        yield from _candidate(turn, strategy)
    yield from _selected(turn, strategy)
    yield from _found(turn, strategy)


def _of_both(turn: _Turn) -> Iterator[Question]:
    """What compares ALVIN with uncertainty sampling."""
    if not {"alvin", "entropy"} <= set(turn.world["runs"]):
        return
    if turn.number == 0:
        yield from _confidence(turn)
    yield from _gain(turn)


def _balanced(turn: _Turn, strategy: str) -> Iterator[Question]:
    metrics = turn.of(strategy)["metrics"]
    true = round(100 * metrics["balanced_accuracy"])
    choices, answer = percent_choices(turn.draw("balanced", strategy), true)
    question = (
        f"The model is right on {metrics['accuracy']:.0%} of test points that are like the pool's. On how many is it "
        "right where the shortcut says nothing?"
    )
    why = (
        f"{metrics['balanced_accuracy']:.1%} of the balanced test points are right, and of its worst group, "
        f"{metrics['worst_group_name']}, {metrics['worst_group']:.1%}."
    )
    yield turn.ask("balanced", strategy, "train", question, choices, answer, why)


def _boundary(turn: _Turn, what_if: Mapping[str, Any]) -> Iterator[Question]:
    strategy = next(iter(turn.world["runs"]))
    now, then = turn.of(strategy), what_if["runs"][strategy][0]
    strength = turn.world["settings"]["strength"]
    if strength == what_if["settings"]["strength"]:
        return
    shares = [shortcut_share(turn.world["bounds"], one["boundary"]) for one in (now, then)]
    choices, answer = percent_choices(turn.draw("boundary", strategy), round(100 * shares[1]))
    question = (
        f"In {shares[0]:.0%} of the plane the model's answer is just the shortcut's side. With shortcut strength "
        f"{what_if['settings']['strength']:g} instead of {strength:g} it would be in …"
    )
    n_now = len(turn.contradicting(now["labeled"]))
    n_then = sum(not what_if["points"]["follows"][row] for row in then["labeled"])
    accuracies = [one["metrics"]["balanced_accuracy"] for one in (now, then)]
    why = (
        f"It would be in {shares[1]:.1%}: then {n_then} of the {len(then['labeled'])} labeled points contradict the "
        f"shortcut, now {n_now}. Accuracy on balanced data would be {accuracies[1]:.1%} instead of {accuracies[0]:.1%}."
    )
    yield turn.ask("boundary", strategy, "train", question, choices, answer, why)


def _minority(turn: _Turn, strategy: str) -> Iterator[Question]:
    one, draw = turn.of(strategy), turn.draw("minority", strategy)
    found = [row for row in one["minority"] if row not in one["filled"]] or one["minority"]
    majority = [row for row in one["labeled"] if row not in one["minority"]]
    if not found or len(majority) < 3:
        return
    right = draw.one(found)
    rows, choices, answer = point_choices(draw, right, draw.some(majority, 3), turn.places)
    histories = dict(zip(one["labeled"], one["dynamics"]["gold_prob"], strict=True))
    means = {row: float(np.mean(histories[row])) for row in rows}
    others = ", ".join(f"{means[row]:.2f}" for row in rows if row != right)
    history = one["dynamics"]["correct"][one["labeled"].index(right)]
    by = "Filled up, because the rule found too few" if right in one["filled"] else "Found by the rule"
    why = (
        f"{choices[answer][0]}. {by} ({turn.world['settings']['rule']}): it was {_told(history)}; its mean probability "
        f"of the right class is {means[right]:.2f}, the others' {others}."
    )
    question = "Which of these labeled points will be inferred to be minority examples of their class?"
    yield turn.ask("minority", strategy, "groups", question, choices, answer, why, rows)


def _contradict(turn: _Turn, strategy: str) -> Iterator[Question]:
    minority = turn.of(strategy)["minority"]
    true = turn.contradicting(minority)
    choices, answer = count_choices(turn.draw("contradict", strategy), len(true), len(minority))
    question = f"Of the {len(minority)} points inferred as minority, how many truly contradict the shortcut?"
    n_all = len(turn.contradicting(turn.of(strategy)["labeled"]))
    why = f"{len(true)} of {len(minority)} contradict it; in the whole labeled set {n_all} do."
    yield turn.ask("contradict", strategy, "groups", question, choices, answer, why, minority)


def _candidate(turn: _Turn, strategy: str) -> Iterator[Question]:
    one, draw = turn.of(strategy), turn.draw("candidate", strategy)
    candidates = set(one["candidates"])
    outside = [row for row in turn.unlabeled(strategy) if row not in candidates]
    if not candidates or len(outside) < 3:
        return
    right = draw.one(one["candidates"])
    rows, choices, answer = point_choices(draw, right, draw.some(outside, 3), turn.places)
    why = (
        f"{choices[answer][0]} is among the {one['k']} nearest of at least one of the {one['n_anchors']} anchors, the "
        f"others of none; {len(candidates)} of {len(candidates) + len(outside)} unlabeled points are."
    )
    question = "Which of these unlabeled points will an anchor retrieve?"
    yield turn.ask("candidate", strategy, "retrieve", question, choices, answer, why, rows)


def _selected(turn: _Turn, strategy: str) -> Iterator[Question]:
    one, draw = turn.of(strategy), turn.draw("selected", strategy)
    chosen, name = set(one["selected"]), NAMES.get(strategy, strategy)
    # One that was ranked but not taken makes the question harder; below the middle, so that it is no matter of luck.
    ranked = [row for row in one["ranking"][len(one["ranking"]) // 2 :] if row not in chosen]
    outside = [row for row in turn.unlabeled(strategy) if row not in set(one["ranking"])] or ranked
    wrong = draw.some(ranked, min(1, len(ranked)))
    others = [row for row in outside if row not in wrong]
    if not chosen or len(others) < 3 - len(wrong):
        return
    right = draw.one(one["selected"])
    wrong += draw.some(others, 3 - len(wrong))
    rows, choices, answer = point_choices(draw, right, wrong, turn.places)
    place = {row: number for number, row in enumerate(one["ranking"], start=1)}
    told = [
        f"{choice[0]} is number {place[row]}" if row in place else f"{choice[0]} was not retrieved"
        for row, choice in zip(rows, choices, strict=True)
    ]
    why = f"Of {len(place)} that were ranked the first {len(chosen)} are selected: {', '.join(told)}."
    question = f"Which of these unlabeled points will {name} select?"
    yield turn.ask("selected", strategy, "rank", question, choices, answer, why, rows)


def _confidence(turn: _Turn) -> Iterator[Question]:
    alvin, entropy = (turn.of(name)["confidence"] for name in ("alvin", "entropy"))
    if alvin is None or entropy is None:
        return
    same = abs(alvin - entropy) < SAME_CONFIDENCE
    answer = 2 if same else 0 if alvin > entropy else 1
    question = "Both select from the same model now. Of whose points will the model be more certain?"
    choices = ("Those that ALVIN selects", "Those that uncertainty sampling selects", "No difference")
    why = f"Its mean confidence is {alvin:.2f} for ALVIN's and {entropy:.2f} for uncertainty sampling's."
    rows = [*turn.of("alvin")["selected"], *turn.of("entropy")["selected"]]
    yield turn.ask("confidence", "alvin", "rank", question, choices, answer, why, rows)


def _gain(turn: _Turn) -> Iterator[Question]:
    runs, number = turn.world["runs"], turn.number
    if min(len(runs["alvin"]), len(runs["entropy"])) <= number + 1:
        return
    before = {name: runs[name][number]["metrics"]["balanced_accuracy"] for name in ("alvin", "entropy")}
    after = {name: runs[name][number + 1]["metrics"]["balanced_accuracy"] for name in before}
    gains = {name: after[name] - before[name] for name in before}
    gap = round(gains["alvin"] - gains["entropy"], 6)  # of shares of whole points: a point is not a hair less than one
    answer = 2 if abs(gap) < SAME_ACCURACY else 0 if gap > 0 else 1
    question = "When these labels are added and the model is trained anew, whose accuracy on balanced data gains more?"
    choices = ("ALVIN's", "Uncertainty sampling's", "Both gain the same, to a point")
    told = [
        f"with {NAMES[name]} it goes from {before[name]:.1%} to {after[name]:.1%} ({100 * gains[name]:+.1f} points)"
        for name in before
    ]
    why = f"{'; '.join(told)}.".replace("with", "With", 1)
    rows = [*turn.of("alvin")["selected"], *turn.of("entropy")["selected"]]
    yield turn.ask("gain", "alvin", "annotate", question, choices, answer, why, rows)


def _found(turn: _Turn, strategy: str) -> Iterator[Question]:
    selected, name = turn.of(strategy)["selected"], NAMES.get(strategy, strategy)
    if not selected:
        return
    true, unlabeled = turn.contradicting(selected), turn.unlabeled(strategy)
    choices, answer = count_choices(turn.draw("found", strategy), len(true), len(selected))
    question = f"Of the {len(selected)} points that {name} selected, how many contradict the shortcut?"
    share = len(turn.contradicting(unlabeled)) / len(unlabeled)
    why = f"{len(true)} of {len(selected)} do; of all unlabeled points {share:.0%} do."
    yield turn.ask("found", strategy, "annotate", question, choices, answer, why, selected)


def shortcut_share(bounds: Sequence[float], boundary: Mapping[str, Any]) -> float:
    """Share of the window in which a model says the class that the shortcut's side goes with.

    Parameters
    ----------
    bounds : sequence of float
        Left, right, bottom and top.
    boundary : mapping
        ``grid`` and ``prob``, of a round.
    """
    n = int(boundary["grid"])
    says_second = np.asarray(boundary["prob"], dtype=np.float64).reshape(n, n) > 0.5
    is_right = np.linspace(bounds[0], bounds[1], n) > 0
    return float((says_second == is_right).mean())


def _told(history: str) -> str:
    """Say how often an example was right, of a history such as "00110111"."""
    n_lost = history.count("10")
    lost = f" and forgotten {n_lost} time{'s' if n_lost > 1 else ''}" if n_lost else ""
    return f"right after {history.count('1')} of {len(history)} epochs{lost}"
