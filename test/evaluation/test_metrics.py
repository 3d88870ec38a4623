"""Overlap measures, the area under the ROC curve, thresholds, and paired intervals."""

import numpy as np
import pytest

from litetrack_ros.evaluation.metrics import roc_area, score_report, summarise


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


@pytest.mark.parametrize(
    ("scores", "right", "area", "lost", "found"),
    [
        ([0.9, 0.8, 0.3, 0.2], [True, True, False, False], 1.0, 0.8, 0.8),
        ([0.9, 0.5, 0.6, 0.2], [True, True, False, False], 0.75, 0.9, 0.9),
        ([0.5, 0.5], [True, False], 0.5, 0.5, 0.5),
        ([0.9, 0.8], [True, True], 0.0, 0.0, 0.0),
    ],
)
def test_score_report(
    scores: list[float], right: list[bool], area: float, lost: float, found: float
) -> None:
    report = score_report(np.array(scores), np.array(right))
    assert report.roc_area == pytest.approx(area)
    assert (report.right, report.wrong) == (sum(right), len(right) - sum(right))
    assert (report.lost_threshold, report.found_threshold) == (lost, found)


def test_a_frame_without_a_score_ranks_last() -> None:
    right = np.array([True, False])
    without = score_report(np.array([0.3, np.nan]), right)
    assert without == score_report(np.array([0.3, 0.0]), right)


@pytest.mark.parametrize(
    ("positives", "negatives", "area"),
    [([0.9, 0.8], [0.1, 0.2], 1.0), ([0.1], [0.9], 0.0), ([0.5], [0.5, 0.1], 0.75)],
)
def test_roc_area(positives: list[float], negatives: list[float], area: float) -> None:
    assert roc_area(positives, negatives) == area


def test_the_area_of_an_empty_class_is_no_number() -> None:
    assert np.isnan(roc_area([], [0.5])) and np.isnan(roc_area([0.5], []))
