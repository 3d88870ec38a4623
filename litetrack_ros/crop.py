"""Template and search-region crops, with the arithmetic of the authors' ``sample_target``.

A crop is the square of side ``ceil(sqrt(w * h) * factor)`` image pixels around a box, resized to a
fixed number of crop pixels, zeros beyond the image. Tracking cuts with :func:`extract_crop`, and so
does training, except from a picture that was decoded at a fraction of its size.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from litetrack_ros.geometry import BoxLike, FloatArray
from litetrack_ros.images import ColorOrder, Image, Uint8Image, to_rgb8
from litetrack_ros.opencv import cv2


@dataclass(frozen=True)
class CropRegion:
    """Where a square crop lies in its image.

    Attributes:
        x0_px, y0_px: top-left corner in image pixels, rounded; may lie outside the image.
        side_px: side of the square in image pixels.
        size_px: side of the resized crop in crop pixels.
        center_xy_px: centre of the box the crop was taken around, before rounding.
    """

    x0_px: int
    y0_px: int
    side_px: int
    size_px: int
    center_xy_px: tuple[float, float]

    @property
    def resize_factor(self) -> float:
        """Crop pixels per image pixel."""
        return self.size_px / self.side_px

    @staticmethod
    def around(box_xywh: BoxLike, factor: float, size_px: int) -> "CropRegion":
        """The region of ``factor`` times the size of a box, centred on it.

        Args:
            box_xywh: image pixels, positive size.
            factor: side of the region over the square root of the box's area.
            size_px: side of the crop after resizing.
        """
        x, y, w, h = (float(v) for v in box_xywh)
        side = math.ceil(math.sqrt(w * h) * factor)
        # round() is half to even, as in the authors' code; the order of the sums matters too.
        x0 = round(x + 0.5 * w - side * 0.5)
        y0 = round(y + 0.5 * h - side * 0.5)
        return CropRegion(x0, y0, side, size_px, (x + 0.5 * w, y + 0.5 * h))

    def image_to_crop_norm(self, box_cxcywh: BoxLike) -> FloatArray:
        """A box in image pixels as cxcywh in units of the crop's side, from its rounded origin."""
        cx, cy, w, h = (float(v) for v in box_cxcywh)
        box = np.array([cx - self.x0_px, cy - self.y0_px, w, h], dtype=np.float64)
        return box / self.side_px

    def crop_to_image(self, box_cxcywh_norm: BoxLike) -> FloatArray:
        """A box in units of the crop's side as cxcywh in image pixels, from its rounded origin."""
        box = np.asarray(box_cxcywh_norm, dtype=np.float64) * self.side_px
        return box + np.array([self.x0_px, self.y0_px, 0.0, 0.0])


def extract_crop(image: Image, region: CropRegion) -> Image:
    """Cut a region out of an image, zeros outside, and resize it (bilinear, OpenCV).

    As in the authors' code, a region that touches the right or bottom border loses the last column
    or row to the padding.

    Args:
        image: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.

    Returns:
        ``(size_px, size_px[, channels])`` of the image's type and colour order.
    """
    height, width = image.shape[:2]
    side, x0, y0 = region.side_px, region.x0_px, region.y0_px
    left, top = max(0, -x0), max(0, -y0)
    right, bottom = max(x0 + side - width + 1, 0), max(y0 + side - height + 1, 0)
    inside = image[y0 + top : max(y0 + side - bottom, 0), x0 + left : max(x0 + side - right, 0)]
    padded = left or top or right or bottom
    square = _canvas.place(inside, side, left, top) if padded else inside
    return np.asarray(cv2.resize(square, (region.size_px, region.size_px)))


def extract_crops(
    image: Image, regions: Sequence[CropRegion], color_order: ColorOrder
) -> Uint8Image:
    """Regions of one crop size, as :func:`extract_crop`, in RGB, ``(N, S, S, 3)`` uint8."""
    crops = [to_rgb8(extract_crop(image, region), color_order) for region in regions]
    return crops[0][None] if len(crops) == 1 else np.stack(crops)


class _Canvas(threading.local):
    """A square of zeros, kept for each thread, in which the inside of a region is placed.

    A new array for every crop would cost more than the crop: a large region's zeros are fresh pages
    of memory each time. Here only what the last crop left behind is cleared.
    """

    def __init__(self) -> None:
        self._memory = np.zeros(0, dtype=np.uint8)
        self._used: Image | None = None

    def place(self, inside: Image, side_px: int, left_px: int, top_px: int) -> Image:
        """A ``(side_px, side_px[, channels])`` view, valid until the thread's next call."""
        shape = (side_px, side_px, *inside.shape[2:])
        size = math.prod(shape) * inside.dtype.itemsize
        if self._used is not None:
            self._used[...] = 0
        if self._memory.size < size:
            self._memory = np.zeros(size, dtype=np.uint8)
        square: Image = self._memory[:size].view(inside.dtype).reshape(shape)
        height, width = inside.shape[:2]
        self._used = square[top_px : top_px + height, left_px : left_px + width]
        self._used[...] = inside
        if size > _KEPT_BYTES:
            self._memory, self._used = np.zeros(0, dtype=np.uint8), None
        return square


_KEPT_BYTES = 128 << 20  # larger squares, of regions far beyond the image, are given back
_canvas = _Canvas()
