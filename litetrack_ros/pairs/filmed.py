"""Pairs from two frames of a real clip."""

from __future__ import annotations

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import FloatArray, xywh_to_xyxy
from litetrack_ros.images import Uint8Image
from litetrack_ros.pairs.compose import Frame, Layer, draw_crop
from litetrack_ros.pairs.degradation import Look, draw_later_look, draw_look
from litetrack_ros.pairs.materials import Clip, Materials
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.pairs.pair_recipe import (
    PairRecipe,
    draw_distractor_count,
    draw_distractors,
    draw_search_region,
    make_pair,
)
from litetrack_ros.pairs.placement import Placement, shift, zoom
from litetrack_ros.pairs.poses import loosen

Rng = np.random.Generator


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
    frame = Frame(int(width * scale), int(height * scale), picture, Placement(matrix), layers, look)
    return draw_crop(frame, region, rng)
