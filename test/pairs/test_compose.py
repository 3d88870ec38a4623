"""A crop that is drawn alone is the crop that a tracker would take from the whole frame."""

import numpy as np
import pytest
from training_pictures import PLAIN_LOOK, STRAIGHT_POSE, textured

from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.pairs.compose import Frame, Layer, clip_xyxy_to_xywh, draw_crop, draw_window
from litetrack_ros.pairs.materials import make_sprite
from litetrack_ros.pairs.placement import Placement, shift, zoom
from litetrack_ros.pairs.poses import place

WIDTH, HEIGHT = 200, 150


@pytest.fixture
def frame() -> Frame:
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
    return Frame(WIDTH, HEIGHT, photo, placement, layers, PLAIN_LOOK)


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
def test_crop_equals_the_trackers(frame: Frame, box_xywh: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(0)
    region = CropRegion.around(box_xywh, 4.0, 256)
    whole = draw_window(frame, 0, 0, WIDTH, HEIGHT, rng)
    expected = extract_crop(whole, region).astype(int)
    crop = draw_crop(frame, region, rng)
    assert np.abs(crop - expected).max() <= 1  # coordinates are float32


def test_region_outside_the_frame_is_black(frame: Frame) -> None:
    region = CropRegion.around((500, 500, 20, 20), 4.0, 64)
    assert not draw_crop(frame, region, np.random.default_rng(0)).any()


def test_upper_layers_hide_lower_ones(frame: Frame) -> None:
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
