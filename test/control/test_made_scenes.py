"""The shipped tracker in made scenes through lenses: box to bearing, error as an angle there."""

import math

import numpy as np
import pytest

import litetrack_ros as lt
from litetrack_ros.control.bearing import bearing_of
from litetrack_ros.control.camera_model import Calibration, CameraModel
from litetrack_ros.control.motion import box_sigma
from litetrack_ros.replay.turning_scene import Sight, TurningScene

NO_P = (0.0,) * 12
RATIONAL = (5.2, 1.9, 3e-4, -2e-4, 0.07, 5.55, 3.4, 0.42)


def k(focal: float) -> tuple:
    return (focal, 0.0, 319.5, 0.0, focal, 239.5, 0.0, 0.0, 1.0)


# Angles of view across, distortion included.
LENSES = {
    "60 plumb_bob": ("plumb_bob", (-0.2, 0.05, 1e-3, -5e-4, 0.0), k(591.0)),
    "90 plumb_bob": ("plumb_bob", (-0.1, 0.01, 2e-4, -3e-4, 0.0), k(352.0)),
    "60 rational": ("rational_polynomial", RATIONAL, k(611.0)),
    "90 rational": ("rational_polynomial", RATIONAL, k(406.0)),
    "160 equidistant": ("equidistant", (-0.02, 0.004, -0.001, 0.0001), k(236.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LENSES)
def test_errors_of_bearings_and_their_covariance(name: str):
    model, d, matrix = LENSES[name]
    camera = CameraModel(Calibration((640, 480), model, d, matrix, NO_P))
    scene = TurningScene(camera)
    backend = lt.open_backend()
    errors_px, covered = [], []
    for number, size in enumerate((24, 60, 160)):
        for corner in (False, True):
            tracker = lt.Tracker(backend)
            for index in range(20):
                # In corners the target drifts along the edge, else it circles the middle.
                phase = 0.15 * index + number
                if corner:
                    u, v = 0.62 * size + 40 + 4 * index, 0.62 * size + 10 + 2 * math.sin(phase)
                else:
                    u, v = 320 + 90 * math.cos(phase), 240 + 60 * math.sin(phase)
                ray = camera.rays([(u, v)])[0]
                azimuth = math.atan2(-ray[0], ray[2])
                elevation = math.atan2(-ray[1], math.hypot(ray[0], ray[2]))
                # The radius at which the target is about so large at that place.
                beside = camera.rays([(u + 0.5 * size, v)])[0]
                radius = math.acos(float(np.clip(ray @ beside, -1, 1)))
                sight = Sight(azimuth, elevation, radius)
                picture, box = scene.frame(sight), scene.box_xywh(sight)
                if index == 0:
                    tracker.init(picture, box)
                    continue
                result = tracker.update(picture)
                assert result is not None
                sigma = box_sigma(result.box_xywh, result.score, True)
                covariance = np.diag([sigma[0] ** 2, sigma[1] ** 2, 1.0, 1.0])
                true = bearing_of(camera, box, np.zeros(2), covariance)
                found = bearing_of(camera, result.box_xywh, np.zeros(2), covariance)
                assert true is not None and found is not None
                # One pixel's angle at that place: what its sides are worth, together.
                step = camera.rays([(u - 0.5, v), (u + 0.5, v)])
                pixel = math.acos(float(np.clip(step[0] @ step[1], -1, 1)))
                angle = math.acos(float(np.clip(true.ray @ found.ray, -1, 1)))
                errors_px.append(angle / pixel)
                off = np.array([found.azimuth - true.azimuth, found.elevation - true.elevation])
                covered.append(np.abs(off) < 2 * np.sqrt(np.diag(found.covariance)[:2]))
    assert np.median(errors_px) <= 2.0
    assert np.percentile(errors_px, 95) <= 6.0
    assert (np.mean(covered, axis=0) > 0.85).all()
