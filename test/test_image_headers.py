"""What a header says is what the decoder makes of the file, for every format and its variants."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litetrack_ros.image_headers import read_header
from litetrack_ros.opencv import cv2

PICTURE = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8), (80, 48))


def encode(suffix: str, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, PICTURE, list(options))[1].tobytes())


FILES = {
    "jpeg": encode(".jpg"),
    "jpeg progressive": encode(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "jpeg restarts": encode(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "jpeg with a thumbnail": b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(encode(".jpg")))
    + encode(".jpg") + encode(".jpg")[2:],
    "png": encode(".png"),
    "webp lossy": encode(".webp", cv2.IMWRITE_WEBP_QUALITY, 80),
    "webp lossless": encode(".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
    "tiff": encode(".tiff"),
    "jp2": encode(".jp2"),
    "bmp": encode(".bmp"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_the_size_is_read_without_decoding(name: str) -> None:
    header = read_header(FILES[name])
    assert header is not None
    assert (header.format, header.width, header.height) == (name.split()[0], 80, 48)
    kinds = ("progressive", "tiff", "jp2", "lossy", "lossless")
    assert (header.effort > 1) == (name.split()[-1] in kinds)


def test_the_largest_page_of_a_tiff_counts() -> None:
    if not hasattr(cv2, "imencodemulti"):
        pytest.skip(f"OpenCV {cv2.__version__} writes no TIFF of several pages")
    pages = [np.zeros((4, 5), np.uint8), np.zeros((300, 400), np.uint8)]
    header = read_header(cv2.imencodemulti(".tiff", pages)[1].tobytes())
    assert header is not None and (header.width, header.height) == (400, 300)


def test_a_canvas_that_is_larger_than_its_webp_counts() -> None:
    inner = FILES["webp lossless"][12:]
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\x0f\x27\0\x0f\x27\0"
    body = b"WEBP" + canvas + inner
    header = read_header(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert header is not None and (header.width, header.height) == (10000, 10000)


@pytest.mark.parametrize("length", [1000, 0x60000000, 0xFFFFFFFF])
def test_a_png_whose_chunk_reaches_beyond_its_end_is_not_whole(length: int) -> None:
    """OpenCV 5 allocates what the chunk's length says before it looks for the bytes."""
    plain = FILES["png"]
    header = read_header(plain[:33] + struct.pack(">I", length) + plain[37:])
    assert header is not None and not header.is_whole


def test_a_png_of_chunks_without_end_is_not_whole() -> None:
    chunk = struct.pack(">I4sI", 0, b"tEXt", zlib.crc32(b"tEXt"))
    plain = FILES["png"]
    for count, is_whole in ((10, True), (100_000, False)):
        header = read_header(plain[:33] + count * chunk + plain[33:])
        assert header is not None and header.is_whole is is_whole


def test_scans_without_end_cost_more() -> None:
    plain = FILES["jpeg progressive"]
    scan = plain[plain.rindex(b"\xff\xda") : -2]
    more = read_header(plain[:-2] + 1000 * scan + plain[-2:])
    assert more is not None and more.effort > 100


@pytest.mark.parametrize("other", [b"", b"GIF89a", b"\xff\xd8", b"P6 9 9 255 ", bytes(40)])
def test_other_files_have_no_header(other: bytes) -> None:
    assert read_header(other) is None


def test_a_circle_of_pages_ends() -> None:
    entry = struct.pack("<HHII", 256, 4, 1, 5) + struct.pack("<HHII", 257, 4, 1, 5)
    circle = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2) + entry + struct.pack("<I", 8)
    assert read_header(circle) is None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_what_is_decoded_is_never_larger_than_its_header(name: str, data: st.DataObject) -> None:
    encoded = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, min(len(encoded) - 1, 200)))
        encoded[position] = data.draw(st.integers(0, 255))
    header = read_header(bytes(encoded))
    if header is None or header.width * header.height > 10**6:
        return
    try:
        image = cv2.imdecode(np.frombuffer(bytes(encoded), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return
    if image is not None:
        assert image.shape[0] * image.shape[1] <= header.width * header.height


def test_a_bomb_of_a_png_shows_its_size() -> None:
    """30000x30000 grey in under a megabyte: 5.3 GB and 14 s where it is decoded."""
    fields = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + fields
    length, check = struct.pack(">I", 13), struct.pack(">I", zlib.crc32(chunk))
    header = read_header(b"\x89PNG\r\n\x1a\n" + length + chunk + check)
    assert header is not None and header.width * header.height == 900_000_000
