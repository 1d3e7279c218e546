"""What the logs tell of a round: that it begins, how it ended, how long its parts took and its key figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps

from alvin_core.errors import AnnotationNeeded, Cancelled, PoolError
from alvin_core.logs import facts, log_about, log_error, run_log
from alvin_core.progress import Progress
from alvin_core.run.engine import Engine
from alvin_core.run.handle import RunHandle
from alvin_core.run.values import RoundRecord
from alvin_core.store.rounds import count_rounds

__all__ = ["logged"]

log = logging.getLogger("alvin_core.run")

Step = Callable[[RunHandle, Engine, Progress], RoundRecord]


def logged(step: Step) -> Step:
    """Have a step write to the logs when its round begins and how it ends."""

    @wraps(step)
    def run(handle: RunHandle, engine: Engine, progress: Progress) -> RoundRecord:
        with handle.store.read() as session:
            round_no = count_rounds(session, handle.row.id)
        with run_log(handle.row.id, handle.row.name), log_about(round=round_no):
            log.info("round begins", extra=facts(strategy=handle.settings.strategy, budget=handle.settings.budget))
            start = time.perf_counter()
            try:
                record = step(handle, engine, progress)
            except (AnnotationNeeded, Cancelled, PoolError) as state:
                log.info(
                    "round does not end", extra=facts(why=type(state).__name__, seconds=time.perf_counter() - start)
                )
                raise
            except BaseException as error:
                log_error(log, "round fails", error, seconds=time.perf_counter() - start)
                raise
            _tell(record, time.perf_counter() - start)
            return record

    return run


def _tell(record: RoundRecord, seconds: float) -> None:
    parts = {f"{name}_seconds": value for name, value in record.seconds.items()}
    told = facts(
        seconds=seconds,
        strategy=record.strategy,
        n_labeled=record.n_labeled,
        n_selected=record.selection.get("n"),
        n_anchors=record.anchors.get("n"),
        n_encoded=record.encoding.get("n_encoded"),
        n_warnings=len(record.warnings),
        test_accuracy=record.metrics.get("test", {}).get("accuracy"),  # other splits have names that people gave
        **parts,
    )
    log.info("round ends", extra=told)
