"""Every encoding, with padding and both byte orders, against pictures whose pixels are known."""

from __future__ import annotations

import array
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litetrack_ros.errors import ImageError
from litetrack_ros.images import to_bgr8
from litetrack_ros.node.conversion import (
    ENCODINGS,
    ImageLimits,
    check_image_message,
    convert_compressed,
    convert_image,
)

WIDTH, HEIGHT = 16, 12
COLOR_BGR = (40, 120, 200)


def _message(
    rows: np.ndarray, encoding: str, padding: int = 0, height: int | None = None, **fields: Any
) -> SimpleNamespace:
    """A message of bytes ``(rows, row bytes)``; padding bytes end every row."""
    padded = np.full((rows.shape[0], rows.shape[1] + padding), 0xAA, np.uint8)
    padded[:, : rows.shape[1]] = rows
    values = {
        "height": rows.shape[0] if height is None else height,
        "width": WIDTH,
        "encoding": encoding,
        "is_bigendian": 0,
        "step": padded.shape[1],
        "data": array.array("B", padded.tobytes()),
    }
    return SimpleNamespace(**{**values, **fields})


def _noise(channels: int) -> np.ndarray:
    rng = np.random.default_rng(channels)
    return rng.integers(0, 256, (HEIGHT, WIDTH, channels), dtype=np.uint8)


def _bgr(message: SimpleNamespace) -> np.ndarray:
    return to_bgr8(*convert_image(message))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "channels", "order"),
    [
        ("bgr8", 3, [0, 1, 2]),
        ("8UC3", 3, [0, 1, 2]),
        ("rgb8", 3, [2, 1, 0]),
        ("bgra8", 4, [0, 1, 2]),
        ("rgba8", 4, [2, 1, 0]),
        ("mono8", 1, [0, 0, 0]),
        ("8UC1", 1, [0, 0, 0]),
    ],
)
def test_plain_encodings_keep_every_pixel(
    encoding: str, channels: int, order: list[int], padding: int
) -> None:
    pixels = _noise(channels)
    message = _message(pixels.reshape(HEIGHT, -1), encoding, padding)
    np.testing.assert_array_equal(_bgr(message), pixels[:, :, order])


@pytest.mark.parametrize("encoding", ["bgr8", "rgb8", "rgba8", "mono8", "mono16"])
def test_plain_encodings_are_views_of_the_message(encoding: str) -> None:
    channels = {"mono8": 1, "mono16": 2, "rgba8": 4}.get(encoding, 3)
    message = _message(_noise(channels).reshape(HEIGHT, -1), encoding, padding=3)
    image = convert_image(message).image
    assert np.shares_memory(image, np.frombuffer(message.data, np.uint8))
    assert not image.flags.writeable


