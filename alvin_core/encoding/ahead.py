"""Batches on several threads at once, each of which computes alone."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, TypeVar

from alvin_core.device import DevicePlan, is_out_of_memory
from alvin_core.types import IntArray

__all__ = ["Ahead", "batches_at_once"]

Result = TypeVar("Result")


class Ahead(Generic[Result]):
    """Begins the work on batches before it is asked for, on threads of its own; a context that ends them.

    A batch on each thread, rather than each batch on all threads: nobody waits at the end of every layer, and what
    comes out does not depend on how many threads there are.

    Parameters
    ----------
    work : callable
        Called with the rows of a batch. It must let several threads in.
    n_threads : int
        With 1, nothing is begun before it is asked for, and all is done on the caller's own thread.
    """

    def __init__(self, work: Callable[[IntArray], Result], n_threads: int) -> None:
        self._work, self._n_threads = work, n_threads
        self._begun: dict[tuple[int, int], Future[Result]] = {}  # by first row and number of rows
        self._has_failed = False
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Ahead[Result]:
        if self._n_threads > 1:
            import torch

            self._torch_threads = torch.get_num_threads()
            self._pool = ThreadPoolExecutor(
                self._n_threads, thread_name_prefix="encode", initializer=torch.set_num_threads, initargs=(1,)
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            import torch

            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self._torch_threads)  # the pool's threads have set it for all that come later

    def over(self, batches: Iterable[IntArray]) -> Iterator[IntArray]:
        """Yield the batches, no two with a row in common, in order; one more than there are threads is under way."""
        if self._pool is None:
            yield from batches
            return
        waiting = deque[IntArray]()
        for batch in batches:
            if not self._has_failed:
                self._begun[_name(batch)] = self._pool.submit(self._begin, batch)
            waiting.append(batch)
            if len(waiting) > self._n_threads + 1:
                yield waiting.popleft()
        yield from waiting

    def result(self, rows: IntArray) -> Result:
        """Return what the work makes of a batch of `over`, or of a part of one that failed.

        From the first failure on, batches are done one by one: several at once may be why memory ran out.
        """
        begun = self._begun.pop(_name(rows), None)
        if begun is None:
            return self._work(rows)
        try:
            return begun.result()
        except Exception as error:
            self._has_failed = True
            wait(self._begun.values())  # whoever tries a part of the batch again has the memory to itself
            if len(rows) > 1 or not is_out_of_memory(error):
                raise
        return self._work(rows)  # there is no part of a single row, which may fit by itself

    def _begin(self, rows: IntArray) -> Result:
        try:
            return self._work(rows)
        except Exception as error:
            # The error waits to be asked for; the tensors of the failed attempt must not.
            traceback.clear_frames(error.__traceback__)
            raise


def batches_at_once(plan: DevicePlan) -> int:
    """Return how many batches should be under way on a device."""
    # CUDA is kept busy by one thread that prepares a batch while the other waits for the card; torch's MPS is not made
    # for several.
    return {"cpu": plan.threads, "cuda": 2}.get(plan.kind, 1)


def _name(rows: IntArray) -> tuple[int, int]:
    return int(rows[0]), len(rows)
