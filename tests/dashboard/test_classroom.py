"""The Classroom page: addresses, the world's picture, stages, questions, the lesson and the phase diagram."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import alvin_core as alvin
from alvin_core.classroom import answer
from dashboard import palette
from dashboard.figures.world import STAGES, world_figure
from dashboard.figures.world_layers import unlabeled_rows
from dashboard.figures.world_small import beta_density, beta_svg, dynamics_svg, ranking_svg, rounds_svg
from dashboard.views import classroom_fetch, classroom_phase
from dashboard.views.classroom_address import CHOICES, SLIDERS, Spot, read_spot
from dashboard.views.classroom_lesson import world_of
from dashboard.views.classroom_lessons import LESSONS, ShowMe, read_page, read_pages
from dashboard.views.classroom_quiz import questions_at
from dashboard.views.classroom_words import told, verdict

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SMALL = {"n_pool": 120, "n_test": 80}  # worlds of tests: as the page's, with fewer points
ASKED: list[dict[str, Any]] = []


def _answer(params: dict[str, Any]) -> dict[str, Any]:
    return answer({**params, **SMALL})


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    """A world with rounds 0 to 2, and questions."""
    return _answer({"strength": 0.9, "seed": 3, "rounds": 2, "questions": True, "ambiguity": 0.1})


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is not there yet, and worlds that are computed in this process."""

    def asked(_: Path, settings: dict[str, Any], rounds: int) -> dict[str, Any]:
        ASKED.append({**settings, "rounds": rounds})
        return _answer({**settings, "strategies": ["alvin", "entropy"], "rounds": rounds, "questions": True})

    monkeypatch.setattr(classroom_fetch, "_asked", asked)
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "store"))
    ASKED.clear()
    yield tmp_path / "store"
    classroom_fetch._worlds.drop(lambda _: True)


def _visit(**params: str) -> Any:
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.query_params["page"] = "classroom"
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def _params(app: Any) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def _html(app: Any) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def _picture(app: Any) -> dict[str, Any]:
    """The figure that the browser was sent."""
    figure: dict[str, Any] = json.loads(app.get("plotly_chart")[0].proto.spec)
    return figure


# The address


def test_an_empty_address_is_the_engines_own_world() -> None:
    spot, problems = read_spot({})
    assert problems == []
    usual = alvin.WorldSettings().to_dict()
    assert spot.settings == {name: usual[name] for name in spot.settings}
    assert (spot.turn, spot.stage, spot.view, spot.show) == (0, "train", "round", "both")


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("key", list(SLIDERS))
def test_both_ends_of_each_slider_are_worlds_that_the_engine_takes(key: str, end: str) -> None:
    slider = SLIDERS[key]
    spot, problems = read_spot({key: f"{getattr(slider, end):g}"})
    assert problems == []
    settings = alvin.WorldSettings.from_dict(spot.settings)
    assert getattr(settings, slider.field) == getattr(slider, end)


@pytest.mark.parametrize("key", list(CHOICES))
def test_every_choice_is_one_that_the_engine_takes(key: str) -> None:
    for value in CHOICES[key].options:
        spot, problems = read_spot({key: value})
        assert problems == []
        assert alvin.WorldSettings.from_dict(spot.settings).to_dict()[key] == value


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"strength": "1.01"}, "strength “1.01”; it can be 0.5 to 1"),
        ({"strength": "nan"}, "strength “nan”"),
        ({"budget": "2.5"}, "budget “2.5”; it can be 1 to 30"),
        ({"rank": "<b>"}, "rank “<b>”; it can be uncertainty, certainty"),
        ({"turn": "9"}, "turn “9”; it can be 0 to 8"),
        ({"seed": "-1"}, "seed “-1”"),
        ({"stage": "x" * 99}, "xxx…”"),
    ],
)
def test_a_value_that_cannot_be_is_told_and_the_usual_one_shown(params: dict[str, str], said: str) -> None:
    spot, problems = read_spot(params)
    assert len(problems) == 1
    assert said in problems[0]
    assert spot == read_spot({})[0]


