"""The planted-shortcut generator in two dimensions: what is asked for is what is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alvin_core.classroom.plane import PlaneEncoder, read_places
from alvin_core.classroom.planting import BALANCED, BOUNDS, PlantedPoints, plant_points
from alvin_core.classroom.settings import WorldSettings
from alvin_core.classroom.world import PLAN, make_world
from alvin_core.data.dataset import Texts
from alvin_core.errors import DataError, SettingsError

SETTINGS = WorldSettings(strength=0.9, ambiguity=0.2, imbalance=0.3, n_pool=200, n_test=100, seed=4)


def count(points: PlantedPoints, split: str, label: int, follows: bool) -> int:
    return int(((points.splits == split) & (points.labels == label) & (points.follows == follows)).sum())


def test_shares_are_exact_in_every_split() -> None:
    points = plant_points(SETTINGS)
    found = {
        split: [count(points, split, label, follows) for label in (0, 1) for follows in (True, False)]
        for split in ("pool", "test", BALANCED)
    }
    # Of 200, 60 are circles and 54 of these lie left; of 140 squares 126 lie right; in the balanced split half do.
    assert found == {"pool": [54, 6, 126, 14], "test": [27, 3, 63, 7], BALANCED: [15, 15, 35, 35]}
    ambiguous = {split: int(points.is_ambiguous[points.splits == split].sum()) for split in found}
    assert ambiguous == {"pool": 40, "test": 20, BALANCED: 20}


def test_at_full_strength_nothing_in_the_pool_contradicts_the_shortcut() -> None:
    points = plant_points(WorldSettings(strength=1.0))
    assert points.follows[points.splits == "pool"].all()
    assert points.follows[points.splits == BALANCED].mean() == 0.5


def test_the_shortcut_parts_the_points_and_the_core_lies_where_the_class_says() -> None:
    points = plant_points(replace(SETTINGS, n_pool=2000, n_test=2000))
    x, y = points.xy.T
    assert np.array_equal(x > 0, points.sides == 1)
    clear = ~points.is_ambiguous
    for label, middle in ((0, -0.7), (1, 0.7)):
        assert y[clear & (points.labels == label)].mean() == pytest.approx(middle, abs=0.03)
    right = ((y > 0) == (points.labels == 1))[clear].mean()
    assert 0.96 < right < 0.99  # the best that the core allows
    assert np.abs(y[points.is_ambiguous]).max() <= 3 * 0.12
    # A coin flip: their class has nothing to do with their height.
    assert ((y > 0) == (points.labels == 1))[points.is_ambiguous].mean() == pytest.approx(0.5, abs=0.05)
    left, right_end, bottom, top = BOUNDS
    assert left < x.min() < x.max() < right_end
    assert bottom < y.min() < y.max() < top


def test_a_stronger_shortcut_moves_points_to_the_other_side_and_changes_nothing_else() -> None:
    weak, strong = plant_points(replace(SETTINGS, strength=0.7)), plant_points(replace(SETTINGS, strength=0.9))
    assert np.array_equal(weak.labels, strong.labels)
    assert np.array_equal(weak.xy[:, 1], strong.xy[:, 1])
    assert np.array_equal(weak.is_ambiguous, strong.is_ambiguous)
    moved = weak.sides != strong.sides
    assert moved.sum() == 60  # a fifth of the 300 of pool and test
    assert strong.follows[moved].all()


def test_the_same_settings_give_the_same_points_everywhere_and_another_seed_others() -> None:
    points = plant_points(WorldSettings(seed=7))
    assert np.array_equal(points.xy, plant_points(WorldSettings(seed=7)).xy)
    assert points.xy[:2].tolist() == FIRST_OF_SEED_7
    assert not np.array_equal(points.xy, plant_points(WorldSettings(seed=8)).xy)


FIRST_OF_SEED_7 = [[3.139, 1.154], [2.745, -0.826]]


def test_more_test_points_leave_the_pool_as_it_is() -> None:
    few, many = plant_points(SETTINGS), plant_points(replace(SETTINGS, n_test=300))
    assert np.array_equal(few.xy[few.splits == "pool"], many.xy[many.splits == "pool"])


def test_the_data_set_says_the_coordinates_and_the_encoder_reads_them_back() -> None:
    points = plant_points(SETTINGS)
    dataset = points.as_dataset()
    x, y = points.xy[0]
    assert dataset.texts[0] == f"x {x:.3f} y {y:.3f}"
    assert np.array_equal(read_places(dataset.texts), points.xy.astype(np.float32))
    assert dataset.ids[[0, 199, 200, 300]].tolist() == ["pool-0001", "pool-0200", "test-0001", "balanced-0001"]
    assert dataset.attributes is not None
    assert np.array_equal(dataset.attributes == "right", points.xy[:, 0] > 0)
    assert dataset.evaluation_splits == ("test", BALANCED)


def test_a_text_that_is_no_place_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match="text 1 is 'somewhere', and no place in the plane; write it like"):
        read_places(Texts.pack(["x 1.5 y -2", "somewhere"]))


def test_the_plane_has_no_layers_to_train() -> None:
    with pytest.raises(SettingsError, match="trainable_layers = 2, but the encoder 'plane' has no layers; choose 0"):
        PlaneEncoder(PLAN).body(2)


def test_a_model_of_few_labels_lives_on_the_shortcut() -> None:
    metrics = []
    for seed in range(4):
        world = make_world(WorldSettings(seed=seed))
        metrics.append(world.run_round("random", world.initial_rows, 0)[0].metrics)
    assert np.mean([one["test"]["accuracy"] for one in metrics]) > 0.88
    assert np.mean([one[BALANCED]["accuracy"] for one in metrics]) < 0.6
    assert np.mean([one[BALANCED]["worst_group_accuracy"] for one in metrics]) < 0.1


def test_the_core_can_be_learned_where_there_is_no_shortcut() -> None:
    world = make_world(WorldSettings(strength=0.5, n_initial=200))
    metrics = world.run_round("random", world.initial_rows, 0)[0].metrics
    assert metrics[BALANCED]["accuracy"] > 0.95
    assert metrics[BALANCED]["worst_group_accuracy"] > 0.9
