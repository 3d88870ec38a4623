"""Objects for synthetic scenes: cut-outs, and pieces of photos in random shapes."""

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from litetrack_ros.errors import ConfigError
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.degradation import tone_table
from litetrack_ros.pairs.materials import Materials, Photo, Points, Sprite, outline_of
from litetrack_ros.pairs.poses import draw_limited, draw_log
from litetrack_ros.settings import (
    LimitedNumbers,
    Limits,
    PositiveSpan,
    Share,
    Span,
    Spread,
)

Rng = np.random.Generator

_SHAPE_POINTS = 48
_SHAPE_MARGIN_PX = 3
_EDGE_POINTS = 8  # of a polygon
_HARMONICS = range(2, 6)  # of a blob's radius, whose mean is 1
_LEAST_RADIUS = 0.25
_LEAST_SPAN = 1e-3
_POLYGON_BITS = 4  # a polygon's corners are given in sixteenths of a pixel

_FADE_CELL_PX = 4
_LEAST_CELLS = 8  # along a side
_COVERED_LEVEL = 64  # of a cell's mask, above which it counts as covered
_LEAST_FADE_CELLS = 0.3
_MASK_EDGE_PX = 2.0  # softness of the object's own edge

_PATCH_TRIES = 3
_LEAST_PATCH_PX = 16
_CONTRAST_STEP_PX = 4


@dataclass(frozen=True)
class TwinRecipe(LimitedNumbers):
    """How an object differs from the one that it resembles.

    Attributes:
        recoloured: share with other colours only.
        retextured: share with another texture only; the rest have other colours and another shape.
        tint: spread of the log of each channel's gain.
        gamma: range of the log of gamma, up or down.
        inverted: share of other colours that are inverted too.
    """

    recoloured: Share = 0.55
    retextured: Share = 0.25
    tint: Spread = 0.35
    gamma: Span = (0.25, 0.8)
    inverted: Share = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.recoloured + self.retextured > 1.0:
            raise ConfigError("the shares recoloured and retextured must not exceed 1 together")


@dataclass(frozen=True)
class SpriteRecipe(LimitedNumbers):
    """What objects look like.

    Attributes:
        cutouts: share of objects that are cut-outs; the rest are pieces of photos.
        patch_px: side of such a piece, root of its area.
        patch_aspect, patch_aspect_limit: spread of the log of its aspect ratio, and the most of it.
        patch_contrast: grey levels of deviation; of three pieces the first with as much is taken.
        second_part: share of pieces with a part of another photo inside ...
        second_place: ... whose middle lies in this part of the piece's width and height ...
        second_size: ... and which covers this part of each.
        blobs: share of the pieces' shapes that are smooth blobs ...
        blob_waves: ... spread of their k-th harmonic, times k.
        ellipses: share that lies between a diamond, an ellipse and a rectangle ...
        ellipse_powers: ... of these exponents. The rest are polygons ...
        polygon_corners: ... with as many corners.
        surroundings: how far the surroundings of an object reach that keeps them, in its sizes.
        twin: how objects differ that resemble each other.
    """

    cutouts: Share = 0.5
    patch_px: PositiveSpan = (48.0, 140.0)
    patch_aspect: Spread = 0.4
    patch_aspect_limit: Spread = 1.0
    patch_contrast: Spread = 28.0
    second_part: Share = 0.35
    second_place: Share = 0.4
    second_size: PositiveSpan = (0.3, 0.7)
    blobs: Share = 0.5
    blob_waves: Spread = 0.32
    ellipses: Share = 0.35
    ellipse_powers: Annotated[tuple[float, ...], Limits(1e-6)] = (1.6, 2.0, 3.0, 5.0, 12.0)
    polygon_corners: Annotated[tuple[int, int], Limits(3)] = (3, 6)
    surroundings: Span = (0.075, 0.3)
    twin: TwinRecipe = field(default_factory=TwinRecipe)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blobs + self.ellipses > 1.0:
            raise ConfigError("the shares of blobs and ellipses must not exceed 1 together")


def draw_sprite(rng: Rng, recipe: SpriteRecipe, materials: Materials) -> Sprite:
    """Any object: a cut-out or a piece of a photo."""
    if materials.cutouts and rng.random() < recipe.cutouts:
        return materials.cutouts[int(rng.integers(len(materials.cutouts)))].sprite
    return draw_photo_sprite(rng, recipe, materials)


