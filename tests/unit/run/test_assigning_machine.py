"""Any order of taking, giving back, submitting, undoing, skipping and waiting, against a model that is easy to see."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from alvin_core.annotation_settings import AnnotationSettings
from alvin_core.data.dataset import Dataset
from alvin_core.errors import LabelError
from alvin_core.run import create_run
from alvin_core.settings import RunSettings
from alvin_core.store.leases import Moment
from alvin_core.upkeep.verifying import verify_store

PEOPLE = ("ada", "ben", "cleo")
N_PROPOSED = 3  # few of each, so that they meet
LEASE = 10.0
N_RUNS = int(os.environ.get("ALVIN_QUEUE_RUNS", "6"))
MEMORY = "/dev/shm"  # where it is there: a test of logic need not wait for a disk

people = st.sampled_from(PEOPLE)
places = st.integers(0, N_PROPOSED - 1)
classes = st.sampled_from(("neg", "pos"))


def decided(votes: dict[str, str], wanted: int) -> str | None:
    """The label with more votes than any other, once enough have voted."""
    tally = sorted(Counter(votes.values()).items(), key=lambda one: -one[1])
    if len(votes) < wanted or (len(tally) > 1 and tally[0][1] == tally[1][1]):
        return None
    return tally[0][0] if tally else None


class Queue(RuleBasedStateMachine):
    """The run and its model side by side: votes, labels, and when each lease ends."""

    overlap: int
    dataset: Dataset

    @initialize()
    def begin(self) -> None:
        self.folder, self.now = tempfile.mkdtemp(dir=MEMORY if Path(MEMORY).is_dir() else None), 0.0
        run_settings = RunSettings(budget=2, initial=N_PROPOSED)
        run_settings = replace(run_settings, annotation=AnnotationSettings(overlap=self.overlap))
        clock = lambda _session: Moment("clock", self.now)  # noqa: E731
        self.patches = [mock.patch(f"alvin_core.run.{name}.moment", clock) for name in ("desk", "assigning")]
        for one in self.patches:
            one.start()
        self.run = create_run(self.folder, self.dataset, run_settings, name="r")
        self.ids = self.run.queue()
        self.votes: dict[str, dict[str, str]] = {one: {} for one in self.ids}
        self.labels: dict[str, str] = {}
        self.ends: dict[tuple[str, str], float] = {}  # (example, annotator) -> when the lease ends
        self.skipped: dict[str, set[str]] = {name: set() for name in PEOPLE}

    def teardown(self) -> None:
        if not hasattr(self, "run"):
            return
        for one in self.patches:
            one.stop()
        assert verify_store(self.folder, thorough=False).findings == []
        shutil.rmtree(self.folder)

    def held(self, example: str) -> set[str]:
        return {name for (one, name), end in self.ends.items() if one == example and end > self.now}

    def left(self, example: str) -> int:
        """How many more votes an open example needs."""
        return max(self.overlap - len(self.votes[example]), 1)

    def may(self, example: str, name: str) -> bool:
        held = self.held(example)
        return name in held or len(held) < self.left(example)

    @rule(name=people, n=st.integers(1, 3))
    def take(self, name: str, n: int) -> None:
        mine = [
            one
            for one in self.ids
            if one not in self.labels and name not in self.votes[one] and one not in self.skipped[name]
        ]
        first = [one for one in mine if name in self.held(one)]
        expected = (first + [one for one in mine if one not in first and self.may(one, name)])[:n]
        assert self.run.take(name, n, seconds=LEASE) == tuple(expected)
        self.ends |= {(one, name): self.now + LEASE for one in expected}

    @rule(name=people, place=st.none() | places)
    def give_back(self, name: str, place: int | None) -> None:
        asked = self.ids if place is None else [self.ids[place]]
        held = [one for one in asked if name in self.held(one)]
        assert set(self.run.give_back(name, None if place is None else asked)) == set(held)
        for one in held:
            del self.ends[one, name]

    @rule(name=people, place=places, label=classes, force=st.sampled_from([False, False, False, True]))
    def submit(self, name: str, place: int, label: str, force: bool) -> None:
        one = self.ids[place]
        known = self.votes[one].get(name) if self.overlap > 1 else None
        known = self.labels.get(one) if known is None else known
        refused = known not in (None, label) or (known is None and not force and not self.may(one, name))
        if refused:
            with pytest.raises(LabelError):
                self.run.submit({one: label}, annotator=name, force=force)
            return
        report = self.run.submit({one: label}, annotator=name, force=force)
        assert report.n_same == (known is not None)
        self.ends.pop((one, name), None)
        if known is None:
            self.votes[one][name] = label
            winner = decided(self.votes[one], self.overlap)
            assert report.n_new == (winner is not None)
            if winner is not None:
                self.labels[one] = winner
                self.ends = {key: end for key, end in self.ends.items() if key[0] != one}

    @rule(name=people, place=places)
    def undo(self, name: str, place: int) -> None:
        one = self.ids[place]
        if one not in self.labels and (self.overlap == 1 or name not in self.votes[one]):
            with pytest.raises(LabelError):
                self.run.undo(one, annotator=name)
            return
        self.run.undo(one, annotator=name)
        if self.overlap > 1 and name in self.votes[one]:
            del self.votes[one][name]
        else:
            self.votes[one] = {}
        if decided(self.votes[one], self.overlap) is None:
            self.labels.pop(one, None)

    @rule(name=people, place=places)
    def skip(self, name: str, place: int) -> None:
        self.run.skip(self.ids[place], name)
        self.skipped[name].add(self.ids[place])
        self.ends.pop((self.ids[place], name), None)

    @rule(seconds=st.sampled_from([1.0, LEASE - 1, LEASE, 3 * LEASE]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "run"):
            return
        state = self.run.queue_state()
        for one in state.examples:
            assert one.label == self.labels.get(one.id)
            assert {hold.annotator for hold in one.held_by} == self.held(one.id)
            assert one.given == (len(self.votes[one.id]) if self.overlap > 1 else one.id in self.labels)
        assert state.n_open == N_PROPOSED - len(self.labels)


@pytest.mark.timeout(300 + 30 * N_RUNS)
@pytest.mark.parametrize("overlap", [1, 2])
def test_the_queue_is_as_the_model_says_whatever_people_do(fake: ModuleType, overlap: int) -> None:
    few_or_many = settings(max_examples=N_RUNS, stateful_step_count=30, deadline=None)
    dataset = fake.make_dataset(n_pool=12, n_test=4, labeled=0.0)
    machine = type("SharedQueue", (Queue,), {"overlap": overlap, "dataset": dataset})
    run_state_machine_as_test(machine, settings=few_or_many)
