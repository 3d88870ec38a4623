"""How operators ask for targets: topics and services, there in every state of the node."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import RegionOfInterest

from litetrack_ros.errors import shown
from litetrack_ros.msg import InitBox
from litetrack_ros.node.compat import LaterAnswers
from litetrack_ros.node.frames import ReceivedFrame
from litetrack_ros.node.init_boxes import MAX_ID_BYTES, id_fault
from litetrack_ros.node.messages import ns_to_stamp, stamp_to_ns
from litetrack_ros.node.requests import Box, InitRequest, Outcome, RequestDesk
from litetrack_ros.node.sizes import Size
from litetrack_ros.srv import Select

# None of them may be lost while the node loads a model, and they are small.
_QOS = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)

_SERVE_S = 0.02

_UNSUPPORTED = {
    Select.Request.DETECTION_ID: "selecting a detection by its id is not supported yet",
    Select.Request.CLASS_NEAREST: "selecting a detection by its class is not supported yet",
}


class SelectionInput:
    """The topics ~/init_box and ~/init_roi, and the service ~/select.

    Args:
        node: creates them.
        desk: takes the requests.
        newest: asks for the newest frame held, and for the size of the images.
        refusal: asks why no request can be taken now, empty where it can.
        wake: called after a request was put.
    """

    def __init__(
        self,
        node: Node,
        desk: RequestDesk,
        newest: Callable[[], tuple[ReceivedFrame | None, Size | None]],
        refusal: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._newest = newest
        self._refusal = refusal
        self._wake = wake
        self._answers = LaterAnswers(node)
        node.create_subscription(InitBox, "~/init_box", self._on_box, _QOS)
        node.create_subscription(RegionOfInterest, "~/init_roi", self._on_roi, _QOS)
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

    def _on_select(self, asked: Any, answer: Callable[[Any], None]) -> None:
        is_point = asked.mode == Select.Request.POINT
        refusal = _UNSUPPORTED.get(asked.mode, "")
        if asked.mode > Select.Request.CLASS_NEAREST:
            refusal = f"there is no mode {asked.mode}"
        box = (asked.x, asked.y, *((0.0, 0.0) if is_point else (asked.width, asked.height)))
        stamp_ns = stamp_to_ns(asked.stamp)
        self._put(
            asked.target_id,
            stamp_ns,
            box,
            is_point,
            refusal,
            lambda request: answer(select_response(request)),
        )

    def _put(
        self,
        target_id: str,
        stamp_ns: int,
        box: Box,
        is_point: bool = False,
        refusal: str = "",
        on_end: Callable[[InitRequest], None] | None = None,
    ) -> None:
        newest, size = self._newest()
        if fault := id_fault(target_id):  # the event of its refusal goes out with it
            target_id = shown(target_id, MAX_ID_BYTES)
        request = InitRequest(
            target_id, stamp_ns, box, time.perf_counter(), newest, is_point, size, on_end
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
