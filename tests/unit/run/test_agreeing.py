"""Agreement against values worked by hand, and against a direct reading of the definitions."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvin_core.annotation_settings import AnnotationSettings
from alvin_core.errors import AnnotationNeeded, SettingsError
from alvin_core.run import Run, create_run
from alvin_core.run.agreeing import Agreement, measure
from alvin_core.settings import RunSettings

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section C: 4 observers, 12 units, values missing.
OBSERVERS = {
    "A": "1 2 3 3 2 1 4 1 2 . . .",
    "B": "1 2 3 3 2 2 4 1 2 5 . 3",
    "C": ". 3 3 3 2 3 4 2 2 5 1 .",
    "D": "1 2 3 3 2 4 4 1 2 5 1 .",
}


def units_of(observers: dict[str, str]) -> dict[str, dict[str, str]]:
    units: dict[str, dict[str, str]] = {}
    for name, said in observers.items():
        for place, label in enumerate(said.split()):
            if label != ".":
                units.setdefault(f"u{place:02d}", {})[name] = label
    return units


def alpha_by_pairs(units: dict[str, dict[str, str]]) -> float:
    """Alpha as its definition says it: observed over expected disagreement, all pairs written out."""
    pairable = [list(given.values()) for given in units.values() if len(given) > 1]
    values = [label for labels in pairable for label in labels]
    n = len(values)
    observed = sum(
        sum(one != other for one, other in combinations(labels, 2)) * 2 / (len(labels) - 1) for labels in pairable
    )
    expected = sum(one != other for one, other in combinations(values, 2)) * 2 / (n - 1)
    return 1 - observed / expected


def kappa_by_table(said: list[tuple[str, str]]) -> float:
    """Cohen's kappa as its definition says it."""
    n = len(said)
    first, second = Counter(one for one, _ in said), Counter(other for _, other in said)
    by_chance = sum(first[label] * second[label] for label in first) / n**2
    same = sum(one == other for one, other in said) / n
    return (same - by_chance) / (1 - by_chance)


def test_krippendorffs_own_example_gives_the_alpha_that_he_computed() -> None:
    found = measure(units_of(OBSERVERS), "12345")
    assert found.alpha == pytest.approx(0.743, abs=0.0005)
    assert (found.n_values, found.n_examples, found.n_single) == (40, 11, 1)
    assert found.annotators == {"A": 9, "B": 10, "C": 10, "D": 11}


def test_an_example_with_one_opinion_changes_nothing() -> None:
    units = units_of(OBSERVERS)
    with_more = {**units, **{f"x{number}": {"A": "5"} for number in range(50)}}
    one, other = measure(units, "12345"), measure(with_more, "12345")
    assert other == replace(one, n_single=51)


def test_kappa_of_a_worked_table() -> None:
    # 50 proposals: both yes 20, yes/no 5, no/yes 10, both no 15: same .7, by chance .5, kappa .4.
    said = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    units = {f"u{place:02d}": {"A": one, "B": other} for place, (one, other) in enumerate(said)}
    found = measure(units, ("no", "yes"))
    [pair] = found.pairs
    assert (pair.first, pair.second, pair.n, pair.share_same) == ("A", "B", 50, 0.7)
    assert pair.kappa == pytest.approx(0.4)
    assert [(one.labels, one.n, one.n_examples) for one in found.confusions] == [(("no", "yes"), 15, 15)]
    # Of 55 opinions for yes 40 met another yes, of 45 for no 30 another no.
    assert {one.label: (one.n, one.agreement) for one in found.classes} == {
        "yes": (55, pytest.approx(40 / 55)),
        "no": (45, pytest.approx(30 / 45)),
    }
    assert found.share_same == pytest.approx(0.7)


@settings(max_examples=40)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("ABCD"), st.sampled_from("xyz"), min_size=1, max_size=4),
        min_size=1,
        max_size=12,
    ).filter(lambda units: any(len(given) > 1 for given in units))
)
def test_the_libraries_figures_are_those_of_the_definitions(units: list[dict[str, str]]) -> None:
    named = {f"u{place:02d}": given for place, given in enumerate(units)}
    found = measure(named, "xyz")
    values = {label for given in units if len(given) > 1 for label in given.values()}
    if len(values) == 1:
        assert found.alpha is None
    else:
        assert found.alpha == pytest.approx(alpha_by_pairs(named))
    n_pairs = sum(len(given) * (len(given) - 1) // 2 for given in units)
    assert sum(one.n for one in found.confusions) == pytest.approx((1 - found.share_same) * n_pairs)
    assert sum(one.n for one in found.pairs) == n_pairs
    for pair in found.pairs:
        said = [(given[pair.first], given[pair.second]) for given in units if {pair.first, pair.second} <= set(given)]
        if len({label for both in said for label in both}) == 1:
            assert pair.kappa is None
        else:
            assert pair.kappa == pytest.approx(kappa_by_table(said))


@pytest.fixture
def shared(tmp_path: Path, fake: ModuleType) -> Run:
    settings = RunSettings(budget=3, initial=4, annotation=AnnotationSettings(overlap=2))
    return create_run(tmp_path, fake.make_dataset(labeled=0.0), settings, name="r")


def test_a_run_tells_of_the_opinions_that_hold(shared: Run) -> None:
    first, second, third, _ = shared.queue()
    for name, labels in {"ada": "pos neg pos", "ben": "pos pos neg"}.items():
        shared.submit(dict(zip((first, second, third), labels.split(), strict=True)), annotator=name)
    shared.undo(third, annotator="ben")
    found = shared.agreement()
    assert isinstance(found, Agreement)
    assert (found.n_values, found.n_examples, found.n_single, found.share_same) == (4, 2, 1, 0.5)
    assert found.alpha == pytest.approx(1 - 0.5 / 0.5)  # half of the examples disagree, as do 3 of all 6 pairs
    assert [(one.first, one.second, one.n, one.kappa) for one in found.pairs] == [("ada", "ben", 2, 0.0)]
    assert found.to_dict()["confusions"] == ({"labels": ("neg", "pos"), "n": 1, "n_examples": 1},)


def test_too_few_people_are_told_what_is_missing(shared: Run, tmp_path: Path, fake: ModuleType) -> None:
    with pytest.raises(AnnotationNeeded, match=r"no example .* has opinions of two annotators yet \(0 with one\)"):
        shared.agreement()
    shared.submit(dict.fromkeys(shared.queue()[:2], "pos"), annotator="ada")
    with pytest.raises(AnnotationNeeded, match="2 with one, all from ada"):
        shared.agreement()
    alone = create_run(tmp_path, fake.make_dataset(labeled=0.0), RunSettings(budget=3, initial=4), name="alone")
    with pytest.raises(AnnotationNeeded, match=r"asks one person .*--set annotation.overlap=2"):
        alone.agreement()


def test_without_nltk_the_message_has_the_command_that_installs_it(
    shared: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = shared.queue()[:2]
    shared.submit({one: "pos", two: "neg"}, annotator="ada")
    shared.submit({one: "pos", two: "neg"}, annotator="ben")
    assert shared.agreement().alpha == pytest.approx(1.0)
    for name in [name for name in sys.modules if name.split(".")[0] == "nltk"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(
        SettingsError, match=r"needs nltk.*, which is not installed; pip install 'alvin-studio\[team\]'"
    ):
        shared.agreement()
