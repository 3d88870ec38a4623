"""A calibrated camera: from points in its image to directions, and back.

Points are those of boxes: px with the origin at the top-left *corner* of the top-left pixel, x to
the right, y down. Camera models count from the *centre* of that pixel; the half pixel between the
two is taken off here and nowhere else. Directions are unit vectors in the optical frame (REP-103):
x to the right, y down, z forward.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import ConfigError, shown
from litetrack_ros.geometry import FloatArray
from litetrack_ros.opencv import cv2

PINHOLE_MODELS = ("plumb_bob", "rational_polynomial")
WIDE_MODELS = ("equidistant", "fisheye")  # two names of one model; ROS's is the first

_STEPS = 30  # of Newton's method; a handful is enough where there is a solution
_CLOSE = 1e-9  # in units of the focal length
_SAME = 1e-6


@dataclass(frozen=True)
class Calibration:
    """What of a ``sensor_msgs/CameraInfo`` says where a pixel looks.

    Attributes:
        size: width and height of the full image, px, binning and region of interest left aside.
        model: name of the distortion model; empty is none.
        distortion: its coefficients.
        k: the camera's matrix for the full raw image, row by row, 9.
        p: the projection matrix for the full rectified image, row by row, 12.
        binning: pixels of the full image to one of the image, across and down; 0 is 1.
        offset: left and top of the region of interest in the full image, px.
        region: its width and height in the full image, px; 0 is all of it.
    """

    size: tuple[int, int]
    model: str
    distortion: tuple[float, ...]
    k: tuple[float, ...]
    p: tuple[float, ...]
    binning: tuple[int, int] = (1, 1)
    offset: tuple[int, int] = (0, 0)
    region: tuple[int, int] = (0, 0)

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the images that this is for, px."""
        full = (self.region[0] or self.size[0], self.region[1] or self.size[1])
        return full[0] // max(1, self.binning[0]), full[1] // max(1, self.binning[1])


