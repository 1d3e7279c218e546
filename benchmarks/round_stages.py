"""Seconds of each stage of a round, told apart from outside: functions of the project are wrapped, none is changed."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["REST", "Stages"]

REST = "the rest"
BESIDE = "beside: "
# Stage -> where its function is looked up when a round calls it.
WRAPPED = {
    "data set read and checked": "alvin_core.run.handle:load_stored_dataset",
    "labels": "alvin_core.run.stepping:_annotate",
    "encoder loaded": "alvin_core.encoding.transformer:load_encoder",
    "vectors read from the cache": "alvin_core.encoding.features:compute_features",
    "train": "alvin_core.round:train_model",
    "predict": "alvin_core.round:predict_all",
    "metrics": "alvin_core.round:_evaluate_splits",
    "groups": "alvin_core.round:_infer_groups",
    "pool": "alvin_core.round:pool_of",
    "anchors": "alvin_core.strategies.alvin:make_anchors",
    "retrieval": "alvin_core.strategies.alvin:nearest_in_pool",
    "ranks, selection": "alvin_core.strategies.alvin:rank_candidates",
    "provenance": "alvin_core.strategies.alvin:_provenance",
    "figures of the selections": "alvin_core.round:summarize",
    "arrays": "alvin_core.run.stepping:arrays_of",
    "written to the store": "alvin_core.run.stepping:add_round",
}
SELECT = "alvin_core.strategies.selecting:_select"


@dataclass
class Stages:
    """Seconds of each stage, on the clock and of the processor; a stage within another one counts for itself alone."""

    clock: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    _open: list[list[float]] = field(default_factory=list)  # of the stages within each open one

    def wrap(self) -> None:
        """Wrap the functions of all stages, for the rest of the process."""
        for stage, place in WRAPPED.items():
            self._wrap(place, lambda *_, stage=stage: stage)
        self._wrap(SELECT, lambda entry, *_: BESIDE + entry.name if entry.name != "alvin" else "ranks, selection")

    def timed(self, work: Callable[[], Any]) -> Any:
        """Do some work; what no stage of it accounts for is the rest."""
        return self._run(REST, work)

    def _wrap(self, place: str, stage_of: Callable[..., str]) -> None:
        module_name, name = place.split(":")
        module = importlib.import_module(module_name)
        function = getattr(module, name)

        @functools.wraps(function)
        def wrapped(*args: Any, **options: Any) -> Any:
            return self._run(stage_of(*args), lambda: function(*args, **options))

        setattr(module, name, wrapped)

    def _run(self, stage: str, work: Callable[[], Any]) -> Any:
        self._open.append([0.0, 0.0])
        start = time.perf_counter(), time.process_time()
        try:
            return work()
        finally:
            took = time.perf_counter() - start[0], time.process_time() - start[1]
            within = self._open.pop()
            for seconds, whole, inner in zip((self.clock, self.processor), took, within, strict=True):
                seconds[stage] = seconds.get(stage, 0.0) + whole - inner
            if self._open:
                outer = self._open[-1]
                outer[0], outer[1] = outer[0] + took[0], outer[1] + took[1]
