"""Training a round beside small-text and Hugging Face's Trainer: seconds, share of the floor, accuracy.

    python benchmarks/training.py                          # the sample reviews, one seed, under two minutes
    python benchmarks/training.py --quick                  # a few texts, to see that it works
    python benchmarks/training.py --long FILE.csv          # 200 labels, 6 epochs, 3 seeds, accuracy on the test split
    python benchmarks/training.py --depths 2 --device cuda

Same encoder, labeled texts, epochs, batch size, learning rate, weight decay, clipping and layers for all, in one
process, in turns. Everybody predicts the labeled set after each epoch, as a round needs; the time without that is given
for the peers too. Prediction of the pool is no part of it. Our head has a rate of its own (--head-learning-rate), and
reads the mean over tokens, theirs the pooled first token. With the top layers trained, ours reads the states below from
the cache; filling it for the labeled texts is timed apart, since a run does it once and not in each round.

Before anything is timed, the trainer must give the probabilities of a plainly written loop over padded batches through
all layers and all words, without dropout.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from ceilings import machine, matmul_gflops, read_bandwidth
from training_peers import PEERS, Fitted, Measured, Task, has_trainer

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.data.reading import load_dataset
from alvin_core.data.samples import sample_path
from alvin_core.device import DevicePlan, apply_threads
from alvin_core.encoding.features import Features, compute_features
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.settings import EncoderSettings, TrainingSettings
from alvin_core.training.classifier import Classifier, LinearHead, parameter_groups
from alvin_core.training.schedule import warmup_then_decay
from alvin_core.training.trainer import train
from alvin_core.types import FloatArray, IntArray

ENCODER = EncoderSettings()
AGREE = 5e-3  # of a probability: the cache holds states in half precision


@dataclass(frozen=True)
class Ours:
    """The trainer of this project, ready to train a task."""

    task: Task
    encoder: Encoder
    head_learning_rate: float

    def features(self, texts: list[str]) -> Features:
        plan, depth = self.encoder.plan, self.task.depth
        packed = Texts.pack(texts)
        return compute_features(
            self.encoder, packed, None, trainable_layers=depth, settings=ENCODER, plan=plan, cache_dir=None
        )

    def fit(self, features: Features) -> tuple[Fitted, FloatArray]:
        """Train; return the probabilities of the labeled set as well."""
        task, rows = self.task, np.arange(len(self.task.texts))
        settings = TrainingSettings(
            trainable_layers=task.depth,
            epochs=task.epochs,
            batch_size=task.batch_size,
            learning_rate=task.learning_rate,
            head_learning_rate=self.head_learning_rate,
            weight_decay=task.weight_decay,
        )
        n_classes = len(np.unique(task.classes))
        start, processor_start = time.perf_counter(), time.process_time()
        model = train(
            self.encoder,
            features,
            rows,
            task.classes,
            n_classes,
            rows,
            settings,
            seed=task.seed,
            plan=self.encoder.plan,
        )
        seconds, processor = time.perf_counter() - start, time.process_time() - processor_start

        def predict() -> IntArray:
            test = self.features(task.test_texts)
            return model.reading(test).predict(np.arange(len(task.test_texts)), represent=False).classes

        return Fitted(seconds, processor, float("nan"), predict), model.predict(rows, represent=False).probs


def check(task: Task, encoder: Encoder) -> float:
    """Compare the trainer with a plain loop, without dropout; return the largest difference of a probability."""
    dropouts = {module: module.p for module in encoder.model.modules() if isinstance(module, torch.nn.Dropout)}
    for dropout in dropouts:
        dropout.p = 0.0
    try:
        few = replace(task, texts=task.texts[:40], classes=task.classes[:40], epochs=2, batch_size=8)
        ours = Ours(few, encoder, 1e-3)
        rows, n_classes = np.arange(len(few.texts)), len(np.unique(few.classes))
        settings = TrainingSettings(trainable_layers=task.depth, epochs=2, batch_size=8, dropout=0.0)
        settings = replace(settings, learning_rate=few.learning_rate, head_learning_rate=1e-3)
        model = train(
            encoder, ours.features(few.texts), rows, few.classes, n_classes, rows, settings, seed=3, plan=encoder.plan
        )
        gap = np.abs(model.predict(rows, represent=False).probs - plain_loop(few, encoder, n_classes)).max()
    finally:
        for dropout, p in dropouts.items():
            dropout.p = p
    if not gap < AGREE:
        raise SystemExit(f"trainable_layers={task.depth}: a plain loop gives probabilities that differ by {gap:.4f}")
    return float(gap)


def plain_loop(task: Task, encoder: Encoder, n_classes: int) -> FloatArray:
    """Fine-tune as a textbook does: padded batches, all layers run, all words stepped, lower layers frozen."""
    generator = torch.Generator().manual_seed(3)
    body = encoder.body("all")
    model = Classifier(body, LinearHead(encoder.dim, n_classes, 0.0, generator)).to(task.device)
    if task.depth != "all":
        for part in (body.model.embeddings, *body.model.encoder.layer[: -task.depth]):
            part.requires_grad_(False)
    rates = {"learning_rate": task.learning_rate, "head_learning_rate": 1e-3}
    groups = parameter_groups(model, **rates, weight_decay=task.weight_decay)
    optimizer = torch.optim.AdamW(groups)
    n_steps = task.epochs * -(-len(task.texts) // task.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_then_decay(step, n_steps, 0.1) if step < n_steps else 0
    )
    inputs = encoder.reader.tokenizer(task.texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    batch = {name: inputs[name].to(task.device) for name in ("input_ids", "attention_mask")}
    gold = torch.from_numpy(task.classes).to(task.device)
    for _ in range(task.epochs):
        for chosen in torch.randperm(len(gold), generator=generator).split(task.batch_size):
            optimizer.zero_grad()
            logits = model({name: tensor[chosen] for name, tensor in batch.items()})
            torch.nn.functional.cross_entropy(logits, gold[chosen]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return model(batch).softmax(dim=1).cpu().numpy()


def floors(task: Task, encoder: Encoder, n_tokens: int) -> tuple[float, float]:
    """Return the least operations (10⁹) and bytes (10⁹) of a training.

    Two operations a weight and token forward, four backward, in the trained layers, on real tokens only; forward once
    more for the look after each epoch. Nothing below the trained layers needs a gradient, so what the queries, keys and
    values of the first of the top layers read has none. AdamW reads weight, gradient and two moments and writes three
    of them, of every trained weight, in each step.
    """
    layers = encoder.model.encoder.layer[0 if task.depth == "all" else -task.depth :]
    in_products = sum(weight.numel() for weight in layers.parameters() if weight.ndim == 2)
    n_weights = sum(weight.numel() for weight in layers.parameters())
    not_needed = 0 if task.depth == "all" else 2 * 3 * encoder.dim**2
    n_steps = task.epochs * -(-len(task.texts) // task.batch_size)
    return (8 * in_products - not_needed) * n_tokens * task.epochs / 1e9, 7 * 4 * n_weights * n_steps / 1e9


def measure(
    task: Task, ours: Ours, features: Features, options: argparse.Namespace, found: dict[str, Measured]
) -> None:
    """Train a task by everybody in turns."""
    for _ in range(options.repeats):
        for name, one in found.items():
            fitted = ours.fit(features)[0] if name == "ours" else PEERS[name](task)
            if torch.get_num_threads() != task.threads:
                raise SystemExit(f"{name} left {torch.get_num_threads()} threads instead of {task.threads}")
            one.fitted.append(fitted)
            tell(task, name, f"{fitted.seconds:.2f} s, {fitted.processor:.2f} s of processor")
    for name, one in found.items():
        if task.test_texts:
            one.accuracy.append(float((one.fitted[-1].predict() == options.gold).mean()))
            tell(task, name, f"accuracy {one.accuracy[-1]:.3f}")
        one.let_go()


def tell(task: Task, name: str, what: str) -> None:
    print(f"{task.depth}, seed {task.seed}, {name}: {what}", file=sys.stderr, flush=True)


def compare(tasks: list[Task], encoder: Encoder, options: argparse.Namespace) -> None:
    """Measure one depth and print its rows."""
    depth = tasks[0].depth
    gap = check(tasks[0], encoder)
    found = {name: Measured() for name in ("ours", *options.peers)}
    for task in tasks:
        ours = Ours(task, encoder, options.head_learning_rate)
        start = time.perf_counter()
        features = ours.features(task.texts)
        filling = time.perf_counter() - start
        measure(task, ours, features, options, found)
    work, moved = floors(tasks[-1], encoder, int(features.lengths.sum()))
    floor = max(work / options.gflops, moved / options.bandwidth)
    best = found["ours"]
    for name, one in found.items():
        seconds, processor = one.least("seconds"), one.least("processor")
        ratio, of_processor = seconds / best.least("seconds"), processor / best.least("processor")
        without = one.without_looking / best.least("seconds")
        beside = (
            f"{ratio:.1f}, {of_processor:.1f} of processor, {without:.1f} without looking" if one is not best else ""
        )
        each = ", ".join(f"{value:.3f}" for value in one.accuracy)
        mean = f"{np.mean(one.accuracy):.3f} ({each})" if each else ""
        print(
            f"| {depth} | {name} | {seconds:.2f} s | {processor:.2f} s | {floor / seconds:.0%} | {beside} | {mean} |",
            flush=True,
        )
    print(
        f"\n{depth}: floors {work:.0f} GFLOP = {work / options.gflops:.2f} s and {moved:.1f} GB = "
        f"{moved / options.bandwidth:.2f} s; plain loop agrees within {gap:.1e}; cache of the labeled texts filled in "
        f"{filling:.2f} s, mean length {features.lengths.mean():.1f} tokens\n",
        flush=True,
    )


def labeled_rows(dataset: Dataset, n_labeled: int, seed: int) -> IntArray:
    """Draw labeled examples from the pool, of every class."""
    rows = np.random.default_rng(seed).permutation(dataset.rows_of("pool"))
    rows = rows[dataset.labels[rows] >= 0][:n_labeled]
    if len(np.unique(dataset.labels[rows])) < len(dataset.classes):
        raise SystemExit(f"{n_labeled} labels do not hold every class; take more")
    return rows


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="a data set of single texts; the sample reviews by default")
    parser.add_argument("--quick", action="store_true", help="24 labels, one epoch")
    parser.add_argument("--long", action="store_true", help="200 labels, 6 epochs, 3 seeds, accuracy on the test split")
    parser.add_argument("--depths", nargs="+", default=["2", "all"], choices=["1", "2", "3", "4", "5", "6", "all"])
    parser.add_argument("--labels", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--repeats", type=int, help="turns of each; the fastest counts")
    parser.add_argument("--test", type=int, default=1000, help="at most so many test texts")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--head-learning-rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    sizes = (24, 1, [0], 1) if options.quick else (200, 6, [0, 1, 2], 1) if options.long else (48, 2, [0], 2)
    for name, size in zip(("labels", "epochs", "seeds", "repeats"), sizes, strict=True):
        setattr(options, name, getattr(options, name) or size)
    options.left_out = [name for name in options.peers if name == "Trainer" and not has_trainer()]
    options.peers = [name for name in options.peers if name not in options.left_out]
    return options


def main() -> None:
    options = read_options()
    apply_threads(options.threads)
    dataset = load_dataset(options.file or sample_path("reviews"))
    if dataset.is_pairs:
        raise SystemExit(f"{options.file}: pairs of texts; small-text reads single texts only")
    plan = DevicePlan(options.device, options.threads, "float32", options.device)
    encoder = load_encoder(ENCODER, plan)
    options.gflops = matmul_gflops(options.threads, "float32", options.device)
    options.bandwidth = read_bandwidth(options.threads, options.device)
    test = dataset.rows_of("test")[: options.test if options.long else 0]
    options.gold = dataset.labels[test]
    print(
        f"{datetime.date.today()}, {machine(options.device)}; {options.threads} threads, {options.gflops:.0f} GFLOP/s, "
        f"{options.bandwidth:.1f} GB/s; {options.labels} labels, {options.epochs} epochs, batches of "
        f"{options.batch_size}, rate {options.learning_rate:g} (our head {options.head_learning_rate:g})\n"
    )
    if options.left_out:
        print("Trainer is not measured: it needs accelerate, which is not installed (pip install accelerate)\n")
    print("| layers | who | seconds | processor | of the floor | × ours | accuracy |\n" + "|---" * 7 + "|")
    for depth in options.depths:
        tasks = []
        for seed in options.seeds:
            rows = labeled_rows(dataset, options.labels, seed)
            texts, classes = dataset.texts.take(rows), dataset.labels[rows].astype(np.int64)
            learning = (options.epochs, options.batch_size, options.learning_rate, 0.01, options.threads)
            layers = depth if depth == "all" else int(depth)
            tasks.append(Task(layers, texts, classes, dataset.texts.take(test), *learning, options.device, seed))
        compare(tasks, encoder, options)


if __name__ == "__main__":
    main()
