"""What ``/healthz`` and ``/metrics`` tell whoever watches the server from outside.

Both tell numbers alone: no text, no label, no name of a run or a person is in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as METRICS_TYPE

from alvin_core import AlvinError, count_store, worker_status
from dashboard.data import has_store, store

if TYPE_CHECKING:
    from alvin_core import StoreCounts

__all__ = ["METRICS_TYPE", "count_answer", "health", "metrics"]

SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0)

_registry = CollectorRegistry()
_answers = Counter("alvin_answers", "Answers of the routes beside the page", ["status"], registry=_registry)
_seconds = Histogram("alvin_answer_seconds", "How long they took", buckets=SECONDS, registry=_registry)


def count_answer(status: int, seconds: float) -> None:
    """Count an answer of a route."""
    _answers.labels(status=str(status)).inc()
    _seconds.observe(seconds)


class _StoreCollector:
    """Counts the store when it is asked to."""

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; of a store that cannot be read, that it cannot."""
        yield _gauge("alvin_info", "The version that serves", {(version("alvin-studio"),): 1}, ["version"])
        try:
            counts = count_store(store()) if has_store() else None
            is_up = worker_status(store()).alive
        except (AlvinError, OSError):
            yield _gauge("alvin_store_readable", "Whether the store can be read", {(): 0})
            return
        yield _gauge("alvin_store_readable", "Whether the store can be read", {(): 1})
        yield _gauge("alvin_worker_up", "Whether the store has a worker", {(): int(is_up)})
        if counts is not None:
            yield from _store_metrics(counts)


def _store_metrics(counts: StoreCounts) -> Iterator[Metric]:
    yield _gauge(
        "alvin_runs", "Runs, by where they are", {("use",): counts.n_runs, ("trash",): counts.n_trashed}, ["in"]
    )
    yield _gauge("alvin_rounds", "Finished rounds", {(): counts.n_rounds})
    yield _gauge("alvin_comparisons", "Comparisons", {(): counts.n_comparisons})
    yield _gauge("alvin_label_events", "Labels given and taken back", counts.labels, ["source", "action"])
    yield _gauge("alvin_marks", "Skips, flags and notes", {(): counts.n_marks})
    yield _gauge("alvin_jobs", "Jobs that are remembered", counts.jobs, ["kind", "state"])
    yield _gauge("alvin_store_free_bytes", "Free space on the disk of the store", {(): counts.free_bytes})


def _gauge(name: str, words: str, values: dict[Any, float], labels: list[str] | None = None) -> Metric:
    gauge = GaugeMetricFamily(name, words, labels=labels or [])
    for key, value in values.items():
        gauge.add_metric(key, value)
    return gauge


_registry.register(_StoreCollector())  # type: ignore[arg-type]


def health() -> tuple[int, dict[str, Any]]:
    """Whether this server can do its work: 200 where it can, 503 where the store cannot be read."""
    try:
        if has_store():
            count_store(store())
        is_up = worker_status(store()).alive
    except (AlvinError, OSError):  # the folder may not even be looked into
        return 503, {"status": "failing", "store": "cannot be read; `alvin doctor` and `alvin verify` tell more"}
    return 200, {"status": "ok", "store": "readable" if has_store() else "none yet", "worker": is_up}


def metrics() -> bytes:
    """Return all figures in the text format that `METRICS_TYPE` names."""
    return generate_latest(_registry)
