"""Small pictures for people, which know how large their image was."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from litetrack_ros.media.previews import encode_preview, image_size, shrink


def _decode(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


@pytest.mark.parametrize(
    ("shape", "order", "size_px", "expected"),
    [
        ((400, 1000, 3), "bgr", 640, (256, 640, 3)),
        ((400, 1000, 3), "rgb", 640, (256, 640, 3)),
        ((120, 160), "bgr", 640, (120, 160, 3)),
        ((2000, 3, 4), "bgr", 640, (640, 1, 3)),
    ],
)
def test_pictures_shrink_and_say_how_large_the_image_was(
    shape: tuple[int, ...], order: Any, size_px: int, expected: tuple[int, ...]
) -> None:
    image = np.zeros(shape, np.uint8)
    image[..., 0] = 200
    jpeg = encode_preview(image, order, size_px, 90)
    found = _decode(jpeg)
    assert found.shape == expected
    if image.ndim == 3:
        assert found[0, 0].argmax() == (0 if order == "bgr" else 2)
    assert image_size(jpeg) == (shape[1], shape[0])


def test_a_jpeg_without_the_comment_is_its_own_image() -> None:
    jpeg = bytes(cv2.imencode(".jpg", np.zeros((30, 50, 3), np.uint8))[1])
    assert image_size(jpeg) == (50, 30)
    assert image_size(b"\x89PNG") is None
    assert image_size(b"\xff\xd8\xff") is None


def test_pictures_shrink_once_more_and_small_ones_stay() -> None:
    jpeg = encode_preview(np.zeros((300, 600, 3), np.uint8), "bgr", 640, 80)
    assert _decode(shrink(jpeg, 240, 50)).shape == (120, 240, 3)
    assert shrink(jpeg, 640, 50) == jpeg
    assert shrink(b"no picture", 100, 50) == b"no picture"
