"""Moving objects before a fixed camera are found, followed and outlined."""

import numpy as np
import pytest
from training_pictures import ellipse_mask, textured

from litetrack_ros.geometry import overlap
from litetrack_ros.pairs.moving_objects import find_moving_objects

WIDTH, HEIGHT = 240, 160


def _video(
    ways: list[list[tuple[int, int]]], brightness: float = 0.0
) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Frames in which discs go their ways before one ground, and the discs' masks."""
    rng = np.random.default_rng(0)
    ground = textured(rng, WIDTH, HEIGHT) // 3 + np.array([60, 90, 60], np.uint8)
    coats = [
        textured(rng, WIDTH, HEIGHT) // 3 + np.array([160, 20, 20 + 60 * k], np.uint8)
        for k in range(len(ways))
    ]
    frames, masks = [], []
    for index in range(len(ways[0])):
        frame = ground + rng.normal(0.0, 2.0, ground.shape)
        shown = [ellipse_mask(WIDTH, HEIGHT, way[index], (16, 22)) for way in ways]
        for mask, coat in zip(shown, coats, strict=True):
            frame = np.where(mask[..., None] > 0, coat, frame)
        frame = frame * (1.0 + brightness * np.sin(index))
        frames.append(frame.clip(0, 255).astype(np.uint8))
        masks.append(shown)
    return frames, masks


def _straight(y: int, start: int, speed: int, frames: int = 24) -> list[tuple[int, int]]:
    return [(start + speed * k, y) for k in range(frames)]


@pytest.mark.parametrize("brightness", [0.0, 0.1])
def test_objects_are_followed_and_outlined(brightness: float) -> None:
    frames, masks = _video([_straight(45, 30, 7), _straight(115, 210, -7)], brightness)
    objects = find_moving_objects(frames)
    assert len(objects) == 2
    for moving in objects:
        assert len(moving.indices) >= 20
        which = 0 if moving.boxes_xywh[0][1] < 60 else 1
        for index, mask, box in zip(moving.indices, moving.masks, moving.boxes_xywh, strict=True):
            true = masks[index][which]
            assert (mask & true).sum() / (mask | true).sum() > 0.85
            x, y = (_straight(45, 30, 7), _straight(115, 210, -7))[which][index]
            assert overlap(box, (x - 16, y - 22, 33, 45)) > 0.85


@pytest.mark.parametrize(
    "way",
    [
        _straight(80, 120, 0),  # part of the background
        _straight(80, -30, 1),  # always cut by the border
        _straight(80, 30, 7)[:5] + [(-90, 80)] * 19,  # too short
    ],
)
def test_what_cannot_be_used_is_left_out(way: list[tuple[int, int]]) -> None:
    frames, _ = _video([way])
    assert find_moving_objects(frames) == []


def test_objects_that_touch_are_not_taken_for_one() -> None:
    """Two discs that meet: no mask holds both."""
    frames, _ = _video([_straight(80, 30, 4, 45), _straight(80, 210, -4, 45)])
    for moving in find_moving_objects(frames):
        assert max(box[2] for box in moving.boxes_xywh) < 45
