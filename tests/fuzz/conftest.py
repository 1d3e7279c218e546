"""Bad input, made up: how much of it, within which limits, and what it may do.

``ALVIN_FUZZ`` is how many inputs there are for all targets together (a small number by default), ``ALVIN_SEED`` where
they begin. Each target gets its share, and the summary tells how many each had.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from alvin_core.errors import AlvinError

sys.path.insert(0, str(Path(__file__).parent))  # where `made_up` is found

SMALL = 1500  # inputs of a usual test run, for all targets together
SHARES = 140  # what the targets' shares come to
AT_ONCE = 2000  # inputs of one search: it remembers what it tried
SECONDS = 20.0  # of the processor's time that one input may take; an endless loop takes them all
ROOM = 4 * 2**30  # bytes of addresses that may be taken beyond those of the test's process
LONGEST_MESSAGE = 4000  # characters
STARTED_WITH = "ALVIN_FUZZ_COUNTS"


def pytest_configure() -> None:
    if os.environ.get("ALVIN_FUZZ") and "PYTEST_XDIST_WORKER" not in os.environ:
        handle, place = tempfile.mkstemp(prefix="alvin-fuzz-")
        os.close(handle)
        os.environ.setdefault(STARTED_WITH, place)


class Hang(BaseException):
    """An input took too long; no `Exception`, so that nothing catches it."""


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Feed many made-up inputs to a function that must raise nothing but what is raised on purpose."""

    def feed(take: Callable[[Any], object], inputs: st.SearchStrategy[Any], *, share: float) -> None:
        wanted = max(1, round(int(os.environ.get("ALVIN_FUZZ") or SMALL) * share / SHARES))
        begin, n_done = time.monotonic(), [0]

        def checked(value: Any) -> None:
            n_done[0] += 1
            with within_time():
                polite(take, value)

        start = int(os.environ.get("ALVIN_SEED") or 0)
        try:
            with within_memory():
                for part, first in enumerate(range(0, wanted, AT_ONCE)):
                    search(checked, inputs, min(AT_ONCE, wanted - first), start * 1_000_003 + part)
        finally:
            tell(request, request.node.name, n_done[0], time.monotonic() - begin)

    return feed


def search(take: Callable[[Any], None], inputs: st.SearchStrategy[Any], n: int, start: int) -> None:
    """Let one search try n inputs, and make what it finds small."""

    def one(value: Any) -> None:
        take(value)

    chosen = settings(
        max_examples=n,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    seed(start)(chosen(given(inputs)(one)))()


def polite(take: Callable[[Any], object], value: Any) -> None:
    """Call, and check what is refused: in words, in one line that a terminal and a page can show."""
    try:
        take(value)
    except AlvinError as error:
        assert_in_words(str(error))


def assert_in_words(message: str) -> None:
    """Check the form of a message: short, one printable line of Unicode, that says what and why or what to do."""
    assert len(message) <= LONGEST_MESSAGE, f"{len(message)} characters: {message[:200]}"
    assert "Traceback" not in message
    assert len(message.split()) >= 3, message
    assert re.search(r"[;:,(]| must be | cannot ", message), message  # what, and then why, the limit or the remedy
    assert message.encode("utf-8").decode("utf-8") == message
    assert not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 for one in message), repr(message[:300])


@contextmanager
def within_time() -> Iterator[None]:
    """Raise in an input that takes too much of the processor's time; waiting for a busy machine is not counted."""

    def stop(*_: object) -> None:
        raise Hang(f"an input took more than {SECONDS:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def within_memory() -> Iterator[None]:
    """Refuse the process more addresses than it has now and some: what reserves by a header's word fails at once."""
    status = Path("/proc/self/statm")
    if not status.exists():
        yield
        return
    taken = int(status.read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = taken + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def tell(request: pytest.FixtureRequest, target: str, n: int, seconds: float) -> None:
    """Note how many inputs a target had, for the summary; worker processes leave it to the one that started them."""
    place = os.environ.get(STARTED_WITH)
    if place:
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps([target, n, seconds]) + "\n")
    request.node.add_report_section("call", "inputs", f"{n:,} inputs in {seconds:.1f} s")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    place = os.environ.get(STARTED_WITH)
    if not place or "PYTEST_XDIST_WORKER" in os.environ:
        return
    with suppress(OSError):
        found = [json.loads(line) for line in Path(place).read_text(encoding="utf-8").splitlines()]
        terminalreporter.section("bad input")
        for target, n, seconds in found:
            terminalreporter.write_line(f"{n:>9,} inputs {seconds:>8.1f} s  {target}")
        total, seconds = sum(one[1] for one in found), sum(one[2] for one in found)
        terminalreporter.write_line(f"{total:>9,} inputs {seconds:>8.1f} s  all {len(found)} targets")
