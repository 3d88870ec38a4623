"""Camera models against their definitions, written out here once more with plain formulas."""

import math

import numpy as np
import pytest

from litetrack_ros.control.bearing import bearing_of
from litetrack_ros.control.camera_model import Calibration, CameraModel
from litetrack_ros.errors import ConfigError

K90 = (320.0, 0.0, 319.5, 0.0, 320.0, 239.5, 0.0, 0.0, 1.0)
K60 = (554.3, 0.0, 322.1, 0.0, 551.0, 236.4, 0.0, 0.0, 1.0)
K160 = (229.2, 0.0, 318.0, 0.0, 229.0, 241.0, 0.0, 0.0, 1.0)
RATIONAL = (5.2, 1.9, 3e-4, -2e-4, 0.07, 5.55, 3.4, 0.42)
NO_P = (0.0,) * 12


def seen(ray: np.ndarray, model: str, d: tuple, k: tuple) -> tuple[float, float]:
    """Where a camera sees a direction: centres of pixels count as whole numbers.

    plumb_bob and rational_polynomial as in OpenCV's documentation of the pinhole camera, and
    equidistant as in that of the fisheye camera.
    """
    x, y, z = ray
    if model == "equidistant":
        theta = math.atan2(math.hypot(x, y), z)
        k1, k2, k3, k4 = d
        bent = theta * (1 + k1 * theta**2 + k2 * theta**4 + k3 * theta**6 + k4 * theta**8)
        across = math.hypot(x, y)
        xd, yd = (bent * x / across, bent * y / across) if across else (0.0, 0.0)
    else:
        x, y = x / z, y / z
        k1, k2, p1, p2, k3, k4, k5, k6 = (*d, *(0.0,) * (8 - len(d)))
        r2 = x * x + y * y
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        yd = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return k[0] * xd + k[2], k[4] * yd + k[5]


