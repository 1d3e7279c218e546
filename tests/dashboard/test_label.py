"""The page Label as its script draws it, without a browser."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from alvin_core import Run, RunSettings, create_run
from dashboard import data
from dashboard.labelling_cues import begin_counting
from dashboard.people import Role
from dashboard.sign_in import Found

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


def test_a_name_is_still_there_after_a_look_at_another_page_and_one_that_was_emptied_stays_away(run: Run) -> None:
    app = opened(annotator="")
    app.text_input(key="annotator").input("Grace").run()
    del app.query_params["annotator"]  # where a reload would find it
    for page in ("runs", "label"):
        app.query_params["page"] = page
        app.run()
        assert not app.exception
    assert app.text_input(key="annotator").value == "Grace"
    assert not app.button(key="label_0").disabled
    app.button(key="open_agreement").click().run()
    assert app.text_input(key="annotator").value == "Grace"
    app.text_input(key="annotator").input("").run()
    assert app.text_input(key="annotator").value == ""
    assert app.button(key="label_0").disabled


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


# Several people


def signed_in(monkeypatch: pytest.MonkeyPatch, name: str, role: Role) -> None:
    """Have every page belong to somebody who is signed in."""

    class Access:
        def look(self, claims: object) -> Found:
            return Found(state="in", name=name, role=role)

    monkeypatch.setattr("dashboard.people.sign_in", Access)


def holders(run: Run) -> set[str]:
    return {hold.annotator for one in run.queue_state().examples for hold in one.held_by}


def in_front(app: AppTest) -> str:
    found = re.search(r"Example <bdi>([^<]+)</bdi>", page_text(app))
    assert found is not None
    return found[1]


def test_a_viewer_sees_the_example_and_can_change_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in(monkeypatch, "vera@lab.org", "viewer")
    app = opened()
    text = page_text(app)
    assert f"Example <bdi>{run.queue('Ada')[0]}</bdi>" in text
    assert "Look on: vera@lab.org is signed in as viewer; to label takes the role annotator or owner" in text
    for key in ("label_0", "label_1", "undo", "flag"):
        button = app.button(key=key)
        assert button.disabled
        button.proto.disabled = False  # a browser may send what it likes
        button.click().run()
        assert not app.exception
    assert run.history().empty
    assert holders(run) == set()


def test_a_viewer_goes_on_through_the_queue_without_a_trace(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in(monkeypatch, "vera@lab.org", "viewer")
    app = opened()
    seen = []
    for _ in range(4):
        seen.append(in_front(app))
        assert app.button(key="skip").label == "Next"
        app.button(key="skip").click().run()
        assert not app.exception
    assert seen == run.queue("Ada")
    assert in_front(app) == seen[0]  # the queue begins anew
    assert run.marks().empty
    assert run.history().empty
    assert holders(run) == set()


def test_no_sentence_asks_a_viewer_for_what_a_viewer_cannot_do(shortcut: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shortcut.pending()["id"].iloc[0]
    shortcut.submit({first: "neg"}, annotator="cleo@lab.org")
    signed_in(monkeypatch, "vera@lab.org", "viewer")
    app = opened()
    text = page_text(app)
    assert "The model, after the label" in text
    assert f"<bdi>{first}</bdi>: cleo@lab.org said neg" in text
    assert "Enter your name" not in text
    assert not [one for one in app.button if str(one.key).startswith("take_back_")]
    shortcut.submit(dict.fromkeys(shortcut.pending()["id"], "pos"), annotator="cleo@lab.org")
    text = page_text(opened())
    assert "It speaks of one example at a time" in text
    assert "An owner trains the next round on them." in text
    assert "Browse" not in text


def test_an_annotator_takes_back_their_own_labels_and_an_owner_anybodys(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, own, *_ = run.queue("Bo")
    run.submit({theirs: "neg"}, annotator="bo@lab.org")
    run.submit({own: "pos"}, annotator="cleo@lab.org")
    signed_in(monkeypatch, "cleo@lab.org", "annotator")
    app = opened()
    mine, others = [one for one in app.button if str(one.key).startswith("take_back_")]  # the newest comes first
    assert (mine.disabled, others.disabled) == (False, True)
    assert others.help.replace("\\", "") == "bo@lab.org gave it: they, or an owner, may take it back"
    others.proto.disabled = False  # a browser may send what it likes
    others.click().run()
    assert set(run.labels()["id"]) == {theirs, own}
    mine.click().run()
    assert set(run.labels()["id"]) == {theirs}
    signed_in(monkeypatch, "ada@lab.org", "owner")
    app = opened()
    [others] = [one for one in app.button if str(one.key).startswith("take_back_")]
    others.click().run()
    assert run.labels().empty
    assert run.history()["annotator"].tolist() == ["bo@lab.org", "cleo@lab.org", "cleo@lab.org", "ada@lab.org"]


def test_who_is_signed_in_labels_under_that_name_whatever_the_address_says(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(monkeypatch, "cleo@lab.org", "annotator")
    app = opened(annotator="Ada")
    assert not [one for one in app.text_input if one.key == "annotator"]
    assert "<b><bdi>cleo@lab.org</bdi></b> labels, as annotator" in page_text(app)
    assert holders(run) == {"cleo@lab.org"}
    app.button(key="label_1").click().run()
    assert run.labels()["annotator"].tolist() == ["cleo@lab.org"]


def test_an_annotator_does_not_start_the_next_round_and_is_told_why(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.submit({one: "pos" if place else "neg" for place, one in enumerate(run.queue("Bo"))}, annotator="Bo")
    signed_in(monkeypatch, "cleo@lab.org", "annotator")
    button = opened().button(key="train_next")
    assert button.disabled
    assert "takes the role owner" in button.help.replace("\\", "")


def test_the_page_takes_a_few_examples_and_says_who_has_the_rest(run: Run) -> None:
    run.take("Bo", 2)
    app = opened()
    queue = run.queue("Ada")
    assert in_front(app) == queue[2]
    assert "4 left: 2 yours, 2 with Bo" in page_text(app)
    run.give_back("Bo")
    app.run()
    assert in_front(app) == queue[2]  # what came back changes nothing about the example in front
    assert "4 left: 2 yours, 2 free" not in page_text(app)  # nobody else is there: nothing to say


def test_when_others_hold_all_that_is_left_the_page_says_who(run: Run) -> None:
    run.take("Bo", 4)
    app = opened()
    text = page_text(app)
    assert "Nothing is left for you now." in text
    assert "4 are with Bo" in text
    assert app.button(key="train_next").disabled
    run.give_back("Bo", run.queue("Ada")[:1])
    app.run()
    assert in_front(app) == run.queue("Ada")[0]


def test_another_name_gives_back_what_the_first_one_held(run: Run) -> None:
    app = opened()
    assert holders(run) == {"Ada"}
    app.text_input(key="annotator").input("Grace").run()
    assert holders(run) == {"Grace"}


def test_a_second_window_under_the_same_name_is_told(run: Run) -> None:
    assert "labels in another window too" not in page_text(opened())
    second = opened()
    assert "Ada labels in another window too" in page_text(second)


def test_a_label_for_what_went_to_another_is_remembered_and_offered_again(run: Run) -> None:
    app = opened()
    first = in_front(app)
    run.give_back("Ada")  # her time was over
    run.take("Bo", 4)
    app.button(key="label_1").click().run()
    text = page_text(app)
    assert f"Not stored: Bo has {first} in hand now. Your pos is remembered here" in text
    assert in_front(app) == first
    assert run.labels().empty
    run.give_back("Bo")
    app.run()
    assert f"{first} is free again. You called it pos: press that once more." in page_text(app)
    app.button(key="label_1").click().run()
    assert run.labels()[["id", "label", "annotator"]].values.tolist() == [[first, "pos", "Ada"]]
    assert in_front(app) != first


def test_a_card_that_went_to_another_stays_with_a_word_about_it(run: Run) -> None:
    app = opened()
    first = in_front(app)
    run.submit({first: "neg"}, annotator="Bo", force=True)
    app.run()
    assert in_front(app) == first
    assert f"Bo labeled {first} neg meanwhile. Next goes on." in page_text(app)
    app.button(key="skip").click().run()
    assert in_front(app) != first
    assert run.marks().empty


@pytest.fixture
def twice(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run in which two people label each example."""
    monkeypatch.setenv("ALVIN_STORE", str(tmp_path / "store"))
    settings = RunSettings(budget=5, initial=4).with_value("annotation.overlap", 2)
    made = create_run(tmp_path / "store", fake.make_dataset(labeled=0.0), settings, name="r")
    (tmp_path / "store" / "dashboard").mkdir()
    (tmp_path / "store" / "dashboard" / "tour-seen").touch()
    return made


