"""The other side of the node in tests: a camera, an operator, and a listener, on real DDS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

START_TIMEOUT_S = 90.0  # of a process that loads PyTorch, on a busy machine


class Client:
    """Publishes images and init boxes, collects boxes, timing and diagnostics."""

    def __init__(
        self, image_topic: str = "image", name: str = "litetrack", reliability: str = "RELIABLE"
    ) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

        from litetrack_ros.msg import FrameTiming, InitBox, TrackedBoxArray

        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        self.node = rclpy.create_node("client", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.name = name
        self._service_clients: dict[str, Any] = {}
        reliable = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
        image_type = CompressedImage if image_topic.endswith("/compressed") else Image
        image_qos = QoSProfile(depth=10, reliability=ReliabilityPolicy[reliability])
        self.images = self.node.create_publisher(image_type, image_topic, image_qos)
        self.inits = self.node.create_publisher(InitBox, f"{name}/init_box", reliable)
        self.rois = self.node.create_publisher(RegionOfInterest, f"{name}/init_roi", reliable)
        self.boxes: list[Any] = []
        self.timings: list[Any] = []
        self.diagnostics: list[Any] = []
        for kind, topic, messages in (
            (TrackedBoxArray, f"{name}/tracked_boxes", self.boxes),
            (FrameTiming, f"{name}/timing", self.timings),
            (DiagnosticArray, "/diagnostics", self.diagnostics),
        ):
            self.node.create_subscription(kind, topic, messages.append, reliable)

    def close(self) -> None:
        """End this participant."""
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.shutdown()

    def spin_until(self, condition: Callable[[], Any], timeout_s: float, what: str) -> None:
        """Handle messages until a condition holds; fails after the time."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {timeout_s} s"
            self.executor.spin_once(timeout_sec=0.02)

    def spin_for(self, duration_s: float) -> None:
        """Handle messages for some time."""
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.01)

    def wait_for_node(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the node is active and all topics are matched in both directions."""
        self.spin_until(
            lambda: (
                self.images.get_subscription_count()
                and self.inits.get_subscription_count()
                and self.rois.get_subscription_count()
                and self.node.count_publishers(f"{self.name}/tracked_boxes")
                and self.node.count_publishers(f"{self.name}/timing")
            ),
            timeout_s,
            "the node's topics",
        )

    def send(self, image: np.ndarray, stamp_ns: int, encoding: str = "bgr8") -> None:
        """Publish an array as an image."""
        import array

        from sensor_msgs.msg import Image

        from litetrack_ros.node.messages import ns_to_stamp

        message = Image(height=image.shape[0], width=image.shape[1], encoding=encoding)
        message.header.stamp = ns_to_stamp(stamp_ns)
        message.header.frame_id = "camera"
        message.step = image.strides[0]
        message.data = array.array("B", image.tobytes())
        self.images.publish(message)

    def select(self, box: Any, stamp_ns: int = 0, target_id: str = "") -> None:
        """Publish an init box."""
        from litetrack_ros.msg import InitBox
        from litetrack_ros.node.messages import ns_to_stamp

        x, y, width, height = (float(v) for v in box)
        message = InitBox(target_id=target_id, x=x, y=y, width=width, height=height)
        message.header.stamp = ns_to_stamp(stamp_ns)
        self.inits.publish(message)

    def ready_service(self, kind: Any, service: str, timeout_s: float = START_TIMEOUT_S) -> Any:
        """The client of one of the node's services, the same each time, once both have met."""
        if service not in self._service_clients:
            self._service_clients[service] = self.node.create_client(kind, f"{self.name}/{service}")
        client = self._service_clients[service]
        self.spin_until(client.service_is_ready, timeout_s, "the node's services")
        return client

    def call(
        self,
        kind: Any,
        service: str,
        request: Any,
        timeout_s: float = START_TIMEOUT_S,
        repeat_s: float | None = None,
    ) -> Any:
        """Call a service of the node.

        A response is lost where the node has not discovered the client yet; a request that may
        safely be made twice is repeated after ``repeat_s``.
        """
        client = self.ready_service(kind, service, timeout_s)
        end = time.monotonic() + timeout_s
        while True:
            future = client.call_async(request)
            sent = time.monotonic()
            while not future.done() and (repeat_s is None or time.monotonic() < sent + repeat_s):
                assert time.monotonic() < end, f"{service}: no answer within {timeout_s} s"
                self.executor.spin_once(timeout_sec=0.02)
            if future.done():
                return future.result()

    def boxes_for(self, stamp_ns: int, timeout_s: float = 10.0) -> Any:
        """Wait for the array of an image."""
        found: list[Any] = []

        def arrived() -> bool:
            found[:] = [m for m in self.boxes if stamp_of(m) == stamp_ns]
            return bool(found)

        self.spin_until(arrived, timeout_s, f"boxes of the image stamped {stamp_ns}")
        return found[0]


def stamp_of(message: Any) -> int:
    """The stamp of a message's header, ns."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)
