"""An encoder cut in two: lower layers that run once, and top layers that are trained on their cached states.

The top part is a copy of the whole model whose layer stack is shortened, and whose first remaining layer is
handed the cached states in place of what reaches it. So attention masks, position biases and norms stay the model's
own, whatever its architecture; no family of models is rebuilt here.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from alvin_core.errors import EncoderError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["LowerLayers", "capture_states", "cut_top", "find_layers", "freeze_outside", "run_top", "shared_copy"]


class _ReachedError(Exception):
    """Carries the states out of a forward pass, so that the layers above do not run for nothing."""

    def __init__(self, states: torch.Tensor) -> None:
        self.states = states


def find_layers(model: nn.Module) -> nn.ModuleList | None:
    """Return the stack of transformer layers, or None where the model has none of the number it states."""
    from torch import nn

    config: Any = model.config
    n_layers = getattr(config, "num_hidden_layers", None)
    stacks = (module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == n_layers)
    return next(stacks, None)


def shared_copy(model: nn.Module) -> nn.Module:
    """Return a copy of a model's modules whose parameters and buffers are the model's own."""
    # deepcopy takes what its memo holds instead of copying it.
    shared = {id(tensor): tensor for tensors in (model.parameters(), model.buffers()) for tensor in tensors}
    return copy.deepcopy(model, cast("dict[int, Any]", shared))


class LowerLayers:
    """A frozen model up to the top layers; several threads may run it at once, which `capture_states` does not allow.

    Parameters
    ----------
    model : nn.Module
        Its weights are shared, its modules are not.
    n_top : int
        Layers to leave out, of which there must be so many.
    """

    def __init__(self, model: nn.Module, n_top: int) -> None:
        self._model = shared_copy(model)
        layers = find_layers(self._model)
        assert layers is not None  # whoever cuts has looked
        layers[len(layers) - n_top].register_forward_pre_hook(_stop, with_kwargs=True)

    def __call__(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the states that enter the top layers, of shape (n, n_tokens, dim)."""
        try:
            self._model(**inputs)
        except _ReachedError as reached:
            return reached.states
        raise _out_of_order()


def capture_states(model: nn.Module, layer: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Run the model up to ``layer`` and return the states that enter it, of shape (n, n_tokens, dim)."""
    handle = layer.register_forward_pre_hook(_stop, with_kwargs=True)
    try:
        model(**inputs)
    except _ReachedError as reached:
        return reached.states
    finally:
        handle.remove()
    raise _out_of_order()


def _stop(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    raise _ReachedError(args[0] if args else kwargs["hidden_states"])


def _out_of_order() -> EncoderError:
    return EncoderError("this encoder's layers cannot be split: they are not run in order; use 0 or 'all'")


def cut_top(model: nn.Module, layers: nn.ModuleList, n_top: int) -> tuple[nn.Module, nn.ModuleList]:
    """Return a copy of the model with only its top layers, and these; nothing but them is a parameter.

    Word embeddings, most of a small encoder's weights, are replaced by a single row: `run_top` feeds the model
    dummy tokens, for their shape only.
    """
    import torch
    from torch import nn

    whole: Any = model
    words = whole.get_input_embeddings()
    row = nn.Embedding(1, words.embedding_dim, _weight=torch.zeros(1, words.embedding_dim, device=words.weight.device))
    kept = nn.ModuleList(copy.deepcopy(list(layers)[len(layers) - n_top :]))
    # deepcopy takes what its memo holds instead of copying it: the lower layers are never duplicated.
    top = copy.deepcopy(model, {id(layers): kept, id(words): row})
    freeze_outside(top, kept)
    return top, kept


def freeze_outside(model: nn.Module, layers: nn.ModuleList) -> None:
    """Turn every parameter outside the layers into a buffer: it moves between devices, but is not trained."""
    inside = {id(module) for module in layers.modules()}
    for module in model.modules():
        if id(module) in inside:
            continue
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach(), persistent=False)


def run_top(top: nn.Module, first_layer: nn.Module, states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Run a model made by `cut_top` on cached states; return its last states, of shape (n, n_tokens, dim)."""
    import torch

    def hand_over(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if args:
            return (states, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": states}

    dummy = torch.zeros(states.shape[:2], dtype=torch.long, device=states.device)
    handle = first_layer.register_forward_pre_hook(hand_over, with_kwargs=True)
    try:
        last: torch.Tensor = top(input_ids=dummy, attention_mask=attention_mask).last_hidden_state
    finally:
        handle.remove()
    return last
