"""From a point to boxes: what is found on drawn scenes, odd images, borders, and every refusal."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest

from litetrack_ros.errors import BoxError, ImageError
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.point_boxes import (
    CROP_PX,
    GREY,
    LARGEST_SIDE,
    MAX_CANDIDATES,
    Candidate,
    Taps,
    cut_square,
    propose_boxes,
    square_sides,
)

SCENE = DrawnScene(frames=1, width=320, height=240)
FRAME, BOX = SCENE.frame(0), SCENE.box_xywh(0)
PLAIN = np.full((240, 320, 3), 120, np.uint8)


def middle(box_xywh: FloatArray) -> tuple[float, float]:
    x, y = box_xywh[:2] + 0.5 * box_xywh[2:]
    return float(x), float(y)


def disc(
    width: int, height: int, box_xywh: tuple[float, float, float, float]
) -> tuple[np.ndarray, FloatArray]:
    """A bright ellipse with a light middle on a dull ground, and its box cut to the picture."""
    ground = np.random.default_rng(0).normal(90, 6, (height, width, 3))
    picture = cv2.GaussianBlur(ground.clip(0, 255).astype(np.uint8), (3, 3), 0.8)
    x, y, w, h = box_xywh
    center, axes = (int(x + w / 2), int(y + h / 2)), (int(w / 2), int(h / 2))
    cv2.ellipse(picture, center, axes, 0, 0, 360, (40, 60, 230), -1, cv2.LINE_AA)
    inner = (int(w / 5), int(h / 5))
    cv2.ellipse(picture, center, inner, 0, 0, 360, (200, 220, 240), -1, cv2.LINE_AA)
    low, high = np.maximum([x, y], 0), np.minimum([x + w, y + h], [width, height])
    return picture, np.concatenate([low, high - low])


def best_overlap(candidates: Sequence[Candidate], box_xywh: FloatArray) -> float:
    return max(float(overlap(one.box_xywh, box_xywh)) for one in candidates)


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 720)])
@pytest.mark.parametrize("seed", range(4))
def test_the_object_of_a_drawn_scene_is_the_first_candidate(
    size: tuple[int, int], seed: int
) -> None:
    scene = DrawnScene(*size, frames=30, seed=seed)
    box = scene.box_xywh(7 * seed)
    candidates = propose_boxes(scene.frame(7 * seed), middle(box))
    assert overlap(candidates[0].box_xywh, box) >= 0.5


def test_candidates_differ_lie_within_the_image_and_repeat() -> None:
    candidates = propose_boxes(FRAME, middle(BOX))
    assert 1 <= len(candidates) <= MAX_CANDIDATES
    for index, one in enumerate(candidates):
        assert one.box_xywh.shape == (4,) and one.box_xywh.dtype == np.float64
        assert 0 <= one.confidence <= 1
        assert (one.box_xywh[:2] >= 0).all() and (one.box_xywh[2:] >= 1).all()
        assert (one.box_xywh[:2] + one.box_xywh[2:] <= (320, 240)).all()
        assert all(overlap(one.box_xywh, c.box_xywh) < 0.6 for c in candidates[:index])
    again = propose_boxes(FRAME, middle(BOX))
    assert all((a.box_xywh == b.box_xywh).all() for a, b in zip(candidates, again, strict=True))


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image[:, :, 1].copy(),
        lambda image: image[:, :, 1:2].copy(),
        lambda image: np.dstack([image, image[:, :, :1]]),
        lambda image: image.astype(np.uint16) << 8,
        lambda image: np.asfortranarray(image),
        lambda image: np.tile(image, (2, 2, 1))[:240, :320],
    ],
    ids=["grey", "one channel", "four channels", "16 bit", "column-major", "a view"],
)
def test_unusual_images(convert: Callable[[np.ndarray], np.ndarray]) -> None:
    assert best_overlap(propose_boxes(convert(FRAME), middle(BOX)), BOX) >= 0.5


def test_colour_order_is_heeded() -> None:
    bgr = propose_boxes(FRAME, middle(BOX), "bgr")[0]
    rgb = propose_boxes(np.ascontiguousarray(FRAME[:, :, ::-1]), middle(BOX), "rgb")[0]
    assert (bgr.box_xywh == rgb.box_xywh).all() and bgr.confidence == rgb.confidence


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((640, 480), (300, 200, 10, 10)),
        ((640, 480), (300, 200, 24, 60)),
        ((640, 480), (-30, 180, 80, 80)),
        ((640, 480), (600, 440, 80, 80)),
        ((640, 480), (20, 15, 600, 450)),
        ((1280, 720), (640, 360, 12, 12)),
        ((1280, 720), (40, 30, 1200, 660)),
    ],
    ids=["tiny", "slim", "left border", "corner", "huge", "tiny at 720p", "huge at 720p"],
)
def test_objects_of_every_size_and_at_borders(
    size: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    picture, truth = disc(*size, box)
    assert best_overlap(propose_boxes(picture, middle(truth)), truth) >= 0.5


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (16, 16), (8, 400)])
def test_the_smallest_images_give_a_box_or_a_sentence(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    try:
        candidates = propose_boxes(image, (0.0, 0.0))
    except BoxError as error:
        assert "nothing to tell" in str(error)
    else:
        limit = (shape[1], shape[0])
        assert all((c.box_xywh[:2] + c.box_xywh[2:] <= limit).all() for c in candidates)


@pytest.mark.parametrize("corner", [(0, 0), (319.9, 0), (0, 239.9), (319.9, 239.9)])
def test_the_corners_of_the_image_belong_to_it(corner: tuple[float, float]) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert propose_boxes(picture, corner)


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ((-1, 20), "outside the 320x240 image"),
        ((20, -0.1), "outside the 320x240 image"),
        ((320, 20), "outside the 320x240 image"),
        ((20, 240), "outside the 320x240 image"),
        ((1e9, 1e9), "outside the 320x240 image"),
        ((0.5, 0.5), "give pixels of the 320x240 image"),
        ((1.0, 0.25), "give pixels of the 320x240 image"),
        ((float("nan"), 20), "not finite"),
        ((20, float("inf")), "not finite"),
        ((20,), "two numbers x y, got 1"),
        ((20, 20, 20), "two numbers x y, got 3"),
        (("here", 20), "must be two numbers x y"),
        (None, "two numbers x y"),
    ],
)
def test_points_that_point_at_nothing(point: Any, words: str) -> None:
    with pytest.raises(BoxError, match=words):
        propose_boxes(FRAME, point)


@pytest.mark.parametrize("noise", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("level", [0, 120, 255])
def test_plain_ground_is_refused(level: int, noise: float) -> None:
    rng = np.random.default_rng(3)
    picture = rng.normal(level, noise, PLAIN.shape).clip(0, 255).astype(np.uint8)
    with pytest.raises(BoxError, match="nothing to tell from its surroundings"):
        propose_boxes(picture, (160, 120))


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageError):
        propose_boxes(FRAME.astype(float), middle(BOX))


def test_a_second_tap_takes_the_next_candidate_and_another_place_starts_anew() -> None:
    taps, (x, y) = Taps(), middle(BOX)
    offered = propose_boxes(FRAME, (x, y))
    assert len(offered) > 1
    taken = [taps.candidate(FRAME, (x, y)) for _ in range(len(offered) + 1)]
    for one, wanted in zip(taken, [*offered, offered[0]], strict=True):
        assert (one.box_xywh == wanted.box_xywh).all()
    beside = taps.candidate(FRAME, (x + 4, y + 4))  # a finger does not hit the same pixel
    assert (beside.box_xywh != propose_boxes(FRAME, (x + 4, y + 4))[0].box_xywh).any()
    elsewhere = (30.0, 200.0)
    first = propose_boxes(FRAME, elsewhere)[0]
    assert (taps.candidate(FRAME, elsewhere).box_xywh == first.box_xywh).all()
    taps.forget()
    assert (taps.candidate(FRAME, elsewhere).box_xywh == first.box_xywh).all()


def test_a_refused_tap_does_not_count() -> None:
    taps, point = Taps(), middle(BOX)
    for _ in range(2):
        with pytest.raises(BoxError):
            taps.candidate(PLAIN, point)
    assert (taps.candidate(FRAME, point).box_xywh == propose_boxes(FRAME, point)[0].box_xywh).all()


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (640, 480), (1280, 720), (3840, 2160)])
def test_squares_grow_evenly_and_cover_the_image(size: tuple[int, int]) -> None:
    sides = square_sides(*size)
    assert sides == sorted(set(sides)) and all(side % 2 == 0 for side in sides)
    assert sides[-1] >= LARGEST_SIDE * max(size) * 0.99


@pytest.mark.parametrize("side", [20, 64, 128, 300, 1000])
@pytest.mark.parametrize("center", [(160, 120), (0, 0), (319, 239)])
def test_a_square_lies_around_its_centre(side: int, center: tuple[int, int]) -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[: center[1], : center[0]] = 250
    square = cut_square(picture, center, side)
    assert square.shape == (CROP_PX, CROP_PX, 3)
    half = CROP_PX // 2
    if center == (160, 120):
        assert (square[half - 3, half - 3] > 150).all() and (square[half + 2, half + 2] < 50).all()
    if center == (0, 0):
        assert (square[: half - 1] == GREY).all() and (square[:, : half - 1] == GREY).all()
        assert (square[half + 1, half + 1] == 0).all()
