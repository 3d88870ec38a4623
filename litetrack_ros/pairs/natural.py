"""Pairs whose target belongs to its picture: a region of a photo, or what a clip follows.

A photo is seen again by a moved camera; only the template says which region of it is meant, so that
a network cannot do without it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import FloatArray, xywh_to_xyxy, xyxy_to_xywh
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
from litetrack_ros.pairs.pair import Pair, RecentTemplate, make_pair
from litetrack_ros.pairs.pair_recipe import NaturalRecipe, PairRecipe
from litetrack_ros.pairs.poses import (
    Placement,
    Pose,
    bend_of,
    bounds_xyxy,
    draw_limited,
    draw_log,
    draw_search_region,
    loosen,
    rotation,
    shift,
    tilt,
    visible_box,
    zoom,
)
from litetrack_ros.pairs.recent import (
    RecentRecipe,
    look_between,
    placement_between,
    recent_numbers,
    take_template,
    taken_box,
)

Rng = np.random.Generator


_TARGET_TRIES = 5
_CONTRAST_POINTS = 16  # along a region's size
_OUTLINE_POINTS = 32
_SHOT_TRIES = 4  # in the last one the camera does not move


class Shot(NamedTuple):
    """A photo in a frame that shows all or a little more of it, and the target's box there."""

    placement: Placement
    width: int
    height: int
    box_xywh: FloatArray


def natural_pair(rng: Rng, materials: Materials, config: ModelConfig, recipe: PairRecipe) -> Pair:
    """A region of a photo in two frames; distractors and occluders are pasted as elsewhere."""
    how = recipe.natural_pair
    outlined = materials.outlined_photos
    pool = outlined if outlined and rng.random() < how.whole_objects else materials.photos
    chosen = pool[int(rng.integers(len(pool)))]
    photo, outline = chosen.rgb, chosen.object_outline_xy
    # Mirrored margins would show a whole object twice.
    margin = 0.0
    if outline is None or pool is materials.photos:
        outline = _draw_region(rng, how, photo)
        margin = float(rng.uniform(*how.margin)) if rng.random() < how.margin_share else 0.0
    x1, y1, x2, y2 = bounds_xyxy(outline)
    sizes = recipe.sizes
    size = draw_log(rng, sizes.first_px)
    scale = min(how.largest_zoom, size / math.sqrt((x2 - x1) * (y2 - y1)))
    first = draw_shot(rng, how, photo, outline, scale, margin, how.first_camera)
    later_scale = scale * math.exp(draw_limited(rng, sizes.later, sizes.later_limit))
    later = draw_shot(rng, how, photo, outline, later_scale, margin, 1.0)
    init_box = loosen(rng, recipe.boxes, first.box_xywh)
    template_region = CropRegion.around(init_box, config.template_factor, config.template_size)
    search_region = draw_search_region(rng, recipe.boxes, later.box_xywh, config)

    present = bool(rng.random() >= recipe.absent)
    later_photo, placement = photo, later.placement
    if not present:  # the same kind of picture, of something else
        later_photo = materials.photos[int(rng.integers(len(materials.photos)))].rgb
        sy, sx = np.array(photo.shape[:2]) / later_photo.shape[:2]
        present = later_photo is photo
        placement = Placement(placement.matrix @ zoom(sx, sy))
    size = math.sqrt(later.box_xywh[2] * later.box_xywh[3])
    target = xywh_to_xyxy(later.box_xywh)
    share = how.distractors * recipe.distractors
    count = draw_distractor_count(rng, recipe.distractor, share)
    layers: list[Layer] = draw_distractors(
        rng, recipe, materials, search_region, target if present else None, size, count, None
    )
    if present and rng.random() < recipe.occluders:
        occluder = draw_occluder(rng, recipe, materials, target, size, layers)
        layers += [] if occluder is None else [occluder]
    look = draw_look(rng, recipe.look)
    template = crop_shot(rng, photo, first, [], template_region, look)
    later_look = draw_later_look(rng, look, recipe.look)
    shown = later._replace(placement=placement)
    search = crop_shot(rng, later_photo, shown, layers, search_region, later_look)
    return make_pair(
        template,
        template_region,
        init_box,
        search,
        search_region,
        later.box_xywh if present else None,
        recent_shot(rng, recipe, config, photo, outline, (first, later), (look, later_look)),
    )


