"""How far annotators agree, in words and tables; and what of it an annotator is not to see yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core import Agreement, PairAgreement, QueueState

__all__ = [
    "HIDDEN",
    "Disagreement",
    "alpha_verdict",
    "alpha_words",
    "blind",
    "disagreements",
    "kappa_words",
    "pair_of",
    "unseen",
]

HIDDEN: Final = "(hidden)"
RELIABLE, TENTATIVE = 0.8, 0.667  # Krippendorff (2004), Content Analysis, page 241


@dataclass(frozen=True)
class Disagreement:
    """An example that annotators do not call the same.

    Attributes
    ----------
    id : str
    said : tuple of (annotator, class name)
        In the order given.
    decided : str
        The label that holds; empty where there is none.
    """

    id: str
    said: tuple[tuple[str, str], ...]
    decided: str

    @property
    def words(self) -> str:
        """Such as ``neg: Ada, Bo · pos: Cy``."""
        by_label: dict[str, list[str]] = {}
        for name, label in self.said:
            by_label.setdefault(label, []).append(name)
        most_first = sorted(by_label.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        return " · ".join(f"{label}: {', '.join(names)}" for label, names in most_first)


def unseen(state: QueueState | None, annotator: str) -> set[str]:
    """Return the examples of which an annotator must not see what others said: they may be asked themselves."""
    examples = () if state is None else state.examples
    return {one.id for one in examples if one.label is None and one.wanted > 1 and annotator not in one.annotators}


def blind(log: pd.DataFrame, state: QueueState | None, annotator: str) -> pd.DataFrame:
    """Return an audit log without what others said of examples that the annotator may be asked about."""
    secret = log["id"].isin(unseen(state, annotator)) & (log["annotator"] != annotator) & log["label"].notna()
    return log.assign(label=log["label"].mask(secret, HIDDEN))


def disagreements(opinions: pd.DataFrame, hidden: set[str]) -> list[Disagreement]:
    """Return the examples with different opinions, those of most people first.

    Parameters
    ----------
    opinions : DataFrame
        As `Run.opinions` returns it.
    hidden : set of str
        Examples to leave out.
    """
    said: dict[str, list[tuple[str, str]]] = {}
    decided: dict[str, str] = {}
    columns = (opinions[name].tolist() for name in ("id", "annotator", "label", "decided"))
    for example_id, name, label, outcome in zip(*columns, strict=True):
        said.setdefault(example_id, []).append((name, label))
        decided[example_id] = outcome if isinstance(outcome, str) else ""
    found = [
        Disagreement(example_id, tuple(given), decided[example_id])
        for example_id, given in said.items()
        if example_id not in hidden and len({label for _, label in given}) > 1
    ]
    return sorted(found, key=lambda one: -len(one.said))


def alpha_verdict(alpha: float | None) -> str:
    """Return what an alpha allows, in few words."""
    if alpha is None:
        return "cannot be told"
    if alpha >= RELIABLE:
        return "reliable"
    if alpha >= TENTATIVE:
        return "tentative"
    return "unreliable" if alpha > 0 else "no better than chance"


def alpha_words(agreement: Agreement) -> str:
    """Return what Krippendorff's alpha says of the labels, in a sentence or two."""
    told = {
        "cannot be told": "Every opinion names one and the same class, so agreement cannot be told from chance.",
        "reliable": "Whoever labels, the labels come out much the same: they can be relied on.",
        "tentative": "The labels allow tentative conclusions; for more, sharpen the guideline where people differ.",
        "unreliable": "People differ too often for the labels to be relied on: talk about the examples below, and "
        "write down what was decided.",
        "no better than chance": "People agree no more often than chance would have them: the task or the guideline "
        "is not understood alike.",
    }
    few = " There are few examples as yet, so this may still change a lot." if agreement.n_examples < 30 else ""
    return told[alpha_verdict(agreement.alpha)] + few


def kappa_words(pair: PairAgreement) -> str:
    """Return one pair's agreement in a sentence."""
    kappa = "kappa cannot be told: both gave one class alone" if pair.kappa is None else f"kappa {pair.kappa:.2f}"
    examples = f"{pair.n:,} example{'' if pair.n == 1 else 's'}"
    return f"{pair.first} and {pair.second}: {kappa}, the same label on {pair.share_same:.0%} of {examples}"


def pair_of(pairs: Sequence[PairAgreement], one: str, other: str) -> PairAgreement | None:
    """Return what is known of two annotators; None where they have no example in common."""
    return next((pair for pair in pairs if {pair.first, pair.second} == {one, other}), None)
