"""The node's own values as ROS messages, and the topics on which its results go out."""

import array
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from litetrack_ros.images import Uint8Image
from litetrack_ros.msg import FrameTiming, TargetEvent, TrackedBox, TrackedBoxArray
from litetrack_ros.node.annotations import Annotations
from litetrack_ros.node.diagnostics import NoticeBoard, SlidingWindow, Status
from litetrack_ros.node.events import Event, EventKind, LineLimiter
from litetrack_ros.node.frames import Counts, FrameSlot
from litetrack_ros.node.overlay import DrawnBox, draw_overlay
from litetrack_ros.node.preview import Preview
from litetrack_ros.node.tracked import Tracked
from litetrack_ros.node.vision import detections
from litetrack_ros.tracker.result import TrackResult

_STAGES = ("queue_wait", "conversion", "crop", "model", "decode", "publish", "total", "age")
WINDOW_S = 10.0
_NS_PER_S = 1_000_000_000

_RESULT_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_DEBUG_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
_BAD_NEWS = (EventKind.REFUSED, EventKind.LOST, EventKind.GIVEN_UP, EventKind.FAULT)
_MAX_NO_ANSWERS = 10  # images in a row; one may happen
_EVENT_QOS = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class EventOutput:
    """The topic ~/events, and a few of its lines in the log. Thread-safe.

    Args:
        node: creates the publisher.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._clock = node.get_clock()
        self._publisher = node.create_publisher(TargetEvent, "~/events", _EVENT_QOS)
        self._lines, self._fault_lines = LineLimiter(), LineLimiter()
        self._sequence = 0
        self._lock = threading.Lock()

    def tell(self, event: Event) -> None:
        """Publish an event."""
        if not self._node.context.ok():
            return  # this program is ending
        with self._lock:  # the sequence is that of the messages
            self._sequence += 1
            self._publisher.publish(
                event_message(event, self._clock.now().to_msg(), self._sequence)
            )
        kind = event.kind.name.lower().replace("_", " ")
        reason = f": {event.reason}" if event.reason else ""
        # What happens to targets must not hide that the model fails.
        is_fault = event.kind is EventKind.FAULT
        who = "" if is_fault else f"target '{event.target_id}' "
        lines = self._fault_lines if is_fault else self._lines
        line = lines.admit(f"{who}{kind}{reason}")
        if not line:
            return
        if event.kind in _BAD_NEWS:
            self._node.get_logger().warning(line)
        else:
            self._node.get_logger().info(line)

    def flush(self) -> None:
        """Tell in the log how many lines were left out of it."""
        line = self._lines.admit("")
        if line:
            self._node.get_logger().info(line)


class Outputs:
    """The node's result topics; an :class:`litetrack_ros.node.tracked.Output`.

    Args:
        node: creates the publishers.
        slot: counts frames.
        board: takes faults.
        values: the node's parameters, asked for each image.
        tell: takes events of targets.
        vision_msgs: the module ``vision_msgs.msg`` to publish ~/detections too, or None.
        default_class: the class there of targets that have none.
        follow_up: takes each image's results after they were sent.
    """

    def __init__(
        self,
        node: Node,
        slot: FrameSlot,
        board: NoticeBoard,
        values: Callable[[], Mapping[str, Any]],
        tell: Callable[[Event], None],
        vision_msgs: Any = None,
        default_class: str = "",
        follow_up: Callable[[Tracked], None] | None = None,
    ) -> None:
        self._follow_up = follow_up
        self._node = node
        self._slot = slot
        self._board = board
        self._values = values
        self.tell = tell  # see litetrack_ros.node.tracked.Output
        self._vision_msgs = vision_msgs
        self._default_class = default_class
        self._clock = node.get_clock()
        self._boxes = node.create_publisher(TrackedBoxArray, "~/tracked_boxes", _RESULT_QOS)
        self._timing = node.create_publisher(FrameTiming, "~/timing", _RESULT_QOS)
        self._debug = node.create_publisher(Image, "~/debug_image", _DEBUG_QOS)
        self._preview = Preview(node, values, self.report)
        self._annotations = Annotations(node)
        self._publishers = [self._boxes, self._timing, self._debug]
        if vision_msgs is not None:
            self._detections = node.create_publisher(
                vision_msgs.Detection2DArray, "~/detections", _RESULT_QOS
            )
            self._publishers.append(self._detections)
        self.windows = {stage: SlidingWindow(WINDOW_S) for stage in _STAGES}

    def send(self, tracked: Tracked, settle: Callable[[], None]) -> None:
        """See :class:`litetrack_ros.node.tracked.Output`."""
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
            self._detections.publish(
                detections(
                    self._vision_msgs,
                    header,
                    tracked.results,
                    tracked.classes,
                    self._default_class,
                )
            )
        self._check_answers(tracked)
        if self._follow_up is not None:
            self._follow_up(tracked)
        for stage, window in self.windows.items():
            window.add(getattr(timing, f"{stage}_ms"))

    def _check_answers(self, tracked: Tracked) -> None:
        """Tell where the network has given no answer for many images in a row."""
        worst = max(tracked.results, key=lambda result: result.no_answers, default=None)
        if worst is None or worst.no_answers < _MAX_NO_ANSWERS:
            self._board.end("no_answers")
            return
        text = (
            f"the network's answers for target '{worst.target_id}' are not finite, without size or "
            f"outside the image, {_MAX_NO_ANSWERS} images in a row: its weights may be damaged, or "
            "its precision too low"
        )
        self._board.post("no_answers", text)
        if worst.no_answers == _MAX_NO_ANSWERS:
            header = tracked.frame.header
            self.tell(Event(EventKind.FAULT, worst.target_id, text, header))

    def show(self, tracked: Tracked) -> None:
        """See :class:`litetrack_ros.node.tracked.Output`."""
        self._preview.offer(tracked)
        self._annotations.show(tracked)
        if not self._values()["debug_image"] or not self._debug.get_subscription_count():
            return
        boxes = [DrawnBox(r.target_id, r.box_xywh, r.state, r.score) for r in tracked.results]
        caption = f"model {tracked.timing.model_ms:.1f} ms"
        canvas = draw_overlay(*tracked.image, boxes, caption)
        self._debug.publish(bgr8_message(tracked.frame.message.header, canvas))

    def report(self, kind: str, message: str) -> None:
        """See :class:`litetrack_ros.node.tracked.Output`."""
        if self._node.context.ok():  # else this program is ending, and calls fail for that reason
            self._board.post(kind, message)

    def recovered(self, kind: str) -> None:
        """See :class:`litetrack_ros.node.tracked.Output`."""
        self._board.end(kind)

    def destroy(self) -> None:
        """Take the topics away."""
        self._preview.destroy()
        self._annotations.destroy()
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)


def stamp_to_ns(stamp: Time) -> int:
    """A message's stamp in nanoseconds."""
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)


