"""Where things lie in a frame: a picture's perspective map and bend, poses, boxes and regions.

Coordinates are continuous: pixel i covers [i, i + 1] and has its centre at i + 0.5.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import FloatArray, xyxy_to_xywh
from litetrack_ros.pairs.materials import Points
from litetrack_ros.settings import LimitedNumbers, Share, Spread

Rng = np.random.Generator
Matrix = npt.NDArray[np.float64]
FloatMap = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]

_VISIBLE_PART = 0.4  # of the target, for it to count as present
_LEAST_SIDE_PX = 3.0  # of its box, for the same
_REGION_TRIES = 6
_MAX_LOG_STRETCH, _MAX_TILT = 1.0, 0.3  # of a pose, however it was drawn
_NO_SIZE, _NO_AREA, _NO_TILT = 1e-3, 1e-9, 1e-12  # smaller numbers are not divided by


@dataclass(frozen=True)
class LaterPoseRecipe(LimitedNumbers):
    """How the same object lies later.

    Attributes:
        strong_share, strong: share of objects that change more; by this factor.
        angle: spread of its turn, radians.
        stretch: spread of the change of its log stretch.
        flipped: share that is seen from the other side.
        tilt: spread of the change of its tilt.
        bend_share, bend: share that bends; spread of the amplitude, over the size.
    """

    strong_share: Share = 0.2
    strong: Spread = 2.5
    angle: Spread = 0.16
    stretch: Spread = 0.12
    flipped: Share = 0.04
    tilt: Spread = 0.08
    bend_share: Share = 0.5
    bend: Spread = 0.035


@dataclass(frozen=True)
class PoseRecipe(LimitedNumbers):
    """How objects lie, see :class:`Pose`.

    Attributes:
        angle: spread of the angle of an upright object, radians.
        stretch, stretch_limit: spread of the log stretch, and the most of it.
        tilt: spread along x and y.
        flipped: share that is mirrored.
        bend_waves: of a bend, across the object, at most.
        bend_limit: largest amplitude, over the size.
        later: how the same object lies later.
    """

    angle: Spread = 0.15
    stretch: Spread = 0.15
    stretch_limit: Spread = 0.5
    tilt: Spread = 0.06
    flipped: Share = 0.5
    bend_waves: Spread = 0.75
    bend_limit: Spread = 0.12
    later: LaterPoseRecipe = field(default_factory=LaterPoseRecipe)


@dataclass(frozen=True)
class BoxRecipe(LimitedNumbers):
    """How the boxes that crops are cut around differ from the target's.

    Attributes:
        init_error, init_error_limit: of an init box: spread of its place, over the target's
            sides, and of the log of its sides; the most of it.
        jump_share: share of search regions that lie anywhere within reach.
        shift: scale of the others' Laplace-distributed shift, in target sizes.
        reach: largest shift, in target sizes.
        size, size_limit: spread of the log of a search region's size, and the most of it.
        aspect, aspect_limit: the same of its aspect ratio.
    """

    init_error: Spread = 0.025
    init_error_limit: Spread = 0.08
    jump_share: Share = 0.1
    shift: Spread = 0.25
    reach: Spread = 1.3
    size: Spread = 0.22
    size_limit: Spread = 0.6
    aspect: Spread = 0.12
    aspect_limit: Spread = 0.4


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

    def after(self, matrix: Matrix) -> "Placement":
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
        if abs(inverse[2, 0]) + abs(inverse[2, 1]) > _NO_TILT:
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


def draw_pose(rng: Rng, recipe: PoseRecipe, any_angle: bool) -> Pose:
    """The first pose of an object."""
    angle = rng.uniform(-math.pi, math.pi) if any_angle else rng.normal(0.0, recipe.angle)
    tilt_x, tilt_y = rng.normal(0.0, recipe.tilt, 2)
    return Pose(
        float(angle),
        draw_limited(rng, recipe.stretch, recipe.stretch_limit),
        bool(rng.random() < recipe.flipped),
        (float(tilt_x), float(tilt_y)),
        _bend(rng, recipe, 0.0),
    )


def vary_pose(rng: Rng, recipe: PoseRecipe, pose: Pose) -> Pose:
    """The same object later: turned, foreshortened, bent."""
    later = recipe.later
    strong = later.strong if rng.random() < later.strong_share else 1.0
    turn, stretch, tilt_x, tilt_y = rng.normal(0.0, 1.0, 4) * strong
    return Pose(
        pose.angle_rad + later.angle * float(turn),
        pose.log_stretch + later.stretch * float(stretch),
        pose.flipped != bool(rng.random() < later.flipped),
        (pose.tilt[0] + later.tilt * float(tilt_x), pose.tilt[1] + later.tilt * float(tilt_y)),
        _bend(rng, recipe, later.bend * strong) if rng.random() < later.bend_share else pose.bend,
    )


def draw_limited(rng: Rng, spread: float, limit: float) -> float:
    """A normal number around 0, cut off at a limit on both sides."""
    return float(np.clip(rng.normal(0.0, spread), -limit, limit))


def draw_log(rng: Rng, span: tuple[float, float]) -> float:
    """A number whose logarithm is even between two ends."""
    return math.exp(rng.uniform(math.log(span[0]), math.log(span[1])))


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
    width, height = max(x2 - x1, _NO_SIZE), max(y2 - y1, _NO_SIZE)
    log_stretch = float(np.clip(pose.log_stretch, -_MAX_LOG_STRETCH, _MAX_LOG_STRETCH))
    half_stretch = math.exp(0.5 * log_stretch)
    limited = [float(np.clip(t, -_MAX_TILT, _MAX_TILT)) for t in pose.tilt]
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


def drift(rng: Rng, recipe: BoxRecipe, box_xywh: FloatArray) -> FloatArray:
    """Where a tracker may have seen a target one frame before: shifted and of other size."""
    x, y, w, h = box_xywh
    size = math.sqrt(w * h)
    if rng.random() < recipe.jump_share:
        offset = rng.uniform(-recipe.reach, recipe.reach, 2)
    else:
        offset = np.clip(rng.laplace(0.0, recipe.shift, 2), -recipe.reach, recipe.reach)
    scale = math.exp(draw_limited(rng, recipe.size, recipe.size_limit))
    aspect = math.exp(0.5 * draw_limited(rng, recipe.aspect, recipe.aspect_limit))
    new_w, new_h = w * scale * aspect, h * scale / aspect
    cx, cy = x + 0.5 * w + offset[0] * size * scale, y + 0.5 * h + offset[1] * size * scale
    return np.array([cx - 0.5 * new_w, cy - 0.5 * new_h, new_w, new_h])


def loosen(rng: Rng, recipe: BoxRecipe, box_xywh: FloatArray) -> FloatArray:
    """An init box as a person or a detector draws it: a few per cent off."""
    x, y, w, h = box_xywh
    limit = recipe.init_error_limit
    dx, dy, dw, dh = np.clip(rng.normal(0.0, recipe.init_error, 4), -limit, limit)
    new_w, new_h = w * math.exp(dw), h * math.exp(dh)
    return np.array([x + 0.5 * (w - new_w) + dx * w, y + 0.5 * (h - new_h) + dy * h, new_w, new_h])


def _bend(rng: Rng, recipe: PoseRecipe, strength: float) -> tuple[float, ...]:
    amplitudes = rng.normal(0.0, strength, 2) if strength > 0 else np.zeros(2)
    amplitudes = np.clip(amplitudes, -recipe.bend_limit, recipe.bend_limit)
    reach = recipe.bend_waves * 2.0 * math.pi
    waves = rng.uniform(-reach, reach, 4)
    phases = rng.uniform(0.0, 2.0 * math.pi, 2)
    return tuple(float(v) for v in (*amplitudes, *waves, *phases))


def clip_xyxy_to_xywh(bounds: FloatArray, width: int, height: int) -> FloatArray:
    """The part of a box inside a frame, as xywh; of size 0 where it lies outside."""
    limits = np.array([width, height, width, height], dtype=np.float64)
    return xyxy_to_xywh(np.clip(bounds, 0.0, limits))


def covered_part(target_xyxy: FloatArray, other_xyxy: FloatArray) -> float:
    """The part of a box that another covers."""
    low = np.maximum(target_xyxy[:2], other_xyxy[:2])
    high = np.minimum(target_xyxy[2:], other_xyxy[2:])
    common = np.prod(np.maximum(high - low, 0.0))
    return float(common / max(_NO_AREA, float(np.prod(target_xyxy[2:] - target_xyxy[:2]))))


def region_xyxy(region: CropRegion) -> FloatArray:
    """What a region shows of its frame and beyond."""
    x0, y0, side = region.x0_px, region.y0_px, region.side_px
    return np.array([x0, y0, x0 + side, y0 + side], dtype=np.float64)


def draw_search_region(
    rng: Rng, recipe: BoxRecipe, box_xywh: FloatArray, config: ModelConfig
) -> CropRegion:
    """A search region around where the target may have been, such that it still shows it."""
    x, y, w, h = box_xywh
    target = np.array([x, y, x + w, y + h])
    for _ in range(_REGION_TRIES):
        around = drift(rng, recipe, box_xywh)
        region = CropRegion.around(around, config.search_factor, config.search_size)
        window = region_xyxy(region)
        center = 0.5 * (target[:2] + target[2:])
        center_inside = bool(np.all(window[:2] < center) and np.all(center < window[2:]))
        if center_inside and covered_part(target, window) >= _VISIBLE_PART:
            return region
    return CropRegion.around(box_xywh, config.search_factor, config.search_size)


def visible_box(bounds_xyxy: FloatArray, width: int, height: int) -> FloatArray | None:
    """A target's box in a frame, xywh, or None where the frame shows too little of it."""
    frame = np.array([0.0, 0.0, width, height])
    box = clip_xyxy_to_xywh(bounds_xyxy, width, height)
    if covered_part(bounds_xyxy, frame) < _VISIBLE_PART or min(box[2:]) < _LEAST_SIDE_PX:
        return None
    return box
