"""Word overlap of two texts, the shortcut of the two pair tasks, as a number and as a name."""

from __future__ import annotations

from alvin_core.data.grammars.drawing import words_of

__all__ = ["HIGH", "HIGH_OVERLAP", "LOW", "LOW_OVERLAP", "jaccard", "overlap_name", "share_in_premise"]

HIGH, LOW = 0.6, 0.45  # no text in between is written, so that the attribute is never a matter of one word
HIGH_OVERLAP, LOW_OVERLAP = "high-overlap", "low-overlap"


def share_in_premise(premise: str, hypothesis: str) -> float:
    """Return the share of the hypothesis' distinct words that the premise holds, in [0, 1].

    Notes
    -----
    At 1, the "lexical overlap" of HANS (McCoy et al. 2019).
    """
    hypothesis_words = set(words_of(hypothesis))
    return len(hypothesis_words & set(words_of(premise))) / len(hypothesis_words)


def jaccard(first: str, second: str) -> float:
    """Return the share of both texts' distinct words that they have in common, in [0, 1]."""
    words, others = set(words_of(first)), set(words_of(second))
    return len(words & others) / len(words | others)


def overlap_name(overlap: float) -> str | None:
    """Return the attribute of an overlap; None between the two limits."""
    if overlap >= HIGH:
        return HIGH_OVERLAP
    return LOW_OVERLAP if overlap <= LOW else None
