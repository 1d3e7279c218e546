"""What a round starts from, and what is refused before one starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alvin_core.data.dataset import Dataset
from alvin_core.errors import DataError, SettingsError
from alvin_core.settings import RunSettings
from alvin_core.strategies import PoolSlice, needs_slice
from alvin_core.types import Float32Array, IntArray, check_lengths

if TYPE_CHECKING:
    from alvin_core.encoding.features import Features
    from alvin_core.encoding.transformer import Encoder

__all__ = ["RoundInputs", "check_data", "check_slice"]


@dataclass(frozen=True)
class RoundInputs:
    """What a round starts from.

    Attributes
    ----------
    dataset : Dataset
    encoder : Encoder
    features : Features
        What the trained layers read, for every example of the data set.
    embeddings : float32 array of shape (n, dim) or None
        The frozen encoder's vectors; needed where ``settings.space`` is ``"encoder"``.
    labeled_rows : int array of shape (n_labeled,)
        Rows in the data set of the annotated examples, in the order of annotation.
    labeled_classes : int array of shape (n_labeled,)
    round_no : int
    slice_ : PoolSlice or None
        The slice that ``settings.counter_shortcut`` names, of the whole data set.
    """

    dataset: Dataset
    encoder: Encoder
    features: Features
    embeddings: Float32Array | None
    labeled_rows: IntArray
    labeled_classes: IntArray
    round_no: int
    slice_: PoolSlice | None = None

    def __post_init__(self) -> None:
        check_lengths("RoundInputs", labeled_rows=self.labeled_rows, labeled_classes=self.labeled_classes)
        if self.slice_ is not None:
            check_lengths("RoundInputs", dataset=self.dataset.ids, slice_=self.slice_.is_member)


def check_slice(slice_: PoolSlice | None, settings: RunSettings) -> None:
    """Raise, before anything is encoded or trained, when the strategy selects from a slice and there is none.

    Raises
    ------
    SettingsError
    """
    if slice_ is None and needs_slice(settings):
        raise SettingsError(
            f"the strategy {settings.strategy!r} selects from a slice, and there is none of this data with the name "
            f"counter_shortcut.slice = {settings.counter_shortcut.slice!r}; save it with `alvin slices` first"
        )


def check_data(dataset: Dataset, settings: RunSettings) -> None:
    """Raise, before anything is encoded or trained, what would only show in the midst of a round.

    Raises
    ------
    SettingsError
        When the rule ``known`` is asked for and there are no attributes.
    DataError
        When an example to evaluate on has no label.
    """
    if settings.groups.rule == "known" and dataset.attributes is None:
        raise SettingsError(
            "groups.rule = 'known' needs attributes, and the data set has none; add an attribute column or choose "
            "another rule"
        )
    unlabeled = np.flatnonzero((dataset.labels < 0) & (dataset.splits != "pool"))
    if len(unlabeled):
        first = unlabeled[0]
        raise DataError(
            f"{len(unlabeled)} examples to evaluate on have no label, first {dataset.ids[first]!s} in "
            f"{dataset.splits[first]!s}; label them, or leave them out"
        )