# The picture


def _trace(figure: Any, name: str, axis: str = "x") -> Any:
    found = [trace for trace in figure.data if trace.name == name and (trace.xaxis or "x") == axis]
    assert len(found) == 1, f"{len(found)} traces {name}"
    return found[0]


def _rows_of(world: dict[str, Any], trace: Any) -> list[int]:
    """The rows whose places a trace draws."""
    rows = {tuple(place): row for row, place in enumerate(world["points"]["xy"])}
    return [rows[x, y] for x, y in zip(trace.x, trace.y, strict=True)]


@pytest.mark.parametrize("strategies", [("alvin",), ("alvin", "entropy")])
def test_both_axes_of_every_panel_have_one_scale_and_show_the_whole_world(
    world: dict[str, Any], strategies: tuple[str, ...]
) -> None:
    figure = world_figure(world, strategies, 1, "train")
    for suffix in ["", "2"][: len(strategies)]:
        across, up = figure.layout[f"xaxis{suffix}"], figure.layout[f"yaxis{suffix}"]
        assert (up.scaleanchor, up.scaleratio) == (f"x{suffix}", 1)
        assert [*across.range, *up.range] == list(world["bounds"])


@pytest.mark.parametrize("stage", STAGES)
def test_unlabeled_points_do_not_tell_their_class_unless_asked_to(world: dict[str, Any], stage: str) -> None:
    figure = world_figure(world, ["alvin"], 1, stage)
    assert set(_trace(figure, "pool").marker.symbol) == set("circle")
    assert _rows_of(world, _trace(figure, "pool")) == unlabeled_rows(world, world["runs"]["alvin"][1])
    revealed = [trace for trace in world_figure(world, ["alvin"], 1, stage, truth=True).data if trace.name == "pool"]
    for trace, symbol, label in zip(revealed, ("circle-open", "square-open"), (0, 1), strict=True):
        assert trace.marker.symbol == symbol
        assert {world["points"]["label"][row] for row in _rows_of(world, trace)} == {label}


def test_labeled_points_differ_by_shape_as_by_colour(world: dict[str, Any]) -> None:
    figure = world_figure(world, ["alvin"], 1, "train")
    drawn: list[int] = []
    for label, (name, symbol) in enumerate([("circle", "circle"), ("square", "square")]):
        trace = _trace(figure, name)
        assert trace.marker.symbol == symbol
        assert trace.marker.color == palette.class_colours(2)[label]
        drawn += _rows_of(world, trace)
    assert sorted(drawn) == sorted(world["runs"]["alvin"][1]["labeled"])


def test_the_shading_is_the_models_probability_over_the_window(world: dict[str, Any]) -> None:
    shading = _trace(world_figure(world, ["alvin"], 1, "train"), "probability")
    boundary = world["runs"]["alvin"][1]["boundary"]
    n = boundary["grid"]
    assert np.asarray(shading.z).shape == (n, n)
    assert np.asarray(shading.z)[2, 5] == boundary["prob"][2 * n + 5]
    assert [shading.x[0], shading.x[-1], shading.y[0], shading.y[-1]] == list(world["bounds"])


def test_segments_go_from_minority_to_majority_and_every_anchor_lies_on_one(world: dict[str, Any]) -> None:
    figure, round_ = world_figure(world, ["alvin"], 1, "interpolate"), world["runs"]["alvin"][1]
    segments = _trace(figure, "segments")
    ends = np.stack([segments.x, segments.y], axis=1).reshape(-1, 3, 2)
    rows = {tuple(place): row for row, place in enumerate(world["points"]["xy"])}
    pairs = [(rows[tuple(first)], rows[tuple(second)]) for first, second, _ in ends.tolist()]
    assert pairs == [tuple(pair) for pair in round_["segments"]]
    assert all(first in round_["minority"] and second not in round_["minority"] for first, second in pairs)
    anchors = _trace(figure, "anchors")
    assert len(anchors.x) == len(round_["anchors"]) > 0
    for x, y, anchor in zip(anchors.x, anchors.y, round_["anchors"], strict=True):
        first, second = (np.array(world["points"]["xy"][anchor[name]]) for name in ("minority", "majority"))
        mixed = anchor["weight"] * first + (1 - anchor["weight"]) * second
        assert (x, y) == pytest.approx(tuple(mixed), abs=0.005)  # weights and places are sent with three decimals


