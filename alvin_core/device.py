"""Where the work runs: the device, its number format, one number of threads, and what to do when memory runs out."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from threadpoolctl import threadpool_limits

from alvin_core.errors import DeviceError
from alvin_core.progress import Progress, ProgressEvent, silent
from alvin_core.settings import RuntimeSettings
from alvin_core.types import IntArray

__all__ = [
    "DevicePlan",
    "apply_threads",
    "halving_batches",
    "has_numba",
    "is_out_of_memory",
    "plan_device",
    "release_memory",
]

InferenceDtype = Literal["float32", "bfloat16", "int16"]
Result = TypeVar("Result")

# Every library that starts threads of its own reads one of these when it is first imported.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
# Read once: `apply_threads` writes the variable, and a later plan must not take that for the user's wish.
_GIVEN_THREADS = os.environ.get("OMP_NUM_THREADS", "")
_FAST_BF16_FLAGS = {"avx512_bf16", "amx_bf16"}


@dataclass(frozen=True)
class DevicePlan:
    """Where encoding, training and inference run.

    Attributes
    ----------
    device : str
        A torch device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    threads : int
        CPU threads for torch, faiss, numba and OpenMP alike.
    inference_dtype : {"float32", "bfloat16", "int16"}
        The number format of forward passes without gradients. int16: the frozen encoder's linear layers multiply 16-bit
        whole numbers; everything else, and all that is trained, is float32.
    name : str
        What a person calls it: ``CPU, 2 threads`` or ``NVIDIA H100``.
    """

    device: str
    threads: int
    inference_dtype: InferenceDtype
    name: str

    @property
    def kind(self) -> str:
        """The type of device without its number: ``cpu``, ``cuda`` or ``mps``."""
        return self.device.partition(":")[0]


def plan_device(settings: RuntimeSettings) -> DevicePlan:
    """Choose the device, the number of threads and the number format of inference.

    ``auto`` takes cuda, then mps, then the CPU. bfloat16 is chosen only where it is fast: on CUDA from compute
    capability 8 and on CPUs with bf16 instructions. Elsewhere it is emulated and slower than float32. int16 is chosen
    on CPUs that Linux says have AVX2, where numba works; with AVX-512, float32 does as many products at once.

    Raises
    ------
    DeviceError
        When the named device is unknown or not there, or cannot work in the named number format.
    """
    device = _choose_device(settings.device)
    threads = settings.threads or _available_threads()
    dtype = settings.inference_dtype
    if dtype == "auto":
        dtype = _fastest_dtype(device)
    elif reason := _why_not(dtype, device):
        raise DeviceError(f"inference_dtype = {dtype!r} does not work {reason}; set it to 'float32' or 'auto'")
    return DevicePlan(device, threads, dtype, _device_name(device, threads))


def _fastest_dtype(device: str) -> InferenceDtype:
    if _is_bf16_fast(device):
        return "bfloat16"
    if _why_not("int16", device) or "avx512f" in _cpu_flags():
        return "float32"
    return "int16"


def _why_not(dtype: InferenceDtype, device: str) -> str:
    """Say where a number format does not work; empty where it does."""
    if dtype == "bfloat16":
        return "on mps" if device == "mps" else ""
    if dtype == "float32":
        return ""
    if device != "cpu":
        return f"on {device}"
    if "avx2" not in _cpu_flags():
        return "on this CPU, which does not say that it has AVX2"
    if not has_numba():
        return "without numba"
    config = importlib.import_module("numba").config
    is_told = config.DISABLE_JIT or config.CPU_NAME or config.CPU_FEATURES is not None or not config.ENABLE_AVX
    return "where numba is told not to compile for this CPU" if is_told else ""  # LLVM would end the process


def has_numba() -> bool:
    """Say whether numba can be imported; beside a numpy newer than it knows it is installed, and cannot be."""
    try:
        importlib.import_module("numba")
    except ImportError:
        return False
    return True


def _choose_device(wanted: str) -> str:
    import torch

    has_mps = torch.backends.mps.is_available()
    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if has_mps else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise DeviceError(f"device {wanted!r} is unknown; choose auto, cpu, cuda, cuda:<number> or mps")
    if device.type == "cuda":
        n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if n_cuda == 0:
            raise DeviceError(f"device {wanted!r} is not there: torch finds no CUDA device; use 'auto' or 'cpu'")
        if (device.index or 0) >= n_cuda:
            raise DeviceError(f"device {wanted!r} is not there: torch finds {n_cuda}; the last is cuda:{n_cuda - 1}")
    if device.type == "mps" and not has_mps:
        raise DeviceError("device 'mps' is not there: it needs an Apple GPU and a torch build for it; use 'auto'")
    return "cpu" if device.type == "cpu" else wanted


def _available_threads() -> int:
    # Whoever set OMP_NUM_THREADS has shared the machine out already; "one for each core" would break that.
    if _GIVEN_THREADS.isdecimal() and int(_GIVEN_THREADS) > 0:
        return int(_GIVEN_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _is_bf16_fast(device: str) -> bool:
    if device.startswith("cuda"):
        import torch

        return bool(torch.cuda.get_device_capability(torch.device(device))[0] >= 8)
    return device == "cpu" and bool(_FAST_BF16_FLAGS & _cpu_flags())


def _cpu_flags() -> set[str]:
    """Return the processor's instruction sets; empty where the system does not list them (then float32 it is)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    lines = (line.partition(":") for line in text.splitlines())
    return next((set(value.split()) for name, _, value in lines if name.strip() == "flags"), set())


