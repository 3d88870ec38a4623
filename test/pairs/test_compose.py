"""A crop that is drawn alone is the crop that a tracker would take from the whole frame."""

import numpy as np
import pytest
from training_pictures import PLAIN_LOOK, STRAIGHT_POSE, textured

from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.pairs.compose import (
    Composition,
    Layer,
    draw_crop,
    draw_distractor_count,
    draw_distractors,
    draw_occluder,
    draw_window,
)
from litetrack_ros.pairs.materials import Materials, make_sprite
from litetrack_ros.pairs.poses import Placement, clip_xyxy_to_xywh, covered_part, place, shift, zoom

WIDTH, HEIGHT = 200, 150


@pytest.fixture
def frame() -> Composition:
    """A photo with an object in its middle and another beside it, bent and tilted."""
    rng = np.random.default_rng(0)
    rgba = np.dstack([textured(rng, 60, 40), np.full((40, 60), 255, np.uint8)])
    sprite = make_sprite(rgba)
    pose = STRAIGHT_POSE._replace(
        angle_rad=0.3, tilt=(0.1, 0.1), bend=(0.03, 0.02, 2.0, 1.0, 1.0, 3.0, 0.0, 1.0)
    )
    layers = [
        Layer(sprite, place(sprite.outline_xy, pose, center, 45.0))
        for center in ((100.0, 75.0), (140.0, 90.0))
    ]
    photo = textured(rng, 130, 100)
    placement = Placement(shift(5.0, 3.0) @ zoom(1.4, 1.4))
    return Composition(WIDTH, HEIGHT, photo, placement, layers, PLAIN_LOOK)


@pytest.mark.parametrize(
    "box_xywh",
    [
        (90, 65, 20, 20),
        (80, 50, 50, 60),
        (0, 0, 30, 20),
        (170, 120, 30, 30),
        (150, 100, 20, 20),  # its region ends with the frame
        (149, 100, 20, 20),  # ... one pixel before it
        (-20, 60, 30, 30),
        (60, 40, 120, 90),  # its region is larger than the frame
    ],
)
def test_crop_equals_the_trackers(frame: Composition, box_xywh: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(0)
    region = CropRegion.around(box_xywh, 4.0, 256)
    whole = draw_window(frame, 0, 0, WIDTH, HEIGHT, rng)
    expected = extract_crop(whole, region).astype(int)
    crop = draw_crop(frame, region, rng)
    assert np.abs(crop - expected).max() <= 1  # coordinates are float32


def test_region_outside_the_frame_is_black(frame: Composition) -> None:
    region = CropRegion.around((500, 500, 20, 20), 4.0, 64)
    assert not draw_crop(frame, region, np.random.default_rng(0)).any()


def test_upper_layers_hide_lower_ones(frame: Composition) -> None:
    rng = np.random.default_rng(0)
    red = frame.layers[0]._replace(tones=np.zeros((256, 1, 3), np.uint8))
    hidden = draw_window(frame._replace(layers=[*frame.layers, red]), 0, 0, WIDTH, HEIGHT, rng)
    assert not hidden[70:80, 95:105].any()


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((10, 20, 30, 50), (10, 20, 20, 30)),
        ((-10, -20, 30, 50), (0, 0, 30, 50)),
        ((190, 140, 230, 190), (190, 140, 10, 10)),
        ((210, 10, 230, 20), (200, 10, 0, 10)),
    ],
)
def test_clipping(bounds: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert clip_xyxy_to_xywh(np.array(bounds), WIDTH, HEIGHT).tolist() == list(expected)


TARGET = np.array([100.0, 80.0, 150.0, 110.0])


def test_share_of_distractors() -> None:
    rng = np.random.default_rng(0)
    counts = np.array([draw_distractor_count(rng, 0.55) for _ in range(500)])
    assert np.mean(counts >= 2) == pytest.approx(0.55, abs=0.06)
    assert counts.max() == 4


@pytest.mark.parametrize("seed", range(6))
def test_others_leave_the_target_visible(materials: Materials, seed: int) -> None:
    rng = np.random.default_rng(seed)
    region = CropRegion.around((100, 80, 50, 30), 4.0, 256)
    others = draw_distractors(rng, materials, region, TARGET, 39.0, 4, None)
    assert len(others) >= 2
    hidden = sum(covered_part(TARGET, other.bounds()) for other in others)
    assert hidden < 0.35
    for other in others:
        x, y = other.bounds().reshape(2, 2).mean(axis=0)
        assert region.x0_px <= x <= region.x0_px + region.side_px
        assert region.y0_px <= y <= region.y0_px + region.side_px
    occluder = draw_occluder(rng, materials, TARGET, 39.0, others)
    if occluder is not None:
        covered = covered_part(TARGET, occluder.bounds())
        assert covered > 0.08 and covered + hidden < 0.5


def test_occluders_are_found_mostly(materials: Materials) -> None:
    rng = np.random.default_rng(0)
    found = [draw_occluder(rng, materials, TARGET, 39.0, []) is not None for _ in range(50)]
    assert np.mean(found) > 0.7
