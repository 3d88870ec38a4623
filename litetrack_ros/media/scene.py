"""A small moving scene that the package draws itself, for demonstrations and tests.

A textured object wanders over a textured ground under a moving camera, changes its size, turns,
and passes another object of the same shape in other colours. Nothing is read from disk, and frame
and box are functions of the index alone.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2

_SPRITE_WIDTH, _SPRITE_HEIGHT = 144, 96
_OUTLINE_POINTS = 64
_GROUND_SCALE = 1.4  # size of the ground over the frame's; what is left over is for the camera


class DrawnScene:
    """Frames of the scene and the target's true boxes.

    Args:
        width: of a frame, px; at least 64.
        height: of a frame, px; at least 64.
        frames: how many frames there are.
        seed: another seed draws other textures, colours and paths.

    Iterating yields ``(frame, box_xywh)`` from the first frame to the last: ``(H, W, 3)`` uint8
    BGR and the target's tight box, ``(4,)`` float64 in pixels, always wholly inside the frame.
    """

    def __init__(
        self, width: int = 640, height: int = 480, frames: int = 150, seed: int = 0
    ) -> None:
        if min(width, height) < 64 or frames < 1:
            raise ValueError(
                f"a drawn scene needs at least 64x64 px and one frame, not {width}x{height} px "
                f"and {frames} frames"
            )
        self.width, self.height, self.frames = width, height, frames
        rng = np.random.default_rng(seed)
        self._ground = _draw_ground(
            rng, round(width * _GROUND_SCALE), round(height * _GROUND_SCALE)
        )
        hue = rng.uniform(0.0, 180.0)
        self._target = _draw_object(rng, hue)
        self._distractor = _draw_object(rng, (hue + 80.0) % 180.0)
        self._phase = rng.uniform(0.0, 2.0 * math.pi, 6)

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterator[tuple[Uint8Image, FloatArray]]:
        for index in range(self.frames):
            yield self.frame(index), self.box_xywh(index)

    def frame(self, index: int) -> Uint8Image:
        """The picture of an index, ``(H, W, 3)`` uint8 BGR."""
        picture = np.asarray(
            cv2.warpAffine(
                self._ground,
                self._camera(index),
                (self.width, self.height),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            ),
            dtype=np.uint8,
        )
        _paste(picture, self._distractor, self._distractor_matrix(index))
        _paste(picture, self._target, self._target_matrix(index))
        return picture

    def box_xywh(self, index: int) -> FloatArray:
        """The target's tight box in the picture of an index, ``(4,)`` float64, px."""
        matrix = self._target_matrix(index)
        points = _outline() @ matrix[:, :2].T + matrix[:, 2]
        low, high = points.min(axis=0), points.max(axis=0)
        return np.concatenate([low, high - low])

    def _camera(self, index: int) -> FloatArray:
        spare = 0.5 * (_GROUND_SCALE - 1.0)
        x = spare * self.width * (1.0 + 0.9 * math.sin(0.021 * index + self._phase[0]))
        y = spare * self.height * (1.0 + 0.9 * math.sin(0.016 * index + self._phase[1]))
        return np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])

    def _path(self, index: int) -> tuple[float, float]:
        """The target's centre; it stays far enough from the border for the whole object."""
        x = 0.5 + 0.29 * math.sin(0.037 * index + self._phase[2])
        y = 0.5 + 0.26 * math.sin(0.029 * index + self._phase[3])
        return x * self.width, y * self.height

    def _target_matrix(self, index: int) -> FloatArray:
        size = 0.17 * min(self.width, self.height)
        size *= 1.0 + 0.3 * math.sin(0.024 * index + self._phase[4])
        angle = 0.35 * math.sin(0.031 * index + self._phase[5])
        return _similarity(self._path(index), size, angle)

    def _distractor_matrix(self, index: int) -> FloatArray:
        x, y = self._path(index)
        drop = 0.09 * self.height
        size = 0.15 * min(self.width, self.height)
        return _similarity((self.width - x, y + drop), size, 0.2 * math.sin(0.05 * index))


def _similarity(center_xy: tuple[float, float], size_px: float, angle_rad: float) -> FloatArray:
    """Object to frame, both in continuous coordinates (pixel i covers [i, i + 1])."""
    scale = size_px / math.sqrt(_SPRITE_WIDTH * _SPRITE_HEIGHT)
    c, s = scale * math.cos(angle_rad), scale * math.sin(angle_rad)
    half_w, half_h = 0.5 * _SPRITE_WIDTH, 0.5 * _SPRITE_HEIGHT
    x, y = center_xy
    return np.array([[c, -s, x - c * half_w + s * half_h], [s, c, y - s * half_w - c * half_h]])


