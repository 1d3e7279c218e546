"""The page Runs: the list and its actions, uploads and their check, the form of settings, start, trash, import."""

from __future__ import annotations

import html
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import alvin_core as alvin

pytestmark = pytest.mark.usefixtures("cheap_rounds")
APP = Path(__file__).parents[2] / "dashboard" / "app.py"
GOOD = "review,sentiment,genre\n" + "".join(
    f'"<b>film</b> number {number} of $x^2$",{"good" if number % 2 else "bad"},horror\n' for number in range(40)
)
BAD = "id,text,label,split\n1,one,a,train\n1,two,b,pool\n"


@pytest.fixture(scope="module")
def finished(fake: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with `older` (rounds 0 to 1), its fork `branch`, and `waiting`, which a person labels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
        folder = tmp_path_factory.mktemp("runs") / "store"
        settings = alvin.RunSettings(budget=5, initial=10)
        older = alvin.create_run(folder, fake.make_dataset(), settings, name="older", source="/data/<b>films</b>.csv")
        list(older.run_rounds(1))
        older.fork(1, strategy="random", name="branch")
        person = settings.with_value("annotator", "person")
        alvin.create_run(folder, fake.make_dataset(), person, name="waiting")
        (folder / "dashboard").mkdir()
        (folder / "dashboard" / "tour-seen").touch()
        yield folder


@pytest.fixture
def store(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(finished, tmp_path / "store"))
    monkeypatch.setenv("ALVIN_STORE", str(folder))
    return folder


def _visit(**params: str) -> Any:
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in {"page": "runs", **params}.items():
        app.query_params[name] = value
    return _ran(app)


def _ran(app: Any) -> Any:
    app.run()
    assert not app.exception, app.exception
    return app


def _click(app: Any, key: str) -> Any:
    app.button(key=key).click()
    return _ran(app)


def _html(app: Any) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def _param(app: Any, name: str) -> str:
    value = app.query_params.get(name, "")
    return value[0] if isinstance(value, list) and value else str(value or "")


def _upload(app: Any, name: str, content: str) -> Any:
    app.file_uploader(key="upload").set_value((name, content.encode(), "text/csv"))
    return _ran(app)


def _ids(store: Path) -> dict[str, str]:
    return {info.name: info.id for info in alvin.list_runs(store)}


def test_the_list_tells_what_each_run_is_where_it_came_from_and_what_it_waits_for(store: Path) -> None:
    shown = _html(_visit(run="older"))
    assert "Runs (3)" in shown
    for name in ("older", "branch", "waiting"):
        assert f"<b>{name}</b>" in shown
    assert "forked from older at round 1" in shown
    assert "waits for labels" in shown
    assert "2 rounds" in shown
    assert "b&gt;" in shown  # of the path, what stands after its last slash
    assert "<b>films" not in shown


def test_training_from_the_list_asks_the_worker_for_so_many_rounds(store: Path) -> None:
    app = _visit(run="older")
    run_id = _ids(store)["older"]
    app.number_input(key=f"train_n_{run_id}").set_value(4)
    _ran(app)
    app = _click(app, f"train_{run_id}")
    (job,) = alvin.list_jobs(store, run="older", active=True)
    assert (job.kind, job.params) == ("rounds", {"n": 4})
    assert app.button(key=f"train_{run_id}").disabled
    assert "training" in _html(app)


def test_a_run_is_forked_from_the_list_at_its_newest_round(store: Path) -> None:
    app = _click(_visit(run="older"), f"fork_{_ids(store)['older']}")
    app.text_input(key="fork_name").input("twig")
    app.number_input(key="fork_rounds").set_value(0)
    app = _click(app, "fork_confirm")
    twig = alvin.open_run(store, "twig")
    assert twig.parent == (_ids(store)["older"], 1)
    assert _param(app, "run") == "twig"


def test_a_run_that_waits_for_labels_leads_to_the_page_label(store: Path) -> None:
    app = _visit(run="waiting")
    run_id = _ids(store)["waiting"]
    assert not [one for one in app.button if one.key == f"train_{run_id}"]
    app.button(key=f"label_{run_id}").click()
    app.run()
    assert (_param(app, "page"), _param(app, "run")) == ("label", "waiting")


def test_a_deleted_run_is_in_the_trash_and_undo_brings_it_back(store: Path) -> None:
    run_id = _ids(store)["older"]
    app = _click(_visit(run="older"), f"delete_{run_id}")
    assert "older" not in _ids(store)
    assert _param(app, "run") != "older"
    assert "<b>older</b> is in the trash" in _html(app)
    assert "forked from older (in the trash) at round 1" in _html(app)
    app = _click(app, "undo_delete")
    assert _ids(store)["older"] == run_id
    assert _param(app, "run") == "older"
    assert alvin.list_trash(store) == []


def test_deleting_for_good_asks_first_and_takes_that_run_alone(store: Path) -> None:
    ids = _ids(store)
    for name in ("older", "waiting"):
        alvin.trash_run(store, name)
    app = _click(_visit(run="branch"), f"purge_{ids['waiting']}")
    assert "Delete waiting with its labels for good?" in _html(app)
    app = _click(app, "purge_keep")
    assert len(alvin.list_trash(store)) == 2
    app = _click(_click(app, f"purge_{ids['waiting']}"), "purge_confirm")
    assert [info.name for info in alvin.list_trash(store)] == ["older"]
    app = _click(app, f"restore_{ids['older']}")
    assert set(_ids(store)) == {"older", "branch"}


def test_a_busy_run_is_not_deleted_and_the_reason_is_shown(store: Path) -> None:
    alvin.enqueue_job(store, "rounds", run="older")
    app = _click(_visit(run="older"), f"delete_{_ids(store)['older']}")
    assert "older" in _ids(store)
    assert "wait until it is done, or cancel it" in _html(app)


def test_a_packed_run_comes_back_under_another_name(store: Path, tmp_path: Path) -> None:
    path = alvin.pack_run(store, "older", tmp_path / "older.zip")
    app = _visit(run="branch")
    app.file_uploader(key="import_file").set_value(("x<y>.zip", path.read_bytes(), "application/zip"))
    app.text_input(key="import_name").set_value("again")
    app = _click(_ran(app), "import_run")
    assert _param(app, "run") == "again"
    assert alvin.open_run(store, "again").n_rounds == 2
    assert list((store / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [(b"no zip at all", "", "broken.zip"), (None, "older", "older"), (None, "a b", "'a b'")],
)
def test_a_run_that_cannot_be_imported_says_why_and_adds_nothing(
    store: Path, tmp_path: Path, content: bytes | None, name: str, said: str
) -> None:
    packed = content or alvin.pack_run(store, "older", tmp_path / "older.zip").read_bytes()
    app = _visit(run="branch")
    app.file_uploader(key="import_file").set_value(("broken.zip", packed, "application/zip"))
    app.text_input(key="import_name").set_value(name)
    app = _click(_ran(app), "import_run")
    assert any(said in one.value.replace("\\", "") for one in app.error)
    assert len(_ids(store)) == 3


def test_packing_makes_one_file_that_unpacks(store: Path, tmp_path: Path) -> None:
    run_id = _ids(store)["older"]
    app = _click(_visit(run="older"), f"pack_{run_id}")
    (path,) = (store / "uploads").glob("*/older.zip")
    assert any(button.key == f"packed_{run_id}" for button in app.get("download_button"))
    assert alvin.unpack_run(tmp_path / "other", path).n_rounds == 2


def test_a_start_without_data_is_impossible_and_says_why(store: Path) -> None:
    app = _visit()
    assert app.button(key="start_run").disabled
    assert "Choose data first." in _html(app)


def test_a_good_upload_is_previewed_as_text_mapped_checked_and_started(store: Path) -> None:
    app = _upload(_visit(), "../../<i>films</i>.csv", GOOD)
    shown = _html(app)
    assert "&lt;b&gt;film&lt;/b&gt; number 0 of $x^2$" in shown
    assert "<b>film</b>" not in shown
    assert "The data can be used" in shown
    columns = {role: app.selectbox(key=f"col_{role}").value for role in ("text", "label", "id", "attribute")}
    assert columns == {"text": "review", "label": "sentiment", "id": None, "attribute": "genre"}
    (stored,) = (store / "uploads").glob("*/*")
    assert stored.parent.parent == store / "uploads"
    app.text_input(key="run_name").set_value("films")
    app.number_input(key="run_rounds").set_value(3)
    app.number_input(key="set_budget").set_value(7)
    app = _click(_ran(app), "start_run")
    (job,) = alvin.list_jobs(store, active=True)
    assert (job.kind, job.params["path"], job.params["name"], job.params["rounds"]) == (
        "create",
        str(stored),
        "films",
        2,
    )
    assert job.params["columns"] == {"text": "review", "label": "sentiment", "attribute": "genre"}
    assert job.params["settings"]["budget"] == 7
    assert app.button(key="start_run").disabled
    assert app.text_input(key="run_name").value == "films"


def test_a_bad_upload_shows_every_problem_with_its_place_and_remedy_and_cannot_start(store: Path) -> None:
    app = _upload(_visit(), "bad.csv", BAD)
    shown = _html(app)
    for words in ("✕ error", "bad.csv", "line 2", "line 3", "split", "&#x27;train&#x27;", "give every row its own id"):
        assert words in shown
    assert app.button(key="start_run").disabled
    app = _upload(app, "sheet.xlsx", "PK\3\4")
    assert "export the sheet as CSV" in _html(app)
    assert app.button(key="start_run").disabled


def test_a_column_with_two_roles_is_refused_in_place(store: Path) -> None:
    app = _upload(_visit(), "films.csv", GOOD)
    app.selectbox(key="col_label").set_value("review")
    app = _ran(app)
    assert any("two roles" in one.value for one in app.error)
    assert app.button(key="start_run").disabled


@pytest.mark.parametrize(
    ("path", "said"), [("/no/such.csv", "no file"), ("/tmp", "is a folder"), ("~nobody-here/a.csv", "cannot be")]
)
def test_a_path_that_is_no_file_is_refused_in_place(store: Path, path: str, said: str) -> None:
    app = _visit()
    app.text_input(key="data_path").set_value(path)
    app = _ran(app)
    assert any(said in one.value for one in app.error)
    assert app.button(key="start_run").disabled


def test_a_file_on_this_machine_is_read_where_it_is(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text(GOOD)
    app = _visit()
    app.text_input(key="data_path").set_value(str(path))
    app = _click(_ran(app), "start_run")
    (job,) = alvin.list_jobs(store, active=True)
    assert job.params["path"] == str(path)
    assert not (store / "uploads").exists()


def test_a_file_over_the_limit_is_left_to_the_worker_to_check(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.views.runs_new.MAX_BYTES", 2**10)
    monkeypatch.setattr("dashboard.views.runs_new.check_dataset", None)  # calling it would fail
    path = tmp_path / "films.csv"
    path.write_text(GOOD)
    app = _visit()
    app.text_input(key="data_path").set_value(str(path))
    app = _ran(app)
    assert any("checked by the worker" in one.value for one in app.info)
    assert not app.button(key="start_run").disabled


def test_every_setting_of_the_engine_has_a_field_with_its_default_and_help(store: Path) -> None:
    app = _visit()
    said = _html(app)
    for info in alvin.describe_settings():
        key = f"set_{info.name.replace('.', '_')}"
        (field,) = [one for one in [*app.selectbox, *app.number_input, *app.text_input] if one.key == key]
        assert (field.value or None) == (info.default or None), info.name
        assert html.escape(info.help) in said or info.help in field.help.replace("\\", "")


def test_a_bad_combination_shows_the_engines_sentence_and_keeps_what_was_typed(store: Path) -> None:
    app = _upload(_visit(), "films.csv", GOOD)
    app.number_input(key="set_groups_quantile").set_value(0.0)
    app.text_input(key="run_name").set_value("films")
    app = _ran(app)
    assert any("groups.quantile" in one.value.replace("\\", "") for one in app.error)
    assert app.button(key="start_run").disabled
    assert app.text_input(key="run_name").value == "films"
    app = _click(app, "settings_reset")
    assert app.number_input(key="set_groups_quantile").value == 0.25
    assert not app.button(key="start_run").disabled


def test_settings_of_a_toml_file_fill_the_form_and_wrong_ones_change_nothing(store: Path) -> None:
    app = _visit()
    text = alvin.RunSettings(budget=9).with_value("training.epochs", 3).to_toml()
    app.file_uploader(key="settings_file").set_value(("s.toml", text.encode(), "application/toml"))
    app = _ran(app)
    assert (app.number_input(key="set_budget").value, app.number_input(key="set_training_epochs").value) == (9, 3)
    app.file_uploader(key="settings_file").set_value(("s.toml", b"budget = 0\nseed = 4", "application/toml"))
    app = _ran(app)
    assert any("budget = 0" in one.value.replace("\\", "") for one in app.error)
    assert (app.number_input(key="set_budget").value, app.number_input(key="set_seed").value) == (9, 0)


@pytest.mark.parametrize(("name", "said"), [("older", "older"), ("a b", "cannot name a run")])
def test_a_name_that_is_taken_or_bad_is_refused_in_place_and_nothing_is_lost(store: Path, name: str, said: str) -> None:
    app = _upload(_visit(), "films.csv", GOOD)
    app.text_input(key="run_name").set_value(name)
    app = _click(_ran(app), "start_run")
    assert any(said in one.value for one in app.error)
    assert alvin.list_jobs(store) == []
    assert app.text_input(key="run_name").value == name
    assert app.selectbox(key="col_text").value == "review"


@pytest.mark.parametrize(("state", "page"), [("done", "explore"), ("failed", "runs")])
def test_a_run_that_is_made_is_opened_and_one_that_fails_keeps_the_form(
    store: Path, monkeypatch: pytest.MonkeyPatch, state: str, page: str
) -> None:
    app = _upload(_visit(run="branch"), "films.csv", GOOD)
    app.text_input(key="run_name").set_value("films")
    app = _click(_ran(app), "start_run")
    (asked,) = alvin.list_jobs(store)
    alvin.cancel_job(store, asked.id)
    result = {"run_id": _ids(store)["older"], "run": "older", "rounds": [0], "notes": []}
    now = datetime.now(UTC).isoformat()
    ended = replace(asked, state=state, result=result, finished_at=now, error="no encoder <b>x</b>")  # type: ignore[arg-type]
    monkeypatch.setattr("dashboard.views.runs_start.get_job", lambda _store, _id: ended)
    app.run()
    assert _param(app, "page") == page
    n_uploads = len(list((store / "uploads").glob("*/films.csv")))
    if state == "done":
        assert _param(app, "run") == "older"
        assert n_uploads == 0
        return
    assert n_uploads == 1
    assert any("no encoder <b>x</b>" in one.value.replace("\\", "") for one in app.error)
    assert app.text_input(key="run_name").value == "films"
    assert not app.button(key="start_run").disabled


def test_an_empty_store_offers_the_form_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "none"))
    app = _upload(_visit(), "films.csv", GOOD)
    assert "There are no runs yet." in _html(app)
    app = _click(app, "start_run")
    (job,) = alvin.list_jobs(tmp_path / "none", active=True)
    assert job.params["columns"]["text"] == "review"


def test_more_than_ten_runs_can_be_searched(store: Path) -> None:
    assert not [one for one in _visit().text_input if one.key == "runs_search"]
    older = alvin.open_run(store, "older")
    for number in range(9):
        older.fork(0, name=f"many-{number}")
    app = _visit()
    app.text_input(key="runs_search").set_value("many-3")
    shown = _html(_ran(app))
    assert "<b>many-3</b>" in shown
    assert "<b>many-4</b>" not in shown


def test_labels_are_exported_as_they_hold_now(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    from dashboard.views.runs_keeping import labels_file

    labels = alvin.open_run(store, "older").labels()
    assert pd.read_csv(io.BytesIO(labels_file("older", "csv")), dtype=str)["id"].tolist() == labels["id"].tolist()
    assert len(labels_file("older", "jsonl").splitlines()) == len(labels)
    assert len(pd.read_parquet(io.BytesIO(labels_file("older", "parquet")))) == len(labels)


def test_runs_of_comparisons_are_listed_when_asked_for_and_can_be_opened(store: Path, fake: ModuleType) -> None:
    from alvin_core.experiments.cells import do_cell

    plan = alvin.ComparisonPlan(("margin", "random"), (0,), 1, alvin.RunSettings(budget=5, initial=10))
    comparison = alvin.create_comparison(store, fake.make_dataset(), plan, name="c")
    for task in comparison._tasks():
        do_cell(store, comparison.id, task)
    alvin.open_run(store, "c-margin-s0").fork(1, name="of-a-cell")
    app = _visit()
    assert "c-random-s0" not in _html(app)
    assert "forked from c-margin-s0 at round 1" in _html(app)
    (box,) = [one for one in app.checkbox if "comparison" in one.label]
    assert box.label == "Show the 2 finished runs of a comparison as well"
    box.check()
    assert "c-random-s0" in _html(_ran(app))
    assert _visit(run="c-random-s0", page="explore").query_params["run"] == "c-random-s0"
