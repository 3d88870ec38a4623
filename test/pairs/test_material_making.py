"""Moving objects and the objects of photos are found, followed and outlined."""

import numpy as np
import pytest
from training_pictures import ellipse_mask, textured

from litetrack_ros.geometry import overlap
from litetrack_ros.pairs.material_making import find_moving_objects, find_object

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


def _disc_on_ground(width: int, height: int, center: tuple[int, int]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    mask = ellipse_mask(width, height, center, (50, 40))
    ground = textured(rng, width, height) // 3 + np.array([0, 90, 120], np.uint8)
    disc = textured(rng, width, height) // 3 + np.array([160, 30, 0], np.uint8)
    return np.where(mask[..., None] > 0, disc, ground).astype(np.uint8), mask


@pytest.mark.parametrize(
    ("width", "height", "center"), [(240, 224, (120, 112)), (300, 224, (170, 100))]
)
def test_clear_object_is_found(width: int, height: int, center: tuple[int, int]) -> None:
    picture, mask = _disc_on_ground(width, height, center)
    found = find_object(picture)
    assert found is not None and found.shape == mask.shape and found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 255}
    common, either = (found & mask).sum(), (found | mask).sum()
    assert common / either > 0.93
    np.testing.assert_array_equal(find_object(picture), found)


@pytest.mark.parametrize("kind", ["even", "noise", "too large"])
def test_unclear_picture_is_turned_down(kind: str) -> None:
    rng = np.random.default_rng(0)
    picture = np.full((224, 224, 3), 100, np.uint8)
    if kind == "noise":
        picture = rng.integers(0, 256, picture.shape, dtype=np.uint8)
    if kind == "too large":
        picture[8:-8, 8:-8] = (200, 20, 20)
    assert find_object(picture) is None
