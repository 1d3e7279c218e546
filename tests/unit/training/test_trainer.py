from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from alvin_core.errors import Cancelled, DataError, DeviceError, EncoderError, LabelError, PoolError, SettingsError
from alvin_core.progress import ProgressEvent, silent
from alvin_core.settings import TrainingSettings
from alvin_core.training import fitting
from alvin_core.training.batches import by_width
from alvin_core.training.classifier import SmallHead
from alvin_core.training.trainer import STEPS_TO_DROP, train

DEPTHS = pytest.mark.parametrize("depth", [0, 1, "all"])
FAST = TrainingSettings(epochs=6, learning_rate=3e-3, head_learning_rate=1e-2, batch_size=8, hidden=16)
ROWS = np.arange(40)


def fit(world, encoder, depth, *, rows=ROWS, classes=None, n_classes=2, seed=3, settings=FAST, progress=silent):
    classes = world.classes[rows] if classes is None else classes
    return train(
        encoder,
        world.features(depth),
        rows,
        classes,
        n_classes,
        world.ids[rows],
        replace(settings, trainable_layers=depth),
        seed=seed,
        plan=world.plan,
        progress=progress,
    )


@DEPTHS
def test_two_leaning_classes_are_told_apart_on_unseen_examples(world, tiny_encoder, depth):
    model = fit(world, tiny_encoder(), depth)
    unseen = np.arange(40, 160)
    assert (model.predict(unseen).classes == world.classes[unseen]).mean() > 0.95
    assert model.losses[-1] < model.losses[0]


@DEPTHS
def test_one_seed_gives_the_same_bits_and_another_seed_does_not(world, tiny_encoder, depth):
    first, second, other = (fit(world, tiny_encoder(), depth, seed=seed) for seed in (3, 3, 4))
    everything = np.arange(160)
    assert np.array_equal(first.losses, second.losses)
    assert np.array_equal(first.dynamics.gold_prob, second.dynamics.gold_prob)
    assert np.array_equal(first.predict(everything).vectors, second.predict(everything).vectors)
    assert np.array_equal(first.predict(everything).probs, second.predict(everything).probs)
    assert not np.array_equal(first.predict(everything).probs, other.predict(everything).probs)


def test_a_small_head_gives_the_same_bits_whatever_threads_the_caller_uses(world, tiny_encoder):
    before = torch.get_num_threads()
    results = []
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            results.append(fit(world, tiny_encoder(), 0).dynamics.gold_prob)
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(*results)


@DEPTHS
def test_training_leaves_the_callers_random_numbers_alone(world, tiny_encoder, depth):
    torch.manual_seed(11)
    expected = torch.rand(4)
    torch.manual_seed(11)
    fit(world, tiny_encoder(), depth)
    assert torch.equal(torch.rand(4), expected)


@DEPTHS
def test_what_was_drawn_before_does_not_change_a_training(world, tiny_encoder, depth):
    torch.manual_seed(1)
    first = fit(world, tiny_encoder(), depth)
    torch.manual_seed(2)
    assert np.array_equal(fit(world, tiny_encoder(), depth).dynamics.gold_prob, first.dynamics.gold_prob)


def test_every_round_starts_from_a_fresh_copy_of_the_encoder(world, tiny_encoder):
    encoder = tiny_encoder()
    first, second = fit(world, encoder, 1), fit(world, encoder, 1)
    assert len(encoder.bodies) == 2
    assert np.array_equal(first.dynamics.gold_prob, second.dynamics.gold_prob)


def test_frozen_weights_stay_and_trained_weights_move(world, tiny_encoder):
    encoder = tiny_encoder()
    fit(world, encoder, 1)
    start, trained = tiny_encoder().body(1), encoder.bodies[0]
    assert torch.equal(start.frozen.weight, trained.frozen.weight)
    assert not torch.equal(start.trained.weight, trained.trained.weight)


@DEPTHS
def test_the_dynamics_are_recorded_after_each_epoch_in_evaluation_mode(world, tiny_encoder, depth):
    model = fit(world, tiny_encoder(), depth, settings=replace(FAST, dropout=0.8))
    dynamics = model.dynamics
    assert dynamics.correct.shape == dynamics.gold_prob.shape == (6, 40)
    assert dynamics.ids.tolist() == world.ids[ROWS].tolist()
    # The last epoch's record is what the finished model says: no dropout, and no weights from before the epoch.
    probs = model.predict(ROWS).probs
    assert np.allclose(dynamics.gold_prob[-1], probs[np.arange(40), world.classes[ROWS]], atol=1e-6)
    assert np.array_equal(dynamics.correct[-1], probs.argmax(axis=1) == world.classes[ROWS])


