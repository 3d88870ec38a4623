"""How far the camera's motion has shifted the picture since a target was last seen.

The paper searches around the last box. On a moving camera a small target leaves that region though
it hardly moves by itself: at a drone's ten frames a second the picture moves by up to twice its
width. The boxes therefore move with the picture before their surroundings are searched.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image
from litetrack_ros.opencv import cv2

_SIDE = 160  # the reduced picture's longer one: finer ones find the same motion
# Of the correlation's peak, 1 for a picture that only moved: pans give 0.3 to 1, noise below 0.15.
_LEAST_RESPONSE = 0.2
_GREEN = 1  # the channel nearest to brightness, whatever the order of the others


class ReducedPicture(NamedTuple):
    """A small grey copy of an image, to find its shift against another.

    Attributes:
        pixels: ``(H, W)`` float32, the longer side 160.
        scale: its size over the image's.
    """

    pixels: npt.NDArray[np.float32]
    scale: float


def reduce_picture(image: Image) -> ReducedPicture:
    """Reduce an image ``(H, W)`` or ``(H, W, C)``, uint8 or uint16, in a fifth of a millisecond."""
    height, width = image.shape[:2]
    longer = max(height, width)
    step = max(1, longer // (2 * _SIDE))  # averaging all pixels of a large image would cost more
    grey = image[::step, ::step] if image.ndim == 2 else image[::step, ::step, _GREEN]
    scale = _SIDE / longer
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    pixels = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return ReducedPicture(pixels.astype(np.float32), scale)


def camera_shift(before: ReducedPicture, now: ReducedPicture) -> FloatArray:
    """How far the picture as a whole has moved, by phase correlation.

    Returns:
        x and y in pixels of the later image, ``(2,)``; zeros where no common motion shows, as
        between two scenes or in front of a moving crowd, and between pictures of another aspect.
    """
    if before.pixels.shape != now.pixels.shape:
        return np.zeros(2)
    window = _window(*before.pixels.shape)
    shift, response = cv2.phaseCorrelate(before.pixels, now.pixels, window)
    if not response >= _LEAST_RESPONSE:
        return np.zeros(2)
    return np.asarray(shift) / now.scale


@lru_cache(maxsize=8)
def _window(height: int, width: int) -> npt.NDArray[np.float32]:
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    return np.asarray(window, dtype=np.float32)
