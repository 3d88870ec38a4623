"""Synthetic training pairs, each a pure function of a seed and its index; and the pasted kind."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray, xywh_to_xyxy, xyxy_to_xywh
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
from litetrack_ros.pairs.degradation import Look, draw_later_look, draw_look
from litetrack_ros.pairs.materials import HELD_OUT_CLIPS, Materials, Split, Sprite, read_materials
from litetrack_ros.pairs.natural import filmed_pair, natural_pair
from litetrack_ros.pairs.pair import Pair, RecentTemplate, make_pair, pair_generator
from litetrack_ros.pairs.pair_recipe import PairRecipe, PastedRecipe
from litetrack_ros.pairs.poses import (
    Placement,
    Pose,
    clip_xyxy_to_xywh,
    draw_limited,
    draw_log,
    draw_pose,
    draw_search_region,
    loosen,
    rotation,
    shift,
    vary_pose,
    visible_box,
    zoom,
)
from litetrack_ros.pairs.recent import (
    look_between,
    pose_between,
    recent_numbers,
    size_between,
    take_template,
    taken_box,
)
from litetrack_ros.pairs.sprites import draw_sprite, with_surroundings

Rng = np.random.Generator

_LEAST_FRAME_PX = 24
_PLACE_TRIES = 6


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


def pasted_pair(
    rng: Rng,
    materials: Materials,
    config: ModelConfig,
    recipe: PairRecipe,
    target: Sprite | None = None,
) -> Pair:
    """An object in two frames, mostly of the same scene; without a given one, any."""
    how, sizes = recipe.pasted_pair, recipe.sizes
    first_sprite, later_sprite = (
        (target, target) if target is not None else _draw_target(rng, recipe, materials)
    )
    pose = draw_pose(rng, recipe.pose, rng.random() < how.turned)
    later_pose = vary_pose(rng, recipe.pose, pose)
    size = draw_log(rng, sizes.first_px)
    later_size = size * math.exp(draw_limited(rng, sizes.later, sizes.later_limit))
    first = _draw_frame_with(rng, recipe, first_sprite, pose, size)
    later = _draw_frame_with(rng, recipe, later_sprite, later_pose, later_size)
    tones = draw_tones(rng, recipe.object, how.tones) if rng.random() < how.toned else None
    later_tones = tones
    if tones is None and rng.random() < how.later_toned:
        later_tones = draw_tones(rng, recipe.object, how.later_tones)

    init_box = loosen(rng, recipe.boxes, first.box_xywh)
    template_region = CropRegion.around(init_box, config.template_factor, config.template_size)
    search_region = draw_search_region(rng, recipe.boxes, later.box_xywh, config)
    view = _draw_view(rng, how, materials, search_region.side_px)
    later_view = _move_camera(rng, how, view, search_region.side_px)
    if rng.random() < recipe.new_scene:
        view = _draw_view(rng, how, materials, search_region.side_px)

    present = bool(rng.random() >= recipe.absent)
    look = draw_look(rng, recipe.look)
    later_look = draw_later_look(rng, look, recipe.look)
    others = _draw_others(
        rng,
        recipe,
        materials,
        search_region,
        later.box_xywh if present else None,
        later_size,
        (later_sprite, later_pose),
        colours_show=not later_look.grey and not look.grey,
    )
    shown = later._replace(layer=later.layer._replace(tones=later_tones)) if present else None
    layers = _stack(rng, recipe, materials, others, shown, later_size)
    template_frame = Composition(
        first.width,
        first.height,
        view.photo,
        view.placement(_center(template_region)),
        [
            *_template_distractors(rng, recipe, materials, template_region, first, size, others),
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
    template = draw_crop(template_frame, template_region, rng)
    search = draw_crop(search_frame, search_region, rng)
    recent = None
    own = recent_numbers(rng, recipe.recent, config)
    if own is not None:
        part = float(own.uniform(*recipe.recent.nearness))
        between_size = size_between(size, later_size, part)
        sprite = first_sprite if part < 0.5 else later_sprite
        between_pose = pose_between(pose, later_pose, part)
        between = _draw_frame_with(own, recipe, sprite, between_pose, between_size)
        between = between._replace(layer=between.layer._replace(tones=later_tones))
        moved = _move_camera(own, how, later_view, search_region.side_px)
        seen = look_between(look, later_look, part)
        recent = _recent(own, materials, config, recipe, between, moved, seen, search_frame, others)
    return make_pair(
        template,
        template_region,
        init_box,
        search,
        search_region,
        later.box_xywh if present else None,
        recent,
    )


def _recent(
    own: Rng,
    materials: Materials,
    config: ModelConfig,
    recipe: PairRecipe,
    target: _Target,
    view: _View,
    look: Look,
    search_frame: Composition,
    others: list[Layer],
) -> RecentTemplate:
    """A second template: a frame with the target, or a distractor of the search region's."""
    how = recipe.recent
    size = math.sqrt(float(target.box_xywh[2] * target.box_xywh[3]))
    around = CropRegion.around(target.box_xywh, config.template_factor, config.template_size)
    near = _template_distractors(own, recipe, materials, around, target, size, others)
    placement, layers = view.placement(_center(around)), [*near, target.layer]
    frame = Composition(target.width, target.height, view.photo, placement, layers, look)
    distractors = [xyxy_to_xywh(layer.bounds()) for layer in others]
    box = taken_box(own, how, target.box_xywh, (target.width, target.height), distractors)
    shown = search_frame if any(box is other for other in distractors) else frame
    return take_template(own, how, config, box, lambda region: draw_crop(shown, region, own))


