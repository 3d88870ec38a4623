"""Boxes move with the picture of a moving camera."""

import dataclasses

import numpy as np
import pytest

import litetrack_ros as lt
from litetrack_ros.backends.base import Backend
from litetrack_ros.images import Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.camera_motion import camera_shift, reduce_picture
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker


def _textured(height: int, width: int, seed: int = 0) -> Image:
    noise = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def _window(image: Image, x: int, y: int, width: int, height: int) -> Image:
    return image[y : y + height, x : x + width]


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (320, 240), (480, 640)])
@pytest.mark.parametrize("move", [(0, 0), (24, -9), (-40, 31)])
@pytest.mark.parametrize("kind", ["colour", "grey", "mono16"])
def test_a_pan_is_measured_in_pixels(
    size: tuple[int, int], move: tuple[int, int], kind: str
) -> None:
    width, height = size
    scene = _textured(height + 200, width + 200)
    first = _window(scene, 100, 100, width, height)
    later = _window(scene, 100 - move[0], 100 - move[1], width, height)
    if kind != "colour":
        first, later = (cv2.cvtColor(i, cv2.COLOR_BGR2GRAY) for i in (first, later))
    if kind == "mono16":
        first, later = (i.astype(np.uint16) * 257 for i in (first, later))
    shift = camera_shift(reduce_picture(first), reduce_picture(later))
    assert np.abs(shift - move).max() < 0.01 * width


@pytest.mark.parametrize(
    ("first", "later"),
    [
        pytest.param(_textured(480, 640, 1), _textured(480, 640, 2), id="another scene"),
        pytest.param(_textured(480, 640, 1), _textured(640, 480, 1), id="another aspect"),
        pytest.param(np.zeros((480, 640), np.uint8), np.zeros((480, 640), np.uint8), id="black"),
        pytest.param(_textured(480, 640), np.full((480, 640, 3), 90, np.uint8), id="covered lens"),
    ],
)
def test_no_common_motion_is_none(first: Image, later: Image) -> None:
    assert (camera_shift(reduce_picture(first), reduce_picture(later)) == 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 4000), (4000, 2), (9, 5)])
def test_any_size_can_be_reduced(shape: tuple[int, int]) -> None:
    picture = reduce_picture(np.zeros(shape, np.uint8))
    assert max(picture.pixels.shape) == 160
    assert min(picture.pixels.shape) >= 2
    assert (camera_shift(picture, picture) == 0).all()


def _with(backend: Backend, follows_camera: bool) -> Tracker:
    return Tracker(
        backend, dataclasses.replace(backend.tracker_config, follows_camera=follows_camera)
    )


def test_a_small_target_is_kept_through_jerks_of_the_camera() -> None:
    """The picture moves by more than half of the search region each time."""
    backend = lt.open_backend()
    scene = _textured(900, 1200)
    cv2.rectangle(scene, (600, 400), (623, 423), (40, 40, 230), -1)
    cv2.circle(scene, (611, 411), 6, (250, 250, 250), -1)
    corners = [(300, 200), (300, 200), (342, 230), (300, 260), (345, 225), (300, 200)]
    errors = {}
    for follows in (True, False):
        tracker = _with(backend, follows)
        error = 0.0
        for index, (x, y) in enumerate(corners):
            image, true = _window(scene, x, y, 640, 480), np.array([600 - x, 400 - y, 24, 24])
            if index == 0:
                tracker.init(image, true)
                continue
            result = tracker.update(image)
            assert result is not None
            error = max(error, np.abs(result.box_xywh - true).max())
        errors[follows] = error
    assert errors[True] < 6
    assert errors[False] > 20


def test_a_held_box_moves_with_the_picture_and_stays_inside_it() -> None:
    backend = lt.open_backend()
    lost = dataclasses.replace(
        backend.tracker_config,
        follows_camera=True,
        lost_threshold=1.0,
        found_threshold=1.0,
        lost_after_frames=1,
    )
    tracker = Tracker(backend, lost)
    scene = _textured(900, 2600)
    tracker.init(_window(scene, 900, 200, 640, 480), (300, 200, 40, 40))
    for x in range(910, 1300, 30):
        result = tracker.update(_window(scene, x, 200, 640, 480))
        assert result is not None and result.state is State.LOST
        assert result.box_xywh[0] == pytest.approx(max(0.0, 300 - (x - 900)), abs=8)
    for x in range(1270, 1000, -30):
        result = tracker.update(_window(scene, x, 200, 640, 480))
    assert result is not None
    assert result.box_xywh[0] == pytest.approx(300 - (x - 900), abs=12)


def test_targets_that_join_later_are_moved_from_their_own_picture() -> None:
    backend = lt.open_backend()
    config = dataclasses.replace(backend.tracker_config, follows_camera=True)
    tracker = lt.MultiTracker(backend, config)
    scene = DrawnScene(frames=4)
    tracker.init(scene.frame(0), scene.box_xywh(0), target_id="first")
    tracker.update(scene.frame(1))
    tracker.init(scene.frame(1), scene.box_xywh(1), target_id="second")
    results = tracker.update(scene.frame(2))
    assert [r.state for r in results] == [State.TRACKING, State.TRACKING]
    assert np.abs(results[1].box_xywh - scene.box_xywh(2)).max() < 10
