"""Between image pixels and the network's units, in both decode conventions; which answers count.

``official`` repeats the authors' arithmetic, half-pixel template centre and unrounded map back
included, for weights trained with it; ``exact`` uses the crop's true, rounded origin.
"""

import math

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Predictions, TemplateFeatures
from litetrack_ros.config import Decode
from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import FloatArray, cxcywh_to_xywh, xywh_to_cxcywh, xywh_to_xyxy


def template_box_xyxy_norm(
    box_xywh: FloatArray, region: CropRegion, decode: Decode
) -> npt.NDArray[np.float32]:
    """The target's box in its template crop, in units of the crop's side, not clamped, ``(4,)``."""
    if decode == "exact":
        cxcywh = region.image_to_crop_norm(xywh_to_cxcywh(box_xywh))
    else:
        center = (region.size_px - 1) / 2
        size = np.asarray(box_xywh[2:]) * region.resize_factor
        cxcywh = np.array([center, center, *size]) / region.size_px
    return np.asarray(xywh_to_xyxy(cxcywh_to_xywh(cxcywh)), dtype=np.float32)


def map_box_back(
    box_cxcywh_norm: npt.NDArray[np.float32], region: CropRegion, decode: Decode
) -> FloatArray:
    """A predicted box of a search crop as xywh in image pixels, ``(4,)``, not clipped."""
    if decode == "exact":
        return cxcywh_to_xywh(region.crop_to_image(box_cxcywh_norm))
    # float32 as in the authors' code, then float64 around the unrounded centre.
    scale = np.float32(region.resize_factor)
    cx, cy, w, h = (float(v) for v in box_cxcywh_norm * np.float32(region.size_px) / scale)
    half_side = 0.5 * region.size_px / region.resize_factor
    cx += region.center_xy_px[0] - half_side
    cy += region.center_xy_px[1] - half_side
    return np.array([cx - 0.5 * w, cy - 0.5 * h, w, h], dtype=np.float64)


def is_usable(
    predictions: Predictions, boxes_xywh: FloatArray, width_px: int, height_px: int
) -> npt.NDArray[np.bool_]:
    """Which of a network's answers a tracker may believe at all, ``(N,)``.

    Every number is finite, the box has a size, and its centre lies in the image. A network gives
    other answers where its arithmetic overflowed or its weights are damaged.

    Args:
        predictions: for N targets.
        boxes_xywh: their boxes in the image, px, ``(N, 4)``, not clipped.
        width_px, height_px: of the image.
    """
    parts = (*predictions, boxes_xywh)
    finite = [np.isfinite(part.reshape(len(boxes_xywh), -1)).all(axis=1) for part in parts]
    x, y, w, h = boxes_xywh.T
    with np.errstate(invalid="ignore"):
        center_x, center_y = x + w / 2, y + h / 2
        inside = (
            (center_x >= 0) & (center_x <= width_px) & (center_y >= 0) & (center_y <= height_px)
        )
        return np.asarray(np.all([*finite, w > 0, h > 0, inside], axis=0))


def is_finite_template(template: TemplateFeatures) -> bool:
    """Whether all that was encoded of a template is finite."""
    arrays = [array for array in template if array is not None and 0 not in array.shape]
    return all(math.isfinite(float(v)) for array in arrays for v in (array.min(), array.max()))
