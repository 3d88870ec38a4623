"""How operators ask for targets: topics and services, there in every state of the node."""

import time
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import Point, PointStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import RegionOfInterest

from litetrack_ros.errors import shown
from litetrack_ros.msg import InitBox
from litetrack_ros.node.compat import LaterAnswers
from litetrack_ros.node.detections import DetectionHistory, DetectionQuery
from litetrack_ros.node.frames import ReceivedFrame
from litetrack_ros.node.init_boxes import MAX_ID_BYTES, name_fault
from litetrack_ros.node.messages import ns_to_stamp, stamp_to_ns
from litetrack_ros.node.requests import InitRequest, Outcome, RequestDesk
from litetrack_ros.node.sizes import Box, Size
from litetrack_ros.node.vision import NOT_INSTALLED, detection_set, vision_msgs
from litetrack_ros.srv import Select

# None of them may be lost while the node loads a model, and they are small.
_QOS = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)

_SERVE_S = 0.02

# Hears reliable detectors and best-effort ones.
_DETECTIONS_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)

Seen = tuple[ReceivedFrame | None, ReceivedFrame | None, Size | None]


class SelectionInput:
    """The topics ~/init_*, the service ~/select, and the detections that it may ask for.

    Args:
        node: creates them.
        desk: takes the requests.
        seen: asks for the newest frame held, the one with a stamp, and the size of the images.
        refusal: asks why no request can be taken now, empty where it can.
        wake: called after a request was put or detections have come.

    Attributes:
        detections: those that have come, None where vision_msgs is not installed.
    """

    def __init__(
        self,
        node: Node,
        desk: RequestDesk,
        seen: Callable[[int], Seen],
        refusal: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._seen = seen
        self._refusal = refusal
        self._wake = wake
        self._answers = LaterAnswers(node)
        node.create_subscription(InitBox, "~/init_box", self._on_box, _QOS)
        node.create_subscription(RegionOfInterest, "~/init_roi", self._on_roi, _QOS)
        node.create_subscription(Point, "~/init_point", self._on_point, _QOS)
        node.create_subscription(PointStamped, "~/init_point_stamped", self._on_stamped_point, _QOS)
        self.detections: DetectionHistory | None = None
        module = vision_msgs()
        if module is not None:
            self.detections = DetectionHistory(node.resolve_topic_name("detections"))
            node.create_subscription(
                module.Detection2DArray, "detections", self._on_detections, _DETECTIONS_QOS
            )
        self._answers.create_service(Select, "~/select", self._on_select, _QOS)

    def send_answers(self) -> None:
        """Send the answers of the requests that have ended; in the executor's thread only."""
        self._answers.send()

    def serve_until(self, is_done: Callable[[], bool]) -> None:
        """Answer calls of ~/select while another thread is at work for this callback."""
        while not is_done():
            self._answers.serve()
            time.sleep(_SERVE_S)
        self._answers.serve()

    def _on_box(self, message: Any) -> None:
        box = (message.x, message.y, message.width, message.height)
        self._put(message.target_id, stamp_to_ns(message.header.stamp), box)

    def _on_roi(self, message: Any) -> None:
        x, y = float(message.x_offset), float(message.y_offset)
        self._put("", 0, (x, y, float(message.width), float(message.height)))

    def _on_point(self, message: Any) -> None:
        self._put("", 0, (message.x, message.y, 0.0, 0.0), is_point=True)

    def _on_stamped_point(self, message: Any) -> None:
        box = (message.point.x, message.point.y, 0.0, 0.0)
        self._put("", stamp_to_ns(message.header.stamp), box, is_point=True)

    def _on_detections(self, message: Any) -> None:
        assert self.detections is not None  # whoever subscribes has made it
        self.detections.add(detection_set(message, stamp_to_ns(message.header.stamp)))
        self._wake()

    def _on_select(self, asked: Any, answer: Callable[[Any], None]) -> None:
        is_box = asked.mode == Select.Request.BOX
        size = (asked.width, asked.height) if is_box else (0.0, 0.0)
        query, refusal = self._query(asked)
        self._put(
            asked.target_id,
            stamp_to_ns(asked.stamp),
            (asked.x, asked.y, *size),
            asked.mode == Select.Request.POINT,
            refusal,
            lambda request: answer(select_response(request)),
            asked.class_id,
            query,
        )

    def _query(self, asked: Any) -> tuple[DetectionQuery | None, str]:
        """The detection that a call means, if any, or why there can be none."""
        modes = Select.Request
        if asked.mode in (modes.BOX, modes.POINT):
            return None, ""
        if asked.mode not in (modes.DETECTION_ID, modes.CLASS_NEAREST):
            return None, f"there is no mode {asked.mode}"
        if self.detections is None:
            return None, NOT_INSTALLED
        if asked.mode == modes.CLASS_NEAREST:
            return DetectionQuery(None, asked.class_id, (asked.x, asked.y)), ""
        if not asked.detection_id:
            return None, "its detection_id is empty: give one, or select by CLASS_NEAREST"
        return DetectionQuery(asked.detection_id), ""

    def _put(
        self,
        target_id: str,
        stamp_ns: int,
        box: Box,
        is_point: bool = False,
        refusal: str = "",
        on_end: Callable[[InitRequest], None] | None = None,
        class_id: str = "",
        query: DetectionQuery | None = None,
    ) -> None:
        newest, meant, size = self._seen(stamp_ns)
        fault = name_fault("target id", target_id) or name_fault("class_id", class_id)
        if fault:  # the event of its refusal goes out with the id
            target_id = shown(target_id, MAX_ID_BYTES)
        request = InitRequest(
            target_id,
            stamp_ns,
            box,
            time.perf_counter(),
            newest,
            is_point,
            class_id,
            query,
            meant=meant if query is None else None,
            image_size=size,
            on_end=on_end,
        )
        self._desk.put(request, self._refusal() or fault or refusal)
        self._wake()


def select_response(request: InitRequest) -> Any:
    """The answer to ~/select once its request has ended."""
    ending = request.ending
    assert ending is not None  # told at its end
    x, y, width, height = ending.box_xywh
    return Select.Response(
        accepted=ending.outcome is Outcome.ACCEPTED,
        reason=ending.reason,
        stamp=ns_to_stamp(ending.stamp_ns),
        caught_up=ending.caught_up,
        x=x,
        y=y,
        width=width,
        height=height,
    )
