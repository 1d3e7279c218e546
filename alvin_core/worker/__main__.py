"""``python -m alvin_core.worker --store DIR``: be the worker of a store until ended."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from alvin_core.errors import AlvinError, RunBusyError
from alvin_core.logs import set_up_logs
from alvin_core.worker.supervisor import supervise

FAILED, BUSY = 2, 75  # as sysexits.h has it: try again later


def main(argv: Sequence[str] | None = None) -> int:
    """Be the worker; return the exit code: 75 where the store has one, 2 where it cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m alvin_core.worker", description="Do the jobs of a store.")
    parser.add_argument("--store", required=True, metavar="DIR")
    parser.add_argument("--tied", action="store_true", help="end when standard input does")
    arguments = parser.parse_args(argv)
    if arguments.tied:
        threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        set_up_logs(screen=True)
        return supervise(arguments.store)
    except AlvinError as error:
        logging.getLogger("alvin_core.worker").error("%s", error)  # noqa: TRY400 - the line says it
        return BUSY if isinstance(error, RunBusyError) else FAILED


def _end_with_input() -> None:
    """Wait until whoever started this process is gone, however that happened; then end as by a signal."""
    while os.read(0, 1024):
        pass
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
