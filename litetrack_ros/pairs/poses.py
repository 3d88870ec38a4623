"""How objects and search regions lie: pose, size, and the drift of a tracker's last box."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from litetrack_ros.geometry import FloatArray
from litetrack_ros.pairs.materials import Points
from litetrack_ros.pairs.placement import (
    Bend,
    Matrix,
    Placement,
    bounds_xyxy,
    rotation,
    shift,
    tilt,
    zoom,
)

Rng = np.random.Generator


class Pose(NamedTuple):
    """Everything of a placement but its place and size.

    Attributes:
        angle_rad: in-plane rotation.
        log_stretch: log of the stretch along x over the one along y.
        flipped: mirrored left to right.
        tilt: perspective, change of the divisor from the centre to the border along x and y.
        bend: displacement amplitude over the size along x and y, then wave directions and phases.
    """

    angle_rad: float
    log_stretch: float
    flipped: bool
    tilt: tuple[float, float]
    bend: tuple[float, ...]


def draw_pose(rng: Rng, any_angle: bool) -> Pose:
    """The first pose of an object."""
    angle = rng.uniform(-math.pi, math.pi) if any_angle else rng.normal(0.0, 0.15)
    tilt_x, tilt_y = rng.normal(0.0, 0.06, 2)
    return Pose(
        float(angle),
        float(np.clip(rng.normal(0.0, 0.15), -0.5, 0.5)),
        bool(rng.random() < 0.5),
        (float(tilt_x), float(tilt_y)),
        _bend(rng, 0.0),
    )


def vary_pose(rng: Rng, pose: Pose) -> Pose:
    """The same object later: turned, foreshortened, bent."""
    strong = 2.5 if rng.random() < 0.2 else 1.0
    turn, stretch, tilt_x, tilt_y = rng.normal(0.0, 1.0, 4) * strong
    return Pose(
        pose.angle_rad + 0.16 * float(turn),
        pose.log_stretch + 0.12 * float(stretch),
        pose.flipped != bool(rng.random() < 0.04),
        (pose.tilt[0] + 0.08 * float(tilt_x), pose.tilt[1] + 0.08 * float(tilt_y)),
        _bend(rng, 0.035 * strong) if rng.random() < 0.5 else pose.bend,
    )


def place(
    outline_xy: Points, pose: Pose, center_xy: tuple[float, float], size_px: float
) -> Placement:
    """Put a picture's outline into a frame.

    Args:
        outline_xy: ``(K, 2)``, in the picture.
        pose: how it is turned and bent.
        center_xy: centre of the outline's tight box in the frame.
        size_px: square root of that box's area.
    """
    x1, y1, x2, y2 = bounds_xyxy(outline_xy)
    width, height = max(x2 - x1, 1e-3), max(y2 - y1, 1e-3)
    half_stretch = math.exp(0.5 * float(np.clip(pose.log_stretch, -1.0, 1.0)))
    limited = [float(np.clip(t, -0.3, 0.3)) for t in pose.tilt]
    matrix: Matrix = (
        rotation(pose.angle_rad)
        @ tilt(limited[0] / (0.5 * width), limited[1] / (0.5 * height))
        @ zoom(-half_stretch if pose.flipped else half_stretch, 1.0 / half_stretch)
        @ shift(-0.5 * (x1 + x2), -0.5 * (y1 + y2))
    )
    placed = Placement(matrix, bend_of(pose, width, height))
    left, top, right, bottom = bounds_xyxy(placed.points(outline_xy))
    scale = size_px / math.sqrt((right - left) * (bottom - top))
    return placed.after(
        shift(*center_xy) @ zoom(scale, scale) @ shift(-0.5 * (left + right), -0.5 * (top + bottom))
    )


def bend_of(pose: Pose, width_px: float, height_px: float) -> Bend | None:
    """The pose's bend for a picture of this size."""
    ax, ay, *waves = pose.bend
    if ax == 0.0 and ay == 0.0:
        return None
    frequency = np.array(waves[:4]).reshape(2, 2) / (width_px, height_px)
    size = math.sqrt(width_px * height_px)
    return Bend((ax * size, ay * size), frequency, (waves[4], waves[5]))


def drift(rng: Rng, box_xywh: FloatArray) -> FloatArray:
    """Where a tracker may have seen a target one frame before: shifted and of other size.

    The shift is at most 1.3 times the target's size, heavy-tailed; the size varies by exp(N(0,
    0.22)) and the aspect by exp(N(0, 0.12)).
    """
    x, y, w, h = box_xywh
    size = math.sqrt(w * h)
    if rng.random() < 0.1:
        offset = rng.uniform(-1.3, 1.3, 2)
    else:
        offset = np.clip(rng.laplace(0.0, 0.25, 2), -1.3, 1.3)
    scale = math.exp(float(np.clip(rng.normal(0.0, 0.22), -0.6, 0.6)))
    aspect = math.exp(0.5 * float(np.clip(rng.normal(0.0, 0.12), -0.4, 0.4)))
    new_w, new_h = w * scale * aspect, h * scale / aspect
    cx, cy = x + 0.5 * w + offset[0] * size * scale, y + 0.5 * h + offset[1] * size * scale
    return np.array([cx - 0.5 * new_w, cy - 0.5 * new_h, new_w, new_h])


def loosen(rng: Rng, box_xywh: FloatArray) -> FloatArray:
    """An init box as a person or a detector draws it: a few per cent off."""
    x, y, w, h = box_xywh
    dx, dy, dw, dh = np.clip(rng.normal(0.0, 0.025, 4), -0.08, 0.08)
    new_w, new_h = w * math.exp(dw), h * math.exp(dh)
    return np.array([x + 0.5 * (w - new_w) + dx * w, y + 0.5 * (h - new_h) + dy * h, new_w, new_h])


def _bend(rng: Rng, strength: float) -> tuple[float, ...]:
    amplitudes = rng.normal(0.0, strength, 2) if strength > 0 else np.zeros(2)
    waves = rng.uniform(-1.5 * math.pi, 1.5 * math.pi, 4)
    phases = rng.uniform(0.0, 2.0 * math.pi, 2)
    return tuple(float(v) for v in (*np.clip(amplitudes, -0.12, 0.12), *waves, *phases))
