"""Video labelled in both directions: what is kept is right."""

from __future__ import annotations

import numpy as np
import pytest

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.geometry import overlap
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.training.agreed_tracks import (
    MIN_AGREEMENT,
    AgreedTrack,
    ellipse_mask,
    track_both_ways,
)


def test_agreement_is_where_the_labels_are_right() -> None:
    pytest.importorskip("onnxruntime")
    scene = DrawnScene()
    indices = range(0, 60, 3)
    frames = [scene.frame(i) for i in indices]
    truth = np.stack([scene.box_xywh(i) for i in indices])
    calls: list[int] = []
    track = track_both_ways(frames, truth[0], open_backend(), lambda: calls.append(1))
    assert len(calls) == 2 * len(frames)
    assert len(track.kept) > 10
    assert overlap(track.boxes_xywh, truth)[track.kept].mean() > 0.7


def test_frames_without_agreement_are_dropped() -> None:
    agreement = np.array([1.0, MIN_AGREEMENT, MIN_AGREEMENT - 0.01, 0.0, 0.9])
    assert AgreedTrack(np.zeros((5, 4)), agreement).kept.tolist() == [0, 1, 4]


def test_the_mask_fills_the_box() -> None:
    mask = ellipse_mask(np.array([10.0, 20.0, 40.0, 24.0]), 60, 80)
    assert mask.shape == (60, 80) and set(np.unique(mask)) == {0, 255}
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    np.testing.assert_allclose(box, (10, 20, 40, 24), atol=1)
    assert 0.7 < (mask > 0).sum() / (40 * 24) < 0.85
