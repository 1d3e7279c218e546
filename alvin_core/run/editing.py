"""Counterfactual predictions: what a round's model makes of texts that are not in the data, such as edits of one.

Kaushik et al. (2020), "Learning the difference that makes a difference with counterfactually-augmented data", have
people change as little of a text as flips its label; here the model is asked at once what it makes of such a change.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alvin_core.data.dataset import UNLABELED
from alvin_core.errors import DataError, SettingsError
from alvin_core.projection import Space
from alvin_core.run.asked import asked_model, whole
from alvin_core.run.held import held_classes
from alvin_core.run.looking import texts_of
from alvin_core.run.measuring import nearest_places, round_space
from alvin_core.run.models import ModelShelf, RoundModel
from alvin_core.run.projecting import place_vectors, stored_projection
from alvin_core.run.words import placed_words
from alvin_core.shown import shown
from alvin_core.strategies.ranking import entropy_of
from alvin_core.types import Float32Array

__all__ = ["counterfactual", "texts_in"]

N_NEAREST = 5
MOST_NEAREST = 100
LONGEST_QUOTE = 300  # characters of a neighbour's text
SPACES: tuple[Space, ...] = ("model", "encoder")


def counterfactual(models: ModelShelf, params: Mapping[str, Any]) -> dict[str, Any]:
    """Predict texts with a round's model and find where they lie among the pool.

    Parameters
    ----------
    models : ModelShelf
    params : mapping
        ``run`` (id or name), ``round``, ``texts`` (a list of lists of one or two texts); optionally ``k`` (how many
        neighbours, 5), ``without`` (the id of an example that is no neighbour, such as the one that was edited),
        ``vectors`` and ``words`` (whether to return them).

    Returns
    -------
    dict
        ``classes``; for each text ``probs`` (of each class), ``predicted`` (a class's name), ``entropy`` (nats) and
        ``nearest``: the nearest pool examples by true distance in the round's space, as ``id, text, distance, label``
        (that the round trained on, else None) and ``predicted``. ``places``: space -> places on the stored map of that
        space, only where there is one: the barycentre of the ten true neighbours. ``vectors``, where asked for:
        float32, row by row, in base64. ``words``, where asked for: of each text of each example, as
        ``text, start, end`` in characters, without punctuation. ``seconds``: what making the model took.

    Raises
    ------
    RunNotFoundError, StoreError
        When there is no such run or round, or its model cannot be made again.
    DataError
        When a text cannot be read as an example of this run, or there is no example ``without``.
    SettingsError
        When ``k`` is out of range, or the run, the round or ``without`` is none.
    """
    k = whole(params, "k", N_NEAREST, 1, MOST_NEAREST)
    without = params.get("without")
    if without is not None and not isinstance(without, str):
        raise SettingsError(f"without = {shown(without)} must be the id of an example, or nothing")
    texts = texts_in(params.get("texts"))
    model = models.get(*asked_model(params))
    probs, vectors = model.read(texts)
    names = np.asarray(model.classes, dtype=object)
    answer = {
        "classes": list(model.classes),
        "probs": probs.tolist(),
        "predicted": names[probs.argmax(axis=1)].tolist(),
        "entropy": entropy_of(probs).tolist(),
        "nearest": _nearest(model, vectors, k, without),
        "places": _places(model, vectors),
        "seconds": model.seconds,
    }
    if params.get("vectors"):
        answer["vectors"] = base64.b64encode(vectors.astype("<f4").tobytes()).decode("ascii")
    if params.get("words"):
        answer["words"] = [[_words(text) for text in parts] for parts in texts]
    return answer


def texts_in(given: Any) -> list[tuple[str, ...]]:
    """Read texts as questions carry them: a list of examples, each a list of one or two texts.

    Raises
    ------
    DataError
        When they are anything else.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise DataError(f"texts are a list of lists of one or two texts, not {type(given).__name__}")
    for parts in given:
        if not isinstance(parts, Sequence) or isinstance(parts, str) or not all(isinstance(one, str) for one in parts):
            raise DataError("texts are a list of lists of one or two texts: [['a film'], ['a good film']]")
    return [tuple(parts) for parts in given]


def _nearest(model: RoundModel, vectors: Float32Array, k: int, without: str | None) -> list[list[dict[str, Any]]]:
    """Find the k nearest pool examples of each vector, by true distance."""
    handle, dataset = model.handle, model.handle.dataset
    space = round_space(handle, model.stored, model.arrays)
    among = np.asarray(dataset.splits[space.rows] == "pool")
    if without is not None:
        if without not in handle.row_of_id:
            raise DataError(f"the run {handle.row.name!r} has no example {without!r} to leave out")
        among &= space.rows != handle.row_of_id[without]
    found = nearest_places(space, vectors, k, among=among)
    held = held_classes(handle, model.stored.last_seq)[0]
    classes, probs = dataset.classes, model.arrays["probs"]
    answers = []
    for places, distances in found:
        rows = space.rows[places]
        answers.append(
            [
                {
                    "id": str(dataset.ids[row]),
                    "text": " ⫽ ".join(parts)[:LONGEST_QUOTE],
                    "distance": float(distance),
                    "label": None if held[row] == UNLABELED else classes[held[row]],
                    "predicted": classes[int(probs[row].argmax())],
                }
                for row, distance, parts in zip(rows.tolist(), distances, texts_of(handle, rows), strict=True)
            ]
        )
    return answers


def _words(text: str) -> list[dict[str, Any]]:
    return [{"text": one.text, "start": one.start, "end": one.end} for one in placed_words(text) if one.is_word]


def _places(model: RoundModel, vectors: Float32Array) -> dict[str, list[list[float]]]:
    """Place vectors on each stored map; on the encoder's as well their neighbours are those of the round's space."""
    round_no = model.stored.round_no
    maps = {space: stored_projection(model.handle, round_no, space) for space in SPACES}
    return {
        space: place_vectors(model.handle, round_no, vectors, stored).tolist()
        for space, stored in maps.items()
        if stored is not None
    }
