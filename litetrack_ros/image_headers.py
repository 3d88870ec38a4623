"""What the header of an image file says, read without decoding: format, size and effort.

A few bytes may decode to gigabytes, or take seconds. What a header claims is all there is to go by
before that, so that it is read here as the decoders read it; of several sizes the largest counts.
"""

import struct
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_CODESTREAM = b"\xff\x4f\xff\x51"
FORMATS = ("jpeg", "png", "webp", "tiff", "jp2", "bmp")

_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = b"\xff\xda"
# What the decoders of other formats keep in memory besides the image.
_EFFORT = {"webp": 2.0, "tiff": 2.0, "jp2": 4.0}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TIFF_SIZE_TAGS = (256, 257)  # ImageWidth, ImageLength
_MAX_PAGES = 64
_MAX_CHUNKS = 1 << 16


@dataclass(frozen=True)
class ImageHeader:
    """What a header says.

    Attributes:
        format: one of :data:`FORMATS`.
        width, height: px; of several pages or claims the largest.
        effort: time or memory that a pixel takes to decode, in units of a plain JPEG's or PNG's.
        is_whole: False for a PNG that is cut, or a part of which claims to be longer than the file:
            OpenCV makes room for a part by its word alone, gigabytes for a kilobyte.
    """

    format: str
    width: int
    height: int
    effort: float = 1.0
    is_whole: bool = True


def read_header(encoded: bytes) -> ImageHeader | None:
    """The header of an image file; None where it is none of :data:`FORMATS`, or cut."""
    try:
        if encoded.startswith(PNG_SIGNATURE):
            return _png(encoded)
        if encoded.startswith(_JPEG_SIGNATURE):
            return _jpeg(encoded)
        if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
            return _webp(encoded)
        if encoded[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(encoded)
        if encoded.startswith((_JP2_SIGNATURE, _CODESTREAM)):
            return _jp2(encoded)
        if encoded.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", encoded, 18)
            return ImageHeader("bmp", abs(width), abs(height))
    except (struct.error, IndexError):
        return None
    return None


def _png(encoded: bytes) -> ImageHeader:
    width, height, depth, colour = struct.unpack_from(">IIBB", encoded, 16)
    effort = max(1.0, _PNG_CHANNELS.get(colour, 4) * depth / 24)
    return ImageHeader("png", width, height, effort, _are_chunks_whole(encoded))


def _are_chunks_whole(encoded: bytes) -> bool:
    """Whether a PNG's chunks lie in its file, up to the last one."""
    position = len(PNG_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if position + 12 > len(encoded):
            return False
        length, name = struct.unpack_from(">I4s", encoded, position)
        position += 12 + length
        if name == b"IEND":
            return position <= len(encoded)
    return False


def _jpeg(encoded: bytes) -> ImageHeader | None:
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
            height, width = struct.unpack_from(">HH", encoded, position + 5)
            # With several scans, progressive ones most of all, every coefficient is kept, and
            # each scan goes over the whole image.
            scans = encoded.count(_START_OF_SCAN, position)
            return ImageHeader("jpeg", width, height, 1.0 if scans < 2 else max(2.0, scans / 5))
        else:
            position += 2 + struct.unpack_from(">H", encoded, position + 2)[0]
    return None


def _webp(encoded: bytes) -> ImageHeader | None:
    sizes = []
    position = 12
    while position + 8 <= len(encoded):
        name = encoded[position : position + 4]
        (length,) = struct.unpack_from("<I", encoded, position + 4)
        body = position + 8
        if name == b"VP8X":
            low, high = (int.from_bytes(encoded[body + k : body + k + 3], "little") for k in (4, 7))
            sizes.append((low + 1, high + 1))
        elif name == b"VP8 ":
            width, height = struct.unpack_from("<HH", encoded, body + 6)
            sizes.append((width & 0x3FFF, height & 0x3FFF))
        elif name == b"VP8L":
            (bits,) = struct.unpack_from("<I", encoded, body + 1)
            sizes.append(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        elif name == b"ANMF":
            low, high = (int.from_bytes(encoded[body + k : body + k + 3], "little") for k in (6, 9))
            sizes.append((low + 1, high + 1))
        position = body + length + length % 2
    return _largest("webp", sizes)


def _tiff(encoded: bytes) -> ImageHeader | None:
    order = "<" if encoded[:2] == b"II" else ">"
    is_big = encoded[2] == 43 or encoded[3] == 43
    number, count, entry_bytes = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    (position,) = struct.unpack_from(order + number, encoded, 8 if is_big else 4)
    sizes = []
    for _ in range(_MAX_PAGES):
        if position == 0:
            break
        (entries,) = struct.unpack_from(order + count, encoded, position)
        position += struct.calcsize(count)
        sides: dict[int, int] = {}
        for _ in range(min(entries, 4096)):
            tag, kind = struct.unpack_from(order + "HH", encoded, position)
            if tag in _TIFF_SIZE_TAGS:
                form = {3: "H", 4: "I", 16: "Q"}.get(kind)
                if form is None:
                    return None
                at = position + (12 if is_big else 8)
                sides[tag] = max(
                    struct.unpack_from(order + form, encoded, at)[0], sides.get(tag, 0)
                )
            position += entry_bytes
        if len(sides) == len(_TIFF_SIZE_TAGS):
            sizes.append((sides[_TIFF_SIZE_TAGS[0]], sides[_TIFF_SIZE_TAGS[1]]))
        (position,) = struct.unpack_from(order + number, encoded, position)
    else:
        return None  # more pages than a camera sends, or a circle of them
    return _largest("tiff", sizes)


def _jp2(encoded: bytes) -> ImageHeader | None:
    sizes = []
    if (box := encoded.find(b"ihdr")) >= 0:
        height, width = struct.unpack_from(">II", encoded, box + 4)
        sizes.append((width, height))
    position = encoded.find(_CODESTREAM)
    if position < 0:
        return None
    while position >= 0:  # each that looks like one: what the decoder takes is among them
        right, bottom, left, top = struct.unpack_from(">IIII", encoded, position + 8)
        sizes.append((max(0, right - left), max(0, bottom - top)))
        position = encoded.find(_CODESTREAM, position + 1)
    return _largest("jp2", sizes)


def _largest(name: str, sizes: list[tuple[int, int]]) -> ImageHeader | None:
    if not sizes:
        return None
    width, height = (max(sides) for sides in zip(*sizes, strict=True))
    return ImageHeader(name, width, height, _EFFORT[name])
