"""The least a Python node can do with an image: prints how old each one is in its callback, ms.

``python -m litetrack_ros.replay.bare_subscriber TOPIC``, until SIGINT; for comparison with the
tracker node.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from litetrack_ros.node.messages import stamp_to_ns


def main(topic: str) -> None:
    """Subscribe and print."""
    rclpy.init(args=[])
    node = rclpy.create_node("bare_subscriber")
    clock = node.get_clock()
    ages_ms: list[float] = []

    def on_image(message: Any) -> None:
        ages_ms.append(1e-6 * (clock.now().nanoseconds - stamp_to_ns(message.header.stamp)))

    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_subscription(Image, topic, on_image, qos)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    print("\n".join(f"{age:.4f}" for age in ages_ms), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