@pytest.mark.parametrize("focus", [0, 7, 10_000])
def test_the_anchor_in_focus_shows_its_true_nearest_neighbours(world: dict[str, Any], focus: int) -> None:
    figure, round_ = world_figure(world, ["alvin"], 1, "retrieve", focus=focus), world["runs"]["alvin"][1]
    shown = round_["anchors"][min(focus, len(round_["anchors"]) - 1)]
    place = _trace(figure, "focus")
    assert [place.x[0], place.y[0]] == shown["xy"]
    pool = unlabeled_rows(world, round_)
    distances = [math.dist(shown["xy"], world["points"]["xy"][row]) for row in pool]
    found = [
        math.dist(shown["xy"], world["points"]["xy"][row]) for row in _rows_of(world, _trace(figure, "neighbours"))
    ]
    # Anchors are sent with three decimals, so which of two nearly equal distances is smaller is not told.
    assert sorted(found) == pytest.approx(sorted(distances)[: round_["k"]], abs=0.003)


def test_who_makes_no_anchors_has_the_whole_pool_for_candidates(world: dict[str, Any]) -> None:
    figure = world_figure(world, ["alvin", "entropy"], 1, "retrieve")
    round_ = world["runs"]["entropy"][1]
    assert _rows_of(world, _trace(figure, "candidates", "x2")) == unlabeled_rows(world, round_)
    said = [note.text for note in world_figure(world, ["alvin", "entropy"], 1, "interpolate").layout.annotations]
    assert any("has no such step" in text for text in said)


def test_numbers_are_places_in_the_ranking_and_go_to_the_selected(world: dict[str, Any]) -> None:
    figure, round_ = world_figure(world, ["entropy"], 1, "rank"), world["runs"]["entropy"][1]
    order = _trace(figure, "order")
    assert _rows_of(world, order) == round_["selected"]
    assert list(order.text) == [str(place) for place in range(1, len(round_["selected"]) + 1)]
    scores = _trace(figure, "scores")
    assert list(scores.marker.color) == sorted(scores.marker.color, reverse=True)


def test_newly_labeled_points_show_their_class(world: dict[str, Any]) -> None:
    figure, round_ = world_figure(world, ["alvin"], 1, "annotate"), world["runs"]["alvin"][1]
    assert _rows_of(world, _trace(figure, "selected")) == round_["selected"]
    large = [trace for trace in figure.data if trace.name in ("circle", "square") and trace.marker.size == 11]
    revealed = {row: trace.name for trace in large for row in _rows_of(world, trace)}
    assert revealed == {row: world["classes"][world["points"]["label"][row]] for row in round_["selected"]}


def test_letters_point_at_the_places_that_a_question_is_about(world: dict[str, Any]) -> None:
    rows = [5, 2, 9, 1]
    figure = world_figure(world, ["alvin", "entropy"], 1, "train", letters={"entropy": rows})
    letters = {note.text: (note.x, note.y) for note in figure.layout.annotations if note.showarrow}
    places = [tuple(world["points"]["xy"][row]) for row in rows]
    assert letters == dict(zip(("<b>A</b>", "<b>B</b>", "<b>C</b>", "<b>D</b>"), places, strict=True))
    assert {note.xref for note in figure.layout.annotations if note.showarrow} == {"x2"}


# Small drawings and words


@pytest.mark.parametrize("alpha", [0.5, 1, 2, 9])
def test_the_density_drawn_is_a_beta_density(alpha: float) -> None:
    steps = (np.arange(200_000) + 0.5) / 200_000
    assert np.mean([beta_density(alpha, step) for step in steps]) == pytest.approx(1, abs=0.005)
    assert beta_density(2, 0.5) == pytest.approx(1.5)  # 6 w (1 − w)
    assert beta_density(2, 0.25) == pytest.approx(1.125)


