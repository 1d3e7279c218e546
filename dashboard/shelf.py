"""A cache of bounded size that several threads share and that makes each value once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Shelf"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Shelf(Generic[Key, Value]):
    """The values used last, up to a number of them and a number of bytes.

    Two threads that ask for the same missing value make it once: the second waits. Different values are made at the
    same time. What is larger than the whole shelf is returned and not kept.

    Parameters
    ----------
    most : int
        Values kept.
    most_bytes : int, optional
        Bytes kept, as ``size`` counts them.
    size : callable, optional
        Value -> bytes.
    """

    def __init__(
        self, most: int, most_bytes: int | None = None, size: Callable[[Value], int] = lambda value: 0
    ) -> None:
        self._most, self._most_bytes, self._size = most, most_bytes, size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._making: dict[Key, Lock] = {}
        self._lock = Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made if it is not there. An error in ``make`` is the caller's; nothing is kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = make()
                self.put(key, value)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return value

    def peek(self, key: Key) -> Value | None:
        """Return the value of a key, or None where it is not there."""
        with self._lock:
            return self._values.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, and let those go that were not used for longest."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while self._values and self._is_over():
                self._values.popitem(last=False)

    def _is_over(self) -> bool:
        if len(self._values) > self._most:
            return True
        return self._most_bytes is not None and sum(map(self._size, self._values.values())) > self._most_bytes

    def drop(self, which: Callable[[Key], bool]) -> None:
        """Forget the values of some keys."""
        with self._lock:
            for key in [key for key in self._values if which(key)]:
                del self._values[key]
