"""Slices: who is in them, how the rounds do on them, and a strategy that selects from one."""

import json
import zipfile
from base64 import b64encode
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from alvin_core.errors import DataError, LabelError, SettingsError, StoreError
from alvin_core.run import Run, create_run, open_run
from alvin_core.run.bundle import pack_run, unpack_run
from alvin_core.run.slice_packing import check_slices, slice_records
from alvin_core.run.slice_rules import SliceRule
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=5, initial=10)
# Of the made-up data: row r has the text "text r, with a comma", the class r % 2 of (neg, pos), and the attribute
# (long, short, none) by r % 3; rows 0 to 59 are the pool, 60 to 71 the test split.


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType) -> Run:
    made = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="r")
    list(made.run_rounds(2))
    return made


def rows_of(run: Run, name: str) -> list[int]:
    return np.flatnonzero(run.slice_members(name)).tolist()


def attribute(*values: str, contradicts: str = "") -> SliceRule:
    return SliceRule("filter", tuple(f"attribute={value}" for value in values), contradicts)


RULES = {
    "a cue of an attribute": (SliceRule("cue", "attribute:short"), lambda row: row % 3 == 1),
    "a token": (SliceRule("cue", "token:7"), lambda row: row == 7),
    "a search": (SliceRule("search", "TEXT 7"), lambda row: row in (7, 70, 71)),
    "two values of a column": (attribute("long", "short"), lambda row: row % 3 < 2),
    "two columns": (SliceRule("filter", ("label=pos", "attribute=long")), lambda row: row % 2 == 1 and row % 3 == 0),
    "a split": (SliceRule("filter", ("split=test", "label = neg")), lambda row: row >= 60 and row % 2 == 0),
    "ids": (SliceRule("ids", ("e00003", "e00065")), lambda row: row in (3, 65)),
}


@pytest.mark.parametrize("name", RULES)
def test_members_are_those_of_the_rule_in_every_split(run: Run, name: str) -> None:
    rule, holds = RULES[name]
    info = run.save_slice("s", rule)
    expected = [row for row in range(72) if holds(row)]
    assert rows_of(run, "s") == expected
    n_pool = sum(row < 60 for row in expected)
    assert info.n == {split: n for split, n in (("pool", n_pool), ("test", len(expected) - n_pool)) if n}


def test_every_run_on_the_data_knows_the_slice_and_no_other_run_does(
    tmp_path: Path, run: Run, fake: ModuleType
) -> None:
    info = run.save_slice("short", attribute("short"), note="a note")
    beside = create_run(tmp_path, fake.make_dataset(), SETTINGS.with_value("seed", 1), name="beside")
    other = create_run(tmp_path, fake.make_dataset(n_pool=50), SETTINGS, name="other")
    assert run.fork(1).slices() == beside.slices() == open_run(tmp_path, "r").slices() == (info,)
    assert (info.name, info.note, info.rule.words) == ("short", "a note", "attribute short")
    assert other.slices() == ()
    beside.delete_slice("short")
    assert run.slices() == ()


def test_a_filter_by_predictions_is_of_one_round_and_says_so(run: Run) -> None:
    info = run.save_slice("said-pos", SliceRule("filter", ("predicted=pos",)))
    assert info.rule.words == "predicted pos, as of round 2"
    assert run.slice_members("said-pos").tolist() == (run.examples(2)["predicted"] == "pos").tolist()
    run.save_slice("earlier", SliceRule("filter", ("predicted=pos", "round=0")))
    assert run.slice_members("earlier").tolist() == (run.examples(0)["predicted"] == "pos").tolist()
    run.step()
    assert run.slice_members("said-pos").tolist() == (run.examples(2)["predicted"] == "pos").tolist()


@pytest.mark.parametrize("status", ["labeled", "unlabeled", "selected", "minority", "majority", "right", "wrong"])
def test_a_filter_by_state_holds_what_the_round_knew(run: Run, status: str) -> None:
    run.save_slice("s", SliceRule("filter", (f"status={status}", "round=1")))
    examples = run.examples(1, oracle=True)
    right = examples["predicted"] == examples["oracle_label"]
    expected = {
        "labeled": examples["labeled"],
        "unlabeled": (examples["split"] == "pool") & ~examples["labeled"],
        "selected": examples["selected"],
        "minority": examples["is_minority"].fillna(False),
        "majority": examples["is_minority"].eq(False).fillna(False),
        "right": right,
        "wrong": ~right,
    }
    assert run.slice_members("s").tolist() == expected[status].tolist()


