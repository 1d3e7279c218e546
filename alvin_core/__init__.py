"""ALVIN Studio's engine: active-learning rounds on real text, with the reason for every pick.

Names are imported when they are first used, so that ``import alvin_core`` costs next to nothing.

>>> import alvin_core as alvin
>>> run = alvin.create_run("alvin-store", alvin.load_dataset("reviews.csv"), alvin.RunSettings(budget=50))
>>> for record in run.run_rounds(3):
...     print(record.metrics["test"]["accuracy"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from alvin_core.homes import HOMES

if TYPE_CHECKING:
    from alvin_core.anchors import make_anchors
    from alvin_core.classroom.phase import sweep_world
    from alvin_core.classroom.phase_plan import WorldPhasePlan, read_phase
    from alvin_core.classroom.quiz import make_questions
    from alvin_core.classroom.settings import WorldSettings
    from alvin_core.data.checking import check_dataset
    from alvin_core.data.columns import Columns
    from alvin_core.data.dataset import Dataset, Texts
    from alvin_core.data.planted import make_planted
    from alvin_core.data.problems import Problem, Report
    from alvin_core.data.reading import load_dataset
    from alvin_core.data.samples import sample_names, sample_path
    from alvin_core.data.spreadsheets import csv_of
    from alvin_core.device import DevicePlan, plan_device
    from alvin_core.errors import (
        AlvinError,
        AnnotationNeeded,
        Cancelled,
        DataError,
        DeviceError,
        EncoderError,
        LabelError,
        PoolError,
        RunBusyError,
        RunNotFoundError,
        SettingsError,
        StoreError,
        StoreVersionError,
    )
    from alvin_core.experiments.comparison import Comparison, create_comparison, list_comparisons, open_comparison
    from alvin_core.experiments.phase import PhasePlan, sweep_phase
    from alvin_core.experiments.phase_diagram import PhaseDiagram, PhasePoint, phase_markdown
    from alvin_core.experiments.plan import ComparisonPlan
    from alvin_core.experiments.report import comparison_markdown, summarize_comparison
    from alvin_core.experiments.results import CellResult, ComparisonResults, results_of
    from alvin_core.experiments.side_by_side import side_by_side
    from alvin_core.experiments.side_runs import runs_alike
    from alvin_core.experiments.side_values import (
        SideAnchor,
        SideBySide,
        SideOverlap,
        SidePick,
        SideRun,
        SideShares,
        SideView,
    )
    from alvin_core.experiments.summary import ArmCurve, ArmDifference, ArmSelection, ComparisonSummary, LabelsToReach
    from alvin_core.experiments.values import CellState, ComparisonInfo
    from alvin_core.groups import infer_groups
    from alvin_core.logs import set_up_logs
    from alvin_core.neighbors import nearest_in_pool
    from alvin_core.progress import Progress, ProgressEvent
    from alvin_core.projection import Projection
    from alvin_core.run import (
        ReplayRound,
        RoundRecord,
        Run,
        RunInfo,
        SubmitReport,
        create_run,
        delete_run,
        list_runs,
        open_run,
    )
    from alvin_core.run.agreeing import Agreement, ClassAgreement, Confusion, PairAgreement
    from alvin_core.run.assigning import Hold, QueueExample, QueueState
    from alvin_core.run.bundle import pack_run, unpack_run
    from alvin_core.run.diagnosing import Diagnosis
    from alvin_core.run.explaining import AnchorReason, Explanation
    from alvin_core.run.looking import MapAnchors, MapColumns
    from alvin_core.run.slice_rules import SliceInfo, SliceRule
    from alvin_core.run.trash import TrashedRun, list_trash, purge_trash, restore_run, trash_run
    from alvin_core.setting_info import SettingInfo, describe_settings
    from alvin_core.settings import (
        AlvinSettings,
        AnnotationSettings,
        EncoderSettings,
        GroupSettings,
        RunSettings,
        RuntimeSettings,
        TrainingSettings,
    )
    from alvin_core.store.location import has_store, store_folder
    from alvin_core.store.read_only import why_read_only
    from alvin_core.strategies import rank_candidates, strategy_names
    from alvin_core.types import (
        Anchors,
        Candidates,
        Groups,
        Neighbors,
        Provenance,
        Selection,
        TrainingDynamics,
    )
    from alvin_core.upkeep.activity import FinishedRound, StoreActivity, finished_rounds, store_activity
    from alvin_core.upkeep.backup import backup_store
    from alvin_core.upkeep.counting import StoreCounts, count_store
    from alvin_core.upkeep.findings import Finding, StoreReport
    from alvin_core.upkeep.mending import repair_store
    from alvin_core.upkeep.restoring import restore_store
    from alvin_core.upkeep.verifying import verify_store
    from alvin_core.worker import (
        Job,
        WorkerStatus,
        cancel_job,
        enqueue_job,
        get_job,
        list_jobs,
        start_worker,
        worker_status,
    )
    from alvin_core.worker.params import automatic_map_points
    from alvin_core.worker.questions import ask

__version__ = "0.1.0"

_HOME_OF = {name: home for home, names in HOMES.items() for name in names}

__all__ = [
    "Agreement",
    "AlvinError",
    "AlvinSettings",
    "AnchorReason",
    "Anchors",
    "AnnotationNeeded",
    "AnnotationSettings",
    "ArmCurve",
    "ArmDifference",
    "ArmSelection",
    "Cancelled",
    "Candidates",
    "CellResult",
    "CellState",
    "ClassAgreement",
    "Columns",
    "Comparison",
    "ComparisonInfo",
    "ComparisonPlan",
    "ComparisonResults",
    "ComparisonSummary",
    "Confusion",
    "DataError",
    "Dataset",
    "DeviceError",
    "DevicePlan",
    "Diagnosis",
    "EncoderError",
    "EncoderSettings",
    "Explanation",
    "Finding",
    "FinishedRound",
    "GroupSettings",
    "Groups",
    "Hold",
    "Job",
    "LabelError",
    "LabelsToReach",
    "MapAnchors",
    "MapColumns",
    "Neighbors",
    "PairAgreement",
    "PhaseDiagram",
    "PhasePlan",
    "PhasePoint",
    "PoolError",
    "Problem",
    "Progress",
    "ProgressEvent",
    "Projection",
    "Provenance",
    "QueueExample",
    "QueueState",
    "ReplayRound",
    "Report",
    "RoundRecord",
    "Run",
    "RunBusyError",
    "RunInfo",
    "RunNotFoundError",
    "RunSettings",
    "RuntimeSettings",
    "Selection",
    "SettingInfo",
    "SettingsError",
    "SideAnchor",
    "SideBySide",
    "SideOverlap",
    "SidePick",
    "SideRun",
    "SideShares",
    "SideView",
    "SliceInfo",
    "SliceRule",
    "StoreActivity",
    "StoreCounts",
    "StoreError",
    "StoreReport",
    "StoreVersionError",
    "SubmitReport",
    "Texts",
    "TrainingDynamics",
    "TrainingSettings",
    "TrashedRun",
    "WorkerStatus",
    "WorldPhasePlan",
    "WorldSettings",
    "__version__",
    "ask",
    "automatic_map_points",
    "backup_store",
    "cancel_job",
    "check_dataset",
    "comparison_markdown",
    "count_store",
    "create_comparison",
    "create_run",
    "csv_of",
    "delete_run",
    "describe_settings",
    "enqueue_job",
    "finished_rounds",
    "get_job",
    "has_store",
    "infer_groups",
    "list_comparisons",
    "list_jobs",
    "list_runs",
    "list_trash",
    "load_dataset",
    "make_anchors",
    "make_planted",
    "make_questions",
    "nearest_in_pool",
    "open_comparison",
    "open_run",
    "pack_run",
    "phase_markdown",
    "plan_device",
    "purge_trash",
    "rank_candidates",
    "read_phase",
    "repair_store",
    "restore_run",
    "restore_store",
    "results_of",
    "runs_alike",
    "sample_names",
    "sample_path",
    "set_up_logs",
    "side_by_side",
    "start_worker",
    "store_activity",
    "store_folder",
    "strategy_names",
    "summarize_comparison",
    "sweep_phase",
    "sweep_world",
    "trash_run",
    "unpack_run",
    "verify_store",
    "why_read_only",
    "worker_status",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'alvin_core' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
