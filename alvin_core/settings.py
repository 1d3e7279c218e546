"""Every setting of a run and its default, with the reason for it. A strategy's own stand in `strategy_settings`.

Settings marked [paper] follow Korakakis et al. (2024), [field] are usual in the field, [ours] are choices of
this project: named, so that a reader with the paper in hand can set them. What a person should know of a setting,
and the limits of its value, stand in its annotation; checks, forms and the command line read them there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from alvin_core.annotation_settings import AnnotationSettings
from alvin_core.errors import SettingsError
from alvin_core.setting_limits import About, check_limits
from alvin_core.shown import shown
from alvin_core.strategy_settings import (
    AlfaMixSettings,
    AlvinSettings,
    AnchoralSettings,
    Backend,
    BaldSettings,
    CalSettings,
    CounterShortcutSettings,
    Pairing,
    Rank,
    TypiclustSettings,
)
from alvin_core.tables import from_table, to_table, to_toml
from alvin_core.toml_text import parse_toml, read_toml

__all__ = [
    "AlfaMixSettings",
    "AlvinSettings",
    "AnchoralSettings",
    "AnnotationSettings",
    "Backend",
    "BaldSettings",
    "CalSettings",
    "CounterShortcutSettings",
    "EncoderSettings",
    "GroupRule",
    "GroupSettings",
    "Pairing",
    "Rank",
    "RunSettings",
    "RuntimeSettings",
    "TrainingSettings",
    "TypiclustSettings",
    "default_store",
]

GroupRule = Literal["forgetting", "confidence", "variability", "known"]
Depth = int | Literal["all"]

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


def default_store() -> Path:
    """Return the folder where runs live unless one is named: ``$ALVIN_STORE``, else ``./alvin-store``."""
    return Path(os.environ.get("ALVIN_STORE") or "alvin-store")  # set to nothing is as good as not set


@dataclass(frozen=True)
class EncoderSettings:
    """Which pre-trained encoder reads the texts, and how."""

    name: Annotated[
        str,
        About(
            "The pre-trained encoder that reads the texts: a name that AutoModel takes, or a local folder.",
            words="the name or folder of an encoder",
            filled=True,
        ),
    ] = DEFAULT_ENCODER
    revision: Annotated[str | None, About("The encoder's revision; empty takes the newest.", filled=True)] = None
    pooling: Annotated[
        Literal["mean", "cls"], About("How the vectors of a text's tokens become one: their mean, or the first's.")
    ] = "mean"  # mean is what MiniLM was trained with
    max_length: Annotated[
        int,
        About("Tokens read of each example; longer texts are cut, with a warning.", least=8, most=8192, unit="tokens"),
    ] = 256  # MiniLM's own limit
    pair_encoding: Annotated[
        Literal["auto", "joint", "separate"],
        About("How two texts are read: as one sequence, or each by itself; auto goes by what is trained."),
    ] = "auto"
    # "joint" reads a pair as one sequence, "separate" reads u and v and joins u, v, |u-v|, u*v (Reimers & Gurevych
    # 2019). "auto": separate for a frozen encoder, which never learned to compare within one sequence; else joint.

    def __post_init__(self) -> None:
        check_limits(self, "encoder")


@dataclass(frozen=True)
class TrainingSettings:
    """How the classifier is trained in each round. None takes the default of the depth (`resolved`)."""

    trainable_layers: Annotated[
        Depth,
        About(
            "Top layers of the encoder to train: 0 trains a small head alone and is fast, all is fine-tuning.",
            least=0,
            words="0, a number of layers, or 'all'",
        ),
    ] = 0
    epochs: Annotated[int | None, About("Passes over the labeled set; empty: what suits the depth.", least=1)] = None
    learning_rate: Annotated[
        float | None, About("Learning rate of the encoder's layers; empty: what suits the depth.", above=0, below=1)
    ] = None
    head_learning_rate: Annotated[
        float | None, About("Learning rate of the head; empty: what suits the depth.", above=0, below=1)
    ] = None
    batch_size: Annotated[
        int | None, About("Examples in each training step; empty: what suits the depth.", least=1)
    ] = None
    weight_decay: Annotated[float, About("How strongly weights are drawn to 0 in training (AdamW).", least=0)] = 0.01
    # [field: fine-tuning's usual value]
    warmup: Annotated[
        float, About("Share of all steps in which the learning rate rises; after them it falls to 0.", least=0, below=1)
    ] = 0.1  # along a line, both [field]
    dropout: Annotated[
        float, About("Share of values that are dropped before the classifier in training.", least=0, below=1)
    ] = 0.1  # [field: BERT's]
    hidden: Annotated[
        int, About("Width of the small head's hidden layer, used where no layer of the encoder is trained.", least=2)
    ] = 128  # the representation there [ours]

    def __post_init__(self) -> None:
        check_limits(self, "training")

    def resolved(self) -> TrainingSettings:
        """Return the settings with every None replaced by the default of the training depth."""
        if self.trainable_layers == 0:
            defaults = FROZEN_DEFAULTS
        elif self.trainable_layers == "all":
            defaults = FULL_DEFAULTS
        else:
            defaults = TOP_LAYERS_DEFAULTS
        missing = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return replace(self, **missing)


# A head of 50,000 weights learns 400 labels by heart within a few epochs at the usual 1e-3; then nothing is forgotten
# and the fill-up of the minority is the method. At 1e-4 the dynamics say most, but the model stays with the shortcut.
# In between, one example in eleven is forgotten or never learned on real sentences, little needs filling up from 200
# labels on, and the accuracy is the best of those tried (docs/adr/0004-defaults-of-training.md).
FROZEN_DEFAULTS: Mapping[str, Any] = {
    "epochs": 20,
    "learning_rate": 2e-4,  # not used: nothing of the encoder is trained
    "head_learning_rate": 2e-4,
    "batch_size": 16,
}
# Small batches for enough steps from few labels, and few epochs at fine-tuning's usual rate: after ten at twice the
# rate all is learned by heart, and the forgetting rule has little to read (docs/adr/0004-defaults-of-training.md).
TOP_LAYERS_DEFAULTS: Mapping[str, Any] = {
    "epochs": 6,
    "learning_rate": 5e-5,
    "head_learning_rate": 1e-3,
    "batch_size": 8,
}
# Fine-tuning's usual rate (Devlin et al. 2019), with more epochs than usual: the sets are small.
FULL_DEFAULTS: Mapping[str, Any] = {
    "epochs": 10,
    "learning_rate": 5e-5,
    "head_learning_rate": 1e-3,
    "batch_size": 16,
}


@dataclass(frozen=True)
class GroupSettings:
    """How under-represented labeled examples are inferred from the training dynamics."""

    rule: Annotated[
        GroupRule, About("What tells the minority of a class: how training went on each example, or a known attribute.")
    ] = "forgetting"  # [field: Toneva et al. 2019; Yaghoobzadeh et al. 2021]
    quantile: Annotated[
        float, About("Share of a class that the rules confidence and variability take.", above=0, below=1)
    ] = 0.25  # [ours]
    min_minority: Annotated[
        float, About("Least share of a class that is minority; too few are filled up.", least=0, below=1)
    ] = 0.05  # at least ceil(this · n_class) examples a class [ours]
    min_majority: Annotated[int, About("Least number of a class that stay majority.", least=1)] = 1  # [ours]

    def __post_init__(self) -> None:
        check_limits(self, "groups")


@dataclass(frozen=True)
class RuntimeSettings:
    """How the work is done. Changes speed; on another device or thread count also the last bits."""

    device: Annotated[str, About("What computes: auto (the fastest), cpu, cuda, cuda:1 or mps.", filled=True)] = "auto"
    threads: Annotated[int, About("Threads to compute with; 0 takes one for each core.", least=0)] = 0
    # for torch, faiss, numba and OpenMP alike
    inference_dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "int16"],
        About("Number format of the frozen encoder and of predictions; float32 is the most exact."),
    ] = "auto"
    beside: Annotated[
        Literal["all", "entropy", "none"],
        About("Other strategies whose choice each round works out beside its own: all that are cheap, or fewer."),
    ] = "all"

    def __post_init__(self) -> None:
        check_limits(self, "runtime")


@dataclass(frozen=True)
class RunSettings:
    """Everything that decides what a run does, apart from its data."""

    strategy: Annotated[str, About("What picks the examples to annotate in each round.", filled=True)] = "alvin"
    budget: Annotated[int, About("Examples annotated in each round.", least=1)] = 50  # [field]
    initial: Annotated[int, About("Examples in the initial labeled set.", least=2)] = 100  # random, by class [field]
    seed: Annotated[int, About("Start of all random draws; same seed, same run.", least=0, most=2**32 - 1)] = 0
    annotator: Annotated[
        Literal["auto", "oracle", "person"],
        About("Who annotates: the oracle reads the label column; auto takes it where every pool text has a label."),
    ] = "auto"
    space: Annotated[
        Literal["model", "encoder"], About("Where anchors lie: in what the model learned, or in the untrained encoder.")
    ] = "model"  # [review: the model's]
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    groups: GroupSettings = field(default_factory=GroupSettings)
    annotation: AnnotationSettings = field(default_factory=AnnotationSettings)
    alvin: AlvinSettings = field(default_factory=AlvinSettings)
    bald: BaldSettings = field(default_factory=BaldSettings)
    cal: CalSettings = field(default_factory=CalSettings)
    alfa_mix: AlfaMixSettings = field(default_factory=AlfaMixSettings)
    typiclust: TypiclustSettings = field(default_factory=TypiclustSettings)
    anchoral: AnchoralSettings = field(default_factory=AnchoralSettings)
    counter_shortcut: CounterShortcutSettings = field(default_factory=CounterShortcutSettings)
    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)

    def __post_init__(self) -> None:
        check_limits(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dictionaries of plain values, for JSON; None where nothing is set."""
        return to_table(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSettings:
        """Build settings from nested dictionaries; what is missing takes its default.

        Raises
        ------
        SettingsError
            On an unknown name, a wrong type, or a value out of range.
        """
        return from_table(cls, values)

    @classmethod
    def from_toml(cls, path: Path) -> RunSettings:
        """Read settings from a TOML file.

        Raises
        ------
        SettingsError
            When the file is missing, longer than 32 KiB or not TOML, or as `from_dict` does.
        """
        return cls.from_dict(read_toml(path))

    @classmethod
    def from_toml_text(cls, text: bytes | str) -> RunSettings:
        """Read settings from what a TOML file holds; raises as `from_toml` does."""
        return cls.from_dict(parse_toml(text))

    def to_toml(self) -> str:
        """Write the settings as TOML that `from_toml` reads back to equal settings."""
        return to_toml(self.to_dict())

    def with_value(self, name: str, value: object) -> RunSettings:
        """Return the settings with one value changed: ``with_value("alvin.alpha", 0.5)``."""
        return self.with_values({name: value})

    def with_values(self, values: Mapping[str, object]) -> RunSettings:
        """Return the settings with values changed, by dotted names; checked together, after the last.

        Raises
        ------
        SettingsError
            On an unknown name, a wrong type, or a value out of range.
        """
        tree = self.to_dict()
        for name, value in values.items():
            *tables, last = name.split(".")
            place: Any = tree
            for table in tables:
                place = place.get(table) if isinstance(place, dict) else None
            if not isinstance(place, dict) or last not in place:
                raise SettingsError(f"no setting is called {shown(name)}; names are like 'budget' or 'alvin.alpha'")
            place[last] = value
        return RunSettings.from_dict(tree)
