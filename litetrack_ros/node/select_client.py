"""The ROS side of the window for selecting a target."""

from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from litetrack_ros.errors import ImageError
from litetrack_ros.images import to_bgr8
from litetrack_ros.msg import TrackedBoxArray
from litetrack_ros.node.conversion import convert_compressed, convert_image
from litetrack_ros.node.messages import ns_to_stamp, stamp_to_ns
from litetrack_ros.node.overlay import DrawnBox
from litetrack_ros.node.select_view import Selection, SelectView
from litetrack_ros.srv import Select
from litetrack_ros.tracker.state import State


class SelectClient:
    """Brings pictures and boxes to a view, and its selections to the tracker node.

    Args:
        view: shows them.
        image_topic: of the raw images; the compressed ones lie below it.
        node_name: of the tracker node, with its namespace.
        compressed: take the compressed images.
        target_id: goes with every selection.
    """

    def __init__(
        self,
        view: SelectView,
        image_topic: str,
        node_name: str,
        compressed: bool = False,
        target_id: str = "",
    ) -> None:
        self._view = view
        self._target_id = target_id
        self._convert = convert_compressed if compressed else convert_image
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[])
        self.node = rclpy.create_node("litetrack_select", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        kind, topic = (Image, image_topic)
        if compressed:
            kind, topic = CompressedImage, f"{image_topic}/compressed"
        self.node.create_subscription(kind, topic, self._on_image, newest)
        self.node.create_subscription(
            TrackedBoxArray, f"{node_name}/tracked_boxes", self._on_boxes, reliable
        )
        self._service = self.node.create_client(Select, f"{node_name}/select")
        self._answers: list[str] = []

    def spin(self, timeout_s: float) -> None:
        """Handle what came, waiting at most so long for the first of it."""
        self._executor.spin_once(timeout_sec=timeout_s)

    def send(self, selection: Selection) -> bool:
        """Ask the node for a selection; False if there is none. The view's hint has the answer."""
        if not self._service.service_is_ready():
            return False
        x, y, width, height = (float(v) for v in selection.box_xywh)
        request = Select.Request(
            mode=Select.Request.POINT if selection.is_point else Select.Request.BOX,
            stamp=ns_to_stamp(selection.stamp_ns),
            target_id=self._target_id,
        )
        request.x, request.y, request.width, request.height = x, y, width, height
        self._service.call_async(request).add_done_callback(self._on_answer)
        return True

    def take_answers(self) -> list[str]:
        """What the node answered since the last time, a line each."""
        lines, self._answers = self._answers, []
        return lines

    @property
    def service_name(self) -> str:
        """Of the node's service that selections go to."""
        return str(self._service.srv_name)

    @property
    def is_running(self) -> bool:
        """Whether ROS has not been shut down by a signal."""
        return bool(self._context.ok())

    def close(self) -> None:
        """End the participant."""
        self._executor.shutdown(timeout_sec=0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def _on_image(self, message: Any) -> None:
        try:
            converted = self._convert(message)
        except ImageError as error:
            self.node.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        self._view.add_image(to_bgr8(*converted), stamp_to_ns(message.header.stamp))

    def _on_answer(self, future: Any) -> None:
        line = answer_line(future.result())
        self._view.hint = line
        self._answers.append(line)

    def _on_boxes(self, message: Any) -> None:
        boxes = [
            DrawnBox(b.target_id, (b.x, b.y, b.width, b.height), State(b.state), b.score)
            for b in message.boxes
        ]
        self._view.add_boxes(boxes, stamp_to_ns(message.header.stamp))


def answer_line(answer: Any) -> str:
    """What ``~/select`` answered, for people."""
    if not answer.accepted:
        return f"refused: {answer.reason}"
    box = ", ".join(f"{v:.0f}" for v in (answer.x, answer.y, answer.width, answer.height))
    stamp_s = f"{answer.stamp.sec}.{answer.stamp.nanosec:09d}"
    return f"accepted: box {box} in the image of {stamp_s}, {answer.caught_up} images caught up"
