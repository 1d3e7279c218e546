"""The page Compare as its script draws it, without a browser."""

from __future__ import annotations

import html as html_module
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import alvin_core as alvin
from alvin_core.experiments.cells import do_cell
from dashboard import comparing
from dashboard.views import compare_maps
from dashboard.views.compare_choice import Choice
from dashboard.views.compare_chosen import region_frame
from dashboard.views.compare_only import only_frame
from dashboard.views.compare_verdict import curve_measures

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SETTINGS = alvin.RunSettings(budget=4, initial=8)
PLAN = alvin.ComparisonPlan(("alvin", "entropy", "random"), (0, 1), 2, SETTINGS)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, fake: ModuleType) -> Path:
    """Stores made once: `alone` has a run `r` of rounds 0 to 2, `whole` a finished comparison `c` beside it."""
    folder = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
        run = alvin.create_run(folder / "alone", fake.make_dataset(), SETTINGS, name="r", source="reviews.csv")
        list(run.run_rounds(2))
        (folder / "alone" / "dashboard").mkdir()
        (folder / "alone" / "dashboard" / "tour-seen").touch()
        shutil.copytree(folder / "alone", folder / "whole")
        compared(folder / "whole", fake.make_dataset())
    return folder


@pytest.fixture
def store(prepared: Path, tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the store with the run alone."""
    return set_up(prepared / "alone", tmp_path, fake, monkeypatch)


@pytest.fixture
def comparison(prepared: Path, tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> alvin.Comparison:
    """The finished comparison in a store of the test's own."""
    return alvin.open_comparison(set_up(prepared / "whole", tmp_path, fake, monkeypatch), "c")


def set_up(made: Path, tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    store = tmp_path / "store"
    shutil.copytree(made, store)
    monkeypatch.setenv("ALVIN_STORE", str(store))
    monkeypatch.setenv("ALVIN_AUTOMATIC_MAP", "0")
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    return store


def compared(store: Path, dataset: Any, n: int | None = None) -> alvin.Comparison:
    """A comparison `c` of which the first n cells are finished."""
    made = alvin.create_comparison(store, dataset, PLAN, name="c", source="reviews.csv")
    for task in made._tasks()[:n]:
        do_cell(store, made.id, task)
    return made


def opened(**params: str) -> Any:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for name, value in ({"run": "r", "page": "compare"} | params).items():
        app.query_params[name] = value
    return ran(app.run())


def ran(app: Any) -> Any:
    assert not app.exception, app.exception
    return app


def html(app: Any) -> str:
    return html_module.unescape("\n".join(element.proto.body for element in app.get("html")))


def params(app: Any) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def test_a_run_alone_is_offered_a_comparison_which_the_worker_is_asked_for(store: Path) -> None:
    app = opened()
    assert "There is nothing to compare this run with." in html(app)
    app.multiselect(key="compare_strategies").set_value(["alvin", "random"])
    for key, value in (("seeds", 2), ("rounds", 3), ("budget", 5), ("initial", 6)):
        app.number_input(key=f"compare_{key}").set_value(value)
    app.text_input(key="compare_name").input("mine").run()
    assert "4 runs of 4 rounds each" in html(app)
    app.button(key="compare_start").click().run()
    (job,) = [job for job in alvin.list_jobs(store, active=True) if job.kind == "compare"]
    plan = alvin.ComparisonPlan.from_dict(job.params["plan"])
    assert (job.params["name"], plan.strategies, plan.seeds, plan.rounds) == ("mine", ("alvin", "random"), (0, 1), 3)
    assert (plan.settings.budget, plan.settings.initial) == (5, 6)
    assert params(ran(app))["comparison"] == "mine"
    assert "Comparing: waiting for the worker" in html(app)
    assert "The comparison mine is being made." in html(app)
    app.button(key="cancel").click().run()
    assert alvin.get_job(store, job.id).state == "cancelled"


def test_a_name_that_is_taken_is_refused_in_the_form(store: Path, fake: ModuleType) -> None:
    compared(store, fake.make_dataset(), n=0)
    app = opened(comparison="runs")
    app.text_input(key="compare_name").input("c")
    app.button(key="compare_start").click().run()
    assert "already" in ran(app).error[0].value
    assert not alvin.list_jobs(store, active=True)


def test_the_newest_comparison_on_these_data_is_shown_with_its_verdict(
    comparison: alvin.Comparison,
) -> None:
    app = opened()
    text = html(app)
    assert app.selectbox(key="compare_source").value == "c"
    assert (app.selectbox(key="strategy_a").value, app.selectbox(key="strategy_b").value) == ("alvin", "entropy")
    assert app.selectbox(key="strategy_c").value == "–"
    assert "the same 8 initial labels, seed 0, budget 4" in text
    summary = alvin.summarize_comparison(comparison.results())
    assert summary.headline() in text
    for one in summary.primary:
        assert one.sentence in text
    runs = [alvin.open_run(comparison.store, one.run) for one in comparison.states()[:2] if one.run]
    (overlap,) = alvin.side_by_side(runs, 2).overlaps
    assert f"<td>{overlap.shared} of {overlap.either}</td>" in text
    assert len(app.get("plotly_chart")) == len(curve_measures(summary))
    assert app.get("download_button")[0].proto.label == "HTML report"


def test_arms_seed_and_round_go_into_the_address_and_come_from_it(comparison: alvin.Comparison) -> None:
    app = opened(comparison="c", seed="1", a="random", b="alvin", c="entropy", at="1")
    boxes = [app.selectbox(key=f"strategy_{letter}").value for letter in "abc"]
    assert boxes == ["random", "alvin", "entropy"]
    assert (app.selectbox(key="compare_seed").value, app.slider(key="compare_round").value) == (1, 1)
    # What another side shows is no choice: nothing stands beside itself.
    assert app.selectbox(key="strategy_a").options == ["random"]
    assert "seed 1" in html(app)
    app.selectbox(key="strategy_c").set_value("–").run()
    app.slider(key="compare_round").set_value(0).run()
    app.button_group(key="compare_places").set_value("own").run()
    found = params(ran(app))
    assert ("c" in found, found["at"], found["a"], found["places"]) == (False, "0", "random", "own")
    state = {one.cell.arm: one.run for one in comparison.states() if one.cell.seed == 1}
    assert comparing.found_side_by_side([state["random"], state["alvin"]], 0).round_no == 0


def test_what_the_address_asks_for_and_is_not_there_is_said(comparison: alvin.Comparison) -> None:
    text = html(opened(comparison="c", seed="9", a="<b>nobody</b>", at="77"))
    assert "c has no seed 9; its seeds are 0, 1." in text
    assert "<b>nobody</b> is not an arm of c." in text
    text = html(opened(comparison="nowhere"))
    assert "no comparison is called 'nowhere'" in text


def test_single_runs_are_compared_without_a_verdict(store: Path, fake: ModuleType) -> None:
    other = alvin.create_run(
        store, fake.make_dataset(), SETTINGS.with_values({"strategy": "entropy", "seed": 4}), name="other"
    )
    list(other.run_rounds(1))
    app = opened()
    text = html(app)
    assert (app.selectbox(key="strategy_a").value, app.selectbox(key="strategy_b").value) == ("r", "other")
    assert app.slider(key="compare_round").value == 1  # the last that both have
    assert "The runs began with different labels" in text
    assert "The seeds differ: r 0, other 4." in text
    assert "No verdict." in text
    assert "A comparison with several seeds" in text
    assert "One seed: no interval." in text


def test_runs_on_other_data_are_refused_in_words_and_nothing_else_is_shown(store: Path, fake: ModuleType) -> None:
    alvin.create_run(store, fake.make_dataset(40), SETTINGS, name="foreign", source="nli.csv").step()
    app = opened(comparison="runs", b="foreign")
    text = html(app)
    assert "These cannot be compared." in text
    assert "are on different data" in text
    assert "Overlap" not in text


def test_while_a_comparison_runs_its_finished_cells_are_shown(store: Path, fake: ModuleType) -> None:
    comparison = compared(store, fake.make_dataset(), n=4)
    app = opened(comparison="c")
    text = html(app)
    assert "<td>✓</td><td>–</td>" in text
    assert "interim look" in text
    # Words that change as runs finish would be another option to Streamlit, and the choice would be lost.
    assert app.selectbox(key="compare_source").options == ["c", "single runs on these data"]
    assert app.selectbox(key="compare_seed").value == 0  # of which all cells are there
    app.button(key="compare_go_on").click().run()
    (job,) = [job for job in alvin.list_jobs(store, active=True) if job.kind == "compare"]
    assert job.params["name"] == comparison.name
    text = html(opened(comparison="c", seed="1", a="entropy", b="random"))
    assert "No two of these have a round in common yet." in text


def test_an_example_in_the_address_is_told_by_each_model(comparison: alvin.Comparison) -> None:
    runs = [alvin.open_run(comparison.store, one.run) for one in comparison.states()[:2] if one.run]
    example = str(runs[0].selection(2)["id"].iloc[0])
    app = opened(example=example)
    text = html(app)
    assert f"<bdi>{example}</bdi>" in text
    assert "✓ selected" in text
    for run in runs:
        assert run.explain(2, example).reason in text
    app.button(key="compare_close").click().run()
    assert "example" not in params(ran(app))
    assert "No pool example <bdi><i>x</i></bdi>" in html(opened(example="<i>x</i>"))


def test_a_lasso_tells_what_each_run_made_of_what_it_holds(comparison: alvin.Comparison) -> None:
    runs = [alvin.open_run(comparison.store, one.run) for one in comparison.states()[:2] if one.run]
    projection = runs[0].project(2, method="pca")
    everything = {
        "kind": "lasso", "polygon": [[-9, -9], [9, -9], [9, 9], [-9, 9]], "view": f"{runs[1].id}/model", "round": 2,
        "revision": projection.revision, "codes_revision": "x", "hidden": [], "count": 60, "stamp": 1,
        "layers": dict.fromkeys(("pool", "labeled", "anchors", "segments", "selected", "other"), True),
    }  # fmt: skip
    app = opened()
    # On B's map, which shows the places of A.
    app.session_state[compare_maps.REGION] = ("b", everything)
    text = html(ran(app.run()))
    assert "<b>60</b> examples" in text
    assert "<b>A</b> alvin: 4 selected, 16 labeled" in text
    assert "<b>B</b> entropy: 4 selected, 16 labeled" in text
    app.session_state[compare_maps.REGION] = ("b", everything | {"round": 1})
    assert "the region was drawn on round 1, the map shows round 2" in html(ran(app.run()))


def test_the_tables_have_a_column_for_each_run(comparison: alvin.Comparison) -> None:
    states = comparison.states()[:2]
    sides = tuple(
        comparing.Side(letter, one.cell.arm, one.run or "", 3) for letter, one in zip("ab", states, strict=True)
    )
    choice = Choice(comparison, states, 0, (), sides, 2, 2)
    found = comparing.found_side_by_side(choice.run_ids, 2)
    frame = region_frame(choice, np.arange(60))
    assert list(frame) == ["text", "A alvin", "B entropy", "id"]
    for name, side in (("A alvin", sides[0]), ("B entropy", sides[1])):
        columns = alvin.open_run(comparison.store, side.run_id).map_columns(2)
        assert frame[name].str.startswith("labeled").tolist() == columns.labeled.tolist()
        assert frame[name].str.startswith("✓").tolist() == columns.selected.tolist()
    only = only_frame(choice, found, 0)
    picks = [pick for pick in found.only if pick.chosen_by == 0]
    assert only["id"].tolist() == [pick.id for pick in picks]
    assert {"rank", "why", "entropy here", "in B entropy", "nearest anchor between"} <= set(only)
    for told, pick in zip(only["in B entropy"], picks, strict=True):
        assert told.startswith("labeled already") == pick.views[1].labeled


def test_which_curves_are_drawn_follows_what_was_measured() -> None:
    class Made:
        measures = ("accuracy:test", "macro_f1:test", "accuracy:ood:a", "accuracy:ood:b", "worst_group:ood:a")

    assert curve_measures(Made()) == {  # type: ignore[arg-type]
        "In distribution": ("accuracy:test",),
        "Out of distribution": ("accuracy:ood:a", "accuracy:ood:b"),
        "Worst group": ("worst_group:ood:a",),
    }
