"""The page Shortcuts as its script draws it, without a browser."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import alvin_core as alvin
from alvin_core.data.dataset import Dataset, Texts
from dashboard import cue_data, data
from dashboard.cue_colours import AGAINST, ALONG, cue_codes
from dashboard.views import shortcuts_choice as choice

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
N_POOL, N_TEST = 120, 24
SETTINGS = alvin.RunSettings(budget=10, initial=60)


def make_dataset() -> Dataset:
    """Of each hundred texts with “ghost” ninety are neg; “<b>” is an attribute's value."""
    n = N_POOL + N_TEST
    rows = np.arange(n)
    labels = rows % 2
    ghost = (labels == 0) ^ (rows % 20 < 2)  # one pair of twenty contradicts
    return Dataset(
        ids=np.asarray([f"e{row:05d}" for row in rows]),
        texts=Texts.pack(f"A {'ghost' if held else 'love'} story, number {row}." for row, held in enumerate(ghost)),
        second_texts=None,
        labels=labels,
        classes=("neg", "pos"),
        splits=np.asarray(["pool"] * N_POOL + ["test"] * N_TEST),
        attributes=np.where(ghost, "<b>ghost</b>", "love"),
    )


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> alvin.Run:
    """Rounds 0 to 2, beginning with 60 labels."""
    store = tmp_path / "store"
    monkeypatch.setenv("ALVIN_STORE", str(store))
    monkeypatch.setattr("alvin_core.run.engine.Engine.compute", fake.compute)
    made = alvin.create_run(store, make_dataset(), SETTINGS, name="r", source="tales.csv")
    list(made.run_rounds(2))
    (store / "dashboard").mkdir()
    (store / "dashboard" / "tour-seen").touch()
    return made


def opened(**params: str) -> Any:
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in ({"run": "r", "page": "shortcuts"} | params).items():
        app.query_params[name] = value
    return ran(app.run())


def ran(app: Any) -> Any:
    assert not app.exception, app.exception
    return app


def html(app: Any) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def params(app: Any) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}


def table(app: Any) -> Any:
    return app.dataframe[0].value


def counts(run: alvin.Run, round_no: int, cue: str, label: int) -> tuple[int, int]:
    """Labeled examples with a cue, and those of them with a label; one after the other."""
    columns, members = run.map_columns(round_no), run.cue_members(cue)
    held = [at for at in range(len(columns)) if columns.labeled[at] and members[columns.rows[at]]]
    return len(held), sum(int(columns.label[at]) == label for at in held)


def test_the_first_sentence_is_the_strongest_cue_with_its_counts(run: alvin.Run) -> None:
    app = opened()
    first = table(app).iloc[0]
    n, n_label = counts(run, 2, "attribute:<b>ghost</b>", 0)
    told = html(app)
    assert first["cue"] in ("“ghost”", "attribute <b>ghost</b>")
    assert f": {n_label} of {n} labeled examples with it ({n_label / n:.0%}" in told
    assert "<b>ghost</b>" not in told
    assert f"only {n - n_label} contradict it" in told


def test_a_cue_in_the_address_is_shown_with_its_history_and_what_it_contradicts(run: alvin.Run) -> None:
    app = opened(cue="token:love", cue_label="pos", round="1")
    n, n_label = counts(run, 1, "token:love", 1)
    told = html(app)
    assert f"“love” → pos</b><span>{n_label} of {n} labeled" in told
    assert "<mark>love</mark>" in told
    against = run.cue_examples(1, "token:love", "pos")
    first = against[~against["follows"].astype(bool)].iloc[0]
    assert app.button(key="open_against_0").label == f"Open example {first['id']}"


def test_only_runs_that_began_with_the_same_labels_are_drawn_beside(run: alvin.Run) -> None:
    for name, settings, source in (
        ("other", {"strategy": "entropy"}, "tales.csv"),
        ("apart", {"seed": 7}, "tales.csv"),
        ("elsewhere", {"strategy": "random"}, "others.csv"),
    ):
        made = alvin.create_run(data.store(), make_dataset(), SETTINGS.with_values(settings), name=name, source=source)
        list(made.run_rounds(0))
    assert [info.name for info in cue_data.same_start(run.id)] == ["r", "other"]
    told = html(opened())
    assert "<b>ALVIN</b>" in told
    assert "<b>entropy</b>" in told


