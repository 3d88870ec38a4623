"""Synthetic training pairs, each a pure function of a seed and its index; and the pasted kind."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray, xywh_to_xyxy
from litetrack_ros.images import Uint8Image
from litetrack_ros.pairs.compose import (
    Composition,
    Layer,
    draw_crop,
    draw_distractor_count,
    draw_distractors,
    draw_layer,
    draw_occluder,
    draw_tones,
)
from litetrack_ros.pairs.degradation import draw_later_look, draw_look
from litetrack_ros.pairs.materials import HELD_OUT_CLIPS, Materials, Split, Sprite, read_materials
from litetrack_ros.pairs.natural import filmed_pair, natural_pair
from litetrack_ros.pairs.pair import Pair, make_pair
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.pairs.poses import (
    Placement,
    Pose,
    clip_xyxy_to_xywh,
    draw_pose,
    draw_search_region,
    draw_size,
    loosen,
    rotation,
    shift,
    vary_pose,
    visible_box,
    zoom,
)
from litetrack_ros.pairs.sprites import draw_sprite, with_surroundings

Rng = np.random.Generator

_CLIP_OBJECTS = 0.15  # share of targets that are lifted from a clip, half with surroundings
_PHOTO_OBJECTS = 0.2  # share of targets that are a photo's object with its surroundings


class _Target(NamedTuple):
    """A target's layer in a frame of some size."""

    layer: Layer
    width: int
    height: int
    box_xywh: FloatArray


class _View(NamedTuple):
    """How a photo lies behind a region: the point in its middle, its scale and its turn."""

    photo: Uint8Image
    point_xy: FloatArray
    photo_px_per_px: float
    angle_rad: float

    def placement(self, center_xy: FloatArray) -> Placement:
        scale = 1.0 / self.photo_px_per_px
        return Placement(
            shift(*center_xy)
            @ rotation(self.angle_rad)
            @ zoom(scale, scale)
            @ shift(*(-self.point_xy))
        )


def pasted_pair(rng: Rng, materials: Materials, config: ModelConfig, recipe: PairRecipe) -> Pair:
    """An object in two frames, mostly of the same scene."""
    first_sprite, later_sprite = _draw_target(rng, materials)
    pose = draw_pose(rng, rng.random() < 0.25)
    later_pose = vary_pose(rng, pose)
    size = draw_size(rng)
    later_size = size * math.exp(float(np.clip(rng.normal(0.0, 0.3), -0.8, 0.8)))
    first = _draw_frame_with(rng, first_sprite, pose, size)
    later = _draw_frame_with(rng, later_sprite, later_pose, later_size)
    tones = draw_tones(rng, 0.2) if rng.random() < 0.5 else None
    later_tones = draw_tones(rng, 0.1) if tones is None and rng.random() < 0.5 else tones

    init_box = loosen(rng, first.box_xywh)
    template_region = CropRegion.around(init_box, config.template_factor, config.template_size)
    search_region = draw_search_region(rng, later.box_xywh, config)
    view = _draw_view(rng, materials, search_region.side_px)
    later_view = _move_camera(rng, view, search_region.side_px)
    if rng.random() < recipe.new_scene:
        view = _draw_view(rng, materials, search_region.side_px)

    present = bool(rng.random() >= recipe.absent)
    look = draw_look(rng)
    later_look = draw_later_look(rng, look)
    others = _draw_others(
        rng,
        materials,
        recipe,
        search_region,
        later.box_xywh if present else None,
        later_size,
        (later_sprite, later_pose),
        colours_show=not later_look.grey and not look.grey,
    )
    shown = later._replace(layer=later.layer._replace(tones=later_tones)) if present else None
    layers = _stack(rng, materials, recipe, others, shown, later_size)
    template_frame = Composition(
        first.width,
        first.height,
        view.photo,
        view.placement(_center(template_region)),
        [
            *_template_distractors(rng, materials, template_region, first, size, others),
            first.layer._replace(tones=tones),
        ],
        look,
    )
    search_frame = Composition(
        later.width,
        later.height,
        later_view.photo,
        later_view.placement(_center(search_region)),
        layers,
        later_look,
    )
    return make_pair(
        draw_crop(template_frame, template_region, rng),
        template_region,
        init_box,
        draw_crop(search_frame, search_region, rng),
        search_region,
        later.box_xywh if present else None,
    )


def _draw_others(
    rng: Rng,
    materials: Materials,
    recipe: PairRecipe,
    region: CropRegion,
    box_xywh: FloatArray | None,
    size_px: float,
    twin_of: tuple[Sprite, Pose],
    colours_show: bool,
) -> list[Layer]:
    """The distractors of a search region; where the target is absent, often one even so."""
    count = draw_distractor_count(rng, recipe.distractors)
    if box_xywh is None and count == 0:
        count = int(rng.integers(0, 3))
    target = None if box_xywh is None else xywh_to_xyxy(box_xywh)
    twin = twin_of if rng.random() < 0.6 else None
    return draw_distractors(
        rng, materials, region, target, size_px, count, twin, colours_show=colours_show
    )


def _stack(
    rng: Rng,
    materials: Materials,
    recipe: PairRecipe,
    others: list[Layer],
    target: _Target | None,
    size_px: float,
) -> list[Layer]:
    """The layers of a search region: the target among the others, and now and then an occluder."""
    if target is None:
        return others
    split = int(rng.integers(0, len(others) + 1))
    above = others[split:]
    occluder = None
    if rng.random() < recipe.occluders:
        box = xywh_to_xyxy(target.box_xywh)
        occluder = draw_occluder(rng, materials, box, size_px, above)
    return [*others[:split], target.layer, *([] if occluder is None else [occluder]), *above]


def _draw_target(rng: Rng, materials: Materials) -> tuple[Sprite, Sprite]:
    """The same object twice; from a clip, in two frames of it."""
    u = rng.random(2)
    if materials.clips and u[0] < _CLIP_OBJECTS:
        clip = materials.clips[int(rng.integers(len(materials.clips)))]
        first, later = (int(index) for index in rng.choice(clip.shown, 2))
        if u[1] < 0.5:
            return clip.sprite(first), clip.sprite(later)
        return (
            with_surroundings(rng, clip.frames[first], clip.masks[first]),
            with_surroundings(rng, clip.frames[later], clip.masks[later]),
        )
    if materials.outlined_photos and u[0] < _CLIP_OBJECTS + _PHOTO_OBJECTS:
        pool = materials.outlined_photos
        photo = pool[int(rng.integers(len(pool)))]
        assert photo.object_mask is not None
        sprite = with_surroundings(rng, photo.rgb, photo.object_mask)
        return sprite, sprite
    sprite = draw_sprite(rng, materials)
    return sprite, sprite


def _draw_frame_with(rng: Rng, sprite: Sprite, pose: Pose, size_px: float) -> _Target:
    """A frame of random size with the target somewhere in it, now and then cut by the border."""
    extent = size_px * math.exp(rng.uniform(math.log(7.0), math.log(50.0)))
    aspect = math.exp(rng.uniform(-0.3, 0.6))
    width = max(24, round(extent * math.sqrt(aspect)))
    height = max(24, round(extent / math.sqrt(aspect)))
    layer = draw_layer(rng, sprite, pose, np.zeros(2), size_px)
    bounds = layer.bounds()
    for _ in range(6):
        center = (0.5 + 0.55 * rng.uniform(-1.0, 1.0, 2)) * (width, height)
        box = visible_box(bounds + np.tile(center, 2), width, height)
        if box is not None:
            break
    else:
        center = np.array([0.5 * width, 0.5 * height])
        box = clip_xyxy_to_xywh(bounds + np.tile(center, 2), width, height)
    layer = layer._replace(placement=layer.placement.after(shift(*center)))
    return _Target(layer, width, height, box)


