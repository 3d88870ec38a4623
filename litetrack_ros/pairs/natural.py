"""Pairs whose target belongs to its picture: a region of a photo, or what a clip follows.

A photo is seen again by a moved camera; only the template says which region of it is meant, so that
a network cannot do without it.
"""

import math
from typing import NamedTuple

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import FloatArray, xywh_to_xyxy
from litetrack_ros.images import Uint8Image
from litetrack_ros.pairs.compose import (
    Composition,
    Layer,
    draw_crop,
    draw_distractor_count,
    draw_distractors,
    draw_occluder,
)
from litetrack_ros.pairs.degradation import Look, draw_later_look, draw_look
from litetrack_ros.pairs.materials import Clip, Materials, Points
from litetrack_ros.pairs.pair import Pair, make_pair
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.pairs.poses import (
    Placement,
    Pose,
    bend_of,
    bounds_xyxy,
    draw_search_region,
    draw_size,
    loosen,
    rotation,
    shift,
    tilt,
    visible_box,
    zoom,
)

Rng = np.random.Generator


_WHOLE_OBJECTS = 0.2  # share of targets that are a photo's object, where masks are there


class _Shot(NamedTuple):
    """A photo in a frame that shows all or a little more of it, and the target's box there."""

    placement: Placement
    width: int
    height: int
    box_xywh: FloatArray


def natural_pair(rng: Rng, materials: Materials, config: ModelConfig, recipe: PairRecipe) -> Pair:
    """A region of a photo in two frames; distractors and occluders are pasted as elsewhere."""
    outlined = materials.outlined_photos
    pool = outlined if outlined and rng.random() < _WHOLE_OBJECTS else materials.photos
    chosen = pool[int(rng.integers(len(pool)))]
    photo, outline = chosen.rgb, chosen.object_outline_xy
    # Mirrored margins would show a whole object twice.
    margin = 0.0
    if outline is None or pool is materials.photos:
        outline = _draw_target(rng, photo)
        margin = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.75 else 0.0
    x1, y1, x2, y2 = bounds_xyxy(outline)
    scale = min(1.5, draw_size(rng) / math.sqrt((x2 - x1) * (y2 - y1)))
    first = _draw_shot(rng, photo, outline, scale, margin, 0.3)
    later_scale = scale * math.exp(float(np.clip(rng.normal(0.0, 0.3), -0.8, 0.8)))
    later = _draw_shot(rng, photo, outline, later_scale, margin, 1.0)
    init_box = loosen(rng, first.box_xywh)
    template_region = CropRegion.around(init_box, config.template_factor, config.template_size)
    search_region = draw_search_region(rng, later.box_xywh, config)

    present = bool(rng.random() >= recipe.absent)
    later_photo, placement = photo, later.placement
    if not present:  # the same kind of picture, of something else
        later_photo = materials.photos[int(rng.integers(len(materials.photos)))].rgb
        sy, sx = np.array(photo.shape[:2]) / later_photo.shape[:2]
        present = later_photo is photo
        placement = Placement(placement.matrix @ zoom(sx, sy))
    size = math.sqrt(later.box_xywh[2] * later.box_xywh[3])
    target = xywh_to_xyxy(later.box_xywh)
    count = draw_distractor_count(rng, 0.7 * recipe.distractors)
    layers: list[Layer] = draw_distractors(
        rng, materials, search_region, target if present else None, size, count, None
    )
    if present and rng.random() < recipe.occluders:
        occluder = draw_occluder(rng, materials, target, size, layers)
        layers += [] if occluder is None else [occluder]
    look = draw_look(rng)
    return make_pair(
        _crop(rng, photo, first, [], template_region, look),
        template_region,
        init_box,
        _crop(
            rng,
            later_photo,
            later._replace(placement=placement),
            layers,
            search_region,
            draw_later_look(rng, look),
        ),
        search_region,
        later.box_xywh if present else None,
    )


