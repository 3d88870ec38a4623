"""Accuracy for the own frame and for the moment, against hand-computed cases and delays."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from replay_rows import frame, rows_of

from litetrack_ros.replay.accuracy import newest_boxes, score

INIT = np.array([0.0, 0.0, 10.0, 10.0])


def _truth(count: int, step: float = 1.0) -> np.ndarray:
    """A 10 px box that moves to the right."""
    return np.stack([[step * i, 0.0, 10.0, 10.0] for i in range(count)])


def _perfect(count: int, latency_s: float, tmp_path: Path, skip: tuple[int, ...] = ()):
    """A tracker without error, but late."""
    truth = _truth(count)
    frames = [frame(i, None if i in skip else latency_s, truth[i]) for i in range(count)]
    for i in skip:
        frames[i].box = None
    return rows_of(frames, tmp_path), truth


def test_streaming_equals_offline_at_zero_latency(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    truth = _truth(40)
    found = truth + random.normal(0, 1.5, truth.shape) * [1, 1, 0, 0]
    found[17] = np.nan  # no target in the answer
    frames = [frame(i, 0.0, None if i == 17 else found[i]) for i in range(40)]
    accuracy = score(rows_of(frames, tmp_path), truth, 0, INIT)
    assert accuracy.streaming == accuracy.offline
    assert accuracy.streaming_frames == accuracy.offline_frames == 39
    assert 0.1 < accuracy.offline.ao < 0.95
    assert accuracy.overlaps[17] == 0


def test_a_box_of_one_period_ago(tmp_path: Path) -> None:
    # 100 ms between frames: at each of them the newest box is that of the frame before, 1 px away:
    # the overlap is 9 / 11. For frame 1 that is the init box.
    rows, truth = _perfect(5, 0.06, tmp_path)
    accuracy = score(rows, truth, 0, INIT)
    assert accuracy.offline.ao == 1.0
    assert accuracy.streaming.ao == pytest.approx(9 / 11)
    assert accuracy.streaming.sr75 == 1.0


def test_a_missed_frame_leaves_the_box_before_it(tmp_path: Path) -> None:
    # Zero latency, frame 2 missed: there the newest box is 1 px away, elsewhere none.
    rows, truth = _perfect(5, 0.0, tmp_path, skip=(2,))
    accuracy = score(rows, truth, 0, INIT)
    assert accuracy.offline_frames == 3
    assert accuracy.offline.ao == 1.0
    assert accuracy.streaming_frames == 4
    assert accuracy.streaming.ao == pytest.approx((3 + 9 / 11) / 4)


def test_streaming_accuracy_falls_as_the_delay_grows(tmp_path: Path) -> None:
    scores = [
        score(*_perfect(60, delay_s, tmp_path), 0, INIT).streaming.ao
        for delay_s in (0.0, 0.05, 0.15, 0.25, 0.55, 0.85)
    ]
    assert scores[0] == 1.0
    assert all(a > b for a, b in itertools.pairwise(scores))


def test_absent_frames_and_those_before_the_init_box_are_not_scored(tmp_path: Path) -> None:
    rows, truth = _perfect(6, 0.0, tmp_path)
    truth[4] = np.nan
    accuracy = score(rows, truth, 2, truth[2])
    assert accuracy.streaming_frames == 2  # frames 3 and 5
    assert np.isnan(accuracy.overlaps[[0, 1, 2, 4]]).all()


def test_every_pass_begins_with_the_init_box(tmp_path: Path) -> None:
    truth = _truth(3)
    frames = [frame(i, 0.06, truth[i % 3], frame=i % 3) for i in range(6)]
    accuracy = score(rows_of(frames, tmp_path), np.concatenate([truth, truth]), 0, INIT)
    assert accuracy.streaming_frames == 4
    assert accuracy.streaming.ao == pytest.approx(9 / 11)


def test_a_late_answer_does_not_take_the_place_of_a_newer_one() -> None:
    boxes = np.arange(8.0).reshape(2, 4)
    found = newest_boxes(np.array([0.5, 1.0, 3.5]), np.array([3.0, 1.0]), np.array([0, 1]), boxes)
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == boxes[1].tolist()
    assert found[2].tolist() == boxes[1].tolist()  # frame 0's box came later, but is older
