"""ROS image messages as arrays: views of the message's own bytes where the layout allows.

Works on anything with the fields of ``sensor_msgs/Image`` or ``CompressedImage``, so that nothing
here imports ROS. The views are BGR or RGB, grey or with alpha: the tracker converts its crop only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from litetrack_ros.errors import ImageError, shown
from litetrack_ros.image_headers import read_header
from litetrack_ros.images import ColorOrder, Image, Uint8Image
from litetrack_ros.opencv import cv2


class ConvertedImage(NamedTuple):
    """An image for the tracker.

    Attributes:
        image: uint8 ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``; often a read-only view with gaps
            between its rows.
        color_order: of an image with colour.
    """

    image: Image
    color_order: ColorOrder

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.image.shape[1], self.image.shape[0]


class ImageMessage(Protocol):
    """The fields of ``sensor_msgs/Image`` that are read."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedImageMessage(Protocol):
    """The fields of ``sensor_msgs/CompressedImage`` that are read."""

    format: str
    data: Any


Fallback = Callable[[Any], Uint8Image]


@dataclass(frozen=True)
class ImageLimits:
    """Which images are taken.

    Attributes:
        max_pixels: most width times height.
        formats: of compressed images, out of :data:`litetrack_ros.image_headers.FORMATS`.
    """

    max_pixels: int = 36_000_000
    formats: tuple[str, ...] = ("jpeg", "png")

    def check_size(self, width: int, height: int) -> None:
        """Raise ImageError for an image that is too large."""
        if width * height > self.max_pixels:
            raise ImageError(
                f"{width}x{height} pixels are more than max_image_pixels = {self.max_pixels}; "
                "send smaller images, or set that parameter"
            )


DEFAULT_LIMITS = ImageLimits()


class _Layout(NamedTuple):
    """How an encoding lies in memory and what makes it an image.

    ``channels`` are bytes of a pixel; ``code`` is OpenCV's conversion to BGR, None for a view.
    """

    channels: int
    code: int | None = None
    color_order: ColorOrder = "bgr"


