"""A robot's camera with depth beside the node in tests, and what it hears of its targets."""

from __future__ import annotations

import array
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from litetrack_ros.media.scene import DrawnScene

SIZE = (640, 480)
FOCAL = 500.0
SCENE = DrawnScene(frames=40)


class Robot:
    """A camera with depth and a gyroscope, and the messages that come of it, by topic."""

    def __init__(self, node: Any, client: Any, topics: tuple[tuple[Any, str], ...]) -> None:
        from sensor_msgs.msg import CameraInfo, Image, Imu

        self.node, self.client = node, client
        self.heard: dict[str, list[Any]] = {name: [] for _, name in topics}
        for kind, name in topics:
            client.node.create_subscription(kind, name, self.heard[name].append, 100)
        self.info = client.node.create_publisher(CameraInfo, "camera_info", 10)
        self.depth = client.node.create_publisher(Image, "depth", 10)
        self.imu = client.node.create_publisher(Imu, "imu", 100)
        self.stamp_ns = 0

    def camera_info(self, focal: float = FOCAL, **changes: Any) -> Any:
        from sensor_msgs.msg import CameraInfo

        message = CameraInfo(width=SIZE[0], height=SIZE[1], distortion_model="plumb_bob")
        message.header.frame_id = "camera"
        message.k = [focal, 0.0, 319.5, 0.0, focal, 239.5, 0.0, 0.0, 1.0]
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    def depth_image(self, depth_m: float, encoding: str = "16UC1", frame: str = "camera") -> Any:
        from sensor_msgs.msg import Image

        from litetrack_ros.node.messages import ns_to_stamp

        if encoding == "16UC1":
            pixels = np.full(SIZE[::-1], round(1e3 * depth_m), np.uint16)
        else:
            pixels = np.full(SIZE[::-1], depth_m, np.float32)
        message = Image(width=SIZE[0], height=SIZE[1], encoding=encoding, step=pixels.strides[0])
        message.header.frame_id = frame
        message.header.stamp = ns_to_stamp(self.stamp_ns)
        message.data = array.array("B", pixels.tobytes())
        return message

    def play(self, frames: range, before: Callable[[], None] = lambda: None) -> None:
        """Publish frames of the scene in step, stamped now; the first one's box is selected."""
        for index in frames:
            self.stamp_ns = time.time_ns()
            before()
            self.client.spin_for(0.01)
            self.client.send(SCENE.frame(index), self.stamp_ns)
            if index == 0:
                self.client.boxes_for(self.stamp_ns)
                self.client.select(SCENE.box_xywh(0), self.stamp_ns, "mug/1")
                self.client.spin_for(0.2)
            else:
                self.client.boxes_for(self.stamp_ns)
        self.client.spin_for(0.1)

    def notices(self) -> str:
        """What the diagnostics of images say now."""
        return " ".join(
            f"{status.message} {[v.value for v in status.values]}"
            for message in self.client.diagnostics[-3:]
            for status in message.status
        )

    def told(self, words: str) -> None:
        """Wait for a notice."""
        self.client.spin_until(lambda: words in self.notices(), 5.0, f"a notice with '{words}'")
