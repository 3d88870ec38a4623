"""The box a placement announces is the one the picture fills; regions show the target."""

import math

import cv2
import numpy as np
import pytest
from training_pictures import PLAIN_LOOK, STRAIGHT_POSE, ellipse_mask

from litetrack_ros.config import ModelConfig
from litetrack_ros.geometry import overlap
from litetrack_ros.pairs.compose import (
    Composition,
    Layer,
    draw_window,
)
from litetrack_ros.pairs.materials import make_sprite
from litetrack_ros.pairs.poses import (
    Placement,
    Pose,
    bounds_xyxy,
    covered_part,
    draw_search_region,
    drift,
    loosen,
    place,
    rotation,
    shift,
    visible_box,
    zoom,
)


@pytest.mark.parametrize(
    "pose",
    [
        STRAIGHT_POSE,
        STRAIGHT_POSE._replace(angle_rad=0.7),
        STRAIGHT_POSE._replace(log_stretch=0.5, flipped=True),
        STRAIGHT_POSE._replace(tilt=(0.2, -0.1), angle_rad=-2.0),
        STRAIGHT_POSE._replace(bend=(0.06, -0.05, 3.0, 1.0, -2.0, 4.0, 0.5, 2.0)),
        STRAIGHT_POSE._replace(
            angle_rad=0.4, tilt=(-0.1, 0.2), bend=(0.04, 0.04, 2.0, 3.0, 3.0, -2.0, 0.0, 1.0)
        ),
    ],
)
@pytest.mark.parametrize("size", [9.0, 40.0, 130.0])
def test_drawn_object_fills_its_box(pose: Pose, size: float) -> None:
    white = np.full((90, 120, 4), 255, np.uint8)
    white[..., 3] = ellipse_mask(120, 90, (55, 45), (50, 30))
    sprite = make_sprite(white)
    layer = Layer(sprite, place(sprite.outline_xy, pose, (151.3, 148.8), size))
    black = np.zeros((8, 8, 3), np.uint8)
    frame = Composition(300, 300, black, Placement(zoom(40.0, 40.0)), [layer], PLAIN_LOOK)
    drawn = draw_window(frame, 0, 0, 300, 300, np.random.default_rng(0))

    left, top, right, bottom = layer.bounds()
    assert math.sqrt((right - left) * (bottom - top)) == pytest.approx(size, rel=1e-6)
    assert (left + right) / 2 == pytest.approx(151.3) and (top + bottom) / 2 == pytest.approx(148.8)
    level = drawn[..., 0] / 255.0
    rows, columns = np.flatnonzero((level > 0.5).any(1)), np.flatnonzero((level > 0.5).any(0))
    seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    assert np.abs(np.array(seen) - [left, top, right, bottom]).max() < 0.8 + 0.02 * size


def test_points_and_source_maps_are_inverse() -> None:
    placement = Placement(shift(50.0, 40.0) @ rotation(0.5) @ zoom(2.0, 1.5))
    points = placement.points(np.array([[3.0, 4.0], [10.0, 2.0]]))
    for (x, y), source in zip(points, [(3.0, 4.0), (10.0, 2.0)], strict=True):
        # The map of a pixel whose centre is moved to the point.
        moved = placement.after(shift(0.5 - x, 0.5 - y))
        map_x, map_y = moved.source_maps(0, 0, 1, 1)
        assert (map_x[0, 0] + 0.5, map_y[0, 0] + 0.5) == pytest.approx(source, abs=1e-4)


def test_plain_picture_is_copied_to_the_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    maps = Placement(shift(4.0, 2.0)).source_maps(4, 2, 30, 20)
    np.testing.assert_array_equal(cv2.remap(picture, *maps, cv2.INTER_LINEAR), picture)


def test_scale_is_that_of_the_area() -> None:
    placement = Placement(shift(9.0, 9.0) @ rotation(1.0) @ zoom(4.0, 9.0))
    assert placement.scale_at(np.array([3.0, 3.0])) == pytest.approx(6.0)


def test_bounds() -> None:
    points = np.array([[3.0, 9.0], [1.0, 4.0], [2.0, 11.0]])
    assert bounds_xyxy(points).tolist() == [1.0, 4.0, 3.0, 11.0]


TARGET = np.array([100.0, 80.0, 150.0, 110.0])


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ((100, 80, 150, 110), 1.0),
        ((0, 0, 125, 200), 0.5),
        ((125, 95, 300, 300), 0.25),
        ((150, 80, 200, 110), 0.0),
        ((0, 0, 10, 10), 0.0),
    ],
)
def test_covered_part(other: tuple[int, ...], part: float) -> None:
    assert covered_part(TARGET, np.array(other, dtype=float)) == pytest.approx(part)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((10, 10, 40, 30), (10, 10, 30, 20)),
        ((-10, 10, 20, 30), (0, 10, 20, 20)),
        ((-20, 10, 10, 30), None),  # a third of it is left
        ((10, 10, 12, 90), None),  # too thin
        ((300, 300, 340, 340), None),
    ],
)
def test_visible_box(bounds: tuple[int, ...], expected: tuple[int, ...] | None) -> None:
    box = visible_box(np.array(bounds, dtype=float), 120, 100)
    assert (None if box is None else tuple(box)) == expected


@pytest.mark.parametrize("box", [(100, 80, 50, 30), (5, 5, 20, 80), (300, 10, 90, 18)])
def test_search_region_shows_the_target(box: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y, w, h = box
    shifts = []
    for _ in range(200):
        region = draw_search_region(rng, np.array(box, dtype=float), ModelConfig())
        assert region.size_px == 256
        window = np.array([0, 0, region.side_px, region.side_px], dtype=float)
        window += np.tile((region.x0_px, region.y0_px), 2)
        assert covered_part(np.array([x, y, x + w, y + h], dtype=float), window) >= 0.4
        middle = region.x0_px + region.side_px / 2 - (x + w / 2)
        shifts.append(middle / np.sqrt(w * h))
    assert np.abs(shifts).max() > 0.7
    assert np.median(np.abs(shifts)) < 0.3


def test_drift_and_loose_boxes() -> None:
    rng = np.random.default_rng(0)
    box = np.array([40.0, 60.0, 50.0, 30.0])
    drifted = np.stack([drift(rng, box) for _ in range(500)])
    sizes = np.sqrt(drifted[:, 2] * drifted[:, 3] / (50 * 30))
    assert 0.5 < sizes.min() < 0.7 and 1.4 < sizes.max() < 1.9
    loose = np.stack([loosen(rng, box) for _ in range(500)])
    overlaps = overlap(loose, box)
    assert overlaps.min() > 0.7 and 0.85 < overlaps.mean() < 0.97
