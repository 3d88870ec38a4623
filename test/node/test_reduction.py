"""Images reduced for the ring: small, and again at their own size when they are needed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from litetrack_ros.errors import ImageError
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.node.conversion import ConvertedImage, convert_image
from litetrack_ros.node.reduction import ReducedImage, make_small, reduce_image


def _picture(width: int = 320, height: int = 240) -> np.ndarray:
    return cv2.resize(DrawnScene(320, 240, frames=2).frame(0), (width, height))


@pytest.mark.parametrize("order", ["bgr", "rgb"])
@pytest.mark.parametrize("size", [(320, 240), (321, 239), (333, 100)])
def test_what_comes_back_has_the_size_and_looks_alike(order: Any, size: tuple[int, int]) -> None:
    image = _picture(*size)
    whole = image if order == "bgr" else np.ascontiguousarray(image[..., ::-1])
    reduced = reduce_image(ConvertedImage(whole, order), "header", size[0] * size[1] * 1.5 / 4)
    assert reduced.header == "header"
    assert reduced.data.nbytes <= size[0] * size[1] * 1.5 / 4 * 1.05
    back, back_order = reduced.restore()
    assert (back.shape, back_order) == (whole.shape, order)
    assert np.abs(back.astype(int) - whole).mean() < 8


def test_grey_stays_grey_and_alpha_goes() -> None:
    grey = cv2.cvtColor(_picture(), cv2.COLOR_BGR2GRAY)
    back = reduce_image(ConvertedImage(grey, "bgr"), None, grey.nbytes / 4).restore().image
    assert back.shape == grey.shape
    with_alpha = np.dstack([_picture(), np.full((240, 320), 255, np.uint8)])
    back = reduce_image(ConvertedImage(with_alpha, "bgr"), None, 30_000).restore().image
    assert back.shape == (240, 320, 3)


def _message(image: np.ndarray, encoding: str) -> Any:
    height, width = image.shape[:2]
    return SimpleNamespace(
        header="header",
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=image.strides[0],
        data=image.tobytes(),
    )


@pytest.mark.parametrize("encoding", ["bgr8", "bayer_rggb8", "mono8"])
def test_messages_become_small(encoding: str) -> None:
    image = _picture() if encoding == "bgr8" else np.ascontiguousarray(_picture()[..., 0])
    small, size = make_small(_message(image, encoding), image.nbytes, convert_image, 20_000)
    assert isinstance(small, ReducedImage)
    assert size == small.data.nbytes <= 22_000
    assert small.restore().image.shape[:2] == (240, 320)


def test_what_cannot_be_made_small_stays() -> None:
    def fail(_: Any) -> ConvertedImage:
        raise ImageError("broken")

    raw = _message(_picture(), "bgr8")
    assert make_small(raw, 100, convert_image, 20_000) == (raw, 100)  # is smaller as it is
    assert make_small(raw, 10**6, fail, 20_000) == (raw, 10**6)
    jpeg = SimpleNamespace(header="header", format="jpeg", data=b"")
    assert make_small(jpeg, 5000, fail, 10) == (jpeg, 5000)
