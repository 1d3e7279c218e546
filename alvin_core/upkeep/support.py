"""All that somebody who helps from afar would ask about a store, with no text, label, name, password or folder in it.

What is told is chosen, never what is hidden: numbers, states of this program, ids of runs, versions, places in code.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from alvin_core import errors
from alvin_core.errors import AlvinError, StoreError
from alvin_core.logs import code_place
from alvin_core.progress import Progress, silent
from alvin_core.run.environment import describe_environment
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import disk_reason
from alvin_core.store.database import Store, open_store
from alvin_core.store.tables import JobRow, LabelRow, MetaRow, RoundRow, RunRow
from alvin_core.upkeep.activity import store_activity
from alvin_core.upkeep.counting import count_store
from alvin_core.upkeep.log_tail import log_tails
from alvin_core.upkeep.probes import clock_facts, disk_facts, held_locks, sizes_of
from alvin_core.upkeep.support_text import as_text
from alvin_core.upkeep.verifying import verify_store

__all__ = ["support_report", "write_bundle"]

JOBS, RUNS, ROUNDS = 10, 5, 10  # the newest of each that are told of
# Settings whose words are this program's own; of others numbers and truth values alone are told.
OWN_WORDS = (
    "strategy", "annotator", "space", "groups.rule", "alvin.rank", "alvin.pair", "alvin.backend", "runtime.device",
    "runtime.inference_dtype", "training.trainable_layers", "encoder.pooling", "encoder.pair_encoding",
)  # fmt: skip
OWN_VARIABLES = (
    "ALVIN_LOG", "ALVIN_LOG_LEVEL", "ALVIN_WARM_UP", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "OMP_NUM_THREADS",
    "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
SET_OR_NOT = ("ALVIN_STORE", "ALVIN_LOG_FILE", "ALVIN_SIGN_IN", "HF_HOME", "PGPASSWORD", "PGSERVICE", "HTTPS_PROXY")
PLAIN = re.compile(r"[A-Za-z0-9_.:,-]{1,40}")
CLASS = re.compile(r"^(?:[a-z_][\w.]*\.)?([A-Z]\w{0,60})(?::|$)")
FRAME = re.compile(r'File "([^"]+)", line (\d+), in ([\w<>]+)')
KNOWN_ERRORS = {
    *errors.__all__,
    *(name for name, one in vars(builtins).items() if isinstance(one, type) and issubclass(one, BaseException)),
}
DEATHS = ("was killed by the system", "crashed in a library", "was ended by", "ended by itself", "the worker ended")


def support_report(store: Path | str, *, progress: Progress = silent) -> dict[str, Any]:
    """Look at a store and the machine it is on; a part that fails is told of and keeps no other from being told.

    Parameters
    ----------
    store : Path or str
    progress : Progress
        Of looking through the store, which takes longest.

    Returns
    -------
    dict
        Plain values. Nothing in them is a text of the data, a label, a name that somebody gave, a password or a folder.
    """
    told: dict[str, Any] = {"versions": _versions(), "variables": _variables()}
    try:
        opened = open_store(store)
    except (AlvinError, OSError) as error:
        return told | {"store": {"opens": False, "error": type(error).__name__}}
    parts: dict[str, Callable[[], Any]] = {
        "store": lambda: _store(opened),
        "counts": lambda: _counts(opened),
        "activity": lambda: asdict(store_activity(opened.path)),
        "disk": lambda: disk_facts(opened.path),
        "clock": lambda: clock_facts(opened.path, _newest(opened)),
        "sizes": lambda: sizes_of(opened.path),
        "locks": lambda: held_locks(opened.path),
        "verify": lambda: _verified(opened, progress),
        "runs": lambda: _runs(opened),
        "rounds": lambda: _rounds(opened),
        "jobs": lambda: _jobs(opened),
        "logs": lambda: log_tails(opened.path),
    }
    return told | {name: _try(part) for name, part in parts.items()}


def _try(part: Callable[[], Any]) -> Any:
    try:
        return part()
    except Exception as error:  # a damaged store fails in any way, and must not break its own diagnosis
        return {"failed": type(error).__name__}


def _versions() -> dict[str, Any]:
    told = describe_environment()
    names = ("python", "implementation", "platform", "machine", "source", "installed", "processor", "libraries")
    return {name: told[name] for name in names}


def _variables() -> dict[str, str]:
    told = {}
    for name in OWN_VARIABLES:
        if name in os.environ:
            told[name] = os.environ[name] if PLAIN.fullmatch(os.environ[name]) else "…"
    return told | {name: "set" for name in SET_OR_NOT if os.environ.get(name)}


def _store(opened: Store) -> dict[str, Any]:
    place = opened.place
    arrays = "" if place is None or place.arrays is None else str(place.arrays)
    with opened.read() as session:
        version = session.scalar(select(MetaRow.value).where(MetaRow.key == "schema_version"))
    return {
        "opens": True,
        "database": opened.database.dialect,
        "arrays": arrays.partition("://")[0] if "://" in arrays else "folder",
        "schema_version": int(version) if version and version.isdecimal() else None,
    }


def _counts(opened: Store) -> dict[str, Any]:
    counts = asdict(count_store(opened.path))
    return counts | {name: {" ".join(key): n for key, n in counts[name].items()} for name in ("labels", "jobs")}


def _newest(opened: Store) -> str | None:
    with opened.read() as session:
        times = [session.scalar(select(func.max(one.created_at))) for one in (RunRow, RoundRow, LabelRow, JobRow)]
    return max((one for one in times if one), default=None)


def _verified(opened: Store, progress: Progress) -> dict[str, Any]:
    report = verify_store(opened.path, thorough=False, progress=progress)
    of_kind = Counter(f"{one.kind} in {_subject(one.subject)}" for one in report.findings)
    return {
        "sound": report.sound,
        "n_runs": report.n_runs,
        "n_rounds": report.n_rounds,
        "n_files": report.n_files,
        "findings": dict(of_kind),
    }


def _subject(subject: str) -> str:
    word = subject.partition(" ")[0].rstrip(",")
    return word if word in ("run", "database", "cache", "comparison", "data", "store", "slice") else "other"


def _runs(opened: Store) -> list[dict[str, Any]]:
    with opened.read() as session:
        rows = list(session.scalars(select(RunRow).order_by(RunRow.created_at.desc()).limit(RUNS)))
    return [{"id": row.id, "created_at": row.created_at, "settings": _changed_settings(row.settings)} for row in rows]


def _changed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not the defaults, as far as they may be told."""
    defaults, told = _flat(RunSettings().to_dict()), {}
    for name, value in _flat(settings).items():
        if name in defaults and value == defaults[name]:
            continue
        is_told = (
            isinstance(value, bool | int | float)
            or value is None
            or (name in OWN_WORDS and PLAIN.fullmatch(str(value)))
        )
        told[name if name in defaults else "…"] = value if is_told else "…"
    return told


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _rounds(opened: Store) -> list[dict[str, Any]]:
    with opened.read() as session:
        rows = list(session.scalars(select(RoundRow).order_by(RoundRow.created_at.desc()).limit(ROUNDS)))
    return [
        {
            "run_id": row.run_id,
            "round": row.round_no,
            "n_labeled": row.n_labeled,
            "seconds": {name: value for name, value in row.seconds.items() if isinstance(value, int | float)},
            "n_warnings": len(row.warnings),
            **{name: _plain(row.environment.get(name)) for name in ("device", "threads", "inference_dtype", "source")},
        }
        for row in rows
    ]


