from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from alvin_core.device import DevicePlan, halving_batches
from alvin_core.encoding.ahead import Ahead, batches_at_once
from alvin_core.errors import Cancelled, DeviceError
from alvin_core.progress import ProgressEvent
from alvin_core.types import IntArray

N_BATCHES, SIZE = 12, 8


def batches() -> list[IntArray]:
    return [np.arange(start, start + SIZE) for start in range(0, N_BATCHES * SIZE, SIZE)]


def run(
    work: Callable[[IntArray], IntArray], n_threads: int, progress: Callable[[ProgressEvent], None] = lambda event: None
) -> list[IntArray]:
    with Ahead(work, n_threads) as ahead:
        halved = halving_batches(ahead.over(batches()), ahead.result, stage="encode", progress=progress)
        return [np.stack([rows, result]) for rows, result in halved]


@pytest.mark.parametrize("n_threads", [1, 2, 3, 20])
def test_results_come_in_the_order_of_the_batches(n_threads: int) -> None:
    def slow_at_first(rows: IntArray) -> IntArray:
        time.sleep(0.002 * (rows[0] % 3))
        return rows * 2

    found = run(slow_at_first, n_threads)
    assert np.array_equal(np.concatenate(found, axis=1)[0], np.arange(N_BATCHES * SIZE))
    assert np.array_equal(np.concatenate(found, axis=1)[1], np.arange(N_BATCHES * SIZE) * 2)


def test_batches_run_at_the_same_time_on_threads_of_one_torch_thread_each() -> None:
    together, inside = threading.Barrier(3, timeout=10), set[int]()

    def meet(rows: IntArray) -> IntArray:
        together.wait()  # breaks, with an error, unless three are inside at once
        inside.add(torch.get_num_threads())
        return rows

    assert len(run(meet, 3)) == N_BATCHES
    assert inside == {1}


def test_one_thread_is_the_callers_own_and_begins_nothing_before_it_is_asked() -> None:
    done = list[int]()

    def work(rows: IntArray) -> IntArray:
        assert threading.current_thread() is threading.main_thread()
        done.append(int(rows[0]))
        return rows

    with Ahead(work, 1) as ahead:
        for number, rows in enumerate(ahead.over(batches())):
            assert len(done) == number
            ahead.result(rows)


def test_no_more_than_two_batches_beyond_the_threads_are_begun_before_they_are_asked_for() -> None:
    def given() -> Iterator[IntArray]:
        for batch in batches():
            taken.append(batch)
            yield batch

    taken = list[IntArray]()
    with Ahead(lambda rows: rows, 2) as ahead:
        over = ahead.over(given())
        next(over)
        assert len(taken) == 4


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("threads_before", [1, 2])
def test_torchs_threads_are_as_before_however_it_ends(n_threads: int, threads_before: int) -> None:
    def fail(rows: IntArray) -> IntArray:
        raise ValueError("broken")

    at_first = torch.get_num_threads()
    torch.set_num_threads(threads_before)
    try:
        run(lambda rows: rows, n_threads)
        assert torch.get_num_threads() == threads_before
        with pytest.raises(ValueError, match="broken"):
            run(fail, n_threads)
        assert torch.get_num_threads() == threads_before
    finally:
        torch.set_num_threads(at_first)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_arrives_at_its_batch_and_no_thread_is_left(n_threads: int) -> None:
    def work(rows: IntArray) -> IntArray:
        if rows[0] == 5 * SIZE:
            raise ValueError("the sixth")
        return rows

    def collect() -> None:
        with Ahead(work, n_threads) as ahead:
            for rows, _ in halving_batches(ahead.over(batches()), ahead.result, stage="encode"):
                found.append(int(rows[0]))

    found = list[int]()
    with pytest.raises(ValueError, match="the sixth"):
        collect()
    assert found == [place * SIZE for place in range(5)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("encode")]


def test_a_wish_to_stop_is_heard_and_what_has_not_begun_is_left_undone() -> None:
    done = list[int]()

    def work(rows: IntArray) -> IntArray:
        time.sleep(0.005)
        done.append(int(rows[0]))
        return rows

    def stop() -> None:
        with Ahead(work, 2) as ahead:
            for _ in halving_batches(ahead.over(batches()), ahead.result, stage="encode"):
                raise Cancelled("enough")

    with pytest.raises(Cancelled):
        stop()
    assert len(done) < N_BATCHES
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("encode")]


@pytest.mark.parametrize("error", [MemoryError, lambda: torch.cuda.OutOfMemoryError("CUDA out of memory")])
def test_where_several_batches_do_not_fit_at_once_they_are_halved_and_done_one_by_one(
    error: Callable[[], Exception],
) -> None:
    inside, most, lock = set[int](), list[int](), threading.Lock()

    def work(rows: IntArray) -> IntArray:
        with lock:
            inside.add(threading.get_ident())
            alone = len(inside) == 1
            if len(rows) < SIZE:
                most.append(len(inside))
        time.sleep(0.002)
        with lock:
            inside.discard(threading.get_ident())
        if len(rows) == SIZE and (rows[0] >= 4 * SIZE or not alone):
            raise error()
        return rows

    events = list[ProgressEvent]()
    found = run(work, 3, events.append)
    assert np.array_equal(np.concatenate(found, axis=1)[1], np.arange(N_BATCHES * SIZE))
    assert set(most) == {1}  # no part of a batch beside another batch
    assert [event.note for event in events] == [
        f"out of memory with {SIZE} examples at once; going on with {SIZE // 2}"
    ]


def test_memory_that_holds_no_example_is_an_error_with_a_remedy() -> None:
    def work(rows: IntArray) -> IntArray:
        raise MemoryError

    with pytest.raises(DeviceError, match=r"even for one example; lower encoder\.max_length"):
        run(work, 2)


def test_a_single_row_that_does_not_fit_beside_other_batches_is_done_by_itself() -> None:
    def work(rows: IntArray) -> IntArray:
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError
        return rows

    with Ahead(work, 2) as ahead:
        halved = halving_batches(ahead.over(np.arange(6).reshape(6, 1)), ahead.result, stage="encode")
        assert [int(rows[0]) for rows, _ in halved] == list(range(6))


def test_a_failed_attempt_does_not_keep_what_it_had_taken() -> None:
    class Large:
        pass

    taken = list[weakref.ref[Large]]()

    def work(rows: IntArray) -> IntArray:
        large = Large()
        taken.append(weakref.ref(large))
        raise MemoryError

    with Ahead(work, 2) as ahead:
        first, *_ = ahead.over(batches()[:3])
        with pytest.raises(MemoryError):
            ahead.result(first)
        gc.collect()
        assert len(taken) == 3
        assert [one() for one in taken[1:]] == [None, None]  # their errors still wait to be asked for


@pytest.mark.parametrize(("device", "expected"), [("cpu", 7), ("cuda", 2), ("cuda:1", 2), ("mps", 1)])
def test_a_cpu_has_a_batch_on_every_thread_and_a_card_one_more_than_it_works_on(device: str, expected: int) -> None:
    assert batches_at_once(DevicePlan(device, 7, "float32", device)) == expected
