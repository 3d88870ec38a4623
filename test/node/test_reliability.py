"""The image subscription against reliable and best-effort cameras, on real DDS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros

PERIOD_NS = 33_000_000


@pytest.mark.parametrize("reliability", ["RELIABLE", "BEST_EFFORT"])
def test_any_publisher_is_heard_and_a_reliable_one_whole(
    start_node: Callable[..., Any], make_client: Callable[..., Any], reliability: str
) -> None:
    client = make_client(reliability=reliability)
    start_node()
    client.wait_for_node()
    stamps = [10**9 + PERIOD_NS * index for index in range(12)]
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    heard = 0
    for stamp in stamps:
        client.send(picture, stamp)
        if reliability == "RELIABLE":
            client.boxes_for(stamp)  # each one, though larger than Fast DDS's shared memory
        else:
            client.spin_for(0.1)
        heard = len(client.boxes)
    assert heard >= 1 if reliability == "BEST_EFFORT" else heard == len(stamps)


@pytest.mark.parametrize("reliability", ["RELIABLE", "BEST_EFFORT"])
def test_a_camera_that_is_there_first_is_asked_for_what_it_offers(
    live_node: Callable[..., Any], client: Any, reliability: str
) -> None:
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    from litetrack_ros.node.compat import event_module

    mismatches: list[Any] = []
    camera = client.node.create_publisher(
        Image,
        "/camera/image_raw",
        QoSProfile(depth=1, reliability=ReliabilityPolicy[reliability]),
        event_callbacks=event_module().PublisherEventCallbacks(incompatible_qos=mismatches.append),
    )
    node = live_node(ros_args=("-r", "image:=/camera/image_raw"))
    assert node.transition("configure")
    client.spin_until(
        lambda: node.node.count_publishers("/camera/image_raw"), 20, "the camera in the node's view"
    )
    assert node.transition("activate")
    client.spin_until(camera.get_subscription_count, 20, "the node's subscription")
    client.spin_for(0.3)
    assert mismatches == []  # nobody's log warns
    (heard,) = client.node.get_subscriptions_info_by_topic("/camera/image_raw")
    assert heard.qos_profile.reliability is ReliabilityPolicy[reliability]


def test_a_best_effort_camera_that_comes_later_is_heard_too(
    live_node: Callable[..., Any], client: Any
) -> None:
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    node = live_node(ros_args=("-r", "image:=/camera/image_raw"))
    assert node.transition("configure") and node.transition("activate")
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    camera = client.node.create_publisher(Image, "/camera/image_raw", qos)
    client.spin_until(camera.get_subscription_count, 20, "the node's best-effort subscription")
    (heard,) = client.node.get_subscriptions_info_by_topic("/camera/image_raw")
    assert heard.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT
