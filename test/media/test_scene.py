"""The drawn scene: the boxes are true, the frames repeat, and both change as promised."""

from __future__ import annotations

import numpy as np
import pytest

from litetrack_ros.geometry import overlap
from litetrack_ros.media.scene import DrawnScene


@pytest.mark.parametrize(("width", "height"), [(64, 64), (320, 240), (641, 479), (240, 320)])
@pytest.mark.parametrize("seed", [0, 3])
def test_frames_and_boxes(width: int, height: int, seed: int) -> None:
    scene = DrawnScene(width, height, frames=60, seed=seed)
    pairs = list(scene)
    assert len(scene) == len(pairs) == 60
    for frame, (x, y, w, h) in pairs:
        assert frame.shape == (height, width, 3)
        assert frame.dtype == np.uint8
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height


def test_same_seed_repeats_and_another_differs() -> None:
    first, again, other = (DrawnScene(160, 120, 5, seed) for seed in (1, 1, 2))
    for index in range(5):
        np.testing.assert_array_equal(first.frame(index), again.frame(index))
        np.testing.assert_array_equal(first.box_xywh(index), again.box_xywh(index))
    assert (first.frame(0) != other.frame(0)).mean() > 0.5


@pytest.mark.parametrize("index", [0, 25, 90])
def test_box_is_tight_around_what_the_target_changes(index: int) -> None:
    """Without the target the picture differs in the box and nowhere else."""
    scene = DrawnScene(640, 480, 100, seed=0)
    frame = scene.frame(index)
    scene._target = np.zeros_like(scene._target)
    difference = np.abs(frame.astype(int) - scene.frame(index)).max(axis=2)
    changed = np.argwhere(difference > 30)  # the antialiased rim reaches a pixel over the outline
    low, high = changed.min(axis=0)[::-1], changed.max(axis=0)[::-1] + 1
    seen_xywh = np.concatenate([low, high - low])
    assert overlap(seen_xywh, scene.box_xywh(index)) > 0.94


def test_target_moves_scales_and_meets_the_distractor() -> None:
    scene = DrawnScene(640, 480, 200, seed=0)
    boxes = np.array([scene.box_xywh(index) for index in range(200)])
    areas = boxes[:, 2] * boxes[:, 3]
    assert np.ptp(boxes[:, 0]) > 200
    assert areas.max() / areas.min() > 2
    steps = np.abs(np.diff(boxes[:, :2] + boxes[:, 2:] / 2, axis=0))
    assert steps.max() < 10
    distances = [
        np.linalg.norm(
            scene._target_matrix(i)[:, :2].sum(axis=1)
            + scene._target_matrix(i)[:, 2]
            - scene._distractor_matrix(i)[:, :2].sum(axis=1)
            - scene._distractor_matrix(i)[:, 2]
        )
        for i in range(200)
    ]
    assert min(distances) < 80


@pytest.mark.parametrize(
    ("width", "height", "frames"), [(63, 480, 10), (640, 10, 10), (640, 480, 0)]
)
def test_impossible_scene_is_refused(width: int, height: int, frames: int) -> None:
    with pytest.raises(ValueError, match=f"{width}x{height} px and {frames} frames"):
        DrawnScene(width, height, frames)
