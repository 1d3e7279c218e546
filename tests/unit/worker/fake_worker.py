"""The worker with the fake executor: ``fake_worker.py STORE``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from alvin_core.worker.supervisor import supervise

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sys.exit(supervise(sys.argv[1], [sys.executable, str(Path(__file__).with_name("fake_executor.py"))]))
