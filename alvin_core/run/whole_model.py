"""The whole model of a round as one function of its word embeddings, which gradients can pass through. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from alvin_core.encoding.bodies import WholeBody, pool
from alvin_core.encoding.splitting import capture_states
from alvin_core.errors import EncoderError, SettingsError
from alvin_core.run.models import RoundModel
from alvin_core.types import FloatArray

__all__ = ["EmbeddedExample", "PathIntegral", "integrate_gradients"]

TOKENS_AT_ONCE = 4096  # of all points of the path that run together
FEWEST_STEPS, MOST_STEPS = 32, 256  # [ours] points on the path: doubled until the scores add up
SMALL_ERROR = 0.01  # [ours] of a probability: screens show two decimals
CAPTUM_MISSING = (
    "integrated gradients need captum, which is not installed: `pip install captum`, or use the method 'occlusion'"
)


@dataclass(frozen=True)
class _Sequence:
    """What the encoder reads at once: a text, or a pair as one.

    ``places`` has, of each token, which text it is of and where; None of a special token.
    """

    inputs: dict[str, Tensor]  # each (1, n_tokens)
    places: list[tuple[int, int, int] | None]


class EmbeddedExample:
    """One example as a round's model reads it, from word embeddings to class probabilities, in float32.

    Parameters
    ----------
    model : RoundModel
    texts : tuple of one or two str

    Raises
    ------
    EncoderError
        When the tokenizer does not tell where its tokens are in the text.
    """

    def __init__(self, model: RoundModel, texts: tuple[str, ...]) -> None:
        self._encoder = model.encoder
        self._classifier = model.trained.classifier
        self._depth = model.settings.training.trainable_layers
        body = self._classifier.body
        self._whole: nn.Module = body.model if isinstance(body, WholeBody) else model.encoder.model
        self._words = cast("nn.Module", cast("Any", self._whole).get_input_embeddings())
        apart = len(texts) == 2 and self._depth == 0 and model.settings.encoder.pair_encoding != "joint"
        groups = [(0, texts[:1]), (1, texts[1:])] if apart else [(0, texts)]
        self._sequences = [self._tokenised(first, parts) for first, parts in groups]

    @property
    def places(self) -> list[list[tuple[int, int, int] | None]]:
        """Of each sequence's tokens: which text, first and last character; None of special tokens."""
        return [one.places for one in self._sequences]

    def embeddings(self) -> tuple[Tensor, ...]:
        """Return each sequence's word embeddings, of shape (1, n_tokens, dim)."""
        return tuple(self._embedded(one.inputs["input_ids"]) for one in self._sequences)

    def baselines(self) -> tuple[Tensor, ...]:
        """Return embeddings of texts that say nothing: padding in place of every token but the special ones [ours]."""
        found = []
        for one in self._sequences:
            ids = one.inputs["input_ids"].clone()
            said = [place for place, where in enumerate(one.places) if where is not None]
            ids[0, said] = self._encoder.reader.pad_id
            found.append(self._embedded(ids))
        return tuple(found)

    def __call__(self, *embedded: Tensor) -> Tensor:
        """Return class probabilities of shape (n, n_classes); each sequence's embeddings are (n, n_tokens, dim)."""
        head = self._classifier.head
        pooled = [self._pooled(one, values) for one, values in zip(self._sequences, embedded, strict=True)]
        if len(pooled) == 2:  # as `VectorFeatures` joins them
            first, second = pooled
            pooled = [torch.cat([first, second, (first - second).abs(), first * second], dim=1)]
        return torch.softmax(head.classify(head.represent(pooled[0])), dim=1)

    def _pooled(self, sequence: _Sequence, embedded: Tensor) -> Tensor:
        inputs = {name: one.expand(len(embedded), -1) for name, one in sequence.inputs.items()}
        mask, body = inputs["attention_mask"], self._classifier.body
        with _handing_over(self._words, embedded):
            if self._depth == "all":
                return cast("Tensor", body(inputs))
            if self._depth == 0:
                return pool(self._whole(**inputs).last_hidden_state, mask, self._encoder.pooling)
            states = capture_states(self._whole, self._encoder.entrance(self._depth), inputs)
        return cast("Tensor", body({"states": states, "attention_mask": mask}))

    def _embedded(self, ids: Tensor) -> Tensor:
        with torch.no_grad():
            return cast("Tensor", self._words(ids)).float()

    def _tokenised(self, first_text: int, texts: tuple[str, ...]) -> _Sequence:
        reader, device = self._encoder.reader, self._encoder.plan.device
        if not getattr(reader.tokenizer, "is_fast", False):
            raise EncoderError(
                f"the tokenizer of {self._encoder.name!r} does not tell where its tokens are in a text; use the method "
                "'occlusion', which needs no tokens"
            )
        read = reader.tokenizer(
            *texts, truncation="longest_first", max_length=reader.max_length, return_offsets_mapping=True, verbose=False
        )
        ids: list[int] = list(read["input_ids"]) or [reader.pad_id]
        parts = read.sequence_ids(0) if read["input_ids"] else [None]
        offsets = read["offset_mapping"] or [(0, 0)]
        inputs = {"input_ids": torch.tensor([ids], device=device)}
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if len(texts) == 2 and "token_type_ids" in read:  # as `TextReader` has it: only pairs have two types
            inputs["token_type_ids"] = torch.tensor([read["token_type_ids"]], device=device)
        places = [
            None if part is None else (first_text + part, int(start), int(end))
            for part, (start, end) in zip(parts, offsets, strict=True)
        ]
        return _Sequence(inputs, places)


