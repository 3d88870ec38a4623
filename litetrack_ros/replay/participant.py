"""The benchmark's side of the DDS traffic: publishes images, subscribes to the node's results."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image

from litetrack_ros.msg import FrameTiming, InitBox, TrackedBoxArray

NODE_NAME = "litetrack"
_RELIABLE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
# Offered as reliable, the images suit every subscription; the node's decides.
_IMAGES = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class Participant:
    """A ROS node of our own, spun by a thread. All topics lie in one namespace.

    Args:
        namespace: with a leading slash.
        compressed: whether the images are ``CompressedImage``.
        on_boxes: takes ``TrackedBoxArray`` messages.
        on_timing: takes ``FrameTiming`` messages.
        on_diagnostics: takes ``DiagnosticArray`` messages.
    """

    def __init__(
        self,
        namespace: str,
        compressed: bool,
        on_boxes: Callable[[Any], None],
        on_timing: Callable[[Any], None],
        on_diagnostics: Callable[[Any], None],
    ) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node(
            "benchmark",
            namespace=namespace,
            context=self._context,
            enable_rosout=False,
            start_parameter_services=False,
        )
        kind, topic = (CompressedImage, "image/compressed") if compressed else (Image, "image")
        self._images = self._node.create_publisher(kind, topic, _IMAGES)
        self._inits = self._node.create_publisher(InitBox, f"{NODE_NAME}/init_box", _RELIABLE)
        self._subscriptions = [
            self._node.create_subscription(type_, name, callback, _RELIABLE)
            for type_, name, callback in (
                (TrackedBoxArray, f"{NODE_NAME}/tracked_boxes", on_boxes),
                (FrameTiming, f"{NODE_NAME}/timing", on_timing),
                (DiagnosticArray, "diagnostics", on_diagnostics),
            )
        ]
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="collector", daemon=True)
        self._thread.start()

    def publish_image(self, data: bytes) -> None:
        """Publish a serialised image as it is."""
        self._images.publish(data)

    def publish_init(
        self, target_id: str, box_xywh: tuple[float, float, float, float], stamp_ns: int
    ) -> None:
        """Select a target in the image with a stamp."""
        x, y, width, height = (float(v) for v in box_xywh)
        message = InitBox(target_id=target_id, x=x, y=y, width=width, height=height)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        self._inits.publish(message)

    @property
    def is_matched(self) -> bool:
        """Whether the node hears us, and we hear it, on every topic."""
        return bool(
            self._images.get_subscription_count()
            and self._inits.get_subscription_count()
            and all(self._node.count_publishers(s.topic_name) for s in self._subscriptions)
        )

    def close(self) -> None:
        """End the participant and its thread."""
        self._executor.shutdown(timeout_sec=2)
        self._context.try_shutdown()
        self._thread.join(2)
        self._node.destroy_node()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):  # close() may be faster
            self._executor.spin()
