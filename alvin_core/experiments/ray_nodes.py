"""What the nodes of a Ray cluster compute with: found out before, and checked where the work is done.

A result must not depend on the node that a task happens to reach.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from alvin_core.device import apply_threads, plan_device
from alvin_core.errors import AlvinError, DeviceError, EncoderError
from alvin_core.experiments.ray_cluster import Place, look_at_cluster
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.run.environment import describe_environment, differences
from alvin_core.settings import EncoderSettings, RunSettings, RuntimeSettings

__all__ = ["Home", "NodeView", "check_node", "describe_home", "fault_words", "last_line", "other_weights", "view_node"]

POLL_SECONDS = 0.2  # how long a wish to stop may have to wait
# Packages that decide the last bits of a result.
DECIDING = ("alvin-studio", "numba", "numpy", "torch", "transformers")


@dataclass(frozen=True)
class Home:
    """What every node must have in common with the process that asks.

    Attributes
    ----------
    versions : dict of str to str or None
        Of the packages that decide the last bits.
    kind, inference_dtype : str
        What is computed on, and the number format, as `DevicePlan` has them.
    """

    versions: Mapping[str, str | None]
    kind: str
    inference_dtype: str


@dataclass(frozen=True)
class NodeView:
    """What the nodes that do a comparison's work compute with.

    Attributes
    ----------
    home : Home
    place : Place
        What a task takes there.
    settings : RunSettings
        As they are there: with the threads of the place.
    multiple : int or None
        What an encoder pads its batches to there; None where it does what it does here.
    """

    home: Home
    place: Place
    settings: RunSettings
    multiple: int | None


def describe_home(kind: str, inference_dtype: str) -> Home:
    """Return this process's versions, with what nodes are to compute on."""
    versions = describe_environment()["packages"]
    return Home({name: versions[name] for name in DECIDING}, kind, inference_dtype)


def check_node(home: Home, runtime: RuntimeSettings) -> None:
    """Raise where this node would compute something else than the others: before it does.

    Raises
    ------
    DeviceError
        When versions differ, or the device or its number format.
    """
    plan = plan_device(runtime)
    apply_threads(plan.threads)
    there = describe_home(plan.kind, plan.inference_dtype)
    if changed := differences(dict(home.versions), dict(there.versions)):
        raise DeviceError(
            f"node {platform.node()} has other versions than the machine that asks ({changed}), so results could "
            "differ; install the same on every node"
        )
    if (home.kind, home.inference_dtype) != (there.kind, there.inference_dtype):
        raise DeviceError(
            f"node {platform.node()} computes on {there.kind} in {there.inference_dtype}, others on {home.kind} in "
            f"{home.inference_dtype}, so results would depend on the node; set runtime.device, and "
            "runtime.inference_dtype = 'float32'"
        )


def other_weights(encoder: str) -> EncoderError:
    """Return the error of a node where an encoder's name means something else."""
    return EncoderError(
        f"node {platform.node()} has other weights of the encoder {encoder!r} than the machine that asks; set "
        "encoder.revision, or name a folder that all nodes see"
    )


def view_node(settings: RunSettings, progress: Progress = silent) -> NodeView:
    """Find out where the cluster would compute with these settings; ask a node where that is not this machine.

    Parameters
    ----------
    settings : RunSettings
        With the number of threads.
    progress : Progress
        Called while a node is waited for, with the stage ``load``.

    Raises
    ------
    DeviceError, SettingsError
        When no node is large enough; when a node has other versions.
    EncoderError
        When a node cannot load the encoder.
    """
    import ray

    cluster = look_at_cluster()
    place = cluster.place(settings.runtime)
    runtime = replace(settings.runtime, threads=place.threads)
    settings = replace(settings, runtime=runtime)
    if not place.gpus and len(cluster.nodes) == 1:
        plan = plan_device(runtime)
        if plan.kind == "cuda":  # this machine has a GPU, which its cluster does not offer
            plan = plan_device(replace(runtime, device="cpu"))
        return NodeView(describe_home(plan.kind, plan.inference_dtype), place, settings, None)
    ask = ray.remote(_look_around).options(**place.options(), max_retries=1)
    found = _fetch(ask.remote(runtime, settings.encoder if place.gpus else None), progress)
    if isinstance(found, AlvinError):
        raise found
    kind, inference_dtype, multiple = found
    return NodeView(describe_home(kind, inference_dtype), place, settings, multiple)


def _fetch(reference: Any, progress: Progress) -> Any:
    import ray

    try:
        while not ray.wait([reference], timeout=POLL_SECONDS)[0]:
            progress(ProgressEvent("load", 0, 0))
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        raise DeviceError(
            f"a node of the cluster cannot work: {last_line(error)}; install the same alvin-studio[cluster] on every "
            "node, or give its tasks an image that has it"
        ) from error


def _look_around(runtime: RuntimeSettings, encoder: EncoderSettings | None) -> tuple[str, str, int | None] | AlvinError:
    """Return what this node computes on, and what an encoder pads to here."""
    from alvin_core.encoding.transformer import load_encoder

    try:
        plan = plan_device(runtime)
        multiple = None if encoder is None else load_encoder(encoder, plan).multiple
    except AlvinError as error:
        return error
    return plan.kind, plan.inference_dtype, multiple


def last_line(error: BaseException) -> str:
    """Return what an error says in the end: Ray puts a whole traceback before it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]


def fault_words(error: Exception) -> str:
    """Say what an error means that nobody raised on purpose, in a task on a node."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, MemoryError):
        return "its node's memory ran out; use fewer workers"
    lines = str(cause).strip().splitlines()
    text = f"{type(cause).__name__}: {lines[-1] if lines else ''}"
    if "alvin_core" in text and "No module named" in text:
        return f"{text}; install alvin-studio[cluster] on every node, or give its tasks an image that has it"
    return f"{text} (a fault in this program)"
