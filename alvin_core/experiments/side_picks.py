"""Examples that only one of several runs selected, each with the reason and with what the other models say of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alvin_core.experiments.side_rounds import SideRound
from alvin_core.experiments.side_values import SideAnchor, SidePick, SideView
from alvin_core.run.reasons import Facts, reason_for
from alvin_core.types import IntArray

__all__ = ["only_one", "picks_of"]


def only_one(rounds: Sequence[SideRound]) -> list[IntArray]:
    """Return, for each run, the places in its selection of examples that no other run selected, best first."""
    found: list[IntArray] = []
    for place, one in enumerate(rounds):
        others = [other.selected for number, other in enumerate(rounds) if number != place]
        found.append(np.flatnonzero(~np.isin(one.selected, np.concatenate(others))))
    return found


def picks_of(rounds: Sequence[SideRound], chosen_by: int, places: IntArray) -> list[SidePick]:
    """Return examples that one run selected, by their places in its selection."""
    return [_pick(rounds, chosen_by, int(place)) for place in places]


def _pick(rounds: Sequence[SideRound], chosen_by: int, place: int) -> SidePick:
    own = rounds[chosen_by]
    row = int(own.selected[place])
    strategy = next(iter(own.rankings))
    links = _links(own, place)
    anchor = _anchor(own, links)
    return SidePick(
        id=str(own.handle.dataset.ids[row]),
        texts=own.text_of(row),
        chosen_by=chosen_by,
        rank=place + 1,
        score=float(own.arrays["scores"][place]),
        ranks={
            name: (int(own.places[name][row]), len(ranking))
            for name, ranking in own.rankings.items()
            if name != strategy
        },
        anchor=anchor,
        reason=reason_for(_facts(own, row, links, anchor)),
        views=tuple(_view(one, row) for one in rounds),
    )


def _view(one: SideRound, row: int) -> SideView:
    strategy, ranking = next(iter(one.rankings.items()))
    at = np.asarray([row])
    return SideView(
        rank=int(one.places[strategy][row]),
        n_ranked=len(ranking),
        labeled=bool(one.is_labeled[row]),
        selected=bool((one.selected == row).any()),
        predicted=one.handle.dataset.classes[int(one.probs[row].argmax())],
        confidence=float(one.confidence_of(at)[0]),
        entropy=float(one.entropy_of(at)[0]),
    )


def _links(one: SideRound, place: int) -> IntArray:
    """Return the links of a selected example to the anchors that retrieved it, nearest first."""
    found: IntArray = np.flatnonzero(one.arrays.get("link_places", np.empty(0, dtype=np.int32)) == place)
    return found


def _anchor(one: SideRound, links: IntArray) -> SideAnchor | None:
    if not len(links):
        return None
    arrays, dataset = one.arrays, one.handle.dataset
    link = int(links[0])
    anchor = int(arrays["link_anchors"][link])
    first, second = (int(arrays[f"anchor_{name}_rows"][anchor]) for name in ("minority", "majority"))
    return SideAnchor(
        class_=dataset.classes[int(arrays["anchor_classes"][anchor])],
        distance=float(arrays["link_distances"][link]),
        weight=float(arrays["anchor_weights"][anchor]),
        minority_id=str(dataset.ids[first]),
        majority_id=str(dataset.ids[second]),
        minority_text=" | ".join(one.text_of(first)),
        majority_text=" | ".join(one.text_of(second)),
    )


def _facts(one: SideRound, row: int, links: IntArray, anchor: SideAnchor | None) -> Facts:
    """Gather what the sentence on a selected example is made of."""
    settings, classes = one.settings, one.handle.dataset.classes
    strategy, ranking = next(iter(one.rankings.items()))
    found = one.arrays["anchor_classes"][one.arrays["link_anchors"][links]] if len(links) else links
    of_class = np.bincount(found).tolist()
    return Facts(
        split="pool",
        strategy=settings.strategy,
        rank=settings.alvin.rank,
        pairing=settings.alvin.pairing,
        is_approximate=settings.alvin.backend == "faiss-hnsw",
        budget=settings.budget,
        place=int(one.places[strategy][row]),
        n_ranked=len(ranking),
        is_selected=True,
        n_selected=len(one.selected),
        label=None,
        is_minority=None,
        n_anchors=len(one.arrays.get("anchor_weights", ())) if anchor is not None else 0,
        n_as_parent=0,
        n_retrieving=len(links),
        retrieving_classes={classes[code]: count for code, count in enumerate(of_class) if count},
        k=None,
        nearest=None if anchor is None else (anchor.distance, float("nan")),
    )
