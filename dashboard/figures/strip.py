"""The figures of a round in a strip: accuracy, groups, and the confidence of what was selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from alvin_core import RoundRecord

__all__ = ["MISSING_FIGURE", "StripValue", "round_strip_values"]

MISSING_FIGURE = "–"
MOST_OUTSIDE = 2  # splits out of distribution with a place of their own
OOD = "ood:"


class StripValue(NamedTuple):
    """One figure: as it is shown, what it is in two words, and one sentence on it."""

    value: str
    label: str
    help: str


def round_strip_values(record: RoundRecord) -> list[StripValue]:
    """Return a round's figures in the order of the strip; what is missing is a dash, with the reason as its help.

    Parameters
    ----------
    record : RoundRecord

    Returns
    -------
    list of StripValue
        Accuracy on the test split and on splits out of distribution, that of the worst group, sizes of the inferred
        groups, and the mean confidence of what was selected beside that of what entropy would have taken.
    """
    return [
        _test(record.metrics),
        *_outside(record.metrics),
        _worst(record.metrics),
        _groups(record.groups),
        _confidence(record),
    ]


def _test(metrics: Mapping[str, Any]) -> StripValue:
    found = metrics.get("test")
    if not found:
        return StripValue(MISSING_FIGURE, "test", "The data have no test split.")
    return StripValue(_number(found["accuracy"]), "test", f"Accuracy on {found['n']:,} test examples.")


def _outside(metrics: Mapping[str, Any]) -> list[StripValue]:
    found = {name: figures for name, figures in metrics.items() if name.startswith(OOD)}
    if not found:
        reason = "The data have no split out of distribution (a split named ood:…)."
        return [StripValue(MISSING_FIGURE, "out of distribution", reason)]
    if len(found) > MOST_OUTSIDE:
        worst = min(found, key=lambda name: found[name]["accuracy"])
        reason = f"Lowest accuracy of {len(found)} splits out of distribution: {worst.removeprefix(OOD)}."
        return [StripValue(_number(found[worst]["accuracy"]), f"lowest of {len(found)} OOD", reason)]
    return [
        StripValue(
            _number(figures["accuracy"]),
            f"{name.removeprefix(OOD)} (OOD)",
            f"Accuracy on {figures['n']:,} examples out of distribution, split {name}.",
        )
        for name, figures in found.items()
    ]


def _worst(metrics: Mapping[str, Any]) -> StripValue:
    known = {name: one for name, one in metrics.items() if one.get("worst_group_accuracy") is not None}
    if not known:
        reason = "Groups are class × attribute, and no split has an attribute column."
        return StripValue(MISSING_FIGURE, "worst group", reason)
    # The test split's, as it is reported in the literature; without one that of the worst split.
    split = "test" if "test" in known else min(known, key=lambda name: known[name]["worst_group_accuracy"])
    found = known[split]
    reason = f"Lowest accuracy of a group (class × attribute) on {split}: {found['worst_group']}."
    return StripValue(_number(found["worst_group_accuracy"]), "worst group", reason)


def _groups(groups: Mapping[str, Any]) -> StripValue:
    label = "minority / majority"
    if groups.get("n_minority") is None:
        return StripValue(MISSING_FIGURE, label, "No groups were inferred in this round.")
    reason = f"Labeled examples in the inferred groups, by the rule {groups.get('rule')!r}."
    if groups.get("filled_share"):
        reason += f" {groups['filled_share']:.0%} of the minority were filled up by low confidence."
    return StripValue(f"{groups['n_minority']:,} / {groups['n_majority']:,}", label, reason)


def _confidence(record: RoundRecord) -> StripValue:
    own = record.selection.get("mean_confidence")
    if own is None:
        return StripValue(MISSING_FIGURE, "mean confidence", "Nothing was selected in this round: the pool was empty.")
    name = "ALVIN" if record.strategy == "alvin" else record.strategy
    reason = f"Mean confidence of the model in the {record.selection['n']:,} examples that {name} selected"
    if record.strategy == "entropy":
        return StripValue(_number(own), "mean confidence, entropy", f"{reason}.")
    other = record.selection.get("uncertainty_mean_confidence")
    shown = MISSING_FIGURE if other is None else _number(other)
    beside = "was not computed in this round" if other is None else "beside it"
    return StripValue(
        f"{_number(own)} vs {shown}",
        f"mean confidence, {name} vs entropy",
        f"{reason}; that of uncertainty sampling (entropy) {beside}.",
    )


def _number(value: float) -> str:
    return f"{value:.2f}"
