"""How often synthetic pairs hold what, and the steps that all kinds of pairs share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.errors import ConfigError
from litetrack_ros.geometry import FloatArray, xywh_to_cxcywh
from litetrack_ros.images import Uint8Image
from litetrack_ros.pairs.compose import Layer, clip_xyxy_to_xywh
from litetrack_ros.pairs.degradation import tone_table
from litetrack_ros.pairs.materials import Materials, Sprite
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.pairs.poses import Pose, draw_pose, drift, place, vary_pose
from litetrack_ros.pairs.sprites import draw_sprite, draw_twin

Rng = np.random.Generator

_VISIBLE_PART = 0.4  # of the target, for it to count as present
_HIDDEN_PART = 0.35  # of the target, that a distractor may cover


@dataclass(frozen=True)
class PairRecipe:
    """Shares in [0, 1] of what synthetic pairs hold.

    Attributes:
        natural: pairs whose target is a region of a photo; nothing marks it but the template.
        filmed: pairs from two frames of a clip. The rest are objects pasted on photos.
        absent: pairs without the target in the search region.
        distractors: search regions with two to four other objects.
        occluders: search regions with an object over the target.
        new_scene: pasted pairs whose template comes from another photo.
    """

    natural: float = 0.3
    filmed: float = 0.1
    absent: float = 0.15
    distractors: float = 0.55
    occluders: float = 0.2
    new_scene: float = 0.2

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"{key} is {value!r}, but must be from 0 to 1")
        if self.natural + self.filmed > 1.0:
            raise ConfigError("the shares of natural and filmed pairs must not exceed 1 together")


def draw_size(rng: Rng) -> float:
    """The size of a target in its frame, square root of its area in px: 16 to 90."""
    return math.exp(rng.uniform(math.log(16.0), math.log(90.0)))


def draw_layer(rng: Rng, sprite: Sprite, pose: Pose, center: FloatArray, size_px: float) -> Layer:
    """An object in a frame, with its own light, edge and motion."""
    placement = place(sprite.outline_xy, pose, (float(center[0]), float(center[1])), size_px)
    u = rng.random(3)
    feather = float(rng.uniform(0.3, 0.9)) if u[0] < 0.7 else 0.0
    motion = (
        (float(rng.uniform(2.0, 2.0 + 0.15 * size_px)), float(rng.uniform(0.0, math.pi)))
        if u[1] < 0.12
        else (0.0, 0.0)
    )
    return Layer(sprite, placement, None, feather, motion)


def draw_tones(rng: Rng, strength: float) -> Uint8Image:
    """A colour table for one object: brightness, tint and contrast vary with the strength."""
    gain = np.exp(rng.normal(0.0, 0.3 * strength, 3) + rng.normal(0.0, strength))
    gamma = math.exp(rng.normal(0.0, strength))
    return tone_table((float(gain[0]), float(gain[1]), float(gain[2])), gamma, 0.0)


def draw_distractor_count(rng: Rng, share: float) -> int:
    """Two to four in this share of the calls, one in a tenth of the others."""
    if rng.random() < share:
        return int(rng.integers(2, 5))
    return int(rng.random() < 0.1)


def draw_distractors(
    rng: Rng,
    materials: Materials,
    region: CropRegion,
    target_xyxy: FloatArray | None,
    size_px: float,
    count: int,
    twin_of: tuple[Sprite, Pose] | None,
    colours_show: bool = True,
) -> list[Layer]:
    """Other objects in a search region, from the target's pool and of its size.

    Args:
        rng: the pair's generator.
        materials: the pool.
        region: where they go.
        target_xyxy: what the frame shows of the target, left mostly visible, or None.
        size_px: the target's size.
        count: how many are tried; one that would hide the target is left out.
        twin_of: the target's picture and pose; 45 % of the distractors resemble it.
        colours_show: see :func:`draw_twin`.
    """
    layers: list[Layer] = []
    hidden = 0.0
    for _ in range(count):
        if twin_of is not None and rng.random() < 0.45:
            sprite = draw_twin(rng, twin_of[0], materials, colours_show)
            pose = vary_pose(rng, twin_of[1])
        else:
            sprite = draw_sprite(rng, materials)
            pose = draw_pose(rng, rng.random() < 0.3)
        size = size_px * math.exp(float(np.clip(rng.normal(0.0, 0.3), -0.8, 0.6)))
        for _ in range(4):
            place_in_region = rng.random(2)
            center = place_in_region * region.side_px + (region.x0_px, region.y0_px)
            layer = draw_layer(rng, sprite, pose, center, size)
            covers = 0.0 if target_xyxy is None else covered_part(target_xyxy, layer.bounds())
            if hidden + covers < _HIDDEN_PART:
                hidden += covers
                layers.append(layer._replace(tones=draw_tones(rng, 0.12)))
                break
    return layers


def draw_occluder(
    rng: Rng,
    materials: Materials,
    target_xyxy: FloatArray,
    size_px: float,
    others: Sequence[Layer],
) -> Layer | None:
    """An object that covers a part of the target, with the others at most half of it."""
    hidden = sum(covered_part(target_xyxy, other.bounds()) for other in others)
    middle = 0.5 * (target_xyxy[:2] + target_xyxy[2:])
    half = 0.5 * (target_xyxy[2:] - target_xyxy[:2])
    sprite, pose = draw_sprite(rng, materials), draw_pose(rng, rng.random() < 0.5)
    for _ in range(4):
        angle = rng.uniform(0.0, 2.0 * math.pi)
        direction = np.array([math.cos(angle), math.sin(angle)])
        center = middle + direction * half * rng.uniform(0.5, 1.1)
        layer = draw_layer(rng, sprite, pose, center, size_px * rng.uniform(0.35, 0.9))
        if 0.08 < covered_part(target_xyxy, layer.bounds()) < 0.5 - hidden:
            return layer
    return None


def covered_part(target_xyxy: FloatArray, other_xyxy: FloatArray) -> float:
    """The part of a box that another covers."""
    low = np.maximum(target_xyxy[:2], other_xyxy[:2])
    high = np.minimum(target_xyxy[2:], other_xyxy[2:])
    common = np.prod(np.maximum(high - low, 0.0))
    return float(common / max(1e-9, float(np.prod(target_xyxy[2:] - target_xyxy[:2]))))


def draw_search_region(rng: Rng, box_xywh: FloatArray, config: ModelConfig) -> CropRegion:
    """A search region around where the target may have been, such that it still shows it."""
    x, y, w, h = box_xywh
    target = np.array([x, y, x + w, y + h])
    for _ in range(6):
        region = CropRegion.around(drift(rng, box_xywh), config.search_factor, config.search_size)
        end = (region.x0_px + region.side_px, region.y0_px + region.side_px)
        window = np.array([region.x0_px, region.y0_px, *end], dtype=np.float64)
        center = 0.5 * (target[:2] + target[2:])
        center_inside = bool(np.all(window[:2] < center) and np.all(center < window[2:]))
        if center_inside and covered_part(target, window) >= _VISIBLE_PART:
            return region
    return CropRegion.around(box_xywh, config.search_factor, config.search_size)


def visible_box(bounds_xyxy: FloatArray, width: int, height: int) -> FloatArray | None:
    """A target's box in a frame, xywh, or None where the frame shows too little of it."""
    frame = np.array([0.0, 0.0, width, height])
    box = clip_xyxy_to_xywh(bounds_xyxy, width, height)
    if covered_part(bounds_xyxy, frame) < _VISIBLE_PART or min(box[2:]) < 3.0:
        return None
    return box


def make_pair(
    template: Uint8Image,
    template_region: CropRegion,
    init_box_xywh: FloatArray,
    search: Uint8Image,
    search_region: CropRegion,
    box_xywh: FloatArray | None,
) -> Pair:
    """Crops and the target's boxes in their frames to a pair; a box of None is an absent target."""
    template_box = template_region.image_to_crop_norm(xywh_to_cxcywh(init_box_xywh))
    search_box = np.zeros(4)
    if box_xywh is not None:
        search_box = search_region.image_to_crop_norm(xywh_to_cxcywh(box_xywh))
    return Pair(
        np.ascontiguousarray(template),
        template_box.astype(np.float32),
        np.ascontiguousarray(search),
        search_box.astype(np.float32),
        box_xywh is not None,
    )
