"""Old images made small: half the size or less, with a quarter of the colour.

A track that starts on such an image is given it at its own size again, so that boxes keep the
pixels of the camera's images.
"""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litetrack_ros.errors import ImageError
from litetrack_ros.images import ColorOrder, Image
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.opencv import cv2

_CODES = {
    "bgr": (cv2.COLOR_BGR2YUV_I420, cv2.COLOR_YUV2BGR_I420),
    "rgb": (cv2.COLOR_RGB2YUV_I420, cv2.COLOR_YUV2RGB_I420),
}


@dataclass(frozen=True)
class ReducedImage:
    """Stands in for an image message.

    Attributes:
        header: of the message.
        size: width and height of the image, px.
        color_order: of the image.
        is_grey: ``data`` is a small image; else I420, planes of brightness and of colour.
        data: uint8.
    """

    header: Any
    size: tuple[int, int]
    color_order: ColorOrder
    is_grey: bool
    data: Image

    def restore(self) -> ConvertedImage:
        """The image at its own size, with what is left of its detail."""
        small = self.data if self.is_grey else cv2.cvtColor(self.data, _CODES[self.color_order][1])
        image = cv2.resize(small, self.size, interpolation=cv2.INTER_LINEAR)
        return ConvertedImage(image, self.color_order)


def make_small(
    message: Any,
    size_bytes: int,
    convert: Callable[[Any], ConvertedImage],
    max_bytes: float,
) -> tuple[Any, int]:
    """What to keep in the place of an image message, and its size in bytes.

    A compressed image would have to be decoded first, and is small enough: it stays, and so does
    what cannot be converted or would not get smaller.

    Args:
        message: a ``sensor_msgs`` image.
        size_bytes: of its data.
        convert: makes an array of it; raises ImageError.
        max_bytes: as for :func:`reduce_image`.
    """
    if hasattr(message, "encoding"):
        with contextlib.suppress(ImageError):  # was reported when the frame was processed
            reduced = reduce_image(convert(message), message.header, max_bytes)
            if reduced.data.nbytes < size_bytes:
                return reduced, reduced.data.nbytes
    return message, size_bytes


def reduce_image(image: ConvertedImage, header: Any, max_bytes: float) -> ReducedImage:
    """Make an image small.

    Args:
        image: uint8, grey, with colour or with alpha, which is lost.
        header: of its message.
        max_bytes: the size is divided by a whole number, so that the data has at most so many.
    """
    picture = image.image
    height, width = picture.shape[:2]
    is_grey = picture.ndim == 2
    full_bytes = width * height * (1.0 if is_grey else 1.5)
    factor = max(1, math.ceil(math.sqrt(full_bytes / max(max_bytes, 1.0)) - 1e-9))
    # Colour is kept in blocks of 2 x 2 pixels.
    small_size = (max(2, 2 * round(width / factor / 2)), max(2, 2 * round(height / factor / 2)))
    small = cv2.resize(picture, small_size, interpolation=cv2.INTER_AREA)
    if not is_grey:
        small = cv2.cvtColor(small[..., :3], _CODES[image.color_order][0])
    return ReducedImage(header, (width, height), image.color_order, is_grey, small)