CAMERAS = {
    "60 plumb_bob": ("plumb_bob", (-0.25, 0.08, 1e-3, -5e-4, -0.01), K60, 28.0),
    "90 plumb_bob": ("plumb_bob", (-0.12, 0.015, 2e-4, -3e-4, 0.0), K90, 44.0),
    "90 four": ("plumb_bob", (-0.1, 0.01, 2e-4, -3e-4), K90, 44.0),
    "90 rational": ("rational_polynomial", RATIONAL, K90, 44.0),
    "60 rational": ("rational_polynomial", RATIONAL, K60, 28.0),
    "160": ("equidistant", (-0.02, 0.004, -0.001, 0.0001), K160, 79.0),
    "160 fisheye": ("fisheye", (-0.02, 0.004, -0.001, 0.0001), K160, 95.0),
    "none": ("plumb_bob", (0.0,) * 5, K60, 28.0),
    "empty": ("", (), K60, 28.0),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_true_boxes_give_true_directions(name: str):
    model, d, k, half = CAMERAS[name]
    camera = CameraModel(Calibration((640, 480), model, d, k, NO_P))
    rng = np.random.default_rng(3)
    checked = 0
    for _ in range(600):
        azimuth = math.radians(rng.uniform(-half, half))
        elevation = math.radians(rng.uniform(-0.75 * half, 0.75 * half))
        # Positive azimuth is to the left of the camera, positive elevation above it.
        ray = np.array(
            [
                -math.cos(elevation) * math.sin(azimuth),
                -math.sin(elevation),
                math.cos(elevation) * math.cos(azimuth),
            ]
        )
        name_of = "equidistant" if model == "fisheye" else model
        u, v = seen(ray, name_of, d or (0.0,) * 5, k)
        if not (-0.5 <= u <= 639.5 and -0.5 <= v <= 479.5):
            continue
        checked += 1
        width, height = rng.uniform(8, 100, 2)
        box = (u + 0.5 - width / 2, v + 0.5 - height / 2, width, height)
        bearing = bearing_of(camera, box, np.zeros(2), np.eye(4))
        assert bearing is not None
        assert abs(math.degrees(bearing.azimuth - azimuth)) < 0.005
        assert abs(math.degrees(bearing.elevation - elevation)) < 0.005
        assert np.abs(bearing.ray - ray).max() < 1e-6
        assert np.abs(camera.points([ray])[0] - (u + 0.5, v + 0.5)).max() < 1e-6
    assert checked > 200


@pytest.mark.parametrize(
    ("u", "v", "azimuth_sign", "elevation_sign"),
    [(100.0, 239.5, 1, 0), (540.0, 239.5, -1, 0), (319.5, 100.0, 0, 1), (319.5, 400.0, 0, -1)],
    ids=["left", "right", "above", "below"],
)
def test_left_and_up_are_positive(u: float, v: float, azimuth_sign: int, elevation_sign: int):
    camera = CameraModel(Calibration((640, 480), "plumb_bob", (), K90, NO_P))
    bearing = bearing_of(camera, (u + 0.5 - 5, v + 0.5 - 5, 10, 10), np.zeros(2), np.eye(4))
    assert bearing is not None
    assert np.sign(round(bearing.azimuth, 9)) == azimuth_sign
    assert np.sign(round(bearing.elevation, 9)) == elevation_sign


def test_rates_covariance_and_size():
    """By hand at the axis of a camera of 320 px focal length: 1 px is 1/320 rad."""
    camera = CameraModel(Calibration((640, 480), "plumb_bob", (), K90, NO_P))
    covariance = np.diag([4.0, 9.0, 100.0, 400.0])
    covariance[0, 2] = covariance[2, 0] = 5.0
    bearing = bearing_of(camera, (320 - 16, 240 - 8, 32, 16), np.array([32.0, -64.0]), covariance)
    assert bearing is not None
    # To the right is negative, and up in the image is against y.
    assert bearing.rates == pytest.approx([-0.1, 0.2], rel=1e-5)
    expected = np.diag([4.0, 9.0, 100.0, 400.0]) / 320**2
    expected[0, 2] = expected[2, 0] = 5.0 / 320**2
    assert bearing.covariance == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert bearing.width == pytest.approx(2 * math.atan(16 / 320), rel=1e-9)
    assert bearing.height == pytest.approx(2 * math.atan(8 / 320), rel=1e-9)


def test_binning_and_region_of_interest():
    """A pixel of a binned image is a block of the full one's; the region begins at its offset."""
    model, d, k = "plumb_bob", (-0.12, 0.015, 2e-4, -3e-4, 0.0), K90
    full = CameraModel(Calibration((640, 480), model, d, k, NO_P))
    part = Calibration((640, 480), model, d, k, NO_P, (2, 4), (120, 40), (400, 320))
    assert part.image_size == (200, 80)
    # The left edge of column 10 of the part is that of column 120 + 2 * 10 of the full image.
    corners = np.array([[10.0, 20.0], [0.0, 0.0], [199.5, 79.25]])
    same = corners * (2, 4) + (120, 40)
    camera = CameraModel(part)
    assert camera.rays(corners) == pytest.approx(full.rays(same), abs=1e-12)
    assert camera.points(full.rays(same)) == pytest.approx(corners, abs=1e-6)


def test_rectified_images_have_the_projection_matrix_and_no_distortion():
    p = (400.0, 0.0, 330.0, -40.0, 0.0, 410.0, 250.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    calibration = Calibration((640, 480), "plumb_bob", (-0.3, 0.1, 0.0, 0.0, 0.0), K90, p)
    ray = CameraModel(calibration, is_rectified=True).rays([(530.5, 45.5)])[0]
    expected = np.array([200 / 400, -205 / 410, 1.0])
    assert ray == pytest.approx(expected / np.linalg.norm(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("calibration", "rectified", "words"),
    [
        (Calibration((640, 480), "plumb_bob", (), (0.0,) * 9, NO_P), False, "uncalibrated"),
        (Calibration((640, 480), "plumb_bob", (), K90, NO_P), True, "uncalibrated"),
        (Calibration((640, 480), "omni", (0.1,) * 4, K90, NO_P), False, "'omni'"),
        (Calibration((640, 480), "equidistant", (0.1,) * 5, K90, NO_P), False, "5 coefficients"),
        (Calibration((640, 480), "plumb_bob", (math.nan,) * 5, K90, NO_P), False, "not finite"),
        (Calibration((640, 480), "plumb_bob", (), (-1.0, *K90[1:]), NO_P), False, "positive"),
    ],
)
def test_what_is_no_calibration_is_said(calibration: Calibration, rectified: bool, words: str):
    with pytest.raises(ConfigError, match=words):
        CameraModel(calibration, rectified)


def test_where_the_model_sees_nothing_there_is_no_direction():
    """A lens that bends inwards reaches only so far: its corners have no inverse."""
    strong = Calibration((640, 480), "plumb_bob", (-0.5, 0.0, 0.0, 0.0, 0.0), K90, NO_P)
    camera = CameraModel(strong)
    assert np.isnan(camera.rays([(2.0, 2.0)])).all()
    assert bearing_of(camera, (0.0, 0.0, 4.0, 4.0), np.zeros(2), np.eye(4)) is None
    assert np.isfinite(camera.rays([(320.0, 240.0)])).all()
