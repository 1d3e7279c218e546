"""``python bounded.py CASES.json``: do each case in a process of its own, with bounded memory and time.

A case is ``{"do", "path", "room", "seconds"}``: what is done with a file, how many MiB of addresses it may take beyond
those of the process that has imported everything, and after how many seconds it counts as hanging. One line of JSON a
case comes back: ``outcome`` (read, refused, failed, hang, killed), ``message``, ``peak`` (MiB above the start).
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

import alvin_core.store.tables
from alvin_core.cli.labels import read_labels
from alvin_core.data.checking import check_dataset
from alvin_core.data.reading import load_dataset
from alvin_core.errors import AlvinError
from alvin_core.run.bundle import unpack_run
from alvin_core.settings import RunSettings
from alvin_core.store.arrays import load_array, load_packed
from alvin_core.upkeep.restoring import is_backup, restore_store
from dashboard.previewing import read_preview

assert alvin_core.store.tables, pyarrow.parquet  # imported before the processes part


def do_load(path: Path) -> str:
    dataset = load_dataset(path)
    return f"{len(dataset)} rows"


def do_check(path: Path) -> str:
    report = check_dataset(path, max_problems=5)
    if not report.ok:
        raise RefusedError(str(report.errors[0]))
    return f"{report.n_rows} rows"


def do_shrinking(path: Path) -> str:
    """Cut a file to its half once its first rows were read."""
    from alvin_core.data import gathering

    chunks = gathering._chunks

    def cutting(records: Any) -> Any:
        for chunk in chunks(records):
            yield chunk
            half = path.read_bytes()[: path.stat().st_size // 2]
            os.truncate(path, half.rfind(b"\n") + 1)  # between two rows

    gathering._chunks = cutting
    return do_load(path)


def do_restore(path: Path) -> str:
    is_backup(path)
    restore_store(path, path.with_name("restored"))
    return "restored"


class RefusedError(AlvinError):
    """A report that is not good."""


ACTIONS: dict[str, Any] = {
    "load": do_load,
    "check": do_check,
    "shrinking": do_shrinking,
    "labels": lambda path: f"{len(read_labels(path))} labels",
    "preview": lambda path: f"{len(read_preview(path).header)} columns",
    "settings": lambda path: RunSettings.from_toml(path).strategy,
    "unpack": lambda path: unpack_run(path.with_name("unpacked"), path).name,
    "restore": do_restore,
    "packed": lambda path: str(list(load_packed(path))),
    "array": lambda path: str(load_array(path.parent, path.stem).shape),
}


def field(name: str) -> int:
    """Return a figure of this process's memory in KiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])


def act(case: dict[str, Any]) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    begin = field("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins here
    room = field("VmSize") * 1024 + int(case["room"]) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
    try:
        outcome, message = "read", str(ACTIONS[case["do"]](Path(case["path"])))
    except AlvinError as error:
        outcome, message = "refused", str(error)
    except BaseException as error:
        outcome, message = "failed", f"{type(error).__name__}: {error}"[:2000]
    return {"outcome": outcome, "message": message, "peak": (field("VmHWM") - begin) / 1024}


def apart(case: dict[str, Any]) -> dict[str, Any]:
    """Do a case in a child, and end it when its time is up."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        told = json.dumps(act(case)).encode()
        os.write(writing, told[:60_000])
        os._exit(0)
    os.close(writing)
    deadline, told = time.monotonic() + float(case["seconds"]), b""
    outcome = "killed"
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            outcome = "hang"
            os.kill(child, signal.SIGKILL)
            break
        part = os.read(reading, 65_536)
        if not part:
            break
        told += part
    os.close(reading)
    os.waitpid(child, 0)
    return json.loads(told) if told else {"outcome": outcome, "message": "", "peak": 0.0}


def main() -> None:
    np.zeros(1)
    for case in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        sys.stdout.write(json.dumps({**apart(case), "name": case["name"]}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
