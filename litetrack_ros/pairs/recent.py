"""The second template of a pair, for models that have two: a look at the target in between.

A tracker takes it itself while it follows the target: its box is a little off, it may be stale, and
now and then it shows something else. Its random numbers are its own, so that the first template and
the search region are the same pixels with it and without.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import FloatArray, xywh_to_cxcywh
from litetrack_ros.images import Uint8Image
from litetrack_ros.pairs.degradation import Look
from litetrack_ros.pairs.pair import RecentTemplate, aside
from litetrack_ros.pairs.poses import BoxRecipe, Placement, Pose, loosen
from litetrack_ros.settings import (
    LimitedNumbers,
    Limits,
    PositiveSpan,
    Share,
    Spread,
)

Rng = np.random.Generator

Number = TypeVar("Number", float, FloatArray)

_BESIDE_TRIES = 8


@dataclass(frozen=True)
class RecentRecipe(LimitedNumbers):
    """The second template of models that have two (``templates``), as a tracker takes it.

    Attributes:
        missing: share of pairs without one, where the first stands in its place.
        nearness: its light, pose and size, from those of the first template (0) to those of the
            search region (1).
        gap: frames of a video between it and the search region, at most ...
        stale: ... but for this share, which may be any frame back to the first template's.
        distant: share of pairs from video whose first template is of another stretch of it.
        error, error_limit: of its box: spread of its place, over the target's sides, and of the
            log of its sides; the most of it.
        wrong: share that shows something else than the target.
        others: of those, share that shows another object, where there is one; the rest show what
            lies beside the target.
        beside: distance of that from the target, over the target's sides.
        rolled_apart: of the pairs that get another pair's template (``rolled_share``), share whose
            second template stays.
    """

    missing: Share = 0.3
    nearness: Annotated[tuple[float, float], Limits(0.0, 1.0)] = (0.2, 1.0)
    gap: Annotated[int, Limits(1)] = 12
    stale: Share = 0.25
    distant: Share = 0.35
    error: Spread = 0.08
    error_limit: Spread = 0.3
    wrong: Share = 0.15
    others: Share = 0.5
    beside: PositiveSpan = (1.0, 2.0)
    rolled_apart: Share = 0.5


def recent_numbers(rng: Rng, recipe: RecentRecipe, config: ModelConfig) -> Rng | None:
    """The random numbers of a pair's second template; None where the pair has none."""
    if config.templates == 1:
        return None
    own = aside(rng)
    return None if own.random() < recipe.missing else own


def taken_box(
    rng: Rng,
    recipe: RecentRecipe,
    box_xywh: FloatArray,
    size: tuple[float, float],
    others_xywh: Sequence[FloatArray] = (),
) -> FloatArray:
    """What a tracker takes for its target: mostly the target, else what is near it.

    Args:
        rng: of :func:`recent_numbers`.
        recipe: how often it errs.
        box_xywh: the target.
        size: width and height of the frame, px.
        others_xywh: other objects in the frame.
    """
    if rng.random() >= recipe.wrong:
        return box_xywh
    if others_xywh and rng.random() < recipe.others:
        return others_xywh[int(rng.integers(len(others_xywh)))]
    return box_beside(rng, recipe, box_xywh, size)


def box_beside(
    rng: Rng, recipe: RecentRecipe, box_xywh: FloatArray, size: tuple[float, float]
) -> FloatArray:
    """A box of the target's size beside it, whose middle is in the frame; else the target's own."""
    x, y, w, h = box_xywh
    for _ in range(_BESIDE_TRIES):
        angle, distance = rng.uniform(0.0, 2.0 * math.pi), rng.uniform(*recipe.beside)
        direction = np.array([math.cos(angle), math.sin(angle)])
        dx, dy = direction / np.abs(direction).max() * distance * (w, h)
        if 0 <= x + dx + 0.5 * w <= size[0] and 0 <= y + dy + 0.5 * h <= size[1]:
            return np.array([x + dx, y + dy, w, h])
    return box_xywh


def take_template(
    rng: Rng,
    recipe: RecentRecipe,
    config: ModelConfig,
    box_xywh: FloatArray,
    draw: Callable[[CropRegion], Uint8Image],
) -> RecentTemplate:
    """Cut a template around a box that is as wrong as a tracker's.

    Args:
        rng: of :func:`recent_numbers`.
        recipe: how wrong.
        config: size and factor of the crop.
        box_xywh: of :func:`taken_box`.
        draw: draws what a region shows, ``(template_size, template_size, 3)`` uint8 RGB.
    """
    errors = BoxRecipe(init_error=recipe.error, init_error_limit=recipe.error_limit)
    box = loosen(rng, errors, box_xywh)
    region = CropRegion.around(box, config.template_factor, config.template_size)
    in_crop = region.image_to_crop_norm(xywh_to_cxcywh(box)).astype(np.float32)
    return RecentTemplate(np.ascontiguousarray(draw(region)), in_crop)


def look_between(first: Look, later: Look, part: float) -> Look:
    """Light and noise on the way from one look to another; blur and compression of the first."""
    gain = np.exp(_mix(np.log(first.gain), np.log(later.gain), part))
    gradient = _mix(np.asarray(first.gradient), np.asarray(later.gradient), part)
    return first._replace(
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        gamma=math.exp(_mix(math.log(first.gamma), math.log(later.gamma), part)),
        gradient=(float(gradient[0]), float(gradient[1])),
        noise=_mix(first.noise, later.noise, part),
        grey=first.grey if part < 0.5 else later.grey,
    )


def pose_between(first: Pose, later: Pose, part: float) -> Pose:
    """A pose on the way from one to another, seen from the side of the latter."""
    (ax, ay, *_), (bx, by, *waves) = first.bend, later.bend
    return Pose(
        _mix(first.angle_rad, later.angle_rad, part),
        _mix(first.log_stretch, later.log_stretch, part),
        later.flipped,
        (_mix(first.tilt[0], later.tilt[0], part), _mix(first.tilt[1], later.tilt[1], part)),
        (_mix(ax, bx, part), _mix(ay, by, part), *waves),
    )


def placement_between(first: Placement, later: Placement, part: float) -> Placement:
    """A placement of one picture on the way from one to another, bent as the latter, but less."""
    bend = later.bend
    if bend is not None:
        ax, ay = bend.amplitude_px
        bend = bend._replace(amplitude_px=(part * ax, part * ay))
    return Placement(_mix(first.matrix, later.matrix, part), bend)


def size_between(first_px: float, later_px: float, part: float) -> float:
    """A size on the way from one to another, evenly over the logarithm."""
    return math.exp(_mix(math.log(first_px), math.log(later_px), part))


def _mix(first: Number, later: Number, part: float) -> Number:
    return first + part * (later - first)
