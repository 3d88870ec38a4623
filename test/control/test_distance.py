"""Range from made depth images and from a known height."""

import math

import numpy as np
import pytest

from litetrack_ros.control.bearing import bearing_of
from litetrack_ros.control.camera_model import Calibration, CameraModel
from litetrack_ros.control.distance import DepthFollower, depth_from_height, look_at

K = (500.0, 0.0, 319.5, 0.0, 500.0, 239.5, 0.0, 0.0, 1.0)
CAMERA = CameraModel(Calibration((640, 480), "plumb_bob", (), K, (0.0,) * 12))


def scene(
    rng: np.random.Generator,
    box: tuple,
    target_m: float,
    *,
    pole_m: float | None = None,
    holes: float = 0.2,
    noise: float = 0.01,
    shape: str = "ellipse",
) -> np.ndarray:
    """A float depth image, m, NaN in holes: background, a target in its box, a pole across it."""
    height, width = 480, 640
    rows, columns = np.mgrid[:height, :width] + 0.5
    depth = target_m * rng.uniform(1.4, 4.0) + 0.002 * columns
    x, y, w, h = box
    u, v = (columns - x - w / 2) / (w / 2), (rows - y - h / 2) / (h / 2)
    if shape == "ellipse":
        inside = u * u + v * v < 1
    else:  # a person: a head over a body
        inside = ((abs(u) < 0.62) & (v > -0.55) & (v < 1)) | (
            u * u / 0.1 + (v + 0.8) ** 2 / 0.06 < 1
        )
    depth = np.where(inside, target_m * (1 + 0.02 * u), depth)
    if pole_m is not None:
        left = x + rng.uniform(0, 0.75) * w
        depth = np.where((columns >= left) & (columns < left + w / 4), pole_m, depth)
    depth = depth * (1 + rng.normal(0, noise, depth.shape))
    return np.where(rng.random(depth.shape) < holes, np.nan, depth).astype(np.float32)


def as_millimetres(depth: np.ndarray) -> np.ndarray:
    return np.nan_to_num(1e3 * depth, nan=0.0).round().clip(0, 65535).astype(np.uint16)


@pytest.mark.parametrize("shape", ["ellipse", "person"])
@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_a_pole_in_front_does_not_fool_it(encoding: str, shape: str):
    """Each target is seen freely first, then for a second behind a pole."""
    rng = np.random.default_rng(4)
    errors, answers = [], 0
    for _ in range(12):
        size = rng.uniform(24, 160, 2)
        box = (*(rng.uniform((0, 0), np.array([640, 480]) - size)), *size)
        target, follower = rng.uniform(1.0, 8.0), DepthFollower()
        for index in range(12):
            pole = target * rng.uniform(0.3, 0.8) if index >= 2 else None
            depth = scene(rng, box, target, pole_m=pole, noise=0.02, holes=0.4, shape=shape)
            image = as_millimetres(depth) if encoding == "16UC1" else depth
            surface = follower.choose(look_at(image, box), index / 10)
            if surface is not None:
                answers += 1
                errors.append(abs(surface.depth_m / target - 1))
    assert answers > 100
    assert np.median(errors) < 0.03
    assert np.percentile(errors, 95) < 0.08


def test_a_pole_in_the_first_image_is_not_the_target():
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(60):
        size = rng.uniform(40, 160, 2)
        box = (*(rng.uniform((0, 0), np.array([640, 480]) - size)), *size)
        depth = scene(rng, box, 4.0, pole_m=rng.uniform(1.0, 3.2), noise=0.02)
        surface = DepthFollower().choose(look_at(depth, box), 0.0)
        if surface is not None:
            errors.append(abs(surface.depth_m / 4.0 - 1))
    assert np.median(errors) < 0.03
    assert np.percentile(errors, 95) < 0.08


def test_a_target_that_comes_nearer_is_followed():
    rng, follower = np.random.default_rng(6), DepthFollower()
    for index in range(40):
        target = 8.0 - 4.0 * index / 30
        depth = scene(rng, (300, 200, 60, 90), target)
        surface = follower.choose(look_at(depth, (300, 200, 60, 90)), index / 30)
        assert surface is not None
        assert surface.depth_m == pytest.approx(target, rel=0.03)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((480, 640), 2500, np.uint16), 2.5),
        (np.full((480, 640), 2.5, np.float32), 2.5),
        (np.zeros((480, 640), np.uint16), None),
        (np.full((480, 640), np.nan, np.float32), None),
        (np.full((480, 640), np.inf, np.float32), None),
        (np.full((480, 640), -np.inf, np.float32), None),
        (np.full((480, 640), -1.0, np.float32), None),
    ],
    ids=["mm", "m", "no mm", "nan", "too far", "too near", "negative"],
)
def test_units_and_what_is_no_depth(image: np.ndarray, expected: float | None):
    surface = DepthFollower().choose(look_at(image, (100, 100, 50, 60)), 0.0)
    assert (None if surface is None else surface.depth_m) == (
        None if expected is None else pytest.approx(expected, rel=1e-6)
    )


@pytest.mark.parametrize(("valid", "is_number"), [(0.05, False), (0.2, True)])
def test_no_number_where_little_is_valid(valid: float, is_number: bool):
    rng = np.random.default_rng(7)
    depth = np.where(rng.random((480, 640)) < valid, 3.0, np.nan).astype(np.float32)
    view = look_at(depth, (100, 100, 80, 80))
    assert view.valid_share == pytest.approx(valid, abs=0.02)
    assert (DepthFollower().choose(view, 0.0) is not None) == is_number


def test_boxes_over_the_border_and_outside():
    depth = np.full((480, 640), 2.0, np.float32)
    for box in ((-30, -30, 60, 60), (620, 470, 60, 60), (0.2, 0.2, 0.3, 0.3)):
        assert look_at(depth, box).surfaces[0].depth_m == pytest.approx(2.0)


@pytest.mark.parametrize("place", [(320.0, 240.0), (560.0, 240.0), (320.0, 430.0)])
def test_a_known_height_gives_the_range(place: tuple):
    """A target of 1.7 m that stands across the line of sight, 6 m away."""
    ray = CAMERA.rays([place])[0]
    up = np.array([0.0, -1.0, 0.0])
    up = up - ray * (up @ ray)
    up /= np.linalg.norm(up)
    ends = CAMERA.points([6.0 * ray + 0.85 * up, 6.0 * ray - 0.85 * up])
    height = ends[1, 1] - ends[0, 1]
    box = (place[0] - 30, ends[0, 1], 60, height)
    bearing = bearing_of(CAMERA, box, np.zeros(2), np.eye(4))
    assert bearing is not None
    found = depth_from_height(bearing, 1.7)
    assert found is not None
    assert found[0] / bearing.ray[2] == pytest.approx(6.0, rel=0.02)
    assert 0.02 < found[1] / found[0] < 0.2


def test_no_height_no_range():
    bearing = bearing_of(CAMERA, (100, 100, 40, 40), np.zeros(2), np.eye(4))
    assert bearing is not None
    flat = bearing.__class__(**{**vars(bearing), "height": math.nan})
    assert depth_from_height(flat, 1.7) is None
