"""Objects for synthetic scenes: cut-outs, and pieces of photos in random shapes."""

import math

import numpy as np

from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.degradation import tone_table
from litetrack_ros.pairs.materials import Materials, Photo, Points, Sprite, outline_of

Rng = np.random.Generator

_SHAPE_POINTS = 48
_SHAPE_MARGIN_PX = 3
_FADE_CELL_PX = 4


def draw_sprite(rng: Rng, materials: Materials) -> Sprite:
    """Any object: a cut-out or a piece of a photo."""
    if materials.cutouts and rng.random() < 0.5:
        return materials.cutouts[int(rng.integers(len(materials.cutouts)))].sprite
    return draw_photo_sprite(rng, materials)


def draw_photo_sprite(rng: Rng, materials: Materials) -> Sprite:
    """A piece of a photo under a random smooth shape; one in three has a second part inside."""
    patch = _draw_patch(rng, _draw_photo(rng, materials))
    height, width = patch.shape[:2]
    if rng.random() < 0.35:
        other = _draw_patch(rng, _draw_photo(rng, materials))
        other = np.asarray(cv2.resize(other, (width, height)))
        inner = (0.3 + 0.4 * rng.random(2)) * (width, height)
        part = draw_shape(rng, width * rng.uniform(0.3, 0.7), height * rng.uniform(0.3, 0.7))
        weight = _fill(part + (inner - 0.5 * part.max(axis=0)).astype(np.float32), width, height)
        patch = _blend(patch, other, weight)
    shape = draw_shape(rng, width - 2 * _SHAPE_MARGIN_PX, height - 2 * _SHAPE_MARGIN_PX)
    shape += np.float32(_SHAPE_MARGIN_PX)
    return Sprite(np.dstack([patch, _fill(shape, width, height)]), shape)