def ns_to_stamp(stamp_ns: int) -> Time:
    """Nanoseconds as a message's stamp."""
    return Time(sec=stamp_ns // _NS_PER_S, nanosec=stamp_ns % _NS_PER_S)


def box_array(header: Header, results: Iterable[TrackResult]) -> TrackedBoxArray:
    """The boxes of one image."""
    boxes = []
    for result in results:
        x, y, width, height = (float(v) for v in result.box_xywh)
        boxes.append(
            TrackedBox(
                target_id=result.target_id,
                state=int(result.state),
                x=x,
                y=y,
                width=width,
                height=height,
                score=float(result.score),
                candidate_score=float(result.candidate_score),
                is_calibrated=bool(result.is_calibrated),
            )
        )
    return TrackedBoxArray(header=header, boxes=boxes)


def event_message(event: Event, node_stamp: Time, sequence: int) -> TargetEvent:
    """An event of a target."""
    x, y, width, height = (0.0,) * 4 if event.box_xywh is None else event.box_xywh
    return TargetEvent(
        header=Header() if event.header is None else event.header,
        node_stamp=node_stamp,
        sequence=sequence,
        event=int(event.kind),
        target_id=event.target_id,
        reason=event.reason,
        x=float(x),
        y=float(y),
        width=float(width),
        height=float(height),
    )


def frame_timing(
    tracked: Tracked, publish_ms: float, total_ms: float, age_ms: float, counts: Counts
) -> FrameTiming:
    """Where the time of one image went.

    Every duration is made a float: an int there aborts the process in the generated C code.
    """
    return FrameTiming(
        header=tracked.frame.message.header,
        queue_wait_ms=float(tracked.queue_wait_ms),
        conversion_ms=float(tracked.conversion_ms),
        crop_ms=float(tracked.timing.crop_ms),
        model_ms=float(tracked.timing.model_ms),
        decode_ms=float(tracked.timing.decode_ms),
        publish_ms=float(publish_ms),
        total_ms=float(total_ms),
        age_ms=float(age_ms),
        received=counts.received,
        processed=counts.processed,
        replaced=counts.replaced,
        caught_up=counts.caught_up,
        rejected=counts.rejected,
        ignored=counts.ignored,
    )


def bgr8_message(header: Header, image: Uint8Image) -> Image:
    """A BGR image ``(H, W, 3)`` as a message.

    The data goes through an ``array.array``: assigning an ndarray checks every byte, in Python.
    """
    height, width = image.shape[:2]
    data = array.array("B")
    data.frombytes(image.tobytes())
    return Image(
        header=header, height=height, width=width, encoding="bgr8", step=3 * width, data=data
    )


def diagnostic_array(
    stamp: Time, node_name: str, hardware_id: str, statuses: Iterable[Status]
) -> DiagnosticArray:
    """The message for /diagnostics, with names ``node: task``."""
    return DiagnosticArray(
        header=Header(stamp=stamp),
        status=[
            DiagnosticStatus(
                level=status.level.value,
                name=f"{node_name}: {status.task}",
                message=status.message,
                hardware_id=hardware_id,
                values=[KeyValue(key=k, value=v) for k, v in status.values.items()],
            )
            for status in statuses
        ],
    )
