"""What an object looks like, so that a candidate can be told from the target's look-alikes.

The network finds what could be the target; trained to follow it through every change, it also finds
others of its kind. A look holds the template's tokens on the object, as the backend keeps them, and
a histogram of its colours. How much two looks are alike decides whether what was found is the same.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend, TemplateFeatures
from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import ColorOrder, Image, Uint8Image, to_rgb8
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.decode import template_box_xyxy_norm

Float32Array = npt.NDArray[np.float32]

_TOKENS_SHARE = 0.82  # of the likeness; fitted on pairs of same and of other objects
_INNER = 0.1  # of the box's sides, left out at its border
_BINS = (4, 28, 28)  # of Y, Cr and Cb
_RANGES = (0, 256, 16, 240, 16, 240)
_SOFT = 0.7  # bins: deviation of the blur along Cr and Cb
# The bin of each value of Y, Cr and Cb, as cv2.calcHist counts them.
_BIN_OF = [
    ((np.arange(256, dtype=np.int32) - low) * count // (high - low)).clip(0, count - 1)
    for count, low, high in zip(_BINS, _RANGES[::2], _RANGES[1::2], strict=True)
]


class Look(NamedTuple):
    """What an object looks like.

    Attributes:
        tokens: of the template on the object, each of length 1, ``(K, D)``.
        colours: roots of the shares of colours, ``(B,)``.
    """

    tokens: Float32Array
    colours: Float32Array


class Glimpse(NamedTuple):
    """A template crop and the box in it, before anything is made of them.

    Attributes:
        crop_rgb: ``(S, S, 3)``.
        box_xyxy_norm: in units of the crop's side, ``(4,)``.
    """

    crop_rgb: Uint8Image
    box_xyxy_norm: Float32Array


def glimpse(
    backend: Backend, image: Image, box_xywh: FloatArray, color_order: ColorOrder
) -> Glimpse:
    """Cut out what a box shows, as a template is."""
    model = backend.model_config
    region = CropRegion.around(box_xywh, model.template_factor, model.template_size)
    crop = to_rgb8(extract_crop(image, region), color_order)
    return Glimpse(crop, template_box_xyxy_norm(box_xywh, region, model.decode))


def look_at(backend: Backend, seen: Glimpse, template: TemplateFeatures | None = None) -> Look:
    """The look of what a crop shows; the network encodes it unless its template is at hand."""
    if template is None:
        template = backend.encode_template(seen.crop_rgb[None], seen.box_xyxy_norm[None])
    grid = backend.model_config.template_grid
    tokens = backend.token_keys(template)[0, : grid * grid]  # behind them may be a recent one's
    inside = _inside(seen.box_xyxy_norm, grid).ravel()
    chosen = tokens[inside] if inside.any() else tokens
    lengths = np.linalg.norm(chosen, axis=1, keepdims=True)
    return Look(chosen / np.maximum(lengths, 1e-6), colours_of(seen))


def likeness(first: Look, other: Look) -> float:
    """How much two looks are alike, at most 1.

    Every token is compared with the most similar one of the other look, so that a part that moved
    or turned still counts; colours by the overlap of their shares.
    """
    cosines = first.tokens @ other.tokens.T
    matched = 0.5 * float(cosines.max(axis=0).mean() + cosines.max(axis=1).mean())
    colours = float(first.colours @ other.colours)
    return _TOKENS_SHARE * matched + (1.0 - _TOKENS_SHARE) * colours


def colours_of(seen: Glimpse) -> Float32Array:
    """Roots of the shares of colours inside the box, ``(B,)``."""
    size = len(seen.crop_rgb)
    corners = seen.box_xyxy_norm.reshape(2, 2)
    inner = _INNER * (corners[1] - corners[0])
    low = np.rint(size * (corners[0] + inner)).astype(int).clip(0, size - 2)
    high = np.maximum(np.rint(size * (corners[1] - inner)).astype(int), low + 2)
    shares = colour_shares(seen.crop_rgb[low[1] : high[1], low[0] : high[0]])
    return np.asarray(np.sqrt(shares), dtype=np.float32).ravel()


def shares_of(look: Look) -> Float32Array:
    """The shares of colours that a look holds, ``(Y, Cr, Cb)``."""
    return np.asarray((look.colours**2).reshape(_BINS), dtype=np.float32)


def colour_shares(picture_rgb: Uint8Image) -> Float32Array:
    """The share of each colour in a picture, neighbouring ones blended, ``(Y, Cr, Cb)``."""
    ycc = cv2.cvtColor(np.ascontiguousarray(picture_rgb), cv2.COLOR_RGB2YCrCb)
    counts = cv2.calcHist([ycc], [0, 1, 2], None, list(_BINS), list(_RANGES))
    planes = cv2.GaussianBlur(counts.transpose(1, 2, 0), (3, 3), _SOFT)
    shares = planes.transpose(2, 0, 1) / max(float(planes.sum()), 1e-6)
    return np.ascontiguousarray(shares, dtype=np.float32)


def weighted(picture_rgb: Uint8Image, weights: Float32Array) -> Float32Array:
    """Each pixel's weight, by its colour.

    Args:
        picture_rgb: ``(H, W, 3)``.
        weights: of the colours, ``(Y, Cr, Cb)``.

    Returns:
        ``(H, W)``.
    """
    ycc = cv2.cvtColor(np.ascontiguousarray(picture_rgb), cv2.COLOR_RGB2YCrCb)
    light, red, yellow = (table[ycc[..., k]] for k, table in enumerate(_BIN_OF))
    bins = (light * _BINS[1] + red) * _BINS[2] + yellow
    return np.asarray(np.take(weights.ravel(), bins), dtype=np.float32)


def _inside(box_xyxy_norm: Float32Array, grid: int) -> npt.NDArray[np.bool_]:
    """Which tokens' middles lie in the box, ``(grid, grid)``."""
    middle = (np.arange(grid) + 0.5) / grid
    x1, y1, x2, y2 = box_xyxy_norm
    across, down = (middle >= x1) & (middle <= x2), (middle >= y1) & (middle <= y2)
    return np.asarray(down[:, None] & across[None, :])
