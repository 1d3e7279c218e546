"""Long work in a process of its own: rounds, new runs and maps are jobs in the store, and one worker does them.

Whoever looks at a store asks for work with `enqueue_job` and reads how far it is with `get_job`; nothing of that needs
the libraries that do the work. `python -m alvin_core.worker --store DIR` is the worker.
"""

from alvin_core.worker.jobs import Job, cancel_job, enqueue_job, get_job, list_jobs
from alvin_core.worker.starting import start_worker
from alvin_core.worker.status import WorkerStatus, worker_status

__all__ = [
    "Job",
    "WorkerStatus",
    "cancel_job",
    "enqueue_job",
    "get_job",
    "list_jobs",
    "start_worker",
    "worker_status",
]
