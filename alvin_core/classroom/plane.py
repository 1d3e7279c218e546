"""The encoder of a world in the plane: it reads coordinates from a text, and those are the vector. Needs torch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from alvin_core.data.dataset import Texts
from alvin_core.encoding.bodies import FrozenBody
from alvin_core.encoding.features import Features
from alvin_core.encoding.tokens import TokenCounts
from alvin_core.encoding.transformer import Depth, Encoder
from alvin_core.errors import DataError, SettingsError
from alvin_core.types import Float32Array, IntArray

if TYPE_CHECKING:
    import torch

    from alvin_core.device import DevicePlan

__all__ = ["PlaneEncoder", "PlaneFeatures", "read_places"]

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_PLACE = re.compile(rf"x {_NUMBER} y {_NUMBER}")


def read_places(texts: Texts) -> Float32Array:
    """Read the coordinates that texts such as ``x 0.312 y -1.204`` say, of shape (n, 2).

    Raises
    ------
    DataError
        When a text says none.
    """
    places = np.empty((len(texts), 2), dtype=np.float32)
    for row, text in enumerate(texts):
        found = _PLACE.fullmatch(text)
        if found is None:
            raise DataError(f"text {row} is {text[:60]!r}, and no place in the plane; write it like 'x 0.312 y -1.204'")
        places[row] = [float(number) for number in found.groups()]
    return places


class PlaneEncoder(Encoder):
    """An encoder without weights, in place of a transformer: nothing of it can be trained.

    Attributes are those of `Encoder`, but for the reader of tokens, which it has no use for.
    """

    def __init__(self, plan: DevicePlan) -> None:  # not the parent's, which loads a transformer
        self.name = "plane"
        self.dim = 2
        self.n_layers = 0
        self.max_length = 4
        self.fingerprint = "plane-1"
        self.pooling = "mean"
        self.plan = plan
        self.multiple = 1

    def body(self, trainable_layers: Depth) -> torch.nn.Module:
        """Return what is trained below the head, which is nothing.

        Raises
        ------
        SettingsError
            When layers are to be trained.
        """
        self.check_depth(trainable_layers)
        return FrozenBody()

    def check_depth(self, trainable_layers: Depth) -> None:
        """Raise unless the encoder stays frozen."""
        if trainable_layers != 0:
            raise SettingsError(
                f"training.trainable_layers = {trainable_layers!r}, but the encoder 'plane' has no layers; choose 0"
            )


class PlaneFeatures(Features):
    """The coordinates themselves.

    Parameters
    ----------
    places : float32 array of shape (n, 2)
    """

    def __init__(self, places: Float32Array) -> None:
        ones = np.ones(len(places), dtype=np.int32)
        super().__init__(2, ones, TokenCounts(ones, ones))
        self._places = places

    def batch(self, rows: IntArray, device: torch.device) -> dict[str, torch.Tensor]:
        import torch

        return {"vectors": torch.from_numpy(self._places[rows]).to(device)}

    def vectors(self) -> Float32Array:
        return self._places
