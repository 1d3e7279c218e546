"""The page Label as its script draws it, without a browser."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from alvin_core import Run, RunSettings, create_run
from dashboard import data
from dashboard.labelling_cues import begin_counting

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "store"))
    dataset = fake.make_dataset(labeled=0.0, pairs=True)
    made = create_run(tmp_path / "store", dataset, RunSettings(budget=5, initial=4), name="r")
    (tmp_path / "store" / "dashboard").mkdir()
    (tmp_path / "store" / "dashboard" / "tour-seen").touch()
    return made


def opened(**params: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in ({"run": "r", "page": "label", "annotator": "Ada"} | params).items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def page_text(app: AppTest) -> str:
    return " ".join(str(one.proto.body) for one in app.get("html"))


def test_a_pair_is_shown_in_two_named_boxes_with_its_place_in_the_queue(run: Run) -> None:
    app = opened()
    first = run.queue("Ada")[0]
    text = page_text(app)
    assert f"Example <bdi>{first}</bdi>" in text
    assert "First text" in text
    assert "Second text" in text
    assert "1 of the 4 left in the queue" in text


def test_a_class_button_labels_and_the_next_example_follows(run: Run) -> None:
    queue = run.queue("Ada")
    app = opened()
    app.button(key="label_1").click().run()
    assert run.labels()["label"].tolist() == ["pos"]
    assert f"Example <bdi>{queue[1]}</bdi>" in page_text(app)
    app.button(key="undo").click().run()
    assert run.labels().empty
    assert f"Example <bdi>{queue[0]}</bdi>" in page_text(app)


def test_without_a_name_the_class_buttons_wait(run: Run) -> None:
    app = opened(annotator="")
    assert app.button(key="label_0").disabled
    app.text_input(key="annotator").input("Grace").run()
    assert not app.button(key="label_0").disabled


def test_an_empty_queue_offers_the_next_round(run: Run) -> None:
    run.submit({one: "pos" if place else "neg" for place, one in enumerate(run.queue("Ada"))}, annotator="Bob")
    app = opened()
    assert "All 4 examples of the initial set are labeled." in page_text(app)
    assert not app.button(key="train_next").disabled


def test_one_class_alone_is_not_enough_and_the_page_says_so(run: Run) -> None:
    run.submit(dict.fromkeys(run.queue("Ada"), "pos"), annotator="Bob")
    app = opened()
    assert "cannot be trained yet" in page_text(app)
    assert app.button(key="train_next").disabled


def test_the_example_of_the_address_is_in_front(run: Run) -> None:
    outside = next(one for one in run.dataset.ids[:60].tolist() if one not in run.queue("Ada"))
    assert f"Example <bdi>{outside}</bdi>" in page_text(opened(example=outside))


def test_an_example_of_another_split_is_refused_in_words(run: Run) -> None:
    text = page_text(opened(example="e00065"))
    assert "has no pool example e00065" in text


def test_what_was_found_in_one_run_is_not_listed_in_the_next(run: Run) -> None:
    other = create_run(data.store(), run.dataset, RunSettings(budget=5, initial=4), name="other")
    app = opened()
    app.session_state["_label_desk"].turn_to("browse")
    app.run()
    app.text_input(key="label_search").input("text 17,").run()
    assert app.dataframe
    app.query_params["run"] = other.name
    app.run()
    app.session_state["_label_desk"].turn_to("browse")
    app.run()
    assert not app.exception
    assert not app.dataframe


def test_searching_finds_examples_to_label(run: Run) -> None:
    app = opened()
    app.session_state["_label_desk"].turn_to("browse")
    app.run()
    app.text_input(key="label_search").input("text 17,").run()
    assert not app.exception
    assert "Example <bdi>e00017</bdi>" in page_text(app)
    app.button(key="label_0").click().run()
    assert run.labels()["id"].tolist() == ["e00017"]


@pytest.fixture
def shortcut(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A trained round of data in which the attribute says the class, but for every eighth example."""
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "store"))
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    made = fake.make_dataset(200)
    against = np.arange(len(made)) % 8 == 0
    kind = np.where((made.labels == 0) ^ against, "horror", "romance")
    kind[[1, 3, 17, 29]] = "western"  # too seldom to be tested
    run = create_run(
        tmp_path / "store", replace(made, attributes=kind), RunSettings(budget=8, initial=100, seed=3), name="r"
    )
    run.step()
    (tmp_path / "store" / "dashboard").mkdir()
    (tmp_path / "store" / "dashboard" / "tour-seen").touch()
    begin_counting(run, 0).result(timeout=60)
    return run


def test_after_a_label_the_page_says_whether_it_follows_the_shortcuts(shortcut: Run) -> None:
    frame = shortcut.labels()
    shares = {name: (frame["label"] == name).mean() for name in ("neg", "pos")}

    def z(attribute: str, label: str) -> str:
        held = frame.loc[frame["attribute"] == attribute, "label"] == label
        share = shares[label]
        return f"{(held.mean() - share) / math.sqrt(share * (1 - share) / len(held)):.1f}"

    of_class = {"horror": "neg", "romance": "pos"}
    app = opened()
    seen = set()
    for one, attribute in shortcut.pending()[["id", "attribute"]].itertuples(index=False):
        assert f"Example <bdi>{one}</bdi>" in page_text(app)
        assert 'class="label-cues' not in page_text(app) or seen  # nothing before the label
        app.button(key="label_0").click().run()  # neg
        assert not app.exception
        cue = f"attribute {attribute} → {of_class[attribute]} (z {z(attribute, of_class[attribute])})"
        verb = "follows" if of_class[attribute] == "neg" else "contradicts"
        text = page_text(app)
        assert f"{verb}</span> {cue}" in text
        seen.add(verb)
    assert seen == {"follows", "contradicts"}


def test_an_example_without_a_shortcut_is_told_of_in_few_words(shortcut: Run) -> None:
    western = next(
        one for one in ("e00001", "e00003", "e00017", "e00029") if one not in shortcut.labels()["id"].tolist()
    )
    app = opened(example=western)
    app.button(key="label_1").click().run()
    assert "It holds no significant shortcut of round 0." in page_text(app)


def test_while_words_are_counted_a_key_does_not_wait(shortcut: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import Future

    never: Future[None] = Future()
    monkeypatch.setattr("dashboard.labelling_cues.begin_counting", lambda run, round_no: never)
    app = opened()
    app.button(key="label_0").click().run()
    assert "Counting words …" in page_text(app)
    assert (shortcut.labels()["source"] == "person").sum() == 1


def test_the_log_tells_of_examples_that_somebody_wrote_and_the_page_goes_on(shortcut: Run) -> None:
    shortcut.add_example(("a horror film of wit",), "pos", parent_id="e00002", annotator="Ada")
    app = opened(example="edit-0001")
    assert "has no pool example edit-0001" in page_text(app)
    app.button(key="open_log").click().run()
    assert not app.exception
    assert "counterfactual" in app.dataframe[0].value["source"].tolist()