def _plain(value: object) -> object:
    return value if isinstance(value, int) or (isinstance(value, str) and PLAIN.fullmatch(value)) else None


def _jobs(opened: Store) -> list[dict[str, Any]]:
    with opened.read() as session:
        rows = list(session.scalars(select(JobRow).order_by(JobRow.id.desc()).limit(JOBS)))
    names = ("id", "kind", "run_id", "state", "cancel", "created_at", "started_at", "heartbeat", "finished_at")
    return [{**{name: getattr(row, name) for name in names}, **_failure(row)} for row in rows]


def _failure(row: JobRow) -> dict[str, Any]:
    """Return what kind of error ended a job and where in the code it arose; not its message, which may hold a text."""
    if row.state != "failed":
        return {}
    named = (found.group(1) for line in row.traceback.splitlines() if (found := CLASS.match(line)))
    kinds = [one for one in named if one in KNOWN_ERRORS]  # a line of a message may look like a class
    told: dict[str, Any] = {"error": kinds[-1] if kinds else next((one for one in DEATHS if one in row.error), "…")}
    frames = [one for one in FRAME.findall(row.traceback) if {"alvin_core", "site-packages"} & set(Path(one[0]).parts)]
    return told | {"places": [f"{code_place(file)}:{line} in {name}" for file, line, name in frames][-6:]}


def write_bundle(report: Mapping[str, Any], path: Path) -> None:
    """Write a report as a zip file: as text, as JSON, and the logs' last lines.

    Raises
    ------
    StoreError
        When the file is there already, or the disk refuses.
    """
    rest = {name: value for name, value in report.items() if name != "logs"}
    logs = report.get("logs")
    try:
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("report.txt", as_text(rest))
            bundle.writestr("report.json", json.dumps(rest, indent=1, ensure_ascii=False))
            for name, lines in logs.items() if isinstance(logs, Mapping) else ():
                bundle.writestr(f"{name.replace(' ', '-')}.jsonl", "\n".join(map(json.dumps, lines)))
    except FileExistsError as error:
        raise StoreError(f"{path} is there already; name another file") from error
    except OSError as error:
        raise StoreError(f"could not write {path}: {disk_reason(error)}") from error
