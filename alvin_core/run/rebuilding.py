"""What a run was computed with, given out: as a record, as a requirements file, and compared with this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from alvin_core.errors import DeviceError, EncoderError
from alvin_core.run.environment import ChangedFact, changed_facts, describe_environment
from alvin_core.run.handle import RunHandle
from alvin_core.run.installed import plain_name
from alvin_core.run.number_format import in_recorded_format
from alvin_core.settings import RunSettings
from alvin_core.store.rounds import count_rounds
from alvin_core.store.tables import RoundRow

__all__ = ["changed_here", "requirements_of", "run_environment"]

US = "alvin-studio"
TORCH_INDEX = "https://download.pytorch.org/whl"
# The name of a local build: torch's own index is named by it.
BUILD = re.compile(r"\+(cpu|cu\d+|rocm[\d.]+|xpu)")


def run_environment(handle: RunHandle, round_no: int | None = None) -> dict[str, Any]:
    """Return all that is recorded of how a round was computed, in plain values.

    Parameters
    ----------
    handle : RunHandle
    round_no : int, optional
        The newest by default; of a run without rounds, what the run was made with.

    Raises
    ------
    StoreError
        When there is no such round.
    """
    row = _round_of(handle, round_no)
    settings = handle.row.settings if row is None else row.settings
    return {
        "run": handle.row.name,
        "id": handle.row.id,
        "round": None if row is None else row.round_no,
        "created_at": handle.row.created_at if row is None else row.created_at,
        "seed": settings["seed"],
        "data": {"digest": handle.row.dataset, "source": handle.row.source},
        "labels": None if row is None else {"n": row.n_labeled, "last_event": row.last_seq},
        "settings": settings,
        "environment": handle.row.environment if row is None else row.environment,
    }


def requirements_of(record: Mapping[str, Any]) -> str:
    """Return a requirements file for pip with exact versions; comments say the rest and how to rebuild.

    Parameters
    ----------
    record : mapping
        As `run_environment` returns it.
    """
    environment: Mapping[str, Any] = record["environment"]
    known = environment.get("installed") or environment.get("packages") or {}
    origins = environment.get("origins", {})
    lines = [*_heading(record, environment), *_steps(record, environment, origins.get(US, "")), *_indexes(known)]
    if "installed" not in environment:
        lines.append("# An older record: of other packages nothing is known, and pip takes what it finds.")
    for name, version in sorted(known.items()):
        if version is None or (plain_name(name) == US and origins.get(US, "folder") == "folder"):
            continue
        lines.append(_requirement(name, version, origins.get(name, "")))
    # A packed run's record may come from anywhere: what it says in a comment must not go on as a line for pip.
    return "".join(f"{' '.join(line.splitlines())}\n" for line in lines)


def changed_here(handle: RunHandle, round_no: int | None = None) -> list[ChangedFact]:
    """Return what of a round's record is otherwise on this machine, now; the encoder is loaded for it.

    Raises
    ------
    StoreError
        When there is no such round.
    """
    row = _round_of(handle, round_no)
    then = handle.row.environment if row is None else row.environment
    computing = {} if row is None else _computing(RunSettings.from_dict(row.settings), then)
    now = {**describe_environment(), **computing}  # after torch was loaded, which tells more
    # What one of them does not tell is not compared; a record without a trainer is of the first.
    both = {*then, "trainer"} & now.keys()
    return changed_facts(*({name: one[name] for name in both if name in one} for one in (then, now)))


def _computing(settings: RunSettings, then: Mapping[str, Any]) -> dict[str, Any]:
    """Return the device and the encoder as this machine has them, or why it has them not."""
    from alvin_core.device import plan_device
    from alvin_core.encoding.models import load_pretrained

    found: dict[str, Any] = {}
    try:
        found |= asdict(plan_device(in_recorded_format(settings, then).runtime))
    except DeviceError as error:
        found["device"] = f"none here: {error}"
    try:
        found["encoder"] = load_pretrained(settings.encoder).fingerprint
    except EncoderError as error:
        found["encoder"] = f"none here: {error}"
    return found


def _round_of(handle: RunHandle, round_no: int | None) -> RoundRow | None:
    with handle.store.read() as session:
        handle.check_exists(session)
        if round_no is None:
            round_no = count_rounds(session, handle.row.id) - 1
            if round_no < 0:
                return None
        return handle.round_row(session, round_no)


def _heading(record: Mapping[str, Any], environment: Mapping[str, Any]) -> list[str]:
    which = "made" if record["round"] is None else f"round {record['round']}"
    processor = environment.get("processor", {})
    lines = [
        f"# The run {record['run']} ({record['id']}), {which}, {record['created_at']}",
        f"# Python {environment.get('python')} on {environment.get('platform')}",
    ]
    if "device" in environment:
        lines.append(
            f"# Computed on {environment.get('name', environment['device'])} ({environment['device']}), threads "
            f"{environment.get('threads')}, inference in {environment.get('inference_dtype')}"
        )
    if processor.get("model"):
        lines.append(f"# Processor {processor['model']}: {processor.get('instructions', '')}")
    lines += [f"# {name} = {value}" for name, value in environment.get("variables", {}).items()]
    lines.append(f"# Seed {record['seed']}, data {record['data']['digest']}")
    if "encoder" in environment:
        lines.append(f"# Encoder {record['settings']['encoder']['name']}, SHA-256 {environment['encoder']}")
    source = f", {environment['source']}" if environment.get("source") else ""  # older records have none
    return [*lines, f"# Code of {US}: version {environment.get('packages', {}).get(US)}{source}"]


def _steps(record: Mapping[str, Any], environment: Mapping[str, Any], origin: str) -> list[str]:
    major = ".".join(str(environment.get("python", "3")).split(".")[:2])
    own = f"rebuilt/bin/pip install --no-deps THE-FOLDER-OF-{US.upper()}" if origin in ("", "folder") else ""
    return [
        "#",
        "# To rebuild, with this file as requirements.txt:",
        f"#   alvin pack {record['run']} run.zip",
        f"#   python{major} -m venv rebuilt",
        "#   rebuilt/bin/pip install -r requirements.txt",
        *([f"#   {own}"] if own else []),
        "#   rebuilt/bin/alvin unpack run.zip --store rebuilt-store",
        f"#   rebuilt/bin/alvin environment {record['run']} --store rebuilt-store --check   # names all that differs",
        f"#   rebuilt/bin/alvin replay {record['run']} --store rebuilt-store   # tells whether the picks do",
        "#",
    ]


def _indexes(known: Mapping[str, str | None]) -> list[str]:
    builds = sorted({match.group(1) for version in known.values() if version and (match := BUILD.search(version))})
    return [f"--extra-index-url {TORCH_INDEX}/{build}" for build in builds]


def _requirement(name: str, version: str, origin: str) -> str:
    if origin.startswith("git+") or origin.startswith("hg+"):
        return f"{name} @ {origin}"
    if origin.startswith("http"):
        address, _, sum_ = origin.partition(" ")
        return f"{name} @ {address}" + (f"#{sum_}" if sum_ else "")
    if origin:
        return f"{name}=={version}  # came from a {origin.partition(' ')[0]}, not from an index"
    return f"{name}=={version}"
