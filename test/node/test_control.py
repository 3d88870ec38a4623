"""Predictions, bearings and ranges of a node in this process, over real DDS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_robot import FOCAL, Robot

pytestmark = pytest.mark.ros


@pytest.fixture
def robot(live_node: Callable[..., Any], client: Any) -> Callable[..., Any]:
    """A node with the shipped model and parameters, and what listens to it."""

    def make(*topics: tuple[Any, str], **parameters: Any) -> Robot:
        node = live_node(model="litetrack_nano", backend="onnx", **parameters)
        robot = Robot(node, client, topics)
        assert node.transition("configure")
        assert node.transition("activate")
        client.wait_for_node()
        return robot

    return make


def box_center(message: Any) -> np.ndarray:
    return np.array([message.x + message.width / 2, message.y + message.height / 2])


def test_all_of_it_over_dds(robot: Callable[..., Any]) -> None:
    from geometry_msgs.msg import PointStamped
    from visualization_msgs.msg import MarkerArray

    from litetrack_ros.msg import PredictedBoxArray, TargetBearingArray, TargetRangeArray

    names = ("predicted_boxes", "bearings", "ranges", "position", "markers")
    kinds = (PredictedBoxArray, TargetBearingArray, TargetRangeArray, PointStamped, MarkerArray)
    topics = [(kind, f"litetrack/{name}") for kind, name in zip(kinds, names, strict=True)]
    there = robot(*topics, predict_ms=0.0, bearing=True, range_from_depth=True)

    def before() -> None:
        there.info.publish(there.camera_info())
        there.depth.publish(there.depth_image(3.0))

    there.play(range(25), before)
    heard = {name: there.heard[f"litetrack/{name}"] for name in names}
    assert all(heard.values()), {name: len(messages) for name, messages in heard.items()}
    boxes = there.client.boxes[-1].boxes
    (predicted,) = heard["predicted_boxes"][-1].boxes
    assert predicted.target_id == "mug/1"
    stamp = heard["predicted_boxes"][-1].header.stamp
    ahead = heard["predicted_boxes"][-1].predicted_time
    ahead_ms = 1e3 * (ahead.sec - stamp.sec) + 1e-6 * (ahead.nanosec - stamp.nanosec)
    assert 0 < ahead_ms < 1000
    assert np.abs(box_center(predicted) - box_center(boxes[0])).max() < 80
    assert np.linalg.eigvalsh(np.array(predicted.covariance).reshape(4, 4)).min() > 0
    (bearing,) = heard["bearings"][-1].bearings
    assert heard["bearings"][-1].is_predicted
    u, v = box_center(predicted) - 0.5
    assert bearing.azimuth == pytest.approx(-math.atan((u - 319.5) / FOCAL), abs=1e-6)
    (found,) = heard["ranges"][-1].ranges
    assert found.source == found.DEPTH
    assert found.depth == pytest.approx(3.0, abs=1e-3)
    assert found.valid_share == 1.0
    u, v = box_center(boxes[0]) - (320.0, 240.0)
    place = 3.0 * np.array([u / FOCAL, v / FOCAL, 1.0])
    assert found.range == pytest.approx(np.linalg.norm(place), abs=1e-3)
    point = heard["position"][-1].point
    assert [point.x, point.y, point.z] == pytest.approx(place, abs=1e-2)
    assert heard["position"][-1].header.frame_id == "camera"
    assert len(heard["markers"][-1].markers) == 1


def test_predictions_come_at_a_rate_and_end(robot: Callable[..., Any]) -> None:
    from std_srvs.srv import Trigger

    from litetrack_ros.msg import PredictedBoxArray

    topic = "litetrack/predicted_boxes"
    there = robot(
        (PredictedBoxArray, topic), predict_ms=0.0, predict_rate_hz=50.0, predict_max_ms=400.0
    )
    there.play(range(8))
    heard = there.heard[topic]
    before = len(heard)
    there.client.spin_for(1.5)  # no images any more
    assert 8 <= len(heard) - before <= 30
    assert heard[-1].boxes == []
    assert sum(not message.boxes for message in heard[before:]) == 1
    last = [message for message in heard if message.boxes][-1]
    seen = last.boxes[0].last_seen
    at = last.predicted_time
    assert 0.3 < at.sec - seen.sec + 1e-9 * (at.nanosec - seen.nanosec) <= 0.4
    traces = [sum(m.boxes[0].covariance[::5]) for m in heard[before:] if m.boxes]
    assert traces == sorted(traces)
    there.play(range(8, 12))
    there.client.call(Trigger, "reset", Trigger.Request())
    there.client.spin_for(0.1)
    heard.clear()
    there.client.spin_for(0.3)
    assert [message for message in heard if message.boxes] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (None, "no camera_info came on /camera_info"),
        ({"focal": 0.0}, "uncalibrated"),
        ({"width": 320}, "is for images of 320x480 px"),
        ({"distortion_model": "omni", "d": [0.1, 0.2]}, "distortion model 'omni'"),
    ],
    ids=["missing", "uncalibrated", "another size", "unknown model"],
)
def test_unfit_camera_info_is_told_and_boxes_go_on(
    robot: Callable[..., Any], changes: dict[str, Any] | None, words: str
) -> None:
    from litetrack_ros.msg import TargetBearingArray

    there = robot((TargetBearingArray, "litetrack/bearings"), bearing=True)

    def before() -> None:
        if changes is not None:
            there.info.publish(there.camera_info(**changes))

    there.play(range(4), before)
    there.told(words)
    assert there.client.boxes[-1].boxes  # they never wait
    assert there.heard["litetrack/bearings"][-1].bearings == []
    there.play(range(4, 8), lambda: there.info.publish(there.camera_info()))
    assert there.heard["litetrack/bearings"][-1].bearings


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("none", "no depth image came"),
        ("stale", "the depth images are stale"),
        ("frame", "are not aligned"),
        ("encoding", "encoding 'bgr8'"),
    ],
)
def test_unfit_depth_is_told_and_gives_no_range(
    robot: Callable[..., Any], kind: str, words: str
) -> None:
    from litetrack_ros.msg import TargetRangeArray

    there = robot((TargetRangeArray, "litetrack/ranges"), range_from_depth=True)
    first: list[Any] = []

    def before() -> None:
        there.info.publish(there.camera_info())
        message = there.depth_image(2.0, frame="elsewhere" if kind == "frame" else "camera")
        if kind == "encoding":
            message.encoding = "bgr8"
        if kind == "stale":
            message = first[0] if first else message
            first.append(message)
        if kind != "none":
            there.depth.publish(message)

    there.play(range(6), before)
    there.told(words)
    assert there.heard["litetrack/ranges"][-1].ranges == []


def test_a_known_height_gives_a_range_marked_as_such(robot: Callable[..., Any]) -> None:
    from litetrack_ros.msg import TargetRangeArray

    there = robot((TargetRangeArray, "litetrack/ranges"), target_height_m=0.5)
    there.play(range(6), lambda: there.info.publish(there.camera_info()))
    (found,) = there.heard["litetrack/ranges"][-1].ranges
    assert found.source == found.KNOWN_HEIGHT
    assert found.depth == pytest.approx(
        0.5 * FOCAL / there.client.boxes[-1].boxes[0].height, rel=0.1
    )


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"target_height_m": 1.0, "publish_tf": True}, "need tf2"),
        ({"bearing": True, "turning": "imu"}, "need tf2"),
        ({"bearing": True, "turning": "imu", "turning_rotation": "1,2"}, "no quaternion"),
    ],
)
def test_what_cannot_be_had_refuses_to_configure(
    live_node: Callable[..., Any], parameters: dict[str, Any], words: str
) -> None:
    from litetrack_ros.node.compat import optional_module

    if "tf2" in words and optional_module("tf2_ros") is not None:
        pytest.skip("tf2 is installed")
    node = live_node(**parameters)
    assert not node.transition("configure")
    assert words in node.node._fault


def test_off_is_free(live_node: Callable[..., Any]) -> None:
    node = live_node()
    assert node.transition("configure")
    assert node.node._session.control is None
    names = {name for name, _ in node.node.get_topic_names_and_types()}
    assert not names & {"/camera_info", "/litetrack/predicted_boxes", "/litetrack/bearings"}
