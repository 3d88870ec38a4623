import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_models import small_model

from litetrack_ros.config import TrackerConfig
from litetrack_ros.datasets.sequences import AnnotatedSequence, read_sequence
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.training.tuning import (
    Setting,
    Track,
    mean_ao,
    run_tracks,
    score_report,
    with_setting,
)


def _track(scores: list[float], right: list[bool]) -> Track:
    truth = np.tile([10.0, 10.0, 20.0, 20.0], (len(scores) + 1, 1))
    boxes = truth.copy()
    boxes[1:][~np.array(right)] += 100.0
    return Track(boxes, np.array(scores), truth)


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
    report = score_report([_track(scores[:1], right[:1]), _track(scores[1:], right[1:])])
    assert report.roc_area == pytest.approx(area)
    assert (report.right, report.wrong) == (sum(right), len(right) - sum(right))
    assert (report.lost_threshold, report.found_threshold) == (lost, found)


def test_absent_frames_are_wrong_and_not_scored() -> None:
    track = _track([0.9, 0.1], [True, True])
    track.truth_xywh[2] = np.nan
    assert track.right.tolist() == [True, False]
    assert mean_ao([track]) == 1.0


@pytest.fixture
def sequence(tmp_path: Path) -> AnnotatedSequence:
    """Four frames of a moving square."""
    (tmp_path / "frames").mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for number in range(4):
        image = rng.integers(0, 80, (120, 160, 3), dtype=np.uint8)
        image[40:70, 50 + 3 * number : 80 + 3 * number] = 240
        cv2.imwrite(str(tmp_path / f"frames/{number:04d}.png"), image)
        lines.append(f"{50 + 3 * number},40,30,30\n")
    (tmp_path / "groundtruth.txt").write_text("".join(lines))
    return read_sequence(tmp_path)


def test_settings_reach_the_tracker(sequence: AnnotatedSequence) -> None:
    weights = LoadedWeights(small_model(), TrackerConfig(lost_threshold=0.9), "", {})
    plain, held = (
        run_tracks(with_setting(weights, Setting(1.0, smoothing)), [sequence])[0]
        for smoothing in (1.0, 1e-9)
    )
    assert plain.boxes_xywh.shape == (4, 4) and plain.scores.shape == (3,)
    np.testing.assert_allclose(held.boxes_xywh[:, 2:], 30.0, atol=1e-3)
    assert not np.allclose(plain.boxes_xywh[1:, 2:], 30.0)


def test_the_state_machine_is_off_while_tuning() -> None:
    weights = LoadedWeights(small_model(), TrackerConfig(lost_threshold=0.9), "", {})
    tried = with_setting(weights, Setting(0.5, 1.0))
    assert tried.tracker_config == TrackerConfig()
    assert tried.model_config == dataclasses.replace(weights.model_config, window_power=0.5)
