"""Cues of a run: statistics by hand, what each round trained on, examples, groups; nothing an oracle alone knows."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.data.dataset import Dataset, Texts
from alvin_core.errors import DataError, SettingsError, StoreError
from alvin_core.run import Run, create_run
from alvin_core.run import cue_statistics as statistics_module
from alvin_core.run import cue_tables as tables_module
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=6, initial=36).with_values(
    {"alvin.backend": "faiss-flat", "alvin.max_pairs": 4, "alvin.n_anchors": 2, "alvin.k": 3}
)
MakeRun = Callable[..., Run]
WORDS = ("good", "dull", "film", "plot", "très", "电", "👍", "so")


def spoken(drawn: ModuleType, *, pairs: bool = False, **changes: Any) -> Dataset:
    """Three classes, some words each; ``marked`` goes with the first class; one text is empty."""
    dataset = drawn.make_dataset(pairs=pairs)
    rng = np.random.default_rng(3)
    texts = []
    for label in dataset.labels.tolist():
        words = rng.choice(WORDS, rng.integers(1, 5)).tolist()
        texts.append(" ".join(words + ["marked"] * bool(label == 0 or rng.random() < 0.04)))
    texts[0] = ""
    seconds = Texts.pack(" ".join(rng.choice(WORDS, 3)) for _ in texts) if pairs else None
    return replace(dataset, texts=Texts.pack(texts), second_texts=seconds, **changes)


@pytest.fixture
def make_run(tmp_path: Path, drawn: ModuleType, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    monkeypatch.setattr(Engine, "compute", drawn.compute)

    def make(n_rounds: int = 2, dataset: Dataset | None = None, **changes: object) -> Run:
        settings = SETTINGS.with_values({name.replace("__", "."): value for name, value in changes.items()})
        run = create_run(tmp_path, dataset or spoken(drawn), settings, name="r")
        if n_rounds:
            list(run.run_rounds(n_rounds - 1))
        return run

    return make


def trained_on(run: Run, round_no: int) -> tuple[list[str], list[str]]:
    """Ids and labels of what a round trained on, by the frame of examples."""
    frame = run.examples(round_no)
    frame = frame[frame["labeled"]]
    return frame["id"].tolist(), frame["label"].tolist()


def words_by_id(run: Run) -> dict[str, set[str]]:
    dataset = run.dataset
    columns = [one for one in (dataset.texts, dataset.second_texts) if one is not None]
    return {
        example_id: {word for column in columns for word in column[row].split()}
        for row, example_id in enumerate(dataset.ids.tolist())
    }


@pytest.mark.parametrize("pairs", [False, True])
def test_every_figure_is_that_of_a_count_by_hand(make_run: MakeRun, drawn: ModuleType, pairs: bool) -> None:
    run = make_run(3, spoken(drawn, pairs=pairs))
    words = words_by_id(run)
    for round_no in range(3):
        ids, labels = trained_on(run, round_no)
        frame = run.cues(round_no, kinds=("token",), min_count=3, each_class=True)
        counted = {word for word in (*WORDS, "marked") if sum(word in words[one] for one in ids) >= 3}
        assert set(frame["name"]) == counted
        assert len(frame) == 3 * len(counted)
        for line in frame.to_dict("records"):
            holders = [label for one, label in zip(ids, labels, strict=True) if line["name"] in words[one]]
            n, k = len(holders), holders.count(line["label"])
            share, base = k / n, labels.count(line["label"]) / len(labels)
            assert (line["cue"], line["kind"], line["n"], line["n_label"]) == (f"token:{line['name']}", "token", n, k)
            assert (line["share"], line["base_share"]) == pytest.approx((share, base))
            assert line["z"] == pytest.approx((share - base) / math.sqrt(base * (1 - base) / n))
            lmi = k / len(ids) * math.log(share / base) if k else 0
            assert line["lmi"] == pytest.approx(lmi)


def test_one_row_a_cue_has_the_class_of_the_highest_z_and_the_strongest_come_first(make_run: MakeRun) -> None:
    run = make_run()
    every = run.cues(1, min_count=3, each_class=True)
    best = run.cues(1, min_count=3)
    assert best["z"].is_monotonic_decreasing
    assert best.loc[0, "cue"] == "token:marked"
    assert best.loc[0, "label"] == "neg"
    for line in best.to_dict("records"):
        own = every[every["cue"] == line["cue"]]
        assert line["z"] == own["z"].max()
        assert line["p_adjusted"] == own.loc[own["z"].idxmax(), "p_adjusted"]


def test_p_is_corrected_for_all_cues_and_classes_that_were_counted(make_run: MakeRun) -> None:
    run = make_run()
    every = run.cues(1, min_count=3, each_class=True)
    assert set(every["kind"]) == {"token", "attribute"}
    least = every["p"].min()
    assert every["p_adjusted"].min() == pytest.approx(least * len(every))  # Holm: the smallest of m, times m
    assert (every["significant"] == (every["p_adjusted"] < 0.05)).all()
    assert every["significant"].any()
    eased = run.cues(1, min_count=3, each_class=True, correction="benjamini-hochberg")
    assert eased["p_adjusted"].min() == pytest.approx(least * len(every))
    assert (eased["p_adjusted"] <= every["p_adjusted"] + 1e-12).all()
    assert (eased["p_adjusted"] < every["p_adjusted"]).any()


def test_two_classes_are_one_test_for_each_cue(make_run: MakeRun, drawn: ModuleType) -> None:
    dataset = spoken(drawn)
    dataset = replace(dataset, labels=np.minimum(dataset.labels, 1), classes=("neg", "pos"))
    settings = SETTINGS.with_values({"strategy": "random"})
    run = create_run(make_run(1)._handle.store.path, dataset, settings, name="two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "compute", _two_classes(drawn))
        list(run.run_rounds(0))
    every, best = (run.cues(0, min_count=3, each_class=each) for each in (True, False))
    assert len(every) == 2 * len(best)
    assert best["p_adjusted"].min() == pytest.approx(best["p"].min() * len(best))
    for _, own in every.groupby("cue"):
        assert own["z"].iloc[0] == pytest.approx(-own["z"].iloc[1])
        assert own["p_adjusted"].iloc[0] == pytest.approx(own["p_adjusted"].iloc[1])


def _two_classes(drawn: ModuleType) -> Callable[..., Any]:
    def compute(*arguments: Any) -> Any:
        result, environment = drawn.compute(*arguments)
        probs = result.probs[:, :2] / result.probs[:, :2].sum(axis=1, keepdims=True)
        return replace(result, probs=probs), environment

    return compute


def test_the_uniform_base_is_one_over_the_number_of_classes(make_run: MakeRun) -> None:
    frame = make_run().cues(0, base="uniform")
    assert frame["base_share"].to_numpy() == pytest.approx(1 / 3)
    share, n = frame["share"], frame["n"]
    assert frame["z"].to_numpy() == pytest.approx((share - 1 / 3) / np.sqrt(2 / 9 / n))


def test_an_unknown_attribute_is_no_cue(make_run: MakeRun) -> None:
    frame = make_run().cues(0, kinds=("attribute",), min_count=1)
    assert set(frame["name"]) == {"long", "short"}


def test_kinds_that_the_data_does_not_have_are_left_out(make_run: MakeRun, drawn: ModuleType) -> None:
    run = make_run(1, spoken(drawn, attributes=None))
    assert run.cues(0, kinds=("attribute", "overlap")).empty
    assert list(run.cues(0, kinds=("attribute",)).columns) == list(run.cues(0).columns)


def test_pairs_have_a_word_overlap_whose_bins_are_those_of_the_pool(make_run: MakeRun, drawn: ModuleType) -> None:
    run = make_run(1, spoken(drawn, pairs=True))
    frame = run.cues(0, kinds=("overlap",), min_count=1)
    assert set(frame["name"]) <= {"high", "low", "one-way-high", "one-way-low"}
    high, low = run.cue_members("overlap:high"), run.cue_members("overlap:low")
    assert not (high & low).any()
    dataset, shares = run.dataset, []
    for first, second in zip(dataset.texts, dataset.second_texts or (), strict=True):
        one, other = set(first.split()), set(second.split())
        shares.append(len(one & other) / len(one | other))
    assert min(np.asarray(shares)[high]) > max(np.asarray(shares)[low])
    assert (high | low).all()
    assert run.cue_words("overlap:high") == (
        f"at least {min(np.asarray(shares)[high]):.0%} of the words in either text are in both"
    )
    assert run.cue_words("overlap:one-way-low").endswith("of the second text's words are in the first")


def test_the_pool_is_counted_by_the_labels_of_the_data_set(make_run: MakeRun) -> None:
    run = make_run(1)
    frame = run.cues(0, of="pool", kinds=("token",), min_count=1)
    in_pool = run.dataset.splits == "pool"
    marked = run.cue_members("token:marked") & in_pool
    line = frame.set_index("name").loc["marked"]
    assert (line["n"], line["n_label"]) == (marked.sum(), (marked & (run.dataset.labels == 0)).sum())
    assert line["base_share"] == pytest.approx((run.dataset.labels[in_pool] == 0).mean())


def test_where_a_person_annotates_the_pool_is_not_counted_and_the_remedy_is_named(make_run: MakeRun) -> None:
    run = make_run(0, annotator="person", strategy="random")
    gold = dict(zip(run.dataset.ids.tolist(), run.dataset.labels.tolist(), strict=True))
    run.submit({one: run.dataset.classes[gold[one]] for one in run.pending()["id"]})
    run.step()
    assert len(run.cues(0, min_count=1))
    with pytest.raises(DataError, match=r"labels are not known, since a person annotates .* look at the labeled set"):
        run.cues(0, of="pool")
    matrix = run.group_matrix(0)
    assert matrix["n"].sum() == matrix["n_labeled"].sum() > 0
    assert matrix["accuracy"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"of": "test"}, "of = 'test' is unknown; choose one of: labeled, pool"),
        ({"kinds": ("word",)}, "kinds = 'word' is unknown; choose from: token, ngram, attribute, overlap"),
        ({"kinds": ()}, "no kind of cue is named"),
        ({"base": "even"}, "base = 'even' is unknown"),
        ({"correction": "bonferroni"}, "choose one of: holm, benjamini-hochberg"),
        ({"min_count": 0}, "min_count = 0 is out of range"),
    ],
)
def test_what_cannot_be_asked_says_what_can(make_run: MakeRun, arguments: dict[str, Any], said: str) -> None:
    run = make_run(1)
    with pytest.raises(SettingsError, match=said):
        run.cues(0, **arguments)


def test_a_round_that_is_not_there_is_an_error(make_run: MakeRun) -> None:
    run = make_run(1)
    for ask in (run.cues, run.group_matrix, run.dataset_map):
        with pytest.raises(StoreError, match="has no round 7"):
            ask(7)
    with pytest.raises(StoreError, match="has no round 7"):
        run.cue_examples(7, "token:good", "neg")


def test_the_history_is_what_each_round_says(make_run: MakeRun) -> None:
    run = make_run(3)
    pairs = [("token:marked", "neg"), ("attribute:long", "so-so"), ("token:unheard", "pos")]
    history = run.cue_history(pairs)
    assert history["round"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    for round_no in range(3):
        every = run.cues(round_no, min_count=1, each_class=True).set_index(["cue", "label"])
        for pair in pairs[:2]:
            [line] = history[(history["round"] == round_no) & (history["cue"] == pair[0])].to_dict("records")
            for name in ("n", "share", "base_share", "z", "lmi"):
                assert line[name] == pytest.approx(every.loc[pair, name])
    unheard = history[history["cue"] == "token:unheard"]
    assert unheard["n"].tolist() == [0, 0, 0]
    assert unheard[["share", "z"]].isna().all(axis=None)
    with pytest.raises(DataError, match="no class is called 'none'; the classes are: neg, pos, so-so"):
        run.cue_history([("token:good", "none")])


def test_labels_that_came_after_a_round_change_nothing_of_it(make_run: MakeRun) -> None:
    run = make_run(1)
    before = run.cues(0)
    statistics_module._frames.clear()
    run.step()
    run.undo(str(run.dataset.ids[run.dynamics(0).ids[0] == run.dataset.ids][0]))
    statistics_module._frames.clear()
    assert run.cues(0).equals(before)


def test_members_are_those_that_hold_it_in_every_split(make_run: MakeRun) -> None:
    run = make_run(1)
    words = words_by_id(run)
    for word in ("good", "très", "电", "👍"):
        expected = [word in words[one] for one in run.dataset.ids.tolist()]
        assert run.cue_members(f"token:{word.upper()}").tolist() == expected
        assert any(expected)
    assert not run.cue_members("token:unheard").any()
    texts = list(run.dataset.texts)
    assert run.cue_members("ngram:good film").tolist() == ["good film" in text for text in texts]
    assert run.cue_members("attribute:long").tolist() == (run.dataset.attributes == "long").tolist()
    with pytest.raises(DataError, match="no example has the attribute 'tall'; its values are: long, short"):
        run.cue_members("attribute:tall")
    with pytest.raises(DataError, match="only pairs have a word overlap"):
        run.cue_members("overlap:high")


def test_data_without_attributes_say_so(make_run: MakeRun, drawn: ModuleType) -> None:
    run = make_run(1, spoken(drawn, attributes=None))
    with pytest.raises(DataError, match="attribute:long: the data has no attribute column"):
        run.cue_members("attribute:long")
    with pytest.raises(DataError, match="has no attribute column; give one when a run is created"):
        run.group_matrix(0)


def test_examples_of_a_cue_come_contradicting_first_and_labeled_first(make_run: MakeRun) -> None:
    run = make_run(2)
    frame = run.cue_examples(1, "token:marked", "neg", most=1000)
    known = run.examples(1).set_index("id")
    holders = run.dataset.ids[run.cue_members("token:marked") & (run.dataset.splits == "pool")]
    assert sorted(frame["id"]) == sorted(holders.tolist())
    for line in frame.to_dict("records"):
        example = known.loc[line["id"]]
        status = "labeled" if example["labeled"] else "selected" if example["selected"] else "pool"
        assert line["status"] == status
        assert line["text"] == example["text"]
        assert line["label"] == (example["label"] if status == "labeled" else "")
        assert line["predicted"] == example["predicted"]
        assert line["confidence"] == pytest.approx(example["confidence"])
        assert line["follows"] == ((line["label"] or line["predicted"]) == "neg")
    order = [
        (follows, ["labeled", "selected", "pool"].index(status), -confidence)
        for follows, status, confidence in zip(frame["follows"], frame["status"], frame["confidence"], strict=True)
    ]
    assert order == sorted(order)
    assert {"labeled", "selected", "pool"} == set(frame["status"])
    few = run.cue_examples(1, "token:marked", "neg", most=2)
    assert few["follows"].tolist() == [False, False, True, True]
    assert few["id"].tolist() == [*frame[~frame["follows"]]["id"][:2], *frame[frame["follows"]]["id"][:2]]
    assert run.cue_examples(1, "token:unheard", "neg").empty
    with pytest.raises(SettingsError, match="most = -1 is out of range"):
        run.cue_examples(1, "token:marked", "neg", most=-1)


def test_both_texts_of_a_pair_are_shown(make_run: MakeRun, drawn: ModuleType) -> None:
    run = make_run(1, spoken(drawn, pairs=True))
    frame = run.cue_examples(0, "token:marked", "neg")
    assert list(frame)[1:3] == ["text_a", "text_b"]


def test_no_example_tells_what_only_the_oracle_knows(make_run: MakeRun) -> None:
    run = make_run(1)
    labeled = np.isin(run.dataset.ids, run.labels()["id"].to_numpy(dtype=str))
    before = (
        run.cue_examples(0, "token:marked", "neg", most=1000),
        run.cues(0),
        run.cue_history([("token:good", "neg")]),
    )
    hidden = ~labeled & (run.dataset.splits == "pool")
    other = replace(run.dataset, labels=np.where(hidden, (run.dataset.labels + 1) % 3, run.dataset.labels))
    run._handle.__dict__["stored_dataset"] = other
    run._handle.__dict__.pop("_growing", None)
    tables_module._tables.clear()
    statistics_module._frames.clear()
    assert run.dataset.labels.tolist() == other.labels.tolist()
    after = run.cue_examples(0, "token:marked", "neg", most=1000), run.cues(0), run.cue_history([("token:good", "neg")])
    assert all(one.equals(two) for one, two in zip(before, after, strict=True))


def test_the_cues_of_an_example_are_the_significant_ones_that_it_holds(make_run: MakeRun) -> None:
    run = make_run(2)
    cues = run.cues(1)
    significant = cues[cues["significant"] & (cues["z"] > 0)]
    assert "token:marked" in significant["cue"].tolist()
    for label in ("neg", "pos"):
        for row in range(1, 12):
            frame = run.example_cues(1, str(run.dataset.ids[row]), label)
            held = [cue for cue in significant["cue"] if run.cue_members(cue)[row]]
            assert frame["cue"].tolist() == held[:3]
            assert frame["follows"].tolist() == (frame["label"] == label).tolist()
    assert run.example_cues(1, str(run.dataset.ids[0]), "neg").empty  # of an empty text
    with pytest.raises(DataError, match="has no example 'nobody'"):
        run.example_cues(1, "nobody", "neg")


@pytest.mark.parametrize("split", ["pool", "test"])
def test_groups_are_counted_as_by_hand(make_run: MakeRun, split: str) -> None:
    run = make_run(2)
    frame = run.group_matrix(1, split)
    examples = run.examples(1, oracle=True)
    examples = examples[(examples["split"] == split) & examples["attribute"].notna()]
    assert frame[["label", "attribute"]].to_numpy().tolist() == [
        [label, value] for label in ("neg", "pos", "so-so") for value in ("long", "short")
    ]
    assert frame["share"].sum() == pytest.approx(1)
    for line in frame.to_dict("records"):
        own = examples[(examples["oracle_label"] == line["label"]) & (examples["attribute"] == line["attribute"])]
        unseen = own[~own["labeled"]]
        right = (unseen["predicted"] == unseen["oracle_label"]).mean()
        assert line["n"] == len(own)
        assert line["share"] == pytest.approx(len(own) / len(examples))
        assert line["n_labeled"] == own["labeled"].sum()
        assert line["n_selected"] == own["selected"].sum()
        assert line["accuracy"] == pytest.approx(right, nan_ok=True)
    with pytest.raises(DataError, match="no split 'ood:none'"):
        run.group_matrix(1, "ood:none")


def test_groups_are_counted_where_nearly_every_example_has_a_value_of_its_own(
    make_run: MakeRun, drawn: ModuleType
) -> None:
    dataset = drawn.make_dataset(17_000)  # with three classes more groups than 16 bits can number
    values = np.asarray([f"v{row}" for row in range(len(dataset))])
    run = make_run(0, replace(dataset, attributes=values), annotator="person", strategy="random")
    rows = [int(np.flatnonzero(dataset.ids == one)[0]) for one in run.pending()["id"]]
    run.submit({str(dataset.ids[row]): dataset.classes[dataset.labels[row]] for row in rows})
    run.step()
    matrix = run.group_matrix(0)
    labeled = matrix[matrix["n"] > 0]
    expected = {(dataset.classes[dataset.labels[row]], f"v{row}") for row in rows}
    assert set(zip(labeled["label"], labeled["attribute"], strict=True)) == expected
    assert "so-so" in set(labeled["label"])
    assert labeled["n_labeled"].tolist() == [1] * len(rows)


def test_the_dataset_map_is_the_training_dynamics_of_the_labeled(make_run: MakeRun) -> None:
    run = make_run(2)
    frame, dynamics = run.dataset_map(1), run.dynamics(1)
    assert frame["id"].tolist() == dynamics.ids.tolist()
    np.testing.assert_allclose(frame["confidence"], dynamics.gold_prob.mean(axis=0))
    np.testing.assert_allclose(frame["variability"], dynamics.gold_prob.std(axis=0))
    np.testing.assert_allclose(frame["correctness"], dynamics.correct.mean(axis=0))
    lost = [sum(a and not b for a, b in pairwise(one)) for one in dynamics.correct.T]
    assert frame["forgotten"].tolist() == lost
    known = run.examples(1).set_index("id").loc[frame["id"]]
    assert frame["label"].tolist() == known["label"].tolist()
    assert frame["is_minority"].tolist() == known["is_minority"].tolist()


def test_an_added_example_is_counted_from_the_round_that_trained_on_it(make_run: MakeRun) -> None:
    run = make_run(1)
    before = run.cues(0, min_count=1)
    added = run.add_example(("unheard unheard of", "")[: 1 + run.dataset.is_pairs], "pos")
    assert run.cue_members("token:unheard").tolist() == [False] * (len(run.dataset) - 1) + [True]
    statistics_module._frames.clear()
    assert run.cues(0, min_count=1).equals(before)
    run.step()
    line = run.cues(1, min_count=1, kinds=("token",)).set_index("name").loc["unheard"]
    assert (line["n"], line["label"]) == (1, "pos")
    assert run.cue_examples(1, "token:unheard", "pos")[["id", "status"]].to_numpy().tolist() == [[added, "labeled"]]


def test_what_is_kept_is_bounded_and_given_out_as_copies(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(1)
    frame = run.cues(0)
    frame["z"] = 0.0
    assert run.cues(0)["z"].max() > 0
    for min_count in range(1, statistics_module.KEPT_FRAMES + 9):
        run.cues(0, min_count=min_count)
    assert len(statistics_module._frames) <= statistics_module.KEPT_FRAMES
    newest = len(run.cues(0, min_count=1, each_class=True))
    monkeypatch.setattr(statistics_module, "KEPT_CUES", newest)
    assert len(run.cues(0, min_count=1, base="uniform")) < newest
    assert sum(map(len, statistics_module._frames.values())) <= newest
    assert len(tables_module._tables) <= tables_module.KEPT_DATASETS


def test_moving_through_the_rounds_reads_no_text_again(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(3)
    run.cues(0)
    monkeypatch.setattr(tables_module, "tokenize", None)
    monkeypatch.setattr(tables_module, "token_holding", None)
    start = time.process_time()
    for round_no in range(3):
        run.cues(round_no, min_count=2)
    assert time.process_time() - start < 1


def test_looking_for_cues_imports_nothing_that_a_screen_must_not(make_run: MakeRun) -> None:
    run = make_run(1)
    program = (
        "import sys; from alvin_core import open_run\n"
        f"run = open_run({str(run._handle.store.path)!r}, 'r')\n"
        "run.cues(0); run.cues(0, of='pool'); run.cue_history([('token:good', 'neg')]); run.group_matrix(0)\n"
        "run.cue_examples(0, 'token:good', 'neg'); run.example_cues(0, 'e00001', 'neg'); run.dataset_map(0)\n"
        "heavy = ('torch', 'sklearn', 'faiss', 'numba', 'umap', 'transformers')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
