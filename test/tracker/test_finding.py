"""A target that comes back elsewhere is found there, and nothing else is taken for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import MultiTracker

SCENE = DrawnScene(320, 240, frames=40)
OTHER = DrawnScene(320, 240, frames=40, seed=5)
SHOWN, AWAY, BACK = 4, 12, 20


def moved(box: FloatArray, by: tuple[int, int]) -> FloatArray:
    return box + np.array([*by, 0, 0])


def on_canvas(image: Uint8Image, corner: tuple[int, int]) -> Uint8Image:
    canvas = np.full((720, 1280, 3), 110, dtype=np.uint8)
    x, y = corner
    canvas[y : y + 240, x : x + 320] = image
    return canvas


def video(comes_back: bool) -> Iterator[tuple[Uint8Image, FloatArray | None]]:
    """The scene in one corner, then another scene, then the first in the opposite corner."""
    for k in range(SHOWN):
        yield on_canvas(SCENE.frame(k), (40, 40)), moved(SCENE.box_xywh(k), (40, 40))
    for k in range(AWAY + (0 if comes_back else BACK)):
        yield on_canvas(OTHER.frame(k), (500, 300)), None
    for k in range(SHOWN, SHOWN + BACK if comes_back else SHOWN):
        yield on_canvas(SCENE.frame(k), (940, 460)), moved(SCENE.box_xywh(k), (940, 460))


def track(
    search_crops: int, comes_back: bool, targets: int = 1, found_likeness: float = 0.8
) -> tuple[list[list[TrackResult]], list[FloatArray | None]]:
    backend = open_backend()
    config = dataclasses.replace(
        backend.tracker_config,
        lost_threshold=0.3,
        lost_after_frames=3,
        search_crops=search_crops,
        found_likeness=found_likeness,
        found_after_frames=2,
    )
    tracker = MultiTracker(backend, config)
    results: list[list[TrackResult]] = []
    truth: list[FloatArray | None] = []
    for image, box in video(comes_back):
        if not truth:
            assert box is not None
            found = [tracker.init(image, box, str(k)) for k in range(targets)]
        else:
            found = tracker.update(image)
            tracker.refresh()
        results.append(found)
        truth.append(box)
    return results, truth


@pytest.mark.parametrize(("search_crops", "found"), [(0, False), (2, True)])
def test_a_target_is_found_in_the_opposite_corner(search_crops: int, found: bool) -> None:
    results, truth = track(search_crops, comes_back=True)
    assert results[SHOWN + AWAY - 1][0].state is State.LOST
    right = [
        one.state is State.TRACKING and bool(overlap(one.box_xywh, box) > 0.5)
        for [one], box in zip(results[SHOWN + AWAY :], truth[SHOWN + AWAY :], strict=True)
        if box is not None
    ]
    assert right[-1] == found


@pytest.mark.parametrize(("found_likeness", "taken"), [(0.8, False), (0.2, True)])
def test_another_object_is_not_taken_for_it(found_likeness: float, taken: bool) -> None:
    """Drawn objects are of one shape; their colours part them."""
    results, _ = track(2, comes_back=False, found_likeness=found_likeness)
    assert results[SHOWN + 3][0].state is State.LOST
    assert any(one.state is State.TRACKING for [one] in results[SHOWN + 4 :]) == taken


def test_the_same_video_gives_the_same_results_whenever_refreshed() -> None:
    first, _ = track(2, comes_back=True, targets=2)
    again, _ = track(2, comes_back=True, targets=2)
    for one, two in zip(first, again, strict=True):
        for a, b in zip(one, two, strict=True):
            assert a.state is b.state and a.box_xywh.tolist() == b.box_xywh.tolist()


def test_another_size_of_the_image_does_not_disturb_the_search() -> None:
    backend = open_backend()
    config = dataclasses.replace(backend.tracker_config, search_crops=2)
    tracker = MultiTracker(backend, config)
    frames = [image for image, _ in video(comes_back=False)]
    tracker.init(frames[0], moved(SCENE.box_xywh(0), (40, 40)))
    for image in frames[SHOWN:10]:
        tracker.update(image)
    tracker.rescale(0.5, 0.5)
    for image in frames[10:16]:
        [result] = tracker.update(np.ascontiguousarray(image[::2, ::2]))
        assert np.isfinite(result.box_xywh).all()
