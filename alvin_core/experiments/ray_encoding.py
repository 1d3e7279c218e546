"""A data set encoded by a Ray cluster, once for all cells: Ray Data hands the shards to encoders on its nodes.

The shards are those that `encode_texts` would write, and their batches come out the same, so on a CPU the cache's
entry has the same bytes as if this machine had encoded alone.
"""

from __future__ import annotations

import logging
import platform
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from alvin_core import errors
from alvin_core.data.dataset import Dataset
from alvin_core.device import DevicePlan, plan_device
from alvin_core.encoding.cache import CachedEntry, EntryWriter
from alvin_core.encoding.encode import EncodingWork, Shard, encode_tokens, filled_by
from alvin_core.encoding.features import compute_features
from alvin_core.encoding.tokens import TokenCounts, Tokens
from alvin_core.encoding.transformer import Depth, Encoder, load_encoder
from alvin_core.errors import AlvinError, DeviceError
from alvin_core.experiments.ray_cluster import Place, look_at_cluster, quiet_ray
from alvin_core.experiments.ray_nodes import Home, NodeView, check_node, last_line, other_weights, view_node
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.settings import RunSettings

__all__ = ["encode_on_ray"]

POLL_SECONDS = 0.2  # how long a wish to stop may have to wait
LAST_SECONDS = 3.0  # that actors which are to end have to do so
Row = dict[str, Any]


def encode_on_ray(
    dataset: Dataset, settings: RunSettings, cache_dir: Path, progress: Progress = silent, view: NodeView | None = None
) -> dict[str, CachedEntry]:
    """Encode what runs with these settings read, on the cluster that was joined; nothing where all is cached.

    Parameters
    ----------
    dataset : Dataset
    settings : RunSettings
        With the number of threads.
    cache_dir : Path
        Shards are written as they arrive, so that what was interrupted goes on from there.
    progress : Progress
        Stages ``tokenise`` and ``encode``, in texts. What it raises stops the work.
    view : NodeView, optional
        What `view_node` returned, where it is known.

    Returns
    -------
    dict of str to CachedEntry
        By key, all that a run with these settings reads from the cache.

    Raises
    ------
    EncoderError, DeviceError, SettingsError, StoreError
        As encoding on one machine does; DeviceError when the nodes cannot work.
    """
    depths = {settings.training.trainable_layers, *((0,) if settings.space == "encoder" else ())} - {"all"}
    if not depths:  # token ids are not encoded
        return {}
    view = view or view_node(settings, progress)
    encoder, plan = _reading_encoder(view, depths)
    with filled_by(partial(_fill, view=view)) as entries:
        for depth in sorted(depths, key=str):
            compute_features(
                encoder,
                dataset.texts,
                dataset.second_texts,
                trainable_layers=depth,
                settings=settings.encoder,
                plan=plan,
                cache_dir=cache_dir,
                progress=progress,
            )
    return dict(entries)


def _reading_encoder(view: NodeView, depths: set[Depth]) -> tuple[Encoder, DevicePlan]:
    """Return the encoder as the nodes have it: it reads texts and names the entry here, and encodes there."""
    kind, dtype = view.home.kind, view.home.inference_dtype
    settings = view.settings
    here = plan_device(replace(settings.runtime, device="cpu", inference_dtype=dtype))  # type: ignore[arg-type]
    encoder = load_encoder(settings.encoder, here)
    for depth in depths:
        encoder.check_depth(depth)  # while it is where it says
    there = here if kind == "cpu" else replace(here, device=kind)
    encoder.plan = there
    encoder.multiple = view.multiple or encoder.multiple
    return encoder, there


def _fill(work: EncodingWork, writer: EntryWriter, *, view: NodeView) -> int:
    """Have the cluster encode the shards that an entry lacks; return the number of texts."""
    shards = [shard for shard in work.shards() if not writer.has(shard.start, shard.stop)]
    if len(shards) <= 1 and view.home.kind == "cpu":
        return work.into(writer)  # done here before a node has begun
    n_texts = sum(shard.n_texts for shard in shards)
    done, total = len(work.tokens) - n_texts, len(work.tokens)

    def tell(note: str = "") -> None:
        work.progress(ProgressEvent("encode", done, total, note))

    n_encoders = min(len(shards), look_at_cluster().room(view.place))
    tell(f"waiting for {n_encoders} encoders of the cluster")
    rows = [_row_of(work.tokens, shard, number) for number, shard in enumerate(shards)]
    told = {
        "settings": view.settings,
        "home": view.home,
        "fingerprint": work.encoder.fingerprint,
        "n_top": work.n_top,
    }
    for answer in _answers(rows, told, view.place, n_encoders, tell):
        if answer["error"]:
            raise getattr(errors, answer["error"], AlvinError)(answer["note"])
        shard = shards[answer["number"]]
        values = np.frombuffer(answer["values"], dtype=np.float32 if work.n_top is None else np.float16)
        writer.write(shard.start, values.reshape(shard.stop - shard.start, -1))
        done += shard.n_texts
        tell(answer["note"])
    return n_texts


def _row_of(tokens: Tokens, shard: Shard, number: int) -> Row:
    """Return a shard as a row of Ray Data: its token ids as bytes, in the order in which it is encoded."""
    rows = np.concatenate(shard.batches)
    places = np.concatenate([np.arange(tokens.offsets[row], tokens.offsets[row + 1]) for row in rows])
    return {
        "number": number,
        "ids": tokens.ids[places].tobytes(),
        "types": b"" if tokens.types is None else tokens.types[places].tobytes(),
        "lengths": tokens.lengths[rows].tobytes(),
    }


def _tokens_of(row: Row) -> Tokens:
    lengths = np.frombuffer(row["lengths"], dtype=np.int32)
    return Tokens(
        ids=np.frombuffer(row["ids"], dtype=np.int32),
        types=np.frombuffer(row["types"], dtype=np.uint8) if row["types"] else None,
        offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        counts=TokenCounts(lengths, lengths),
    )


class ShardEncoder:
    """An actor of Ray Data: loads the encoder at its first shard, and keeps it."""

    def __init__(self, settings: RunSettings, home: Home, fingerprint: str, n_top: int | None) -> None:
        self._settings, self._home, self._fingerprint, self._n_top = settings, home, fingerprint, n_top
        self._encoder: Encoder | None = None

    def __call__(self, row: Row) -> Row:
        try:
            note = "" if self._encoder else self._load()
            assert self._encoder is not None
            values = encode_tokens(self._encoder, _tokens_of(row), self._n_top)
        except AlvinError as error:  # told as a value, so that Ray does not take it for a crash
            return {"number": row["number"], "values": b"", "note": str(error), "error": type(error).__name__}
        return {"number": row["number"], "values": values.tobytes(), "note": note, "error": ""}

    def _load(self) -> str:
        check_node(self._home, self._settings.runtime)
        plan = plan_device(self._settings.runtime)
        encoder = load_encoder(self._settings.encoder, plan)
        if encoder.fingerprint != self._fingerprint:
            raise other_weights(encoder.name)
        encoder.check_depth(self._n_top or 0)
        self._encoder = encoder
        return f"an encoder is ready on {platform.node()} ({plan.name})"


def _answers(
    rows: Sequence[Row], told: Mapping[str, Any], place: Place, n_encoders: int, tick: Callable[[], None]
) -> Iterator[Row]:
    """Yield each row's answer as it comes, and call ``tick`` while none does."""
    with quiet_ray(), _quiet_data() as ray_data:
        data = ray_data.from_items(list(rows), override_num_blocks=len(rows)).map(
            ShardEncoder,
            fn_constructor_kwargs=dict(told),
            compute=ray_data.ActorPoolStrategy(size=n_encoders),
            **place.options(),
        )
        answers: queue.Queue[Row | BaseException | None] = queue.Queue(maxsize=n_encoders)
        stop = threading.Event()
        # Ray Data waits for its next row without an end; another thread waits, so that a wish to stop is heard.
        pump = threading.Thread(target=_pump, args=(data, answers, stop), daemon=True)
        pump.start()
        try:
            while True:
                try:
                    answer = answers.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    tick()
                    continue
                if answer is None:
                    return
                if isinstance(answer, BaseException):
                    raise DeviceError(f"the cluster stopped encoding: {last_line(answer)}") from answer
                yield answer
        finally:
            stop.set()
            pump.join(LAST_SECONDS)  # it hears of it at its next row; Ray Data then says on the screen that it ends


def _pump(data: Any, answers: queue.Queue[Row | BaseException | None], stop: threading.Event) -> None:
    def put(answer: Row | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                answers.put(answer, timeout=POLL_SECONDS)
                return

    try:
        with closing(iter(data.iter_rows())) as found:  # closed early, it ends the actors
            for row in found:
                put(row)
                if stop.is_set():
                    return
        put(None)
    except Exception as error:  # whatever it is, the thread that waits must hear of it
        put(error)


@contextmanager
def _quiet_data() -> Iterator[Any]:
    """Yield Ray Data, with its bars and remarks off the screen; its file has them."""
    import ray.data

    context = ray.data.DataContext.get_current()
    bars, printed = context.enable_progress_bars, context.print_on_execution_start
    handlers = logging.getLogger("ray.data").handlers
    consoles = [one for one in handlers if isinstance(one, logging.StreamHandler)]
    levels = [console.level for console in consoles]
    context.enable_progress_bars = context.print_on_execution_start = False
    for console in consoles:
        console.setLevel(logging.ERROR)
    try:
        yield ray.data
    finally:
        context.enable_progress_bars, context.print_on_execution_start = bars, printed
        for console, level in zip(consoles, levels, strict=True):
            console.setLevel(level)
