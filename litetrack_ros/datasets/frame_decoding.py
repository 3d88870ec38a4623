"""Decoding of single frames, at a reduced scale where that is enough."""

from __future__ import annotations

import struct

import numpy as np

from litetrack_ros.crop import CropRegion
from litetrack_ros.errors import DatasetError
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2

_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def decode_bgr(encoded: bytes, reduction: int = 1) -> Uint8Image:
    """A frame as uint8 BGR ``(H / reduction, W / reduction, 3)``, rounded up.

    EXIF rotation is ignored, as annotations refer to the stored pixels.

    Args:
        encoded: the file; JPEGs are decoded at the smaller scale directly.
        reduction: 1, 2, 4 or 8.

    Raises:
        DatasetError: not an image.
    """
    flags = _FLAGS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise DatasetError(f"a frame of {len(encoded)} bytes is not an image: get it again")
    return np.asarray(image, dtype=np.uint8)


def reduction_for(region: CropRegion) -> int:
    """The largest reduction that leaves at least as many pixels as the crop has."""
    shrink = region.side_px / region.size_px
    return max(r for r in _FLAGS if r == 1 or r <= shrink)


def image_size(encoded: bytes) -> tuple[int, int]:
    """Width and height in px, from the header of a JPEG or PNG; other formats are decoded.

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
    image = decode_bgr(encoded)
    return image.shape[1], image.shape[0]


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
