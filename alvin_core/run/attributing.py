"""Which words of a text a round's model goes by, with a check that it does go by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alvin_core.errors import DataError, SettingsError
from alvin_core.run.asked import asked_model
from alvin_core.run.looking import row_of, texts_of
from alvin_core.run.models import ModelShelf, RoundModel
from alvin_core.run.words import Word, placed_words, text_without
from alvin_core.shown import shown
from alvin_core.types import Float32Array, FloatArray

__all__ = ["METHODS", "Faithfulness", "attribution", "check_faithfulness", "occlude", "sum_over_words"]

METHODS = ("integrated-gradients", "occlusion")
N_REMOVED = 3  # [ours] words taken out in the check of faithfulness
N_DRAWS = 20  # [ours] random choices of as many words
MOST_OCCLUDED = 512  # words taken out one at a time; an encoder reads hardly more

Predict = Callable[[Sequence[tuple[str, ...]]], Float32Array]
Words = list[list[Word]]  # of each text of an example


@dataclass(frozen=True)
class Faithfulness:
    """What taking out the words with the highest scores does to a class's probability.

    Attributes
    ----------
    k : int
        Words taken out.
    words : tuple of str
        Those with the highest scores, highest first.
    p, p_top, p_random : float
        The class's probability with all words, without these, and without as many random ones (the mean over draws).
    n_draws : int
    n_weaker : int
        Draws whose words lower the probability less than these.

    Notes
    -----
    ``p - p_top`` is the comprehensiveness of DeYoung et al. (2020), "ERASER".
    """

    k: int
    words: tuple[str, ...]
    p: float
    p_top: float
    p_random: float
    n_draws: int
    n_weaker: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON, with the two drops."""
        return {
            "k": self.k,
            "words": list(self.words),
            "p": self.p,
            "p_top": self.p_top,
            "p_random": self.p_random,
            "drop_top": self.p - self.p_top,
            "drop_random": self.p - self.p_random,
            "n_draws": self.n_draws,
            "n_weaker": self.n_weaker,
        }


def attribution(models: ModelShelf, params: Mapping[str, Any]) -> dict[str, Any]:
    """Score the words of one example by what they do for a class.

    Parameters
    ----------
    models : ModelShelf
    params : mapping
        ``run``, ``round``; ``id`` of an example or ``text``, a list of one or two texts; ``method``
        (``integrated-gradients``, the default, or ``occlusion``); ``class``, a class's name, else the predicted one.

    Returns
    -------
    dict
        ``class``, ``p`` (its probability), ``predicted``, ``method``; ``texts``: for each text its words and signs as
        ``text, start, end`` (characters), ``score`` (above 0: for the class) and ``is_word``; ``faithfulness`` as
        `Faithfulness` has it, None of a text with fewer than two words; ``completeness``, of integrated gradients:
        ``start``, ``end``, ``sum``, ``error`` and ``n_steps``, else None; ``notes``: what was left out.

    Raises
    ------
    RunNotFoundError, StoreError
        When there is no such run or round, or its model cannot be made again.
    DataError
        When there is no such example or class, or the text cannot be read as an example of this run.
    SettingsError
        When there is no such method, or captum is not installed.
    EncoderError
        When the tokenizer does not tell where its tokens are in the text.
    """
    method = params.get("method", METHODS[0])
    if method not in METHODS:
        raise SettingsError(f"the method {shown(method)} is unknown; choose {' or '.join(METHODS)}")
    model = models.get(*asked_model(params))
    texts = _texts(model, params)
    probs = model.probs([texts])[0]
    class_ = _class(model, params.get("class"), int(probs.argmax()))
    words = [placed_words(text) for text in texts]
    notes: list[str] = []
    if method == "occlusion":
        scores, completeness = occlude(model.probs, texts, words, class_, notes), None
    else:
        scores, completeness = _integrate(model, texts, words, class_, notes)
    checked = check_faithfulness(model.probs, texts, words, scores, class_)
    return {
        "class": model.classes[class_],
        "p": float(probs[class_]),
        "predicted": model.classes[int(probs.argmax())],
        "method": method,
        "texts": [_listed(*one) for one in zip(words, scores, strict=True)],
        "faithfulness": None if checked is None else checked.to_dict(),
        "completeness": completeness,
        "notes": notes,
    }


def occlude(
    predict: Predict, texts: tuple[str, ...], words: Words, class_: int, notes: list[str] | None = None
) -> list[FloatArray]:
    """Score each word by how much the class's probability falls when it alone is taken out.

    Parameters
    ----------
    predict : callable
        Texts -> probabilities of shape (n, n_classes).
    texts : tuple of str
    words : list of list of Word
        Of each text.
    class_ : int
    notes : list of str, optional
        Is told when there are too many words to try: those from the 513th on score 0.

    Returns
    -------
    list of float arrays of shape (n_words,)

    Notes
    -----
    Li, Monroe & Jurafsky (2016), "Understanding neural networks through representation erasure".
    """
    tried = [(part, place) for part, found in enumerate(words) for place in range(len(found))]
    if len(tried) > MOST_OCCLUDED:
        if notes is not None:
            notes.append(f"only the first {MOST_OCCLUDED} of {len(tried):,} words and signs were tried")
        tried = tried[:MOST_OCCLUDED]
    scores: list[FloatArray] = [np.zeros(len(found)) for found in words]
    probs = predict([texts, *(_without(texts, words, [one]) for one in tried)])[:, class_]
    for (part, place), p in zip(tried, probs[1:], strict=True):
        scores[part][place] = float(probs[0]) - float(p)
    return scores


