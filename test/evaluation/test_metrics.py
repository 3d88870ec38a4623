"""Overlap measures: which frames count, and how means are taken."""

import numpy as np
import pytest

from litetrack_ros.evaluation.metrics import (
    OverlapScores,
    mean_over_sequences,
    scored_overlaps,
    summarise,
)

NAN = [np.nan] * 4


def test_first_and_absent_frames_are_not_scored():
    truth = [[0, 0, 10, 10], [0, 0, 10, 10], NAN, [0, 0, 10, 10]]
    boxes = [[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 10], [50, 50, 10, 10]]
    np.testing.assert_allclose(scored_overlaps(boxes, truth), [0.5, 0.0])


def test_a_box_that_is_not_a_number_counts_as_a_miss():
    truth = [[0, 0, 10, 10]] * 3
    np.testing.assert_array_equal(scored_overlaps([truth[0], NAN, truth[0]], truth), [0.0, 1.0])


def test_boxes_and_ground_truth_must_be_as_many():
    with pytest.raises(ValueError, match="3 boxes cannot be scored against 2"):
        scored_overlaps(np.ones((3, 4)), np.ones((2, 4)))


@pytest.mark.parametrize(
    ("overlaps", "expected"),
    [
        ([1.0, 1.0], (1.0, 1.0, 1.0)),
        ([0.5, 0.75, 0.51, 0.76], (0.63, 0.75, 0.25)),  # thresholds are exceeded, not reached
        ([0.0], (0.0, 0.0, 0.0)),
    ],
)
def test_summary(overlaps: list[float], expected: tuple[float, float, float]):
    scores = summarise(np.array(overlaps))
    np.testing.assert_allclose((scores.ao, scores.sr50, scores.sr75), expected)


def test_nothing_scored_is_no_number():
    assert np.isnan(summarise(np.array([])).ao)
    assert np.isnan(mean_over_sequences([]).ao)


def test_each_sequence_counts_once_and_empty_ones_not_at_all():
    nothing = OverlapScores(np.nan, np.nan, np.nan)
    mean = mean_over_sequences([OverlapScores(0.2, 0, 0), nothing, OverlapScores(0.8, 1, 0)])
    assert (mean.ao, mean.sr50, mean.sr75) == pytest.approx((0.5, 0.5, 0.0))
