"""How far annotators agree: computed by NLTK and scikit-learn from opinions on examples that two or more annotated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from alvin_core.errors import AnnotationNeeded, SettingsError
from alvin_core.run.handle import RunHandle
from alvin_core.store.labels import current_labels
from alvin_core.store.opinions import Opinions, held_opinions

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Agreement", "ClassAgreement", "Confusion", "PairAgreement", "agreement_of", "measure", "opinions_frame"]


@dataclass(frozen=True)
class PairAgreement:
    """How far two annotators agree.

    Attributes
    ----------
    first, second : str
    n : int
        Examples that both annotated.
    share_same : float
        Of those, the share with the same label.
    kappa : float or None
        Cohen's; None where both gave all examples one and the same label, so that chance explains everything.
    """

    first: str
    second: str
    n: int
    share_same: float
    kappa: float | None


@dataclass(frozen=True)
class Confusion:
    """Two classes that annotators gave the same examples.

    Attributes
    ----------
    labels : tuple of two str
        In the order of the alphabet.
    n : int
        Pairs of opinions on one example, one for each class.
    n_examples : int
        Examples with such a pair.
    """

    labels: tuple[str, str]
    n: int
    n_examples: int


@dataclass(frozen=True)
class ClassAgreement:
    """How far annotators agree on one class.

    Attributes
    ----------
    label : str
    n : int
        Opinions for it on examples with two or more.
    agreement : float or None
        Of the pairs of opinions on one example of which one is for it, twice those where both are, over all: the
        chance that another annotator says so too, given that one did. None where nobody chose it.
    """

    label: str
    n: int
    agreement: float | None


@dataclass(frozen=True)
class Agreement:
    """How far the annotators of a run agree.

    Attributes
    ----------
    alpha : float or None
        Krippendorff's, nominal: 1 is perfect, 0 what chance gives. None where all opinions name one class.
    n_values : int
        Pairable opinions: those on examples with two or more.
    n_examples : int
        Examples with two or more opinions.
    n_single : int
        Examples with one opinion as yet, which tell nothing and are left out.
    share_same : float
        Of all pairs of opinions on one example, the share with the same label; chance is not taken out.
    annotators : dict of str to int
        How many of the pairable opinions each gave.
    pairs : tuple of PairAgreement
        Of annotators with an example in common, those with most first.
    confusions : tuple of Confusion
        Most often disagreed first.
    classes : tuple of ClassAgreement
        In the data set's order.

    Notes
    -----
    Krippendorff (2011), "Computing Krippendorff's alpha-reliability"; Cohen (1960). Of classes: the proportion of
    specific agreement (Cicchetti & Feinstein 1990), pooled over examples with any number of opinions.
    """

    alpha: float | None
    n_values: int
    n_examples: int
    n_single: int
    share_same: float
    annotators: dict[str, int]
    pairs: tuple[PairAgreement, ...]
    confusions: tuple[Confusion, ...]
    classes: tuple[ClassAgreement, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


Ratings = Mapping[str, Mapping[str, str]]
"""Example -> annotator -> class name."""


def agreement_of(handle: RunHandle) -> Agreement:
    """Return how far the annotators of a run agree; see `Run.agreement`."""
    with handle.store.read() as session:
        handle.check_exists(session)
        opinions = held_opinions(session, handle.row.id)
    ratings = {key: {name: one.label for name, one in given.items()} for key, given in opinions.items()}
    if not any(len(given) > 1 for given in ratings.values()):
        raise AnnotationNeeded(_too_few(handle, opinions))
    return measure(ratings, handle.dataset.classes)


def opinions_frame(handle: RunHandle) -> pd.DataFrame:
    """Return the opinions that hold, in the order given.

    Returns
    -------
    DataFrame
        ``id, label, annotator, time``, and ``decided``: the run's label of the example, missing where there is none.
    """
    import pandas as pd

    with handle.store.read() as session:
        handle.check_exists(session)
        opinions = held_opinions(session, handle.row.id)
        labels = current_labels(session, handle.row.id, example_ids=opinions)
    held = sorted((one for given in opinions.values() for one in given.values()), key=lambda one: one.seq)
    decided = [labels[one.example_id].label if one.example_id in labels else None for one in held]
    columns: dict[str, list[str | None]] = {
        "id": [one.example_id for one in held],
        "label": [one.label for one in held],
        "annotator": [one.annotator for one in held],
        "time": [one.created_at for one in held],
        "decided": decided,
    }
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def measure(ratings: Ratings, classes: Sequence[str]) -> Agreement:
    """Return how far annotators agree.

    Parameters
    ----------
    ratings : mapping of example to mapping of annotator to class name
        At least one example has two or more. Who did not annotate an example is missing there.
    classes : sequence of str

    Raises
    ------
    SettingsError
        When NLTK is not installed, or has a limit that the classes pass.
    """
    units = {key: dict(given) for key, given in ratings.items() if len(given) > 1}
    values = [(name, key, label) for key, given in units.items() for name, label in given.items()]
    by_class, confusions = _pairs_of_labels(units, classes)
    n_pairs = sum(len(given) * (len(given) - 1) // 2 for given in units.values())
    return Agreement(
        alpha=_alpha(values),
        n_values=len(values),
        n_examples=len(units),
        n_single=sum(len(given) == 1 for given in ratings.values()),
        share_same=1 - sum(one.n for one in confusions) / n_pairs,
        annotators=dict(sorted(Counter(name for name, _, _ in values).items())),
        pairs=_pairs_of_people(units, classes),
        confusions=confusions,
        classes=by_class,
    )


def _alpha(values: list[tuple[str, str, str]]) -> float | None:
    if len({label for _, _, label in values}) == 1:  # nothing varies, so nothing can be told from chance
        return None
    try:
        from nltk.metrics.agreement import AnnotationTask
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"Krippendorff's alpha needs {error.name}, which is not installed; pip install 'alvin-studio[team]'"
        ) from error
    try:
        return float(AnnotationTask(values).alpha())
    except ValueError as error:
        raise SettingsError(f"NLTK does not compute alpha of these opinions: {error}") from error


def _pairs_of_people(units: Ratings, classes: Sequence[str]) -> tuple[PairAgreement, ...]:
    both: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for given in units.values():
        for first, second in combinations(sorted(given), 2):
            both.setdefault((first, second), []).append((given[first], given[second]))
    found = [
        PairAgreement(
            first, second, len(said), sum(one == other for one, other in said) / len(said), _kappa(said, classes)
        )
        for (first, second), said in both.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.n, one.first, one.second)))


def _kappa(said: Sequence[tuple[str, str]], classes: Sequence[str]) -> float | None:
    if len({label for pair in said for label in pair}) == 1:
        return None
    from sklearn.metrics import cohen_kappa_score

    first, second = zip(*said, strict=True)
    return float(cohen_kappa_score(first, second, labels=list(classes)))


def _pairs_of_labels(
    units: Ratings, classes: Sequence[str]
) -> tuple[tuple[ClassAgreement, ...], tuple[Confusion, ...]]:
    n_of_class, n_same, n_possible = Counter[str](), Counter[str](), Counter[str]()
    n_confused, examples = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for given in units.values():
        counted = Counter(given.values())
        for label, n in counted.items():
            n_of_class[label] += n
            n_same[label] += n * (n - 1)
            n_possible[label] += n * (len(given) - 1)
        for first, second in combinations(sorted(counted), 2):
            n_confused[first, second] += counted[first] * counted[second]
            examples[first, second] += 1
    by_class = tuple(
        ClassAgreement(label, n_of_class[label], n_same[label] / n_possible[label] if n_possible[label] else None)
        for label in classes
    )
    confused = sorted(n_confused.items(), key=lambda one: (-one[1], one[0]))
    return by_class, tuple(Confusion(labels, n, examples[labels]) for labels, n in confused)


def _too_few(handle: RunHandle, opinions: Opinions) -> str:
    name, overlap = handle.row.name, handle.settings.annotation.overlap
    if overlap == 1 and not opinions:
        return (
            f"the run {name!r} asks one person for each example (annotation.overlap = 1), so there is nothing to "
            "compare; make a run with --set annotation.overlap=2"
        )
    people = {annotator for given in opinions.values() for annotator in given}
    have = f"{len(opinions)} with one, all from {people.pop()}" if len(people) == 1 else f"{len(opinions)} with one"
    return f"no example of the run {name!r} has opinions of two annotators yet ({have}); annotate some more first"
