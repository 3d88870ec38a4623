from __future__ import annotations

import cv2
import numpy as np
import pytest

from litetrack_ros.errors import DatasetError, ImageError
from litetrack_ros.images import check_image, decode_bgr, image_size, to_bgr8, to_rgb8

BLUE, GREEN, RED, ALPHA = 10, 20, 30, 40


def pixel(*values: int, dtype: type = np.uint8) -> np.ndarray:
    return np.broadcast_to(np.array(values, dtype=dtype), (2, 3, len(values))).copy()


@pytest.mark.parametrize(
    ("image", "order", "wanted_rgb"),
    [
        (pixel(BLUE, GREEN, RED), "bgr", (RED, GREEN, BLUE)),
        (pixel(RED, GREEN, BLUE), "rgb", (RED, GREEN, BLUE)),
        (pixel(BLUE, GREEN, RED, ALPHA), "bgr", (RED, GREEN, BLUE)),
        (pixel(RED, GREEN, BLUE, ALPHA), "rgb", (RED, GREEN, BLUE)),
        (pixel(GREEN), "bgr", (GREEN, GREEN, GREEN)),
        (pixel(GREEN)[:, :, 0], "rgb", (GREEN, GREEN, GREEN)),
        (pixel(GREEN * 256 + 5, dtype=np.uint16), "bgr", (GREEN, GREEN, GREEN)),
        (pixel(BLUE << 8, GREEN << 8, RED << 8, dtype=np.uint16), "bgr", (RED, GREEN, BLUE)),
    ],
)
def test_conversion(image: np.ndarray, order, wanted_rgb: tuple[int, ...]) -> None:
    checked = check_image(image)
    for convert, wanted in ((to_rgb8, wanted_rgb), (to_bgr8, wanted_rgb[::-1])):
        converted = convert(checked, order)
        assert converted.shape == (2, 3, 3) and converted.dtype == np.uint8
        assert converted[1, 2].tolist() == list(wanted)


def test_rgb_passes_without_a_copy() -> None:
    image = pixel(1, 2, 3)
    assert to_rgb8(check_image(image), "rgb") is image


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        ([[1, 2], [3, 4]], "NumPy array, not list"),
        (np.zeros((4, 4), np.float32), "not float32"),
        (np.zeros((4, 4, 2), np.uint8), r"not \(4, 4, 2\)"),
        (np.zeros((4,), np.uint8), r"not \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
    ],
)
def test_not_an_image(image, complaint: str) -> None:
    with pytest.raises(ImageError, match=complaint):
        check_image(image)


@pytest.mark.parametrize("size", [(1, 1), (33, 18), (700, 300)])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", []),
        (".png", []),
        (".bmp", []),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 80]),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
    ],
    ids=["jpeg", "png", "bmp", "webp", "webp, lossless"],
)
def test_sizes_are_read_from_headers(
    size: tuple[int, int], channels: int, suffix: str, options: list[int]
) -> None:
    width, height = size
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (height, width, channels), dtype=np.uint8)
    encoded = cv2.imencode(suffix, picture, options)[1].tobytes()
    assert image_size(encoded) == size
    assert decode_bgr(encoded).shape == (height, width, 3)
    if suffix == ".webp":
        assert image_size(encoded[:30]) == size


def test_a_cut_header_is_not_an_image() -> None:
    encoded = cv2.imencode(".webp", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    with pytest.raises(DatasetError, match="not an image"):
        image_size(encoded[:20])