def _draw_region(rng: Rng, recipe: NaturalRecipe, photo: Uint8Image) -> Points:
    """Points around an ellipse or a rounded box somewhere in a photo where there is texture."""
    height, width = photo.shape[:2]
    short = min(height, width)
    best, best_contrast = np.zeros(4), -1.0
    for _ in range(_TARGET_TRIES):
        size = short * draw_log(rng, recipe.size)
        aspect = math.exp(draw_limited(rng, recipe.aspect, recipe.aspect_limit))
        most = recipe.largest_side
        w, h = min(size * aspect, most * width), min(size / aspect, most * height)
        x, y = rng.uniform(0.0, width - w), rng.uniform(0.0, height - h)
        inside = photo[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1]
        step = max(1, int(size) // _CONTRAST_POINTS)
        contrast = float(inside[::step, ::step].std(axis=(0, 1)).mean())
        if contrast > best_contrast:
            best, best_contrast = np.array([x, y, w, h]), contrast
        if contrast > recipe.contrast:
            break
    x, y, w, h = best
    angle = np.linspace(0.0, 2.0 * math.pi, _OUTLINE_POINTS, endpoint=False)
    power = 2.0 / rng.choice(recipe.ellipse_powers)
    unit = np.stack([np.sign(f(angle)) * np.abs(f(angle)) ** power for f in (np.cos, np.sin)], 1)
    return ((0.5 + 0.5 * unit) * (w, h) + (x, y)).astype(np.float32)


def draw_shot(
    rng: Rng,
    recipe: NaturalRecipe,
    photo: Uint8Image,
    outline: Points,
    scale: float,
    margin: float,
    strength: float,
) -> Shot:
    """A photo under a camera pose, in the rectangle that it fills or, mirrored, a larger one.

    Args:
        rng: the pair's generator.
        recipe: how far the camera moves.
        photo: the scene.
        outline: the target in it.
        scale: frame pixels per photo pixel.
        margin: width of the mirrored border over the photo's short side.
        strength: of the camera's turn and tilt.
    """
    height, width = photo.shape[:2]
    border = margin * scale * min(height, width)
    for attempt in range(_SHOT_TRIES):
        amount = strength * (1.0 if attempt < _SHOT_TRIES - 1 else 0.0)
        angle, stretch, tilt_x, tilt_y = rng.normal(0.0, 1.0, 4) * amount
        bent = amount >= 1.0 and rng.random() < recipe.bend_share
        bend = tuple(rng.normal(0.0, recipe.bend, 2)) if bent else (0.0, 0.0)
        waves = rng.uniform(-recipe.bend_rad, recipe.bend_rad, 6)
        pose = Pose(0.0, 0.0, False, (0.0, 0.0), (*bend, *waves))
        half = math.exp(recipe.stretch * stretch)
        matrix = (
            zoom(scale, scale)
            @ rotation(recipe.angle * angle)
            @ tilt(recipe.tilt * tilt_x / width, recipe.tilt * tilt_y / height)
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
    return Shot(placement, max(frame_width, 1), max(frame_height, 1), box)


def crop_shot(
    rng: Rng,
    photo: Uint8Image,
    shot: Shot,
    layers: list[Layer],
    region: CropRegion,
    look: Look,
) -> Uint8Image:
    """Draw what a region shows of a shot, ``(S, S, 3)`` uint8 RGB."""
    frame = Composition(shot.width, shot.height, photo, shot.placement, layers, look)
    return draw_crop(frame, region, rng)


def recent_shot(
    rng: Rng,
    recipe: PairRecipe,
    config: ModelConfig,
    photo: Uint8Image,
    outline: Points,
    shots: tuple[Shot, Shot],
    looks: tuple[Look, Look],
    others: Sequence[Points] = (),
) -> RecentTemplate | None:
    """A second template from between two shots of a photo; None where the pair has none.

    Args:
        rng: the pair's generator.
        recipe: its ``recent`` counts.
        config: the model's.
        photo: the scene.
        outline: the target in it.
        shots, looks: of the first template and of the search region.
        others: outlines of other objects of the photo.
    """
    how = recipe.recent
    own = recent_numbers(rng, how, config)
    if own is None:
        return None
    part = float(own.uniform(*how.nearness))
    first, later = shots
    placement = placement_between(first.placement, later.placement, part)
    width = round(first.width + part * (later.width - first.width))
    height = round(first.height + part * (later.height - first.height))
    boxes = [xyxy_to_xywh(bounds_xyxy(placement.points(each))) for each in (outline, *others)]
    shot = Shot(placement, width, height, boxes[0])
    look = look_between(*looks, part)
    box = taken_box(own, how, shot.box_xywh, (width, height), boxes[1:])
    return take_template(
        own, how, config, box, lambda region: crop_shot(own, photo, shot, [], region, look)
    )


def filmed_pair(rng: Rng, materials: Materials, config: ModelConfig, recipe: PairRecipe) -> Pair:
    """Any two frames of a clip, mirrored or not; an absent target is that of another clip."""
    clip = materials.clips[int(rng.integers(len(materials.clips)))]
    absent = len(materials.clips) > 1 and rng.random() < recipe.absent
    others = [other for other in materials.clips if other is not clip]
    later_clip = others[int(rng.integers(len(others)))] if absent else clip
    how = recipe.filmed_pair
    scale = float(np.exp(rng.uniform(*np.log(how.scale))))
    mirrored = bool(rng.random() < how.mirrored)
    first, box = _frame(clip, int(rng.choice(clip.shown)), scale, mirrored)
    later, later_box = _frame(later_clip, int(rng.choice(later_clip.shown)), scale, mirrored)
    init_box = loosen(rng, recipe.boxes, box)
    template_region = CropRegion.around(init_box, config.template_factor, config.template_size)
    search_region = draw_search_region(rng, recipe.boxes, later_box, config)
    layers: list[Layer] = draw_distractors(
        rng,
        recipe,
        materials,
        search_region,
        xywh_to_xyxy(later_box),
        float(np.sqrt(later_box[2] * later_box[3])),
        draw_distractor_count(rng, recipe.distractor, how.distractors * recipe.distractors),
        None,
    )
    # The clip has its own blur, noise and compression already.
    look = draw_look(rng, recipe.look)._replace(low_res=1.0, blur_sigma_px=0.0)
    later_look = draw_later_look(rng, look, recipe.look)
    template = draw_filmed(rng, first, scale, mirrored, [], look, template_region)
    search = draw_filmed(rng, later, scale, mirrored, layers, later_look, search_region)
    recent = None
    own = recent_numbers(rng, recipe.recent, config)
    if own is not None:
        between, box = _frame(clip, int(own.choice(clip.shown)), scale, mirrored)
        recent = recent_filmed(
            own, recipe.recent, config, between, scale, mirrored, box, (look, later_look)
        )
    return make_pair(
        template,
        template_region,
        init_box,
        search,
        search_region,
        None if absent else later_box,
        recent,
    )


def recent_filmed(
    own: Rng,
    recipe: RecentRecipe,
    config: ModelConfig,
    picture: Uint8Image,
    scale: float,
    mirrored: bool,
    box_xywh: FloatArray,
    looks: tuple[Look, Look],
) -> RecentTemplate:
    """A second template from a frame of a video.

    Args:
        own: of :func:`litetrack_ros.pairs.recent.recent_numbers`.
        recipe: how it is taken.
        config: the model's.
        picture: the frame.
        scale, mirrored: how it is shown.
        box_xywh: the target in it, as it is shown.
        looks: of the first template and of the search region.
    """
    look = look_between(*looks, float(own.uniform(*recipe.nearness)))
    size = (picture.shape[1] * scale, picture.shape[0] * scale)
    box = taken_box(own, recipe, box_xywh, size)
    return take_template(
        own,
        recipe,
        config,
        box,
        lambda region: draw_filmed(own, picture, scale, mirrored, [], look, region),
    )


def _frame(clip: Clip, index: int, scale: float, mirrored: bool) -> tuple[Uint8Image, FloatArray]:
    frame = clip.frames[index]
    return frame, shown_box(clip.boxes_xywh[index], frame.shape[1], scale, mirrored)


def shown_box(box_xywh: FloatArray, width_px: int, scale: float, mirrored: bool) -> FloatArray:
    """A box in a frame ``width_px`` wide, where that is shown at a scale and perhaps mirrored."""
    x, y, w, h = box_xywh
    if mirrored:
        x = width_px - x - w
    return np.array([x, y, w, h]) * scale


def draw_filmed(
    rng: Rng,
    picture: Uint8Image,
    scale: float,
    mirrored: bool,
    layers: list[Layer],
    look: Look,
    region: CropRegion,
) -> Uint8Image:
    """Draw what a region shows of a frame of a video, ``(S, S, 3)`` uint8 RGB."""
    height, width = picture.shape[:2]
    matrix = zoom(scale, scale)
    if mirrored:
        matrix = matrix @ shift(width, 0.0) @ zoom(-1.0, 1.0)
    frame = Composition(
        int(width * scale), int(height * scale), picture, Placement(matrix), layers, look
    )
    return draw_crop(frame, region, rng)
