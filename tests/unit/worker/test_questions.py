from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import alvin_core
from alvin_core.errors import AlvinError, DataError, RunNotFoundError, SettingsError
from alvin_core.worker import questions
from alvin_core.worker.questions import Answerer, ask, close_answerers

FAKE = (sys.executable, str(Path(__file__).with_name("fake_answering.py")))


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    """One that the tests share: whatever one does to it, it must go on for the next."""
    made = Answerer(tmp_path_factory.mktemp("store"), FAKE)
    yield made
    made.close()


def pid_of(answerer: Answerer) -> int:
    return int(answerer.ask("echo", {}, 60)["pid"])


def test_one_process_answers_one_question_after_the_other(answerer: Answerer) -> None:
    first = answerer.ask("echo", {"text": "Straße 北京 \ud83d", "list": [1, None]}, 60)
    second = answerer.ask("echo", {}, 60)
    assert (first["text"], first["list"]) == ("Straße 北京 ?", [1, None])
    assert (second["pid"], second["n"]) == (first["pid"], first["n"] + 1)
    assert psutil.Process(first["pid"]).ppid() == psutil.Process().pid


def test_questions_from_many_threads_get_their_own_answers(answerer: Answerer) -> None:
    answers: dict[int, int] = {}

    def put(number: int) -> None:
        answers[number] = answerer.ask("echo", {"number": number}, 60)["number"]

    threads = [threading.Thread(target=put, args=(number,)) for number in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == {number: number for number in range(12)}


def test_the_process_outlives_the_thread_that_asked_first(tmp_path: Path) -> None:
    made, found = Answerer(tmp_path, FAKE), list[int]()
    asking = threading.Thread(target=lambda: found.append(pid_of(made)))
    asking.start()
    asking.join()
    assert [pid_of(made)] == found
    made.close()
    assert not psutil.pid_exists(found[0])


def test_errors_come_back_as_what_they_are(answerer: Answerer) -> None:
    pid = pid_of(answerer)
    with pytest.raises(DataError, match=r"^3 texts, at most 2; leave one out$"):
        answerer.ask("refuse", {}, 60)
    with pytest.raises(AlvinError, match=r"^unexpected: ValueError: a fault of two lines$"):
        answerer.ask("stumble", {}, 60)
    with pytest.raises(AlvinError, match="unexpected: ValueError: Out of range float"):
        answerer.ask("unsendable", {}, 60)
    assert pid_of(answerer) == pid


def test_a_process_that_was_killed_is_replaced_and_the_question_asked_again(answerer: Answerer, tmp_path: Path) -> None:
    pid = pid_of(answerer)
    psutil.Process(pid).kill()
    later = pid_of(answerer)
    assert later != pid
    assert answerer.ask("die once", {"mark": str(tmp_path / "once")}, 60)["pid"] != later
    assert (tmp_path / "once").exists()


def test_a_question_that_kills_twice_is_given_up_with_the_reason(answerer: Answerer, tmp_path: Path) -> None:
    with pytest.raises(AlvinError, match=r"the process that answers 'die' was killed by the system \(SIGKILL\)"):
        answerer.ask("die", {"mark": str(tmp_path / "mark")}, 60)
    assert pid_of(answerer)


def test_a_question_without_an_answer_in_time_ends_its_process(answerer: Answerer) -> None:
    pid = pid_of(answerer)
    with pytest.raises(AlvinError, match=r"no answer to the question 'hang' after 0\.2 s; its process was ended"):
        answerer.ask("hang", {}, 0.2)
    assert not psutil.pid_exists(pid)
    assert pid_of(answerer) != pid


def test_who_waits_for_another_question_waits_no_longer_than_allowed(tmp_path: Path) -> None:
    made = Answerer(tmp_path, FAKE)
    pid_of(made)
    gone: list[str] = []

    def hang() -> None:
        with pytest.raises(AlvinError) as caught:
            made.ask("hang", {}, 60)
        gone.append(str(caught.value))

    asking = threading.Thread(target=hang)
    asking.start()
    while not made._turn.locked():
        pass
    with pytest.raises(AlvinError, match=r"no answer after 0\.1 s: other questions came first"):
        made.ask("echo", {}, 0.1)
    made.close()  # also while a question waits
    asking.join(30)
    assert gone == ["the question was not answered: its process was closed meanwhile"]


def test_a_question_that_waited_for_others_does_not_end_a_process_that_is_busy(tmp_path: Path) -> None:
    made, fifo = Answerer(tmp_path, FAKE), tmp_path / "fifo"
    os.mkfifo(fifo)
    pid = pid_of(made)
    with pytest.raises(AlvinError, match=r"no answer after 60 s: other questions came first"):
        made._ask("hold", {"fifo": str(fifo)}, time.monotonic() + 0.1, 60)  # as after a wait of 59.9 s
    fifo.write_text("go on")
    assert pid_of(made) == pid  # whose late answer to the first question is nobody's
    # One that hangs is found out by the next who waits, however little time the first one had.
    with pytest.raises(AlvinError, match="other questions came first"):
        made._ask("hang", {}, time.monotonic() + 0.1, 60)
    with pytest.raises(AlvinError, match="its process was ended"):
        made.ask("echo", {}, 0.1)
    assert pid_of(made) != pid
    made.close()


def test_the_process_ends_with_the_one_who_asked() -> None:
    program = (
        "import sys, pathlib; from alvin_core.worker.questions import Answerer;"
        f"made = Answerer(pathlib.Path('.'), {FAKE!r}); print(made.ask('echo', {{}}, 60)['pid'], flush=True);"
        "sys.stdin.read(); import os; os._exit(1)"
    )
    asking = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert asking.stdin is not None
    assert asking.stdout is not None
    with asking.stdin, asking.stdout:
        answering = psutil.Process(int(asking.stdout.readline()))
        asking.stdin.close()
        asking.wait(30)
        answering.wait(30)  # as it is no child of this one, it raises where the process goes on


def test_the_real_process_knows_its_kinds_of_questions_and_says_what_is_not_there(tmp_path: Path) -> None:
    from alvin_core.store.database import open_store

    open_store(tmp_path, create=True)
    with pytest.raises(SettingsError, match="no question is called 'tea'; choose counterfactual, attribution, world"):
        ask(tmp_path, "tea", {})
    with pytest.raises(RunNotFoundError):
        alvin_core.ask(str(tmp_path), "counterfactual", {"run": "nobody", "round": 0, "texts": [["a"]]})
    pid = questions._answerers[tmp_path].pid
    assert pid is not None
    close_answerers()
    assert not psutil.pid_exists(pid)