def _device_name(device: str, threads: int) -> str:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(torch.device(device))
    if device == "mps":
        return "Apple GPU"
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def apply_threads(threads: int) -> None:
    """Give torch, faiss, numba, numpy's BLAS and OpenMP one number of threads.

    Two libraries that each take all cores slow each other far beyond half. Libraries that are imported already
    are told; those that come later read the number from the environment.

    Raises
    ------
    DeviceError
        When ``threads`` is below 1.
    """
    if threads < 1:
        raise DeviceError(f"{threads} threads asked for; at least 1 is needed")
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    # numpy's BLAS is loaded long before anyone can ask for threads, and reads the environment only then.
    threadpool_limits(threads, user_api="blas")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(threads)
    if "numba" in sys.modules:
        # numba refuses more than it was started with, and a changed variable once its threads run.
        numba = sys.modules["numba"]
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    else:
        os.environ["NUMBA_NUM_THREADS"] = str(threads)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that a device, or the machine, had too little memory for the work."""
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    if not isinstance(error, RuntimeError):
        return False
    message = str(error).lower()
    # MPS, the CPU allocator and the CUDA libraries report it as a plain RuntimeError.
    return any(part in message for part in ("out of memory", "can't allocate memory", "cublas_status_alloc_failed"))


def release_memory() -> None:
    """Give cached blocks back to the device, so that a smaller batch finds room."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def halving_batches(
    batches: Iterable[IntArray],
    work: Callable[[IntArray], Result],
    *,
    stage: str,
    unit: str = "example",
    remedy: str = "lower encoder.max_length, or use device 'cpu'",
    progress: Progress = silent,
) -> Iterator[tuple[IntArray, Result]]:
    """Do ``work`` on each batch of rows; where memory runs out, halve this batch and all that follow, and go on.

    Parameters
    ----------
    batches : iterable of int arrays of shape (n_rows,)
    work : callable
        Called with the rows of a batch, or of a part of one. It must not keep tensors alive when it fails.
    stage : str
        Names the work in the progress event that tells of the halving.
    unit, remedy : str
        What a row is, and what helps when even one does not fit; by default those of texts.
    progress : Progress

    Yields
    ------
    rows, result
        In the order of the batches; a batch that was split comes in parts.

    Raises
    ------
    DeviceError
        When even a single row does not fit.
    """
    n_parts = 1
    for batch in batches:
        waiting = _split(batch, n_parts)
        while waiting:
            rows = waiting.pop(0)
            done, result = _try_work(work, rows)
            if done:
                yield rows, result  # type: ignore[misc]
                continue
            if len(rows) == 1:
                raise DeviceError(f"{stage}: the device has too little memory even for one {unit}; {remedy}")
            n_parts *= 2
            waiting = [*_split(rows, 2), *(part for other in waiting for part in _split(other, 2))]
            note = f"out of memory with {len(rows)} {unit}s at once; going on with {len(waiting[0])}"
            progress(ProgressEvent(stage, 0, 0, note))


def _split(rows: IntArray, n_parts: int) -> list[IntArray]:
    size = max(1, -(-len(rows) // n_parts))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _try_work(work: Callable[[IntArray], Result], rows: IntArray) -> tuple[bool, Result | None]:
    """Return whether the rows fitted, and the result; apart, so that the failed attempt's tensors are let go."""
    try:
        return True, work(rows)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    release_memory()
    return False, None