# ROS names a Bayer pattern by its first two rows, OpenCV by the second row's second and third
# pixel: the names differ, the pattern is the same.
_LAYOUTS: dict[str, _Layout] = {
    "bgr8": _Layout(3),
    "8UC3": _Layout(3),
    "rgb8": _Layout(3, color_order="rgb"),
    "bgra8": _Layout(4),
    "rgba8": _Layout(4, color_order="rgb"),
    "mono8": _Layout(1),
    "8UC1": _Layout(1),
    "mono16": _Layout(2),
    "bayer_rggb8": _Layout(1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": _Layout(1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": _Layout(1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": _Layout(1, cv2.COLOR_BayerGB2BGR),
    "uyvy": _Layout(2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422": _Layout(2, cv2.COLOR_YUV2BGR_UYVY),
    "yuyv": _Layout(2, cv2.COLOR_YUV2BGR_YUY2),
    "yuv422_yuy2": _Layout(2, cv2.COLOR_YUV2BGR_YUY2),
    "nv21": _Layout(1, cv2.COLOR_YUV2BGR_NV21),
}
ENCODINGS = tuple(_LAYOUTS)
_YUV_422 = ("uyvy", "yuv422", "yuyv", "yuv422_yuy2")

_DECODE_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def check_image_message(
    message: ImageMessage,
    fallback: Fallback | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> None:
    """Say whether an image message can be used, without touching its pixels.

    Args:
        message: a raw image.
        fallback: takes encodings beyond :data:`ENCODINGS`, or None.
        limits: of its size.

    Raises:
        ImageError: an unknown encoding, no pixels or too many, or fewer bytes than the fields
            promise.
    """
    layout = _LAYOUTS.get(message.encoding)
    height, width, step = message.height, message.width, message.step
    if layout is None and fallback is None:
        raise ImageError(
            f"encoding '{shown(message.encoding)}' is not supported without cv_bridge; "
            f"publish one of {', '.join(ENCODINGS)}"
        )
    if height == 0 or width == 0:
        raise ImageError(f"the image has no pixels: {width}x{height}")
    if layout is not None and step < width * layout.channels:
        raise ImageError(
            f"step {step} is less than a row of {width} pixels of '{message.encoding}' "
            f"({width * layout.channels} bytes)"
        )
    if message.encoding == "nv21" and (width % 2 or height % 2):
        raise ImageError(f"nv21 needs an even width and height, not {width}x{height}")
    # OpenCV 4 converts such an image and loses its last column, OpenCV 5 refuses it.
    if message.encoding in _YUV_422 and width % 2:
        raise ImageError(f"{message.encoding} needs an even width, not {width}")
    rows = _rows(message)
    if len(message.data) < rows * step:
        raise ImageError(
            f"the image's data holds {len(message.data)} bytes, less than its {rows} rows times "
            f"step {step} = {rows * step}"
        )
    limits.check_size(width, height)


def convert_image(
    message: ImageMessage,
    fallback: Fallback | None = None,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> ConvertedImage:
    """A raw image message as an array.

    Args:
        message: the image; ``step`` and, for mono16, ``is_bigendian`` are honoured.
        fallback: makes BGR uint8 of encodings beyond :data:`ENCODINGS`, or None.
        limits: of its size.

    Returns:
        A view of the message's bytes for the BGR, RGB and grey encodings (of mono16 the high
        bytes), a converted copy for Bayer and YUV.

    Raises:
        ImageError: as :func:`check_image_message`, or OpenCV or the fallback refuse it.
    """
    check_image_message(message, fallback, limits)
    layout = _LAYOUTS.get(message.encoding)
    if layout is None:
        assert fallback is not None  # checked above
        return ConvertedImage(fallback(message), "bgr")
    pixels = _view(message, layout)
    if message.encoding == "mono16":
        return ConvertedImage(pixels[:, :, 0 if message.is_bigendian else 1], "bgr")
    if layout.channels == 1:
        pixels = pixels[:, :, 0]
    if layout.code is None:
        return ConvertedImage(pixels, layout.color_order)
    try:
        return ConvertedImage(cv2.cvtColor(pixels, layout.code), "bgr")
    except cv2.error as error:
        raise ImageError(
            f"cannot convert a {message.width}x{message.height} '{message.encoding}' image: "
            f"{error.err or error}"
        ) from error


def convert_compressed(
    message: CompressedImageMessage, limits: ImageLimits = DEFAULT_LIMITS
) -> ConvertedImage:
    """A compressed image message as BGR uint8; nothing is decoded before its header is checked.

    Args:
        message: the image; its ``format`` is not relied on.
        limits: of its size, and the formats taken.

    Raises:
        ImageError: not such a picture, too large, or damaged.
    """
    data = np.frombuffer(message.data, dtype=np.uint8)
    if data.size == 0:
        raise ImageError("the compressed image has no data")
    header = read_header(data.tobytes())
    if header is None or header.format not in limits.formats:
        found = "of no format known" if header is None else f"in {header.format}"
        raise ImageError(
            f"the compressed image is {found}, and compressed_formats = "
            f"{','.join(limits.formats)}; send one of these, or set that parameter"
        )
    limits.check_size(header.width, header.height)
    if header.width * header.height * header.effort > limits.max_pixels:
        raise ImageError(
            f"a {header.width}x{header.height} {header.format} image of this kind (16 bit, alpha "
            f"or progressive) takes {header.effort:.1f} times a plain one's effort, too much for "
            f"max_image_pixels = {limits.max_pixels}; send smaller or plain images, or set that "
            "parameter"
        )
    if not header.is_whole:
        raise ImageError(
            f"the compressed image is damaged: its {data.size} bytes end before its parts do"
        )
    try:
        image = cv2.imdecode(data, _DECODE_FLAGS)
    except cv2.error as error:
        raise ImageError(f"cannot decode the compressed image: {error.err or error}") from error
    if image is None:
        raise ImageError(
            f"cannot decode {data.size} bytes of a compressed image with format "
            f"'{shown(message.format)}'"
        )
    return ConvertedImage(image, "bgr")


def _rows(message: ImageMessage) -> int:
    """Rows of ``step`` bytes: for nv21 the colour rows follow those of the image."""
    if message.encoding == "nv21":
        return message.height + message.height // 2
    return message.height


def _view(message: ImageMessage, layout: _Layout) -> Uint8Image:
    """The bytes as ``(rows, width, channels)`` without a copy, padding left out by the strides."""
    data = np.frombuffer(message.data, dtype=np.uint8)
    return np.lib.stride_tricks.as_strided(
        data,
        shape=(_rows(message), message.width, layout.channels),
        strides=(message.step, layout.channels, 1),
        writeable=False,
    )
