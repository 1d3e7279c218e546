"""A process that speaks as a cell worker does, and does what each job says."""

import json
import os
import signal
import sys
import time
from pathlib import Path


def send(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


for line in sys.stdin:
    job = json.loads(line)
    what, mark = job["what"], Path(job["mark"])
    tried = mark.exists()
    mark.touch()
    send(event="progress", stage="pid", done=os.getpid(), total=0, note="")
    if what == "die" or (what == "die once" and not tried):
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit":
        sys.stderr.write("first words\nlast words\n")
        sys.exit(3)
    if what == "no memory":
        os._exit(71)
    if what == "hang":
        time.sleep(600)
    if what in ("fail", "busy") and not (what == "busy" and tried):
        send(event="failed", kind="DataError", text="it is not right", again=what == "busy")
    else:
        send(event="done")
