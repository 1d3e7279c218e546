"""Many people on one queue from the command line: take, submit, give back, and how far they agree."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from alvin_core.annotation_settings import AnnotationSettings
from alvin_core.run import Run, create_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings


@pytest.fixture
def shared(tmp_path: Path, fake: ModuleType) -> Run:
    """A run in the default store that asks two people for each of four examples."""
    settings = replace(RunSettings(budget=3, initial=4), annotation=AnnotationSettings(overlap=2))
    return create_run(tmp_path / "alvin-store", fake.make_dataset(labeled=0.0), settings, name="r")


def fill_in(path: Path, *labels: str) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [""] * len(labels)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": label} for row, label in zip(rows, labels, strict=True))


def test_what_is_taken_to_a_file_can_be_submitted_from_it(alvin: Any, shared: Run) -> None:
    answer = alvin("take", "r", "--annotator", "maria", "-n", "2", "--output", "maria.csv")
    assert answer.lines == [
        "2 examples of the run 'r' held for maria, for 60 min",
        "wrote them to maria.csv; fill in the label column with: neg, pos",
    ]
    assert answer.err == "then: alvin submit r maria.csv --annotator maria\n"
    fill_in(Path("maria.csv"), "pos", "neg")
    answer = alvin("submit", "r", "maria.csv", "--annotator", "maria")
    assert answer.lines == ["2 opinions of maria stored in the run 'r'", "it still waits for 4 labels"]
    alvin("take", "r", "--annotator", "jo", "-n", "2", "--output", "jo.csv")
    fill_in(Path("jo.csv"), "pos", "pos")
    answer = alvin("submit", "r", "jo.csv", "--annotator", "jo")
    assert answer.lines[:2] == ["2 opinions of jo stored in the run 'r'", "1 new label stored in the run 'r'"]
    assert shared.queue_state().n_tied == 1


def test_taking_prints_texts_or_json(alvin: Any, shared: Run) -> None:
    first = shared.queue()[0]
    answer = alvin("take", "r", "-a", "maria", "-n", "1", "--minutes", "5")
    assert answer.lines[0] == "1 example of the run 'r' held for maria, for 5 min"
    assert answer.lines[1].startswith(f"  {first}  text ")
    told = json.loads(alvin("take", "r", "-a", "maria", "-n", "1", "--json").out)
    assert told["annotator"] == "maria"
    assert [one["id"] for one in told["examples"]] == [first]
    assert told["examples"][0]["text"].startswith("text ")


@pytest.mark.parametrize("minutes", ["0", "-5", "nan", "inf", "10081"])
def test_a_time_out_of_range_is_refused_in_minutes(alvin: Any, shared: Run, minutes: str) -> None:
    answer = alvin("take", "r", "-a", "maria", "--minutes", minutes)
    assert answer.code == 2
    assert answer.err == (f"alvin: --minutes {minutes} is out of range: it must be above 0 and at most 10,080\n")


def test_where_several_annotate_who_still_waits_is_told_to_take(alvin: Any, shared: Run) -> None:
    take = "alvin take r --annotator NAME -n 10 --output NAME.csv"
    answer = alvin("step", "r")
    assert answer.code == 2
    assert answer.err == (
        f"alvin: the run 'r' waits for labels of 4 texts; get them with `{take}`, then `alvin submit r NAME.csv "
        "--annotator NAME`\n"
    )
    alvin("take", "r", "-a", "maria", "-n", "1", "--output", "maria.csv")
    fill_in(Path("maria.csv"), "pos")
    assert alvin("submit", "r", "maria.csv", "-a", "maria").err == f"the rest: {take}\n"


def test_who_finds_nothing_is_told_why(alvin: Any, shared: Run) -> None:
    shared.take("ada", 4)
    shared.take("ben", 4)
    assert alvin("take", "r", "-a", "cleo").out == (
        "nothing is free for cleo in the run 'r': 4 examples wait, and others hold them, or cleo has annotated or "
        "skipped them\n"
    )
    for name in ("ada", "ben"):
        shared.submit(dict.fromkeys(shared.queue(), "pos"), annotator=name)
    assert alvin("take", "r", "-a", "cleo").out == "nothing is left to annotate in the run 'r': its proposal is done\n"


def test_giving_back_says_how_many(alvin: Any, shared: Run) -> None:
    first, *_ = shared.take("ada", 3)
    assert alvin("give-back", "r", "-a", "ada", first).out == "ada gave back 1 example of the run 'r'\n"
    assert alvin("give-back", "r", "-a", "ada").out == "ada gave back 2 examples of the run 'r'\n"
    assert alvin("give-back", "r", "-a", "ada").out == "ada gave back 0 examples of the run 'r'\n"


def test_giving_back_names_what_was_not_held_and_refuses_what_the_run_does_not_have(alvin: Any, shared: Run) -> None:
    first, second, third = shared.take("ada", 3)
    answer = alvin("give-back", "r", "-a", "ada", first, "nothing", second)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "alvin: the run 'r' has no example 'nothing'; nothing was given back\n"
    other = shared.queue()[3]
    answer = alvin("give-back", "r", "-a", "ada", first, other, second, other)
    assert (answer.code, answer.out) == (0, "ada gave back 2 examples of the run 'r'\n")
    assert answer.err == f"ada did not hold {other}\n"
    assert shared.give_back("ada") == (third,)


def test_where_the_data_set_answers_taking_says_so_and_a_label_given_counts(
    alvin: Any, tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "compute", fake.compute)
    run = create_run(tmp_path / "alvin-store", fake.make_dataset(), RunSettings(budget=3, initial=8), name="r")
    assert run.annotator == "oracle"
    assert alvin("take", "r", "-a", "ada").out == (
        "nothing is proposed yet in the run 'r': its initial labels come from the data set; train round 0 with "
        "`alvin step r`\n"
    )
    run.step()
    answer = alvin("take", "r", "-a", "ada", "-n", "1", "--output", "ada.csv")
    assert answer.lines[0] == "1 example of the run 'r' held for ada, for 60 min"
    assert answer.err.splitlines() == [
        "then: alvin submit r ada.csv --annotator ada",
        "the data set answers what has no label at the next step; a label given before then takes its place",
    ]
    asked = run.queue()
    fill_in(Path("ada.csv"), "pos")
    assert alvin("submit", "r", "ada.csv", "-a", "ada").code == 0
    run.step()
    given = run.labels().set_index("id")
    assert given.loc[asked, "source"].tolist() == ["person", "oracle", "oracle"]
    assert given.loc[asked[0], "label"] == "pos"


def test_labels_of_what_another_holds_are_refused_unless_forced(alvin: Any, shared: Run) -> None:
    one = shared.queue()[0]
    shared.take("ada")
    shared.take("ben")
    Path("cleo.csv").write_text(f"id,label\n{one},pos\n")
    answer = alvin("submit", "r", "cleo.csv", "--annotator", "cleo")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"alvin: example '{one}' is held by ada, ben for another 10 min")
    assert alvin("submit", "r", "cleo.csv", "--annotator", "cleo", "--force").code == 0


def test_where_several_annotate_a_file_needs_a_name(alvin: Any, shared: Run) -> None:
    Path("some.csv").write_text(f"id,label\n{shared.queue()[0]},pos\n")
    answer = alvin("submit", "r", "some.csv")
    assert answer.code == 2
    assert answer.err == (
        "alvin: the run 'r' asks 2 people for an example; say whose labels these are: --annotator NAME\n"
    )
    assert len(shared.opinions()) == 0


def test_undo_says_whether_an_opinion_or_a_label_went(alvin: Any, shared: Run) -> None:
    one = shared.queue()[0]
    for name in ("ada", "ben"):
        shared.submit({one: "pos"}, annotator=name)
    assert alvin("undo", "r", one, "-a", "ada").out == f"took back ada's opinion on '{one}' in the run 'r'\n"
    shared.submit({one: "pos"}, annotator="ada")
    assert alvin("undo", "r", one).out == f"took back the label of '{one}' in the run 'r'\n"
    assert len(shared.opinions()) == 0


def test_show_tells_the_state_of_the_queue(alvin: Any, shared: Run) -> None:
    first, second, *_ = shared.queue()
    shared.submit({first: "pos", second: "pos"}, annotator="ada")
    shared.submit({first: "neg"}, annotator="ben")
    shared.take("ben", 2)
    lines = alvin("show", "r").lines
    start = next(place for place, line in enumerate(lines) if line.split()[:1] == ["queue"])
    assert [" ".join(line.split()) for line in lines[start : start + 3]] == [
        "queue 6 opinions wanted on 4 examples, 4 of 4 by 2 people each, 1 tied",
        "ada 2 done, 0 held",
        "ben 1 done, 2 held",
    ]
    assert "  1. alvin take r --annotator NAME -n 10 --output NAME.csv" in lines
    assert "  3. alvin submit r NAME.csv --annotator NAME" in lines
    queue = json.loads(alvin("show", "r", "--json").out)["queue"]
    assert (queue["n_open"], queue["n_wanting"], queue["n_tied"]) == (4, 6, 1)
    assert queue["annotators"] == {"ada": {"done": 2, "held": 0}, "ben": {"done": 1, "held": 2}}


def test_agreement_is_told_with_its_numbers_and_where_people_differ(alvin: Any, shared: Run) -> None:
    ids = shared.queue()
    for name, labels in {"ada": "pos neg pos neg", "ben": "pos neg neg neg"}.items():
        shared.submit(dict(zip(ids, labels.split(), strict=True)), annotator=name)
    answer = alvin("agreement", "r")
    assert answer.code == 0
    told = [" ".join(line.split()) for line in answer.lines]
    # 3 of 8 opinions for pos: expected disagreement 2 * 3 * 5 / (8 * 7), observed 2 / 8.
    assert told[0] == f"Krippendorff's alpha (nominal) {1 - 0.25 / (30 / 56):.3f} of 8 opinions on 4 examples".replace(
        "0.", "."
    )
    assert told[1] == "same label 75% of all pairs of opinions on one example"
    assert "ada ben 4 75% .500" in told
    assert "neg / pos 1 1" in told
    found = json.loads(alvin("agreement", "r", "--json").out)
    assert found["alpha"] == pytest.approx(1 - 0.25 / (30 / 56))
    assert found["n_values"] == 8
    assert found["pairs"] == [{"first": "ada", "second": "ben", "n": 4, "share_same": 0.75, "kappa": 0.5}]


def test_agreement_of_one_person_is_politely_refused(alvin: Any, shared: Run) -> None:
    shared.submit({shared.queue()[0]: "pos"}, annotator="ada")
    answer = alvin("agreement", "r")
    assert (answer.code, answer.out) == (2, "")
    assert "no example of the run 'r' has opinions of two annotators yet (1 with one, all from ada)" in answer.err


def test_a_file_that_cannot_be_written_holds_nothing(alvin: Any, shared: Run) -> None:
    Path("there.csv").touch()
    for name, message in {
        "there.csv": "there.csv is there already; name another --output, or replace it with --force",
        "some.xlsx": "some.xlsx is no CSV file, which --output writes; name one such as some.csv",
        "nowhere/some.csv": "nowhere",
    }.items():
        answer = alvin("take", "r", "-a", "ada", "--output", name)
        assert answer.code == 2
        assert message in answer.err
    assert all(not one.held_by for one in shared.queue_state().examples)
    assert alvin("take", "r", "-a", "ada", "--output", "there.csv", "--force").code == 0