def _draw_target(rng: Rng, photo: Uint8Image) -> Points:
    """Points around an ellipse or a rounded box somewhere in a photo where there is texture."""
    height, width = photo.shape[:2]
    short = min(height, width)
    best, best_contrast = np.zeros(4), -1.0
    for _ in range(5):
        size = short * math.exp(rng.uniform(math.log(0.1), math.log(0.33)))
        aspect = math.exp(float(np.clip(rng.normal(0.0, 0.4), -1.0, 1.0)))
        w, h = min(size * aspect, 0.9 * width), min(size / aspect, 0.9 * height)
        x, y = rng.uniform(0.0, width - w), rng.uniform(0.0, height - h)
        inside = photo[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1]
        step = max(1, int(size) // 16)
        contrast = float(inside[::step, ::step].std(axis=(0, 1)).mean())
        if contrast > best_contrast:
            best, best_contrast = np.array([x, y, w, h]), contrast
        if contrast > 35.0:
            break
    x, y, w, h = best
    angle = np.linspace(0.0, 2.0 * math.pi, 32, endpoint=False)
    power = 2.0 / rng.choice([2.0, 4.0])
    unit = np.stack([np.sign(f(angle)) * np.abs(f(angle)) ** power for f in (np.cos, np.sin)], 1)
    return ((0.5 + 0.5 * unit) * (w, h) + (x, y)).astype(np.float32)


def _draw_shot(
    rng: Rng, photo: Uint8Image, outline: Points, scale: float, margin: float, strength: float
) -> _Shot:
    """A photo under a camera pose, in the rectangle that it fills or, mirrored, a larger one.

    Args:
        rng: the pair's generator.
        photo: the scene.
        outline: the target in it.
        scale: frame pixels per photo pixel.
        margin: width of the mirrored border over the photo's short side.
        strength: of the camera's turn and tilt.
    """
    height, width = photo.shape[:2]
    border = margin * scale * min(height, width)
    for attempt in range(4):
        amount = strength * (1.0 if attempt < 3 else 0.0)
        angle, stretch, tilt_x, tilt_y = rng.normal(0.0, 1.0, 4) * amount
        bent = amount >= 1.0 and rng.random() < 0.4
        bend = tuple(rng.normal(0.0, 0.012, 2)) if bent else (0.0, 0.0)
        pose = Pose(0.0, 0.0, False, (0.0, 0.0), (*bend, *rng.uniform(-6, 6, 6)))
        half = math.exp(0.06 * stretch)
        matrix = (
            zoom(scale, scale)
            @ rotation(0.12 * angle)
            @ tilt(0.08 * tilt_x / width, 0.08 * tilt_y / height)
            @ zoom(half, 1.0 / half)
            @ shift(-0.5 * width, -0.5 * height)
        )
        placement = Placement(matrix, bend_of(pose, width, height))
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = placement.points(
            np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
        )
        left, top, right, bottom = max(ax, dx), max(ay, by), min(bx, cx), min(cy, dy)
        left, top, right, bottom = left - border, top - border, right + border, bottom + border
        frame_width, frame_height = int(right - left), int(bottom - top)
        placement = placement.after(shift(-left, -top))
        bounds = bounds_xyxy(placement.points(outline))
        box = visible_box(bounds, max(frame_width, 1), max(frame_height, 1))
        if box is not None:
            break
    else:
        x1, y1, x2, y2 = bounds
        box = np.array([x1, y1, x2 - x1, y2 - y1])
    return _Shot(placement, max(frame_width, 1), max(frame_height, 1), box)


def _crop(
    rng: Rng,
    photo: Uint8Image,
    shot: _Shot,
    layers: list[Layer],
    region: CropRegion,
    look: Look,
) -> Uint8Image:
    frame = Composition(shot.width, shot.height, photo, shot.placement, layers, look)
    return draw_crop(frame, region, rng)


def filmed_pair(rng: Rng, materials: Materials, config: ModelConfig, recipe: PairRecipe) -> Pair:
    """Any two frames of a clip, mirrored or not; an absent target is that of another clip."""
    clip = materials.clips[int(rng.integers(len(materials.clips)))]
    absent = len(materials.clips) > 1 and rng.random() < recipe.absent
    others = [other for other in materials.clips if other is not clip]
    later_clip = others[int(rng.integers(len(others)))] if absent else clip
    scale = float(np.exp(rng.uniform(np.log(0.35), 0.0)))
    mirrored = bool(rng.random() < 0.5)
    first, box = _frame(clip, int(rng.choice(clip.shown)), scale, mirrored)
    later, later_box = _frame(later_clip, int(rng.choice(later_clip.shown)), scale, mirrored)
    init_box = loosen(rng, box)
    template_region = CropRegion.around(init_box, config.template_factor, config.template_size)
    search_region = draw_search_region(rng, later_box, config)
    layers: list[Layer] = draw_distractors(
        rng,
        materials,
        search_region,
        xywh_to_xyxy(later_box),
        float(np.sqrt(later_box[2] * later_box[3])),
        draw_distractor_count(rng, 0.6 * recipe.distractors),
        None,
    )
    # The clip has its own blur, noise and compression already.
    look = draw_look(rng)._replace(low_res=1.0, blur_sigma_px=0.0)
    later_look = draw_later_look(rng, look)
    return make_pair(
        _draw(rng, first, scale, mirrored, [], look, template_region),
        template_region,
        init_box,
        _draw(rng, later, scale, mirrored, layers, later_look, search_region),
        search_region,
        None if absent else later_box,
    )


def _frame(clip: Clip, index: int, scale: float, mirrored: bool) -> tuple[Uint8Image, FloatArray]:
    frame = clip.frames[index]
    x, y, w, h = clip.boxes_xywh[index]
    if mirrored:
        x = frame.shape[1] - x - w
    return frame, np.array([x, y, w, h]) * scale


def _draw(
    rng: Rng,
    picture: Uint8Image,
    scale: float,
    mirrored: bool,
    layers: list[Layer],
    look: Look,
    region: CropRegion,
) -> Uint8Image:
    height, width = picture.shape[:2]
    matrix = zoom(scale, scale)
    if mirrored:
        matrix = matrix @ shift(width, 0.0) @ zoom(-1.0, 1.0)
    frame = Composition(
        int(width * scale), int(height * scale), picture, Placement(matrix), layers, look
    )
    return draw_crop(frame, region, rng)
