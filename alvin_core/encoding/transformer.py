"""A pre-trained encoder, ready to use: it reads texts, pools, and hands out fresh copies to train."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan, is_out_of_memory
from alvin_core.encoding.models import Pretrained, load_pretrained
from alvin_core.encoding.splitting import LowerLayers, capture_states, find_layers
from alvin_core.encoding.tokens import TextReader, padded_width
from alvin_core.errors import DeviceError, EncoderError, SettingsError
from alvin_core.settings import EncoderSettings

if TYPE_CHECKING:
    import torch

__all__ = ["Depth", "Encoder", "load_encoder"]

Depth = int | Literal["all"]

# Two lengths, so that the check of a split sees padding.
_PROBES = ("a film", "a film that is neither good nor bad , but long")
# Splitting changes nothing but the order of a few sums; a wrong split is off by about 1.
_SPLIT_TOLERANCE = 1e-3
# Of a vector's length. Rounding to 16 bits changes usual encoders by 1e-4 to 1e-3; bfloat16 changes them by 1e-2.
_ROUNDING_TOLERANCE = 5e-3


class Encoder:
    """A pre-trained encoder on its device.

    Attributes
    ----------
    name : str
    dim : int
        Width of a pooled vector.
    n_layers : int
    max_length : int
        Tokens read of each example: the setting, or less where the encoder has fewer positions.
    fingerprint : str
        SHA-256 of weights, configuration and tokenizer.
    pooling : {"mean", "cls"}
    plan : DevicePlan
    reader : TextReader
    multiple : int
        Batches are padded to a multiple of this many tokens.
    """

    def __init__(self, pretrained: Pretrained, settings: EncoderSettings, plan: DevicePlan) -> None:
        self._model = pretrained.model.requires_grad_(False).to(plan.device)
        self._layers = find_layers(self._model)
        self._sound_splits: set[int] = set()
        self._frozen: torch.nn.Module | None = None
        self._lower: dict[int, LowerLayers] = {}  # by the number of layers above
        self._position_limit = _position_limit(self._model)
        tokenizer_limit = int(getattr(pretrained.tokenizer, "model_max_length", settings.max_length))
        limits = [settings.max_length, tokenizer_limit, self._position_limit or settings.max_length]
        self.name = settings.name
        self.max_length = min(limits)
        self.fingerprint = pretrained.fingerprint
        self.pooling = settings.pooling
        self.plan = plan
        self.reader = TextReader(pretrained.tokenizer, self.max_length)
        # A GPU, and bf16 on a CPU, pay for every new shape (kernels are chosen or compiled); others on a CPU do
        # not, and with texts of 18 tokens on average padding to 16s alone cost it a quarter of its speed.
        self.multiple = 1 if plan.kind == "cpu" and plan.inference_dtype != "bfloat16" else 16
        self.n_layers = _count_layers(self._model)
        self.dim = int(self._pooled(self._model, self._probe()).shape[1])

    def width(self, longest: int) -> int:
        """Return how many tokens a batch is padded to whose longest example has ``longest``."""
        return padded_width(longest, self.multiple, self._position_limit)

    def body(self, trainable_layers: Depth) -> torch.nn.Module:
        """Return a fresh copy of what is trained, with the pre-trained weights, in evaluation mode.

        Parameters
        ----------
        trainable_layers : int or "all"
            0: nothing; n: the top n layers, which read cached states; "all": everything, from token ids.

        Returns
        -------
        torch.nn.Module
            ``forward(batch)`` takes what `Features.batch` gives at the same depth and returns float32 vectors of
            shape (n, dim); dropout in training mode is the model's own.

        Raises
        ------
        SettingsError
            When there are fewer layers than that.
        EncoderError
            When this encoder's layers cannot be split.
        """
        from alvin_core.encoding.bodies import FrozenBody, TopLayersBody, WholeBody

        self.check_depth(trainable_layers)
        if trainable_layers == 0:
            return FrozenBody()
        if trainable_layers == "all":
            return WholeBody(self._model, self.pooling).eval()
        assert self._layers is not None  # check_depth saw to it
        return TopLayersBody(self._model, self._layers, trainable_layers, self.pooling).eval()

    @property
    def model(self) -> torch.nn.Module:
        """The pre-trained model itself, frozen; whoever changes it changes the encoder."""
        return self._model

    def entrance(self, n_top: int) -> torch.nn.Module:
        """Return the lowest of the top ``n_top`` layers, of which there must be so many."""
        assert self._layers is not None  # check_depth saw to it
        return self._layers[len(self._layers) - n_top]

    def check_depth(self, trainable_layers: Depth) -> None:
        """Raise unless the encoder can be trained this deep; a split is tried once against the whole model.

        Raises
        ------
        SettingsError, EncoderError
            As `body` does.
        """
        if trainable_layers == "all" or trainable_layers == 0 or trainable_layers in self._sound_splits:
            return
        if not 0 < trainable_layers <= self.n_layers:
            raise SettingsError(
                f"training.trainable_layers = {trainable_layers}, but encoder {self.name!r} has {self.n_layers} "
                f"layers; choose 0 to {self.n_layers}, or 'all'"
            )
        if self._layers is None or not self._is_sound(trainable_layers):
            raise EncoderError(
                f"encoder {self.name!r}: this encoder's layers cannot be split; set training.trainable_layers to 0 "
                "or 'all'"
            )
        self._sound_splits.add(trainable_layers)

    def prepare(self, n_top: int | None) -> None:
        """Make what `pooled` (None) or `states` runs; call it before several threads do.

        Raises
        ------
        EncoderError
            When the plan asks for 16-bit whole numbers, and they are too coarse for this encoder.
        """
        if self._frozen is None:
            self._frozen = self._rounded() if self.plan.inference_dtype == "int16" else self._model
        if n_top is not None and n_top not in self._lower:
            self._lower[n_top] = LowerLayers(self._frozen, n_top)

    def pooled(self, inputs: dict[str, NDArray[np.int64]]) -> torch.Tensor:
        """Return the frozen encoder's float32 vectors of shape (n, dim)."""
        self.prepare(None)
        assert self._frozen is not None
        return self._pooled(self._frozen, inputs)

    def states(self, inputs: dict[str, NDArray[np.int64]], n_top: int) -> torch.Tensor:
        """Return the states that enter the top ``n_top`` layers, of shape (n, n_tokens, hidden)."""
        self.prepare(n_top)
        with self._inference():
            return self._lower[n_top](self._tensors(inputs))

    def _rounded(self) -> torch.nn.Module:
        """Return the model with products of 16-bit whole numbers, tried against the model itself."""
        from alvin_core.encoding.fixed_point import with_fixed_point

        rounded = with_fixed_point(self._model)
        exact, found = (self._pooled(model, self._probe()) for model in (self._model, rounded))
        error = float((found - exact).norm() / exact.norm())
        if error > _ROUNDING_TOLERANCE:
            raise EncoderError(
                f"encoder {self.name!r}: rounded to 16 bits, its layers return vectors that are off by {error:.1%}; "
                "set runtime.inference_dtype to 'float32'"
            )
        return rounded

    def _pooled(self, model: torch.nn.Module, inputs: dict[str, NDArray[np.int64]]) -> torch.Tensor:
        from alvin_core.encoding.bodies import pool

        with self._inference():
            tensors = self._tensors(inputs)
            return pool(model(**tensors).last_hidden_state, tensors["attention_mask"], self.pooling)

    def _is_sound(self, n_top: int) -> bool:
        """Compare the split on probe texts with the whole model, both in float32."""
        import torch

        from alvin_core.encoding.bodies import TopLayersBody, pool

        assert self._layers is not None
        tensors = self._tensors(self._probe())
        mask = tensors["attention_mask"]
        with torch.inference_mode():
            try:
                states = capture_states(self._model, self._layers[len(self._layers) - n_top], tensors)
                if states.shape[-1] != self.dim:  # the cache is laid out by the width of the pooled vector
                    return False
                body = TopLayersBody(self._model, self._layers, n_top, self.pooling).eval()
                split = body({"states": states, "attention_mask": mask})
            except Exception as error:
                # Whatever an unknown architecture's code trips over here, it means one thing: no split.
                if is_out_of_memory(error):
                    raise
                return False
            whole = pool(self._model(**tensors).last_hidden_state, mask, self.pooling)
        return bool((split - whole).abs().max() <= _SPLIT_TOLERANCE * whole.abs().max())

    def _probe(self) -> dict[str, NDArray[np.int64]]:
        tokens = self.reader.read(Texts.pack(_PROBES))
        return tokens.padded(np.arange(len(tokens)), int(tokens.lengths.max()), self.reader.pad_id)

    def _tensors(self, inputs: dict[str, NDArray[np.int64]]) -> dict[str, torch.Tensor]:
        import torch

        return {name: torch.from_numpy(values).to(self.plan.device) for name, values in inputs.items()}

    def _inference(self) -> ExitStack:
        import torch

        stack = ExitStack()
        stack.enter_context(torch.inference_mode())
        if self.plan.inference_dtype == "bfloat16":
            stack.enter_context(torch.autocast(self.plan.kind, torch.bfloat16))
        return stack


