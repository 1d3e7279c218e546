"""Encoding texts beside sentence-transformers: texts a second, cosine of the vectors, share of the machine's ceiling.

    python benchmarks/encoding.py                            # the sample reviews, under two minutes
    python benchmarks/encoding.py --quick                    # a few texts, to see that it works
    python benchmarks/encoding.py --data FILE.csv --texts 500 --split pool
    python benchmarks/encoding.py --device cuda --texts 50000

The packaged MiniLM for all, cut at as many tokens, the same texts and threads, in one process, in turns, texts in and
vectors out: tokenisation is part of it, loading is not. The peer is given its best batch size of several. Both are
also timed in bfloat16, so that what a number format gains is told from what we gain. Before anything is timed, the
vectors of all must point where the peer's in float32 do.

The floor counts two operations for each weight of a linear layer and each token that is there, and attention's two
products; padding, softmax, GELU and norms are not in it. Products of 16-bit whole numbers are held against float32's
ceiling too: above 100 % they do more than float32 could.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from ceilings import machine, matmul_gflops, read_bandwidth
from sentence_transformers import SentenceTransformer

from alvin_core.data.dataset import Texts
from alvin_core.data.reading import load_dataset
from alvin_core.data.samples import sample_path
from alvin_core.device import DevicePlan, apply_threads, plan_device
from alvin_core.encoding.features import embed
from alvin_core.encoding.models import packaged_folder
from alvin_core.encoding.transformer import Encoder, load_encoder
from alvin_core.settings import EncoderSettings, RuntimeSettings
from alvin_core.types import Float32Array, IntArray

ENCODER = EncoderSettings()
LEAST_COSINE = {"float32": 0.9999, "int16": 0.9999, "bfloat16": 0.99}
SLOW = 4  # texts for a number format that the device has no instructions for


@dataclass
class Contender:
    """One way to encode, and how long it took in each turn.

    Attributes
    ----------
    name, dtype : str
    encode : callable
        Texts to vectors of shape (n, dim).
    """

    name: str
    dtype: str
    encode: Callable[[list[str]], Float32Array]
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def run(self, texts: list[str]) -> None:
        start, processor = time.perf_counter(), time.process_time()
        self.encode(texts)
        self.seconds.append(time.perf_counter() - start)
        self.processor.append(time.process_time() - processor)


def ours(dtype: str, options: argparse.Namespace) -> tuple[Contender, Encoder]:
    """Load this project's encoder in a number format."""
    plan = DevicePlan(options.device, options.threads, dtype, options.device)  # type: ignore[arg-type]
    encoder = load_encoder(ENCODER, plan)

    def encode(texts: list[str]) -> Float32Array:
        return embed(encoder, Texts.pack(texts), None, settings=ENCODER, plan=plan, cache_dir=None)

    return Contender("ours", dtype, encode), encoder


def peers(dtype: str, batch_sizes: list[int], options: argparse.Namespace) -> list[Contender]:
    """Load sentence-transformers in a number format, once for all batch sizes."""
    model = SentenceTransformer(
        str(packaged_folder()), device=options.device, model_kwargs={"dtype": getattr(torch, dtype)}
    )
    model.max_seq_length = ENCODER.max_length

    def of_size(batch_size: int) -> Callable[[list[str]], Float32Array]:
        def encode(texts: list[str]) -> Float32Array:
            vectors = model.encode(texts, batch_size=batch_size, show_progress_bar=False, convert_to_tensor=True)
            return vectors.float().cpu().numpy()

        return encode

    return [Contender(f"sentence-transformers, batches of {size}", dtype, of_size(size)) for size in batch_sizes]


def cosines(vectors: Float32Array, exact: Float32Array) -> Float32Array:
    """Return the cosine of each row with its like; the peer's vectors have length 1 already, ours have not."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(exact, axis=1)
    return (vectors * exact).sum(axis=1) / lengths


def floors(encoder: Encoder, lengths: IntArray) -> tuple[float, float]:
    """Return the least operations (10⁹) and bytes (10⁹): weights of the layers and word vectors read once."""
    layers = encoder.model.encoder.layer
    weights = [weight for weight in layers.parameters() if weight.ndim == 2]
    in_products = sum(weight.numel() for weight in weights)
    lengths = lengths.astype(np.int64)
    attention = 4 * len(layers) * encoder.dim * int((lengths**2).sum())
    n_tokens = int(lengths.sum())
    return (2 * in_products * n_tokens + attention) / 1e9, 4 * (in_products + n_tokens * encoder.dim) / 1e9


def check(contenders: list[Contender], texts: list[str]) -> dict[str, Float32Array]:
    """Return everybody's cosines with the first contender's vectors; stop where they are too low."""
    exact = contenders[0].encode(texts)
    found = {}
    for one in contenders:
        found[one.name + one.dtype] = same = cosines(one.encode(texts), exact)
        if not same.min() >= LEAST_COSINE[one.dtype]:
            raise SystemExit(f"{one.name}, {one.dtype}: cosine with float32 of the peer is {same.min():.5f}")
    return found


def in_turns(contenders: list[Contender], texts: list[str], turns: int) -> None:
    for _ in range(turns):
        for one in contenders:
            one.run(texts)


def show(
    contenders: list[Contender],
    texts: list[str],
    found: dict[str, Float32Array],
    work: float,
    ceilings: dict[str, float],
) -> None:
    """Print a row for each contender; × is how many times the texts a second of the peer's best in float32."""
    peer = min((one for one in contenders if one.name != "ours"), key=lambda one: min(one.seconds))
    least = min(min(one.processor) for one in contenders if one.name != "ours")
    for one in contenders:
        seconds, processor, same = min(one.seconds), min(one.processor), found[one.name + one.dtype]
        gflops = ceilings.get(one.dtype, ceilings["float32"])
        print(
            f"| {one.name}, {one.dtype} | {len(texts) / seconds:,.0f} | {min(peer.seconds) / seconds:.2f} | "
            f"{least / processor:.2f} | {same.min():.6f}, {same.mean():.6f} | {work / seconds:,.0f} | "
            f"{work / seconds / gflops:.0%} |",
            flush=True,
        )


