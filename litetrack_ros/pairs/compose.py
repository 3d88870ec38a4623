"""What a synthetic frame is composed of, and drawing the part of it that a crop needs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.degradation import Look, apply_look, motion_blur, soften, tone_table
from litetrack_ros.pairs.materials import Materials, Sprite
from litetrack_ros.pairs.poses import (
    Placement,
    Pose,
    bounds_xyxy,
    covered_part,
    draw_pose,
    place,
    vary_pose,
    zoom,
)
from litetrack_ros.pairs.sprites import draw_sprite, draw_twin

Rng = np.random.Generator

_HIDDEN_PART = 0.35  # of the target, that a distractor may cover


class Layer(NamedTuple):
    """An object in a frame.

    Attributes:
        sprite: what it looks like.
        placement: sprite to frame.
        tones: ``(256, 1, 3)`` uint8 lookup table for its colours, or None.
        feather_px: width of the soft edge, frame pixels; 0 keeps the sprite's own.
        motion_px: length and direction of its own motion blur; length 0 is none.
    """

    sprite: Sprite
    placement: Placement
    tones: Uint8Image | None = None
    feather_px: float = 0.0
    motion_px: tuple[float, float] = (0.0, 0.0)

    def bounds(self) -> FloatArray:
        """Its tight box in the frame, xyxy, not clipped."""
        return bounds_xyxy(self.placement.points(self.sprite.outline_xy))


class Composition(NamedTuple):
    """A synthetic frame that has not been drawn.

    Attributes:
        width, height: pixels.
        background: ``(H, W, 3)`` uint8 RGB, mirrored at its borders where the frame is larger.
        placement: background to frame.
        layers: objects, from below to above.
        look: what the camera does to all of it.
    """

    width: int
    height: int
    background: Uint8Image
    placement: Placement
    layers: Sequence[Layer]
    look: Look


def draw_crop(frame: Composition, region: CropRegion, rng: Rng) -> Uint8Image:
    """Draw as much of a frame as a region shows and extract the crop, RGB."""
    # One pixel more than the region: extract_crop treats a region that touches the border of the
    # frame differently from one that does not.
    x0, y0 = max(0, region.x0_px), max(0, region.y0_px)
    x1 = min(frame.width, region.x0_px + region.side_px + 1)
    y1 = min(frame.height, region.y0_px + region.side_px + 1)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((region.size_px, region.size_px, 3), dtype=np.uint8)
    # Blurs are given for a crop of full size: a smaller one loses its detail when it is enlarged.
    detail = min(1.0, region.side_px / region.size_px)
    frame = frame._replace(look=soften(frame.look, detail))
    image = draw_window(frame, x0, y0, x1 - x0, y1 - y0, rng)
    inner = CropRegion(
        region.x0_px - x0, region.y0_px - y0, region.side_px, region.size_px, (0.0, 0.0)
    )
    return extract_crop(image, inner)


def draw_window(
    frame: Composition, x0: int, y0: int, width: int, height: int, rng: Rng
) -> Uint8Image:
    """Draw a rectangle of a frame, ``(height, width, 3)`` uint8 RGB."""
    middle = np.array([0.5 * frame.background.shape[1], 0.5 * frame.background.shape[0]])
    source, placement = _shrink(frame.background, frame.placement, middle)
    maps = placement.source_maps(x0, y0, width, height)
    canvas = np.asarray(
        cv2.remap(source, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), dtype=np.uint8
    )
    for layer in frame.layers:
        _paste(canvas, layer, x0, y0)
    return apply_look(canvas, frame.look, rng)


def _paste(canvas: Uint8Image, layer: Layer, x0: int, y0: int) -> None:
    """Blend a layer into a window of the frame whose corner is (x0, y0)."""
    reach = 3.0 + 2.0 * layer.feather_px + 0.5 * layer.motion_px[0]
    bounds = _drawn_bounds(layer) - (x0, y0, x0, y0)
    left, top = (max(0, int(v - reach)) for v in bounds[:2])
    right = min(canvas.shape[1], int(bounds[2] + reach) + 1)
    bottom = min(canvas.shape[0], int(bounds[3] + reach) + 1)
    if right <= left or bottom <= top:
        return
    source, placement = _shrink(
        layer.sprite.rgba, layer.placement, layer.sprite.outline_xy.mean(axis=0)
    )
    maps = placement.source_maps(x0 + left, y0 + top, right - left, bottom - top)
    rgba = np.asarray(
        cv2.remap(source, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), dtype=np.uint8
    )
    if layer.motion_px[0] >= 2.0:
        rgba = motion_blur(rgba, *layer.motion_px)
    rgb, alpha = np.ascontiguousarray(rgba[..., :3]), rgba[..., 3]
    if layer.tones is not None:
        rgb = np.asarray(cv2.LUT(rgb, layer.tones), dtype=np.uint8)
    if layer.feather_px > 0.0:
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), layer.feather_px), dtype=np.uint8)
    weight = alpha * np.float32(1.0 / 255.0)
    below = np.ascontiguousarray(canvas[top:bottom, left:right])
    canvas[top:bottom, left:right] = cv2.blendLinear(below, rgb, 1.0 - weight, weight)


def _drawn_bounds(layer: Layer) -> FloatArray:
    """The tight box in the frame of all that a layer draws, xyxy."""
    if not layer.sprite.has_surroundings:
        return layer.bounds()
    height, width = layer.sprite.rgba.shape[:2]
    corners = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    return bounds_xyxy(layer.placement.points(corners))


def _shrink(
    picture: Uint8Image, placement: Placement, point_xy: FloatArray
) -> tuple[Uint8Image, Placement]:
    """Halve a picture while it is shown at half its size or less, so that remap does not alias."""
    scale = placement.scale_at(point_xy)
    factor = 1
    while scale * factor <= 0.55 and min(picture.shape[:2]) >= 8 * factor:
        factor *= 2
    if factor == 1:
        return picture, placement
    height, width = picture.shape[:2]
    size = (max(1, width // factor), max(1, height // factor))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    ratio = (width / size[0], height / size[1])
    bend = placement.bend
    if bend is not None:  # its units are the picture's pixels
        bend = bend._replace(
            amplitude_px=(bend.amplitude_px[0] / ratio[0], bend.amplitude_px[1] / ratio[1]),
            frequency=bend.frequency * ratio,
        )
    return np.asarray(small), Placement(placement.matrix @ zoom(*ratio), bend)


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
