"""Plays pictures to a tracker node as a camera would, and brings its boxes and times together."""

from __future__ import annotations

import array
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from litetrack_ros.errors import ReplayError
from litetrack_ros.geometry import BoxLike
from litetrack_ros.images import Uint8Image
from litetrack_ros.node.messages import ns_to_stamp, stamp_to_ns
from litetrack_ros.replay.participant import Participant

TARGET_ID = "target"
READY_TIMEOUT_S = 60.0
PATIENCE_S = 2.0  # a picture without an answer is handed on after this long


@dataclass
class PlayedFrame:
    """A picture that went to the node.

    Attributes:
        image: BGR.
        sent_s: when, ``time.perf_counter``.
        boxes: the node's answer, ``TrackedBoxArray``, None without one.
        answer_ms: from publishing the picture to the answer's arrival here.
        timing: the node's ``FrameTiming``.
    """

    image: Uint8Image
    sent_s: float
    boxes: Any = None
    answer_ms: float = float("nan")
    timing: Any = None


class DemoCamera:
    """Publishes pictures and collects what the node says to each.

    Args:
        namespace: of the node.
        check: called now and then; raises when the node is gone.
    """

    def __init__(self, namespace: str, check: Callable[[], None]) -> None:
        self._check = check
        self._open: OrderedDict[int, PlayedFrame] = OrderedDict()
        self._lock = threading.Lock()
        self.last_timing: Any = None
        self._participant = Participant(
            namespace, False, self._on_boxes, self._on_timing, lambda _: None
        )

    def wait_ready(self) -> None:
        """Wait until the node hears and is heard.

        Raises:
            ReplayError: not within a minute.
        """
        deadline_s = time.perf_counter() + READY_TIMEOUT_S
        while not self._participant.is_matched:
            self._check()
            if time.perf_counter() > deadline_s:
                raise ReplayError(
                    f"no tracker node answered within {READY_TIMEOUT_S:g} s: is it running, on "
                    "the same ROS_DOMAIN_ID?"
                )
            time.sleep(0.05)

    def play(
        self, images: Iterable[Uint8Image], box_xywh: BoxLike, fps: float
    ) -> Iterator[PlayedFrame]:
        """Publish pictures at a steady rate, the target selected on the first.

        Yields:
            Every picture in order, with the answer if one came in time.
        """
        due_s = time.perf_counter()
        for index, image in enumerate(images):
            self._check()
            time.sleep(max(0.0, due_s - time.perf_counter()))
            due_s = max(due_s, time.perf_counter() - 1.0 / fps) + 1.0 / fps
            stamp_ns = time.time_ns()
            if index == 0:
                x, y, width, height = (float(v) for v in box_xywh)
                # The node waits for the picture with this stamp.
                self._participant.publish_init(TARGET_ID, (x, y, width, height), stamp_ns)
            data = serialize_message(_message(image, stamp_ns))
            with self._lock:
                self._open[stamp_ns] = PlayedFrame(image, time.perf_counter())
            self._participant.publish_image(data)
            yield from self._finished(time.perf_counter() - PATIENCE_S)
        deadline_s = time.perf_counter() + PATIENCE_S
        while self._open and time.perf_counter() < deadline_s:
            time.sleep(0.02)
            yield from self._finished(deadline_s - 2 * PATIENCE_S)
        yield from self._finished(float("inf"))

    def close(self) -> None:
        """End the participant."""
        self._participant.close()

    def _finished(self, before_s: float) -> list[PlayedFrame]:
        """Take out the oldest frames: answered, overtaken by an answered one, or too old."""
        with self._lock:
            answered = [stamp for stamp, frame in self._open.items() if frame.timing is not None]
            newest = answered[-1] if answered else 0
            taken = []
            for stamp, frame in list(self._open.items()):
                if stamp > newest and frame.sent_s > before_s:
                    break
                taken.append(self._open.pop(stamp))
            return taken

    def _on_boxes(self, message: Any) -> None:
        arrived_s = time.perf_counter()
        with self._lock:
            frame = self._open.get(stamp_to_ns(message.header.stamp))
            if frame is not None:
                frame.boxes = message
                frame.answer_ms = 1e3 * (arrived_s - frame.sent_s)

    def _on_timing(self, message: Any) -> None:
        with self._lock:
            self.last_timing = message
            frame = self._open.get(stamp_to_ns(message.header.stamp))
            if frame is not None:
                frame.timing = message


def _message(image: Uint8Image, stamp_ns: int) -> Image:
    height, width = image.shape[:2]
    message = Image(height=height, width=width, encoding="bgr8", step=3 * width)
    message.header.stamp = ns_to_stamp(stamp_ns)
    message.header.frame_id = "demo_camera"
    message.data = array.array("B")
    message.data.frombytes(image.tobytes())
    return message
