"""The direction of a target from its box: ray, azimuth and elevation, rates, covariance, size."""

import math
from dataclasses import dataclass

import numpy as np

from litetrack_ros.control.camera_model import CameraModel
from litetrack_ros.geometry import BoxLike, FloatArray

_STEP_PX = 0.5  # for slopes


@dataclass(frozen=True)
class Bearing:
    """A direction in the optical frame (REP-103: x to the right, y down, z forward).

    Attributes:
        ray: unit vector, ``(3,)``.
        azimuth: rad, positive to the left.
        elevation: rad, positive up.
        rates: of azimuth and elevation, rad/s, ``(2,)``.
        covariance: of azimuth, elevation and their rates, rad^2 to rad^2/s^2, ``(4, 4)``.
        width: angle between the middles of the box's left and right edge, rad.
        height: angle between the middles of its top and bottom edge, rad.
    """

    ray: FloatArray
    azimuth: float
    elevation: float
    rates: FloatArray
    covariance: FloatArray
    width: float
    height: float


def bearing_of(
    camera: CameraModel, box_xywh: BoxLike, velocity: FloatArray, covariance: FloatArray
) -> Bearing | None:
    """The direction of a box's centre; None where the camera sees nothing there by its model.

    Args:
        camera: calibrated.
        box_xywh: px, ``(4,)``.
        velocity: of its centre, px/s, ``(2,)``.
        covariance: of centre and velocity, px^2 to px^2/s^2, ``(4, 4)``.
    """
    x, y, width, height = (float(v) for v in box_xywh)
    u, v = x + 0.5 * width, y + 0.5 * height
    rays = camera.rays(
        [
            (u, v),
            (u - _STEP_PX, v),
            (u + _STEP_PX, v),
            (u, v - _STEP_PX),
            (u, v + _STEP_PX),
            (x, v),
            (x + width, v),
            (u, y),
            (u, y + height),
        ]
    )
    if not np.isfinite(rays[:5]).all():
        return None
    angles = angles_of(rays[:5])
    slopes = np.stack([angles[2] - angles[1], angles[4] - angles[3]], axis=1)
    slopes[0] = (slopes[0] + math.pi) % (2 * math.pi) - math.pi  # over the cut behind the camera
    slopes /= 2 * _STEP_PX
    both = np.zeros((4, 4))
    both[:2, :2] = both[2:, 2:] = slopes
    return Bearing(
        ray=rays[0],
        azimuth=float(angles[0, 0]),
        elevation=float(angles[0, 1]),
        rates=slopes @ velocity,
        covariance=both @ covariance @ both.T,
        width=_between(rays[5], rays[6]),
        height=_between(rays[7], rays[8]),
    )


def angles_of(rays: FloatArray) -> FloatArray:
    """Azimuth (positive to the left) and elevation (positive up) of rays ``(N, 3)``, ``(N, 2)``."""
    x, y, z = rays[:, 0], rays[:, 1], rays[:, 2]
    return np.stack([np.arctan2(-x, z), np.arctan2(-y, np.hypot(x, z))], axis=1)


def _between(a: FloatArray, b: FloatArray) -> float:
    """The angle between two unit vectors, rad; NaN where one is."""
    return (
        float(2.0 * math.asin(min(1.0, 0.5 * float(np.linalg.norm(a - b)))))
        if (np.isfinite(a).all() and np.isfinite(b).all())
        else math.nan
    )
