"""What of the input goes with which label, in what a round trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alvin_core.run.handle import RunHandle
from alvin_core.types import BoolArray

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.run.cue_statistics import Part
    from alvin_core.shortcuts import Base, Correction, Kind

__all__ = ["RunCues"]


class RunCues:
    """The part of `Run` that looks for shortcuts in the input.

    A *cue* is a feature of the input that may be a shortcut: a token (``token:great``), an n-gram of two or three
    tokens (``ngram:not good``), a value of the attribute (``attribute:horror``), or how many words two texts share
    (``overlap:high``, ``overlap:low``; ``overlap:one-way-high``, ``overlap:one-way-low`` of the second text's words
    that are in the first; cut at the median of the pool). A token is a lower-case word; of a pair it counts where it
    is in either text. All counts are of examples, not of occurrences.
    """

    _handle: RunHandle

    def cues(
        self,
        round_no: int,
        *,
        of: Part = "labeled",
        kinds: Sequence[Kind] = ("token", "attribute", "overlap"),
        min_count: int = 5,
        base: Base = "observed",
        correction: Correction = "holm",
        each_class: bool = False,
    ) -> pd.DataFrame:
        """Return which cues go with which label more than chance would have it.

        Parameters
        ----------
        round_no : int
        of : {"labeled", "pool"}
            What the round trained on, or every example of the pool, where an oracle knows the labels.
        kinds : sequence of {"token", "ngram", "attribute", "overlap"}
            Those that the data does not have are left out.
        min_count : int
            Cues that fewer examples hold are neither shown nor tested. Choose it before looking.
        base : {"observed", "uniform"}
            What a class's share is compared with: its share in the set, or 1 ÷ the number of classes.
        correction : {"holm", "benjamini-hochberg"}
            For the number of tests: of all cues × classes counted, not of those shown first. Of two classes one is
            what the other is not, so that each cue is one test.
        each_class : bool
            A row for each cue and class, instead of the class with the highest z.

        Returns
        -------
        DataFrame
            ``cue, kind, name, label``; ``n`` examples that hold the cue, ``n_label`` of them with the label;
            ``share`` (p̂) and ``base_share`` (p₀); ``z``, the competency statistic; ``p`` of the exact two-sided
            binomial test of the same hypothesis, ``p_adjusted``, ``significant`` (below 0.05); ``lmi``, local mutual
            information in nats. Highest z first, of equal ones that of more examples.

        Raises
        ------
        StoreError
            When there is no such round.
        DataError
            When the pool's labels are not known.
        SettingsError
            When an argument is none of those named.

        Notes
        -----
        z: Gardner et al. (2021). LMI: Schuster et al. (2019). Corrections: Holm (1979), Benjamini & Hochberg (1995).
        p is exact because z is far from normal where few examples hold a cue, which most do.
        """
        from alvin_core.run.cue_statistics import CueQuery, cues_frame

        query = CueQuery(of, tuple(kinds), min_count, base, correction, each_class)
        return cues_frame(self._handle, round_no, query)

    def cue_history(self, pairs: Sequence[tuple[str, str]], *, base: Base = "observed") -> pd.DataFrame:
        """Return what became of cues in the labeled set, round by round.

        Parameters
        ----------
        pairs : sequence of (cue, label)
        base : {"observed", "uniform"}

        Returns
        -------
        DataFrame
            ``round, cue, label, n, share, base_share, z, lmi``; a row for each round and pair. ``share`` and ``z`` are
            NaN where no labeled example holds the cue. ``z`` grows with ``n``: whether a shortcut weakens is seen in
            ``share`` against ``base_share``.

        Raises
        ------
        DataError
            When a cue or a label is none of the data's.
        """
        from alvin_core.run.cue_frames import history_frame

        return history_frame(self._handle, pairs, base)

    def cue_members(self, cue: str) -> BoolArray:
        """Return which examples of `dataset` hold a cue, of shape (n_dataset,).

        A token that no text has is held by none.

        Raises
        ------
        DataError
            When the cue cannot be read, or is an attribute value or a kind that the data does not have.
        """
        from alvin_core.run.cue_tables import cue_table

        return cue_table(self._handle).members(cue)

    def cue_words(self, cue: str) -> str:
        """Return what a cue is, in words, such as ``the word “great”``.

        Raises
        ------
        DataError
            As `cue_members` does.
        """
        from alvin_core.run.cue_tables import cue_table

        return cue_table(self._handle).in_words(cue)

    def cue_examples(self, round_no: int, cue: str, label: str, most: int = 20) -> pd.DataFrame:
        """Return examples that hold a cue: those that contradict it, then those that follow it.

        An unlabeled example follows or contradicts by its prediction; what only an oracle knows is not told.

        Parameters
        ----------
        round_no : int
        cue, label : str
            The label that the cue goes with.
        most : int
            At most so many that contradict it, and so many that follow it.

        Returns
        -------
        DataFrame
            ``id``, ``text`` (or ``text_a``, ``text_b``), ``status`` (``labeled``, ``selected`` by the round, or
            ``pool``), ``label`` that the round trained on (``""`` of the unlabeled), ``predicted``, ``confidence``,
            ``follows``. In each half the labeled first, then the selected, then the rest, the most confident first.

        Raises
        ------
        StoreError
            When there is no such round.
        DataError
            When the cue or the label is none of the data's.
        """
        from alvin_core.run.cue_frames import examples_of_cue

        return examples_of_cue(self._handle, round_no, cue, label, most)

    def example_cues(self, round_no: int, example_id: str, label: str, most: int = 3) -> pd.DataFrame:
        """Return the strongest significant cues of a round's labeled set that an example holds.

        Parameters
        ----------
        round_no : int
        example_id : str
        label : str
            What the example is compared as: the label that was just given to it.
        most : int

        Returns
        -------
        DataFrame
            ``cue, kind, name``, ``label`` (the cue's own), ``z``, ``follows`` (whether the cue's label is the given
            one); highest z first. Of the defaults of `cues`.

        Raises
        ------
        StoreError
            When there is no such round.
        DataError
            When there is no such example or label.
        """
        from alvin_core.run.cue_frames import own_cues

        return own_cues(self._handle, round_no, example_id, label, most)

    def group_matrix(self, round_no: int, split: str = "pool") -> pd.DataFrame:
        """Return size and accuracy of each group, which is a class with an attribute value.

        Parameters
        ----------
        round_no : int
        split : str

        Returns
        -------
        DataFrame
            ``label, attribute, n``, ``share`` (of all in the split whose label and attribute are known); ``accuracy``
            of the round's model, of those it was not trained on, NaN where there are none with a known label;
            ``n_labeled``, ``n_selected``. A row for each class and value, also where ``n`` is 0.

        Raises
        ------
        StoreError
            When there is no such round.
        DataError
            When the data has no attribute, or no such split.
        """
        from alvin_core.run.cue_groups import group_frame

        return group_frame(self._handle, round_no, split)

    def dataset_map(self, round_no: int) -> pd.DataFrame:
        """Return how training went for each labeled example of a round.

        Returns
        -------
        DataFrame
            ``id, label``; ``confidence`` and ``variability``, mean and standard deviation over the epochs of the
            probability given to the label; ``correctness``, the share of epochs it was predicted right; ``forgotten``,
            how often it went from right to wrong; ``is_minority``.

        Raises
        ------
        StoreError
            When there is no such round.

        Notes
        -----
        Data maps: Swayamdipta et al. (2020). Forgetting: Toneva et al. (2019).
        """
        from alvin_core.run.cue_groups import dataset_map_frame

        return dataset_map_frame(self._handle, round_no)
