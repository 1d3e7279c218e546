"""A sample of what training reads of the texts, small enough for a record, by which a replay sees other encodings."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from alvin_core.encoding.features import Features

__all__ = ["probe_features"]

ROWS, VALUES = 64, 32


def probe_features(features: Features) -> dict[str, Any]:
    """Return a digest of what the encoder made of 64 examples spread over the data set, and some of its numbers.

    Parameters
    ----------
    features : Features

    Returns
    -------
    dict
        ``digest``: the first digits of a SHA-256. ``values``: up to 32 numbers, exact, each from another place; none
        where whole numbers alone are read, as token ids are.
    """
    import torch

    rows = np.unique(np.linspace(0, len(features) - 1, min(ROWS, len(features))).astype(np.int64))
    batch = features.batch(rows, torch.device("cpu"))
    sha = hashlib.sha256()
    values: list[float] = []
    for name, tensor in sorted(batch.items()):
        array = np.ascontiguousarray(tensor.numpy())
        sha.update(f"{name} {array.shape} {array.dtype}".encode() + array.tobytes())
        if array.dtype.kind == "f":
            flat = array.reshape(-1)
            places = np.unique(np.linspace(0, len(flat) - 1, min(VALUES, len(flat))).astype(np.int64))
            values = [float(one) for one in flat[places]]
    return {"digest": sha.hexdigest()[:16], "values": values}
