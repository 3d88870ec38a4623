"""Box formats, overlap and clipping.

The formats are named in full everywhere: ``xywh`` is top-left corner and size, ``xyxy`` two
corners, ``cxcywh`` centre and size. Functions take and return float64 arrays of shape ``(..., 4)``.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import BoxError

FloatArray = npt.NDArray[np.float64]
BoxLike = Sequence[float] | npt.NDArray[np.floating]


def xywh_to_xyxy(boxes_xywh: npt.ArrayLike) -> FloatArray:
    """Top-left corner and size to two corners, shape ``(..., 4)``."""
    boxes = np.asarray(boxes_xywh, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def xyxy_to_xywh(boxes_xyxy: npt.ArrayLike) -> FloatArray:
    """Two corners to top-left corner and size, shape ``(..., 4)``."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def xywh_to_cxcywh(boxes_xywh: npt.ArrayLike) -> FloatArray:
    """Top-left corner and size to centre and size, shape ``(..., 4)``."""
    boxes = np.asarray(boxes_xywh, dtype=np.float64)
    return np.concatenate([boxes[..., :2] + 0.5 * boxes[..., 2:], boxes[..., 2:]], axis=-1)


def cxcywh_to_xywh(boxes_cxcywh: npt.ArrayLike) -> FloatArray:
    """Centre and size to top-left corner and size, shape ``(..., 4)``."""
    boxes = np.asarray(boxes_cxcywh, dtype=np.float64)
    return np.concatenate([boxes[..., :2] - 0.5 * boxes[..., 2:], boxes[..., 2:]], axis=-1)


def overlap(boxes_a_xywh: npt.ArrayLike, boxes_b_xywh: npt.ArrayLike) -> FloatArray:
    """Intersection over union of boxes, pairwise along the leading axes.

    Args:
        boxes_a_xywh: shape ``(..., 4)``.
        boxes_b_xywh: shape ``(..., 4)``, broadcast against the first.

    Returns:
        Overlap in [0, 1], shape ``(...)``; 0 where the union is empty, NaN where a box has a NaN.
    """
    a, b = xywh_to_xyxy(boxes_a_xywh), xywh_to_xyxy(boxes_b_xywh)
    top_left = np.maximum(a[..., :2], b[..., :2])
    bottom_right = np.minimum(a[..., 2:], b[..., 2:])
    intersection = np.prod(np.maximum(bottom_right - top_left, 0.0), axis=-1)
    union = (
        np.prod(a[..., 2:] - a[..., :2], axis=-1)
        + np.prod(b[..., 2:] - b[..., :2], axis=-1)
        - intersection
    )
    # A union of zero divides to NaN here and is replaced; NaN input stays NaN.
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = intersection / union
    return np.asarray(np.where(union == 0.0, 0.0, ratio), dtype=np.float64)


def clip_box_xywh(
    box_xywh: BoxLike, image_width_px: int, image_height_px: int, margin_px: int
) -> FloatArray:
    """Keep a box at least ``margin_px`` inside the image and at least ``margin_px`` wide and high.

    The arithmetic is that of the authors' ``clip_box``: x1 in [0, W - margin], x2 in [margin, W],
    w = max(margin, x2 - x1), and the same along y.
    """
    x, y, w, h = (float(v) for v in box_xywh)
    x1 = min(max(0.0, x), image_width_px - margin_px)
    x2 = min(max(float(margin_px), x + w), image_width_px)
    y1 = min(max(0.0, y), image_height_px - margin_px)
    y2 = min(max(float(margin_px), y + h), image_height_px)
    return np.array([x1, y1, max(margin_px, x2 - x1), max(margin_px, y2 - y1)], dtype=np.float64)


def check_init_box(
    box_xywh: npt.ArrayLike, image_width_px: int, image_height_px: int
) -> FloatArray:
    """Return an init box as float64 ``(4,)``, or say why no track can start from it.

    A box may reach over the border of the image, but some of it must lie inside.

    Raises:
        BoxError: not four numbers, NaN or infinite, no positive size, outside the image, or more
            than twice as wide or high as it (a crop around it would fill the memory).
    """
    try:
        box = np.asarray(box_xywh, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise BoxError(f"the init box must be four numbers x y w h, not {box_xywh!r}") from error
    if box.shape != (4,):
        raise BoxError(f"the init box must be four numbers x y w h, got {box.size}")
    shown = "(" + ", ".join(f"{v:g}" for v in box) + ")"
    if not np.isfinite(box).all():
        raise BoxError(f"the init box {shown} holds a value that is not finite")
    x, y, w, h = box
    if w <= 0 or h <= 0 or w * h == 0:  # the area may be too small for a float
        raise BoxError(f"the init box {shown} has no positive width and height (format: x y w h)")
    if x >= image_width_px or y >= image_height_px or x + w <= 0 or y + h <= 0:
        raise BoxError(
            f"the init box {shown} lies outside the {image_width_px}x{image_height_px} image"
        )
    if w > 2 * image_width_px or h > 2 * image_height_px:
        raise BoxError(
            f"the init box {shown} is more than twice as large as the "
            f"{image_width_px}x{image_height_px} image"
        )
    return box
