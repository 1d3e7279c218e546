"""A batch of texts of unlike lengths as one row of tokens, without padding. Needs torch and transformers.

The layers of a transformer treat tokens one by one, except in attention. So the tokens of a batch can run through them
as one long row: no padding is computed, and each weight is used once a step, not once for every width. Attention alone
has to know which tokens belong together: it takes the texts of one length at a time, and so needs no mask either.

Packing lasts from the first layer of the model's own stack to the last; what comes before and after (embeddings, norms,
pooling) sees the padded batch as always. Whether a model can be run like this is tried, not guessed from its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from alvin_core.device import is_out_of_memory

__all__ = ["Packer", "packer_of"]

ATTENTION = "alvin_packed"  # the name under which transformers knows the attention below
# Packing changes nothing but the order of a few sums; a model that it does not suit is off by about 1.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class _Layout:
    """Where the tokens of a padded batch lie in the row.

    Attributes
    ----------
    shape : (int, int)
        Texts and padded width.
    places : int64 tensor of shape (n_tokens,)
        The place of each token in the flattened padded batch.
    groups : list of (int, int)
        The row, from its start: so many texts of such a length.
    """

    shape: tuple[int, int]
    places: Tensor
    groups: list[tuple[int, int]]

    @classmethod
    def of(cls, attention_mask: Tensor) -> _Layout:
        lengths = attention_mask.sum(dim=1).tolist()
        groups = [(len(list(same)), int(length)) for length, same in groupby(lengths) if length]
        n_rows, width = attention_mask.shape
        return cls((n_rows, width), attention_mask.flatten().nonzero().squeeze(1), groups)

    def pack(self, states: Tensor) -> Tensor:
        """Turn (n, width, dim) into (1, n_tokens, dim)."""
        return states.flatten(0, 1).index_select(0, self.places).unsqueeze(0)

    def unpack(self, row: Tensor) -> Tensor:
        """Turn (1, n_tokens, dim) into (n, width, dim), with zeros for padding."""
        n_rows, width = self.shape
        padded = row.new_zeros(n_rows * width, row.shape[-1])
        return padded.index_copy(0, self.places, row.squeeze(0)).view(n_rows, width, -1)


_layout: ContextVar[_Layout] = ContextVar("alvin_packed_layout")


class Packer:
    """Runs the layer stack of a body on packed tokens, on request.

    Parameters
    ----------
    body : nn.Module
        Its batches hold an ``attention_mask``.
    layers : nn.ModuleList
        The stack, run in order.
    """

    def __init__(self, body: nn.Module, layers: nn.ModuleList) -> None:
        self._layers = layers
        # Cut models carry two copies of one configuration; each is read somewhere.
        found = (getattr(module, "config", None) for module in body.modules())
        self._configs: list[Any] = list({id(config): config for config in found if config is not None}.values())

    @contextmanager
    def packed(self, batch: dict[str, Tensor]) -> Iterator[None]:
        """Within this context, the body runs this batch packed; texts of one length should be neighbours."""
        layout = _Layout.of(batch["attention_mask"])
        first, last = self._layers[0], self._layers[-1]
        with ExitStack() as stack:
            token = _layout.set(layout)
            stack.callback(_layout.reset, token)
            for config in self._configs:
                stack.callback(setattr, config, "_attn_implementation", config._attn_implementation)
                config._attn_implementation = ATTENTION
            # Wrapped, not hooked: cached states are handed to the first layer by a hook, which must run before.
            for layer, wrap in ((first, _packing), (last, _unpacking)):
                stack.callback(layer.__dict__.pop, "forward", None)
                layer.forward = wrap(layer.forward, layout)
            yield


def packer_of(body: nn.Module, batch: dict[str, Tensor]) -> Packer | None:
    """Return a packer where the body gives the same vectors packed; else None.

    Parameters
    ----------
    body : nn.Module
        In evaluation mode.
    batch : dict
        A few examples, the shortest first, to try it with. Of the first one half is left out: among equal texts, or
        texts of one length, a model that packing does not suit may give the same vectors.
    """
    layers = next((module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module)), None)
    if layers is None or "attention_mask" not in batch:
        return None
    mask = batch["attention_mask"].clone()
    mask[0] *= mask[0].cumsum(dim=0) <= (mask[0].sum() + 1) // 2
    if len(set(mask.sum(dim=1).tolist())) == 1:  # texts of a token: there is nothing to try, nor to gain
        return None
    batch = {**batch, "attention_mask": mask}
    _register()
    packer = Packer(body, layers)
    with torch.no_grad():
        padded = body(batch)
        try:
            with packer.packed(batch):
                packed = body(batch)
        except Exception as error:
            # Whatever an unknown architecture's code trips over here, it means one thing: pad.
            if is_out_of_memory(error):
                raise
            return None
    same = packed.shape == padded.shape and bool((packed - padded).abs().max() <= TOLERANCE * padded.abs().max())
    return packer if same else None


def _packing(forward: Callable[..., Any], layout: _Layout) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        if args:
            return forward(layout.pack(args[0]), *args[1:], **kwargs)
        return forward(**{**kwargs, "hidden_states": layout.pack(kwargs["hidden_states"])})

    return run


def _unpacking(forward: Callable[..., Any], layout: _Layout) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        states = forward(*args, **kwargs)
        return (layout.unpack(states[0]), *states[1:]) if isinstance(states, tuple) else layout.unpack(states)

    return run


def _register() -> None:
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, _attention)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attend within each text; query, key and value are (1, n_heads, n_tokens, head_dim), heads are moved back."""
    asked = {name for name, value in others.items() if value is not None and value is not False}
    if attention_mask is not None or asked or getattr(module, "is_causal", False) or key.shape != query.shape:
        raise NotImplementedError(f"packed attention is plain attention within each text; asked for {sorted(asked)}")
    texts = []
    start = 0
    for n_texts, length in _layout.get().groups:
        stop = start + n_texts * length
        q, k, v = (
            states[0, :, start:stop].reshape(-1, n_texts, length, states.shape[-1]).transpose(0, 1)
            for states in (query, key, value)
        )  # each (n_texts, n_heads, length, head_dim)
        attended = nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
        texts.append(attended.transpose(1, 2).flatten(0, 1))  # (n_texts · length, n_heads, head_dim)
        start = stop
    return torch.cat(texts).unsqueeze(0), None
