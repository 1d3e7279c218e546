"""``python -m alvin_core.worker --store DIR``: be the worker of a store until ended."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from alvin_core.errors import AlvinError, RunBusyError
from alvin_core.worker.supervisor import supervise

FAILED, BUSY = 2, 75  # as sysexits.h has it: try again later


def main(argv: Sequence[str] | None = None) -> int:
    """Be the worker; return the exit code: 75 where the store has one, 2 where it cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m alvin_core.worker", description="Do the jobs of a store.")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        return supervise(arguments.store)
    except AlvinError as error:
        logging.getLogger("alvin_core.worker").error("%s", error)  # noqa: TRY400 - the line says it
        return BUSY if isinstance(error, RunBusyError) else FAILED


if __name__ == "__main__":
    sys.exit(main())