def test_a_search_in_the_table_finds_by_name_and_stays_in_the_address(run: alvin.Run) -> None:
    app = opened()
    app.text_input(key="cue_find").input("GHO").run()
    assert set(table(ran(app))["cue"]) == {"“ghost”", "attribute <b>ghost</b>"}
    again = opened(**{name: value for name, value in params(app).items() if name.startswith("cue_")})
    assert len(table(again)) == 2


def test_kinds_and_the_correction_can_be_chosen_and_the_screen_names_it(run: alvin.Run) -> None:
    app = opened()
    assert any("Holm" in one.value for one in app.caption)
    app.selectbox(key="cue_correction").set_value("benjamini-hochberg").run()
    assert any("Benjamini" in one.value for one in ran(app).caption)
    app = opened(cue_kinds="attribute")
    assert all(one.startswith("attribute ") for one in table(app)["cue"])


def test_the_pool_is_counted_where_its_labels_are_known(run: alvin.Run) -> None:
    app = opened(cue_of="pool", cue_kinds="token")
    shown = table(app).set_index("cue")
    texts = [one[0] for one in run.texts(run.map_columns(0).rows)]
    assert shown.loc["“ghost”", "n"] == sum("ghost" in text for text in texts)


def test_a_pool_without_labels_is_a_sentence_and_the_rest_of_the_page_stays(run: alvin.Run) -> None:
    known = make_dataset()
    labels = known.labels.copy()
    labels[:40] = -1
    people = alvin.create_run(
        data.store(),
        dataclasses.replace(known, labels=labels),
        SETTINGS.with_values({"annotator": "person", "initial": 30}),
        name="people",
    )
    gold = dict(zip(known.ids.tolist(), known.labels.tolist(), strict=True))
    people.submit({one: known.classes[gold[one]] for one in people.pending()["id"]})
    people.step()
    app = opened(run="people", cue_of="pool")
    assert "This table cannot be shown." in html(app)
    assert "labeled examples with it" in html(app) or "No cue stands out" in html(app)
    app.segmented_control(key="cue_of").set_value("labeled").run()
    assert "This table cannot be shown." not in html(ran(app))


def test_what_cannot_be_read_of_the_address_is_left_as_it_is(run: alvin.Run) -> None:
    app = opened(cue="nonsense", cue_label="nobody", cue_min="-3", cue_kinds="x", cue_split="moon", cue_sort="q")
    assert len(table(app)) > 2
    assert app.selectbox(key="group_split").value == "test"
    assert "This cannot be shown." in html(opened(cue="attribute:no such", cue_label="neg"))


def test_a_cue_without_a_label_goes_with_the_class_that_it_is_most_of(run: alvin.Run) -> None:
    n_of = [counts(run, 2, "token:love", label)[1] for label in (0, 1)]
    assert n_of[1] > n_of[0]
    assert "“love” → pos" in html(opened(cue="token:love"))


def test_a_round_is_chosen_here_too(run: alvin.Run) -> None:
    app = opened()
    app.slider(key="shortcuts_round").set_value(0).run()
    assert params(ran(app))["round"] == "0"
    n, _ = counts(run, 0, "token:ghost", 0)
    assert int(table(app).set_index("cue").loc["“ghost”", "n"]) == n


def test_the_map_tells_followers_contradictors_and_the_rest_apart(run: alvin.Run) -> None:
    columns = run.map_columns(2)
    held = run.cue_members("token:ghost")[columns.rows]
    codes = cue_codes(columns, held, "neg")
    for at in range(len(columns)):
        known = columns.label[at] if columns.labeled[at] else columns.predicted[at]
        expected = (ALONG if known == 0 else AGAINST) if held[at] else 255
        assert codes.values[at] == expected
    assert [entry.count for entry in codes.entries] == [int((codes.values == code).sum()) for code in (1, 0, 255)]


def test_the_matrix_counts_every_group_and_the_worst_is_said_in_words(run: alvin.Run) -> None:
    app = opened(cue_split="pool")
    told = html(app)
    n = run.group_matrix(2, "pool").set_index(["label", "attribute"])["n"].to_dict()
    assert n["neg", "<b>ghost</b>"] == 54  # of 60 neg texts six are in the contradicting pairs
    assert "54 · 45%" in told
    assert told.count("▼ worst") == 1
    assert "On pool, round 2 is right in" in told


