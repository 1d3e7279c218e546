from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alvin_core.training import DynamicsRecorder, Predictions
from alvin_core.training.batches import Examples, by_width
from alvin_core.training.classifier import Classifier, LinearHead, parameter_groups
from alvin_core.training.evaluation import Evaluator
from alvin_core.training.predictions import softmax
from alvin_core.training.schedule import warmup_then_decay


def test_the_recorder_keeps_gold_probabilities_and_finds_what_was_forgotten():
    recorder = DynamicsRecorder(np.asarray(["a", "b", "c"]), np.asarray([0, 1, 1]))
    recorder.record(np.asarray([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]]))
    recorder.record(np.asarray([[0.8, 0.2], [0.6, 0.4], [0.9, 0.1]]))
    dynamics = recorder.finish()
    assert dynamics.correct.tolist() == [[True, True, False], [True, False, False]]
    assert np.allclose(dynamics.gold_prob, [[0.9, 0.7, 0.4], [0.8, 0.4, 0.1]])
    assert dynamics.n_forgotten.tolist() == [0, 1, 0]


def test_a_tie_between_classes_counts_as_the_first_class():
    recorder = DynamicsRecorder(np.asarray([7, 8]), np.asarray([0, 1]))
    recorder.record(np.asarray([[0.5, 0.5], [0.5, 0.5]]))
    assert recorder.finish().correct.tolist() == [[True, False]]


def test_a_record_of_another_length_is_a_mistake_in_code():
    recorder = DynamicsRecorder(np.asarray(["a", "b"]), np.asarray([0, 1]))
    with pytest.raises(ValueError, match="probs=1, classes=2"):
        recorder.record(np.asarray([[0.5, 0.5]]))


def test_a_recorder_without_epochs_gives_dynamics_without_epochs():
    assert DynamicsRecorder(np.asarray(["a"]), np.asarray([0])).finish().correct.shape == (0, 1)


def test_softmax_of_huge_and_tiny_logits_is_exact_and_sums_to_one():
    probs = softmax(np.asarray([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0], [np.log(3), 0.0, -np.inf]]))
    assert np.allclose(probs, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.75, 0.25, 0]])


def test_predictions_name_the_likeliest_class_and_its_probability():
    predictions = Predictions(probs=np.asarray([[0.2, 0.8], [0.5, 0.5]], dtype=np.float32))
    assert predictions.classes.tolist() == [1, 0]
    assert np.allclose(predictions.confidence, [0.8, 0.5])
    assert len(predictions) == 2


def test_predictions_of_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="probs=2, vectors=3"):
        Predictions(probs=np.ones((2, 2), dtype=np.float32), vectors=np.ones((3, 4), dtype=np.float32))


def test_without_warmup_the_rate_falls_from_full_along_a_line():
    assert [warmup_then_decay(step, 4, 0.0) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_with_half_the_steps_warming_up_the_rate_rises_and_falls():
    rates = [warmup_then_decay(step, 6, 0.5) for step in range(6)]
    assert np.allclose(rates, [0.25, 0.5, 0.75, 1, 2 / 3, 1 / 3])


@given(st.integers(1, 500), st.floats(0, 0.999))
def test_no_step_is_wasted_on_a_rate_of_zero(n_steps, warmup):
    rates = [warmup_then_decay(step, n_steps, warmup) for step in range(n_steps)]
    assert min(rates) > 0
    assert max(rates) == 1


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=40),
    st.integers(1, 10),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_parts_of_a_batch_hold_each_example_once(widths, at_most, split, random):
    widths = np.asarray(widths) * 16
    positions = np.asarray(random.sample(range(len(widths)), random.randint(1, len(widths))))
    parts = list(by_width(positions, widths, at_most, split=split))
    assert sorted(np.concatenate(parts)) == sorted(positions)
    assert max(map(len, parts)) <= at_most
    if split:
        assert all(len(set(widths[part])) == 1 for part in parts)


def test_biases_and_norms_are_not_decayed_and_every_trained_weight_is_in_one_group(tiny_encoder):
    body = tiny_encoder().body(1)
    classifier = Classifier(body, LinearHead(12, 3, 0.1, torch.Generator()))
    groups = parameter_groups(classifier, learning_rate=1e-4, head_learning_rate=1e-3, weight_decay=0.02)
    found = [(group["lr"], group["weight_decay"], [id(weight) for weight in group["params"]]) for group in groups]
    output = classifier.head.output
    assert found == [
        (1e-4, 0.02, [id(body.trained.weight)]),
        (1e-4, 0.0, [id(body.trained.bias), id(body.norm.weight), id(body.norm.bias)]),
        (1e-3, 0.02, [id(output.weight)]),
        (1e-3, 0.0, [id(output.bias)]),
    ]


def test_evaluation_runs_the_widest_first_in_batches_of_few_shapes(world, tiny_encoder):
    features = world.features(1)
    shapes = []
    draw = features.batch
    features.batch = lambda rows, device: (
        shapes.append((len(rows), int(features.lengths[rows].max()))) or draw(rows, device)
    )
    classifier = Classifier(tiny_encoder().body(1), LinearHead(12, 2, 0.1, torch.Generator()))
    examples = Examples(features, np.arange(160), torch.device("cpu"), fixed=False)
    Evaluator(classifier, torch.device("cpu"), tokens=512).run(
        examples, represent=False, report=lambda done, note: None
    )
    padded = [-(-longest // 16) * 16 for _, longest in shapes]
    assert padded == sorted(padded, reverse=True)
    assert sum(n_rows for n_rows, _ in shapes) == 160
    assert all(n_rows * width <= 512 for (n_rows, _), width in zip(shapes, padded, strict=True))
    assert {n_rows for n_rows, _ in shapes[:-1]} <= {8, 16, 32}


def test_bfloat16_inference_agrees_with_float32_to_its_precision(world, tiny_encoder):
    classifier = Classifier(tiny_encoder().body(1), LinearHead(12, 2, 0.1, torch.Generator().manual_seed(0)))
    examples = Examples(world.features(1), np.arange(160), torch.device("cpu"), fixed=False)
    full, half = (
        Evaluator(classifier, torch.device("cpu"), dtype=dtype).run(
            examples, represent=True, report=lambda done, note: None
        )
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert half[1].dtype == np.float32
    assert not np.array_equal(full[1], half[1])
    assert np.allclose(full[1], half[1], atol=0.05)