def draw_photo_sprite(rng: Rng, recipe: SpriteRecipe, materials: Materials) -> Sprite:
    """A piece of a photo under a random smooth shape; one in three has a second part inside."""
    patch = _draw_patch(rng, recipe, _draw_photo(rng, materials))
    height, width = patch.shape[:2]
    if rng.random() < recipe.second_part:
        other = _draw_patch(rng, recipe, _draw_photo(rng, materials))
        other = np.asarray(cv2.resize(other, (width, height)))
        first = 0.5 * (1.0 - recipe.second_place)
        inner = (first + recipe.second_place * rng.random(2)) * (width, height)
        sides = width * rng.uniform(*recipe.second_size), height * rng.uniform(*recipe.second_size)
        part = draw_shape(rng, recipe, *sides)
        weight = _fill(part + (inner - 0.5 * part.max(axis=0)).astype(np.float32), width, height)
        patch = _blend(patch, other, weight)
    shape = draw_shape(rng, recipe, width - 2 * _SHAPE_MARGIN_PX, height - 2 * _SHAPE_MARGIN_PX)
    shape += np.float32(_SHAPE_MARGIN_PX)
    return Sprite(np.dstack([patch, _fill(shape, width, height)]), shape)


def with_surroundings(rng: Rng, recipe: SpriteRecipe, rgb: Uint8Image, mask: Uint8Image) -> Sprite:
    """An object with what lies around it, which fades out at some distance.

    Args:
        rng: decides on the distance.
        recipe: its range.
        rgb: ``(H, W, 3)`` uint8, the whole picture.
        mask: ``(H, W)`` uint8 0 or 255, the object in it.
    """
    height, width = mask.shape
    # Worked out coarsely: only a slow fade is wanted.
    size = (max(_LEAST_CELLS, width // _FADE_CELL_PX), max(_LEAST_CELLS, height // _FADE_CELL_PX))
    coarse = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    size_cells = math.sqrt(float((coarse > _COVERED_LEVEL).sum()))
    reach = max(1, round(rng.uniform(*recipe.surroundings) * size_cells))
    near = cv2.dilate(coarse, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    near[0], near[-1], near[:, 0], near[:, -1] = 0, 0, 0, 0
    softness = 0.5 * reach + _LEAST_FADE_CELLS
    fade = cv2.GaussianBlur(near, (0, 0), softness, borderType=cv2.BORDER_CONSTANT)
    alpha = np.asarray(cv2.resize(fade, (width, height), interpolation=cv2.INTER_LINEAR))
    alpha = np.maximum(alpha, cv2.GaussianBlur(mask, (0, 0), _MASK_EDGE_PX)).astype(np.uint8)
    return Sprite(np.dstack([rgb, alpha]), outline_of(mask), has_surroundings=True)


def draw_shape(rng: Rng, recipe: SpriteRecipe, width_px: float, height_px: float) -> Points:
    """Points around a random shape that fills a box, ``(K, 2)`` float32."""
    angle = np.linspace(0.0, 2.0 * math.pi, _SHAPE_POINTS, endpoint=False)
    kind = rng.random()
    if kind < recipe.blobs:
        radius = np.ones(_SHAPE_POINTS)
        for k in _HARMONICS:
            amplitude = rng.normal(0.0, recipe.blob_waves / k)
            radius += amplitude * np.cos(k * angle + rng.uniform(0, 2 * math.pi))
        radius = np.maximum(radius, _LEAST_RADIUS)
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    elif kind < recipe.blobs + recipe.ellipses:
        power = 2.0 / rng.choice(recipe.ellipse_powers)
        points = np.stack(
            [np.sign(f(angle)) * np.abs(f(angle)) ** power for f in (np.cos, np.sin)], axis=1
        )
    else:
        fewest, most = recipe.polygon_corners
        count = int(rng.integers(fewest, most + 1))
        corners = np.sort(rng.uniform(0.0, 2.0 * math.pi, count))
        ring = np.stack([np.cos(corners), np.sin(corners)], axis=1)
        steps = np.linspace(0.0, 1.0, _EDGE_POINTS, endpoint=False)[:, None]
        points = np.concatenate(
            [a + steps * (b - a) for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True)]
        )
    low = points.min(axis=0)
    span = np.maximum(points.max(axis=0) - low, _LEAST_SPAN)
    return ((points - low) / span * (width_px, height_px)).astype(np.float32)


def draw_twin(
    rng: Rng, recipe: SpriteRecipe, sprite: Sprite, materials: Materials, colours_show: bool
) -> Sprite:
    """An object that resembles another but is not it: other colours, texture or shape.

    Args:
        rng: decides how they differ.
        recipe: how much.
        sprite: the one to resemble.
        materials: where other textures come from.
        colours_show: False where the camera sees grey only, so that colours tell nothing apart.
    """
    height, width = sprite.rgba.shape[:2]
    rgb, alpha = sprite.rgba[..., :3], sprite.rgba[..., 3]
    same_shape = recipe.twin.recoloured + recipe.twin.retextured
    kind = rng.random() if colours_show else rng.uniform(recipe.twin.recoloured, 1.0)
    if kind < recipe.twin.recoloured:
        rgb = recolour(rng, recipe.twin, rgb)
    elif kind < same_shape:
        patch = _draw_patch(rng, recipe, _draw_photo(rng, materials))
        rgb = np.asarray(cv2.resize(patch, (width, height)))
    else:  # the same texture in another shape
        sides = width - 2 * _SHAPE_MARGIN_PX, height - 2 * _SHAPE_MARGIN_PX
        shape = draw_shape(rng, recipe, *sides)
        alpha = _fill(shape + np.float32(_SHAPE_MARGIN_PX), width, height)
        rgb = recolour(rng, recipe.twin, rgb)
    outline = sprite.outline_xy if kind < same_shape else outline_of(alpha)
    return Sprite(np.dstack([rgb, alpha]), outline)


def recolour(rng: Rng, recipe: TwinRecipe, rgb: Uint8Image) -> Uint8Image:
    """Clearly other colours or brightness, the same texture."""
    order = rng.permutation(3)
    gain = np.exp(rng.normal(0.0, recipe.tint, 3))
    gamma = math.exp(rng.choice([-1.0, 1.0]) * rng.uniform(*recipe.gamma))
    table = tone_table((float(gain[0]), float(gain[1]), float(gain[2])), gamma, 0.0)
    if rng.random() < recipe.inverted:
        table = table[::-1]
    return np.asarray(cv2.LUT(np.ascontiguousarray(rgb[..., order]), table), dtype=np.uint8)


def _draw_photo(rng: Rng, materials: Materials) -> Photo:
    return materials.photos[int(rng.integers(len(materials.photos)))]


def _draw_patch(rng: Rng, recipe: SpriteRecipe, photo: Photo) -> Uint8Image:
    """A piece of a photo, with some texture where that is found soon."""
    height, width = photo.rgb.shape[:2]
    best, best_contrast = photo.rgb, -1.0
    for _ in range(_PATCH_TRIES):
        size = draw_log(rng, recipe.patch_px)
        aspect = math.exp(draw_limited(rng, recipe.patch_aspect, recipe.patch_aspect_limit))
        w = min(width, max(_LEAST_PATCH_PX, round(size * aspect)))
        h = min(height, max(_LEAST_PATCH_PX, round(size / aspect)))
        x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        patch = photo.rgb[y : y + h, x : x + w]
        contrast = float(patch[::_CONTRAST_STEP_PX, ::_CONTRAST_STEP_PX].std())
        if contrast > best_contrast:
            best, best_contrast = patch, contrast
        if contrast > recipe.patch_contrast:
            break
    return best


def _fill(shape: Points, width: int, height: int) -> Uint8Image:
    mask = np.zeros((height, width), dtype=np.uint8)
    # Pixel centres lie at + 0.5.
    indices = np.round((shape - 0.5) * 2**_POLYGON_BITS).astype(np.int32)
    cv2.fillPoly(mask, [indices], 255, cv2.LINE_AA, _POLYGON_BITS)
    return mask


def _blend(below: Uint8Image, above: Uint8Image, weight: Uint8Image) -> Uint8Image:
    alpha = weight.astype(np.float32) / np.float32(255.0)
    return np.asarray(cv2.blendLinear(np.ascontiguousarray(below), above, 1.0 - alpha, alpha))
