from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from alvin_core.errors import DataError, EncoderError, SettingsError
from alvin_core.run import attributing
from alvin_core.run.attributing import attribution, check_faithfulness, occlude, sum_over_words
from alvin_core.run.models import ModelShelf
from alvin_core.run.words import placed_words


def weighing(texts: Any) -> Any:
    """A model of two classes that counts words: the second one's probability grows by a fixed amount with each."""
    weights = {"great": 0.4, "fine": 0.2, "bad": -0.3}
    p = np.asarray([0.5 + sum(weights.get(word, 0.0) for part in parts for word in part.split()) for parts in texts])
    return np.stack([1 - p, p], axis=1)


def test_a_word_that_is_left_out_scores_what_the_class_loses() -> None:
    texts = ("a great film", "bad , but fine")
    words = [placed_words(text) for text in texts]
    scores = occlude(weighing, texts, words, 1)
    assert np.allclose(scores[0], [0, 0.4, 0])
    assert np.allclose(scores[1], [-0.3, 0, 0, 0.2])
    assert np.allclose(occlude(weighing, texts, words, 0)[0], [0, -0.4, 0])


def test_of_many_words_the_first_are_tried_and_the_rest_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributing, "MOST_OCCLUDED", 2)
    notes: list[str] = []
    scores = occlude(weighing, ("great fine bad",), [placed_words("great fine bad")], 1, notes)
    assert np.allclose(scores[0], [0.4, 0.2, 0])
    assert notes == ["only the first 2 of 3 words and signs were tried"]


def test_the_scores_of_tokens_add_up_to_those_of_the_words_they_overlap_most() -> None:
    words = [placed_words("unlikely , yes"), placed_words("北京 no")]
    places = [[None, (0, 0, 2), (0, 2, 8), (0, 9, 10), (0, 10, 14), None, (1, 0, 2), (1, 2, 3), None]]
    scores, n_unread = sum_over_words(places, [np.asarray([9.0, 1, 2, 4, 8, 9, 16, 32, 9])], words)
    assert [one.tolist() for one in scores] == [[3, 4, 8], [16, 0, 0]]
    assert (
        n_unread == 2
    )  # "京" shares its token with "北", which is first; the space's token is of no word, nor is "no"


def test_faithfulness_is_what_taking_words_out_does_worked_out_by_brute_force() -> None:
    texts = ("a great film , fine cast", "bad end")
    words = [placed_words(text) for text in texts]
    scores = [np.asarray([0.0, 0.4, 0.0, 9.0, 0.2, 0.1]), np.asarray([-0.3, 0.0])]
    found = check_faithfulness(weighing, texts, words, scores, 1)
    assert found is not None
    assert (found.k, found.words) == (3, ("great", "fine", "cast"))  # the comma is no word
    assert found.p == pytest.approx(0.8)
    assert found.p_top == pytest.approx(0.2)
    rng = np.random.default_rng(0)
    names = ["a", "great", "film", "fine", "cast", "bad", "end"]
    left = [
        0.8 - sum({"great": 0.4, "fine": 0.2, "bad": -0.3}.get(names[place], 0) for place in rng.choice(7, 3, False))
        for _ in range(20)
    ]
    assert found.p_random == pytest.approx(np.mean(left))
    assert found.n_weaker == sum(one > 0.2 + 1e-9 for one in left)
    assert found.to_dict()["drop_top"] == pytest.approx(0.6)
    assert found.to_dict()["drop_random"] == pytest.approx(0.8 - np.mean(left))


def test_fewer_words_are_taken_out_of_a_short_text_and_none_of_one_word() -> None:
    found = check_faithfulness(weighing, ("great film",), [placed_words("great film")], [np.asarray([0.4, 0.0])], 1)
    assert found is not None
    assert (found.k, found.words) == (1, ("great",))
    assert check_faithfulness(weighing, ("great !",), [placed_words("great !")], [np.asarray([0.4, 0.0])], 1) is None


def test_integrated_gradients_of_known_functions_are_those_worked_out_by_hand() -> None:
    import torch

    from alvin_core.run.whole_model import integrate_gradients

    weight = torch.tensor([2.0, -1.0])
    here = torch.tensor([[[1.0, 3.0], [2.0, 0.5]]])
    base = torch.tensor([[[0.5, 0.5], [0.0, 0.0]]])

    def linear(values: Any) -> Any:
        total = (values @ weight).sum(dim=1)
        return torch.stack([total, -total], dim=1)

    found = integrate_gradients(linear, [here], [base], 0)
    # w · (x - b): 2 · 0.5 - 2.5 and 2 · 2 - 0.5
    assert np.allclose(found.scores[0], [-1.5, 3.5])
    assert found.error < 1e-6
    assert np.allclose(integrate_gradients(linear, [here], [base], 1).scores[0], [1.5, -3.5])

    def product(one: Any, other: Any) -> Any:
        return (one * other).sum(dim=(1, 2))[:, None]

    # From 0, x · y is shared in equal parts: each token's is half of its products.
    zero = torch.zeros_like(here)
    parts = integrate_gradients(product, [here, here + 1], [zero, zero], 0).scores
    assert np.allclose(parts, [[(1 * 2 + 3 * 4) / 2, (2 * 3 + 0.5 * 1.5) / 2]] * 2)


