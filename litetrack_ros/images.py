"""What counts as an image, and how any sound one becomes what the model sees.

An image is an array of shape ``(H, W)`` grey, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.
Conversion is done on the crop where it can be: a crop holds fewer pixels than a camera image.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import ImageError
from litetrack_ros.opencv import cv2

ColorOrder = Literal["bgr", "rgb"]
Image = npt.NDArray[Any]
Uint8Image = npt.NDArray[np.uint8]

_TO_RGB = {
    (1, "bgr"): cv2.COLOR_GRAY2RGB,
    (1, "rgb"): cv2.COLOR_GRAY2RGB,
    (3, "bgr"): cv2.COLOR_BGR2RGB,
    (4, "bgr"): cv2.COLOR_BGRA2RGB,
    (4, "rgb"): cv2.COLOR_RGBA2RGB,
}
_TO_BGR = {
    (1, "bgr"): cv2.COLOR_GRAY2BGR,
    (1, "rgb"): cv2.COLOR_GRAY2BGR,
    (3, "rgb"): cv2.COLOR_RGB2BGR,
    (4, "bgr"): cv2.COLOR_BGRA2BGR,
    (4, "rgb"): cv2.COLOR_RGBA2BGR,
}


def check_image(image: Image) -> Image:
    """Return the array as an image without a copy; ``(H, W, 1)`` loses its last axis.

    Raises:
        ImageError: not an array of a supported shape and type, or without pixels.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image must be a NumPy array, not {type(image).__name__}")
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"an image must be uint8 or uint16, not {image.dtype}: convert it first")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ImageError(f"an image has shape (H, W), (H, W, 3) or (H, W, 4), not {image.shape}")
    if image.size == 0:
        raise ImageError(f"the image has no pixels (shape {image.shape})")
    return image


def to_rgb8(image: Image, color_order: ColorOrder = "bgr") -> Uint8Image:
    """A checked image as ``(H, W, 3)`` uint8 RGB; 16-bit values keep their high byte."""
    return _convert(image, color_order, _TO_RGB)


def to_bgr8(image: Image, color_order: ColorOrder = "bgr") -> Uint8Image:
    """A checked image as ``(H, W, 3)`` uint8 BGR; 16-bit values keep their high byte."""
    return _convert(image, color_order, _TO_BGR)


def _convert(
    image: Image, color_order: ColorOrder, codes: dict[tuple[int, str], int]
) -> Uint8Image:
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    channels = 1 if image.ndim == 2 else image.shape[2]
    code = codes.get((channels, color_order))
    return image if code is None else np.asarray(cv2.cvtColor(image, code), dtype=np.uint8)