def sum_over_words(
    places: Sequence[Sequence[tuple[int, int, int] | None]], scores: Sequence[FloatArray], words: Words
) -> tuple[list[FloatArray], int]:
    """Add the scores of tokens up to those of words.

    Parameters
    ----------
    places : sequences of (text, first character, last character) or None
        Of each sequence's tokens; a token counts for the word that it overlaps most, one that is None for none.
    scores : sequence of float arrays of shape (n_tokens,)
    words : list of list of Word
        Of each text.

    Returns
    -------
    list of float arrays of shape (n_words,)
    int
        Words that no token is of: the encoder did not read them.
    """
    totals: list[FloatArray] = [np.zeros(len(found)) for found in words]
    is_read = [np.zeros(len(found), dtype=bool) for found in words]
    for where, values in zip(places, scores, strict=True):
        for place, value in zip(where, values, strict=True):
            if place is None:
                continue
            part, start, end = place
            shared = [min(end, word.end) - max(start, word.start) for word in words[part]]
            best = int(np.argmax(shared)) if shared else -1
            if best >= 0 and shared[best] > 0:
                totals[part][best] += float(value)
                is_read[part][best] = True
    return totals, int(sum((~read).sum() for read in is_read))


def check_faithfulness(
    predict: Predict, texts: tuple[str, ...], words: Words, scores: Sequence[FloatArray], class_: int
) -> Faithfulness | None:
    """Take the words with the highest scores out, and as many random ones, and compare.

    Parameters
    ----------
    predict : callable
        Texts -> probabilities of shape (n, n_classes).
    texts : tuple of str
    words : list of list of Word
        Of each text; signs stay where they are.
    scores : sequence of float arrays of shape (n_words,)
    class_ : int

    Returns
    -------
    Faithfulness or None
        None of fewer than two words: there is nothing to choose between. The draws are the same ones every time.
    """
    tried = [(part, place) for part, found in enumerate(words) for place, one in enumerate(found) if one.is_word]
    if len(tried) < 2:
        return None
    k = min(N_REMOVED, len(tried) - 1)
    top = sorted(tried, key=lambda one: -float(scores[one[0]][one[1]]))[:k]
    rng = np.random.default_rng(0)
    drawn = [[tried[place] for place in rng.choice(len(tried), k, replace=False)] for _ in range(N_DRAWS)]
    probs = predict([texts, *(_without(texts, words, removed) for removed in (top, *drawn))])[:, class_].astype(float)
    return Faithfulness(
        k=k,
        words=tuple(words[part][place].text for part, place in top),
        p=float(probs[0]),
        p_top=float(probs[1]),
        p_random=float(probs[2:].mean()),
        n_draws=N_DRAWS,
        n_weaker=int((probs[2:] > probs[1]).sum()),
    )


def _integrate(
    model: RoundModel, texts: tuple[str, ...], words: Words, class_: int, notes: list[str]
) -> tuple[list[FloatArray], dict[str, Any]]:
    from alvin_core.device import apply_threads
    from alvin_core.run.whole_model import EmbeddedExample, integrate_gradients

    apply_threads(model.plan.threads)
    example = EmbeddedExample(model, texts)
    found = integrate_gradients(example, example.embeddings(), example.baselines(), class_)
    scores, n_unread = sum_over_words(example.places, found.scores, words)
    if n_unread:
        n_words = sum(map(len, words))
        notes.append(
            f"{n_unread:,} of {n_words:,} words and signs are not read: the encoder takes {model.encoder.max_length} "
            "tokens of a text"
        )
    return scores, {
        "start": found.start,
        "end": found.end,
        "sum": float(sum(one.sum() for one in found.scores)),
        "error": found.error,
        "n_steps": found.n_steps,
    }


def _texts(model: RoundModel, params: Mapping[str, Any]) -> tuple[str, ...]:
    if (params.get("id") is None) == (params.get("text") is None):
        raise DataError("an attribution is of one example: give its 'id', or its 'text'")
    if params.get("id") is not None:
        return texts_of(model.handle, [row_of(model.handle, str(params["id"]))])[0]
    given = params["text"]
    if isinstance(given, str) or not all(isinstance(one, str) for one in given):
        raise DataError("'text' is a list of one or two texts")
    return tuple(given)


def _class(model: RoundModel, name: str | None, predicted: int) -> int:
    if name is None:
        return predicted
    if name not in model.classes:
        raise DataError(f"the run has no class {name!r}; its classes are {', '.join(model.classes)}")
    return model.classes.index(name)


def _without(texts: tuple[str, ...], words: Words, removed: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return texts without some words, each given as (text, place among its words)."""
    return tuple(
        text_without(text, [words[part][place] for of, place in removed if of == part])
        for part, text in enumerate(texts)
    )


def _listed(words: list[Word], scores: FloatArray) -> list[dict[str, Any]]:
    return [
        {"text": one.text, "start": one.start, "end": one.end, "score": float(score), "is_word": one.is_word}
        for one, score in zip(words, scores, strict=True)
    ]