class CameraModel:
    """Maps points to directions and directions to points.

    Args:
        calibration: of the camera.
        is_rectified: the images are rectified: the projection matrix counts, and no distortion.

    Raises:
        ConfigError: the camera is not calibrated, or its distortion model is not known.
    """

    def __init__(self, calibration: Calibration, is_rectified: bool = False) -> None:
        name = "P" if is_rectified else "K"
        values = calibration.p if is_rectified else calibration.k
        rows = np.asarray(values, dtype=np.float64).reshape(3, -1)[:, :3]
        if not rows[0, 0] or not np.isfinite(rows).all():
            raise ConfigError(
                f"the camera is uncalibrated: {name}[0] of its camera_info is "
                f"{rows[0, 0]:g}; calibrate it, or give camera_info from a calibration"
            )
        if rows[0, 0] < 0 or rows[1, 1] <= 0:
            raise ConfigError(
                f"the camera_info has no positive focal lengths in {name}: calibrate the camera"
            )
        self.calibration = calibration
        self._matrix = rows
        self._distortion = np.zeros(0) if is_rectified else np.asarray(calibration.distortion)
        if not np.isfinite(self._distortion).all():
            raise ConfigError("the distortion in camera_info is not finite: calibrate the camera")
        self._is_wide = not is_rectified and calibration.model in WIDE_MODELS
        self._check_distortion()
        self._scale = np.maximum(1.0, np.asarray(calibration.binning, dtype=np.float64))
        self._offset = np.asarray(calibration.offset, dtype=np.float64)

    def _check_distortion(self) -> None:
        model, count = self.calibration.model, len(self._distortion)
        if not self._distortion.any():
            self._distortion = np.zeros(4 if self._is_wide else 5)
            return
        fits = count == 4 if self._is_wide else count in (4, 5, 8, 12, 14)
        if model not in (*PINHOLE_MODELS, *WIDE_MODELS) or not fits:
            raise ConfigError(
                f"the distortion model '{shown(model)}' with {count} coefficients is not known: "
                f"give camera_info with {', '.join((*PINHOLE_MODELS, *WIDE_MODELS))}, or rectified "
                "images with the parameter rectified"
            )

    def rays(self, points: npt.ArrayLike) -> FloatArray:
        """Directions of points.

        Args:
            points: px, ``(N, 2)``.

        Returns:
            Unit vectors ``(N, 3)``; NaN where the camera sees nothing there by its model.
        """
        full = np.asarray(points, dtype=np.float64) * self._scale + self._offset - 0.5
        y = (full[:, 1] - self._matrix[1, 2]) / self._matrix[1, 1]
        x = (full[:, 0] - self._matrix[0, 2] - self._matrix[0, 1] * y) / self._matrix[0, 0]
        distorted = np.stack([x, y], axis=1)
        if self._is_wide:
            return self._wide_rays(distorted)
        if not self._distortion.any():
            flat = distorted
        else:
            flat = self._undistorted(distorted)
        rays = np.column_stack([flat, np.ones(len(flat))])
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def points(self, rays: npt.ArrayLike) -> FloatArray:
        """Points of directions.

        Args:
            rays: ``(N, 3)``, of any length.

        Returns:
            px, ``(N, 2)``, which may lie outside the image; NaN for a pinhole camera behind it.
        """
        r = np.asarray(rays, dtype=np.float64)
        if self._is_wide:
            across = np.hypot(r[:, 0], r[:, 1])
            angle = np.arctan2(across, r[:, 2])
            factor = _bent(self._distortion, angle)[0] / np.maximum(across, 1e-300)
            plane = np.where(across[:, None] > 0, r[:, :2] * factor[:, None], 0.0)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                plane = np.where(r[:, 2:] > 0, r[:, :2] / r[:, 2:], np.nan)
            if self._distortion.any():
                plane = self._distorted(plane)[0]
        x = self._matrix[0, 0] * plane[:, 0] + self._matrix[0, 1] * plane[:, 1]
        full = np.stack([x, self._matrix[1, 1] * plane[:, 1]], axis=1) + self._matrix[:2, 2]
        return np.asarray((full + 0.5 - self._offset) / self._scale)

    def _distorted(self, plane: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Where the lens puts points of the plane z = 1, ``(N, 2)``, and the slopes there."""
        points, slopes = cv2.projectPoints(
            np.column_stack([plane, np.ones(len(plane))]).reshape(-1, 1, 3),
            np.zeros(3),
            np.zeros(3),
            np.eye(3),
            self._distortion,
        )
        # A translation moves the points, so that its columns are the slopes along x and y.
        by_all = np.asarray(slopes, dtype=np.float64).reshape(len(plane), 2, -1)
        return np.asarray(points, dtype=np.float64).reshape(-1, 2), by_all[:, :, 3:5]

    def _undistorted(self, distorted: FloatArray) -> FloatArray:
        """The points of the plane z = 1 that the lens puts there; NaN where there are none."""
        start = cv2.undistortPoints(distorted.reshape(-1, 1, 2), np.eye(3), self._distortion)
        plane = np.asarray(start, dtype=np.float64).reshape(-1, 2)
        # OpenCV's few steps are off by some pixels in the corners of a wide lens.
        for _ in range(_STEPS):
            reached, slopes = self._distorted(plane)
            missing = distorted - reached
            determinant = slopes[:, 0, 0] * slopes[:, 1, 1] - slopes[:, 0, 1] * slopes[:, 1, 0]
            if not np.abs(missing).max() > _CLOSE:
                break
            safe = np.where(np.abs(determinant) > _SAME, determinant, np.nan)
            step_x = slopes[:, 1, 1] * missing[:, 0] - slopes[:, 0, 1] * missing[:, 1]
            step_y = slopes[:, 0, 0] * missing[:, 1] - slopes[:, 1, 0] * missing[:, 0]
            plane = plane + np.stack([step_x, step_y], axis=1) / safe[:, None]
        is_there = np.abs(missing).max(axis=1) < _SAME
        # Polynomials have further solutions, mirrored or folded back, which no lens has.
        is_there &= (determinant > 0) & ((plane * distorted).sum(axis=1) > -_SAME)
        return np.where(is_there[:, None], plane, np.nan)

    def _wide_rays(self, distorted: FloatArray) -> FloatArray:
        """OpenCV's own inverse goes through the tangent, which ends at 90 degrees."""
        radius = np.hypot(distorted[:, 0], distorted[:, 1])
        angle = radius.copy()
        for _ in range(_STEPS):
            bent, slope = _bent(self._distortion, angle)
            step = (radius - bent) / np.where(np.abs(slope) > _SAME, slope, np.nan)
            angle = angle + step
            if np.nanmax(np.abs(step), initial=0.0) < _CLOSE:
                break
        is_there = (np.abs(_bent(self._distortion, angle)[0] - radius) < _SAME) & (angle <= np.pi)
        angle = np.where(is_there & (angle >= 0), angle, np.nan)
        unit = np.where(radius[:, None] > 0, distorted / np.maximum(radius, 1e-300)[:, None], 0.0)
        return np.column_stack([np.sin(angle)[:, None] * unit, np.cos(angle)])


def _bent(coefficients: Sequence[float] | FloatArray, angle: FloatArray) -> tuple[FloatArray, ...]:
    """The equidistant model: radius in the image of an angle from the axis, and its slope."""
    square = angle * angle
    k1, k2, k3, k4 = coefficients
    series = square * (k1 + square * (k2 + square * (k3 + square * k4)))
    slope = square * (3 * k1 + square * (5 * k2 + square * (7 * k3 + square * 9 * k4)))
    return angle * (1.0 + series), 1.0 + slope