@DEPTHS
def test_fewer_epochs_at_a_steady_rate_give_the_first_rows_of_more(world, tiny_encoder, depth, monkeypatch):
    monkeypatch.setattr(fitting, "warmup_then_decay", lambda step, n_steps, warmup: 1.0)
    short = fit(world, tiny_encoder(), depth, settings=replace(FAST, epochs=2))
    long = fit(world, tiny_encoder(), depth, settings=replace(FAST, epochs=4))
    assert np.array_equal(short.dynamics.gold_prob, long.dynamics.gold_prob[:2])


@DEPTHS
def test_predictions_come_in_the_order_of_the_rows_and_as_one_by_one(world, tiny_encoder, depth):
    model = fit(world, tiny_encoder(), depth)
    rows = np.random.default_rng(0).permutation(160)[:90]
    together = model.predict(rows)
    alone = [model.predict(np.asarray([row])) for row in rows]
    assert np.allclose(together.probs, np.concatenate([one.probs for one in alone]), atol=1e-5)
    assert np.allclose(together.vectors, np.concatenate([one.vectors for one in alone]), atol=1e-5)


@DEPTHS
def test_probabilities_are_float32_and_sum_to_one(world, tiny_encoder, depth):
    predictions = fit(world, tiny_encoder(), depth).predict(np.arange(160))
    assert predictions.probs.dtype == predictions.vectors.dtype == np.float32
    assert predictions.vectors.shape == (160, FAST.hidden if depth == 0 else 12)
    assert np.allclose(predictions.probs.sum(axis=1), 1, atol=1e-6)


@DEPTHS
def test_representations_are_left_out_where_nobody_asks_for_them(world, tiny_encoder, depth):
    model = fit(world, tiny_encoder(), depth)
    without = model.predict(ROWS, represent=False)
    assert without.vectors is None
    assert np.array_equal(without.probs, model.predict(ROWS).probs)


@DEPTHS
def test_predicting_nothing_gives_nothing(world, tiny_encoder, depth):
    predictions = fit(world, tiny_encoder(), depth).predict(np.asarray([], dtype=np.int64))
    assert predictions.probs.shape == (0, 2)


@DEPTHS
def test_a_class_without_examples_has_a_column_all_the_same(world, tiny_encoder, depth):
    model = fit(world, tiny_encoder(), depth, n_classes=5)
    assert model.predict(ROWS).probs.shape == (40, 5)
    assert model.predict(ROWS).classes.max() <= 1


@DEPTHS
@pytest.mark.parametrize("n_labeled", [1, 7])
def test_one_class_or_even_one_example_can_be_trained_on(world, tiny_encoder, depth, n_labeled):
    rows = np.flatnonzero(world.classes == 1)[:n_labeled]
    model = fit(world, tiny_encoder(), depth, rows=rows)
    assert model.dynamics.gold_prob[-1].mean() > model.dynamics.gold_prob[0].mean()
    assert np.isfinite(model.predict(np.arange(160)).probs).all()


@DEPTHS
def test_the_callback_can_stop_training_within_a_batch(world, tiny_encoder, depth):
    events: list[ProgressEvent] = []

    def stop_at_the_third(event: ProgressEvent) -> None:
        events.append(event)
        if len(events) == 3:
            raise Cancelled("stopped")

    before = torch.get_rng_state()
    with pytest.raises(Cancelled):
        fit(world, tiny_encoder(), depth, progress=stop_at_the_third)
    assert [(event.stage, event.done, event.total) for event in events] == [("train", 0, 6)] * 3
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_counts_epochs_up_to_the_last(world, tiny_encoder):
    events: list[ProgressEvent] = []
    model = fit(world, tiny_encoder(), 0, progress=events.append)
    done = [event.done for event in events]
    assert done == sorted(done)
    assert events[-1] == ProgressEvent("train", 6, 6)
    model.predict(ROWS, progress=events.append)
    assert events[-1] == ProgressEvent("predict", 40, 40)


@pytest.mark.parametrize("limit", [1, 3])
def test_running_out_of_memory_changes_neither_the_steps_nor_the_predictions(world, tiny_encoder, limit):
    settings, events = replace(FAST, dropout=0.0, epochs=2), []
    whole, little = tiny_encoder(), tiny_encoder(limit=limit)
    for encoder in (whole, little):  # dropout draws differently for parts
        encoder.body = lambda depth, made=encoder.body: _without_dropout(made(depth))
    expected = fit(world, whole, 1, settings=settings)
    model = fit(world, little, 1, settings=settings, progress=events.append)
    notes = [event.note for event in events if event.note]
    assert any("gradients added up" in note for note in notes)
    assert len(notes) < 10, "the smaller batch is remembered, not found again in every step"
    assert np.allclose(model.losses, expected.losses, atol=1e-5)
    assert np.allclose(model.dynamics.gold_prob, expected.dynamics.gold_prob, atol=1e-4)
    rows = np.arange(160)
    assert np.allclose(model.predict(rows).probs, expected.predict(rows).probs, atol=1e-4)


