"""Scores of prediction on made runs, whose motion is known."""

import math

import numpy as np
import pytest

from litetrack_ros.evaluation.prediction import (
    arrival_times,
    closed_share,
    coverage,
    predict_run,
)
from litetrack_ros.evaluation.results import SequenceRun


def made_run(name: str = "made", frames: int = 150, noise_px: float = 0.3, seed: int = 0):
    """A target on a smooth path, tracked with a little noise; 20 ms a frame."""
    rng = np.random.default_rng(seed)
    times = np.arange(frames) / 30
    path = np.stack([300 + 150 * np.sin(1.3 * times), 200 + 80 * np.cos(1.7 * times)], axis=1)
    truth = np.concatenate([path - 20, np.full((frames, 2), 40.0)], axis=1)
    boxes = truth + np.concatenate(
        [rng.normal(0, noise_px, (frames, 2)), np.zeros((frames, 2))], axis=1
    )
    states = np.full(frames, 2)
    scores, call_s = np.full(frames, 0.99), np.full(frames, 0.02)
    run = SequenceRun(name, boxes, scores, boxes, scores, states, call_s)
    return run, truth


def test_boxes_arrive_one_after_the_other():
    times = arrival_times(np.array([0.01, 0.05, 0.01, 0.01]), 30.0, 0.005)
    # The second keeps the third waiting until 1/30 + 0.05, after the third frame has come.
    expected = [0.015, 1 / 30 + 0.055, 1 / 30 + 0.065, 3 / 30 + 0.015]
    assert times == pytest.approx(expected)


def test_frames_that_come_meanwhile_are_replaced_by_the_newest():
    times = arrival_times(np.array([0.01, 0.09, 0.01, 0.01]), 30.0, 0.005)
    # The second is done at 0.123: the third, of 0.067, was replaced by the fourth, of 0.1.
    assert times == pytest.approx([0.015, 1 / 30 + 0.095, np.inf, 1 / 30 + 0.105])


def test_prediction_closes_most_of_the_gap_of_a_smooth_path():
    run, truth = made_run()
    found = predict_run(run, truth, 30.0, 0.005)
    lockstep, streaming, predicted = found.means
    assert lockstep > 0.95
    # By hand: the newest box is one frame old, and two equal squares overlap by so much.
    common = (40 - np.abs(np.diff(truth[:, :2], axis=0))).prod(axis=1)
    assert streaming == pytest.approx((common / (3200 - common)).mean(), abs=0.03)
    assert predicted > streaming
    share = closed_share([found])
    assert 0.6 < share.share <= 1.05
    assert share.low < share.share < share.high


def test_the_covariance_of_made_runs_is_kept():
    runs = [predict_run(*made_run(f"r{s}", seed=s, noise_px=1.0), 30.0, 0.005) for s in range(4)]
    for part in coverage(runs, only_hits=True):
        assert min(part.covered) > 0.85
        assert max(part.sigma_over_rms) < 2.0
    assert closed_share(runs).low > 0


def test_absent_frames_and_lost_ones():
    run, truth = made_run(frames=60)
    truth[20:30] = math.nan
    run.states[40:50] = 3
    run.boxes_xywh[40:50] = run.boxes_xywh[39]
    found = predict_run(run, truth, 30.0, 0.005)
    assert len(found.lockstep) == 49
    assert np.isfinite(found.predicted).all()
    # LOST boxes are held, and no covariance is told for them.
    assert len(found.errors_px) < 49 - 9
