"""What ``/healthz`` and ``/metrics`` tell whoever watches the server from outside.

Both tell numbers alone: no text, no label, no name of a run or a person is in them. docs/operations.md says what each
number is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as METRICS_TYPE

from alvin_core import AlvinError, count_store, finished_rounds, store_activity, worker_status
from dashboard.data import has_store, store
from dashboard.server_logs import COUNTS

if TYPE_CHECKING:
    from alvin_core import StoreActivity, StoreCounts

__all__ = ["METRICS_TYPE", "count_answer", "health", "metrics"]

SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
ROUND_SECONDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)

disable_created_metrics()  # a gauge beside every counter that says when the server started
_registry = CollectorRegistry()
_answers = Counter("alvin_answers", "Answers of the routes beside the page", ["status"], registry=_registry)
_seconds = Histogram("alvin_answer_seconds", "How long they took", buckets=SECONDS, registry=_registry)
_rounds = Histogram(
    "alvin_round_seconds", "Rounds stored while this server ran", buckets=ROUND_SECONDS, registry=_registry
)


def count_answer(status: int, seconds: float) -> None:
    """Count an answer of a route."""
    _answers.labels(status=str(status)).inc()
    _seconds.observe(seconds)


class _ServerCollector:
    """Tells what the server counted itself, from its first second on."""

    def collect(self) -> Iterator[Metric]:
        """Yield requests, open pages, and records of the logs."""
        counts = COUNTS.taken()
        requests = CounterMetricFamily("alvin_requests", "All requests to the server", labels=["of", "status"])
        for (of, status), n in counts.requests.items():
            requests.add_metric((of, status), n)
        records = CounterMetricFamily("alvin_log_records", "Warnings and errors that were logged", labels=["level"])
        for level, n in counts.records.items():
            records.add_metric((level,), n)
        yield from (requests, records)
        yield _gauge("alvin_sessions", "Browser windows with the page open", {(): counts.sessions})


class _RoundWatch:
    """Observes each round that is stored while this server runs, once."""

    def __init__(self) -> None:
        self._since = datetime.now(UTC).isoformat(timespec="microseconds")
        self._seen: set[tuple[str, int]] = set()  # of the newest time: a round may be stored in the same microsecond
        self._turn = Lock()

    def look(self) -> None:
        """Observe what is new."""
        with self._turn:
            for one in finished_rounds(store(), self._since):
                if one.key in self._seen:
                    continue
                _rounds.observe(one.seconds)
                if one.created_at > self._since:
                    self._since, self._seen = one.created_at, set()
                self._seen.add(one.key)


_round_watch = _RoundWatch()


class _StoreCollector:
    """Counts the store when it is asked to."""

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; of a store that cannot be read, that it cannot."""
        yield _gauge("alvin_info", "The version that serves", {(version("alvin-studio"),): 1}, ["version"])
        counts, activity = None, None
        try:
            if has_store():
                counts, activity = count_store(store()), store_activity(store())
            is_up = worker_status(store()).alive
        except (AlvinError, OSError):
            yield _gauge("alvin_store_readable", "Whether the store can be read", {(): 0})
            return
        yield _gauge("alvin_store_readable", "Whether the store can be read", {(): 1})
        yield _gauge("alvin_worker_up", "Whether the store has a worker", {(): int(is_up)})
        if counts is not None:
            yield from _store_metrics(counts)
        if activity is not None:
            yield from _activity_metrics(activity)


def _store_metrics(counts: StoreCounts) -> Iterator[Metric]:
    yield _gauge(
        "alvin_runs", "Runs, by where they are", {("use",): counts.n_runs, ("trash",): counts.n_trashed}, ["in"]
    )
    yield _gauge("alvin_rounds", "Finished rounds", {(): counts.n_rounds})
    yield _gauge("alvin_comparisons", "Comparisons", {(): counts.n_comparisons})
    yield _gauge("alvin_label_events", "Labels given and taken back", counts.labels, ["source", "action"])
    yield _gauge("alvin_marks", "Skips, flags and notes", {(): counts.n_marks})
    yield _gauge("alvin_opinions", "Opinions given and taken back", {(): counts.n_opinions})
    yield _gauge("alvin_jobs", "Jobs that are remembered", counts.jobs, ["kind", "state"])
    yield _gauge("alvin_store_free_bytes", "Free space on the disk of the store", {(): counts.free_bytes})


def _activity_metrics(activity: StoreActivity) -> Iterator[Metric]:
    rounds: dict[Any, float] = {(state,): n for state, n in activity.rounds.items()}
    yield _gauge("alvin_rounds_by_state", "Finished rounds, and jobs of rounds in other states", rounds, ["state"])
    yield _gauge(
        "alvin_job_queue_age_seconds",
        "How long the oldest job waits; 0 where none does",
        {(): activity.oldest_queued_seconds or 0.0},
    )
    yield _gauge(
        "alvin_job_heartbeat_age_seconds",
        "Since when the running job is silent; 0 where none runs",
        {(): activity.heartbeat_seconds or 0.0},
    )
    yield _gauge("alvin_people_active", "Annotators of the last 15 minutes", {(): activity.people_active})
    yield _gauge("alvin_leases", "Examples that are held for annotators", {(): activity.leases})


def _gauge(name: str, words: str, values: dict[Any, float], labels: list[str] | None = None) -> Metric:
    gauge = GaugeMetricFamily(name, words, labels=labels or [])
    for key, value in values.items():
        gauge.add_metric(key, value)
    return gauge


_registry.register(_StoreCollector())  # type: ignore[arg-type]
_registry.register(_ServerCollector())  # type: ignore[arg-type]


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
    try:
        if has_store():
            _round_watch.look()
    except (AlvinError, OSError):  # `alvin_store_readable` tells
        pass
    return generate_latest(_registry)
