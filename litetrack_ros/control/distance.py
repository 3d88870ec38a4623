"""How far a target is: from an aligned depth image, or from its known height."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.control.bearing import Bearing
from litetrack_ros.geometry import BoxLike, FloatArray

LEAST_VALID_SHARE = 0.1  # of the box's pixels, for a number
_MOST_PIXELS = 4096  # of a box are looked at
_INNER = 0.8  # of the box's sides: around it there is mostly background
_BIN = 0.02  # of the histogram of the depth's logarithm
_HALF_WIDTH = 4  # bins to each side of a mode that belong to it
_MODES = 4
_LEAST_MODE = 0.1  # of the valid pixels
_FOREGROUND = 0.4  # the nearest surface of at least so much of the box is the target
_JUMP = 0.15  # of the depth, from one reading to the next
_FASTEST_M_S = 15.0  # towards the camera or away
_HELD_S = 1.5  # so long something else at the target's place is not taken for it
_NEAREST_M, _FARTHEST_M = 0.02, 1000.0
_SIDE_SIGMA = 0.05  # of a box's height


@dataclass(frozen=True)
class Surface:
    """A surface inside a box.

    Attributes:
        depth_m: along the optical axis.
        sigma_m: spread of its pixels.
        share: of the box's valid pixels.
    """

    depth_m: float
    sigma_m: float
    share: float


@dataclass(frozen=True)
class DepthView:
    """What a depth image shows inside a box.

    Attributes:
        surfaces: the largest first; empty where too little of the box is valid.
        valid_share: of the box's pixels.
    """

    surfaces: tuple[Surface, ...]
    valid_share: float


def look_at(depth: npt.NDArray[np.generic], box_xywh: BoxLike) -> DepthView:
    """The surfaces inside a box.

    Args:
        depth: aligned with the camera's image, ``(H, W)``: uint16 in mm, 0 where there is none, or
            float32 in m, where NaN and the infinities are none (REP 117 and 118).
        box_xywh: px, ``(4,)``.
    """
    x, y, width, height = (float(v) for v in box_xywh)
    margin_x, margin_y = 0.5 * (1 - _INNER) * width, 0.5 * (1 - _INNER) * height
    left, right = _pixels(x + margin_x, x + width - margin_x, depth.shape[1])
    top, bottom = _pixels(y + margin_y, y + height - margin_y, depth.shape[0])
    step = max(1, math.ceil(math.sqrt((right - left) * (bottom - top) / _MOST_PIXELS)))
    cut = depth[top:bottom:step, left:right:step]
    if not cut.size:
        return DepthView((), 0.0)
    values = cut.astype(np.float64).ravel()
    if cut.dtype.kind == "u":
        values = 1e-3 * values
    # Comparisons with NaN are false.
    valid = values[(values > _NEAREST_M) & (values < _FARTHEST_M)]
    share = valid.size / cut.size
    if share < LEAST_VALID_SHARE:
        return DepthView((), share)
    return DepthView(tuple(_modes(valid)), share)


def _pixels(begin: float, end: float, limit: int) -> tuple[int, int]:
    """The pixels that an interval covers, at least one."""
    first = min(max(int(begin), 0), limit - 1)
    return first, min(max(math.ceil(end), first + 1), limit)


def _modes(valid_m: FloatArray) -> list[Surface]:
    """The surfaces by size, out of a histogram in which each stands out alike, near or far."""
    logs = np.log(valid_m / _NEAREST_M)
    bins = (logs / _BIN).astype(np.int64)
    counts = np.bincount(bins, minlength=int(bins.max()) + 2 * _HALF_WIDTH).astype(np.float64)
    found = []
    for _ in range(_MODES):
        smooth = np.convolve(counts, np.ones(3), mode="same")
        peak = int(smooth.argmax())
        low, high = max(0, peak - _HALF_WIDTH), peak + _HALF_WIDTH + 1
        share = counts[low:high].sum() / valid_m.size
        if share < _LEAST_MODE:
            break
        counts[low:high] = 0.0
        members = valid_m[(bins >= low) & (bins < high)]
        depth = float(np.median(members))
        spread = 1.4826 * float(np.median(np.abs(members - depth)))
        found.append(Surface(depth, spread, float(share)))
    return sorted(found, key=lambda surface: -surface.share)


class DepthFollower:
    """Which surface in the box is the target, from image to image.

    The first is the nearest that fills a good part of the box, else the largest. Later ones are
    where the last was: what passes in front of the target is not taken for it.
    """

    def __init__(self) -> None:
        self._depth_m: float | None = None
        self._time_s = 0.0

    def choose(self, view: DepthView, time_s: float) -> Surface | None:
        """The target's surface, None where none can be told.

        Args:
            view: of the depth image.
            time_s: its stamp.
        """
        if not view.surfaces:
            return None
        since_s = abs(time_s - self._time_s)
        if self._depth_m is None or since_s > _HELD_S:
            chosen = _foreground(view.surfaces)
        else:
            last = self._depth_m
            reach = _JUMP * last + _FASTEST_M_S * since_s
            near = [s for s in view.surfaces if abs(s.depth_m - last) < reach]
            if not near:
                return None
            # Of several within reach the one that fits best, small ones only if nothing else does.
            chosen = min(near, key=lambda s: abs(s.depth_m - last) / reach - s.share)
        self._depth_m, self._time_s = chosen.depth_m, time_s
        return chosen


def _foreground(surfaces: tuple[Surface, ...]) -> Surface:
    large = [surface for surface in surfaces if surface.share >= _FOREGROUND]
    return min(large, key=lambda surface: surface.depth_m) if large else surfaces[0]


def depth_from_height(bearing: Bearing, height_m: float) -> tuple[float, float] | None:
    """Depth along the optical axis and its standard deviation, m, of a target of known height.

    The target is taken to stand across the line of sight. None where the bearing has no height, or
    lies beside or behind the camera.

    Args:
        bearing: of the target.
        height_m: of what the box encloses.
    """
    if not bearing.height > 0 or bearing.ray[2] <= 0:
        return None
    depth = 0.5 * height_m / math.tan(0.5 * bearing.height) * float(bearing.ray[2])
    return depth, math.sqrt(2.0) * _SIDE_SIGMA * depth
