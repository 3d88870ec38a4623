"""The box that a placement announces is the box that the picture fills when it is drawn."""

import math

import cv2
import numpy as np
import pytest
from training_pictures import PLAIN_LOOK, STRAIGHT_POSE, ellipse_mask

from litetrack_ros.pairs.compose import Frame, Layer, draw_window
from litetrack_ros.pairs.materials import make_sprite
from litetrack_ros.pairs.placement import Placement, bounds_xyxy, rotation, shift, zoom
from litetrack_ros.pairs.poses import Pose, place


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
    frame = Frame(300, 300, black, Placement(zoom(40.0, 40.0)), [layer], PLAIN_LOOK)
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