def test_a_lasso_of_this_round_lights_examples_and_another_cue_puts_them_out(run: alvin.Run) -> None:
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in {"run": "r", "page": "shortcuts"}.items():
        app.query_params[name] = value
    labeled = run.dataset_map(2)["id"].tolist()[:3]
    app.session_state["_shortcuts_lit"] = choice.Lit(run.id, 2, "dataset", tuple(labeled))
    told = html(ran(app.run()))
    assert "3 examples of the dataset map" in told
    assert any("3 labeled examples in the lasso" in one.value for one in app.caption)
    listed = app.dataframe[1].value
    assert sorted(listed["text"]) == sorted(
        text[0] for text in run.texts([run.dataset.ids.tolist().index(one) for one in labeled])
    )
    app.session_state["_shortcuts_lit"] = choice.Lit(run.id, 2, "map", tuple(labeled[:2]))  # drawn after the press
    app.button(key="lit_clear").click().run()
    assert "2 examples of this map" in html(ran(app))
    app.button(key="lit_clear").click().run()
    assert "examples of this map" not in html(ran(app))
    app.session_state["_shortcuts_lit"] = choice.Lit(run.id, 1, "dataset", tuple(labeled))  # of another round
    assert "examples of the dataset map" not in html(ran(app.run()))


def test_an_example_opens_and_leads_to_its_reasons_in_explore(run: alvin.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.asking.seconds_to_make", lambda run_id, round_no: 60.0)  # no process of its own
    app = opened(cue="token:ghost", cue_label="neg")
    app.button(key="open_along_0").click().run()
    example = params(ran(app))["example"]
    assert app.button(key="open_along_0").label == f"Open example {example}"
    app.button(key="why_along_0").click().run()
    assert params(ran(app))["page"] == "explore"
    assert params(app)["example"] == example


def test_a_slice_is_saved_measured_shown_and_deleted(run: alvin.Run) -> None:
    app = opened(cue="token:ghost", cue_label="neg")
    assert app.text_input(key="slice_name").value == "ghost"
    app.button(key="save_slice").click().run()
    [info] = run.slices()
    assert (info.name, info.rule.kind, info.rule.value, info.rule.contradicts) == ("ghost", "cue", "token:ghost", "neg")
    told = html(ran(app))
    figures = run.slice_metrics("ghost")
    row = figures[(figures["split"] == "test") & (figures["round"] == 2)].iloc[0]
    assert f'<div class="alvin-value">{row["accuracy"]:.2f} <img' in told
    assert f"Pool: {info.n['pool']} members" in told
    assert app.text_input(key="slice_name").value == "ghost-2"  # the first name is taken
    app.button(key="slice_show_0").click().run()
    assert f"{info.n['pool']} examples of a slice" in html(ran(app))
    app.button(key="slice_delete_0").click().run()
    ran(app)
    assert run.slices() == ()


def test_a_bad_name_of_a_slice_is_a_sentence_and_saves_nothing(run: alvin.Run) -> None:
    app = opened(cue="token:ghost", cue_label="neg")
    app.text_input(key="slice_name").input("no/slashes").run()
    app.button(key="save_slice").click().run()
    assert "no/slashes" in html(ran(app))
    assert run.slices() == ()


def test_counter_shortcut_examples_are_acquired_by_a_fork_of_the_round_shown(run: alvin.Run) -> None:
    app = opened(cue="token:ghost", cue_label="neg", round="1")
    app.button(key="save_slice").click().run()
    app.button(key="acquire_0").click().run()
    name = params(ran(app))["run"]
    fork = alvin.open_run(data.store(), name)
    assert fork.parent == (run.id, 1)
    assert fork.settings.strategy == "counter-shortcut"
    assert fork.settings.to_dict()["counter_shortcut"]["slice"] == "ghost"
    [job] = alvin.list_jobs(data.store(), run=fork.id)
    assert (job.kind, job.params["n"]) == ("rounds", 2)  # one selects, the next is trained on it
    assert params(app)["page"] == "shortcuts"


def test_a_run_without_a_round_says_what_to_do(run: alvin.Run) -> None:
    alvin.create_run(data.store(), make_dataset(), alvin.RunSettings(budget=5, initial=10), name="young")
    app = opened(run="young")
    assert "No round is trained yet." in html(app)
    app.button(key="to_explore").click().run()
    assert params(ran(app))["page"] == "explore"
