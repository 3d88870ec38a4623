"""Places in another frame, with tf2 and vision_msgs built beside: they have no wheels."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_robot import FOCAL, Robot

pytestmark = pytest.mark.ros
tf2_ros = pytest.importorskip("tf2_ros")


@pytest.fixture
def robot(live_node: Callable[..., Any], client: Any) -> Callable[..., Robot]:
    def make(*topics: tuple[Any, str], **parameters: Any) -> Robot:
        node = live_node(model="litetrack_nano", backend="onnx", **parameters)
        made = Robot(node, client, topics)
        assert node.transition("configure")
        assert node.transition("activate")
        client.wait_for_node()
        return made

    return make


def send_mount(broadcaster: Any) -> None:
    """The camera looks along x of the map, 2 m above its origin: x right is -y, y down is -z."""
    from geometry_msgs.msg import TransformStamped

    from litetrack_ros.node.messages import ns_to_stamp

    mount = TransformStamped(child_frame_id="camera")
    mount.header.frame_id = "map"
    mount.header.stamp = ns_to_stamp(time.time_ns())
    mount.transform.translation.z = 2.0
    turn = mount.transform.rotation
    turn.x, turn.y, turn.z, turn.w = -0.5, 0.5, -0.5, 0.5
    broadcaster.sendTransform(mount)


def test_places_in_a_target_frame(robot: Callable[..., Robot]) -> None:
    from geometry_msgs.msg import PointStamped
    from tf2_msgs.msg import TFMessage

    vision = pytest.importorskip("vision_msgs.msg")
    topics = (
        (PointStamped, "litetrack/position"),
        (vision.Detection3DArray, "litetrack/detections_3d"),
        (TFMessage, "/tf"),
    )
    there = robot(
        *topics,
        range_from_depth=True,
        target_frame="map",
        publish_tf=True,
        publish_detections=True,
    )

    def before() -> None:
        there.info.publish(there.camera_info())
        there.depth.publish(there.depth_image(4.0))

    there.play(range(4), before)
    there.told("tf2 knows no way from 'camera' to target_frame 'map'")
    assert there.heard["litetrack/position"] == []  # and it did not wait
    send_mount(tf2_ros.StaticTransformBroadcaster(there.client.node))
    there.client.spin_for(0.5)
    there.play(range(4, 10), before)
    box = there.client.boxes[-1].boxes[0]
    u, v = box.x + box.width / 2 - 320, box.y + box.height / 2 - 240
    expected = np.array([4.0, -4.0 * u / FOCAL, 2.0 - 4.0 * v / FOCAL])
    position = there.heard["litetrack/position"][-1]
    assert position.header.frame_id == "map"
    assert [position.point.x, position.point.y, position.point.z] == pytest.approx(
        expected, abs=0.02
    )
    (frame,) = there.heard["/tf"][-1].transforms
    assert (frame.header.frame_id, frame.child_frame_id) == ("map", "target_mug_1")
    assert frame.transform.translation.x == pytest.approx(4.0, abs=0.02)
    (detection,) = there.heard["litetrack/detections_3d"][-1].detections
    assert detection.id == "mug/1"
    assert detection.bbox.size.x == pytest.approx(4.0 * box.width / FOCAL, rel=0.1)
    assert detection.results[0].pose.pose.position.x == pytest.approx(4.0, abs=0.02)


def test_the_gyroscopes_frame_is_looked_up(robot: Callable[..., Robot]) -> None:
    from litetrack_ros.msg import PredictedBoxArray
    from litetrack_ros.node.messages import ns_to_stamp

    there = robot(
        (PredictedBoxArray, "litetrack/predicted_boxes"),
        predict_ms=0.0,
        turning="imu",
    )
    send_mount(tf2_ros.StaticTransformBroadcaster(there.client.node))
    there.client.spin_for(0.5)

    def before() -> None:
        from sensor_msgs.msg import Imu

        there.info.publish(there.camera_info())
        message = Imu()
        message.header.frame_id = "map"
        message.header.stamp = ns_to_stamp(time.time_ns())
        message.angular_velocity.z = 0.25
        there.imu.publish(message)

    there.play(range(8), before)
    velocities = there.node.node._session.control._inputs._velocities
    assert velocities is not None
    # About the map's z, up, is about the optical frame's -y.
    assert velocities._values[-1] == pytest.approx([0.0, -0.25, 0.0], abs=1e-6)
