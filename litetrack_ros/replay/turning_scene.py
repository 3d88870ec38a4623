"""A made world around a camera that turns: textured ground everywhere, a round target on it.

The world's axes are those of the optical frame of a camera that has not turned: x to the right, y
down, z forward. Angles are those of bearings: azimuth and pan positive to the left, elevation and
tilt positive up, rad.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from litetrack_ros.control.camera_model import CameraModel
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2

_GROUND = (1024, 2048)  # rows from straight up to straight down, columns all the way round
_SPRITE = 128
_OUTLINE_POINTS = 180


@dataclass(frozen=True)
class Sight:
    """What the camera is to look at.

    Attributes:
        azimuth, elevation: of the target in the world, rad.
        radius: of the target, rad; a disc across the line of sight.
        pan, tilt: of the camera, rad.
    """

    azimuth: float
    elevation: float
    radius: float
    pan: float = 0.0
    tilt: float = 0.0


class TurningScene:
    """Draws what a camera sees.

    Args:
        camera: by whose model.
        seed: another seed draws other textures.
    """

    def __init__(self, camera: CameraModel, seed: int = 0) -> None:
        self.camera = camera
        self.size = camera.calibration.image_size
        width, height = self.size
        columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        rays = camera.rays(np.stack([columns.ravel(), rows.ravel()], axis=1))
        self._rays = rays.astype(np.float32)  # twice as fast, and good to a hundredth of a pixel
        rng = np.random.default_rng(seed)
        self._ground = _texture(rng, _GROUND, (60, 150), 24)
        self._sprite = _texture(rng, (_SPRITE, _SPRITE), (20, 250), 4)

    def frame(self, sight: Sight) -> Uint8Image:
        """A picture, ``(H, W, 3)`` uint8 BGR; black where the camera's model sees nothing."""
        directions = self._rays @ orientation(sight.pan, sight.tilt).T.astype(np.float32)
        x, y, z = directions.T
        column = (np.arctan2(x, z) / (2 * math.pi) + 0.5) * _GROUND[1] - 0.5
        row = (np.arctan2(y, np.hypot(x, z)) / math.pi + 0.5) * _GROUND[0] - 0.5
        picture = self._sample(self._ground, column, row)
        # The target's own axes: the third points at it.
        local = directions @ orientation(sight.azimuth, sight.elevation).astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            across = local[:, :2] / np.where(local[:, 2:] > 0, local[:, 2:], np.nan)
        across = across / math.tan(sight.radius)
        distance = np.hypot(across[:, 0], across[:, 1])
        if not np.nanmin(distance, initial=math.inf) < 1.0:
            return picture
        place = (0.5 * across + 0.5) * _SPRITE - 0.5
        target = self._sample(self._sprite, place[:, 0], place[:, 1])
        inside = (distance < 1.0).reshape(picture.shape[:2])
        picture[inside] = target[inside]
        rim = ((distance > 0.9) & (distance < 1.0)).reshape(inside.shape)
        picture[rim] //= 3
        return picture

    def box_xywh(self, sight: Sight) -> FloatArray:
        """The target's tight box, px, ``(4,)``; NaN where it is not in view."""
        angle = np.linspace(0, 2 * math.pi, _OUTLINE_POINTS, endpoint=False)
        radius = math.tan(sight.radius)
        local = np.stack(
            [radius * np.cos(angle), radius * np.sin(angle), np.ones_like(angle)], axis=1
        )
        world = local @ orientation(sight.azimuth, sight.elevation).T
        points = self.camera.points(world @ orientation(sight.pan, sight.tilt))
        low, high = points.min(axis=0), points.max(axis=0)
        return np.concatenate([low, high - low])

    def _sample(self, texture: Uint8Image, column: Any, row: Any) -> Uint8Image:
        width, height = self.size
        maps = [np.nan_to_num(v, nan=-1e4).astype(np.float32) for v in (column, row)]
        drawn = cv2.remap(
            texture,
            maps[0].reshape(height, width),
            maps[1].reshape(height, width),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        return np.asarray(drawn, dtype=np.uint8)


def orientation(pan: float, tilt: float) -> FloatArray:
    """Takes vectors of a camera's frame into the world's, ``(3, 3)``: tilted, then panned."""
    c, s = math.cos(pan), math.sin(pan)
    panned = np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])
    c, s = math.cos(tilt), math.sin(tilt)
    tilted = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return np.asarray(panned @ tilted)


def _texture(
    rng: np.random.Generator, shape: tuple[int, int], levels: tuple[int, int], cells: int
) -> Uint8Image:
    """Clouds of several sizes in colours."""
    total = np.zeros((*shape, 3), dtype=np.float32)
    for octave in range(4):
        across = cells * 2**octave
        small = rng.normal(0.0, 0.6**octave, (max(2, across * shape[0] // shape[1]), across, 3))
        total += cv2.resize(
            small.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC
        )
    low, high = levels
    scaled = low + (high - low) * (0.5 + 0.25 * total)
    return np.asarray(scaled.clip(0, 255), dtype=np.uint8)
