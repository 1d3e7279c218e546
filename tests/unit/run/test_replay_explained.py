"""What a replay says of a round that came out otherwise: at which stage it parts, which picks, and the likely cause.

Each stage and each recorded fact is changed on purpose, alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.cli import main
from alvin_core.round import RoundResult
from alvin_core.run import Run, create_run
from alvin_core.run.divergence import Divergence
from alvin_core.run.engine import Engine
from alvin_core.run.environment import describe_environment
from alvin_core.run.stages import STAGES
from alvin_core.settings import RunSettings
from alvin_core.store.labels import add_labels
from alvin_core.types import Selection

SETTINGS = RunSettings(budget=4, initial=8)
FEATURES = {"digest": "aa", "values": [0.5, 1.5]}
Change = Callable[[RoundResult, dict[str, Any]], tuple[RoundResult, dict[str, Any]]]


def described() -> dict[str, Any]:
    return {
        **describe_environment(),
        "device": "cpu",
        "name": "CPU, 2 threads",
        "threads": 2,
        "inference_dtype": "float32",
        "encoder": "ab" * 32,
        "features": FEATURES,
    }


@pytest.fixture
def run(tmp_path: Path, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Run:
    def compute(*arguments: Any) -> Any:
        return fake.compute(*arguments)[0], described()

    monkeypatch.setattr(Engine, "compute", compute)
    made = create_run(tmp_path, fake.make_dataset(), SETTINGS, name="first")
    list(made.run_rounds(1))
    return made


@pytest.fixture
def replayed(run: Run, fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], Divergence]:
    """Replay with a change, and return what is said of round 1."""

    def again(change: Change) -> Divergence:
        monkeypatch.setattr(Engine, "compute", lambda *arguments: change(fake.compute(*arguments)[0], described()))
        found = run.replay()[1].divergence
        assert found is not None
        return found

    return again


def test_a_round_that_is_the_same_is_identical_at_every_stage(run: Run) -> None:
    for one in run.replay():
        assert one.divergence is not None
        assert one.divergence.identical
        assert [stage.same for stage in one.divergence.stages] == [True] * len(STAGES)
        assert one.divergence.lines() == []
        assert one.to_dict()["first"] is None


def _encoding(result: RoundResult, told: dict[str, Any]) -> Any:
    return result, {**told, "features": {"digest": "bb", "values": [0.5, 1.25]}}


def _training(result: RoundResult, told: dict[str, Any]) -> Any:
    probabilities = result.dynamics.gold_prob.copy()
    probabilities[1:, 2] -= 1e-5
    return replace(result, dynamics=replace(result.dynamics, gold_prob=probabilities)), told


def _predictions(result: RoundResult, told: dict[str, Any]) -> Any:
    probs = result.probs.copy()
    probs[5] = probs[5][::-1]
    return replace(result, probs=probs), told


def _representations(result: RoundResult, told: dict[str, Any]) -> Any:
    vectors = result.vectors.copy()
    vectors[7, 1] += 0.25
    return replace(result, vectors=vectors), told


def _groups(result: RoundResult, told: dict[str, Any]) -> Any:
    is_minority = result.groups.is_minority.copy()
    is_minority[3] = not is_minority[3]
    return replace(result, groups=replace(result.groups, is_minority=is_minority)), told


def _anchors(result: RoundResult, told: dict[str, Any]) -> Any:
    anchors = result.selection.anchors
    assert anchors is not None
    changed = replace(anchors, weights=anchors.weights + np.float32(0.125))
    return replace(result, selection=replace(result.selection, anchors=changed)), told


def _neighbours(result: RoundResult, told: dict[str, Any]) -> Any:
    candidates = result.selection.candidates
    assert candidates is not None
    fewer = replace(
        candidates, rows=candidates.rows[:-2], n_anchors=candidates.n_anchors[:-2], nearest=candidates.nearest[:-2]
    )
    return replace(result, selection=replace(result.selection, candidates=fewer)), told


def _scores(result: RoundResult, told: dict[str, Any]) -> Any:
    ranking = result.selection.ranking.copy()
    ranking[[-1, -2]] = ranking[[-2, -1]]
    return replace(result, selection=replace(result.selection, ranking=ranking)), told


@pytest.mark.parametrize(
    ("change", "stage", "words"),
    [
        (_encoding, "encoding", "what the encoder made of the texts differs, in a sample by up to 2.5e-01"),
        (_training, "training", "from epoch 2 of 3 on, probabilities of the labels differ, at first by up to 1.0e-05"),
        (_predictions, "predictions", "1 of 72 examples get another class"),
        (_representations, "representations", "vectors of 1 of 60 examples differ, by up to 2.5e-01"),
        (_groups, "groups", "1 of 12 labeled examples change sides"),
        (_anchors, "anchors", "2 of 2 anchors differ, weights by up to 1.2e-01"),
        (_neighbours, "neighbours", "2 candidates were retrieved in one alone (48 then, 46 now)"),
        (_scores, "scores", "2 of 48 places of the ranking hold another example"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_the_stage_that_parts_first_is_named_with_what_differs(
    replayed: Callable[[Change], Divergence], change: Change, stage: str, words: str
) -> None:
    found = replayed(change)
    assert found.first == stage
    assert [one.stage for one in found.stages if one.same is False] == [stage]
    assert words in next(one.words for one in found.stages if one.stage == stage)
    assert found.lines()[0].startswith(f"first {stage}: ")
    assert found.lines()[-1].startswith("most likely: everything that is recorded of machine and versions is as it was")


def test_labels_that_were_changed_after_the_round_are_named_first(run: Run, fake: ModuleType) -> None:
    from alvin_core.store.tables import RoundRow

    handle = run._handle
    free = next(one for one in run.dataset.ids.tolist() if one not in run.labels()["id"].tolist())
    with handle.store.write() as session:
        add_labels(session, run.id, [(free, "neg")], source="person", annotator="eve")
        row = session.get(RoundRow, (run.id, 1))
        assert row is not None
        row.last_seq += 100
    found = run.replay()[1].divergence
    assert found is not None
    assert found.first == "labels"
    assert "label log was changed after the round; `alvin verify` tells where" in found.cause


def _swapped(nearly: bool) -> Change:
    """Have the best that was not picked take the last pick's place, by nearly the same score or by another."""

    def change(result: RoundResult, told: dict[str, Any]) -> Any:
        chosen = result.selection
        budget = len(chosen.rows)
        ranking = chosen.ranking.copy()
        ranking[[budget - 1, budget]] = ranking[[budget, budget - 1]]
        scores = chosen.scores.copy()
        scores[:-1] += 1e-6
        scores[-1] += 1e-6 if nearly else 0.25
        pool_ids = np.setdiff1d(np.arange(60), result.labeled_rows)
        ids = np.array([f"e{pool_ids[row]:05d}" for row in ranking[:budget]])
        other = Selection(ids=ids, rows=ranking[:budget], scores=scores, ranking=ranking, k=3)
        return replace(result, selection=replace(other, anchors=chosen.anchors, candidates=chosen.candidates)), told

    return change


