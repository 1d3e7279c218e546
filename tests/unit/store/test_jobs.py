"""The queue in the store: order, claiming, ending, forgetting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from alvin_core.errors import StoreError
from alvin_core.store.database import Store, open_store
from alvin_core.store.jobs import (
    KEPT_JOBS,
    active_jobs,
    add_job,
    ask_to_stop,
    claim_job,
    end_abandoned,
    end_job,
    find_job,
    is_asked_to_stop,
    list_job_rows,
    next_job_id,
    report_job,
)
from alvin_core.store.tables import JobRow

RUN, OTHER = "aaaaaaaa", "bbbbbbbb"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store", create=True)


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    with store.write() as session:
        yield session


def running(session: Session, kind: str = "rounds", run_id: str | None = RUN) -> JobRow:
    row = claim_job(session, add_job(session, kind, run_id, {}).id, 7)
    assert row is not None
    return row


def test_the_oldest_job_is_next_but_maps_come_last(session: Session) -> None:
    project = add_job(session, "project", RUN, {})
    create = add_job(session, "create", None, {})
    rounds = add_job(session, "rounds", RUN, {"n": 2})
    order = []
    while (job_id := next_job_id(session)) is not None:
        order.append(job_id)
        assert claim_job(session, job_id, 1) is not None
    assert order == [create.id, rounds.id, project.id]


def test_a_job_is_claimed_once(session: Session) -> None:
    row = running(session)
    assert (row.state, row.worker_pid, row.started_at) == ("running", 7, row.heartbeat)
    assert claim_job(session, row.id, 8) is None
    assert claim_job(session, row.id + 1, 8) is None


def test_the_store_itself_refuses_a_second_active_job_of_rounds_of_a_run(store: Store) -> None:
    with store.write() as session:
        running(session)
        add_job(session, "rounds", OTHER, {})
        add_job(session, "project", RUN, {})
    with pytest.raises(StoreError, match=r"unique|UNIQUE"), store.write() as session:
        add_job(session, "rounds", RUN, {})


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_asked(session: Session) -> None:
    waiting, at_work = add_job(session, "project", RUN, {}), running(session)
    for row in (waiting, at_work):
        ask_to_stop(session, row)
    assert (waiting.state, waiting.finished_at is None) == ("cancelled", False)
    assert (at_work.state, at_work.finished_at) == ("running", None)
    assert is_asked_to_stop(session, at_work.id)
    assert is_asked_to_stop(session, 1000)


def test_a_job_that_has_ended_is_not_cancelled_any_more(session: Session) -> None:
    row = running(session)
    end_job(session, row.id, "done", {"result": {"rounds": [0]}})
    session.refresh(row)
    ask_to_stop(session, row)
    assert (row.state, row.cancel, row.result) == ("done", False, {"rounds": [0]})


@pytest.mark.parametrize(("ends", "wished"), [("done", False), ("failed", False), ("cancelled", True)])
def test_a_job_that_ends_as_somebody_wishes_to_stop_it_is_in_one_state(
    session: Session, ends: str, wished: bool
) -> None:
    """A job that was done and asked to stop was said to be cancelled, with all of its rounds there."""
    row = running(session)
    ask_to_stop(session, row)
    session.flush()
    end_job(session, row.id, ends, {})
    session.refresh(row)
    assert (row.state, row.cancel) == (ends, wished)


def test_progress_is_written_on_a_running_job_only(session: Session) -> None:
    row = running(session)
    report_job(session, row.id, {"stage": "train", "done": 3, "total": 9, "seconds_left": 1.5})
    session.refresh(row)
    assert (row.stage, row.done, row.total, row.seconds_left) == ("train", 3, 9, 1.5)
    assert row.heartbeat is not None
    assert row.started_at is not None
    assert row.heartbeat > row.started_at
    end_job(session, row.id, "failed", {"error": "why"})
    report_job(session, row.id, {"stage": "late"})
    session.refresh(row)
    assert (row.stage, row.error, row.seconds_left) == ("train", "why", None)


def test_what_a_dead_worker_left_running_has_failed_and_what_waited_waits(session: Session) -> None:
    waiting = add_job(session, "rounds", OTHER, {})
    at_work, unwanted = running(session), running(session, "project")
    ask_to_stop(session, unwanted)
    assert end_abandoned(session) == 2
    assert (waiting.state, at_work.state, unwanted.state) == ("queued", "failed", "cancelled")
    assert at_work.error == (
        "the worker ended while it trained rounds; nothing that was finished is lost: start it again"
    )
    assert end_abandoned(session) == 0


def test_active_jobs_and_lists_are_of_one_run_or_of_all(session: Session) -> None:
    first, second = running(session, "project"), add_job(session, "project", OTHER, {})
    third = running(session, "create", None)
    end_job(session, first.id, "done", {})
    assert active_jobs(session, "project", RUN) == []
    assert active_jobs(session, "project", OTHER) == [second]
    assert active_jobs(session, "create", None) == [third]
    assert list_job_rows(session, run_id=None, active=False, limit=9) == [third, second, first]
    assert list_job_rows(session, run_id=None, active=False, limit=1) == [third]
    assert list_job_rows(session, run_id=None, active=True, limit=9) == [third, second]
    assert list_job_rows(session, run_id=RUN, active=False, limit=9) == [first]


def test_the_oldest_ended_jobs_are_forgotten_and_the_active_ones_kept(session: Session) -> None:
    waiting = add_job(session, "project", RUN, {})
    ended = [running(session, "project", OTHER).id for _ in range(3)]
    for job_id in ended:
        end_job(session, job_id, "done", {})
    for _ in range(KEPT_JOBS - 2):
        row = add_job(session, "project", OTHER, {})
        row.state = "done"
    session.flush()
    last = running(session)
    end_job(session, last.id, "cancelled", {})
    session.expire_all()
    kept = list_job_rows(session, run_id=None, active=False, limit=1000)
    assert len(kept) == KEPT_JOBS + 1
    assert find_job(session, waiting.id) is not None
    assert find_job(session, last.id) is not None
    assert [find_job(session, job_id) for job_id in ended[:2]] == [None, None]
    assert find_job(session, ended[2]) is not None


def test_a_job_may_count_more_bytes_than_a_servers_plain_integer_holds(store: Store) -> None:
    with store.write() as session:
        job = running(session)
        report_job(session, job.id, {"done": 2**31, "total": 2**40})
    with store.read() as session:
        found = find_job(session, job.id)
    assert found is not None
    assert (found.done, found.total) == (2**31, 2**40)
