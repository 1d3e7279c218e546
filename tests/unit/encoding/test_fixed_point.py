"""Products of 16-bit whole numbers against float64, with rows made to break them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from alvin_core.data.dataset import Texts
from alvin_core.device import DevicePlan
from alvin_core.encoding import transformer
from alvin_core.encoding.features import compute_features, embed
from alvin_core.encoding.models import packaged_folder
from alvin_core.encoding.transformer import load_encoder
from alvin_core.errors import EncoderError
from alvin_core.settings import EncoderSettings


@pytest.fixture(autouse=True)
def _skip_without(has_int16: bool) -> None:
    if not has_int16:
        pytest.skip("no AVX2, or no numba")


INT16 = DevicePlan("cpu", 1, "int16", "CPU, 1 thread")
FLOAT32 = replace(INT16, inference_dtype="float32")


def layer(n_in: int, n_out: int, weight: np.ndarray | None = None, *, bias: bool = True) -> torch.nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(n_in + n_out)
        made = torch.nn.Linear(n_in, n_out, bias=bias).requires_grad_(False)
    if weight is not None:
        made.weight.copy_(torch.from_numpy(np.asarray(weight, dtype=np.float32)))
    return made


def check(linear: torch.nn.Linear, rows: np.ndarray) -> None:
    """Compare with float64; what rounding can do at most follows from the Cauchy-Schwarz inequality.

    A sum that leaves 32 bits would be wrong by about twice the product of the two lengths: thousands of times more.
    """
    from alvin_core.encoding.fixed_point import FixedPointLinear
    from alvin_core.encoding.fixed_point_kernels import LARGEST, LARGEST_NORM, SPARE_NORM

    assert FixedPointLinear.takes(linear)
    n_in = linear.in_features
    with torch.inference_mode():
        found = FixedPointLinear(linear)(torch.from_numpy(rows.astype(np.float32))).double().numpy()
    x, w = rows.astype(np.float32).astype(np.float64), linear.weight.double().numpy()
    exact = x @ w.T + (0 if linear.bias is None else linear.bias.double().numpy())
    limit = LARGEST_NORM - np.sqrt(n_in) / 2 - SPARE_NORM
    x_length, w_length = np.linalg.norm(x, axis=-1)[..., None], np.linalg.norm(w, axis=-1)
    x_step = np.maximum(x_length / limit, np.abs(x).max(axis=-1)[..., None] / LARGEST) * (1 + 1e-3)
    w_step = np.maximum(w_length / limit, np.abs(w).max(axis=-1) / LARGEST) * (1 + 1e-3)
    half = np.sqrt(n_in) / 2  # the most that rounding to whole numbers moves a row
    most = half * (x_length * w_step + x_step * w_length) + half**2 * x_step * w_step
    most = most + 1e-6 * (np.abs(exact) + x_length * w_length) + 1e-30
    assert found.shape == exact.shape
    assert (np.abs(found - exact) <= most).all()


@pytest.mark.parametrize("n_rows", [1, 5, 6, 7, 95, 96, 97, 200])
@pytest.mark.parametrize(("n_in", "n_out"), [(2, 16), (16, 32), (30, 48), (384, 64)])
def test_products_are_those_of_float64_to_the_rounding_of_rows(n_rows: int, n_in: int, n_out: int) -> None:
    rng = np.random.default_rng(n_rows)
    check(layer(n_in, n_out), rng.normal(size=(n_rows, n_in)))


def test_a_batch_of_sequences_keeps_its_shape_and_a_layer_may_have_no_bias() -> None:
    check(layer(32, 16, bias=False), np.random.default_rng(0).normal(size=(3, 5, 32)))


def test_inputs_that_are_not_contiguous_are_read_in_their_order() -> None:
    from alvin_core.encoding.fixed_point import FixedPointLinear

    linear, states = layer(32, 16), torch.randn(4, 32, 7)
    turned = states.transpose(1, 2)
    assert torch.equal(FixedPointLinear(linear)(turned), FixedPointLinear(linear)(turned.contiguous()))


def test_a_bias_that_is_a_slice_is_read_in_its_order() -> None:
    from alvin_core.encoding.fixed_point import FixedPointLinear

    linear = layer(8, 16)
    linear.bias = torch.nn.Parameter(torch.arange(64.0)[::4], requires_grad=False)
    assert torch.equal(FixedPointLinear(linear)(torch.zeros(1, 8))[0], torch.arange(16.0) * 4)


@pytest.mark.parametrize("n_in", [2, 384, 1536, 8192])
@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_the_largest_sums_that_rows_can_have_stay_within_32_bits(n_in: int, scale: float) -> None:
    rng = np.random.default_rng(n_in)
    random = rng.normal(size=n_in)
    one = np.zeros(n_in)
    one[n_in // 2] = 1
    signs = np.where(rng.random(n_in) < 0.5, -1.0, 1.0)
    # A row has its largest product with weights that point where it does. 0.1 and 1/3 round the same way each time
    # that their squares are added up.
    weights = np.stack([np.ones(n_in), np.full(n_in, 0.1), np.full(n_in, 1 / 3), signs, random, one, -one, -random] * 2)
    check(layer(n_in, 16, weights * scale), weights * scale)


@pytest.mark.parametrize("n_in", [2, 384, 8192])
def test_whole_numbers_are_as_long_as_they_may_be_and_no_longer(n_in: int) -> None:
    from alvin_core.encoding import fixed_point, fixed_point_kernels

    rng = np.random.default_rng(0)
    rows = np.stack([np.ones(n_in), np.full(n_in, 0.1), rng.normal(size=n_in), rng.random(n_in) + 1e-3])
    rounded = np.zeros(n_in, dtype=np.int16)
    for row in rows.astype(np.float32):
        step = fixed_point_kernels._round_row(row, fixed_point._longest(n_in), rounded)
        whole = rounded.astype(np.int64)
        assert np.abs(whole * np.float64(step) - row).max() <= step * (0.5 + 0.01)
        squares = int((whole**2).sum())
        assert squares < 2**31
        assert squares > 2**31 * 0.97 or np.abs(whole).max() >= 32765


def test_a_row_with_one_number_far_above_the_rest_keeps_the_rest_to_its_step() -> None:
    rows = np.random.default_rng(0).normal(size=(8, 384))
    rows[:, 7] = 1e4
    check(layer(384, 64), rows)


def test_rows_from_the_smallest_to_the_largest_numbers_keep_their_size() -> None:
    rows = np.random.default_rng(0).normal(size=(1, 64)) * np.logspace(-28, 30, 30)[:, None]
    check(layer(64, 16, bias=False), rows)


def test_rows_of_zeros_and_next_to_zero_give_the_bias() -> None:
    from alvin_core.encoding.fixed_point import FixedPointLinear

    linear = layer(32, 16)
    rows = torch.stack([torch.zeros(32), torch.full((32,), 1e-40), -torch.zeros(32)])
    assert torch.equal(FixedPointLinear(linear)(rows), linear.bias.expand(3, 16))


def test_weights_of_zeros_give_the_bias() -> None:
    from alvin_core.encoding.fixed_point import FixedPointLinear

    linear = layer(32, 16, np.zeros((16, 32)))
    assert torch.equal(FixedPointLinear(linear)(torch.randn(5, 32)), linear.bias.expand(5, 16))


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [0, 13, 31])
def test_a_row_that_is_not_finite_is_nan_and_its_neighbours_are_not(broken: float, place: int) -> None:
    from alvin_core.encoding.fixed_point import FixedPointLinear

    linear = layer(32, 16)
    rows = torch.randn(13, 32)
    expected = FixedPointLinear(linear)(rows)
    rows[6, place] = broken
    found = FixedPointLinear(linear)(rows)
    assert found[6].isnan().all()
    others = [row for row in range(13) if row != 6]
    assert torch.equal(found[others], expected[others])


def test_outputs_are_float32_whatever_torch_makes_by_default() -> None:
    from alvin_core.encoding.fixed_point import FixedPointLinear

    rounded, rows = FixedPointLinear(layer(32, 16)), torch.randn(7, 32)
    expected = rounded(rows)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(rounded(rows), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_no_rows_give_no_outputs() -> None:
    from alvin_core.encoding.fixed_point import FixedPointLinear

    assert FixedPointLinear(layer(32, 16))(torch.zeros(2, 0, 32)).shape == (2, 0, 16)


def test_layers_of_other_sizes_or_numbers_are_left_as_they_are() -> None:
    from alvin_core.encoding.fixed_point import FixedPointLinear, with_fixed_point

    class Own(torch.nn.Linear):
        pass

    broken = layer(32, 16)
    broken.weight[3, 4] = float("nan")
    kept = [
        layer(32, 17),
        layer(31, 16),
        layer(8194, 16),
        layer(32, 16).double(),
        Own(32, 16),
        broken,
        torch.nn.GELU(),
    ]
    model = torch.nn.Sequential(layer(32, 16), *kept)
    changed = with_fixed_point(model)
    assert [type(module) for module in changed] == [FixedPointLinear, *map(type, kept)]
    assert type(model[0]) is torch.nn.Linear
    assert changed[1].weight is model[1].weight  # shared, not copied
    assert changed[0].weight is model[0].weight
    assert copy.deepcopy(changed)[0] is changed[0]


@pytest.fixture
def settings_of(encoder_folder: Callable[[str], Path]) -> Callable[[str], EncoderSettings]:
    return lambda family: EncoderSettings(name=str(encoder_folder(family)), max_length=64)


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "mpnet", "albert", "distilbert", "modernbert"])
def test_every_family_gives_nearly_its_float32_vectors(
    settings_of: Callable[[str], EncoderSettings], texts: Texts, family: str
) -> None:
    settings = settings_of(family)
    exact, rounded = (
        embed(load_encoder(settings, plan), texts, None, settings=settings, plan=plan, cache_dir=None)
        for plan in (FLOAT32, INT16)
    )
    error = np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert 0 < error.max() < 2e-3


@pytest.mark.parametrize("family", ["bert", "albert", "modernbert"])
def test_a_texts_vector_does_not_depend_on_its_batch_nor_on_threads(
    settings_of: Callable[[str], EncoderSettings], texts: Texts, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alvin_core.encoding import encode

    settings, before = settings_of(family), torch.get_num_threads()
    found = []
    try:
        for threads, tokens in ((1, 2048), (1, 100), (3, 100)):
            monkeypatch.setattr(encode, "_BATCH_TOKENS", {"cpu": tokens})
            plan = replace(INT16, threads=threads)
            torch.set_num_threads(threads)  # as an engine does
            found.append(embed(load_encoder(settings, plan), texts, None, settings=settings, plan=plan, cache_dir=None))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(found[1], found[2])  # the same batches on three threads at once
    # Padding to another width moves the last bits of attention's own float32, which rounding may carry one step on.
    assert np.abs(found[0] - found[1]).max() < 1e-3 * np.abs(found[0]).max()


def test_states_for_trained_layers_come_from_the_rounded_part_and_the_body_stays_float32(
    settings_of: Callable[[str], EncoderSettings], texts: Texts
) -> None:
    settings = settings_of("bert")
    found = {}
    for plan in (FLOAT32, INT16):
        encoder = load_encoder(settings, plan)
        features = compute_features(
            encoder, texts, None, trainable_layers=2, settings=settings, plan=plan, cache_dir=None
        )
        body = encoder.body(2)
        assert all(type(module).__name__ != "FixedPointLinear" for module in body.modules())
        with torch.inference_mode():
            found[plan.inference_dtype] = body(features.batch(np.arange(len(texts)), torch.device("cpu"))).numpy()
    error = np.abs(found["int16"] - found["float32"]).max() / np.abs(found["float32"]).max()
    assert 0 < error < 5e-3


def test_an_encoder_that_16_bits_are_too_coarse_for_is_refused_with_a_remedy(
    settings_of: Callable[[str], EncoderSettings], texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of("bert")
    encoder = load_encoder(settings, INT16)
    # One input of 30 million to others of 1, which the weights take out again.
    with torch.no_grad():
        norm = encoder.model.embeddings.LayerNorm
        norm.bias[0], norm.weight[0] = 3e7, 0.0
        for block in encoder.model.encoder.layer:
            for module in (block.attention.self.query, block.attention.self.key, block.attention.self.value):
                module.weight[:, 0] = 0
        encoder.model.encoder.layer[0].attention.output.LayerNorm.weight[0] = 0.0
        encoder.model.encoder.layer[0].attention.output.dense.bias[0] = -3e7
    with pytest.raises(EncoderError, match=r"off by .*%; set runtime.inference_dtype to 'float32'"):
        embed(encoder, texts, None, settings=settings, plan=INT16, cache_dir=None)


@pytest.mark.skipif(packaged_folder() is None, reason="the extra 'offline' is not installed")
def test_the_default_encoders_vectors_point_where_those_of_float32_do(sample_reviews: list[str]) -> None:
    settings, texts = EncoderSettings(), Texts.pack(sample_reviews)
    exact, rounded = (
        embed(load_encoder(settings, plan), texts, None, settings=settings, plan=plan, cache_dir=None)
        for plan in (FLOAT32, INT16)
    )
    cosine = (exact * rounded).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    assert cosine.min() > 0.99999
    assert not np.array_equal(exact, rounded)


@pytest.fixture
def sample_reviews() -> list[str]:
    from alvin_core.data.reading import load_dataset
    from alvin_core.data.samples import sample_path

    dataset = load_dataset(sample_path("reviews"))
    return [*dataset.texts.take(np.arange(0, len(dataset), 80)), "", "x", "😀 " * 40, "long " * 400]


def test_the_tolerance_lies_between_16_bits_and_bfloat16() -> None:
    assert 1e-3 < transformer._ROUNDING_TOLERANCE < 1e-2
