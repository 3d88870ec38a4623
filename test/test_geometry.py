from __future__ import annotations

import numpy as np
import pytest

from litetrack_ros import geometry
from litetrack_ros.errors import BoxError


@pytest.mark.parametrize(
    ("function", "given", "wanted"),
    [
        (geometry.xywh_to_xyxy, [1, 2, 3, 4], [1, 2, 4, 6]),
        (geometry.xyxy_to_xywh, [1, 2, 4, 6], [1, 2, 3, 4]),
        (geometry.xywh_to_cxcywh, [1, 2, 3, 4], [2.5, 4, 3, 4]),
        (geometry.cxcywh_to_xywh, [2.5, 4, 3, 4], [1, 2, 3, 4]),
    ],
)
def test_formats(function, given: list[float], wanted: list[float]) -> None:
    assert function(given).tolist() == wanted
    assert function([[given, given]]).tolist() == [[wanted, wanted]]


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),
        ([0, 0, 10, 10], [5, 0, 10, 10], 1 / 3),
        ([0, 0, 10, 10], [10, 0, 10, 10], 0.0),
        ([0, 0, 10, 10], [2, 2, 5, 5], 0.25),
        ([3, 3, 0, 0], [3, 3, 0, 0], 0.0),
    ],
)
def test_overlap(a: list[float], b: list[float], wanted: float) -> None:
    assert geometry.overlap(a, b) == pytest.approx(wanted)
    assert geometry.overlap(b, a) == pytest.approx(wanted)


def test_overlap_is_nan_where_a_box_is() -> None:
    ratios = geometry.overlap([[0, 0, 1, 1], [np.nan] * 4], [[0, 0, 1, 1]])
    assert ratios[0] == 1.0 and np.isnan(ratios[1])


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ([10, 10, 20, 20], [10, 10, 20, 20]),
        ([-5, -5, 20, 20], [0, 0, 15, 15]),
        ([95, 75, 50, 50], [90, 70, 10, 10]),
        ([-50, 20, 20, 20], [0, 20, 10, 20]),
        ([50, 40, 2, 3], [50, 40, 10, 10]),
    ],
)
def test_clip(box: list[float], wanted: list[float]) -> None:
    assert geometry.clip_box_xywh(box, 100, 80, 10).tolist() == wanted


@pytest.mark.parametrize("box", [[0, 0, 5, 5], [-4, -4, 5, 5], [99, 79, 50, 50], (1.5, 2, 3, 4)])
def test_sound_init_box(box) -> None:
    assert geometry.check_init_box(box, 100, 80).tolist() == list(box)


@pytest.mark.parametrize(
    ("box", "complaint"),
    [
        ([np.nan, 0, 5, 5], "not finite"),
        ([0, 0, np.inf, 5], "not finite"),
        ([0, 0, 0, 5], "no positive"),
        ([0, 0, 5, -1], "no positive"),
        ([0, 0, 1e-300, 1e-300], "no positive"),
        ([0, 0, 201, 5], "more than twice as large"),
        ([0, 0, 5, 1e300], "more than twice as large"),
        ([100, 0, 5, 5], "outside the 100x80 image"),
        ([0, 80, 5, 5], "outside"),
        ([-5, 0, 5, 5], "outside"),
        ([0, 0, 5], "four numbers"),
        ("box", "four numbers"),
    ],
)
def test_faulty_init_box(box, complaint: str) -> None:
    with pytest.raises(BoxError, match=complaint):
        geometry.check_init_box(box, 100, 80)
