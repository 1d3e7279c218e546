"""What people do to a run: labels, and marks beside them, on disk before a call returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from alvin_core.run import frames
from alvin_core.run.exporting import export_labels
from alvin_core.run.handle import RunHandle, pending_ids
from alvin_core.run.submitting import submit_labels, undo_labels
from alvin_core.run.values import SubmitReport

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.run.agreeing import Agreement
    from alvin_core.run.assigning import QueueState

__all__ = ["RunAnnotating"]


class RunAnnotating:
    """The part of `Run` that annotators use."""

    _handle: RunHandle

    def submit(
        self, labels: Mapping[str, str] | pd.DataFrame, *, annotator: str = "person", force: bool = False
    ) -> SubmitReport:
        """Store a person's labels: all of them or, when one cannot be stored, none. On disk when it returns.

        Of an example that several people annotate (``settings.annotation.overlap``) it is an opinion. With the last
        that was asked for, the label that most gave is stored, its annotators joined; a tie asks for one more.

        Parameters
        ----------
        labels : mapping of id to class name, or frame with the columns ``id`` and ``label``
            Of proposed examples, of some of them, or of any others in the pool. Blank labels are passed over.
        annotator : str
            Who gave them.
        force : bool
            Store labels of examples that others hold at the moment as well.

        Returns
        -------
        SubmitReport

        Raises
        ------
        LabelError
            When an id or a class is unknown, an example is not in the pool, has another label already (or another
            opinion of the same annotator), or is held for somebody else.
        """
        return submit_labels(self._handle, labels, annotator, force=force)

    def undo(self, example_ids: str | Collection[str], annotator: str = "person", *, only_own: bool = False) -> None:
        """Take labels back, all of them or none; the examples are in the pool again. Trained rounds stay as they are.

        Of a proposed example that several people annotate, one of them takes back their opinion alone, and the label
        with it where the others' have no majority. Anybody else, and everybody once the round was trained, takes back
        the label with all its opinions.

        Parameters
        ----------
        example_ids : str or collection of str
        annotator : str
            Who takes them back.
        only_own : bool
            Refuse to take back what anybody else gave.

        Raises
        ------
        LabelError
            When an example has no label, and no opinion of the annotator; or when it is another's and must not be.
        """
        ids = [example_ids] if isinstance(example_ids, str) else list(dict.fromkeys(example_ids))
        undo_labels(self._handle, ids, annotator, only_own=only_own)

    def take(self, annotator: str, n: int = 1, *, seconds: float = 600.0) -> tuple[str, ...]:
        """Hold examples of the proposal for an annotator, so that nobody else is given them meanwhile.

        First those that they hold already, for which the time begins anew; then the best that wait for an opinion,
        that they have not given one on or skipped, and that others do not hold. Safe among processes and machines.
        In a run that an oracle annotates people may label as well: the next step asks it for all that has no label yet,
        whoever holds it.

        Parameters
        ----------
        annotator : str
        n : int
            How many, from 1 to 10,000.
        seconds : float
            How long, at most a week; then others are given what was not submitted. Until somebody else is, it can
            still be submitted.

        Returns
        -------
        tuple of str
            Ids, fewer than ``n`` where fewer are left, perhaps none.

        Raises
        ------
        LabelError
            When the annotator's name is refused.
        SettingsError
            When ``n`` or ``seconds`` is out of range.
        """
        from alvin_core.run import assigning

        return assigning.take_examples(self._handle, annotator, n, seconds)

    def give_back(self, annotator: str, ids: Collection[str] | None = None) -> tuple[str, ...]:
        """Let go of examples that an annotator holds, or of all, and return those that were held.

        Raises
        ------
        LabelError
            When an id is unknown, or the annotator's name is refused; then nothing was given back.
        """
        from alvin_core.run import assigning

        return assigning.give_back_examples(self._handle, annotator, ids)

    def queue_state(self) -> QueueState:
        """Return who has annotated, and who holds, what of the current proposal."""
        from alvin_core.run import assigning

        return assigning.queue_state(self._handle)

    def opinions(self) -> pd.DataFrame:
        """Return the opinions that hold now on examples that several people annotate, in the order given."""
        from alvin_core.run import agreeing

        return agreeing.opinions_frame(self._handle)

    def agreement(self) -> Agreement:
        """Return how far annotators agree, over all examples that at least two of them annotated.

        Raises
        ------
        AnnotationNeeded
            When no example has two opinions.
        SettingsError
            When the library that computes it is not installed.
        """
        from alvin_core.run import agreeing

        return agreeing.agreement_of(self._handle)

    def pending(self) -> pd.DataFrame:
        """Return the proposed examples that have no label yet, best first: ``id``, the text, ``attribute``."""
        with self._handle.store.read() as session:
            self._handle.check_exists(session)
            ids = pending_ids(session, self._handle.row.id)
        return frames.pending_frame(self._handle, ids)

    def labels(self) -> pd.DataFrame:
        """Return the labels that hold now, in the order of annotation; what was undone is not among them."""
        return frames.labels_frame(self._handle)

    def export(self, path: Path | str, format: str = "csv") -> int:  # noqa: A002  (the word users know)
        """Write the labels that hold now to a file, and return how many.

        Parameters
        ----------
        path : Path or str
            Replaced when it is there.
        format : {"csv", "jsonl", "parquet"}

        Raises
        ------
        StoreError
            When the file cannot be written.
        SettingsError
            When the format is unknown.
        """
        return export_labels(self.labels(), Path(path), format)

    def skip(self, example_id: str, annotator: str = "person") -> None:
        """Put an example off: it comes last in this annotator's `queue`."""
        from alvin_core.run import marking

        marking.mark(self._handle, example_id, "skip", annotator)

    def unskip(self, example_id: str, annotator: str = "person") -> None:
        """Take a skip back."""
        from alvin_core.run import marking

        marking.mark(self._handle, example_id, "unskip", annotator)

    def flag(self, example_id: str, annotator: str = "person") -> None:
        """Mark an example for somebody's attention."""
        from alvin_core.run import marking

        marking.mark(self._handle, example_id, "flag", annotator)

    def unflag(self, example_id: str, annotator: str = "person") -> None:
        """Take the mark off."""
        from alvin_core.run import marking

        marking.mark(self._handle, example_id, "unflag", annotator)

    def note(self, example_id: str, text: str, annotator: str = "person") -> None:
        """Write a note on an example, in place of the one that was there; an empty one takes it off."""
        from alvin_core.run import marking

        marking.mark(self._handle, example_id, "note", annotator, text)

    def marks(self) -> pd.DataFrame:
        """Return the marks that hold now: ``id, skipped, flagged, note, annotator, time``."""
        from alvin_core.run import marking

        return marking.marks_frame(self._handle)

    def history(self) -> pd.DataFrame:
        """Return the audit log, every label, undo and mark in order of time."""
        from alvin_core.run import marking

        return marking.history_frame(self._handle)

    def queue(self, annotator: str = "person") -> list[str]:
        """Return the ids of proposed examples that wait for the annotator, best first; what they skipped, last.

        Those are without a label, and without an opinion of the annotator; others may hold them (`take`).
        """
        from alvin_core.run import marking

        return marking.queue_of(self._handle, annotator)
