"""Asking for work, without a worker: what is refused, what waits, what is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.errors import AlvinError, DataError, RunBusyError, RunNotFoundError, SettingsError, StoreError
from alvin_core.run import Run, create_run
from alvin_core.settings import RunSettings
from alvin_core.store.tables import TrashRow
from alvin_core.worker import cancel_job, enqueue_job, get_job, list_jobs


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def run(store: Path, harness: ModuleType) -> Run:
    return create_run(store, harness.make_dataset(), RunSettings(budget=4, initial=8), name="r")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place = tmp_path / "data.csv"
    place.write_text("text,label\na,b\n")
    return place


def test_a_job_waits_in_the_queue_with_all_that_was_asked(store: Path, run: Run) -> None:
    job = enqueue_job(store, "rounds", run="r", params={"n": 3})
    assert (job.kind, job.run_id, job.params, job.state, job.active) == ("rounds", run.id, {"n": 3}, "queued", True)
    assert get_job(store, job.id) == job
    assert list_jobs(store, run="r", active=True) == [job]
    assert job.to_dict()["params"] == {"n": 3}


def test_one_round_is_asked_for_where_no_number_is_given(store: Path, run: Run) -> None:
    assert enqueue_job(store, "rounds", run=run.id).params == {"n": 1}


def test_a_second_job_of_rounds_of_a_run_is_refused_until_the_first_has_ended(store: Path, run: Run) -> None:
    job = enqueue_job(store, "rounds", run="r")
    with pytest.raises(RunBusyError, match=f"rounds of 'r' are under way: job {job.id}; wait, or cancel it"):
        enqueue_job(store, "rounds", run=run.id, params={"n": 2})
    assert cancel_job(store, job.id).state == "cancelled"
    assert enqueue_job(store, "rounds", run="r").id != job.id


def test_the_same_new_run_asked_for_twice_is_one_job(store: Path, data: Path) -> None:
    params = {"path": str(data), "name": "new", "seed": 3}
    job = enqueue_job(store, "create", params=params)
    assert enqueue_job(store, "create", params=params).id == job.id
    assert enqueue_job(store, "create", params=params | {"seed": 4}).id != job.id


def test_a_new_run_can_be_asked_for_before_there_is_a_store(store: Path) -> None:
    job = enqueue_job(store, "create", params={"path": "reviews"})
    assert (job.run_id, job.params["path"], job.params["source"]) == (None, "reviews", "reviews")
    assert job.params["rounds"] is None
    assert job.params["settings"] == RunSettings().to_dict()


def test_the_path_is_kept_as_one_that_holds_in_every_folder(
    store: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    job = enqueue_job(store, "create", params={"path": data.name, "columns": {"text": "text", "id": None}})
    assert (job.params["path"], job.params["source"]) == (str(data), data.name)
    assert job.params["columns"] == {"text": "text"}


@pytest.mark.parametrize(
    ("kind", "params", "error", "words"),
    [
        ("dance", {}, SettingsError, "job kind 'dance' is unknown; choose one of: rounds, create, project"),
        ("rounds", {"n": 0}, SettingsError, "n = 0 is out of range: it must be between 1 and 1000"),
        ("rounds", {"n": 1001}, SettingsError, "n = 1001 is out of range"),
        ("rounds", {"n": True}, SettingsError, "n = True must be a whole number"),
        ("rounds", {"n": 1.0}, SettingsError, "n = 1.0 must be a whole number"),
        ("rounds", {"m": 1}, SettingsError, "has no parameter 'm'; it takes: n"),
        ("project", {}, SettingsError, "needs the parameter 'round'"),
        ("project", {"round": 0}, StoreError, "the run 'r' has no round 0: it has none yet"),
        ("project", {"round": -1}, SettingsError, "round = -1 is out of range: it must be at least 0"),
        ("project", {"round": 0, "space": "outer"}, SettingsError, "space = 'outer' is unknown"),
        ("create", {}, SettingsError, "needs a parameter|needs the parameter 'path'"),
        ("create", {"path": 3}, SettingsError, "path = 3 must be a text"),
        ("create", {"path": "/nowhere.csv"}, DataError, "there is no file '/nowhere.csv', and no sample is called so"),
        ("create", {"path": "n" * 5000}, DataError, "cannot look for the file 'nnn"),
        ("create", {"path": "~nobody-of-this-name/a.csv"}, DataError, "cannot look for the file '~nobody"),
        ("create", {"path": "a\0b"}, DataError, "null byte"),
        ("create", {"path": "a\udcff"}, SettingsError, "no Unicode"),
        ("create", {"path": "reviews", "columns": {"txt": "a"}}, SettingsError, "the role 'txt' is unknown"),
        ("create", {"path": "reviews", "columns": {"text": 3}}, SettingsError, "must be the name of a column"),
        ("create", {"path": "reviews", "columns": ["text"]}, SettingsError, "must be a table of roles"),
        ("create", {"path": "reviews", "settings": {"budget": 0}}, SettingsError, "budget"),
        ("create", {"path": "reviews", "settings": {"colour": "red"}}, SettingsError, "colour"),
        ("create", {"path": "reviews", "settings": 5}, SettingsError, "must be a table of settings"),
        ("create", {"path": "reviews", "seed": "x"}, SettingsError, "seed"),
        ("create", {"path": "reviews", "name": "a b"}, StoreError, "cannot name a run"),
        ("create", {"path": "reviews", "name": "r"}, StoreError, "there is a run called 'r' already"),
        ("create", {"path": "reviews", "rounds": -1}, SettingsError, "rounds = -1 is out of range"),
        ("create", {"path": "reviews", "strict": "yes"}, SettingsError, "strict = 'yes' must be true or false"),
        ("create", {"path": "reviews", "classes": "a,b"}, SettingsError, "must be a list of names"),
        ("create", {"path": "reviews", "delete_after": True}, SettingsError, "is no upload; only files in"),
    ],
)
def test_what_cannot_be_done_is_refused_before_it_is_in_the_queue(
    store: Path, run: Run, kind: str, params: dict[str, Any], error: type[AlvinError], words: str
) -> None:
    with pytest.raises(error, match=words) as raised:
        enqueue_job(store, kind, run=None if kind in ("create", "dance") else run.name, params=params)
    assert "\n" not in str(raised.value)
    assert list_jobs(store) == []


def test_a_file_that_only_a_link_puts_among_the_uploads_is_not_deleted(store: Path, run: Run, data: Path) -> None:
    uploads = store / "uploads"
    uploads.mkdir()
    (uploads / "link.csv").symlink_to(data)
    with pytest.raises(SettingsError, match="is no upload"):
        enqueue_job(store, "create", params={"path": str(uploads / "link.csv"), "delete_after": True})
    with pytest.raises(SettingsError, match="is no upload"):
        enqueue_job(store, "create", params={"path": f"{uploads}/../../data.csv", "delete_after": True})
    assert run.n_rounds == 0


def test_rounds_need_a_run_that_is_there_and_a_new_run_needs_none(store: Path, run: Run) -> None:
    with pytest.raises(SettingsError, match="a job 'rounds' needs a run, none was given"):
        enqueue_job(store, "rounds")
    with pytest.raises(SettingsError, match="a job 'create' needs no run, 'r' was given"):
        enqueue_job(store, "create", run="r", params={"path": "reviews"})
    with pytest.raises(RunNotFoundError):
        enqueue_job(store, "rounds", run="s")
    with run._handle.store.write() as session:
        session.add(TrashRow(run_id=run.id, deleted_at="2020"))
    with pytest.raises(RunNotFoundError):
        enqueue_job(store, "rounds", run=run.id)


def test_jobs_that_are_not_there_and_stores_that_are_not_there_are_told_of(store: Path, run: Run) -> None:
    for ask in (get_job, cancel_job):
        with pytest.raises(StoreError, match="there is no job 9; old ones are forgotten"):
            ask(store, 9)
    with pytest.raises(SettingsError, match="limit = 0"):
        list_jobs(store, limit=0)
    with pytest.raises(StoreError, match="there is no store"):
        list_jobs(store / "other")
    assert run.n_rounds == 0


def test_asking_for_work_loads_nothing_that_does_the_work() -> None:
    heavy = ("torch", "transformers", "faiss", "umap", "numba", "pandas", "sklearn", "pyarrow")
    program = (
        "import sys, alvin_core.worker, alvin_core.worker.supervisor\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