def _outline() -> npt.NDArray[np.float64]:
    """Points around the object: between an ellipse and a rectangle, three pixels off its rim."""
    angle = np.linspace(0.0, 2.0 * math.pi, _OUTLINE_POINTS, endpoint=False)
    unit = [np.sign(f(angle)) * np.abs(f(angle)) ** 0.7 for f in (np.cos, np.sin)]
    half = (0.5 * _SPRITE_WIDTH, 0.5 * _SPRITE_HEIGHT)
    return np.stack([h + (h - 3.0) * u for h, u in zip(half, unit, strict=True)], axis=1)


def _draw_ground(rng: np.random.Generator, width: int, height: int) -> Uint8Image:
    """Clouds of several sizes in two colours, with leaves and stones on them."""
    ground = np.zeros((height, width, 3), dtype=np.float32)
    for cells, strength in ((5, 1.0), (11, 0.6), (27, 0.4), (80, 0.3), (200, 0.2)):
        shape = (max(2, round(cells * height / width)), cells, 3)
        noise = rng.normal(0.0, 0.3, shape) + rng.normal(0.0, 1.0, (*shape[:2], 1))
        noise32 = noise.astype(np.float32) * np.float32(strength)
        ground += cv2.resize(noise32, (width, height), interpolation=cv2.INTER_CUBIC)
    low = rng.uniform(40.0, 90.0) + rng.normal(0.0, 14.0, 3)
    high = rng.uniform(130.0, 190.0) + rng.normal(0.0, 14.0, 3)
    picture = (low + (high - low) * (0.5 + 0.25 * ground)).clip(0, 255).astype(np.uint8)
    unit = max(1, min(width, height) // 120)
    for _ in range(90):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(2, 8)) * unit, int(rng.integers(2, 5)) * unit)
        colour = tuple(float(v) for v in rng.uniform(30.0, 200.0) * rng.uniform(0.75, 1.1, 3))
        cv2.ellipse(
            picture, center, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA
        )
    return picture


def _draw_object(rng: np.random.Generator, hue: float) -> Uint8Image:
    """A striped and spotted body with alpha, ``(96, 144, 4)`` uint8 BGRA; hue in [0, 180)."""
    hsv = np.zeros((_SPRITE_HEIGHT, _SPRITE_WIDTH, 3), dtype=np.uint8)
    x = np.arange(_SPRITE_WIDTH)[None, :] / _SPRITE_WIDTH
    y = np.arange(_SPRITE_HEIGHT)[:, None] / _SPRITE_HEIGHT
    wave = np.sin(2.0 * math.pi * (rng.uniform(2.0, 3.5) * x + 0.25 * np.sin(5.0 * y)))
    hsv[..., 0] = np.where(wave > 0.2, hue, (hue + 25.0) % 180.0)
    hsv[..., 1] = 190
    hsv[..., 2] = np.where(wave > 0.2, 235.0, 120.0) * (1.0 - 0.35 * y)
    body = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))
    for _ in range(7):
        center = (int(rng.integers(16, _SPRITE_WIDTH - 16)), int(rng.integers(14, 82)))
        shade = float(rng.choice([25.0, 245.0]))
        cv2.circle(body, center, int(rng.integers(3, 8)), (shade, shade, shade), -1, cv2.LINE_AA)
    alpha = np.zeros((_SPRITE_HEIGHT, _SPRITE_WIDTH), dtype=np.uint8)
    cv2.fillPoly(alpha, [np.round((_outline() - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    # A darker rim sets the object off from any ground.
    inner = cv2.erode(alpha, np.ones((7, 7), np.uint8))
    body = np.where(inner[..., None] > 127, body, body // 3)
    return np.dstack([body, alpha])


def _paste(picture: Uint8Image, sprite: Uint8Image, matrix: FloatArray) -> None:
    """Blend a sprite into a picture in place."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (_SPRITE_WIDTH, _SPRITE_HEIGHT)
    points = corners @ matrix[:, :2].T + matrix[:, 2]
    left, top = (max(0, int(v)) for v in points.min(axis=0) - 1.0)
    right, bottom = (
        min(limit, int(v) + 2)
        for limit, v in zip(picture.shape[1::-1], points.max(axis=0), strict=True)
    )
    if right <= left or bottom <= top:
        return
    # warpAffine counts from pixel centres.
    indices = matrix.copy()
    indices[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5 - np.array([left, top])
    size = (right - left, bottom - top)
    warped = cv2.warpAffine(sprite, indices, size, flags=cv2.INTER_AREA)
    alpha = warped[..., 3].astype(np.float32) / np.float32(255.0)
    below = np.ascontiguousarray(picture[top:bottom, left:right])
    above = np.ascontiguousarray(warped[..., :3])
    picture[top:bottom, left:right] = cv2.blendLinear(below, above, 1.0 - alpha, alpha)
