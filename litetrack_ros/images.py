"""What counts as an image, and how any sound one becomes what the model sees.

An image is an array of shape ``(H, W)`` grey, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.
Conversion is done on the crop where it can be: a crop holds fewer pixels than a camera image. For
the same reason image files can be decoded at a reduced scale, and be measured without decoding.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError, ImageError
from litetrack_ros.image_headers import read_header
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
_DECODING = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
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


def decode_bgr(encoded: bytes, reduction: int = 1) -> Uint8Image:
    """An image file as uint8 BGR ``(H / reduction, W / reduction, 3)``, rounded up.

    EXIF rotation is ignored, as annotations refer to the stored pixels.

    Args:
        encoded: the file; JPEGs are decoded at the smaller scale directly.
        reduction: 1, 2, 4 or 8.

    Raises:
        DatasetError: not an image.
    """
    flags = _DECODING[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise DatasetError(f"a frame of {len(encoded)} bytes is not an image: get it again")
    return np.asarray(image, dtype=np.uint8)


def reduction_for(shrink: float) -> int:
    """The largest reduction that leaves at least ``1 / shrink`` of an image's width and height."""
    return max(r for r in _DECODING if r == 1 or r <= shrink)


def image_size(encoded: bytes) -> tuple[int, int]:
    """Width and height in px, from the header of a JPEG, PNG or WebP; other formats are decoded.

    Raises:
        DatasetError: not an image.
    """
    header = read_header(encoded)
    if header is not None and header.format in ("jpeg", "png", "webp"):
        return header.width, header.height
    image = decode_bgr(encoded)
    return image.shape[1], image.shape[0]