def test_there_is_a_tick_for_every_weight_and_a_line_for_every_labeled_point() -> None:
    drawn = beta_svg(2, [0.1, 0.5, 0.9], palette.LIGHT)
    assert drawn.count(palette.LIGHT.accent) == 3
    lines = dynamics_svg([[0.1, 0.9], [0.6, 0.2], [0.5, 0.8]], [False, True, False], palette.LIGHT)
    tints = re.findall(r'<polyline [^>]*stroke="(#\w+)" stroke-width="(?:1\.0|2\.0)"', lines)
    assert tints == [palette.LIGHT.muted] * 2 + [palette.MINORITY], "the minority is drawn last, above the others"


def test_bars_of_the_selected_have_a_colour_of_their_own() -> None:
    drawn = ranking_svg([4, 2, 7], {4: 0.9, 2: 0.45, 7: 0.1}, 1, palette.DARK)
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', drawn)]
    assert widths[1] == pytest.approx(widths[0] / 2, abs=0.1)
    assert re.findall(r'<rect [^>]*fill="(#\w+)"', drawn) == [palette.DARK.accent, *[palette.DARK.muted] * 2]


def test_curves_end_at_the_round_in_sight(world: dict[str, Any]) -> None:
    for last in (-1, 0, 1, 2):
        drawn = rounds_svg(world["runs"], last, 8, palette.LIGHT)
        assert drawn.count("<circle") == 2 * (last + 1), "two measures of ALVIN"
        assert drawn.count("<rect") == 2 * (last + 1), "and of entropy, as squares"


def _with_worst(alvin_: float, entropy: float) -> dict[str, Any]:
    runs = {"alvin": [{}, {"metrics": {"worst_group": alvin_}}], "entropy": [{}, {"metrics": {"worst_group": entropy}}]}
    return {"runs": {name: [{"metrics": {"worst_group": 0.0}}, rounds[1]] for name, rounds in runs.items()}}


@pytest.mark.parametrize(
    ("alvin_", "entropy", "said"),
    [(0.5, 0.7, "uncertainty sampling is ahead"), (0.7, 0.5, "ALVIN is ahead"), (0.5, 0.51, "they are level")],
)
def test_the_verdict_names_whoever_is_ahead(alvin_: float, entropy: float, said: str) -> None:
    assert said in verdict(_with_worst(alvin_, entropy), 1)
    assert "same model" in verdict(_with_worst(alvin_, entropy), 0)


def test_the_words_of_a_stage_hold_the_rounds_numbers(world: dict[str, Any]) -> None:
    round_ = world["runs"]["alvin"][1]
    n_against = sum(not world["points"]["follows"][row] for row in round_["selected"])
    assert f"<b>{len(round_['labeled'])}</b> labeled points" in told(world, "train", round_)
    assert f"{round_['n_anchors']:,} in all" in told(world, "interpolate", round_)
    assert f"<b>{len(round_['candidates'])}</b> candidates" in told(world, "retrieve", round_)
    assert f"<b>{n_against}</b> of ALVIN's contradict" in told(world, "annotate", round_)
    filled = {**round_, "filled_share": 0.75}
    assert "75% of them were filled up" in told(world, "groups", filled)
    assert "the fill, not the rule" in told(world, "groups", filled)


def test_the_words_say_what_the_chosen_rule_does_and_when_there_are_no_anchors(world: dict[str, Any]) -> None:
    round_ = world["runs"]["alvin"][1]
    said = {rule: told({**world, "settings": {"rule": rule}}, "groups", round_) for rule in CHOICES["rule"].options}
    assert len(set(said.values())) == len(said)
    assert [rule for rule, words in said.items() if "forgotten" in words] == ["forgetting"]
    without = {**round_, "n_anchors": 0, "anchors": [], "candidates": []}
    assert "every unlabeled point is a candidate" in told(world, "retrieve", without)
    assert "the whole pool is ranked" in told(world, "interpolate", without)


