from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan
from alvin_core.encoding import transformer
from alvin_core.encoding.features import compute_features
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.errors import EncoderError, SettingsError
from alvin_core.settings import EncoderSettings

CPU = torch.device("cpu")
Folder = Callable[[str], Path]


def encoder_of(folder: Path, plan: DevicePlan, pooling: str = "mean") -> tuple[Encoder, EncoderSettings]:
    settings = EncoderSettings(name=str(folder), max_length=64, pooling=pooling)  # type: ignore[arg-type]
    return load_encoder(settings, plan), settings


def batch_of(encoder: Encoder, settings: EncoderSettings, texts: Texts, depth: int | str) -> dict[str, torch.Tensor]:
    features = compute_features(
        encoder, texts, None, trainable_layers=depth, settings=settings, plan=encoder.plan, cache_dir=None
    )
    return features.batch(np.arange(len(texts)), CPU)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "mpnet", "distilbert", "modernbert"])
def test_the_top_layers_on_cached_states_equal_the_whole_model(
    encoder_folder: Folder, plan: DevicePlan, texts: Texts, family: str, pooling: str
) -> None:
    encoder, settings = encoder_of(encoder_folder(family), plan, pooling)
    with torch.inference_mode():
        whole = encoder.body("all")(batch_of(encoder, settings, texts, "all"))
        frozen = encoder.body(0)(batch_of(encoder, settings, texts, 0))
        assert torch.allclose(frozen, whole, atol=1e-5)
        for depth in (1, 2, 3):
            split = encoder.body(depth)(batch_of(encoder, settings, texts, depth))
            # What remains is the half precision of the cached states.
            assert (split - whole).abs().max() < 5e-3 * whole.abs().max()
    assert whole.shape == (len(texts), encoder.dim) == (50, 16)


@pytest.mark.parametrize("family", ["bert", "mpnet", "distilbert", "modernbert"])
def test_only_the_top_layers_are_parameters_and_all_of_them_get_a_gradient(
    encoder_folder: Folder, plan: DevicePlan, texts: Texts, family: str
) -> None:
    encoder, settings = encoder_of(encoder_folder(family), plan)
    assert list(encoder.body(0).parameters()) == []
    one_layer = sum(parameter.numel() for parameter in encoder.body(1).parameters())
    assert one_layer > 1000
    body = encoder.body(2)
    # ModernBERT's first layer has no norm of its own: layers need not be of one size there.
    assert sum(parameter.numel() for parameter in body.parameters()) == 2 * one_layer
    body(batch_of(encoder, settings, texts, 2)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in body.parameters())
    assert set(body.state_dict()) == {name for name, _ in body.named_parameters()}


def test_the_whole_body_trains_every_weight_it_has(encoder: Encoder, settings: EncoderSettings, texts: Texts) -> None:
    body = encoder.body("all")
    body(batch_of(encoder, settings, texts, "all")).square().sum().backward()
    assert all(parameter.grad is not None for parameter in body.parameters())


@pytest.mark.parametrize("depth", [2, "all"])
def test_every_body_starts_from_the_pre_trained_weights(
    encoder: Encoder, settings: EncoderSettings, texts: Texts, depth: int | str
) -> None:
    batch = batch_of(encoder, settings, texts, depth)
    first = encoder.body(depth)
    with torch.no_grad():
        before = first(batch)
        for parameter in first.parameters():
            parameter.add_(1.0)
        assert not torch.allclose(first(batch), before)
        assert torch.equal(encoder.body(depth)(batch), before)


@pytest.mark.parametrize("depth", [2, "all"])
def test_dropout_works_in_training_mode_only(
    encoder: Encoder, settings: EncoderSettings, texts: Texts, depth: int | str
) -> None:
    batch, body = batch_of(encoder, settings, texts, depth), encoder.body(depth)
    with torch.no_grad():
        assert torch.equal(body(batch), body(batch))
        body.train()
        assert not torch.equal(body(batch), body(batch))
        body.eval()
        assert torch.equal(body(batch), body(batch))


def test_a_joint_pair_splits_like_a_single_text(encoder_folder: Folder, plan: DevicePlan, texts: Texts) -> None:
    encoder, settings = encoder_of(encoder_folder("bert"), plan)
    seconds = Texts.pack(list(texts)[::-1])

    def vectors(depth: int | str) -> torch.Tensor:
        features = compute_features(
            encoder, texts, seconds, trainable_layers=depth, settings=settings, plan=plan, cache_dir=None
        )
        with torch.inference_mode():
            return encoder.body(depth)(features.batch(np.arange(len(texts)), CPU))

    whole = vectors("all")
    assert (vectors(2) - whole).abs().max() < 5e-3 * whole.abs().max()


def test_more_layers_than_there_are_is_a_settings_error_with_their_number(encoder: Encoder) -> None:
    with pytest.raises(SettingsError, match=r"trainable_layers = 4, but .* has 3 layers; choose 0 to 3, or 'all'"):
        encoder.body(4)


def test_layers_that_share_their_weights_cannot_be_split(encoder_folder: Folder, plan: DevicePlan) -> None:
    encoder, _ = encoder_of(encoder_folder("albert"), plan)
    with pytest.raises(EncoderError, match=r"layers cannot be split; set training.trainable_layers to 0 or 'all'"):
        encoder.body(1)
    assert encoder.body("all") is not None


def test_a_split_that_is_not_the_whole_model_is_found_out(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def states_of_the_wrong_layer(
        model: torch.nn.Module, layer: torch.nn.Module, inputs: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        return model(**inputs).last_hidden_state

    monkeypatch.setattr(transformer, "capture_states", states_of_the_wrong_layer)
    with pytest.raises(EncoderError, match="layers cannot be split"):
        encoder.body(1)


def test_a_body_does_not_hold_the_lower_layers_or_the_vocabulary(encoder_folder: Folder, plan: DevicePlan) -> None:
    encoder, _ = encoder_of(encoder_folder("bert"), plan)
    body = encoder.body(1)
    held = [tensor for tensors in (body.parameters(), body.buffers()) for tensor in tensors]
    layer = sum(parameter.numel() for parameter in body.parameters())
    words = 57 * encoder.dim
    assert sum(tensor.numel() for tensor in held) < layer + words + 64 * encoder.dim


def test_no_more_tokens_are_read_than_there_are_positions(encoder_folder: Folder, plan: DevicePlan) -> None:
    long = EncoderSettings(name=str(encoder_folder("roberta")), max_length=256)
    # RoBERTa's padding token and those before it take two of the 64 positions.
    encoder = load_encoder(long, plan)
    assert encoder.max_length == 62
    features = compute_features(
        encoder,
        Texts.pack([" ".join("a" * 100)]),
        None,
        trainable_layers=0,
        settings=long,
        plan=plan,
        cache_dir=None,
    )
    assert features.counts.kept.tolist() == [62]
    assert features.counts.full.tolist() == [102]