def load_encoder(settings: EncoderSettings, plan: DevicePlan) -> Encoder:
    """Load an encoder by name or folder and put it on its device.

    Raises
    ------
    EncoderError
        When it cannot be found, reached, read or trusted, or does not turn texts into states.
    DeviceError
        When it does not fit the device's memory.
    """
    pretrained = load_pretrained(settings)
    try:
        return Encoder(pretrained, settings, plan)
    except (DeviceError, EncoderError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise DeviceError(
                f"encoder {settings.name!r} does not fit the memory of {plan.name}; name a smaller one, or use "
                "device 'cpu'"
            ) from error
        first_line = " ".join(str(error).split())[:200]
        raise EncoderError(f"encoder {settings.name!r} does not turn texts into vectors: {first_line}") from error


def _count_layers(model: torch.nn.Module) -> int:
    return int(getattr(model.config, "num_hidden_layers", 0))


def _position_limit(model: torch.nn.Module) -> int | None:
    """Return the longest sequence the encoder can place, padding included; None where it has no such limit."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] == "position_embeddings" and hasattr(module, "num_embeddings"):
            # RoBERTa's kin keep the rows up to the padding token's for padding.
            taken = 0 if module.padding_idx is None else int(module.padding_idx) + 1
            return int(module.num_embeddings) - taken
    limit = getattr(model.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None
