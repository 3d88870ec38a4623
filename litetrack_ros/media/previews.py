"""Small JPEGs of images for people to look at, which know how large their image was.

Boxes are in pixels of the image, so that whoever draws them on a smaller picture has to know its
size. It stands in the file's comment, which decoders pass over.
"""

import re

import numpy as np

from litetrack_ros.errors import ImageError
from litetrack_ros.images import ColorOrder, Image, Uint8Image, to_bgr8
from litetrack_ros.opencv import cv2

_SIZE = re.compile(rb"of (\d+)x(\d+)")


def encode_preview(image: Image, color_order: ColorOrder, size_px: int, quality: int) -> bytes:
    """An image as JPEG, reduced, with the image's own size as a comment.

    Args:
        image: as :func:`litetrack_ros.images.check_image` takes.
        color_order: of the image.
        size_px: longest side of the picture; a smaller image stays as it is.
        quality: of JPEG, 1 to 100.

    Raises:
        ImageError: this OpenCV cannot encode it.
    """
    height, width = image.shape[:2]
    picture: Uint8Image = np.ascontiguousarray(to_bgr8(_fitted(image, size_px), color_order))
    jpeg = _encode(picture, quality)
    comment = f"of {width}x{height}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def image_size(jpeg: bytes) -> tuple[int, int] | None:
    """Width and height of the image that a preview was made of; None where it is no JPEG.

    Without the comment the image is as large as the picture.
    """
    if jpeg[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(jpeg) and jpeg[place] == 0xFF:
        marker, length = jpeg[place + 1], int.from_bytes(jpeg[place + 2 : place + 4], "big")
        content = jpeg[place + 4 : place + 2 + length]
        if marker == 0xFE and (found := _SIZE.fullmatch(content)):
            return int(found[1]), int(found[2])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(content[3:5], "big"), int.from_bytes(content[1:3], "big")
        place += 2 + length
    return None


def shrink(jpeg: bytes, size_px: int, quality: int) -> bytes:
    """A JPEG with no side longer than a size; one that is small already stays as it is."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None or max(image.shape[:2]) <= size_px:
        return jpeg
    return _encode(np.asarray(_fitted(image, size_px), dtype=np.uint8), quality)


def _fitted(image: Image, size_px: int) -> Image:
    height, width = image.shape[:2]
    scale = size_px / max(width, height)
    if scale >= 1.0:
        return image
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _encode(picture: Uint8Image, quality: int) -> bytes:
    made, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not made:
        raise ImageError("this OpenCV cannot encode JPEG")
    return bytes(jpeg)
