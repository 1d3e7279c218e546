"""Measures and figures in words that a reader of the field knows."""

from __future__ import annotations

__all__ = ["TESTED", "counted", "figure_words", "kind_of", "measure_words", "split_of"]

TESTED = ("accuracy", "worst_group")  # macro-F1 only describes: a smaller family leaves more power to the others

_KINDS = {"accuracy": "accuracy", "macro_f1": "macro-F1", "worst_group": "worst-group accuracy"}
_FIGURES = {
    "mean_confidence": "mean confidence of the selected",
    "uncertainty_mean_confidence": "mean confidence of what entropy would select there",
    "mean_entropy": "mean entropy of the selected, in nats",
    "diversity": "mean distance of the selected to the nearest labeled example",
    "overlap_entropy": "overlap with what entropy would select there",
    "candidate_share": "candidates, as a share of the pool",
    "against": "selected whose attribute is not the usual one of their class",
}
_SHARES = {"group_share": "share of the selected in the group", "class_share": "share of the selected in the class"}


def kind_of(measure: str) -> str:
    """Return a measure's kind: ``accuracy``, ``macro_f1`` or ``worst_group``."""
    return measure.partition(":")[0]


def split_of(measure: str) -> str:
    """Return the split that a measure is of, such as ``ood:balanced``."""
    return measure.partition(":")[2]


def measure_words(measure: str) -> str:
    """Return a measure in words: ``worst_group:ood:balanced`` is ``worst-group accuracy on ood:balanced``."""
    return f"{_KINDS[kind_of(measure)]} on {split_of(measure)}"


def figure_words(figure: str) -> str:
    """Return a figure of a selection in words: ``mean_confidence`` is ``mean confidence of the selected``."""
    prefix, _, part = figure.partition(":")
    return f"{_SHARES[prefix]} {part}" if prefix in _SHARES else _FIGURES[figure]


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 round``, ``3,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
