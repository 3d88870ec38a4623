"""Old images made small: half the size or less, with a quarter of the colour.

A track that starts on such an image is given it at its own size again, so that boxes keep the
pixels of the camera's images.
"""

import contextlib
import ctypes
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litetrack_ros.errors import ImageError
from litetrack_ros.images import ColorOrder, Image
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.frames import FrameSlot
from litetrack_ros.opencv import cv2

_WAIT_S = 0.1  # how late the end of the thread may be noticed
_TRIM_PERIOD_S = 1.0
_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None

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

    def restore(self, buffer: Image | None = None) -> ConvertedImage:
        """The image at its own size, with what is left of its detail.

        Args:
            buffer: an earlier result that nobody needs any more, to be written over where it fits.
        """
        small = self.data if self.is_grey else cv2.cvtColor(self.data, _CODES[self.color_order][1])
        shape = (self.size[1], self.size[0], *small.shape[2:])
        fits = buffer is not None and buffer.shape == shape
        image = cv2.resize(
            small, self.size, dst=buffer if fits else None, interpolation=cv2.INTER_LINEAR
        )
        return ConvertedImage(image, self.color_order)


class RingKeeper:
    """Makes old frames small in a thread of its own, which a slow model does not keep waiting.

    Args:
        slot: holds the frames.
        convert: makes an array of a message; raises ImageError.
    """

    def __init__(self, slot: FrameSlot, convert: Callable[[Any], ConvertedImage]) -> None:
        self._slot = slot
        self._convert = convert
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ring", daemon=True)

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def reduce_next(self, wait_s: float) -> bool:
        """Make one frame small; False if there was none to be reduced within the time."""
        found = self._slot.wait_to_reduce(wait_s)
        if found is None:
            return False
        frame, max_bytes = found
        small = make_small(frame.message, frame.size_bytes, self._convert, max_bytes)
        self._slot.replace(frame, *small)
        return True

    def _run(self) -> None:
        due_s = time.monotonic() + _TRIM_PERIOD_S
        while not self._stopping.is_set():
            if self.reduce_next(_WAIT_S) and time.monotonic() >= due_s:
                give_back_memory()
                due_s = time.monotonic() + _TRIM_PERIOD_S


def give_back_memory() -> None:
    """Give the heap's free pages to the system, where the C library can (glibc).

    By itself it gives back those at the heap's end only: when images have piled up for a moment,
    the process would stay as large as it was then.
    """
    if _TRIM is not None:
        _TRIM(0)


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
        # What is wrong with an image was reported when it was processed.
        with contextlib.suppress(ImageError, MemoryError, cv2.error):
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