def _without_dropout(body: torch.nn.Module) -> torch.nn.Module:
    body.dropout.p = 0.0
    return body


def test_an_example_that_does_not_fit_by_itself_is_a_device_error_with_a_remedy(world, tiny_encoder):
    with pytest.raises(DeviceError, match="train fewer layers"):
        fit(world, tiny_encoder(limit=0), 1)


def test_running_examples_of_one_width_together_changes_no_step(world, tiny_encoder, monkeypatch):
    def make():
        encoder = tiny_encoder()
        encoder.body = lambda depth, made=encoder.body: _without_dropout(made(depth))
        return encoder

    settings = replace(FAST, dropout=0.0, epochs=2)
    apart = fit(world, make(), 1, settings=settings)
    monkeypatch.setattr(
        fitting,
        "by_width",
        lambda positions, widths, at_most, *, split: by_width(positions, widths, at_most, split=False),
    )
    together = fit(world, make(), 1, settings=settings)
    assert np.allclose(apart.dynamics.gold_prob, together.dynamics.gold_prob, atol=1e-4)


def test_no_step_has_a_gradient_above_one_and_each_part_learns_at_its_own_rate(world, tiny_encoder):
    norms, rates = [], []

    def look(optimizer, args, kwargs):
        gradients = [weight.grad for group in optimizer.param_groups for weight in group["params"]]
        norms.append(float(torch.cat([gradient.flatten() for gradient in gradients]).norm()))
        rates.append([group["lr"] for group in optimizer.param_groups])

    loud = replace(world, tokens=[50 * tokens for tokens in world.tokens])
    handle = register_optimizer_step_pre_hook(look)
    try:
        fit(loud, tiny_encoder(), 1, settings=replace(FAST, epochs=4, warmup=0.5))
    finally:
        handle.remove()
    assert len(norms) == 4 * 5  # 40 examples in batches of 8
    assert max(norms) == pytest.approx(1, abs=1e-3)
    encoder_rates, head_rates = np.asarray(rates)[:, 0], np.asarray(rates)[:, -1]
    assert np.allclose(head_rates / encoder_rates, 1e-2 / 3e-3)
    assert encoder_rates.argmax() == 10
    assert encoder_rates.max() == pytest.approx(3e-3)
    assert (np.diff(encoder_rates[:11]) > 0).all()
    assert (np.diff(encoder_rates[10:]) < 0).all()


def test_a_small_head_follows_a_plainly_written_training_loop(world, tiny_encoder):
    settings = replace(FAST, dropout=0.0, batch_size=40, epochs=5, warmup=0.0)
    model = fit(world, tiny_encoder(), 0, settings=settings)

    vectors = world.features(0).batch(ROWS, "cpu")["vectors"]
    gold = torch.from_numpy(world.classes[ROWS])
    start = torch.Generator().manual_seed(3)
    head = SmallHead(vectors, 2, hidden=16, dropout=0.0, generator=start)
    decayed, plain = [head.hidden.weight, head.output.weight], [head.hidden.bias, head.output.bias]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}])
    for epoch in range(5):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * (5 - epoch) / 5
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head.classify(head.represent(vectors)), gold).backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            probs = head.classify(head.represent(vectors)).softmax(dim=1)
        assert np.allclose(model.dynamics.gold_prob[epoch], probs[np.arange(40), gold], atol=1e-5)


def test_moving_and_scaling_all_vectors_of_a_frozen_encoder_changes_nothing(world, tiny_encoder):
    moved = replace(world, tokens=[0.05 * tokens + 3 for tokens in world.tokens])
    expected, found = (fit(place, tiny_encoder(), 0).predict(np.arange(160)).probs for place in (world, moved))
    assert np.allclose(found, expected, atol=1e-3)


def test_no_labeled_example_is_refused(world, tiny_encoder):
    with pytest.raises(PoolError, match="0 labeled examples: training needs at least 1"):
        fit(world, tiny_encoder(), 0, rows=np.asarray([], dtype=np.int64))


@pytest.mark.parametrize("bad", [-1, 2])
def test_a_label_outside_the_classes_is_refused_by_name(world, tiny_encoder, bad):
    classes = world.classes[ROWS].copy()
    classes[4] = bad
    with pytest.raises(LabelError, match=f"first e4 with class {bad}"):
        fit(world, tiny_encoder(), 0, classes=classes)


