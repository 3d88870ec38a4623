"""What counts as an image, and how any sound one becomes what the model sees.

An image is an array of shape ``(H, W)`` grey, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.
Conversion is done on the crop where it can be: a crop holds fewer pixels than a camera image. For
the same reason image files can be decoded at a reduced scale, and be measured without decoding.
"""

import re
import struct
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError, ImageError
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
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_WEBP = re.compile(rb"RIFF....WEBP(VP8[ LX])", re.DOTALL)
_WEBP_HEADER_BYTES = 30
_WEBP_SIDE_BITS = 14  # of a lossless or lossy picture
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


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
    if encoded[:8] == _PNG and len(encoded) >= 24:
        width, height = struct.unpack(">II", encoded[16:24])
        return width, height
    if encoded[:2] == _JPEG:
        found = _jpeg_size(encoded)
        if found is not None:
            return found
    kind = _WEBP.match(encoded)
    if kind is not None and len(encoded) >= _WEBP_HEADER_BYTES:
        return _webp_size(encoded, kind.group(1))
    image = decode_bgr(encoded)
    return image.shape[1], image.shape[0]


def _webp_size(encoded: bytes, kind: bytes) -> tuple[int, int]:
    """Of the canvas (``VP8X``), or of a single lossless (``VP8L``) or lossy picture."""
    if kind == b"VP8X":
        width, height = (int.from_bytes(encoded[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    if kind == b"VP8L":
        sides = int.from_bytes(encoded[21:25], "little")
        most = 1 << _WEBP_SIDE_BITS
        return sides % most + 1, (sides >> _WEBP_SIDE_BITS) % most + 1
    width, height = struct.unpack("<HH", encoded[26:30])
    return width % (1 << _WEBP_SIDE_BITS), height % (1 << _WEBP_SIDE_BITS)


def _jpeg_size(encoded: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 < len(encoded):
        if encoded[position] != 0xFF:
            return None
        marker = encoded[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _NO_LENGTH:
            position += 2
        elif marker in _FRAME_HEADERS:
            height, width = struct.unpack(">HH", encoded[position + 5 : position + 9])
            return width, height
        else:
            position += 2 + struct.unpack(">H", encoded[position + 2 : position + 4])[0]
    return None
