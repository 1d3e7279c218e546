"""What a run tells: frames, maps and reasons, read from the store when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alvin_core.data.dataset import Dataset
from alvin_core.run import frames
from alvin_core.run.archive import VECTORS, dynamics_of
from alvin_core.run.handle import RunHandle
from alvin_core.run.stepping import record_of
from alvin_core.run.values import RoundRecord
from alvin_core.store.arrays import load_array
from alvin_core.store.rounds import list_rounds
from alvin_core.types import BoolArray, Float32Array, IdArray, IntArray, TrainingDynamics

if TYPE_CHECKING:
    import pandas as pd

    from alvin_core.projection import Projection, Space
    from alvin_core.run.diagnosing import Diagnosis
    from alvin_core.run.explaining import Explanation
    from alvin_core.run.looking import MapAnchors, MapColumns

__all__ = ["RunReading"]


class RunReading:
    """The part of `Run` that only reads. All methods that take a round raise `StoreError` when there is no such."""

    _handle: RunHandle

    @property
    def dataset(self) -> Dataset:
        """The store's own copy of the data set, and after its last row what people have added to the run by now."""
        return self._handle.look()

    def record(self, round_no: int) -> RoundRecord:
        """Return one round's figures. Like all methods that take a round, raise `StoreError` when there is no such."""
        with self._handle.store.read() as session:
            return record_of(self._handle, self._handle.round_row(session, round_no))

    def records(self) -> list[RoundRecord]:
        """Return every round's figures, in order."""
        with self._handle.store.read() as session:
            self._handle.check_exists(session)
            return [record_of(self._handle, row) for row in list_rounds(session, self._handle.row.id)]

    def examples(self, round_no: int, *, oracle: bool = False) -> pd.DataFrame:
        """Return every example as it was in a round; see `alvin_core.run.frames.examples_frame`.

        With a column ``slice:NAME`` for each slice of the data set: whether the example is a member.
        """
        from alvin_core.run.slice_figures import with_membership

        return with_membership(self._handle, frames.examples_frame(self._handle, round_no, oracle=oracle))

    def selection(self, round_no: int) -> pd.DataFrame:
        """Return what a round selected, best first: a row for each example."""
        return frames.selection_frame(self._handle, round_no)

    def provenance(self, round_no: int) -> pd.DataFrame:
        """Return why it was selected: a row for each anchor that retrieved a selected example, with its parents."""
        return frames.provenance_frame(self._handle, round_no)

    def anchors(self, round_no: int) -> pd.DataFrame:
        """Return a round's anchors with their parents and weights."""
        return frames.anchors_frame(self._handle, round_no)

    def dynamics(self, round_no: int) -> TrainingDynamics:
        """Return what training did to each labeled example of a round."""
        _, arrays = self._handle.round(round_no)
        return dynamics_of(arrays, self.dataset)

    def vectors(self, round_no: int) -> tuple[IdArray, Float32Array]:
        """Return ids, and the memory-mapped representations of shape (n_ids, dim), of labeled and pool examples."""
        stored, arrays = self._handle.round(round_no)
        return self.dataset.ids[arrays["vector_rows"]], load_array(self._handle.folder / stored.folder, VECTORS)

    def metrics(self) -> pd.DataFrame:
        """Return a row for each round and evaluation split, with the figures of the round's selection beside.

        With a column ``slice:NAME`` for each slice of the data set: the accuracy of its members in that split, missing
        where it has none there; how many they are, `Run.slice_metrics` tells.
        """
        from alvin_core.run.slice_figures import with_slice_accuracy

        return with_slice_accuracy(self._handle, frames.metrics_frame(self.records()))

    def map_columns(self, round_no: int) -> MapColumns:
        """Return what a map of a round shows of every pool example, without texts, in an order that never changes."""
        from alvin_core.run import looking

        return looking.map_columns(self._handle, round_no)

    def map_anchors(self, round_no: int, projection: Projection, most: int = 500) -> MapAnchors:
        """Return the anchors that retrieved a round's selected examples, at most so many, with places on a map."""
        from alvin_core.run import looking

        return looking.map_anchors(self._handle, round_no, projection, most)

    def texts(self, rows: Sequence[int] | IntArray) -> list[tuple[str, ...]]:
        """Return the texts of examples, one or two each, by their rows in the data set."""
        from alvin_core.run import looking

        return looking.texts_of(self._handle, rows)

    def search(self, text: str, *, regex: bool = False) -> BoolArray:
        """Return which pool examples hold a text, in any case, in the order of `map_columns`.

        Raises
        ------
        DataError
            When a regular expression is none.
        """
        from alvin_core.run import looking

        return looking.search_pool(self._handle, text, regex=regex)

    def predictions(self, example_id: str) -> pd.DataFrame:
        """Return what the model said of an example in each round; see `alvin_core.run.looking.predictions_frame`."""
        from alvin_core.run import looking

        return looking.predictions_frame(self._handle, example_id)

    def nearest(self, round_no: int, example_id: str, k: int = 10) -> pd.DataFrame:
        """Return the pool examples nearest to one in a round's representation space, with true distances."""
        from alvin_core.run import looking

        return looking.nearest_frame(self._handle, round_no, example_id, k)

    def explain(self, round_no: int, example_id: str, n_anchors: int = 3) -> Explanation:
        """Return why a round selected an example, or why it did not."""
        from alvin_core.run.explaining import explain_example

        return explain_example(self._handle, round_no, example_id, n_anchors)

    def diagnose(self, round_no: int) -> Diagnosis:
        """Return where a round goes right or wrong; see `alvin_core.run.diagnosing.Diagnosis`."""
        from alvin_core.run.diagnosing import diagnose_round

        return diagnose_round(self._handle, round_no)

    def projection(self, round_no: int, space: Space = "model") -> Projection | None:
        """Return the stored map of a round's representation space, or None where none was made."""
        from alvin_core.run import projecting

        return projecting.stored_projection(self._handle, round_no, space)

    def place(self, round_no: int, vectors: Float32Array, projection: Projection) -> Float32Array:
        """Return approximate places on a map, of shape (n, 2): the barycentres of the true neighbours."""
        from alvin_core.run import projecting

        return projecting.place_vectors(self._handle, round_no, vectors, projection)
