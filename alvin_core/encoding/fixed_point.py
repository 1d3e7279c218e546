"""A frozen encoder whose matrix products are of 16-bit whole numbers, where the processor makes those fast.

Each row of a layer's input, and each row of its weights, is written as whole numbers times one float32 step. The step
is the smallest for which no sum of products can leave 32 bits, which the Cauchy-Schwarz inequality bounds by the two
rows' Euclidean lengths; so the sums are exact and the only error is the rounding. With 384 inputs it is 2e-4 of an
output's typical size: finer than TF32, ten times finer than bfloat16. A row's step depends on the row alone, so a
text's vector does not depend on the texts beside it. Everything else stays the model's own float32.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import nn

from alvin_core.encoding import fixed_point_kernels as kernels
from alvin_core.encoding.splitting import shared_copy
from alvin_core.types import Float32Array

__all__ = ["FixedPointLinear", "with_fixed_point"]


class FixedPointLinear(nn.Linear):
    """A linear layer's forward pass in 16-bit whole numbers, on the CPU and without gradients.

    Parameters
    ----------
    layer : nn.Linear
        Its weights are shared, not copied.

    Notes
    -----
    The idea is that of 16-bit integer inference on CPUs (Devlin 2017, arXiv 1705.01991). Differs: a step for each row,
    by its length instead of its largest number.
    """

    def __init__(self, layer: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias
        self._limit = _longest(self.in_features)
        self._panels, self._steps = _rounded_weights(layer.weight.detach().numpy(), self._limit)
        none = np.zeros(self.out_features, dtype=np.float32)
        # The compiled loops read addresses, so a bias that is a slice of something is copied.
        self._added = none if layer.bias is None else np.ascontiguousarray(layer.bias.detach().numpy())

    def __deepcopy__(self, memo: dict[int, object]) -> FixedPointLinear:
        """Return itself: it is never changed, and its rounded weights are large."""
        return self

    @staticmethod
    def takes(layer: nn.Module) -> bool:
        """Say whether a module is a linear layer of finite float32 weights whose size the compiled loops have."""
        return (
            type(layer) is nn.Linear
            and layer.weight.dtype == torch.float32
            and layer.in_features % 2 == 0
            and 0 < layer.in_features <= kernels.LONGEST
            and layer.out_features % kernels.COLUMNS == 0
            and bool(torch.isfinite(layer.weight).all())
        )

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name that nn.Linear has
        """Return the outputs of shape (…, out_features) for float32 inputs of shape (…, in_features)."""
        values = input.reshape(-1, self.in_features).contiguous()
        n = len(values)
        out = values.new_empty((-(-n // kernels.ROWS) * kernels.ROWS, self.out_features))
        kernels.multiply(values.numpy(), self._limit, self._panels, self._steps, self._added, out.numpy())
        return out[:n].view(*input.shape[:-1], self.out_features)


def with_fixed_point(model: nn.Module) -> nn.Module:
    """Return a copy of a frozen model that shares its weights and has `FixedPointLinear` in place of linear layers."""
    changed = shared_copy(model)
    for parent in list(changed.modules()):
        for name, layer in list(parent.named_children()):
            if FixedPointLinear.takes(layer):
                setattr(parent, name, FixedPointLinear(cast(nn.Linear, layer)))
    return changed


def _longest(n_in: int) -> np.float32:
    """Return the length of a row before rounding, which may add half a step in each place."""
    return np.float32(kernels.LARGEST_NORM - np.sqrt(n_in) / 2 - kernels.SPARE_NORM)


def _rounded_weights(weight: Float32Array, limit: np.float32) -> tuple[np.ndarray, Float32Array]:
    """Return weights of shape (n_out, n_in) as panels of whole numbers, and the step of each output."""
    exact = weight.astype(np.float64)
    steps = np.maximum(np.linalg.norm(exact, axis=1) / limit, np.abs(exact).max(axis=1) / kernels.LARGEST)
    steps = np.maximum(steps, np.float64(kernels.SMALLEST)).astype(np.float32)
    rounded = np.rint(exact / steps[:, None]).astype(np.int16)
    n_out, n_in = weight.shape
    pairs = rounded.reshape(n_out // kernels.COLUMNS, kernels.COLUMNS, n_in // 2, 2)
    return np.ascontiguousarray(pairs.transpose(0, 2, 1, 3)), steps
