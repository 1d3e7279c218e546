"""Why a round selected an example, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass

from alvin_core.errors import DataError, SettingsError
from alvin_core.run.cases import AnchorReason, Case
from alvin_core.run.handle import RunHandle
from alvin_core.run.looking import row_of
from alvin_core.run.reasons import reason_for
from alvin_core.settings import RunSettings
from alvin_core.strategies.ranking import entropy_of

__all__ = ["AnchorReason", "Explanation", "explain_example"]


@dataclass(frozen=True)
class Explanation:
    """Why a round selected an example, or why it did not.

    Attributes
    ----------
    id : str
    round_no : int
    split : str
    labeled : bool
        Whether the round trained on it.
    selected : bool
    is_candidate : bool
        Whether the round's strategy ranked it: for ALVIN, whether an anchor retrieved it.
    label : str or None
        The label that the round trained on, or, in an evaluation split, that it was measured by. An oracle's answer is
        never here early.
    label_now : str or None
        The label that holds now: also one that was given after the round.
    is_minority : bool or None
        The inferred group of a labeled example.
    predicted : str
    confidence, entropy : float
        The largest probability, and the entropy in nats.
    strategy : str
        The round's own.
    budget : int
    k : int or None
        Neighbors that each anchor retrieved; None for strategies without anchors.
    pairing : str or None
        How anchors were paired, ``alvin.pairing``; None without anchors.
    ranks : dict of str to (int, int)
        Strategy -> the place it gave the example, from 1, and how many it ranked; place 0 where it ranked others only.
        The round's own comes first.
    n_anchors : int
        How many anchors retrieved it.
    anchors : tuple of AnchorReason
        Those nearest to it, nearest first, whether or not they retrieved it; for a selected example, those that did.
        Of an example that was retrieved at least one did. None for labeled examples and evaluation splits.
    reason : str
        One plain sentence.
    written_by, made_of : str or None
        Of an example that a person added to the run: who, and the example that it is an edit of.
    """

    id: str
    round_no: int
    split: str
    labeled: bool
    selected: bool
    is_candidate: bool
    label: str | None
    label_now: str | None
    is_minority: bool | None
    predicted: str
    confidence: float
    entropy: float
    strategy: str
    budget: int
    k: int | None
    pairing: str | None
    ranks: dict[str, tuple[int, int]]
    n_anchors: int
    anchors: tuple[AnchorReason, ...]
    reason: str
    written_by: str | None = None
    made_of: str | None = None

    def __post_init__(self) -> None:
        distances = [one.distance for one in self.anchors]
        if distances != sorted(distances):
            raise ValueError(f"Explanation: anchors must be ordered by distance, found {distances}")
        if any(place > n_ranked for place, n_ranked in self.ranks.values()):
            raise ValueError(f"Explanation: a place beyond the number ranked in {self.ranks}")


def explain_example(handle: RunHandle, round_no: int, example_id: str, n_anchors: int = 3) -> Explanation:
    """Return why a round selected an example, or why it did not.

    Parameters
    ----------
    handle : RunHandle
    round_no : int
    example_id : str
        Any example of the data set.
    n_anchors : int
        How many anchors to show, at most.

    Raises
    ------
    StoreError
        When there is no such round.
    DataError
        When there is no such example, or it was added after the round.
    SettingsError
        When ``n_anchors`` is negative.

    Notes
    -----
    The anchors of a selected example are stored with the round. Those near any other are measured: the distance to all
    by the identity of a point on a segment, then, for the few that are shown, by differences, with each one's reach.
    """
    if n_anchors < 0:
        raise SettingsError(f"n_anchors = {n_anchors} is out of range: it must be at least 0")
    row = row_of(handle, example_id)
    stored, arrays = handle.round(round_no)
    if row >= len(arrays["probs"]):
        raise DataError(
            f"the example {example_id!r} was added after round {round_no}, which knows nothing of it; ask for a later "
            "round, or train the next one"
        )
    case = Case.of(handle, stored, arrays, row)
    anchors = case.anchors(n_anchors)
    # The sentence names the nearest anchor even when none is to be shown.
    nearest = anchors[:1] or case.anchors(1)
    probs = arrays["probs"][[row]]
    settings = RunSettings.from_dict(stored.settings)
    reason = reason_for(case.facts(settings, nearest[0] if nearest else None))
    return Explanation(
        id=example_id,
        round_no=round_no,
        split=case.split,
        labeled=case.is_labeled,
        selected=case.is_selected,
        is_candidate=case.own_rank[0] > 0,
        label=case.label_of(row),
        label_now=case.label_now(),
        is_minority=case.is_minority(row) if case.is_labeled else None,
        predicted=handle.dataset.classes[int(probs.argmax())],
        confidence=float(probs.max()),
        entropy=float(entropy_of(probs)[0]),
        strategy=settings.strategy,
        budget=settings.budget,
        k=case.k,
        pairing=settings.alvin.pairing if case.has_anchors else None,
        ranks=case.ranks,
        n_anchors=case.n_retrieving,
        anchors=anchors,
        reason=reason,
        written_by=None if case.written is None else case.written.annotator,
        made_of=None if case.written is None else case.written.parent_id or None,
    )
