"""Where a round goes right or wrong: every figure against a count by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from alvin_core.errors import StoreError
from alvin_core.run import Run, create_run
from alvin_core.run.engine import Engine
from alvin_core.settings import RunSettings

SETTINGS = RunSettings(budget=6, initial=24).with_values(
    {"alvin.backend": "faiss-flat", "alvin.max_pairs": 4, "alvin.n_anchors": 2, "alvin.k": 3}
)
MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path, drawn: ModuleType, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    monkeypatch.setattr(Engine, "compute", drawn.compute)

    def make(n_rounds: int = 1, data: dict[str, object] | None = None, **changes: object) -> Run:
        settings = SETTINGS.with_values({name.replace("__", "."): value for name, value in changes.items()})
        run = create_run(tmp_path, drawn.make_dataset(**(data or {})), settings, name="r")
        for _ in range(n_rounds):
            run.step()
        return run

    return make


def truth(run: Run) -> dict[str, bool]:
    """Whether each pool example of a known attribute contradicts: counted with plain dictionaries."""
    dataset = run.dataset
    assert dataset.attributes is not None
    rows = [row for row in dataset.rows_of("pool").tolist() if dataset.attributes[row]]
    usual = {
        label: Counter(str(dataset.attributes[row]) for row in rows if dataset.labels[row] == label)
        for label in range(3)
    }
    for counts in usual.values():
        assert len({n for _, n in counts.most_common(2)}) == 2  # no tie for the most frequent
    return {
        str(dataset.ids[row]): str(dataset.attributes[row]) != usual[int(dataset.labels[row])].most_common(1)[0][0]
        for row in rows
    }


def share(known: dict[str, bool], ids: list[str]) -> float:
    return float(np.mean([known[one] for one in ids if one in known]))


def test_groups_pool_and_selections_are_held_against_the_known_attributes(make_run: MakeRun) -> None:
    run = make_run(2)
    found, known, examples = run.diagnose(1), truth(run), run.examples(1)
    pool = examples[examples["split"] == "pool"]
    labeled = pool[pool["labeled"]]
    minority = labeled.loc[labeled["is_minority"] == True, "id"].tolist()  # noqa: E712 - missing counts as no
    assert found.n_minority == len(minority)
    assert found.pool_contradicts == pytest.approx(share(known, pool.loc[~pool["labeled"], "id"].tolist()))
    assert found.labeled_contradicts == pytest.approx(share(known, labeled["id"].tolist()))
    assert found.minority_precision == pytest.approx(share(known, minority))
    contradicting = [one for one in labeled["id"] if known.get(one)]
    assert found.minority_recall == pytest.approx(np.mean([one in minority for one in contradicting]))
    assert found.selected_contradicts == pytest.approx(share(known, run.selection(1)["id"].tolist()))
    by_entropy = pool.dropna(subset=["rank_entropy"]).sort_values("rank_entropy")["id"].tolist()[:6]
    assert found.others_contradict["entropy"] == pytest.approx(share(known, by_entropy))
    assert "alvin" not in found.others_contradict


def test_retrievals_are_those_of_a_brute_force_over_all_anchors(make_run: MakeRun) -> None:
    run = make_run()
    found, known = run.diagnose(0), truth(run)
    ids, vectors = run.vectors(0)
    place = {str(one): at for at, one in enumerate(ids.tolist())}
    examples = run.examples(0, oracle=True).set_index("id")
    open_ids = [one for one in place if not examples.loc[one, "labeled"]]
    classes, contradict, retrieved = [], [], set()
    for anchor in run.anchors(0).to_dict("records"):
        first, second = (vectors[place[anchor[f"{side}_id"]]].astype(float) for side in ("minority", "majority"))
        point = anchor["weight"] * first + (1 - anchor["weight"]) * second
        distances = [(float(np.linalg.norm(vectors[place[one]] - point)), one) for one in open_ids]
        for _, one in sorted(distances)[:3]:
            classes.append(examples.loc[one, "oracle_label"] == anchor["class"])
            retrieved.add(one)
            if one in known:
                contradict.append(known[one])
    assert found.n_anchors == len(run.anchors(0))
    assert found.retrieved_right_class == pytest.approx(np.mean(classes))
    assert found.retrieved_contradicts == pytest.approx(np.mean(contradict))
    assert found.candidate_share == pytest.approx(len(retrieved) / len(open_ids))
    assert found.candidates_contradict == pytest.approx(share(known, list(retrieved)))


def test_parents_and_spread_are_those_of_the_picks_and_their_nearest_anchors(make_run: MakeRun) -> None:
    run = make_run()
    found = run.diagnose(0)
    links: pd.DataFrame = run.provenance(0).sort_values("distance", kind="stable").drop_duplicates("id")
    labels = run.examples(0, oracle=True).set_index("id")["oracle_label"]
    assert found.selected_right_class == pytest.approx((labels[links["id"]].to_numpy() == links["class"]).mean())
    counts = np.array(list(Counter(links["minority_id"]).values()))
    assert found.n_parents == len(counts)
    assert found.effective_parents == pytest.approx(np.exp(-np.sum(counts / 6 * np.log(counts / 6))))
    ids, vectors = run.vectors(0)
    place = {str(one): at for at, one in enumerate(ids.tolist())}
    chosen = [vectors[place[one]].astype(float) for one in run.selection(0)["id"]]
    between = np.mean([np.linalg.norm(one - other) for one, other in combinations(chosen, 2)])
    examples = run.examples(0)
    opened = [vectors[place[one]].astype(float) for one in examples.loc[~examples["labeled"], "id"] if one in place]
    usual = np.mean([np.linalg.norm(one - other) for one, other in combinations(opened, 2)])
    assert found.spread == pytest.approx(between / usual, rel=0.02)


def test_strategies_without_anchors_have_no_figures_of_anchors(make_run: MakeRun) -> None:
    found = make_run(strategy="entropy").diagnose(0)
    assert (found.n_anchors, found.n_parents) == (0, 0)
    assert found.retrieved_right_class is found.candidate_share is found.selected_right_class is None
    assert found.selected_contradicts is not None
    assert "alvin" in found.others_contradict


def test_without_attributes_what_needs_them_is_unknown(make_run: MakeRun) -> None:
    found = make_run(data={"attributes": None}).diagnose(0)
    assert found.minority_precision is found.selected_contradicts is found.pool_contradicts is None
    assert found.others_contradict == {}
    assert found.retrieved_right_class is not None


def test_of_a_class_without_one_usual_attribute_nothing_is_known(make_run: MakeRun, drawn: ModuleType) -> None:
    dataset = drawn.make_dataset()
    pool = dataset.rows_of("pool")
    attributes = np.where(dataset.labels == 0, np.resize(["one", "other"], len(dataset)), "usual")
    of_first = pool[dataset.labels[pool] == 0]
    attributes[of_first] = np.resize(["one", "other"], len(of_first))
    attributes[of_first[len(of_first) // 2 * 2 :]] = ""  # so that there are as many of each
    attributes[pool[dataset.labels[pool] == 1][:3]] = "rare"
    run = make_run(data={"attributes": attributes})
    frame = run.examples(0, oracle=True)
    opened = frame[(frame["split"] == "pool") & ~frame["labeled"] & (frame["oracle_label"] != "neg")]
    expected = (opened["attribute"] == "rare").mean()
    assert run.diagnose(0).pool_contradicts == pytest.approx(expected)


def test_labels_that_a_person_has_yet_to_give_are_not_looked_at(make_run: MakeRun) -> None:
    run = make_run(0, annotator="person")
    labels = dict(zip(run.dataset.ids.tolist(), run.dataset.labels.tolist(), strict=True))
    run.submit({one: run.dataset.classes[labels[one]] for one in run.pending()["id"]})
    run.step()
    found = run.diagnose(0)
    assert found.retrieved_right_class is found.selected_right_class is found.selected_contradicts is None
    assert found.labeled_contradicts is not None


@pytest.mark.parametrize("round_no", [3, -1, 2**63, -(2**70)])
def test_a_round_that_is_not_there_is_named(make_run: MakeRun, round_no: int) -> None:
    with pytest.raises(StoreError, match=f"has no round {round_no}:"):
        make_run().diagnose(round_no)