def test_one_class_in_the_whole_data_is_refused(world, tiny_encoder):
    with pytest.raises(DataError, match="1 class in the data"):
        fit(world, tiny_encoder(), 0, classes=np.zeros(40, dtype=int), n_classes=1)


@DEPTHS
def test_features_that_are_not_numbers_are_blamed_on_the_encoder(world, tiny_encoder, depth):
    world.tokens[5] = np.full_like(world.tokens[5], np.nan)
    with pytest.raises(EncoderError, match="labeled example 'e5'"):
        fit(world, tiny_encoder(), depth)


@DEPTHS
def test_a_pool_example_that_is_not_a_number_is_found_when_predicted(world, tiny_encoder, depth):
    world.tokens[150] = np.full_like(world.tokens[150], np.inf)
    model = fit(world, tiny_encoder(), depth)
    with pytest.raises(EncoderError, match="1 of 160 predictions are not numbers, first that of row 150"):
        model.predict(np.arange(160))


def test_training_that_diverges_says_which_rates_to_lower(world, tiny_encoder):
    encoder = tiny_encoder()
    encoder.body = lambda depth, made=encoder.body: _Exploding(made(depth))
    settings = replace(FAST, learning_rate=0.9, head_learning_rate=0.9, epochs=20)
    with pytest.raises(SettingsError, match=r"diverged in epoch .* of 20 .*learning_rate = 0\.9.*lower"):
        fit(world, encoder, 1, settings=settings)


class _Exploding(torch.nn.Module):
    def __init__(self, body: torch.nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, batch):
        return torch.exp(60 * self.body(batch))


def test_rows_outside_the_features_are_a_mistake_in_code(world, tiny_encoder):
    model = fit(world, tiny_encoder(), 0)
    with pytest.raises(ValueError, match="rows from 0 to 160"):
        model.predict(np.asarray([0, 160]))
    with pytest.raises(ValueError, match="rows from -1 to 5"):
        model.predict(np.asarray([-1, 5]))


def test_importing_the_package_does_not_import_torch():
    code = "import sys, alvin_core.training; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@DEPTHS
def test_the_last_layer_read_by_hand_gives_the_predictions(world, tiny_encoder, depth):
    model = fit(world, tiny_encoder(), depth)
    said = model.predict(np.arange(40, 160))
    logits = said.vectors.astype(np.float64) @ model.weight.T + model.bias
    by_hand = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(said.probs, by_hand, atol=1e-5)


@DEPTHS
def test_draws_under_dropout_differ_repeat_with_their_seed_and_agree_in_the_mean(world, tiny_encoder, depth):
    model = fit(world, tiny_encoder(), depth)
    rows = np.arange(40, 100)
    before = model.predict(rows).probs
    torch.manual_seed(11)
    expected = torch.rand(4)
    torch.manual_seed(11)
    drawn = model.draw(rows, 60, seed=5)
    assert torch.equal(torch.rand(4), expected)
    assert drawn.shape == (60, 60, 2)
    assert np.array_equal(drawn, model.draw(rows, 60, seed=5))
    assert not np.array_equal(drawn, model.draw(rows, 60, seed=6))
    np.testing.assert_allclose(drawn.sum(axis=2), 1, atol=1e-5)
    assert (drawn.std(axis=0) > 0).all()
    assert np.abs(drawn.mean(axis=0) - before).max() < 0.15
    assert np.array_equal(model.predict(rows).probs, before)  # in evaluation mode again


def test_without_dropout_every_draw_is_the_prediction(world, tiny_encoder):
    model = fit(world, tiny_encoder(), 0, settings=replace(FAST, dropout=0.0))
    rows = np.arange(40, 60)
    for drawn in model.draw(rows, 3, seed=0):
        np.testing.assert_allclose(drawn, model.predict(rows).probs, atol=1e-6)


@pytest.mark.parametrize("depth", [1, "all"])
def test_an_encoder_that_is_trained_drops_values_anew_in_each_draw(world, tiny_encoder, depth):
    model = fit(world, tiny_encoder(), depth, settings=replace(FAST, dropout=0.0))  # none in the head
    assert (model.draw(np.arange(40, 60), 8, seed=0).std(axis=0) > 0).all()


def test_a_draw_costs_the_dropped_values_of_a_head_or_the_trained_weights_of_an_encoder(world, tiny_encoder):
    frozen = fit(world, tiny_encoder(), 0)
    assert frozen.draw_steps == 16 * (STEPS_TO_DROP + 2)
    deeper = fit(world, tiny_encoder(), 1)
    n_trained = 12 * 12 + 12 + 2 * 12 + 12 * 2 + 2
    assert deeper.draw_steps == int(n_trained * float(np.mean(world.features(1).lengths)))
