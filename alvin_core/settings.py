"""Every setting of a run and its default, with the reason for it. No other module decides one for a run.

Settings marked [paper] follow Korakakis et al. (2024), [field] are usual in the field, [ours] are choices of
this project: named, so that a reader with the paper in hand can set them.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from alvin_core.errors import SettingsError
from alvin_core.tables import from_table, to_table, to_toml

__all__ = [
    "AlvinSettings",
    "Backend",
    "EncoderSettings",
    "GroupRule",
    "GroupSettings",
    "Pairing",
    "Rank",
    "RunSettings",
    "RuntimeSettings",
    "TrainingSettings",
    "default_store",
]

GroupRule = Literal["forgetting", "confidence", "variability", "known"]
Pairing = Literal["minority-majority", "minority-minority", "majority-majority", "across-classes", "no-interpolation"]
Rank = Literal["uncertainty", "certainty", "distance", "frequency", "random"]
Backend = Literal["auto", "segments", "faiss-flat", "faiss-hnsw", "torch"]
Depth = int | Literal["all"]

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


def default_store() -> Path:
    """Return the folder where runs live unless one is named: ``$ALVIN_STORE``, else ``./alvin-store``."""
    return Path(os.environ.get("ALVIN_STORE") or "alvin-store")  # set to nothing is as good as not set


def _require(holds: bool, name: str, value: object, limit: str) -> None:
    if not holds:
        raise SettingsError(f"{name} = {value!r} is out of range: it must be {limit}")


def _require_one_of(name: str, value: object, choices: object) -> None:
    allowed = get_args(choices)
    if value not in allowed:
        raise SettingsError(f"{name} = {value!r} is unknown; choose one of: {', '.join(map(str, allowed))}")


@dataclass(frozen=True)
class EncoderSettings:
    """Which pre-trained encoder reads the texts, and how."""

    name: str = DEFAULT_ENCODER  # a name AutoModel takes, or a local folder
    revision: str | None = None  # a hub revision; None = the newest
    pooling: Literal["mean", "cls"] = "mean"  # mean is what MiniLM was trained with
    max_length: int = 256  # tokens read of each example; MiniLM's own limit. Longer texts are cut, with a warning
    pair_encoding: Literal["auto", "joint", "separate"] = "auto"
    # "joint" reads a pair as one sequence, "separate" reads u and v and joins u, v, |u-v|, u*v (Reimers & Gurevych
    # 2019). "auto": separate for a frozen encoder, which never learned to compare within one sequence; else joint.

    def __post_init__(self) -> None:
        _require(bool(self.name.strip()), "encoder.name", self.name, "the name or folder of an encoder")
        _require_one_of("encoder.pooling", self.pooling, Literal["mean", "cls"])
        _require_one_of("encoder.pair_encoding", self.pair_encoding, Literal["auto", "joint", "separate"])
        _require(8 <= self.max_length <= 8192, "encoder.max_length", self.max_length, "between 8 and 8192 tokens")


@dataclass(frozen=True)
class TrainingSettings:
    """How the classifier is trained in each round. None takes the default of the depth (`resolved`)."""

    trainable_layers: Depth = 0  # 0 = frozen encoder + small head, n = top n layers, "all" = fine-tuning
    epochs: int | None = None
    learning_rate: float | None = None  # of the encoder's trained layers
    head_learning_rate: float | None = None
    batch_size: int | None = None
    weight_decay: float = 0.01  # AdamW [field: fine-tuning's usual value]
    warmup: float = 0.1  # share of all steps in which the rate rises; it then falls to 0 along a line [field]
    dropout: float = 0.1  # before the classifier [field: BERT's]
    hidden: int = 128  # width of the small head's hidden layer at depth 0; the representation there [ours]

    def __post_init__(self) -> None:
        depth = self.trainable_layers
        whole = depth == "all" or (isinstance(depth, int) and not isinstance(depth, bool) and depth >= 0)
        _require(whole, "training.trainable_layers", depth, "0, a number of layers, or 'all'")
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            _require(value is None or value >= 1, f"training.{name}", value, "at least 1")
        for name in ("learning_rate", "head_learning_rate"):
            value = getattr(self, name)
            _require(value is None or 0 < value < 1, f"training.{name}", value, "between 0 and 1")
        _require(self.weight_decay >= 0, "training.weight_decay", self.weight_decay, "at least 0")
        _require(0 <= self.warmup < 1, "training.warmup", self.warmup, "in [0, 1)")
        _require(0 <= self.dropout < 1, "training.dropout", self.dropout, "in [0, 1)")
        _require(self.hidden >= 2, "training.hidden", self.hidden, "at least 2")

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

    rule: GroupRule = "forgetting"  # [field: Toneva et al. 2019; Yaghoobzadeh et al. 2021]
    quantile: float = 0.25  # share of each class taken by the confidence and variability rules [ours]
    min_minority: float = 0.05  # at least ceil(this · n_class) minority examples a class, filled up if need be [ours]
    min_majority: int = 1  # at least this many examples of a class stay majority [ours]

    def __post_init__(self) -> None:
        _require_one_of("groups.rule", self.rule, GroupRule)
        _require(0 < self.quantile < 1, "groups.quantile", self.quantile, "in (0, 1)")
        _require(0 <= self.min_minority < 1, "groups.min_minority", self.min_minority, "in [0, 1)")
        _require(self.min_majority >= 1, "groups.min_majority", self.min_majority, "at least 1")


@dataclass(frozen=True)
class AlvinSettings:
    """ALVIN's own: anchors, retrieval and the ranking of what was retrieved."""

    alpha: float = 2.0  # both Beta parameters; larger = nearer the midpoint [ours]
    n_anchors: int = 15  # anchors drawn for each pair, K [ours]
    max_pairs: int | None = None  # pairs for each class, drawn without replacement; None = all [ours]
    pairing: Pairing = "minority-majority"  # [paper]; the others are ablations
    k: int = 10  # neighbors of each anchor; doubled when their union is smaller than the budget [ours]
    rank: Rank = "uncertainty"  # predictive entropy, high first [ours]
    backend: Backend = "auto"  # exact; segments where numba is installed, else torch

    def __post_init__(self) -> None:
        _require(0 < self.alpha < math.inf, "alvin.alpha", self.alpha, "above 0")
        _require(self.n_anchors >= 1, "alvin.n_anchors", self.n_anchors, "at least 1")
        _require(self.max_pairs is None or self.max_pairs >= 1, "alvin.max_pairs", self.max_pairs, "at least 1")
        _require(self.k >= 1, "alvin.k", self.k, "at least 1")
        _require_one_of("alvin.pairing", self.pairing, Pairing)
        _require_one_of("alvin.rank", self.rank, Rank)
        _require_one_of("alvin.backend", self.backend, Backend)


