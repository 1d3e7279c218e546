"""The arms of the study: a way to select, with the group rule and the training it is used with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alvin_study_heads import Contrast, Disagreement
from alvin_study_selecting import Alvin, Select, entropy, random

from alvin_core.settings import AlvinSettings, GroupSettings, TrainingSettings


@dataclass(frozen=True)
class Arm:
    select: Select
    groups: GroupSettings = field(default_factory=GroupSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)


def _few(**changed: object) -> AlvinSettings:
    """At most 50 pairs of each class, 1,500 anchors instead of some 26,000: no measurable difference, and faster."""
    return AlvinSettings(**{"max_pairs": 50, **changed})  # type: ignore[arg-type]


KNOWN = GroupSettings(rule="known")

# ALVIN with all pairs, and with few; every further arm changes one thing of the latter, or names all that it changes.
ALVIN: Mapping[str, Arm] = {
    "alvin": Arm(Alvin()),
    "few": Arm(Alvin(_few())),
    "few rule=known": Arm(Alvin(_few()), KNOWN),
    "few rule=confidence": Arm(Alvin(_few()), GroupSettings(rule="confidence")),
    "few rule=variability": Arm(Alvin(_few()), GroupSettings(rule="variability")),
    "few alpha=0.5": Arm(Alvin(_few(alpha=0.5))),
    "few alpha=8": Arm(Alvin(_few(alpha=8.0))),
    "few beta=8,2": Arm(Alvin(_few(alpha=8.0), beta=2.0)),
    "few k=1": Arm(Alvin(_few(k=1))),
    "few k=3": Arm(Alvin(_few(k=3))),
    "few n_anchors=1": Arm(Alvin(_few(n_anchors=1))),
    "few quantile=0.1 rule=confidence": Arm(Alvin(_few()), GroupSettings(rule="confidence", quantile=0.1)),
    "few rank=certainty": Arm(Alvin(_few(rank="certainty"))),
    "few rank=distance": Arm(Alvin(_few(rank="distance"))),
    "few rank=frequency": Arm(Alvin(_few(rank="frequency"))),
    "few rank=random": Arm(Alvin(_few(rank="random"))),
    "few minority-minority": Arm(Alvin(_few(pairing="minority-minority"))),
    "few no-interpolation": Arm(Alvin(AlvinSettings(pairing="no-interpolation"))),
    "few across-classes": Arm(Alvin(_few(pairing="across-classes"))),
    "few space=encoder": Arm(Alvin(_few(), space="encoder")),
    "few l2": Arm(Alvin(_few(), scaling="l2")),
    "few std": Arm(Alvin(_few(), scaling="std")),
    "few contradicted": Arm(Alvin(_few(), contradicted=True)),
    "few spread": Arm(Alvin(_few(), spread=True)),
    "few encoder contradicted": Arm(Alvin(_few(), space="encoder", contradicted=True)),
    "few encoder spread": Arm(Alvin(_few(), space="encoder", spread=True)),
    "few encoder contradicted certainty beta=8,2": Arm(
        Alvin(_few(alpha=8.0, rank="certainty"), space="encoder", beta=2.0, contradicted=True)
    ),
}

OURS: Mapping[str, Arm] = {
    "disagreement": Arm(Disagreement()),
    "disagreement labeled": Arm(Disagreement("labeled")),
    "disagreement anchors": Arm(Disagreement("anchors")),
    "disagreement rule=known": Arm(Disagreement(), KNOWN),
    "disagreement space=model": Arm(Disagreement(space="model")),
    "disagreement decay=0.1": Arm(Disagreement(decay=0.1)),
    "disagreement js": Arm(Disagreement(score="js")),
    "disagreement entropy": Arm(Disagreement(score="entropy")),
    "disagreement anchors js": Arm(Disagreement("anchors", "js")),
    "disagreement anchors entropy": Arm(Disagreement("anchors", "entropy")),
    "disagreement anchors beta=8,2": Arm(Disagreement("anchors", alpha=8.0, beta=2.0)),
    "disagreement anchors among=8": Arm(Disagreement("anchors", among=8)),
    "contrast": Arm(Contrast()),
}

PLAIN: Mapping[str, Arm] = {"entropy": Arm(entropy), "random": Arm(random)}

TRAININGS: Mapping[str, TrainingSettings] = {
    "40 epochs": TrainingSettings(epochs=40),
    "rate 1e-3": TrainingSettings(head_learning_rate=1e-3),
}

_SELECTING = {**PLAIN, **ALVIN, **OURS}
TRAINED: Mapping[str, Arm] = {
    f"{name}, {words}": Arm(_SELECTING[name].select, training=training)
    for words, training in TRAININGS.items()
    for name in ("entropy", "random", "alvin", "disagreement")
}

ARMS: Mapping[str, Arm] = {**_SELECTING, **TRAINED}


def untrained(name: str) -> str:
    """Return the name of the arm with the same selection and the default training."""
    return name.split(", ")[0]


def needs_attributes(arm: Arm) -> bool:
    return arm.groups.rule == "known"