# Questions


def test_a_question_is_asked_before_the_stage_that_answers_it(world: dict[str, Any]) -> None:
    asked = {
        (one["id"], stage)
        for turn in (0, 1)
        for stage in STAGES
        for one in questions_at(world["questions"], turn, stage)
    }
    for one in world["questions"]:
        if one["round"] > 1:
            continue
        stages = [stage for name, stage in asked if name == one["id"]]
        assert len(stages) == 1
        early = STAGES.index(stages[0]) < STAGES.index(one["stage"])
        assert early or one["stage"] == "train" or one["kind"] == "gain"


def test_a_prediction_is_revealed_once_and_counted() -> None:
    app = _visit(seed="3")
    spot = read_spot({"seed": "3"})[0]
    question = questions_at(classroom_fetch.world_at(spot)["questions"], 0, "train")[0]
    assert "no answer yet" in _html(app)
    assert app.button(key="reveal").disabled
    wrong = (question["answer"] + 1) % len(question["choices"])
    app.radio(key="predict").set_value(wrong).run()
    app.button(key="reveal").click().run()
    assert "0 of 1 right" in _html(app)
    assert "Not so: it is" in _html(app)
    assert app.radio(key="predict").disabled
    assert not [button for button in app.button if button.key == "reveal"], "an answer stands"
    app.button(key="predict_more").click().run()
    other = questions_at(classroom_fetch.world_at(spot)["questions"], 0, "train")[1]
    app.radio(key="predict").set_value(other["answer"]).run()
    app.button(key="reveal").click().run()
    assert "1 of 2 right" in _html(app)
    assert "Right." in _html(app)


# The page


def test_the_page_needs_no_run_and_no_store(store: Path) -> None:
    app = _visit()
    assert _params(app) == {"page": "classroom", "seed": "0"}
    assert "1. Train" in _html(app)
    assert not store.exists()


def test_next_leads_through_the_six_stages_into_the_next_round_and_back_leads_back() -> None:
    app = _visit()
    for stage in STAGES[1:]:
        app.button(key="next_stage").click().run()
        assert not app.exception
        assert _params(app)["stage"] == stage
    app.button(key="next_stage").click().run()
    assert _params(app) == {"page": "classroom", "seed": "0", "turn": "1"}
    app.button(key="back_stage").click().run()
    assert _params(app)["stage"] == "annotate"
    assert "turn" not in _params(app)
    assert _visit().button(key="back_stage").disabled
    assert _visit(turn="8", stage="annotate").button(key="next_stage").disabled


@pytest.mark.parametrize(
    "params",
    [
        {"seed": "7", "strength": "0.97", "turn": "1", "stage": "rank"},
        {
            "seed": "7",
            "budget": "4",
            "alpha": "0.5",
            "neighbours": "2",
            "anchors": "3",
            "stage": "retrieve",
            "anchor": "4",
        },
    ],
)
def test_a_second_visitor_of_an_address_sees_the_same_picture(params: dict[str, str]) -> None:
    first = _visit(**params)
    assert {name: _params(first)[name] for name in params} == params
    classroom_fetch._worlds.drop(lambda _: True)  # as in another process
    second = _visit(**_params(first))
    assert _picture(first) == _picture(second)
    other = _visit(**{**params, "seed": "8"})
    assert _picture(first)["data"] != _picture(other)["data"]


def test_thirty_visitors_of_one_world_cost_one_answer() -> None:
    for _ in range(3):
        _visit(seed="5")
    assert len(ASKED) == 1
    _visit(seed="5", turn="1")
    _visit(seed="5")  # which the answer with more rounds holds: it takes the place of the other
    assert [asked["rounds"] for asked in ASKED] == [0, 1]
    assert len(classroom_fetch._worlds._values) == 1