def with_surroundings(rng: Rng, rgb: Uint8Image, mask: Uint8Image) -> Sprite:
    """An object with what lies around it, which fades out at some distance.

    Args:
        rng: decides on the distance.
        rgb: ``(H, W, 3)`` uint8, the whole picture.
        mask: ``(H, W)`` uint8 0 or 255, the object in it.
    """
    height, width = mask.shape
    # Worked out coarsely: only a slow fade is wanted.
    size = (max(8, width // _FADE_CELL_PX), max(8, height // _FADE_CELL_PX))
    coarse = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    reach = max(1, round(0.25 * rng.uniform(0.3, 1.2) * math.sqrt(float((coarse > 64).sum()))))
    near = cv2.dilate(coarse, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    near[0], near[-1], near[:, 0], near[:, -1] = 0, 0, 0, 0
    fade = cv2.GaussianBlur(near, (0, 0), 0.5 * reach + 0.3, borderType=cv2.BORDER_CONSTANT)
    alpha = np.asarray(cv2.resize(fade, (width, height), interpolation=cv2.INTER_LINEAR))
    alpha = np.maximum(alpha, cv2.GaussianBlur(mask, (0, 0), 2.0)).astype(np.uint8)
    return Sprite(np.dstack([rgb, alpha]), outline_of(mask), has_surroundings=True)


def draw_shape(rng: Rng, width_px: float, height_px: float) -> Points:
    """Points around a random shape that fills a box, ``(K, 2)`` float32."""
    angle = np.linspace(0.0, 2.0 * math.pi, _SHAPE_POINTS, endpoint=False)
    kind = rng.random()
    if kind < 0.5:  # a smooth blob
        radius = np.ones(_SHAPE_POINTS)
        for k in range(2, 6):
            radius += rng.normal(0.0, 0.32 / k) * np.cos(k * angle + rng.uniform(0, 2 * math.pi))
        radius = np.maximum(radius, 0.25)
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    elif kind < 0.85:  # between a diamond, an ellipse and a rectangle
        power = 2.0 / rng.choice([1.6, 2.0, 3.0, 5.0, 12.0])
        points = np.stack(
            [np.sign(f(angle)) * np.abs(f(angle)) ** power for f in (np.cos, np.sin)], axis=1
        )
    else:  # a polygon
        corners = np.sort(rng.uniform(0.0, 2.0 * math.pi, int(rng.integers(3, 7))))
        ring = np.stack([np.cos(corners), np.sin(corners)], axis=1)
        steps = np.linspace(0.0, 1.0, 8, endpoint=False)[:, None]
        points = np.concatenate(
            [a + steps * (b - a) for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True)]
        )
    low = points.min(axis=0)
    span = np.maximum(points.max(axis=0) - low, 1e-3)
    return ((points - low) / span * (width_px, height_px)).astype(np.float32)


def draw_twin(rng: Rng, sprite: Sprite, materials: Materials, colours_show: bool) -> Sprite:
    """An object that resembles another but is not it: other colours, texture or shape.

    Args:
        rng: decides how they differ.
        sprite: the one to resemble.
        materials: where other textures come from.
        colours_show: False where the camera sees grey only, so that colours tell nothing apart.
    """
    height, width = sprite.rgba.shape[:2]
    rgb, alpha = sprite.rgba[..., :3], sprite.rgba[..., 3]
    kind = rng.random() if colours_show else rng.uniform(0.55, 1.0)
    if kind < 0.55:
        rgb = recolour(rng, rgb)
    elif kind < 0.8:
        patch = _draw_patch(rng, _draw_photo(rng, materials))
        rgb = np.asarray(cv2.resize(patch, (width, height)))
    else:  # the same texture in another shape
        shape = draw_shape(rng, width - 2 * _SHAPE_MARGIN_PX, height - 2 * _SHAPE_MARGIN_PX)
        alpha = _fill(shape + np.float32(_SHAPE_MARGIN_PX), width, height)
        rgb = recolour(rng, rgb)
    outline = sprite.outline_xy if kind < 0.8 else outline_of(alpha)
    return Sprite(np.dstack([rgb, alpha]), outline)


def recolour(rng: Rng, rgb: Uint8Image) -> Uint8Image:
    """Clearly other colours or brightness, the same texture."""
    order = rng.permutation(3)
    gain = np.exp(rng.normal(0.0, 0.35, 3))
    gamma = math.exp(rng.choice([-1.0, 1.0]) * rng.uniform(0.25, 0.8))
    table = tone_table((float(gain[0]), float(gain[1]), float(gain[2])), gamma, 0.0)
    if rng.random() < 0.2:
        table = table[::-1]
    return np.asarray(cv2.LUT(np.ascontiguousarray(rgb[..., order]), table), dtype=np.uint8)


def _draw_photo(rng: Rng, materials: Materials) -> Photo:
    return materials.photos[int(rng.integers(len(materials.photos)))]


def _draw_patch(rng: Rng, photo: Photo) -> Uint8Image:
    """A piece of a photo with some texture, 48 to 140 px a side."""
    height, width = photo.rgb.shape[:2]
    best, best_contrast = photo.rgb, -1.0
    for _ in range(3):
        size = math.exp(rng.uniform(math.log(48), math.log(140)))
        aspect = math.exp(np.clip(rng.normal(0.0, 0.4), -1.0, 1.0))
        w = min(width, max(16, round(size * aspect)))
        h = min(height, max(16, round(size / aspect)))
        x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        patch = photo.rgb[y : y + h, x : x + w]
        contrast = float(patch[::4, ::4].std())
        if contrast > best_contrast:
            best, best_contrast = patch, contrast
        if contrast > 28.0:
            break
    return best


def _fill(shape: Points, width: int, height: int) -> Uint8Image:
    mask = np.zeros((height, width), dtype=np.uint8)
    # Indices in sixteenths of a pixel; pixel centres lie at + 0.5.
    indices = np.round((shape - 0.5) * 16.0).astype(np.int32)
    cv2.fillPoly(mask, [indices], 255, cv2.LINE_AA, 4)
    return mask


def _blend(below: Uint8Image, above: Uint8Image, weight: Uint8Image) -> Uint8Image:
    alpha = weight.astype(np.float32) / np.float32(255.0)
    return np.asarray(cv2.blendLinear(np.ascontiguousarray(below), above, 1.0 - alpha, alpha))