@pytest.mark.parametrize("bigendian", [0, 1])
@pytest.mark.parametrize("padding", [0, 6])
def test_mono16_keeps_the_high_byte_of_either_byte_order(bigendian: int, padding: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH))
    rows = values.astype(">u2" if bigendian else "<u2").view(np.uint8)
    message = _message(rows, "mono16", padding, is_bigendian=bigendian)
    np.testing.assert_array_equal(convert_image(message).image, values >> 8)


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize(
    ("encoding", "pattern"),
    [
        ("bayer_rggb8", "rggb"),
        ("bayer_bggr8", "bggr"),
        ("bayer_gbrg8", "gbrg"),
        ("bayer_grbg8", "grbg"),
    ],
)
def test_bayer_patterns_give_the_colour_back(encoding: str, pattern: str, padding: int) -> None:
    by_letter = dict(zip("bgr", COLOR_BGR, strict=True))
    tile = np.array([by_letter[letter] for letter in pattern], np.uint8).reshape(2, 2)
    mosaic = np.tile(tile, (HEIGHT // 2, WIDTH // 2))
    inner = _bgr(_message(mosaic, encoding, padding))[2:-2, 2:-2]
    np.testing.assert_array_equal(inner, np.broadcast_to(COLOR_BGR, inner.shape))


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [("uyvy", "uyvy"), ("yuv422", "uyvy"), ("yuyv", "yuyv"), ("yuv422_yuy2", "yuyv")],
)
def test_yuv_422_by_old_and_new_names(encoding: str, order: str, padding: int) -> None:
    rows = np.tile([_yuv()[letter] for letter in order], (HEIGHT, WIDTH // 2)).astype(np.uint8)
    bgr = _bgr(_message(rows, encoding, padding)).astype(int)
    assert np.abs(bgr - COLOR_BGR).max() <= 4


@pytest.mark.parametrize("padding", [0, 8])
def test_nv21_has_its_colour_rows_below(padding: int) -> None:
    yuv = _yuv()
    luma = np.full((HEIGHT, WIDTH), yuv["y"], np.uint8)
    chroma = np.tile([yuv["v"], yuv["u"]], (HEIGHT // 2, WIDTH // 2)).astype(np.uint8)
    message = _message(np.vstack([luma, chroma]), "nv21", padding, height=HEIGHT)
    bgr = _bgr(message).astype(int)
    assert bgr.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(bgr - COLOR_BGR).max() <= 4


def _yuv() -> dict[str, int]:
    """COLOR_BGR in the studio range of BT.601, which cameras and OpenCV use for these formats."""
    b, g, r = COLOR_BGR
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    return {"y": round(y), "u": round(u), "v": round(v)}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"encoding": "32FC1"}, "encoding '32FC1' is not supported without cv_bridge"),
        ({"encoding": ""}, "encoding '' is not supported"),
        ({"height": 0}, "no pixels: 16x0"),
        ({"width": 0}, "no pixels: 0x12"),
        ({"step": 47}, "step 47 is less than a row of 16 pixels"),
        ({"step": 0}, "step 0 is less"),
        ({"data": array.array("B", bytes(575))}, "holds 575 bytes, less than its 12 rows"),
        ({"data": array.array("B")}, "holds 0 bytes"),
        ({"height": 2**32 - 1}, "less than its 4294967295 rows"),
        ({"encoding": "nv21", "height": 11}, "nv21 needs an even width and height"),
    ],
)
def test_unusable_images_are_refused_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    message = _message(_noise(3).reshape(HEIGHT, -1), "bgr8")
    broken = SimpleNamespace(**{**vars(message), **fields})
    for refuse in (check_image_message, convert_image):
        with pytest.raises(ImageError, match=reason):
            refuse(broken)


@pytest.mark.parametrize("encoding", ["uyvy", "yuv422", "yuyv", "yuv422_yuy2"])
def test_odd_width_yuv_is_refused(encoding: str) -> None:
    message = _message(np.zeros((HEIGHT, 2 * WIDTH), np.uint8), encoding, width=WIDTH - 1)
    with pytest.raises(ImageError, match=f"{encoding} needs an even width, not 15"):
        convert_image(message)


def test_a_fallback_takes_the_other_encodings() -> None:
    message = _message(_noise(3).reshape(HEIGHT, -1), "bgr16")
    made = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    check_image_message(message, lambda _: made)
    assert convert_image(message, lambda _: made).image is made


@pytest.mark.parametrize(
    ("suffix", "kind", "tolerance"),
    [
        (".png", "colour", 0),
        (".png", "grey", 0),
        (".png", "sixteen bit", 0),
        (".jpg", "colour", 100),  # the noise's colours are smeared; the shape is what counts
        (".jpg", "grey", 8),
    ],
)
def test_compressed_images(suffix: str, kind: str, tolerance: int) -> None:
    smooth = cv2.resize(_noise(3)[:3, :4], (64, 48), interpolation=cv2.INTER_CUBIC)
    picture = smooth if kind == "colour" else smooth[:, :, 0]
    if kind == "sixteen bit":
        picture = picture.astype(np.uint16) * 257
    data = array.array("B", cv2.imencode(suffix, picture)[1].tobytes())
    image, order = convert_compressed(SimpleNamespace(format="bgr8; compressed", data=data))
    expected = smooth if kind == "colour" else np.repeat(smooth[:, :, :1], 3, axis=2)
    assert (image.dtype, image.shape, order) == (np.uint8, (48, 64, 3), "bgr")
    assert np.abs(image.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff"])
def test_damaged_compressed_images_are_refused(data: bytes) -> None:
    message = SimpleNamespace(format="jpeg", data=array.array("B", data))
    with pytest.raises(ImageError, match="compressed image"):
        convert_compressed(message)


def _compressed(picture: np.ndarray, suffix: str, *options: int) -> SimpleNamespace:
    data = array.array("B", cv2.imencode(suffix, picture, list(options))[1].tobytes())
    return SimpleNamespace(format=suffix, data=data)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_large_pictures_are_refused_before_they_are_decoded(
    suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = _compressed(np.zeros((3000, 4000, 3), np.uint8), suffix)
    assert convert_compressed(message).image.shape == (3000, 4000, 3)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="4000x3000 pixels are more than max_image_pixels = 1000"):
        convert_compressed(message, ImageLimits(max_pixels=1000))


def test_pictures_that_take_more_effort_must_be_smaller() -> None:
    limits = ImageLimits(max_pixels=100 * 150)
    picture = np.zeros((100, 120, 3), np.uint8)
    assert convert_compressed(_compressed(picture, ".jpg"), limits).image.shape == (100, 120, 3)
    progressive = _compressed(picture, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    deep = _compressed(picture.astype(np.uint16), ".png")
    for message in (progressive, deep):
        with pytest.raises(ImageError, match="max_image_pixels"):
            convert_compressed(message, limits)
        assert convert_compressed(message).image.shape == (100, 120, 3)


@pytest.mark.parametrize("suffix", [".webp", ".tiff", ".jp2", ".bmp"])
def test_other_formats_must_be_allowed(suffix: str) -> None:
    message = _compressed(np.zeros((48, 64, 3), np.uint8), suffix)
    with pytest.raises(ImageError, match="compressed_formats = jpeg,png; send one of these"):
        convert_compressed(message)
    allowed = ImageLimits(formats=(suffix[1:],))
    assert convert_compressed(message, allowed).image.shape == (48, 64, 3)


def test_a_large_raw_image_is_refused() -> None:
    message = SimpleNamespace(
        encoding="mono8", height=6001, width=6000, step=6000, is_bigendian=0, data=bytes(36_006_000)
    )
    with pytest.raises(ImageError, match="max_image_pixels = 36000000; send smaller"):
        check_image_message(message)


def test_text_of_others_is_bounded_and_on_one_line() -> None:
    message = SimpleNamespace(
        encoding="a\n[ERROR] " + "x" * 10**7, height=4, width=4, step=4, is_bigendian=0, data=b""
    )
    with pytest.raises(ImageError) as error:
        check_image_message(message)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


@settings(max_examples=300, deadline=None)
@given(
    encoding=st.sampled_from([*ENCODINGS, "32FC1", "bayer_rggb16", ""]),
    height=st.integers(0, 40),
    width=st.integers(0, 40),
    step=st.integers(0, 200),
    bigendian=st.integers(0, 255),
    size=st.integers(0, 9000),
)
def test_any_fields_give_an_image_or_a_reason(
    encoding: str, height: int, width: int, step: int, bigendian: int, size: int
) -> None:
    message = SimpleNamespace(
        encoding=encoding,
        height=height,
        width=width,
        step=step,
        is_bigendian=bigendian,
        data=array.array("B", bytes(size)),
    )
    try:
        image = convert_image(message).image
    except ImageError as error:
        assert str(error)
        return
    assert image.dtype == np.uint8
    assert image.shape[:2] == (height, width)
    assert np.asarray(image).sum() >= 0  # every byte can be read