def test_a_label_of_several_is_an_owners_to_take_back(twice: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = twice.queue("Bo")
    for name in ("bo@lab.org", "di@lab.org"):
        twice.submit({first: "pos"}, annotator=name)
    signed_in(monkeypatch, "cleo@lab.org", "annotator")
    [theirs] = [one for one in opened().button if str(one.key).startswith("take_back_")]
    assert theirs.disabled
    assert theirs.help.replace("\\", "") == "bo@lab.org, di@lab.org gave it: an owner may take it back"
    signed_in(monkeypatch, "di@lab.org", "annotator")
    app = opened()
    [own] = [one for one in app.button if str(one.key).startswith("take_back_")]
    own.click().run()
    assert twice.opinions()["annotator"].tolist() == ["bo@lab.org"]
    assert twice.labels().empty


def test_who_may_not_label_any_more_goes_on_looking(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in(monkeypatch, "ben@lab.org", "annotator")
    app = opened()
    assert holders(run) == {"ben@lab.org"}
    signed_in(monkeypatch, "ben@lab.org", "viewer")
    app.run()
    assert not app.exception
    assert "Look on: ben@lab.org is signed in as viewer" in page_text(app)
    assert f"Example <bdi>{run.queue('Ada')[0]}</bdi>" in page_text(app)


def test_what_others_said_is_nowhere_before_the_own_opinion_is_given(twice: Run) -> None:
    first, *_ = twice.queue("Bo")
    twice.submit({first: "pos"}, annotator="Bo")
    app = opened()
    assert in_front(app) == first
    text = page_text(app)
    assert "wants 1 more opinion" in text
    assert "7 opinions to go" in text
    assert 'label-chip">pos' not in text
    assert "<b>pos</b>" not in text
    app.button(key="open_log").click().run()
    assert app.dataframe[0].value["label"].tolist() == ["(hidden)"]
    app.button(key="label_0").click().run()
    app.button(key="open_log").click().run()
    assert app.dataframe[0].value["label"].tolist() == ["neg", "pos"]
    app.button(key="undo").click().run()
    assert twice.opinions()["annotator"].tolist() == ["Bo"]
    assert in_front(app) == first


def test_a_late_opinion_on_what_others_hold_is_kept_beside_theirs(twice: Run) -> None:
    app = opened()
    first = in_front(app)
    twice.give_back("Ada")
    for name in ("Bo", "Cy"):
        twice.take(name, 4)
    app.button(key="label_1").click().run()
    assert twice.opinions()[["id", "annotator", "label"]].values.tolist() == [[first, "Ada", "pos"]]
    assert f"Bo and Cy had {first} in hand by then; your pos is kept as one more opinion." in page_text(app)


def test_browsing_leaves_out_what_others_hold_and_says_how_many(run: Run) -> None:
    theirs = run.take("Bo", 2)
    app = opened()
    app.session_state["_label_desk"].turn_to("browse")
    app.run()
    app.text_input(key="label_search").input("text").run()
    assert "In others&#x27; hands: 2 more (Bo 2)." in page_text(app)
    assert not set(theirs) & set(app.dataframe[0].value["id"])
    assert {hold.annotator for one in run.queue_state().examples for hold in one.held_by} <= {"Ada", "Bo"}
    app.query_params["example"] = theirs[0]
    app.run()
    assert in_front(app) == theirs[0]
    assert app.button(key="label_0").disabled
    assert "with Bo" in page_text(app)


def test_agreement_says_what_it_needs_before_there_is_any(run: Run) -> None:
    app = opened()
    app.button(key="open_agreement").click().run()
    assert "Each example of this run is labeled by one person." in page_text(app)


def test_agreement_names_pairs_and_examples_but_none_that_still_wait(twice: Run) -> None:
    ids = twice.queue("Bo")
    twice.submit(dict(zip(ids, ("pos", "neg", "pos", "neg"), strict=True)), annotator="Bo")
    twice.submit(dict(zip(ids, ("pos", "neg", "neg"), strict=False)), annotator="Cy")
    twice.submit({ids[2]: "pos"}, annotator="Dora")
    twice.undo(ids[2], "Dora")
    app = opened()
    app.button(key="open_agreement").click().run()
    assert not app.exception
    text = page_text(app)
    assert "Krippendorff" in text
    assert "Bo and Cy: kappa 0.40, the same label on 67% of 3 examples" in text
    assert "<b>neg</b> or <b>pos</b>: 1 example<" in text
    assert not app.dataframe  # Ada may be asked about the one on which they differ
    assert "shown once they have their label" in text
    twice.submit({ids[2]: "pos"}, annotator="Dora", force=True)
    app.button(key="open_agreement").click().run()
    assert app.dataframe[0].value[["id", "said", "label"]].values.tolist() == [
        [ids[2], "pos: Bo, Dora · neg: Cy", "pos"]
    ]


def test_a_new_runs_form_says_what_overlap_comes_to() -> None:
    def form() -> None:
        from dashboard.views.runs_settings import render_groups

        render_groups()

    app = AppTest.from_function(form, default_timeout=30).run()
    assert "no two people are given the same one" in page_text(app)
    app.number_input(key="set_annotation_overlap").set_value(2).run()
    app.number_input(key="set_annotation_overlap_share").set_value(0.2).run()
    text = page_text(app)
    assert "2 people label 20% of each proposal" in text
    assert "The rest is labeled by one person each." in text
    assert "A round of 50 examples takes 60 labels" in text
    assert not app.exception