@dataclass(frozen=True)
class RuntimeSettings:
    """Where the work runs. Changes speed; on another device or thread count also the last bits."""

    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    threads: int = 0  # for torch, faiss, numba and OpenMP alike; 0 = one for each core
    inference_dtype: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        _require(self.threads >= 0, "runtime.threads", self.threads, "at least 0 (0 = one for each core)")
        _require_one_of("runtime.inference_dtype", self.inference_dtype, Literal["auto", "float32", "bfloat16"])


@dataclass(frozen=True)
class RunSettings:
    """Everything that decides what a run does, apart from its data."""

    strategy: str = "alvin"
    budget: int = 50  # examples annotated in each round [field]
    initial: int = 100  # examples in the initial labeled set, drawn at random, stratified by class [field]
    seed: int = 0
    annotator: Literal["auto", "oracle", "person"] = "auto"  # auto: the oracle where every pool example has a label
    space: Literal["model", "encoder"] = "model"  # the representation that anchors live in [review: the model's]
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    groups: GroupSettings = field(default_factory=GroupSettings)
    alvin: AlvinSettings = field(default_factory=AlvinSettings)
    runtime: RuntimeSettings = field(default_factory=RuntimeSettings)

    def __post_init__(self) -> None:
        _require(self.budget >= 1, "budget", self.budget, "at least 1")
        _require(self.initial >= 2, "initial", self.initial, "at least 2")
        _require(0 <= self.seed < 2**32, "seed", self.seed, "between 0 and 2**32 - 1")
        _require_one_of("annotator", self.annotator, Literal["auto", "oracle", "person"])
        _require_one_of("space", self.space, Literal["model", "encoder"])

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
            When the file is missing or is not TOML, or as `from_dict` does.
        """
        try:
            with path.open("rb") as file:
                return cls.from_dict(tomllib.load(file))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"settings file {path}: {error}") from error

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
                raise SettingsError(f"no setting is called {name!r}; names are like 'budget' or 'alvin.alpha'")
            place[last] = value
        return RunSettings.from_dict(tree)
