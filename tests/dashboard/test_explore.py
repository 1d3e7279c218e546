"""The page Explore as its script draws it, without a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import alvin_core as alvin
from dashboard import data
from dashboard.colouring import COLOURINGS
from dashboard.state import current_place
from dashboard.views import explore_map, explore_table

APP = Path(__file__).parents[2] / "dashboard" / "app.py"

# Every page, a map, a card and a fork, in a process that has imported nothing before.
EVERY_PAGE = """
import sys
from streamlit.testing.v1 import AppTest

for page in ("explore", "compare", "shortcuts", "label", "runs", "explore"):
    app = AppTest.from_file(sys.argv[1], default_timeout=60)
    for name, value in (("run", "r"), ("page", page), ("example", "e00003"), ("color", "entropy")):
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
app.button(key="fork").click().run()
app.button(key="fork_confirm").click().run()
assert not app.exception, app.exception
import alvin_core

assert len(alvin_core.list_runs(sys.argv[2])) == 2
run = alvin_core.open_run(sys.argv[2], "r")
assert run.project(0, method="pca").method == "pca"
print(*(name for name in ("torch", "faiss", "numba", "umap", "transformers") if name in sys.modules))
"""


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> alvin.Run:
    """Rounds 0 to 2 of texts `text 7, with a comma`."""
    store = tmp_path / "store"
    monkeypatch.setenv("ALVIN_STORE", str(store))
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    made = alvin.create_run(store, fake.make_dataset(), alvin.RunSettings(budget=5, initial=10), name="r")
    list(made.run_rounds(2))
    (store / "dashboard").mkdir()
    (store / "dashboard" / "tour-seen").touch()
    return made


def opened(**params: str) -> Any:
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in ({"run": "r", "page": "explore"} | params).items():
        app.query_params[name] = value
    return ran(app.run())


def ran(app: Any) -> Any:
    assert not app.exception, app.exception
    return app


def html(app: Any) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def params(app: Any) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def test_without_an_example_the_card_says_what_to_do(run: alvin.Run) -> None:
    text = html(opened())
    assert "No example is open." in text
    assert "Click a point on the map" in text
    assert "<b>Round 2</b>" in text


def test_an_example_in_the_address_opens_with_text_reason_ranks_and_neighbours(run: alvin.Run) -> None:
    columns = run.map_columns(2)
    example_id = str(columns.ids[columns.selected][0])
    app = opened(example=example_id)
    text, found = html(app), run.explain(2, example_id)
    assert f"<bdi>{example_id}</bdi>" in text
    assert f"text {int(example_id[1:])}, with a comma" in text
    assert found.reason in text
    assert "Why this one" in text
    for name, (place, n_ranked) in found.ranks.items():
        assert f"<td>{name}</td><td>{place} of {n_ranked}</td>" in text
    near = run.nearest(2, example_id, 5)["id"].tolist()
    app.button(key="near_0").click().run()
    assert params(ran(app))["example"] == near[0]
    assert f"<bdi>{near[0]}</bdi>" in html(app)


def test_an_example_that_is_not_there_is_a_sentence(run: alvin.Run) -> None:
    text = html(opened(example="<b>nobody</b>"))
    assert "This example cannot be shown." in text
    assert "<b>nobody</b>" not in text


def test_a_label_given_since_shows_as_such_and_an_oracle_s_answer_does_not(run: alvin.Run) -> None:
    waiting = str(run.pending()["id"].iloc[0])
    assert "labeled since" not in html(opened(example=waiting))
    run.submit({waiting: "pos"})
    data.labels_changed(run.id)
    assert "labeled since <b>pos</b>" in html(opened(example=waiting))


@pytest.mark.parametrize("how", COLOURINGS)
def test_every_colouring_can_be_opened_by_a_link(run: alvin.Run, how: str) -> None:
    app = opened(color=how)
    assert app.selectbox(key="color_by").value == how


def test_a_colour_goes_into_the_address(run: alvin.Run) -> None:
    app = opened()
    app.selectbox(key="color_by").set_value("entropy").run()
    assert params(ran(app))["color"] == "entropy"


def test_a_search_lists_its_matches_and_an_empty_one_says_so(run: alvin.Run) -> None:
    app = opened()
    app.text_input(key="search").input("TEXT 7,").run()
    assert params(ran(app))["q"] == "TEXT 7,"
    assert "<b>1</b> of 60 examples match the search or filter" in html(app)
    frame = app.dataframe[0].value
    assert frame["text"].tolist() == ["text 7, with a comma"]
    app.text_input(key="search").input("no such words").run()
    assert "<b>0</b> of 60 examples" in html(ran(app))


def test_a_filter_lists_what_passes_stays_in_the_address_and_is_cleared(run: alvin.Run) -> None:
    app = opened()
    app.multiselect(key="filter_status").set_value(["selected"]).run()
    assert "<b>5</b> of 60 examples match" in html(ran(app))
    again = opened(filter=params(app)["filter"])
    assert again.multiselect(key="filter_status").value == ["selected"]
    again.button(key="filter_clear").click().run()
    assert "filter" not in params(ran(again))


def test_the_table_before_anything_is_chosen_says_what_to_do(run: alvin.Run) -> None:
    app = opened()
    app.button_group(key="side").set_value("Table").run()
    assert "Nothing is chosen." in html(ran(app))


def test_a_lasso_of_another_round_is_refused_in_words(run: alvin.Run) -> None:
    app = opened(round="1")
    app.session_state[explore_map.REGION] = {
        "kind": "lasso", "polygon": [[-2, -2], [2, -2], [2, 2], [-2, 2]], "view": f"{run.id}/model", "round": 2,
        "revision": "x", "codes_revision": "x", "hidden": [], "layers": {}, "count": 60, "stamp": 1,
    }  # fmt: skip
    app.session_state["side"] = "Table"
    ran(app.run())
    assert "the region was drawn on round 2, the map shows round 1" in html(app)


def test_the_export_has_all_that_is_known_and_only_labels_that_were_given(
    run: alvin.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    monkeypatch.setattr("streamlit.query_params", _Params({"run": "r", "page": "explore"}))
    place = current_place()
    columns = data.columns(run.id, 2)
    frame = explore_table.export_of(place, columns, np.arange(60))
    known = ["text", "id", "label", "predicted", "confidence", "entropy", "group", "attribute", "selected"]
    more = ["trained_on", "n_forgotten", "rank_alvin", "rank_entropy", "map_x", "map_y", "round"]
    assert set(frame) == {*known, *more}
    unlabeled = columns.label_now < 0
    assert (frame.loc[unlabeled, "label"] == "").all()
    assert (frame.loc[~unlabeled, "label"] != "").all()
    assert frame.loc[columns.labeled, "rank_alvin"].eq("").all()


class _Params(dict):  # type: ignore[type-arg]
    def to_dict(self) -> dict[str, str]:
        return dict(self)

    def from_dict(self, values: dict[str, str]) -> None:
        self.clear()
        self.update(values)


def test_step_and_run_n_ask_the_worker_and_wait_for_it(run: alvin.Run) -> None:
    store = data.store()
    app = opened()
    app.number_input(key="run_count").set_value(7).run()
    app.button(key="run_n").click().run()
    (job,) = [job for job in alvin.list_jobs(store, run="r", active=True) if job.kind == "rounds"]
    assert (job.kind, job.params) == ("rounds", {"n": 7})
    assert app.button(key="step").disabled
    assert app.button(key="run_n").disabled
    alvin.cancel_job(store, job.id)
    app.run()
    app.button(key="step").click().run()
    assert [job.params for job in alvin.list_jobs(store, run="r") if job.kind == "rounds"] == [{"n": 1}, {"n": 7}]


def test_a_step_that_another_tab_has_asked_for_is_refused_in_words(run: alvin.Run) -> None:
    app = opened()
    alvin.enqueue_job(data.store(), "rounds", run="r", params={"n": 1})
    app.button(key="step").click().run()
    ran(app)
    assert len([job for job in alvin.list_jobs(data.store()) if job.kind == "rounds"]) == 1
    assert "alvin-message" in html(app)


def test_a_fork_goes_its_own_way_and_the_page_goes_there(run: alvin.Run) -> None:
    app = opened(round="1")
    app.button(key="fork").click().run()
    app.selectbox(key="fork_strategy").set_value("entropy")
    app.text_input(key="fork_name").input("other")
    app.number_input(key="fork_rounds").set_value(2)
    app.button(key="fork_confirm").click().run()
    fork = alvin.open_run(data.store(), "other")
    assert (fork.settings.strategy, fork.n_rounds) == ("entropy", 1)
    assert params(ran(app))["run"] == "other"
    assert [job.params for job in alvin.list_jobs(data.store(), run="other", active=True) if job.kind == "rounds"] == [
        {"n": 2}
    ]


def test_the_fork_dialog_stays_open_when_the_page_runs_again(run: alvin.Run) -> None:
    app = opened()
    assert "fork_confirm" not in [one.key for one in app.button]
    app.button(key="fork").click().run()
    app.text_input(key="fork_name").input("half a na")
    ran(app.run())
    assert app.text_input(key="fork_name").value == "half a na"


def test_a_fork_of_a_name_that_is_taken_is_refused_in_the_dialog(run: alvin.Run) -> None:
    app = opened(round="1")
    app.button(key="fork").click().run()
    app.text_input(key="fork_name").input("r")
    app.button(key="fork_confirm").click().run()
    assert "r" in ran(app).error[0].value
    assert len(alvin.list_runs(data.store())) == 1


def test_the_scrubber_goes_to_a_round_and_round_zero_alone_has_none(run: alvin.Run) -> None:
    app = opened()
    app.slider(key="round").set_value(0).run()
    assert params(ran(app))["round"] == "0"
    assert "<b>Round 0</b>" in html(app)


def test_play_begins_again_from_the_end(run: alvin.Run) -> None:
    app = opened()
    app.button(key="play").click().run()
    assert params(ran(app))["round"] == "0"
    assert app.button(key="play").label == "Pause"
    app.button(key="play").click().run()
    assert app.button(key="play").label == "Play"


@pytest.mark.parametrize("strategy", ["random", "entropy"])
def test_a_strategy_without_anchors_and_a_run_at_round_zero_are_shown(
    run: alvin.Run, fake: ModuleType, strategy: str
) -> None:
    settings = alvin.RunSettings(budget=5, initial=10, strategy=strategy)
    other = alvin.create_run(data.store(), fake.make_dataset(pairs=True), settings, name="zero")
    other.step()
    columns = other.map_columns(0)
    app = opened(run="zero", example=str(columns.ids[columns.selected][0]))
    assert app.slider(key="round").disabled
    assert app.button(key="play").disabled
    assert "second text" in html(app)
    assert "Why this one" in html(app)


def test_before_the_first_round_the_page_offers_to_train_it(run: alvin.Run, fake: ModuleType) -> None:
    alvin.create_run(data.store(), fake.make_dataset(), alvin.RunSettings(budget=5, initial=10), name="fresh")
    app = opened(run="fresh")
    assert "No round is trained yet." in html(app)
    app.button(key="step").click().run()
    assert [job.params for job in alvin.list_jobs(data.store(), run="fresh")] == [{"n": 1}]
    assert app.button(key="step").disabled


def test_a_run_that_waits_for_a_person_says_where_to_label(run: alvin.Run, fake: ModuleType) -> None:
    settings = alvin.RunSettings(budget=5, initial=10, annotator="person")
    alvin.create_run(data.store(), fake.make_dataset(), settings, name="mine")
    app = opened(run="mine")
    assert "The first labels are missing." in html(app)
    assert [one.key for one in app.button if one.key == "step"] == []


def test_no_page_and_no_fork_imports_what_the_worker_owns(run: alvin.Run) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EVERY_PAGE, str(APP), str(data.store())],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "", f"imported: {done.stdout}"


def test_a_callback_of_a_page_that_is_gone_raises_nothing() -> None:
    def script() -> None:
        import streamlit as st

        from dashboard.views.fresh import draw_again

        st.button("a", key="gone", on_click=lambda: draw_again("explore_side", "explore_map"))
        st.fragment(lambda: st.button("b", key="there", on_click=lambda: draw_again("here")), key="here")()
        st.session_state["runs"] = st.session_state.get("runs", 0) + 1

    app = ran(AppTest.from_function(script).run())
    ran(app.button(key="gone").click().run())
    assert app.session_state["runs"] == 2, "the whole page"
    ran(app.button(key="there").click().run())
    assert app.session_state["runs"] == 2, "the fragment alone"
