"""Encodings beyond our own, through the real cv_bridge, where one is installed."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest

from litetrack_ros.errors import ImageError
from litetrack_ros.node.conversion import Fallback, convert_image

pytestmark = pytest.mark.ros

WIDTH, HEIGHT = 8, 6


@pytest.fixture
def cv_bridge() -> Fallback:
    """What the node uses."""
    from litetrack_ros.node.compat import cv_bridge_fallback

    fallback = cv_bridge_fallback()
    if fallback is None:
        pytest.skip("cv_bridge is not installed")
    return fallback


def _noise(channels: int) -> np.ndarray:
    rng = np.random.default_rng(channels)
    return rng.integers(0, 65536, (HEIGHT, WIDTH, channels)).astype("<u2")


def _message(values: np.ndarray, encoding: str, padding: int = 0, **fields: Any) -> Any:
    from sensor_msgs.msg import Image

    rows = np.ascontiguousarray(values).view(np.uint8).reshape(HEIGHT, -1)
    padded = np.full((HEIGHT, rows.shape[1] + padding), 0xAA, np.uint8)
    padded[:, : rows.shape[1]] = rows
    message = Image(height=HEIGHT, width=WIDTH, encoding=encoding, step=padded.shape[1])
    message.data = array.array("B", padded.tobytes())
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(("byte_order", "is_bigendian"), [("<", 0), (">", 1)])
@pytest.mark.parametrize(
    ("encoding", "order", "padding"),
    [("bgr16", [0, 1, 2], 0), ("rgb16", [2, 1, 0], 12), ("rgba16", [2, 1, 0], 0)],
)
def test_sixteen_bit_colours_become_eight_bit(
    cv_bridge: Fallback,
    encoding: str,
    order: list[int],
    padding: int,
    byte_order: str,
    is_bigendian: int,
) -> None:
    values = _noise(4 if encoding == "rgba16" else 3)
    message = _message(
        values.astype(f"{byte_order}u2"), encoding, padding, is_bigendian=is_bigendian
    )
    converted = convert_image(message, cv_bridge)
    assert (converted.image.dtype, converted.color_order) == (np.uint8, "bgr")
    assert np.abs(converted.image - values[:, :, order] / 257).max() <= 0.51


def test_sixteen_bit_bayer_becomes_colour(cv_bridge: Fallback) -> None:
    flat = np.full((HEIGHT, WIDTH), 200 * 257, "<u2")
    image = convert_image(_message(flat, "bayer_rggb16"), cv_bridge).image
    np.testing.assert_array_equal(image, np.full((HEIGHT, WIDTH, 3), 200))


@pytest.mark.parametrize(
    ("encoding", "fields", "reason"),
    [
        ("16UC3", {}, "encoding '16UC3' is not supported, by cv_bridge neither"),
        ("abacus", {}, "encoding 'abacus' is not supported, by cv_bridge neither"),
        ("", {}, "encoding '' is not supported, by cv_bridge neither"),
        ("bgr16", {"step": 0}, "step 0 does not hold a row of 8 pixels"),
        ("bgr16", {"step": 3}, "step 3 does not hold a row"),
        ("bgr16", {"step": 47}, "step 47 does not hold a row"),
        ("bgr16", {"width": 500}, "step 48 does not hold a row of 500 pixels"),
        ("bgr16", {"height": 500}, "less than its 500 rows"),
    ],
)
def test_what_cv_bridge_cannot_take_is_refused_with_the_reason(
    cv_bridge: Fallback, encoding: str, fields: dict[str, Any], reason: str
) -> None:
    message = _message(_noise(3), encoding, **fields)
    with pytest.raises(ImageError, match=reason):
        convert_image(message, cv_bridge)