def start_up() -> str:
    """Time a new process up to its first vector, less what the libraries take to be imported."""
    code = (
        "import time; import torch, transformers, transformers.models.bert.modeling_bert; start = time.perf_counter(); "
        "from alvin_core.device import *; from alvin_core.settings import *; "
        "from alvin_core.encoding.features import embed; from alvin_core.encoding.transformer import load_encoder; "
        "from alvin_core.data.dataset import Texts; plan = plan_device(RuntimeSettings(device='cpu')); "
        "encoder = load_encoder(EncoderSettings(), plan); "
        "embed(encoder, Texts.pack(['a film']), None, settings=EncoderSettings(), plan=plan, cache_dir=None); "
        "print(f'{time.perf_counter() - start:.2f}')"
    )
    done = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in (0, 1)]
    return ", ".join(one.stdout.strip().splitlines()[-1] for one in done)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few texts, one turn, one batch size")
    parser.add_argument("--data", help="a data set of single texts; the sample reviews by default")
    parser.add_argument("--split", default="pool", help="which of its texts; 'all' for all")
    parser.add_argument("--texts", type=int, help="drawn at random")
    parser.add_argument("--turns", type=int, help="of each; the fastest counts")
    parser.add_argument("--batch-sizes", type=int, nargs="+", help="of the peer")
    parser.add_argument("--threads", type=int, default=plan_device(RuntimeSettings(device="cpu")).threads)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    on_card = options.device != "cpu"
    options.texts = options.texts or (24 if options.quick else 20_000 if on_card else 600)
    options.turns = options.turns or (1 if options.quick else 3)
    options.batch_sizes = options.batch_sizes or ([32] if options.quick else [128, 512, 2048] if on_card else [8, 32])
    return options


def main() -> None:
    options = read_options()
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    apply_threads(options.threads)
    dataset = load_dataset(options.data or sample_path("reviews"))
    rows = np.arange(len(dataset)) if options.split == "all" else dataset.rows_of(options.split)
    texts = dataset.texts.take(np.random.default_rng(0).permutation(rows)[: options.texts])
    mine, encoder = ours("float32", options)
    full = [*peers("float32", options.batch_sizes, options), mine]
    chosen = plan_device(RuntimeSettings(device=options.device)).inference_dtype
    if chosen == "int16":
        full.append(ours(chosen, options)[0])
    half = [*peers("bfloat16", options.batch_sizes[-1:], options), ours("bfloat16", options)[0]]
    lengths = encoder.reader.read(Texts.pack(texts)).lengths
    has_half = chosen == "bfloat16"
    ceilings = {dtype: matmul_gflops(options.threads, dtype, options.device) for dtype in ("float32", "bfloat16")}
    work, moved = floors(encoder, lengths)
    bandwidth = read_bandwidth(options.threads, options.device)
    print(
        f"{datetime.date.today()}, {machine(options.device)}; {options.threads} threads; 'auto' takes {chosen}\n"
        f"ceilings {', '.join(f'{most:,.1f} GFLOP/s in {dtype}' for dtype, most in ceilings.items())}, "
        f"{bandwidth:.1f} GB/s\n"
        f"{len(texts)} texts, {lengths.sum():,} tokens (longest {lengths.max()}); floors {work:,.1f} GFLOP = "
        f"{work / ceilings['float32']:.2f} s, {moved:.2f} GB = {moved / bandwidth:.2f} s\n\n"
        "| who | texts a second | × | × by processor time | least, mean cosine | GFLOP/s | of the ceiling |\n"
        + "|---" * 7
        + "|"
    )
    turn_all(full, half, texts, options.turns, has_half, ceilings, work)
    if options.device == "cpu" and not options.quick:
        print(f"\nstart-up, encoder loaded and one text encoded, libraries imported before: {start_up()} s")


def turn_all(
    full: list[Contender],
    half: list[Contender],
    texts: list[str],
    turns: int,
    has_half: bool,
    ceilings: dict[str, float],
    work: float,
) -> None:
    """Check and time both number formats; without instructions for bfloat16, on a few texts and once."""
    few = texts if has_half else texts[:SLOW]
    found = check([*full, *half], few)
    if few is not texts:
        found |= check(full, texts)
    in_turns(full, texts, turns)
    show(full, texts, found, work, ceilings)
    best = min((one for one in full if one.name != "ours"), key=lambda one: min(one.seconds))
    if not has_half:
        print(f"\nbfloat16, for which this processor has no instructions, on {len(few)} texts:\n", flush=True)
        best.seconds.clear()
        best.processor.clear()
    in_turns(half, few, turns if has_half else 1)
    if not has_half:
        in_turns([best], few, 1)
    show([best, *half], few, found, work * sum(map(len, few)) / sum(map(len, texts)), ceilings)


if __name__ == "__main__":
    main()