@contextmanager
def _handing_over(layer: nn.Module, embedded: Tensor) -> Iterator[None]:
    """Have an embedding layer return these values, whatever it is asked for.

    So positions, types and masks stay the model's own, whatever its architecture.
    """
    handle = layer.register_forward_hook(lambda module, args, output: embedded)
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class PathIntegral:
    """Integrated gradients of one example.

    Attributes
    ----------
    scores : list of float64 arrays of shape (n_tokens,)
        Of each sequence's tokens: summed over the embedding's dimensions.
    start, end : float
        The class's probability at the baseline and at the example.
    n_steps : int
        Points on the path.
    """

    scores: list[FloatArray]
    start: float
    end: float
    n_steps: int

    @property
    def error(self) -> float:
        """How far the sum of all scores is from the change that they are to explain."""
        return abs(float(sum(one.sum() for one in self.scores)) - (self.end - self.start))


def integrate_gradients(
    forward: Callable[..., Tensor], embedded: Sequence[Tensor], baselines: Sequence[Tensor], class_: int
) -> PathIntegral:
    """Integrate a class's gradients from the baselines to the embeddings.

    Parameters
    ----------
    forward : callable
        Embeddings, each of shape (n, n_tokens, dim) -> values of shape (n, n_classes).
    embedded, baselines : sequences of tensors of shape (1, n_tokens, dim)
    class_ : int

    Returns
    -------
    PathIntegral
        With as many steps as make the scores add up to 0.01, at most 256.

    Raises
    ------
    SettingsError
        When captum is not installed.

    Notes
    -----
    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks"; completeness is their proposition 1.
    The integral is Captum's (Kokhlikyan et al. 2020), by Gauss–Legendre quadrature.
    """
    try:
        from captum.attr import IntegratedGradients
    except ModuleNotFoundError as error:
        raise SettingsError(CAPTUM_MISSING) from error

    method = IntegratedGradients(forward)
    with torch.no_grad():
        start, end = (float(forward(*values)[0, class_]) for values in (baselines, embedded))
    n_tokens = max(values.shape[1] for values in embedded)
    n_steps = FEWEST_STEPS
    while True:
        parts = method.attribute(
            tuple(embedded),
            baselines=tuple(baselines),
            target=class_,
            n_steps=n_steps,
            internal_batch_size=max(1, TOKENS_AT_ONCE // n_tokens),
        )
        scores = [np.asarray(one[0].sum(dim=1).double().detach().cpu().numpy()) for one in parts]
        found = PathIntegral(scores, start, end, n_steps)
        if found.error <= SMALL_ERROR or n_steps >= MOST_STEPS:
            return found
        n_steps *= 2
