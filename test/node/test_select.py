"""Selecting with the mouse: the view with injected events, and its way over DDS to the node."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from litetrack_ros.node.overlay import DrawnBox
from litetrack_ros.node.select_view import MAX_HELD, SelectView
from litetrack_ros.tracker.state import State

DOWN, MOVE, UP = cv2.EVENT_LBUTTONDOWN, cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONUP
TRACKED = DrawnBox("", (30.0, 20.0, 40.0, 30.0), State.TRACKING, 0.9)


def _picture(value: int) -> np.ndarray:
    return np.full((120, 160, 3), value, np.uint8)


def _shown_value(view: SelectView) -> int:
    """The ground of the picture that is shown, away from boxes and text."""
    canvas = view.canvas()
    assert canvas is not None
    return int(canvas[-1, -1, 0])


def test_before_the_first_picture_nothing_happens() -> None:
    view = SelectView()
    assert view.canvas() is None
    assert view.on_mouse(DOWN, 1, 1) is None
    assert view.on_mouse(UP, 50, 50) is None


@pytest.mark.parametrize(
    ("start", "end", "box"),
    [
        ((10, 20), (60, 50), [10, 20, 50, 30]),
        ((60, 50), (10, 20), [10, 20, 50, 30]),
        ((100, 100), (500, 500), [100, 100, 60, 20]),
        ((50, 50), (-20, -20), [0, 0, 50, 50]),
    ],
)
def test_a_drag_in_any_direction_is_a_box(
    start: tuple[int, int], end: tuple[int, int], box: list[float]
) -> None:
    view = SelectView()
    view.add_image(_picture(10), 7)
    assert view.on_mouse(DOWN, *start) is None
    assert view.on_mouse(MOVE, *end) is None
    selection = view.on_mouse(UP, *end)
    assert selection is not None
    assert (selection.box_xywh.tolist(), selection.stamp_ns) == (box, 7)
    assert not selection.is_point


def test_a_click_is_a_point_and_the_hint_can_be_read() -> None:
    view = SelectView()
    view.add_image(_picture(10), 7)
    before = view.canvas()
    view.on_mouse(DOWN, 50, 50)
    selection = view.on_mouse(UP, 52, 51)
    assert selection is not None and selection.is_point
    assert (selection.box_xywh.tolist(), selection.stamp_ns) == ([52, 51, 0, 0], 7)
    view.hint = "refused: nothing to tell from its surroundings"
    after = view.canvas()
    assert before is not None and after is not None and (before != after).any()


def test_the_picture_stands_still_during_a_drag_and_its_stamp_goes_out() -> None:
    view = SelectView()
    view.add_image(_picture(10), 1)
    view.on_mouse(DOWN, 10, 10)
    view.add_image(_picture(20), 2)
    view.add_boxes([TRACKED], 2)
    assert _shown_value(view) == 10
    view.on_mouse(MOVE, 60, 50)
    canvas = view.canvas()
    assert canvas is not None and (canvas[50, 10:60] != 10).any()  # the box being dragged
    selection = view.on_mouse(UP, 60, 50)
    assert selection is not None and selection.stamp_ns == 1
    view.add_image(_picture(30), 3)
    assert _shown_value(view) == 30


def test_boxes_are_drawn_on_the_picture_they_belong_to() -> None:
    view = SelectView()
    view.add_image(_picture(10), 1)
    view.add_image(_picture(20), 2)
    assert _shown_value(view) == 20
    view.add_boxes([TRACKED], 1)
    assert _shown_value(view) == 10
    canvas = view.canvas()
    assert canvas is not None and (canvas[20:50, 30] != 10).any()
    view.add_image(_picture(30), 3)
    assert _shown_value(view) == 10  # until its boxes come
    view.add_boxes([], 3)  # the target is gone: the newest picture again
    view.add_image(_picture(40), 4)
    assert _shown_value(view) == 40


def test_when_the_tracker_falls_silent_the_camera_is_shown_again() -> None:
    view = SelectView()
    view.add_image(_picture(1), 1)
    view.add_boxes([TRACKED], 1)
    for stamp in range(2, 2 + MAX_HELD):
        view.add_image(_picture(stamp), stamp)
    assert _shown_value(view) == 1 + MAX_HELD


def test_pictures_without_boxes_do_not_pile_up() -> None:
    view = SelectView()
    for stamp in range(3 * MAX_HELD):
        view.add_image(_picture(stamp), stamp)
    view.add_boxes([TRACKED], 0)
    assert _shown_value(view) == 3 * MAX_HELD - 1


@pytest.mark.ros
def test_a_dragged_box_starts_the_node_on_that_picture(
    live_node: Callable[..., Any], client: Any
) -> None:
    from litetrack_ros.node.select_client import SelectClient

    node = live_node()
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()
    view = SelectView()
    operator = SelectClient(view, "image", "litetrack", target_id="cup")
    try:
        client.spin_until(lambda: client.images.get_subscription_count() == 2, 20, "both readers")
        picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)

        stamps = itertools.count(10**9, 33 * 10**6)

        def step() -> bool:
            """The camera goes on; whether the view shows something."""
            client.send(picture, next(stamps))
            client.spin_for(0.05)
            operator.spin(0.05)
            return view.canvas() is not None

        client.spin_until(step, 20, "a picture in the view")
        view.on_mouse(DOWN, 40, 30)
        step()  # the camera does not wait
        selection = view.on_mouse(UP, 90, 70)
        assert selection is not None
        client.spin_until(lambda: operator.send(selection), 20, "the node to listen")
        client.spin_until(
            lambda: step() and any(m.boxes for m in client.boxes), 20, "boxes from the node"
        )
        assert client.boxes[-1].boxes[0].target_id == "cup"
        answers: list[str] = []

        def answered() -> bool:
            step()
            answers.extend(operator.take_answers())
            return bool(answers)

        client.spin_until(answered, 20, "an answer")
        (line,) = answers
        assert (
            line.startswith("accepted: box 40, 30, 50, 40 in the image of 1") and view.hint == line
        )
        step()
        view.on_mouse(DOWN, 0, 0)  # noise is plain nowhere, but the corner is a point of parts
        point = view.on_mouse(UP, 1, 1)
        assert point is not None and operator.send(point)
        client.spin_until(lambda: step() and view.hint != line, 20, "another answer")
        assert view.hint.startswith("refused: the point (1, 1) looks like parts")
        client.spin_until(lambda: step() and view._boxes, 20, "boxes in the view")
    finally:
        operator.close()