def _draw_others(
    rng: Rng,
    recipe: PairRecipe,
    materials: Materials,
    region: CropRegion,
    box_xywh: FloatArray | None,
    size_px: float,
    twin_of: tuple[Sprite, Pose],
    colours_show: bool,
) -> list[Layer]:
    """The distractors of a search region; where the target is absent, often one even so."""
    how = recipe.pasted_pair
    count = draw_distractor_count(rng, recipe.distractor, recipe.distractors)
    if box_xywh is None and count == 0:
        count = int(rng.integers(how.absent_count[0], how.absent_count[1] + 1))
    target = None if box_xywh is None else xywh_to_xyxy(box_xywh)
    twin = twin_of if rng.random() < how.twins else None
    return draw_distractors(
        rng, recipe, materials, region, target, size_px, count, twin, colours_show=colours_show
    )


def _stack(
    rng: Rng,
    recipe: PairRecipe,
    materials: Materials,
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
        occluder = draw_occluder(rng, recipe, materials, box, size_px, above)
    return [*others[:split], target.layer, *([] if occluder is None else [occluder]), *above]


def _draw_target(rng: Rng, recipe: PairRecipe, materials: Materials) -> tuple[Sprite, Sprite]:
    """The same object twice; from a clip, in two frames of it."""
    how = recipe.pasted_pair
    u = rng.random(2)
    if materials.clips and u[0] < how.clip_objects:
        clip = materials.clips[int(rng.integers(len(materials.clips)))]
        first, later = (int(index) for index in rng.choice(clip.shown, 2))
        if u[1] < how.clip_cutouts:
            return clip.sprite(first), clip.sprite(later)
        return (
            with_surroundings(rng, recipe.sprite, clip.frames[first], clip.masks[first]),
            with_surroundings(rng, recipe.sprite, clip.frames[later], clip.masks[later]),
        )
    if materials.outlined_photos and u[0] < how.clip_objects + how.photo_objects:
        pool = materials.outlined_photos
        photo = pool[int(rng.integers(len(pool)))]
        assert photo.object_mask is not None
        sprite = with_surroundings(rng, recipe.sprite, photo.rgb, photo.object_mask)
        return sprite, sprite
    sprite = draw_sprite(rng, recipe.sprite, materials)
    return sprite, sprite


def _draw_frame_with(
    rng: Rng, recipe: PairRecipe, sprite: Sprite, pose: Pose, size_px: float
) -> _Target:
    """A frame of random size with the target somewhere in it, now and then cut by the border."""
    how = recipe.pasted_pair
    extent = size_px * draw_log(rng, how.frame)
    aspect = math.exp(rng.uniform(*how.frame_aspect))
    width = max(_LEAST_FRAME_PX, round(extent * math.sqrt(aspect)))
    height = max(_LEAST_FRAME_PX, round(extent / math.sqrt(aspect)))
    layer = draw_layer(rng, recipe.object, sprite, pose, np.zeros(2), size_px)
    bounds = layer.bounds()
    for _ in range(_PLACE_TRIES):
        center = (0.5 + how.place * rng.uniform(-1.0, 1.0, 2)) * (width, height)
        box = visible_box(bounds + np.tile(center, 2), width, height)
        if box is not None:
            break
    else:
        center = np.array([0.5 * width, 0.5 * height])
        box = clip_xyxy_to_xywh(bounds + np.tile(center, 2), width, height)
    layer = layer._replace(placement=layer.placement.after(shift(*center)))
    return _Target(layer, width, height, box)


def _draw_view(rng: Rng, recipe: PastedRecipe, materials: Materials, region_side_px: int) -> _View:
    """A photo behind a search region."""
    photo = materials.photos[int(rng.integers(len(materials.photos)))].rgb
    height, width = photo.shape[:2]
    span = min(height, width) * draw_log(rng, recipe.view)
    scale = max(span / region_side_px, recipe.view_scale)
    first = 0.5 * (1.0 - recipe.view_place)
    point = (first + recipe.view_place * rng.random(2)) * (width, height)
    return _View(photo, point, scale, float(rng.normal(0.0, recipe.view_angle)))


def _move_camera(rng: Rng, recipe: PastedRecipe, view: _View, region_side_px: int) -> _View:
    """The same photo behind a later region: shifted, zoomed and turned a little."""
    height, width = view.photo.shape[:2]
    shift_regions = rng.normal(0.0, recipe.camera_shift, 2)
    shift_px = shift_regions * region_side_px * view.photo_px_per_px
    return _View(
        view.photo,
        np.clip(view.point_xy + shift_px, 0.0, (width, height)),
        view.photo_px_per_px * math.exp(rng.normal(0.0, recipe.camera_zoom)),
        view.angle_rad + float(rng.normal(0.0, recipe.camera_angle)),
    )


def _template_distractors(
    rng: Rng,
    recipe: PairRecipe,
    materials: Materials,
    region: CropRegion,
    target: _Target,
    size_px: float,
    later_ones: Sequence[Layer],
) -> list[Layer]:
    """Other objects around the first target in a share of the pairs, some seen later too."""
    how = recipe.pasted_pair
    if rng.random() >= how.template_share:
        return []
    count = int(rng.integers(how.template_count[0], how.template_count[1] + 1))
    box = xywh_to_xyxy(target.box_xywh)
    layers = draw_distractors(rng, recipe, materials, region, box, size_px, count, None)
    if later_ones and rng.random() < how.template_later:
        seen = [other.sprite for other in later_ones[:count]]
        boxes = [layer.bounds() for layer in layers]
        layers = []
        for sprite, b in zip(seen, boxes, strict=False):
            pose = draw_pose(rng, recipe.pose, any_angle=False)
            center = 0.5 * (b[:2] + b[2:])
            layers.append(draw_layer(rng, recipe.object, sprite, pose, center, size_px))
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
        rng = pair_generator(self.seed, index)
        u = rng.random()
        if u < self.recipe.natural:
            return natural_pair(rng, self.materials, self.model_config, self.recipe)
        if u < self.recipe.natural + self.recipe.filmed and self.materials.clips:
            return filmed_pair(rng, self.materials, self.model_config, self.recipe)
        return pasted_pair(rng, self.materials, self.model_config, self.recipe)
