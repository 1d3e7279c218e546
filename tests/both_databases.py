"""The tests of a store, for stores in SQLite and stores in PostgreSQL: each such test has a turn with either.

In a turn with PostgreSQL every folder that becomes a store gets a schema of its own on a real server, by a
``store.json``; the test itself names folders, as it did.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import REQUIRED, ROLE, WORD, Server, missing_binaries, running_server

# Files of tests whose stores can be in either, below `tests/`.
FILES = (
    "unit/store/test_jobs.py",
    "unit/store/test_labels.py",
    "unit/store/test_marks.py",
    "unit/run/test_assigning.py",
    "unit/run/test_marking.py",
    "unit/run/test_submitting.py",
    "unit/run/test_trash.py",
    "unit/upkeep/test_backup.py",
    "unit/upkeep/test_verifying.py",
)
# What these do is done to SQLite's file, or they say what else is in a folder without a database elsewhere, or need no
# store at all.
SQLITE_ALONE = frozenset(
    {
        "test_a_damaged_index_is_rebuilt",
        "test_a_header_that_would_fill_the_memory_is_refused_before_it_is_read",
        "test_a_majority_is_the_one_label_that_most_opinions_name",
        "test_nothing_but_files_is_unpacked",
        "test_the_share_is_drawn_by_the_seed_and_differs_from_round_to_round",
        "test_what_is_no_tar_is_no_backup",
        "test_a_database_that_is_none_is_told_as_such",
        "test_a_restored_store_holds_what_was_backed_up_and_goes_on_alike",
        "test_a_record_that_is_no_json_is_damage_and_no_fault",
        "test_a_record_that_was_lost_or_changed_is_damage_with_a_remedy",
        "test_a_round_that_predicts_otherwise_when_trained_again_stays_damaged_though_it_selects_the_same",
        "test_a_round_that_selects_otherwise_when_trained_again_stays_damaged",
        "test_a_run_that_cannot_be_trained_again_keeps_no_other_from_it",
        "test_where_there_is_no_store_none_is_made",
    }
)
TEMPORARY = re.compile(r"\.[0-9a-f]{8}\.part$")  # of a restoration: its folder becomes the store when it is whole
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A server for all tests of this process; skips, with the reason, where there can be none."""
    missing = missing_binaries()
    if missing and os.environ.get(REQUIRED):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_address(postgres_server: Server) -> Iterator[str]:
    """The address of a store that is yet to be made, in a schema that no other test has."""
    schema = f"s{os.getpid()}_{next(_numbers)}"
    yield f"{postgres_server.address}?schema={schema}"
    forget_connections()
    postgres_server.run(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE', database=ROLE)


def forget_connections() -> None:
    """Close what this process has open, as it would at its end."""
    from alvin_core.store import postgres

    for engine in list(postgres._engines.values()):
        engine.dispose()
    postgres._engines.clear()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the tests of a store two turns."""
    path = Path(metafunc.module.__file__ or "")
    if not path.as_posix().endswith(FILES) or metafunc.function.__name__ in SQLITE_ALONE:
        return
    metafunc.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def database_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the tables of this test's stores are. Of every test, because only then it comes before a store is made."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield "sqlite"
        return
    server: Server = request.getfixturevalue("postgres_server")
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        _let_folders_be_teams(server, patch, made)
        yield "postgresql"
    forget_connections()
    assert made, "no store was made on the server: the test has no turn with it"
    for schema in made:
        server.run(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE', database=ROLE)


def _let_folders_be_teams(server: Server, monkeypatch: pytest.MonkeyPatch, made: list[str]) -> None:
    """Have each folder that is first opened as a store say that its tables are in a schema of the server."""
    from alvin_core.store import database, location

    monkeypatch.setenv("PGPASSWORD", WORD)

    def folder_of_team(store: Path | str) -> Path:
        folder = location.store_folder(store)
        is_known = any((folder / name).exists() for name in (location.SIGN, location.LOCAL))
        if not is_known and not folder.is_file() and not TEMPORARY.search(folder.name):
            schema = f"s{os.getpid()}_{next(_numbers)}"
            made.append(schema)
            folder.mkdir(parents=True, exist_ok=True)
            place = {"database": f"{server.plain}?schema={schema}", "arrays": None, "id": schema}
            (folder / location.SIGN).write_text(json.dumps(place))
        return folder

    monkeypatch.setattr(database, "store_folder", folder_of_team)
