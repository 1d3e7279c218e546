"""Surroundings in which a training gives the same bits twice and leaves no trace in the caller's. Needs torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

__all__ = ["exact_repeat", "thread_count"]


@contextmanager
def exact_repeat(device: torch.device, seed: int) -> Iterator[None]:
    """Seed dropout, and take only kernels that repeat exactly; give everything back afterwards.

    Parameters
    ----------
    device : torch.device
    seed : int
        Of torch's global generators on the CPU and on ``device``, which dropout draws from. The caller's
        generators continue afterwards as if nothing had been drawn.
    """
    with ExitStack() as stack:
        stack.enter_context(_seeded(device, seed))
        if device.type == "cuda":
            stack.enter_context(_exact_kernels())
        yield


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    on_cuda = [device] if device.type == "cuda" else []
    mps_state = torch.mps.get_rng_state() if device.type == "mps" else None  # fork_rng does not know this device
    with torch.random.fork_rng(devices=on_cuda):
        torch.default_generator.manual_seed(seed)
        for card in on_cuda:
            with torch.cuda.device(card):
                torch.cuda.manual_seed(seed)
        if mps_state is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)


@contextmanager
def _exact_kernels() -> Iterator[None]:
    # The fused attention kernels add gradients in whatever order threads finish, and so may cuBLAS without a
    # workspace of its own. The plain kernels cost little at the lengths of sentences.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    strict, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)


@contextmanager
def thread_count(n_threads: int) -> Iterator[None]:
    """Let torch use this many threads, and the former number again afterwards; 0 changes nothing."""
    before = torch.get_num_threads()
    if n_threads:
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
