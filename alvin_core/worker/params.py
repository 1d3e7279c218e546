"""What a job may be asked for: its parameters, checked before it is in the queue."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alvin_core.data.columns import STANDARD_NAMES
from alvin_core.data.problems import shorten
from alvin_core.data.samples import sample_names
from alvin_core.errors import DataError, SettingsError
from alvin_core.settings import RunSettings
from alvin_core.shown import shown
from alvin_core.store.runs import check_name

__all__ = ["KINDS", "NEEDS_RUN", "automatic_map_points", "checked_params", "is_upload"]

KINDS = ("rounds", "create", "project", "compare", "phase")
NEEDS_RUN = ("rounds", "project")
SPACES = ("model", "encoder")
MOST_ROUNDS = 1000
READING = ("columns", "strict", "classes", "source")  # how data are read
NO_LIMIT = 2**31


def checked_params(kind: str, params: Mapping[str, Any], store: Path) -> dict[str, Any]:
    """Return a job's parameters, whole and plain.

    Raises
    ------
    SettingsError
        When one is unknown, of the wrong type, or out of range.
    DataError
        When there is no data at the path.
    StoreError
        When the name of a new run is a bad one.
    """
    check = _CHECKS[kind]
    return check(dict(params), store)


def is_upload(path: Path, store: Path) -> bool:
    """Return whether a file lies in the store's folder of uploads, whatever links lead there."""
    return path.resolve().is_relative_to((store / "uploads").resolve())


def _rounds(params: dict[str, Any], _store: Path) -> dict[str, Any]:
    _refuse_unknown("rounds", params, ("n",))
    return {"n": _whole(params, "n", 1, 1, MOST_ROUNDS)}


def _project(params: dict[str, Any], _store: Path) -> dict[str, Any]:
    _refuse_unknown("project", params, ("round", "space"))
    if "round" not in params:
        raise SettingsError("a job 'project' needs the parameter 'round', the number of a finished round")
    space = params.get("space", "model")
    if space not in SPACES:
        raise SettingsError(f"space = {shown(space)} is unknown; choose one of: {', '.join(SPACES)}")
    return {"round": _whole(params, "round", 0, 0, NO_LIMIT), "space": space}


def _create(params: dict[str, Any], store: Path) -> dict[str, Any]:
    known = ("path", "columns", "settings", "name", "seed", "rounds", "strict", "classes", "source", "delete_after")
    _refuse_unknown("create", params, known)
    data = _text(params, "path")
    if not data:
        raise SettingsError("a job 'create' needs the parameter 'path': a file, the name of a sample, or hf:…")
    path = _locate(data)
    settings = params.get("settings")
    if settings is not None and not isinstance(settings, Mapping):
        raise SettingsError(f"settings = {shown(settings)} must be a table of settings, or nothing")
    chosen = RunSettings.from_dict(settings or {})
    if params.get("seed") is not None:
        chosen = chosen.with_value("seed", params["seed"])
    name = _text(params, "name")
    delete_after = _flag(params, "delete_after")
    if delete_after and not is_upload(Path(path), store):
        raise SettingsError(f"delete_after: {shown(path)} is no upload; only files in {store / 'uploads'} are deleted")
    rounds = params.get("rounds")
    return {
        "path": path,
        "columns": _columns(params.get("columns")),
        "settings": chosen.to_dict(),
        "name": check_name(name) if name else None,
        "rounds": None if rounds is None else _whole(params, "rounds", 0, 0, MOST_ROUNDS),
        "strict": _flag(params, "strict"),
        "classes": _classes(params.get("classes")),
        "source": _text(params, "source") or data,
        "delete_after": delete_after,
    }


def _compare(params: dict[str, Any], store: Path) -> dict[str, Any]:
    from alvin_core.worker.compare_params import COMPARE, DATA_OF, plan_of

    _refuse_unknown("compare", params, (*DATA_OF, *COMPARE, *READING))
    given = [name for name in DATA_OF if _text(params, name)]
    if len(given) != 1:
        raise SettingsError(
            f"a job 'compare' needs one of {', '.join(DATA_OF)}; {', '.join(given) or 'none'} was given"
        )
    if "path" in given:
        params["source"] = _text(params, "source") or params["path"]
        params["path"] = _locate(params["path"])
    wanted = plan_of(params, store)
    return {
        "plan": wanted.plan.to_dict(),
        "name": wanted.name,
        "dataset": wanted.dataset,
        "source": wanted.source,
        "path": params["path"] if "path" in given else None,
        "columns": _columns(params.get("columns")),
        "strict": _flag(params, "strict"),
        "classes": _classes(params.get("classes")),
    }


def _phase(params: dict[str, Any], _store: Path) -> dict[str, Any]:
    from alvin_core.classroom.phase_plan import WorldPhasePlan

    return WorldPhasePlan.from_dict(params).to_dict()


_CHECKS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {
    "rounds": _rounds,
    "project": _project,
    "create": _create,
    "compare": _compare,
    "phase": _phase,
}


def _locate(data: str) -> str:
    """Return where the data is, so that it is found from any folder: a file first, then a sample, then the hub."""
    if data.startswith("hf:"):
        return data
    if "\0" in data:
        raise DataError(f"path = {shown(data)} holds a null byte; no file is called so")
    samples = ", ".join(sample_names())
    try:
        path = Path(data).expanduser()
        if path.is_file():
            return str(path.absolute())
    except (OSError, RuntimeError) as error:  # too long a name, a folder that may not be read, nobody's home
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"cannot look for the file {shorten(data)}: {reason}; the samples: {samples}") from error
    if data in sample_names():
        return data
    raise DataError(f"there is no file {shorten(data)}, and no sample is called so; the samples: {samples}")


def _columns(given: object) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SettingsError(f"columns = {shown(given)} must be a table of roles and the names of columns")
    for role, column in given.items():
        if role not in STANDARD_NAMES:
            raise SettingsError(f"columns: the role {shown(role)} is unknown; choose from: {', '.join(STANDARD_NAMES)}")
        if column is not None and not isinstance(column, str):
            raise SettingsError(f"columns: {role} = {shown(column)} must be the name of a column")
    return {role: column for role, column in given.items() if column}


def _classes(given: object) -> list[str] | None:
    if given is None:
        return None
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        raise SettingsError(f"classes = {shown(given)} must be a list of names")
    return list(given)


def _refuse_unknown(kind: str, params: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [name for name in params if name not in known]
    if unknown:
        raise SettingsError(f"a job {kind!r} has no parameter {shown(unknown[0])}; it takes: {', '.join(known)}")


def _whole(params: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = params.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SettingsError(f"{name} = {shown(value)} must be a whole number")
    if not least <= value <= most:
        limit = f"at least {least}" if most == NO_LIMIT else f"between {least} and {most}"
        raise SettingsError(f"{name} = {shown(value)} is out of range: it must be {limit}")
    return value


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{name} = {shown(value)} must be a text")
    if value is not None and not value.isprintable() and any("\ud800" <= one <= "\udfff" for one in value):
        raise SettingsError(f"{name} = {shown(value)} is no Unicode and cannot be stored; rename the file")
    return (value or "").strip()


def _flag(params: Mapping[str, Any], name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise SettingsError(f"{name} = {shown(value)} must be true or false")
    return value


def automatic_map_points() -> int:
    """Return up to how many points a round is mapped unasked: ``$ALVIN_AUTOMATIC_MAP``, else 20,000.

    More take the worker minutes.
    """
    value = os.environ.get("ALVIN_AUTOMATIC_MAP", "")
    return int(value) if value.isdecimal() else 20_000
