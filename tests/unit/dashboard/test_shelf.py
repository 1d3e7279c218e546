"""The cache that several threads share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep

import pytest

from dashboard.shelf import Shelf


def test_the_value_used_longest_ago_goes_first() -> None:
    shelf: Shelf[str, int] = Shelf(2)
    shelf.put("a", 1)
    shelf.put("b", 2)
    assert shelf.get("a", lambda: 9) == 1
    shelf.put("c", 3)
    assert [shelf.peek(key) for key in "abc"] == [1, None, 3]


def test_bytes_bound_it_and_what_is_larger_than_all_is_not_kept() -> None:
    shelf: Shelf[str, bytes] = Shelf(10, most_bytes=10, size=len)
    shelf.put("a", b"12345")
    shelf.put("b", b"12345")
    shelf.put("c", b"1")
    assert [shelf.peek(key) is None for key in "abc"] == [True, False, False]
    assert shelf.get("d", lambda: b"12345678901") == b"12345678901"
    assert shelf.peek("d") is None


def test_two_threads_that_ask_at_once_make_a_value_once() -> None:
    shelf: Shelf[str, int] = Shelf(4)
    made: list[int] = []
    together = Barrier(4)

    def make() -> int:
        made.append(1)
        sleep(0.05)
        return 7

    def ask(_: int) -> int:
        together.wait(5)
        return shelf.get("a", make)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [7] * 4
    assert len(made) == 1


def test_an_error_is_the_callers_and_nothing_is_kept() -> None:
    shelf: Shelf[str, int] = Shelf(4)

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        shelf.get("a", fail)
    assert shelf.get("a", lambda: 3) == 3


def test_dropped_keys_are_made_again() -> None:
    shelf: Shelf[tuple[str, int], int] = Shelf(4)
    shelf.put(("run", 1), 1)
    shelf.put(("other", 1), 2)
    shelf.drop(lambda key: key[0] == "run")
    assert shelf.get(("run", 1), lambda: 5) == 5
    assert shelf.peek(("other", 1)) == 2
