"""Messages that nobody should send: made with the structure in mind, or mutated from sound ones.

Everything comes from one :class:`random.Random`, so that a seed makes the same messages again.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

from litetrack_ros.msg import InitBox
from litetrack_ros.node.conversion import ENCODINGS
from litetrack_ros.node.messages import ns_to_stamp

_SIDES = (0, 1, 2, 3, 7, 16, 63, 64, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
_NUMBERS = (0.0, -0.0, 1e-300, 1e-9, 0.5, 1.0, 1e9, 1e308, math.nan, math.inf, -math.inf)
_TEXTS = (
    *("", "a", "b", "sound", "é", "\0", "x\n[ERROR] forged", "\x1b[31m", "y" * 64, "y" * 65),
    *("z" * 300, "%s%n", "../../etc/passwd", "\ufeff", "\u202e", "日本"),
)
_FORMATS = ("jpeg", "png", "", "rgb8; jpeg compressed bgr8", "webp", "h264", "\n", "j" * 1000)
_ANY_SIDE = 2**31
SIDE = 48  # of sound pictures, px: small ones make many messages a second


class Junk:
    """Makes messages.

    Args:
        seed: of all that is made.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        noise = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        self._pixels = noise.tobytes()
        smooth = cv2.GaussianBlur(noise, (0, 0), 3)
        self._encoded = [
            cv2.imencode(suffix, image, options)[1].tobytes()
            for suffix, image, options in (
                (".jpg", smooth, []),
                (".jpg", smooth, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
                (".jpg", smooth[:, :, 0], []),
                (".png", smooth, []),
                (".png", smooth[:, :, 0].astype(np.uint16) * 256, []),
                (".png", np.dstack([smooth, smooth[:, :, :1]]), []),
                (".webp", smooth, []),
                (".tiff", smooth, []),
                (".bmp", smooth, []),
            )
        ]

    def image(self, frame_id: str, stamp_ns: int) -> tuple[Any, tuple[int, int]]:
        """A raw image, most often with something wrong, and its width and height."""
        dice = self.random
        encoding = dice.choice([*ENCODINGS, "bgr8", "rgb8", "32FC1", "16UC1", *_TEXTS])
        height, width = SIDE, SIDE
        step, size = 3 * SIDE, len(self._pixels)
        for _ in range(dice.choice((0, 0, 1, 1, 2, 4))):
            what = dice.randrange(4)
            if what == 0:
                height = dice.choice((*_SIDES, dice.randrange(200)))
            elif what == 1:
                width = dice.choice((*_SIDES, dice.randrange(200)))
            elif what == 2:
                step = dice.choice((*_SIDES, dice.randrange(2000)))
            else:
                size = dice.choice((0, 1, len(self._pixels) - 1, dice.randrange(len(self._pixels))))
        message = Image(height=height, width=width, step=step, encoding=encoding)
        message.is_bigendian = dice.choice((0, 0, 1, 255))
        message._data = _bytes(self._pixels[:size])  # the setter checks every byte, in Python
        self._head(message, frame_id, stamp_ns)
        return message, (width, height)

    def compressed(self, frame_id: str, stamp_ns: int) -> tuple[Any, tuple[int, int]]:
        """A compressed image, most often damaged or of a forged size."""
        dice = self.random
        content = dice.choice(self._encoded)
        kind = dice.randrange(7)
        if kind == 6:  # a chunk that claims to be long
            length = struct.pack(">I", dice.choice((1000, 2**30, 2**32 - 1)))
            content = content[:33] + length + content[37:]
        elif kind == 1:
            content = self.mutated(content)
        elif kind == 2:
            content = content[: dice.randrange(len(content))]
        elif kind == 3:
            content = grey_png(dice.choice((1, 2**31 - 1, 6001, 7000)), dice.choice((1, 7000)))
        elif kind == 4:
            content = dice.randbytes(dice.choice((0, 1, 10, 1000)))
        elif kind == 5:
            content = self._with_forged_size(content)
        message = CompressedImage(format=dice.choice(_FORMATS))
        message._data = _bytes(content)
        self._head(message, frame_id, stamp_ns)
        # Where the size was forged, nobody but the decoder knows what it will be.
        return message, (SIDE, SIDE) if kind == 0 else (_ANY_SIDE, _ANY_SIDE)

    def request(self) -> Any:
        """A box to start from, as either message."""
        dice = self.random
        if dice.random() < 0.2:
            sides = [dice.choice((*_SIDES, dice.randrange(SIDE))) for _ in range(4)]
            names = ("x_offset", "y_offset", "width", "height")
            return RegionOfInterest(**dict(zip(names, sides, strict=True)))
        numbers = [dice.choice((*_NUMBERS, dice.uniform(-20, 2 * SIDE))) for _ in range(4)]
        message = InitBox(target_id=dice.choice(_TEXTS))
        message.x, message.y, message.width, message.height = numbers
        message.header.stamp = ns_to_stamp(dice.choice((0, 0, dice.randrange(2**60))))
        message.header.frame_id = dice.choice(_TEXTS)
        return message

    def serialised(self, frame_id: str, stamp_ns: int) -> tuple[str, bytes, tuple[int, int]]:
        """A message as bytes, mutated: which topic (``image``, ``init``), and an image's size."""
        if self.random.random() < 0.3:
            return "init", self._damaged(bytes(serialize_message(self.request()))), (0, 0)
        message = Image(height=SIDE, width=SIDE, encoding="bgr8", step=3 * SIDE)
        message._data = _bytes(self._pixels)
        message.header.stamp, message.header.frame_id = ns_to_stamp(stamp_ns), frame_id
        content = bytes(serialize_message(message))
        # The number and the stamp stay, so that a box can be told whose it is.
        kept = 16 + len(frame_id) + 1
        return "image", content[:kept] + self._damaged(content[kept:], 24), (SIDE, SIDE)

    def mutated(self, content: bytes, most: int = 8, first: int | None = None) -> bytes:
        """Some bytes changed, in the first ``first`` or anywhere."""
        changed = bytearray(content)
        for _ in range(self.random.randint(1, most)):
            if changed:
                changed[self.random.randrange(min(len(changed), first or len(changed)))] = (
                    self.random.choice((0, 1, 0x7F, 0x80, 0xFF, self.random.randrange(256)))
                )
        return bytes(changed)

    def _damaged(self, content: bytes, first: int | None = None) -> bytes:
        dice = self.random
        kind = dice.randrange(4)
        if kind == 0:
            return content
        if kind == 1:
            return content[: dice.randrange(4, len(content))]
        if kind == 2:  # a length or a number
            at = 4 * dice.randrange(1, (min(len(content), first or len(content))) // 4)
            word = struct.pack("<I", dice.choice(_SIDES))
            return content[:at] + word + content[at + 4 :]
        return self.mutated(content, first=first)

    def _with_forged_size(self, content: bytes) -> bytes:
        """Another size in the header of a JPEG or a PNG, its check sum mended."""
        dice = self.random
        width, height = (dice.choice((0, 1, 100, 6000, 6001, 65535)) for _ in range(2))
        if content.startswith(b"\x89PNG"):
            header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
            return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
        for marker in (b"\xff\xc0", b"\xff\xc2"):
            if (at := content.find(marker)) >= 0:
                return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]
        return self.mutated(content, first=64)

    def _head(self, message: Any, frame_id: str, stamp_ns: int) -> None:
        message.header.stamp = ns_to_stamp(stamp_ns)
        message.header.frame_id = frame_id

    def stamp(self, index: int) -> int:
        """The stamp of the image of this number: most often in order, else anything."""
        if self.random.random() < 0.05:
            return self.random.choice((0, 1, 2**31 * 10**9 - 1, self.random.randrange(2**60)))
        return 10**18 + index * 10**6


def grey_png(width: int, height: int) -> bytes:
    """A grey picture that is small as a file, whatever its size claims to be."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"IDAT" + zlib.compress(bytes(min(100_000, (width + 1) * height)), 1)
    chunks = (header, rows, b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


def _bytes(content: bytes) -> Any:
    import array

    return array.array("B", content)