def test_where_a_person_annotates_the_hidden_labels_of_the_pool_are_not_told(tmp_path: Path, fake: ModuleType) -> None:
    run = create_run(tmp_path, fake.make_dataset(), SETTINGS.with_value("annotator", "person"), name="p")
    asked = run.pending()["id"].tolist()[:3]
    run.submit(dict.fromkeys(asked, "pos"), annotator="Ada")
    run.save_slice("s", SliceRule("filter", ("label=pos",)))
    expected = {*asked, *(f"e{row:05d}" for row in range(61, 72, 2))}
    assert set(run.dataset.ids[run.slice_members("s")].tolist()) == expected


BAD = {
    "a bad name": ("no good", SliceRule("search", "text"), StoreError, "cannot name a slice"),
    "a taken name": ("taken", SliceRule("search", "text"), StoreError, "a slice called 'taken' of this data already"),
    "nothing found": ("s", SliceRule("search", "zebra"), DataError, "'s' would be empty: .*texts with “zebra”"),
    "an unknown class": ("s", SliceRule("filter", ("label=poss",)), DataError, "no class is called 'poss'.*: pos"),
    "an unknown value": ("s", attribute("shirt"), DataError, "no attribute is called 'shirt'; there are: short"),
    "an unknown split": ("s", SliceRule("filter", ("split=ood:x",)), DataError, "no split is called 'ood:x'"),
    "an unknown state": ("s", SliceRule("filter", ("status=lost",)), DataError, "no status is called 'lost'"),
    "an unknown round": ("s", SliceRule("filter", ("predicted=pos", "round=9")), StoreError, "has no round 9"),
    "an unknown id": ("s", SliceRule("ids", ("e00001", "e99999")), DataError, "no example 'e99999'"),
    "an unreadable cue": ("s", SliceRule("cue", "word:x"), DataError, "cannot be read"),
    "an unknown shortcut": ("s", SliceRule("search", "text", "maybe"), DataError, "no class is called 'maybe'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_a_slice_is_refused_with_the_reason_and_nothing_is_saved(run: Run, case: str) -> None:
    name, rule, error, message = BAD[case]
    taken = run.save_slice("taken", attribute("long"))
    with pytest.raises(error, match=message):
        run.save_slice(name, rule)
    assert run.slices() == (taken,)


def test_a_note_that_is_too_long_is_refused(run: Run) -> None:
    with pytest.raises(LabelError, match="the note has"):
        run.save_slice("s", attribute("long"), note="x" * 100_000)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("both", "x"), "cannot be made by 'both'; choose one of cue, search, filter, ids"),
        (("filter", "label=pos"), "takes a tuple of texts"),
        (("cue", ("token:a",)), "takes a text"),
        (("search", " "), "more than blanks"),
        (("filter", ("colour=red",)), "'colour=red' is no condition of a slice"),
        (("filter", ("round=1",)), "needs a condition"),
        (("filter", ("label=a", "round=one")), "round=one is no round"),
        (("filter", ("label=a", "round=1", "round=2")), "give one number"),
    ],
)
def test_a_rule_that_is_none_cannot_be_made(values: tuple[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        SliceRule(*values)  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", [rule for rule, _ in RULES.values()])
def test_a_rule_comes_back_from_plain_values(rule: SliceRule) -> None:
    assert SliceRule.from_dict(rule.to_dict()) == rule
    with pytest.raises(DataError, match="is no rule of a slice"):
        SliceRule.from_dict({"kind": "ids"})


def test_an_unknown_slice_is_told_with_a_close_name(run: Run) -> None:
    run.save_slice("great", attribute("long"))
    with pytest.raises(StoreError, match="no slice of this data is called 'grate'; did you mean 'great'"):
        run.slice_members("grate")
    with pytest.raises(StoreError, match="'x'; there are: great"):
        run.delete_slice("x")


def test_what_a_person_adds_is_a_member_where_the_rule_can_tell(run: Run) -> None:
    run.save_slice("search", SliceRule("search", "COMMA"))
    run.save_slice("short", attribute("short"))
    run.save_slice("pos", SliceRule("filter", ("label=pos",)))
    run.save_slice("predicted", SliceRule("filter", ("predicted=pos", "predicted=neg")))
    run.save_slice("token", SliceRule("cue", "token:7"))
    run.save_slice("ids", SliceRule("ids", ("e00003",)))
    run.add_example(("text 7 without that sign",), "pos", parent_id="e00007", attribute="short")
    run.add_example(("a Comma, and more",), "neg")
    assert len(run.dataset) == 74
    added = {info.name: run.slice_members(info.name)[72:].tolist() for info in run.slices()}
    assert added == {
        "search": [False, True],
        "short": [True, False],
        "pos": [True, False],
        "predicted": [False, False],
        "token": [True, False],
        "ids": [False, False],
    }
    run.step()
    after = run.slice_metrics("token").query("split == 'pool' and round == 3").iloc[0]
    assert after["n_labeled"] == int(run.examples(3).query("labeled")["slice:token"].sum())
    assert after["n_labeled"] >= 1


def test_metrics_of_a_slice_are_those_of_its_members_in_every_stored_round(run: Run) -> None:
    run.save_slice("short", attribute("short"))
    figures = run.slice_metrics("short")
    assert figures["split"].tolist() == ["test", "pool"] * 3
    for round_no in range(3):
        examples = run.examples(round_no, oracle=True)
        held = examples[examples["attribute"] == "short"]
        test, pool = held[held["split"] == "test"], held[held["split"] == "pool"]
        evaluated, in_pool = (row for _, row in figures[figures["round"] == round_no].iterrows())
        assert evaluated["n"] == len(test) == 4
        assert evaluated["accuracy"] == (test["predicted"] == test["oracle_label"]).mean()
        assert pd.isna(evaluated["n_labeled"])
        assert (in_pool["n"], in_pool["n_labeled"]) == (20, pool["labeled"].sum())
        assert in_pool["n_selected"] == pool["selected"].sum()
        n_open = 60 - examples["labeled"].sum()
        share_open = (~pool["labeled"]).sum() / n_open
        assert in_pool["share_unlabeled"] == pytest.approx(share_open)
        assert in_pool["enrichment"] == pytest.approx(pool["selected"].sum() / 5 / share_open)
        assert pd.isna(in_pool["accuracy"])


def test_metrics_of_a_slice_have_no_row_for_a_split_without_members(run: Run) -> None:
    run.save_slice("two", SliceRule("ids", ("e00003", "e00004")))
    assert set(run.slice_metrics()["split"]) == {"pool"}
    assert run.metrics()["slice:two"].isna().all()


def test_examples_and_metrics_have_a_column_for_each_slice_and_else_stay_as_they_are(run: Run) -> None:
    examples, metrics = run.examples(1), run.metrics()
    run.save_slice("short", attribute("short"))
    run.save_slice("seven", SliceRule("search", "text 7"))
    assert run.examples(1)["slice:short"].tolist() == [row % 3 == 1 for row in range(72)]
    pd.testing.assert_frame_equal(run.examples(1).drop(columns=["slice:short", "slice:seven"]), examples)
    with_slices = run.metrics()
    pd.testing.assert_frame_equal(with_slices.drop(columns=["slice:short", "slice:seven"]), metrics)
    short = run.slice_metrics("short").query("split == 'test'")["accuracy"].tolist()
    assert with_slices["slice:short"].tolist() == short


def test_the_slice_of_a_run_that_is_not_there_is_refused_when_the_run_is_made(
    tmp_path: Path, run: Run, fake: ModuleType
) -> None:
    settings = SETTINGS.with_values({"strategy": "counter-shortcut", "counter_shortcut.slice": "great"})
    with pytest.raises(SettingsError, match=r"counter_shortcut\.slice = 'great': this data has no .*\(it has: none\)"):
        create_run(tmp_path, fake.make_dataset(), settings)
    with pytest.raises(SettingsError, match="'great': this data has no slice"):
        run.fork(1, changes={"counter_shortcut.slice": "great"})
    with pytest.raises(SettingsError, match=r"counter_shortcut\.slice names none"):
        run.fork(1, strategy="counter-shortcut")
    run.save_slice("great", attribute("long"))
    child = run.fork(1, strategy="counter-shortcut", changes={"counter_shortcut.slice": "great"})
    assert child.settings.counter_shortcut.slice == "great"


def test_a_slice_made_by_labels_is_nothing_that_a_strategy_may_select_from(run: Run) -> None:
    run.save_slice("pos", SliceRule("filter", ("label=pos",)))
    run.save_slice("wrong", SliceRule("filter", ("status=wrong",)))
    for name in ("pos", "wrong"):
        with pytest.raises(SettingsError, match="was made by labels"):
            run.fork(1, strategy="counter-shortcut", changes={"counter_shortcut.slice": name})


def test_a_run_whose_slice_is_gone_says_so_before_anything_is_annotated_or_trained(run: Run) -> None:
    run.save_slice("long", attribute("long"))
    child = run.fork(1, strategy="counter-shortcut", changes={"counter_shortcut.slice": "long"})
    child.step()
    run.delete_slice("long")
    labels = child.labels()
    with pytest.raises(SettingsError, match="'long': this data has no slice of that name"):
        child.step()
    pd.testing.assert_frame_equal(child.labels(), labels)
    run.save_slice("long", attribute("long"))
    assert child.step().round == 2


def test_a_packed_run_brings_the_slices_of_its_data(tmp_path: Path, run: Run) -> None:
    saved = (
        run.save_slice("short", attribute("short", contradicts="pos"), "why"),
        run.save_slice("e", RULES["ids"][0]),
    )
    pack_run(tmp_path, "r", tmp_path / "r.zip")
    unpacked = unpack_run(tmp_path / "other", tmp_path / "r.zip")
    assert unpacked.slices() == saved
    for name in ("short", "e"):
        np.testing.assert_array_equal(unpacked.slice_members(name), run.slice_members(name))
    again = unpack_run(tmp_path / "other", tmp_path / "r.zip")
    assert again.slices() == saved  # the same ones are not doubled


def test_another_slice_of_the_same_name_stays_and_the_packed_one_gets_a_number(tmp_path: Path, run: Run) -> None:
    run.save_slice("s", attribute("short"))
    pack_run(tmp_path, "r", tmp_path / "r.zip")
    run.delete_slice("s")
    run.save_slice("s", attribute("long"))
    for _ in range(2):
        unpacked = unpack_run(tmp_path, tmp_path / "r.zip")
        assert sorted(info.name for info in unpacked.slices()) == ["s", "s-2"]
    assert rows_of(unpacked, "s")[:2] == [0, 3]
    assert rows_of(unpacked, "s-2")[:2] == [1, 4]


def test_a_packed_run_that_selects_from_a_slice_is_refused_where_the_name_means_another(
    tmp_path: Path, run: Run
) -> None:
    run.save_slice("s", attribute("short"))
    child = run.fork(1, strategy="counter-shortcut", changes={"counter_shortcut.slice": "s"}, name="child")
    child.step()
    pack_run(tmp_path, "child", tmp_path / "r.zip")
    assert unpack_run(tmp_path / "fresh", tmp_path / "r.zip").settings.counter_shortcut.slice == "s"
    run.delete_slice("s")
    run.save_slice("s", attribute("short", contradicts="neg"))
    with pytest.raises(StoreError, match="another slice called 's' of the same data"):
        unpack_run(tmp_path, tmp_path / "r.zip")


@pytest.fixture
def told_apart(tiny_encoder: Path) -> RunSettings:
    return SETTINGS.with_values(
        {
            **{"encoder.name": str(tiny_encoder), "runtime.device": "cpu", "runtime.threads": 1},
            **{"training.epochs": 2, "training.hidden": 4, "runtime.beside": "entropy"},
        }
    )


@pytest.mark.usefixtures("real_engine")
def test_counter_shortcut_selects_members_least_likely_of_the_shortcut_s_class_and_replays(
    tmp_path: Path, fake: ModuleType, told_apart: RunSettings
) -> None:
    run = create_run(tmp_path, fake.make_dataset(), told_apart, name="r")
    list(run.run_rounds(1))
    run.save_slice("short", attribute("short", contradicts="pos"))
    child = run.fork(1, strategy="counter-shortcut", changes={"counter_shortcut.slice": "short"})
    child.step()
    examples = child.examples(1)
    open_members = examples[(examples["attribute"] == "short") & (examples["split"] == "pool") & ~examples["labeled"]]
    expected = open_members.sort_values(["prob_pos", "id"])["id"].tolist()[:5]
    assert child.selection(1)["id"].tolist() == expected
    assert [one.same for one in child.replay()] == [True, True]
    run.delete_slice("short")
    run.save_slice("short", attribute("short", "long", contradicts="pos"))
    replayed = child.replay()[1]
    assert "slice short " in replayed.note


@pytest.mark.usefixtures("real_engine")
def test_a_slice_that_is_used_up_is_filled_up_with_a_warning_in_the_round(
    tmp_path: Path, fake: ModuleType, told_apart: RunSettings
) -> None:
    run = create_run(tmp_path, fake.make_dataset(), told_apart, name="r")
    run.step()
    labeled = set(run.labels()["id"])
    few = [one for one in run.dataset.ids[:60].tolist() if one not in labeled][:2]
    run.save_slice("few", SliceRule("ids", tuple(few)))
    child = run.fork(0, strategy="counter-shortcut", changes={"counter_shortcut.slice": "few"})
    record = child.step()
    assert set(child.selection(0)["id"][:2]) == set(few)
    assert "'few' has 2 unlabeled examples left, fewer than the budget of 5; the other 3" in record.warnings[-1]


def packed_record(run: Run) -> dict[str, object]:
    with run._handle.store.read() as session:
        [record] = slice_records(session, run._handle.row.dataset)
    return record


TAMPERED = {
    "a field more": {"extra": 1},
    "a bad name": {"name": "../x"},
    "a rule of no kind": {"rule": {"kind": "all", "value": "x", "contradicts": ""}},
    "a rule with more in it": {"rule": {"kind": "search", "value": "x", "contradicts": "", "more": 1}},
    "an unknown class": {"rule": {"kind": "search", "value": "x", "contradicts": "maybe"}},
    "no base64": {"members": "§"},
    "too few bits": {"members": "/w=="},
    "a bit beyond the last row": {"members": b64encode(b"\xff" * 10).decode()},
    "no member": {"members": b64encode(b"\x00" * 9).decode()},
    "a note with control characters": {"note": "\x07"},
    "no time": {"created_at": "yesterday"},
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_slice_that_cannot_have_been_packed_is_refused(run: Run, case: str) -> None:
    run.save_slice("s", attribute("short"))
    record = packed_record(run)
    n_rows = 75 if case == "a bit beyond the last row" else 72
    assert check_slices([("here", dict(record))], 72, ("neg", "pos"))[0]["name"] == "s"
    with pytest.raises(StoreError, match="the packed run cannot be read: here: "):
        check_slices([("here", record | TAMPERED[case])], n_rows, ("neg", "pos"))


def test_one_name_twice_in_a_packed_run_is_refused(run: Run) -> None:
    run.save_slice("s", attribute("short"))
    record = packed_record(run)
    with pytest.raises(StoreError, match="the slice 's' is there twice"):
        check_slices([("one", dict(record)), ("two", dict(record))], 72, ("neg", "pos"))


def test_a_run_without_slices_is_packed_as_older_programs_read_it(tmp_path: Path, run: Run) -> None:
    assert version_and_members(pack_run(tmp_path, "r", tmp_path / "r.zip")) == (1, False)
    run.save_slice("s", attribute("short"))
    assert version_and_members(pack_run(tmp_path, "r", tmp_path / "r.zip")) == (2, True)


def version_and_members(path: Path) -> tuple[int, bool]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("manifest.json"))["version"], "slices.jsonl" in archive.namelist()
