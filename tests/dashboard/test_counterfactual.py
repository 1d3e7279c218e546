"""The counterfactual editor and the words of a prediction, as their scripts draw them, with answers of a tiny model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import alvin_core as alvin
from alvin_core.errors import AlvinError, StoreError
from alvin_core.worker.answering import Desk
from dashboard import asking
from dashboard.asking import without_spans
from dashboard.views.attribution import coloured_texts, said

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
EXAMPLE = "e00007"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, fake: ModuleType, tiny_encoder: Path) -> Path:
    """Rounds 0 and 1 of texts `text 7, with a comma`, trained on a tiny encoder; and of pairs."""
    folder = tmp_path_factory.mktemp("counterfactual") / "store"
    for name, pairs in (("r", False), ("pairs", True)):
        settings = alvin.RunSettings(
            budget=4,
            initial=12,
            encoder=alvin.EncoderSettings(name=str(tiny_encoder), max_length=32),
            training=alvin.TrainingSettings(epochs=4, hidden=8),
            runtime=alvin.RuntimeSettings(device="cpu", threads=1, inference_dtype="float32"),
        )
        made = alvin.create_run(folder, fake.make_dataset(24, 6, pairs=pairs), settings, name=name)
        list(made.run_rounds(1))
    (folder / "dashboard").mkdir()
    (folder / "dashboard" / "tour-seen").touch()
    return folder


@pytest.fixture
def asked(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The questions that were asked; they are answered here, by what answers them there."""
    desk, found = Desk(store), list[tuple[str, dict[str, Any]]]()

    def ask(folder: Path, kind: str, params: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        assert (folder, timeout > 60) == (store, True)
        found.append((kind, params))
        return desk.answer(kind, params)

    monkeypatch.setenv("ALVIN_STORE", str(store))
    monkeypatch.setattr(asking, "ask", ask)
    yield found
    for shelf in (asking._answers, asking._made):
        shelf.drop(lambda key: True)


def page() -> None:
    from dashboard import state
    from dashboard.views.shortcuts_counterfactual import render_counterfactual

    render_counterfactual(state.current_place())


def opened(script: Callable[[], None] | Path = page, **params: str) -> Any:
    app = AppTest.from_file(str(script)) if isinstance(script, Path) else AppTest.from_function(script)
    app.default_timeout = 60
    for name, value in ({"run": "r", "page": "explore", "example": EXAMPLE} | params).items():
        app.query_params[name] = value
    return ran(app.run())


def ran(app: Any) -> Any:
    assert not app.exception, app.exception
    return app


def html(app: Any) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def test_the_text_of_the_open_example_is_there_with_its_stored_prediction(asked: list[Any], store: Path) -> None:
    app = opened()
    assert app.text_area(key="counterfactual_text_0").value == "text 7, with a comma"
    row = alvin.open_run(store, "r").examples(1).set_index("id").loc[EXAMPLE]
    text = html(app)
    assert f"Predicted <b>{row['predicted']}</b>" in text
    assert f"<span>{row['confidence']:.2f}</span>" in text
    assert "Nothing is changed yet" in text
    assert [params["texts"] for _, params in asked] == [[["text 7, with a comma"]]]
    assert app.button(key="counterfactual_save").disabled
    assert app.button(key="counterfactual_reset").disabled


def test_a_word_that_is_clicked_is_left_out_and_what_changes_is_told(asked: list[Any], store: Path) -> None:
    app = opened()
    words = app.button_group(key="counterfactual_words_0")
    assert words.options == ["text", "7", "with", "a", "comma"]
    words.set_value([1, 4]).run()
    assert asked[-1][1]["texts"] == [["text, with a"]]
    run = ran(app) and alvin.open_run(store, "r")
    before, after = (
        Desk(store).answer("counterfactual", {"run": run.id, "round": 1, "texts": [[one]]})["probs"][0]
        for one in ("text 7, with a comma", "text, with a")
    )
    text = html(app)
    for was, now in zip(before, after, strict=True):
        assert f"{was:.2f} → <b>{now:.2f}</b>" in text
        assert f"left:{100 * was:.1f}%" in text
        assert f"width:{100 * now:.1f}%" in text
    assert "moved" in text
    assert "Nearest after" in text
    app.button(key="counterfactual_reset").click().run()
    assert "Nothing is changed yet" in html(ran(app))
    assert app.button_group(key="counterfactual_words_0").value == []


def test_a_text_that_is_written_is_asked_about_and_stays_on_the_list(asked: list[Any]) -> None:
    app = opened()
    app.text_area(key="counterfactual_text_0").input("second <b>comma</b>").run()
    assert asked[-1][1]["texts"] == [["second <b>comma</b>"]]
    assert app.button_group(key="counterfactual_words_0").options == ["second", "b", "comma", "b"]
    assert "<b>comma</b>" not in html(ran(app))
    app.text_area(key="counterfactual_text_0").input("text 9").run()
    labels = [app.button(key=f"counterfactual_tried_{number}").label for number in (0, 1)]
    assert "text 9" in labels[0]
    assert "second" in labels[1]
    n_asked = len(asked)
    app.button(key="counterfactual_tried_1").click().run()
    assert ran(app).text_area(key="counterfactual_text_0").value == "second <b>comma</b>"
    assert len(asked) == n_asked  # what was answered is kept


def test_both_texts_of_a_pair_can_be_changed(asked: list[Any]) -> None:
    app = opened(run="pairs")
    app.button_group(key="counterfactual_words_1").set_value([0]).run()
    assert asked[-1][1]["texts"] == [["text 7, with a comma", "7"]]
    app.text_area(key="counterfactual_text_0").input("a comma").run()
    assert asked[-1][1]["texts"] == [["a comma", "second 7"]]  # other texts, other words: nothing is left out
    ran(app)


def test_another_example_begins_anew(asked: list[Any]) -> None:
    app = opened()
    app.text_area(key="counterfactual_text_0").input("text 9").run()
    app.query_params["example"] = "e00003"
    app.run()
    assert ran(app).text_area(key="counterfactual_text_0").value == "text 3, with a comma"
    assert "Nothing is changed yet" in html(app)


def test_without_an_example_it_says_how_to_open_one(asked: list[Any]) -> None:
    for example in ("", "nobody"):
        assert "Open one by a click on the map" in html(opened(example=example))
    assert asked == []


def test_a_changed_text_is_saved_with_its_label_and_a_repeated_one_is_refused(asked: list[Any], store: Path) -> None:
    app = opened(annotator="ada")
    app.text_area(key="counterfactual_text_0").input("text 7 without").run()
    app.selectbox(key="counterfactual_label").set_value("neg").run()
    app.button(key="counterfactual_save").click().run()
    added = alvin.open_run(store, "r").added().iloc[-1]
    assert (added["text"], added["label"], added["parent_id"]) == ("text 7 without", "neg", EXAMPLE)
    assert f"Saved as {added['id']} with the label neg, written by ada. The next round trains on it." in html(ran(app))
    app.button(key="counterfactual_save").click().run()
    assert "labeled &#x27;neg&#x27; already" in html(ran(app))
    assert len(alvin.open_run(store, "r").added()) == 1


def test_a_model_that_takes_long_to_make_is_made_when_asked_for(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_train_seconds", lambda run_id, round_no: 41.0)
    app = opened()
    assert "trained again from its record, which takes about 41 s" in html(app)
    assert asked == []
    app.button(key="counterfactual_start").click().run()
    assert len(asked) == 1
    assert "Nothing is changed yet" in html(ran(app))


def test_an_error_is_a_sentence_and_the_next_try_asks_again(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    working = asking.ask

    def failing(*args: Any, **kwargs: Any) -> None:
        raise StoreError("the model of round 1, trained <again>, is another one")

    monkeypatch.setattr(asking, "ask", failing)
    app = opened()
    assert "the model of round 1, trained &lt;again&gt;, is another one" in html(app)
    monkeypatch.setattr(asking, "ask", working)
    assert "Nothing is changed yet" in html(ran(app.run()))


def test_a_text_that_could_not_be_read_is_not_on_the_list(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    app, working = opened(), asking.ask

    def failing(*args: Any, **kwargs: Any) -> Any:
        if args[2]["texts"] == [["text, with a comma"]]:
            raise AlvinError("no answer in time")
        return working(*args, **kwargs)

    monkeypatch.setattr(asking, "ask", failing)
    app.button_group(key="counterfactual_words_0").set_value([1]).run()
    assert "no answer in time" in html(ran(app))
    app.button_group(key="counterfactual_words_0").set_value([4]).run()
    assert "moved" in html(ran(app))
    assert [one.key for one in app.button if "tried" in (one.key or "")] == ["counterfactual_tried_0"]


def test_the_words_of_a_prediction_are_shown_once_asked_for(asked: list[Any], store: Path) -> None:
    app = opened(APP)
    assert asked == []
    app.button(key="attribution_ask").click().run()
    [(kind, params)] = asked
    assert (kind, params["id"], params["method"]) == ("attribution", EXAMPLE, "integrated-gradients")
    answer = Desk(store).answer(kind, params)
    text = html(ran(app))
    for one in answer["texts"][0]:
        assert f">{one['text']}</span>" in text
    assert f"<b>{answer['class']}</b> ({answer['p']:.2f})" in text
    check = answer["faithfulness"]
    assert f"from {check['p']:.2f} to <b>{check['p_top']:.2f}</b>" in text
    assert "The scores add up to" in text
    app.button_group(key="attribution_method").set_value("occlusion").run()
    assert asked[-1][1]["method"] == "occlusion"
    app.run()
    assert len(asked) == 2
    app.query_params["example"] = "e00003"
    assert "attribution_ask" in [one.key for one in ran(app.run()).button]


def test_an_attribution_that_fails_says_why_and_can_be_tried_again(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*args: Any, **kwargs: Any) -> None:
        raise AlvinError("captum is <not> installed")

    monkeypatch.setattr(asking, "ask", failing)
    app = opened(APP)
    app.button(key="attribution_ask").click().run()
    assert "captum is &lt;not&gt; installed" in html(ran(app))
    assert "attribution_ask" in [one.key for one in ran(app.run()).button]


def test_words_are_told_apart_by_more_than_colour_and_are_never_markup() -> None:
    words = [
        {"text": "<i>", "start": 0, "end": 3, "score": 0.5, "is_word": True},
        {"text": "bad", "start": 4, "end": 7, "score": -0.25, "is_word": True},
        {"text": "so", "start": 9, "end": 11, "score": 0.01, "is_word": True},
    ]
    made = coloured_texts(("<i> bad  so & on",), [words])
    assert '<span class="alvin-word for" style="--share:1.00" title="+0.50">&lt;i&gt;</span> <span' in made
    assert '<span class="alvin-word against" style="--share:0.50" title="−0.25">bad</span>  <span' in made
    assert '<span class="alvin-word for faint" style="--share:0.02" title="+0.01">so</span> &amp; on' in made


def test_the_check_says_whether_the_scores_can_be_trusted() -> None:
    checked = {"k": 3, "words": ["a", "b", "c"], "p": 0.93, "p_top": 0.51, "p_random": 0.88, "n_draws": 20}
    checked |= {"drop_top": 0.42, "drop_random": 0.05, "n_weaker": 20}
    found = {"class": "pos", "faithfulness": checked, "completeness": None, "notes": []}
    text = said(found)
    assert "removing the 3 highest words (“a”, “b”, “c”) lowers pos from 0.93 to <b>0.51</b>; removing 3 random" in text
    assert "to 0.88 on average. The model does go by them." in text
    poor = {**checked, "p_top": 0.9, "drop_top": 0.03, "n_weaker": 6}
    assert "do not trust these scores" in said({**found, "faithfulness": poor})
    assert "too few words" in said({**found, "faithfulness": None, "notes": ["left <out>"]})
    assert "left &lt;out&gt;" in said({**found, "notes": ["left <out>"]})


def test_spans_are_taken_out_with_the_white_space_before_them() -> None:
    assert without_spans("a good film, good", [(13, 17), (2, 6)]) == "a film,"
    assert without_spans("good film", [(0, 4)]) == "film"
    assert without_spans(" as it is ", []) == " as it is "
