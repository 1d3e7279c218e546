"""Makes rounds and maps cheap in the processes that do a worker's jobs: those that have this folder on their path.

Everything else about them is real: how they are started, spoken to and killed, and what they write. Where ALVIN_CLOCK
names a file, all of them have a clock that is so many seconds wrong as stand in it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

THEIRS = ("alvin_core.worker.executor", "alvin_core.experiments.cell_worker")

if "ALVIN_CLOCK" in os.environ:
    import datetime
    import time

    _time, _off = time.time, Path(os.environ["ALVIN_CLOCK"])

    class _WrongTime(datetime.datetime):
        """The time that the wrong clock tells."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            """Return it."""
            return super().now(tz) + datetime.timedelta(seconds=float(_off.read_text()))

    time.time = lambda: _time() + float(_off.read_text())
    datetime.datetime = _WrongTime  # type: ignore[misc]

if any(module in sys.orig_argv for module in THEIRS):
    sys.path.insert(0, str(Path(__file__).parent.parent))
    sys.path.insert(0, os.environ["ALVIN_CHECKOUT"])
    import stand_ins

    stand_ins.put_in()