def test_a_slider_moves_the_world_and_the_address() -> None:
    app = _visit(seed="4", stage="annotate")
    app.slider(key="strength").set_value(0.97).run()
    app.slider(key="ambiguity").set_value(0.3).run()
    assert {name: _params(app)[name] for name in ("strength", "ambiguity", "stage")} == {
        "strength": "0.97", "ambiguity": "0.3", "stage": "annotate",
    }  # fmt: skip
    assert ASKED[-1]["strength"] == 0.97
    assert ASKED[-1]["ambiguity"] == 0.3
    app.slider(key="strength").set_value(0.9).run()
    assert "strength" not in _params(app), "the usual value is not written"


def test_a_new_world_is_the_next_seed_from_its_beginning() -> None:
    app = _visit(seed="4", turn="1", stage="rank", strength="0.8")
    app.button(key="new_world").click().run()
    assert _params(app) == {"page": "classroom", "seed": "5", "strength": "0.8"}


def test_a_wrong_address_is_told_once_and_mended() -> None:
    app = _visit(strength="7", seed="2")
    assert "strength “7”; it can be 0.5 to 1" in _html(app)
    assert _params(app) == {"page": "classroom", "seed": "2"}


def test_a_refusal_is_shown_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> dict[str, Any]:
        raise alvin.AlvinError("no answer after <b>120</b> s; ask again")

    monkeypatch.setattr(classroom_fetch, "_asked", refused)
    app = _visit()
    assert "no answer after &lt;b&gt;120&lt;/b&gt; s" in _html(app)
    assert app.button(key="world_again")


# The lesson


def test_every_page_of_the_lesson_can_be_read_and_every_button_opens_a_world(store: Path) -> None:
    pages = read_pages(store)
    assert len(pages) == len([path for path in LESSONS.glob("*.md") if path.name != "README.md"]) >= 4
    for page in pages:
        assert page.problems == ()
        for part in page.parts:
            if isinstance(part, ShowMe):
                spot, problems = read_spot({name: str(value) for name, value in world_of(part).items()})
                assert problems == []
                assert isinstance(spot, Spot)


def test_the_readme_of_the_lesson_names_all_that_a_button_can() -> None:
    written = (LESSONS / "README.md").read_text(encoding="utf-8")
    for name, slider in SLIDERS.items():
        assert f"| `{name}` | {slider.low:g} to {slider.high:g}" in written
        assert re.search(rf"\| `{name}` .*\| {slider.default:g} \|", written)
    for name, choice in CHOICES.items():
        assert f"| `{name}` | {', '.join(f'`{option}`' for option in choice.options)} |" in written


def test_the_stores_own_lesson_wins_and_an_edit_shows_at_once(store: Path) -> None:
    (store / "lessons").mkdir(parents=True)
    page = store / "lessons" / "1.md"
    page.write_text("# Mine\n\n<img src=x onerror=alert(1)>\n\n[Go](show:strength=0.6&stage=rank)\n", encoding="utf-8")
    app = _visit(view="lesson", turn="2", budget="3", seed="6")
    assert "Mine" in _html(app)
    assert [one.proto.allow_html for one in app.markdown] == [False] * len(app.markdown)
    app.button(key="show_me_0_1").click().run()
    assert _params(app) == {"page": "classroom", "view": "lesson", "seed": "6", "strength": "0.6", "stage": "rank"}
    page.write_text("# Yours\n", encoding="utf-8")
    assert "Yours" in _html(_visit(view="lesson"))


@pytest.mark.parametrize(
    ("button", "said"),
    [
        ("[a](show:strength=2)", "line 3: The address asks for strength “2”; it can be 0.5 to 1"),
        ("[a](show:color=red)", "line 3: nothing is called 'color'"),
        ("[a](show:strength)", "line 3: “show:strength” is not of the form"),
    ],
)
def test_a_mistake_in_a_button_is_told_with_its_line(button: str, said: str) -> None:
    page = read_page(f"# Title\n\n{button}\n", "1.md")
    assert page.parts == ()
    assert said in page.problems[0]