def test_steps_are_doubled_until_the_scores_add_up() -> None:
    import torch

    from alvin_core.run.whole_model import FEWEST_STEPS, MOST_STEPS, integrate_gradients

    def steep(values: Any) -> Any:
        return torch.sigmoid(4000 * (values.sum(dim=(1, 2)) - 0.3))[:, None]

    one = torch.ones((1, 1, 1))
    found = integrate_gradients(steep, [one], [torch.zeros_like(one)], 0)
    assert FEWEST_STEPS < found.n_steps <= MOST_STEPS
    assert (found.start, found.end) == (0.0, 1.0)
    assert found.error == pytest.approx(abs(found.scores[0].sum() - 1.0))


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("depth", [0, 1, "all"])
def test_of_a_trained_model_the_words_explain_all_of_the_prediction(
    tmp_path: Path, fake: ModuleType, make_run: Any, depth: Any, pairs: bool
) -> None:
    changes = {"training__trainable_layers": depth} | ({"encoder__pair_encoding": "separate"} if depth == 0 else {})
    run = make_run(tmp_path, fake.make_dataset(24, 6, pairs=pairs), rounds=0, **changes)
    shelf = ModelShelf(tmp_path)
    answer = attribution(shelf, {"run": run.id, "round": 0, "id": "e00007"})
    whole, row = answer["completeness"], run.examples(0).iloc[7]
    assert answer["class"] == answer["predicted"] == row["predicted"]
    assert answer["p"] == pytest.approx(row["confidence"], abs=2e-3)
    assert whole["end"] == pytest.approx(answer["p"], abs=2e-3)  # the gradients are those of this very model
    assert whole["error"] <= 0.01
    scores = [one["score"] for part in answer["texts"] for one in part]
    assert sum(scores) == pytest.approx(whole["sum"])
    assert any(scores)
    texts = run.texts([7])[0]
    for text, part in zip(texts, answer["texts"], strict=True):
        assert [text[one["start"] : one["end"]] for one in part] == [one["text"] for one in part]
    assert answer["faithfulness"]["k"] == 3
    assert answer["notes"] == []
    other = attribution(shelf, {"run": run.id, "round": 0, "text": list(texts), "class": "neg"})
    assert other["class"] == "neg"
    sign = 1 if answer["class"] == "neg" else -1  # of two classes one gains what the other loses
    assert np.allclose([one["score"] for part in other["texts"] for one in part], np.multiply(sign, scores), atol=1e-6)


def test_occlusion_asks_the_model_itself(tmp_path: Path, fake: ModuleType, make_run: Any, model_of: Any) -> None:
    run = make_run(tmp_path, fake.make_dataset(24, 6), rounds=0)
    answer = attribution(
        ModelShelf(tmp_path), {"run": run.id, "round": 0, "text": ["text 7 comma"], "method": "occlusion"}
    )
    class_ = run.dataset.classes.index(answer["class"])
    p = model_of(run, 0).probs([("text 7 comma",), ("7 comma",), ("text comma",), ("text 7",)])[:, class_]
    assert np.allclose([one["score"] for one in answer["texts"][0]], p[0] - p[1:], atol=1e-6)
    assert answer["completeness"] is None


def test_words_behind_the_last_token_that_is_read_are_told_of(tmp_path: Path, fake: ModuleType, make_run: Any) -> None:
    run = make_run(tmp_path, fake.make_dataset(24, 6), rounds=0, encoder__max_length=8)
    answer = attribution(ModelShelf(tmp_path), {"run": run.id, "round": 0, "text": ["a text with a comma 1 2 3 4"]})
    assert answer["notes"] == ["3 of 9 words and signs are not read: the encoder takes 8 tokens of a text"]
    assert [one["score"] for one in answer["texts"][0][6:]] == [0, 0, 0]


def test_what_cannot_be_answered_is_refused_with_the_reason(tmp_path: Path, fake: ModuleType, make_run: Any) -> None:
    run, shelf = make_run(tmp_path, fake.make_dataset(24, 6), rounds=0), ModelShelf(tmp_path)
    about = {"run": run.id, "round": 0}
    for more, error, message in (
        ({"id": "e00007", "method": "tea leaves"}, SettingsError, "choose integrated-gradients or occlusion"),
        ({}, DataError, "give its 'id', or its 'text'"),
        ({"id": "e00007", "text": ["a"]}, DataError, "give its 'id', or its 'text'"),
        ({"id": "nobody"}, DataError, "no example 'nobody'"),
        ({"text": "a"}, DataError, "a list of one or two texts"),
        ({"text": ["a", "b"]}, DataError, "single texts"),
        ({"id": "e00007", "class": "maybe"}, DataError, "no class 'maybe'; its classes are neg, pos"),
    ):
        with pytest.raises(error, match=message):
            attribution(shelf, {**about, **more})
    model = shelf.get(run.id, 0)
    is_fast = type(model.encoder.reader.tokenizer).is_fast
    try:
        type(model.encoder.reader.tokenizer).is_fast = False
        with pytest.raises(EncoderError, match="use the method 'occlusion'"):
            attribution(shelf, {**about, "id": "e00007"})
    finally:
        type(model.encoder.reader.tokenizer).is_fast = is_fast


def test_without_captum_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from alvin_core.run.whole_model import integrate_gradients

    monkeypatch.setitem(sys.modules, "captum.attr", None)
    one = torch.ones((1, 1, 1))
    with pytest.raises(SettingsError, match=r"pip install captum"):
        integrate_gradients(lambda values: values[:, 0], [one], [one], 0)
