"""What a machine's numbers depend on beside versions: the processor, the libraries of linear algebra, variables."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["describe_machine"]

# Of the instructions that a processor has, those by which libraries choose how they compute.
INSTRUCTIONS = (
    "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni",
    "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "bf16", "i8mm", "sve",
)  # fmt: skip
# Variables by which people make libraries compute otherwise. Those of threads are known as the number of threads.
VARIABLES = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "CUDA_LAUNCH_BLOCKING", "DNNL_MAX_CPU_ISA", "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES", "NUMBA_CPU_FEATURES", "NUMBA_CPU_NAME", "NUMBA_DISABLE_JIT",
    "NVIDIA_TF32_OVERRIDE", "ONEDNN_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip


def describe_machine() -> dict[str, Any]:
    """Return ``processor`` (model, instructions, cores), ``libraries`` (numpy's linear algebra and torch's choices, as
    far as they are loaded) and ``variables`` that are set; each with plain values alone.
    """
    return {
        "processor": dict(_processor()),
        "libraries": {**_linear_algebra(), **_torch()},
        "variables": {name: os.environ[name][:80] for name in VARIABLES if name in os.environ},
    }


@cache
def _processor() -> tuple[tuple[str, Any], ...]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return (("cores", os.cpu_count()),)
    told: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        told.setdefault(name.strip().lower(), value.strip())  # of the first processor
    flags = set(told.get("flags", told.get("features", "")).split())
    return (
        ("model", told.get("model name") or told.get("cpu part") or "unknown"),
        ("instructions", " ".join(one for one in INSTRUCTIONS if one in flags)),
        ("cores", os.cpu_count()),
    )


@cache
def _linear_algebra() -> dict[str, str]:
    """Return the library that numpy multiplies with, and for which processor it chose its kernels."""
    import numpy  # noqa: F401 - loads it
    from threadpoolctl import threadpool_info

    loaded = [one for one in threadpool_info() if one["user_api"] == "blas"]
    first = next((one for one in loaded if "numpy" in str(one.get("filepath", ""))), loaded[0] if loaded else None)
    if first is None:
        return {}
    words = (first.get("internal_api"), first.get("version"), first.get("architecture"))
    return {"numpy's blas": " ".join(str(word) for word in words if word)}


def _torch() -> dict[str, str]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "backends"):
        return {}
    told = {"torch's kernels": str(torch.backends.cpu.get_cpu_capability())}
    if torch.cuda.is_available():
        told |= {
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
            "tf32": "on" if torch.backends.cuda.matmul.allow_tf32 else "off",
        }
    return told
