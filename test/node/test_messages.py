"""Results as ROS messages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from litetrack_ros.node.frames import Counts
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State

pytestmark = pytest.mark.ros


def _result(target_id: str = "cup", box: Any = (1.5, 2.5, 30.0, 40.0)) -> TrackResult:
    timing = StageTiming(1.0, 2.0, 3.0)
    return TrackResult(
        target_id,
        np.array(box),
        np.array(box),
        score=np.float32(0.75),
        candidate_score=np.float32(0.25),
        is_calibrated=True,
        response=0.5,
        state=State.LOST,
        timing=timing,
    )


def test_states_are_numbered_as_in_the_message() -> None:
    from litetrack_ros.msg import TrackedBox

    assert {state.name: getattr(TrackedBox, state.name) for state in State} == {
        state.name: int(state) for state in State
    }


def test_boxes_keep_header_order_and_numbers() -> None:
    from std_msgs.msg import Header

    from litetrack_ros.node.messages import box_array

    header = Header(frame_id="camera")
    header.stamp.sec = 7
    message = box_array(header, [_result("a"), _result("b", (0, 0, 1, 1))])
    assert (message.header.frame_id, message.header.stamp.sec) == ("camera", 7)
    assert [box.target_id for box in message.boxes] == ["a", "b"]
    first = message.boxes[0]
    assert (first.x, first.y, first.width, first.height) == (1.5, 2.5, 30.0, 40.0)
    assert (first.state, first.score, first.candidate_score) == (3, 0.75, 0.25)
    assert first.is_calibrated is True


def test_timing_takes_integers_too() -> None:
    from rclpy.serialization import serialize_message
    from std_msgs.msg import Header

    from litetrack_ros.node.messages import frame_timing

    tracked: Any = SimpleNamespace(
        frame=SimpleNamespace(message=SimpleNamespace(header=Header())),
        queue_wait_ms=1,
        conversion_ms=2,
        timing=StageTiming(3, 4, 5),
    )
    message = frame_timing(tracked, 6, 7, 8, Counts(received=3, processed=2, replaced=1))
    assert len(serialize_message(message)) > 100  # an int there would end this process
    assert (message.model_ms, message.total_ms, message.received) == (4.0, 7.0, 3)


@pytest.mark.parametrize("stamp_ns", [0, 1, 10**9 - 1, 1795374692713954977])
def test_stamps_there_and_back(stamp_ns: int) -> None:
    from litetrack_ros.node.messages import ns_to_stamp, stamp_to_ns

    assert stamp_to_ns(ns_to_stamp(stamp_ns)) == stamp_ns


def test_images_hold_every_byte() -> None:
    from std_msgs.msg import Header

    from litetrack_ros.node.messages import bgr8_message

    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    message = bgr8_message(Header(), image)
    assert (message.height, message.width, message.step, message.encoding) == (5, 7, 21, "bgr8")
    assert bytes(message.data) == image.tobytes()