def _draw_view(rng: Rng, materials: Materials, region_side_px: int) -> _View:
    """A photo behind a search region, which spans about 0.4 to 1.2 times its short side."""
    photo = materials.photos[int(rng.integers(len(materials.photos)))].rgb
    height, width = photo.shape[:2]
    span = min(height, width) * math.exp(rng.uniform(math.log(0.4), math.log(1.2)))
    scale = max(span / region_side_px, 0.6)
    point = (0.2 + 0.6 * rng.random(2)) * (width, height)
    return _View(photo, point, scale, float(rng.normal(0.0, 0.06)))


def _move_camera(rng: Rng, view: _View, region_side_px: int) -> _View:
    """The same photo behind a later region: shifted, zoomed and turned a little."""
    height, width = view.photo.shape[:2]
    shift_px = rng.normal(0.0, 0.2, 2) * region_side_px * view.photo_px_per_px
    return _View(
        view.photo,
        np.clip(view.point_xy + shift_px, 0.0, (width, height)),
        view.photo_px_per_px * math.exp(rng.normal(0.0, 0.12)),
        view.angle_rad + float(rng.normal(0.0, 0.08)),
    )


def _template_distractors(
    rng: Rng,
    materials: Materials,
    region: CropRegion,
    target: _Target,
    size_px: float,
    later_ones: Sequence[Layer],
) -> list[Layer]:
    """Other objects around the first target in three of ten pairs, half of them seen later too."""
    if rng.random() >= 0.3:
        return []
    count = int(rng.integers(1, 3))
    box = xywh_to_xyxy(target.box_xywh)
    layers = draw_distractors(rng, materials, region, box, size_px, count, None)
    if later_ones and rng.random() < 0.5:
        seen = [other.sprite for other in later_ones[:count]]
        layers = [
            draw_layer(rng, sprite, draw_pose(rng, False), 0.5 * (b[:2] + b[2:]), size_px)
            for sprite, b in zip(seen, (layer.bounds() for layer in layers), strict=False)
        ]
    return layers


def _center(region: CropRegion) -> FloatArray:
    half = 0.5 * region.side_px
    return np.array([region.x0_px + half, region.y0_px + half])


class SyntheticPairs:
    """Pairs composed from photos, cut-outs and clips.

    The pictures are decoded once a process; a process made by fork shares those of its parent.

    Args:
        folders: searched for pictures, see :mod:`litetrack_ros.pairs.materials`.
        model_config: sizes and factors of the crops.
        seed: another seed gives other pairs; at least 0.
        recipe: shares of what the pairs hold.
        split: which part of the pictures to use; ``train`` and ``validation`` share none.
        held_out_clips: names of the clips that are for validation.

    Raises:
        DatasetError: as :func:`read_materials`, or the split holds no photo.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        model_config: ModelConfig,
        seed: int,
        recipe: PairRecipe | None = None,
        split: Split = "train",
        held_out_clips: Sequence[str] = HELD_OUT_CLIPS,
    ) -> None:
        self.materials = read_materials(folders).split(split, held_out_clips)
        if not self.materials.photos:
            raise DatasetError(f"the {split} part of {', '.join(map(str, folders))} has no photo")
        self.recipe = PairRecipe() if recipe is None else recipe
        self.model_config = model_config
        self.seed = seed

    def pair(self, index: int) -> Pair:
        """The pair of an index (any integer of at least 0); the same in every process."""
        key = np.array([self.seed, index], dtype=np.uint64)
        rng = np.random.Generator(np.random.Philox(key=key))
        u = rng.random()
        make = pasted_pair
        if u < self.recipe.natural:
            make = natural_pair
        elif u < self.recipe.natural + self.recipe.filmed and self.materials.clips:
            make = filmed_pair
        return make(rng, self.materials, self.model_config, self.recipe)
