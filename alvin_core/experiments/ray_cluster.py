"""The Ray cluster as a comparison uses it: joined or started, measured, and left as it was found.

Ray is imported late: it is an extra, and takes half a second.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any, TextIO

from alvin_core.errors import DeviceError, SettingsError
from alvin_core.quiet import QUIET
from alvin_core.settings import RuntimeSettings

__all__ = ["Cluster", "Place", "join_cluster", "look_at_cluster", "quiet_ray"]

CONNECT_SECONDS = 5.0
# Every library that starts threads reads one of these when it is first imported, and some take no more later.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS"
)  # fmt: skip
# What decides where weights come from must be the same on every node.
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
# Nothing is sent to Ray's makers, and its C++ part keeps its remarks in its own logs.
RAY_VARIABLES = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
RAY_LISTENER = "ray_listen_error_messages"  # Ray's name of the thread that prints what nodes complain of


@dataclass(frozen=True)
class Place:
    """What one task takes of a node.

    Attributes
    ----------
    threads : int
        CPUs that are set aside for it, and threads that it computes with: Ray's own default is one.
    gpus : int
        1 or 0. A whole one, as on one machine: two models that train at once may not fit it.
    """

    threads: int
    gpus: int

    def options(self) -> dict[str, Any]:
        """Return the options of a Ray task or actor."""
        variables = QUIET | dict.fromkeys(THREAD_VARIABLES, str(self.threads))
        variables |= {name: os.environ[name] for name in OFFLINE_VARIABLES if name in os.environ}
        if not self.gpus:
            variables["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves the GPUs in sight of who asked for none
        return {"num_cpus": self.threads, "num_gpus": self.gpus, "runtime_env": {"env_vars": variables}}


@dataclass(frozen=True)
class Cluster:
    """The nodes that are there now, each as (CPUs, GPUs, bytes of shared memory)."""

    nodes: tuple[tuple[float, float, float], ...]

    @property
    def shared_bytes(self) -> float:
        """The shared memory of the node that has least."""
        return min((memory for _, _, memory in self.nodes), default=0.0)

    def place(self, runtime: RuntimeSettings) -> Place:
        """Return what a task takes. Where the cluster has GPUs, ``device = "auto"`` takes one.

        Parameters
        ----------
        runtime : RuntimeSettings
            With the number of threads. On a GPU a task takes no more of them than leave every GPU of a node some.

        Raises
        ------
        DeviceError
            When no node is large enough.
        SettingsError
            When a certain GPU is asked for.
        """
        if runtime.device.startswith("cuda:"):
            raise SettingsError(
                f"runtime.device = {runtime.device!r} names one GPU, but on a cluster Ray chooses it; use 'cuda'"
            )
        shares = [cpus // gpus for cpus, gpus, _ in self.nodes if gpus >= 1]
        if runtime.device == "cuda" and not shares:
            raise DeviceError("runtime.device = 'cuda', but the cluster has no GPU; use 'auto' or 'cpu'")
        if shares and runtime.device in ("auto", "cuda"):
            return Place(max(1, min(runtime.threads, int(max(shares)))), gpus=1)
        largest = max((cpus for cpus, _, _ in self.nodes), default=0.0)
        if runtime.threads > largest:
            raise DeviceError(
                f"runtime.threads = {runtime.threads}, but the largest node of the cluster has {largest:g} CPUs; "
                f"set runtime.threads to {max(1, int(largest))} or less"
            )
        return Place(runtime.threads, gpus=0)

    def room(self, place: Place) -> int:
        """Return how many tasks fit in at once."""
        rooms = (min(cpus // place.threads, gpus // place.gpus if place.gpus else cpus) for cpus, gpus, _ in self.nodes)
        return max(1, int(sum(rooms)))


def look_at_cluster() -> Cluster:
    """Return the cluster that this process has joined, as it is now."""
    import ray

    living = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    names = ("CPU", "GPU", "object_store_memory")
    return Cluster(tuple((has.get(names[0], 0.0), has.get(names[1], 0.0), has.get(names[2], 0.0)) for has in living))


@contextmanager
def join_cluster(n_cpus: int) -> Iterator[Cluster]:
    """Join the cluster that ``RAY_ADDRESS`` names, else start one on this machine; what was started is ended.

    Parameters
    ----------
    n_cpus : int
        Of a cluster that is started: tasks in all times threads each.

    Raises
    ------
    SettingsError
        When Ray is not installed, or the address is of a kind that does not work here.
    DeviceError
        When the cluster cannot be reached or joined.
    """
    ray = _import_ray()
    with quiet_ray():
        if ray.is_initialized():  # by the program around; it stays as it is
            yield look_at_cluster()
            return
        address = os.environ.get("RAY_ADDRESS", "")
        handler = signal.getsignal(signal.SIGTERM)
        _connect(ray, None if address in ("", "local") else address, n_cpus)
        try:
            yield look_at_cluster()
        finally:
            ray.shutdown()
            if handler is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray puts its own there


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise SettingsError(
            "backend = 'ray' needs Ray, which is not installed; `pip install 'alvin-studio[cluster]'`, or use 'local'"
        ) from error
    return ray


def _connect(ray: Any, address: str | None, n_cpus: int) -> None:
    quiet = {"include_dashboard": False} if address is None else {}
    where = {"address": "local", "num_cpus": n_cpus} if address is None else {"address": address}
    if address is not None:
        _check_address(address)
    try:
        with _silent_start():
            ray.init(**where, **quiet, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        ray.shutdown()  # of what had begun
        reason = " ".join(str(error).split())[:300]
        if address is None:
            raise DeviceError(f"a Ray cluster on this machine could not be started: {reason}") from error
        raise DeviceError(
            f"the Ray cluster at RAY_ADDRESS = {address!r} cannot be joined: {reason}; start it with `ray start`, or "
            "unset RAY_ADDRESS to use this machine alone"
        ) from error


@contextmanager
def _silent_start() -> Iterator[None]:
    """Keep one line off the screen: Ray's C++ part, told to be quiet, says so."""
    sys.stderr.flush()
    screen = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)


def _check_address(address: str) -> None:
    """Raise at once where Ray would try for minutes, or where only half of it works."""
    if "://" in address:
        raise SettingsError(
            f"RAY_ADDRESS = {address!r}: a cluster is joined from one of its own nodes; run there, or by "
            "`ray job submit`, with RAY_ADDRESS = 'auto' or HOST:PORT"
        )
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise DeviceError(
            f"no Ray cluster answers at RAY_ADDRESS = {address!r} ({getattr(error, 'strerror', None) or error}); start "
            "it with `ray start --head`, correct the address, or unset RAY_ADDRESS to use this machine alone"
        ) from error


class _WithoutRay:
    """Standard output without what Ray's listener prints into it, which belongs to nobody's output."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if threading.current_thread().name == RAY_LISTENER else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def quiet_ray() -> Iterator[None]:
    """Keep Ray from talking on standard output and error, and from warning of its own old names."""
    before = {name: os.environ.get(name) for name in RAY_VARIABLES}
    os.environ |= RAY_VARIABLES
    try:
        with warnings.catch_warnings(), redirect_stdout(_WithoutRay(sys.stdout)):
            warnings.filterwarnings("ignore", module=r"ray\b")
            yield
    finally:
        for name, value in before.items():
            with suppress(KeyError):
                os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