@pytest.mark.parametrize("nearly", [True, False], ids=["near tie", "no tie"])
def test_picks_that_changed_are_named_with_their_places_and_whether_it_was_a_near_tie(
    replayed: Callable[[Change], Divergence], run: Run, nearly: bool
) -> None:
    before = run.selection(1)["id"].tolist()
    found = replayed(_swapped(nearly))
    assert found.first == "scores"
    (pick,) = found.picks
    assert (pick.place, pick.out, pick.near_tie) == (3, before[3], nearly)
    assert pick.into not in before
    assert (pick.out_place_now, pick.into_place_then) == (4, 4)
    assert pick.to_dict()["margin"] == pytest.approx(1e-6 if nearly else 0.25)
    (line,) = [one for one in found.lines() if one.startswith("place 4: ")]
    assert line.startswith(f"place 4: {pick.out} out (ranked 5 now), {pick.into} in (ranked 5 then): scores ")
    assert line.endswith(", a near tie") == nearly


def _otherwise(**facts: Any) -> Change:
    def change(result: RoundResult, told: dict[str, Any]) -> Any:
        for name, value in facts.items():
            told[name] = {**told[name], **value} if isinstance(value, dict) and name != "features" else value
        return _training(result, told)

    return change


@pytest.mark.parametrize(
    ("facts", "fact", "cause"),
    [
        ({"threads": 4, "name": "CPU, 4 threads"}, "threads", "another number of threads splits sums otherwise"),
        ({"device": "mps"}, "device", "another kind of device computes, and adds in another"),
        ({"name": "NVIDIA H100"}, "name", "another device computes"),
        ({"trainer": 9}, "trainer", "another version of the trainer trains to another model (trainer 2 -> 9)"),
        ({"installed": {"torch": "9.9"}}, "torch", "a package has another version (torch "),
        ({"installed": {"numpy": "9.9"}}, "numpy", "a package has another version (numpy "),
        ({"digests": {"torch": "ff"}}, "torch", "a package of the same version has other files (files of torch "),
        ({"processor": {"instructions": "avx512f"}}, "instructions", "another processor takes other instructions"),
        ({"libraries": {"numpy's blas": "mkl"}}, "numpy's blas", "another library of linear algebra adds in another"),
        ({"variables": {"MKL_CBWR": "AVX"}}, "MKL_CBWR", "a variable makes a library compute otherwise (MKL_CBWR None"),
        ({"source": "ff"}, "source", "the code of this program is another"),
        ({"python": "9.9"}, "python", "Python has another version"),
        ({"platform": "BeOS"}, "platform", "the system is another (platform "),
        ({"machine": "m68k"}, "machine", "the machine is of another kind"),
        ({"inference_dtype": "int16"}, "inference_dtype", "inference_dtype"),
        ({"encoder": "cd"}, "encoder", "encoder"),
        ({"implementation": "PyPy"}, "implementation", "implementation"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_every_recorded_fact_that_changed_is_told_and_the_likely_one_named(
    replayed: Callable[[Change], Divergence], facts: dict[str, Any], fact: str, cause: str
) -> None:
    found = replayed(_otherwise(**facts))
    assert [one.name for one in found.changed] == [fact]
    if cause == fact:  # training does not come of it; it is told all the same
        assert fact in found.to_dict()["changed"][0]["name"]
    else:
        assert found.cause.startswith(cause)
    assert found.first == "training"


def test_another_encoding_is_put_down_to_the_encoder_before_anything_else(
    replayed: Callable[[Change], Divergence],
) -> None:
    def change(result: RoundResult, told: dict[str, Any]) -> Any:
        result, told = _encoding(*_training(result, told))
        return result, {**told, "encoder": "cd" * 32, "threads": 4, "installed": {**told["installed"], "torch": "9"}}

    found = replayed(change)
    assert found.first == "encoding"
    assert found.cause.startswith("the weights or the tokenizer of the encoder are others")
    assert {one.name for one in found.changed} == {"encoder", "threads", "torch"}


def test_of_an_older_record_what_it_does_not_tell_is_said_to_be_unknown_and_no_difference(
    run: Run, replayed: Callable[[Change], Divergence]
) -> None:
    from alvin_core.store.tables import RoundRow

    with run._handle.store.write() as session:
        row = session.get(RoundRow, (run.id, 1))
        assert row is not None
        old = ("trainer", "python", "platform", "machine", "packages", "device", "threads", "inference_dtype", "name")
        row.environment = {name: row.environment[name] for name in (*old, "encoder")}
    found = replayed(lambda result, told: (result, told))
    assert found.identical
    assert found.changed == ()
    assert next(one.same for one in found.stages if one.stage == "encoding") is None


def test_the_command_says_it_in_lines_and_in_json_and_exits_with_1(
    run: Run, replayed: Callable[[Change], Divergence], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replayed(_swapped(nearly=True))
    assert main(["replay", "first", "--store", str(tmp_path), "--quiet"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("round 1: 1 pick differs")
    assert lines[at + 1].startswith("  first scores: ")
    assert any(line.startswith("  place 4: ") for line in lines)
    assert any(line.startswith("  most likely: ") for line in lines)
    assert main(["replay", "first", "--store", str(tmp_path), "--quiet", "--json"]) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (told[1]["first"], told[1]["n_different"], told[1]["picks"][0]["near_tie"]) == ("scores", 1, True)
    assert [one["stage"] for one in told[1]["stages"]] == list(STAGES)
