"""Crops over the border are those of an image padded anew each time, in any order and thread."""

from __future__ import annotations

import threading

import cv2
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from litetrack_ros.crop import CropRegion, extract_crop

RNG = np.random.RandomState(0)
IMAGES = [
    RNG.randint(1, 255, (48, 64, 3)).astype(np.uint8),
    RNG.randint(1, 65535, (30, 90)).astype(np.uint16),
    RNG.randint(1, 255, (70, 20, 4)).astype(np.uint8),
]


def reference_crop(image: np.ndarray, region: CropRegion) -> np.ndarray:
    """The authors' way: pad the part inside with copyMakeBorder, then resize."""
    height, width = image.shape[:2]
    x1, y1 = region.x0_px, region.y0_px
    x2, y2 = x1 + region.side_px, y1 + region.side_px
    left, right = max(0, -x1), max(x2 - width + 1, 0)
    top, bottom = max(0, -y1), max(y2 - height + 1, 0)
    inside = image[y1 + top : y2 - bottom, x1 + left : x2 - right]
    padded = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.resize(padded, (region.size_px, region.size_px)))


@st.composite
def crops(draw: st.DrawFn) -> tuple[int, CropRegion]:
    which = draw(st.integers(0, len(IMAGES) - 1))
    height, width = IMAGES[which].shape[:2]
    # Some of the box lies inside, as the tracker's clipping sees to.
    w, h = draw(st.floats(10, 2 * width)), draw(st.floats(10, 2 * height))
    x = draw(st.floats(-w + 8, width - 8))
    y = draw(st.floats(-h + 8, height - 8))
    region = CropRegion.around((x, y, w, h), draw(st.sampled_from([2.0, 4.0])), 32)
    # The region of a long box may lie outside even so; the reference's slices go wrong there.
    assume(region.x0_px + region.side_px > 0 and region.y0_px + region.side_px > 0)
    assume(region.x0_px < width - 1 and region.y0_px < height - 1)
    return which, region


def test_a_region_outside_is_black():
    above = CropRegion(-22, -55, 54, 32, (5.0, -28.0))
    assert not extract_crop(IMAGES[0], above).any()


@settings(deadline=None)
@given(st.lists(crops(), min_size=1, max_size=6))
def test_a_crop_does_not_see_the_crops_before_it(sequence: list[tuple[int, CropRegion]]):
    for which, region in sequence:
        expected = reference_crop(IMAGES[which], region)
        np.testing.assert_array_equal(extract_crop(IMAGES[which], region), expected)


def test_threads_do_not_see_each_other():
    region = CropRegion.around((-5.0, -5.0, 40.0, 40.0), 4.0, 64)
    pictures = [np.full((50, 50, 3), value, dtype=np.uint8) for value in (50, 100, 150, 200)]
    expected = [reference_crop(picture, region) for picture in pictures]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(200):
            if not np.array_equal(extract_crop(pictures[number], region), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_huge_region_is_given_back():
    image = np.full((40, 40, 3), 9, dtype=np.uint8)
    huge = CropRegion(-4000, -4000, 8000, 32, (0.0, 0.0))
    np.testing.assert_array_equal(extract_crop(image, huge), reference_crop(image, huge))
    small = CropRegion(-4, -4, 80, 32, (0.0, 0.0))
    np.testing.assert_array_equal(extract_crop(image, small), reference_crop(image, small))