def test_a_page_that_cannot_be_read_says_so(store: Path) -> None:
    folder = store / "lessons"
    folder.mkdir(parents=True)
    assert "no Markdown file" in read_pages(store)[0].problems[0]
    (folder / "a.md").write_bytes(b"\xff\xfe\xff")
    (folder / "b.md").write_text("x" * 70_000, encoding="utf-8")
    first, second = read_pages(store)
    assert "a.md cannot be read" in first.problems[0]
    assert "b.md has 68 KiB; a page may have 64 KiB" in second.problems[0]


# The phase diagram


@pytest.fixture
def diagram(store: Path) -> Callable[..., dict[str, Any]]:
    """Write a finished diagram of the quick grid, with these figures in every cell but the first."""

    def write(**figures: Any) -> dict[str, Any]:
        from alvin_core.classroom.phase_plan import result_path

        plan = classroom_phase.plan_of(read_spot({})[0])
        cell = {
            "mean": -0.08,
            "low": -0.12,
            "high": -0.04,
            "verdict": "entropy",
            "n": 8,
            "p_corrected": 0.01,
            **figures,
        }
        points = [{"strength": strength, "ambiguity": ambiguity, **cell} for strength, ambiguity in plan.points]
        points[0] |= {"mean": 0.05, "low": 0.02, "high": 0.08, "verdict": "alvin"}
        path = result_path(store / classroom_phase.FOLDER, plan)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"plan": plan.to_dict(), "points": points}), encoding="utf-8")
        return {"points": points}

    return write


def test_a_diagram_that_is_not_computed_says_how_to(store: Path) -> None:
    app = _visit(view="phase")
    assert app.button(key="phase_cell_0_0").label == "not computed"
    assert "press “Compute”" in _html(app)
    app.button(key="phase_compute").click().run()
    job = alvin.list_jobs(store, active=True)[0]
    assert job.kind == "phase"
    assert job.params == classroom_phase.plan_of(read_spot({})[0]).to_dict()
    assert app.button(key="phase_compute").disabled
    app.button(key="phase_cancel").click().run()
    assert not alvin.list_jobs(store, active=True)


def test_a_cell_says_difference_interval_and_verdict_and_opens_its_world(diagram: Callable[..., Any]) -> None:
    diagram()
    app = _visit(view="phase")
    # Strengths from the strongest down, ambiguities from left to right.
    assert app.button(key="phase_cell_2_0").label == "**▲ +5.0** +2.0 to +8.0 *ALVIN better*"
    assert app.button(key="phase_cell_0_1").label == "**▼ -8.0** -12.0 to -4.0 *uncertainty better*"
    app.button(key="phase_cell_0_1").click().run()
    assert _params(app) == {"page": "classroom", "seed": "0", "strength": "0.95", "ambiguity": "0.15"}


@pytest.mark.parametrize(
    ("verdict_", "said"),
    [("tie", "no measurable difference"), ("too few seeds", "too few seeds")],
)
def test_a_cell_without_a_winner_names_none(diagram: Callable[..., Any], verdict_: str, said: str) -> None:
    diagram(verdict=verdict_, low=None, high=None)
    label = _visit(view="phase").button(key="phase_cell_0_0").label
    assert label == f"**= -8.0** no interval *{said}*"


@pytest.mark.parametrize("dark", [False, True])
def test_a_labeled_point_stands_out_from_the_shading_of_its_own_class(world: dict[str, Any], *, dark: bool) -> None:
    look = palette.theme(dark)
    figure = world_figure(world, ("alvin",), 0, "train", look=look)
    (shading,) = [one for one in figure.data if one.name == "probability"]
    grounds = [one[1] for one in shading.colorscale]
    rims = [one.marker.line.color for one in figure.data if one.name in world["classes"]]
    assert len(rims) == 2
    for rim in rims:
        assert min(_contrast(rim, ground) for ground in grounds) > 4.5


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    """Relative luminance as WCAG 2 has it."""
    parts = (
        [int(color[at : at + 2], 16) for at in (1, 3, 5)]
        if color.startswith("#")
        else [int(one) for one in re.findall(r"\d+", color)]
    )
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in (n / 255 for n in parts)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
