"""The most likely cause of a round that came out otherwise: from where it parts, and what is recorded as changed."""

from __future__ import annotations

from collections.abc import Sequence

from alvin_core.run.environment import ChangedFact
from alvin_core.run.stages import StageComparison

__all__ = ["likely_cause"]

# What a stage's numbers come from, the likeliest first: names of facts, or kinds of them.
ENCODING = (
    "encoder",
    "inference_dtype",
    "device",
    "name",
    "transformers",
    "tokenizers",
    "torch",
    "processor",
    "library",
)
ARITHMETIC = ("trainer", "device", "name", "torch", "threads", "processor", "library", "variable", "numpy", "source")
SELECTING = ("source", "alvin-studio", "slice", "numba", "llvmlite", "faiss-cpu", "scikit-learn", "numpy", "threads")
OF_STAGE = {
    "labels": (),
    "encoding": ENCODING,
    "training": ARITHMETIC,
    "predictions": ("inference_dtype", *ARITHMETIC),
    "representations": ("inference_dtype", *ENCODING, *ARITHMETIC),
    "groups": SELECTING,
    "anchors": SELECTING,
    "neighbours": (*SELECTING, "device", "processor"),
    "scores": (*SELECTING, "device", "processor"),
    "selection": SELECTING,
}
LAST = ("package", "files of", "source", "python", "platform", "machine")
WHAT = {
    "encoder": "the weights or the tokenizer of the encoder are others",
    "inference_dtype": "texts are encoded in another number format",
    "device": "another kind of device computes, and adds in another order",
    "name": "another device computes",
    "threads": "another number of threads splits sums otherwise",
    "trainer": "another version of the trainer trains to another model",
    "processor": "another processor takes other instructions, and rounds otherwise",
    "library": "another library of linear algebra adds in another order",
    "variable": "a variable makes a library compute otherwise",
    "source": "the code of this program is another",
    "alvin-studio": "this program has another version",
    "slice": "the slice that is selected from has other members",
    "package": "a package has another version",
    "files of": "a package of the same version has other files",
    "python": "Python has another version",
    "platform": "the system is another",
    "machine": "the machine is of another kind",
}
SMALL = 1e-3  # a difference of probabilities that other roundings explain, and other random draws do not


def likely_cause(stages: Sequence[StageComparison], changed: Sequence[ChangedFact]) -> str:
    """Say in words what most likely made the first stage that differs come out otherwise.

    Parameters
    ----------
    stages : sequence of StageComparison
        At least one of them differs.
    changed : sequence of ChangedFact
    """
    first = next(one for one in stages if one.same is False)
    if first.stage == "labels":
        return "the label log was changed after the round; `alvin verify` tells where, and a backup has what was"
    found = _likeliest(first, stages, changed)
    if found is None:
        return _nothing_changed(first, stages)
    words = f"{WHAT[found.name if found.name in WHAT else found.kind]} ({found})"
    if first.stage == "training" and first.largest is not None and first.largest > SMALL and found.name != "trainer":
        return f"{words}; differences this large mean other random draws, or small ones that grew over many steps"
    return words


def _likeliest(
    first: StageComparison, stages: Sequence[StageComparison], changed: Sequence[ChangedFact]
) -> ChangedFact | None:
    # Where nothing was recorded of the encoding, it may be what parts first.
    unknown = ENCODING if any(one.stage == "encoding" and one.same is None for one in stages) else ()
    for wanted in (*unknown, *OF_STAGE[first.stage], *LAST):
        for one in changed:
            if wanted in (one.name, one.kind):
                return one
    return None


def _nothing_changed(first: StageComparison, stages: Sequence[StageComparison]) -> str:
    """Say what it can be where every recorded fact is as it was."""
    known = "everything that is recorded of machine and versions is as it was"
    if first.stage == "encoding":
        return f"{known}: the cached encoding was made elsewhere or is damaged; delete the store's folder 'cache'"
    if first.stage in ("training", "predictions", "representations"):
        unknown = " (of the encoding nothing was recorded)" if any(one.same is None for one in stages) else ""
        if first.largest is None or first.largest <= SMALL:
            return (
                f"{known}{unknown}: an operation that does not repeat exactly (a GPU's, most often), or faulty memory"
            )
        return f"{known}{unknown}: other random draws, or arrays that were changed; `alvin verify` looks at those"
    return f"{known}: the round's arrays were changed after it, as `alvin verify` would tell, or memory is faulty"
