"""What the machine can do at most: products of matrices, and bytes read from memory.

A benchmark that gives its result as a share of these says how much is left to gain. It counts memory here as well::

    python benchmarks/ceilings.py                  # with as many threads as there are processors
    python benchmarks/ceilings.py --threads 1
    python benchmarks/ceilings.py --device cuda

The highest of several runs counts: whatever else the machine does can only make a run slower. So a ceiling
is what was reached, in square matrices of a friendly size, not what the maker promises.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}  # of the square matrices, at most
SHORTEST_SIDE = 256
LONG_ENOUGH = 0.1  # seconds for one product: a number format that the processor does not have is very slow
BYTES = {"cpu": 512 * 2**20, "cuda": 2**30, "mps": 512 * 2**20}  # far more than any cache
SECONDS = 1.0  # of each measurement, after one run to warm up
LIBRARIES = ("numpy", "torch", "numba", "faiss-cpu", "scikit-learn")


def matmul_gflops(threads: int, dtype: str = "float32", device: str = "cpu") -> float:
    """Measure square matrix products.

    Parameters
    ----------
    threads : int
        Of the processor; without meaning on other devices.
    dtype : str
        A name of torch's: ``float32``, ``float64``, ``bfloat16``, ``float16``. ``tf32`` is float32 with TF32 products.
    device : str
        ``cpu``, ``cuda`` or ``mps``.

    Returns
    -------
    float
        The most billions of operations a second; a multiplication and an addition are two.
    """
    import torch

    numbers = torch.float32 if dtype == "tf32" else getattr(torch, dtype)
    with _threads(threads), torch.inference_mode():
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
        try:
            highest = 0.0
            side = SHORTEST_SIDE
            while side <= SIDE[device.partition(":")[0]]:
                first, second = (torch.randn(side, side, device=device).to(numbers) for _ in range(2))
                product = torch.empty_like(first)
                seconds = _least_seconds(lambda a=first, b=second, c=product: torch.mm(a, b, out=c), device)
                highest = max(highest, 2 * side**3 / seconds / 1e9)
                if seconds > LONG_ENOUGH:
                    break
                side *= 2
        finally:
            torch.set_float32_matmul_precision(before)
    return highest


def read_bandwidth(threads: int, device: str = "cpu") -> float:
    """Measure how fast memory is read: the most billions of bytes a second, in one long sum.

    Parameters
    ----------
    threads : int
        Of the processor; without meaning on other devices.
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    """
    import torch

    n_bytes = BYTES[device.partition(":")[0]]
    with _threads(threads), torch.inference_mode():
        numbers = torch.ones(n_bytes // 4, device=device)
        seconds = _least_seconds(numbers.sum, device)
    return n_bytes / seconds / 1e9


def machine(device: str = "cpu") -> str:
    """Describe the machine in one line: processor or card, cores, memory, system, Python, libraries."""
    words = [_processor(), f"{os.cpu_count()} cores", f"{_memory_gib():.0f} GiB", platform.system()]
    if device.startswith("cuda"):
        import torch

        words.insert(0, torch.cuda.get_device_name(device))
    words.append(f"Python {platform.python_version()}")
    for library in LIBRARIES:
        try:
            words.append(f"{library} {importlib.metadata.version(library)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(words)


def restart_peak(device: str = "cpu") -> int:
    """Return the bytes that the process holds; from here on its peak is counted anew, where the system can do that."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return int(torch.cuda.memory_allocated(device))
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    return peak()


def peak(device: str = "cpu") -> int:
    """Return the most bytes that the process held since `restart_peak`: of the card's memory, on a card."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            fields = dict(line.partition(":")[::2] for line in lines if ":" in line)
    except OSError:
        return platform.processor() or platform.machine()
    named = {name.strip(): value.strip() for name, value in fields.items()}
    widths = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in named.get("flags", "").split()]
    return f"{named.get('model name', platform.machine())} ({' '.join(widths) or 'no AVX2'})"


def _memory_gib() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return float("nan")


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _least_seconds(work: Callable[[], object], device: str) -> float:
    import torch

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        elif device == "mps":
            torch.mps.synchronize()

    work()
    wait()
    least = float("inf")
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.perf_counter()
        work()
        wait()
        least = min(least, time.perf_counter() - start)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--dtypes", nargs="+", help="float32, float64, tf32, bfloat16, float16")
    parser.add_argument("--quick", action="store_true", help="the same: this is short")
    arguments = parser.parse_args()
    on_card = arguments.device != "cpu"
    print(f"{machine(arguments.device)}; threads: {arguments.threads}")
    for dtype in arguments.dtypes or (["float32", "tf32", "bfloat16"] if on_card else ["float32", "bfloat16"]):
        gflops = matmul_gflops(arguments.threads, dtype, arguments.device)
        print(f"matrix product, {dtype:<9} {gflops:10,.1f} GFLOP/s")
    print(f"reading memory            {read_bandwidth(arguments.threads, arguments.device):10,.1f} GB/s")


if __name__ == "__main__":
    main()
