"""First boxes that are a little off."""

import numpy as np

from litetrack_ros.evaluation.perturbation import AMOUNT, perturb_box
from litetrack_ros.geometry import overlap


def test_boxes_are_off_by_a_few_per_cent_and_repeatable():
    box = np.array([100.0, 50.0, 40.0, 80.0])
    sides = np.array([40.0, 80.0])
    seen = [perturb_box(box, seed) for seed in range(200)]
    for seed, other in enumerate(seen):
        shift = (other[:2] + 0.5 * other[2:] - box[:2] - 0.5 * box[2:]) / sides
        assert np.abs(shift).max() <= AMOUNT
        assert np.abs(other[2:] / sides - 1.0).max() <= AMOUNT
        np.testing.assert_array_equal(other, perturb_box(box, seed))
    assert 0.8 < min(overlap(box, other) for other in seen) < 0.9
    assert 0.95 < max(overlap(box, other) for other in seen) < 1.0
