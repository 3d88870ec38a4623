"""Publishes what the worker found, and measures it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from litetrack_ros.msg import FrameTiming, TrackedBoxArray
from litetrack_ros.node.frame_slot import FrameSlot
from litetrack_ros.node.messages import bgr8_message, box_array, detections, frame_timing
from litetrack_ros.node.notices import NoticeBoard
from litetrack_ros.node.overlay import DrawnBox, draw_overlay
from litetrack_ros.node.statistics import SlidingWindow
from litetrack_ros.node.worker import Tracked

STAGES = (
    "queue_wait",
    "conversion",
    "crop",
    "model",
    "decode",
    "publish",
    "total",
    "age",
)
WINDOW_S = 10.0

_RESULT_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_DEBUG_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class Outputs:
    """The node's result topics; an :class:`litetrack_ros.node.worker.Output`.

    Args:
        node: creates the publishers.
        slot: counts frames.
        board: takes faults.
        wants_debug: whether ~/debug_image is switched on.
        vision_msgs: the module ``vision_msgs.msg`` to publish ~/detections too, or None.
    """

    def __init__(
        self,
        node: Node,
        slot: FrameSlot,
        board: NoticeBoard,
        wants_debug: Callable[[], bool],
        vision_msgs: Any = None,
    ) -> None:
        self._node = node
        self._slot = slot
        self._board = board
        self._wants_debug = wants_debug
        self._vision_msgs = vision_msgs
        self._clock = node.get_clock()
        self._boxes = node.create_publisher(TrackedBoxArray, "~/tracked_boxes", _RESULT_QOS)
        self._timing = node.create_publisher(FrameTiming, "~/timing", _RESULT_QOS)
        self._debug = node.create_publisher(Image, "~/debug_image", _DEBUG_QOS)
        self._publishers = [self._boxes, self._timing, self._debug]
        if vision_msgs is not None:
            self._detections = node.create_publisher(
                vision_msgs.Detection2DArray, "~/detections", _RESULT_QOS
            )
            self._publishers.append(self._detections)
        self.windows = {stage: SlidingWindow(WINDOW_S) for stage in STAGES}

    def send(self, tracked: Tracked, settle: Callable[[], None]) -> None:
        """See :class:`litetrack_ros.node.worker.Output`."""
        header = tracked.frame.message.header
        message = box_array(header, tracked.results)
        age_ms = 1e-6 * (self._clock.now().nanoseconds - tracked.frame.stamp_ns)
        before = time.perf_counter()
        self._boxes.publish(message)
        after = time.perf_counter()
        settle()
        total_ms = 1e3 * (after - tracked.frame.arrival_s)
        timing = frame_timing(tracked, 1e3 * (after - before), total_ms, age_ms, self._slot.counts)
        self._timing.publish(timing)
        if self._vision_msgs is not None:
            self._detections.publish(detections(self._vision_msgs, header, tracked.results))
        for stage, window in self.windows.items():
            window.add(getattr(timing, f"{stage}_ms"))

    def show(self, tracked: Tracked) -> None:
        """See :class:`litetrack_ros.node.worker.Output`."""
        if not self._wants_debug() or not self._debug.get_subscription_count():
            return
        boxes = [DrawnBox(r.target_id, r.box_xywh, r.state, r.score) for r in tracked.results]
        caption = f"model {tracked.timing.model_ms:.1f} ms"
        canvas = draw_overlay(*tracked.image, boxes, caption)
        self._debug.publish(bgr8_message(tracked.frame.message.header, canvas))

    def report(self, kind: str, message: str) -> None:
        """See :class:`litetrack_ros.node.worker.Output`."""
        if self._node.context.ok():  # else this program is ending, and calls fail for that reason
            self._board.post(kind, message)

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
