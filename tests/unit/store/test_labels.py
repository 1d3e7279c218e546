import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alvin_core.store import labels
from alvin_core.store.database import Store, open_store
from alvin_core.store.labels import add_labels, add_undos, current_labels, label_events, last_seq
from alvin_core.store.tables import RunRow

EVENTS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["pos", "neg", "undo"])), max_size=12)


@settings(max_examples=25)
@given(events=EVENTS)
def test_the_log_gives_the_labels_that_held_after_every_event(events: list[tuple[str, str]]) -> None:
    # Not pytest's tmp_path, which all examples of one property share.
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder), create=True)
        held: dict[str, str] = {}
        history = [list(held.items())]
        with store.write() as session:
            session.add(run_row())
            session.flush()
            for example_id, action in events:
                if action == "undo" and example_id in held:
                    add_undos(session, "r", [current_labels(session, "r")[example_id]], annotator="Ada")
                    del held[example_id]
                elif action != "undo" and example_id not in held:
                    add_labels(session, "r", [(example_id, action)], source="person", annotator="Ada")
                    held[example_id] = action
                else:
                    continue
                history.append(list(held.items()))
        with store.read() as session:
            assert last_seq(session, "r") == len(history) - 1
            assert [one.seq for one in label_events(session, "r")] == list(range(1, len(history)))
            for seq, expected in enumerate(history):
                found = current_labels(session, "r", up_to=seq)
                assert [(example_id, one.label) for example_id, one in found.items()] == expected
                some = current_labels(session, "r", up_to=seq, example_ids="bdx")
                assert some == {example_id: one for example_id, one in found.items() if example_id in "bd"}
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(labels, "MOST_ASKED", 2)  # fewer than are asked for
                    assert current_labels(session, "r", up_to=seq, example_ids="bdx") == some


def test_a_transaction_that_fails_stores_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path, create=True)
    with store.write() as session:
        session.add(run_row())
    with pytest.raises(ZeroDivisionError):
        write_and_fail(store)
    with store.read() as session:
        assert label_events(session, "r") == []


def write_and_fail(store: Store) -> None:
    with store.write() as session:
        add_labels(session, "r", [("a", "pos"), ("b", "neg")], source="person", annotator="Ada")
        session.flush()
        _ = 1 / 0


def run_row() -> RunRow:
    return RunRow(
        id="r", name="r", settings={}, annotator="person", dataset="", source="", environment={}, created_at=""
    )
