"""Where a picture lies in a frame: a perspective map and a smooth bend.

Coordinates are continuous: pixel i covers [i, i + 1] and has its centre at i + 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
FloatMap = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]


class Bend(NamedTuple):
    """A smooth displacement of a picture's own coordinates (x' = x + d(x)), in two sine waves.

    Attributes:
        amplitude_px: along x and y.
        frequency: ``(2, 2)`` radians a pixel, a row for the displacement along x and along y.
        phase: of both waves.
    """

    amplitude_px: tuple[float, float]
    frequency: npt.NDArray[np.float64]
    phase: tuple[float, float]

    def displace(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Displacement along x and y at points of the picture."""
        dx, dy = (
            np.float32(amplitude)
            * np.sin(np.float32(fx) * x + np.float32(fy) * y + np.float32(phase))
            for amplitude, (fx, fy), phase in zip(
                self.amplitude_px, self.frequency, self.phase, strict=True
            )
        )
        return dx, dy


@dataclass(frozen=True)
class Placement:
    """Maps a picture into a frame.

    Attributes:
        matrix: 3x3, picture to frame.
        bend: applied to the picture before the matrix, or None.
    """

    matrix: Matrix
    bend: Bend | None = None

    def after(self, matrix: Matrix) -> Placement:
        """The same placement followed by another map."""
        return Placement(matrix @ self.matrix, self.bend)

    def points(self, points_xy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Points ``(K, 2)`` of the picture in the frame."""
        points = np.asarray(points_xy, dtype=np.float64)
        if self.bend is not None:
            # What the frame shows at u is the picture at u + d(u): find u for each point.
            u = points
            for _ in range(2):
                u = points - np.stack(self.bend.displace(u[:, 0], u[:, 1]), axis=1)
            points = u
        mapped = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.asarray(mapped[:, :2] / mapped[:, 2:], dtype=np.float64)

    def source_maps(self, x0: int, y0: int, width: int, height: int) -> tuple[FloatMap, FloatMap]:
        """For ``cv2.remap``: the picture's pixel indices under a rectangle of the frame."""
        inverse = np.linalg.inv(self.matrix).astype(np.float32)
        x = np.arange(x0, x0 + width, dtype=np.float32)[None, :] + np.float32(0.5)
        y = np.arange(y0, y0 + height, dtype=np.float32)[:, None] + np.float32(0.5)
        u: Floats
        v: Floats
        u, v, w = (row[0] * x + (row[1] * y + row[2]) for row in inverse)
        if abs(inverse[2, 0]) + abs(inverse[2, 1]) > 1e-12:
            u, v = u / w, v / w
        elif inverse[2, 2] != 1.0:
            u, v = u / inverse[2, 2], v / inverse[2, 2]
        if self.bend is not None:
            dx, dy = self.bend.displace(u, v)
            u, v = u + dx, v + dy
        return u - np.float32(0.5), v - np.float32(0.5)

    def scale_at(self, point_xy: npt.NDArray[np.floating]) -> float:
        """Frame pixels per picture pixel at a point of the picture (root of the area ratio)."""
        x, y = float(point_xy[0]), float(point_xy[1])
        w = self.matrix[2, 0] * x + self.matrix[2, 1] * y + self.matrix[2, 2]
        return math.sqrt(abs(float(np.linalg.det(self.matrix)) / float(w) ** 3))


def shift(dx: float, dy: float) -> Matrix:
    """A translation."""
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])


def zoom(sx: float, sy: float) -> Matrix:
    """A scaling along both axes."""
    return np.diag([sx, sy, 1.0])


def rotation(angle_rad: float) -> Matrix:
    """A rotation about the origin."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def tilt(px: float, py: float) -> Matrix:
    """A perspective about the origin: px, py are the change of the divisor per pixel."""
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [px, py, 1.0]])


def bounds_xyxy(points_xy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The tight box of points ``(K, 2)``."""
    return np.concatenate([points_xy.min(axis=0), points_xy.max(axis=0)]).astype(np.float64)
