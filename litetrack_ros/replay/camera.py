"""A scripted camera before a tracker node: for the demo, and to measure what the node adds.

The measurement sends images by turns to the tracker node and to a bare subscriber, the least that
a Python node can do with an image, so that both meet the same load, and neither waits for the
other's copy.
"""

from __future__ import annotations

import array
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from litetrack_ros.child_processes import ending_with_us
from litetrack_ros.config import ModelChoice
from litetrack_ros.files import scratch_folder
from litetrack_ros.geometry import BoxLike
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.msg import FrameTiming, InitBox
from litetrack_ros.node.dds import stay_on_this_machine, use_image_profile
from litetrack_ros.node.messages import bgr8_message, ns_to_stamp, stamp_to_ns
from litetrack_ros.replay.node_process import NodeProcess
from litetrack_ros.replay.session import (
    NODE_NAME,
    RELIABLE_QOS,
    START_TIMEOUT_S,
    TARGET_ID,
    OwnNode,
    Participant,
    wait_ready,
)

PATIENCE_S = 2.0  # a picture without an answer is handed on after this long
WARM_UP = 10  # images of each side that are not counted
_BARE_SUBSCRIBER = "from litetrack_ros.replay.camera import bare_subscriber; bare_subscriber()"
_SENSOR_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


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
        wait_ready(
            lambda: self._participant.is_matched,
            self._check,
            lambda: (
                f"no tracker node answered within {START_TIMEOUT_S:g} s: is it running, on the "
                "same ROS_DOMAIN_ID?"
            ),
        )

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
            header = Header(stamp=ns_to_stamp(stamp_ns), frame_id="demo_camera")
            data = serialize_message(bgr8_message(header, image))
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


@contextlib.contextmanager
def demo_camera(model: ModelChoice | None) -> Iterator[DemoCamera]:
    """A camera before a node that is started for it, or before one that runs already.

    Args:
        model: what the node started here runs; None is for the node that hears ``/image``.

    Raises:
        ReplayError: the node did not start, or there is none.
    """
    use_image_profile()
    with contextlib.ExitStack() as stack:
        if model is None:
            camera = DemoCamera("/", lambda: None)  # a node that runs elsewhere cannot be watched
        else:
            stay_on_this_machine()
            namespace = f"/litetrack_demo_{os.getpid()}"
            folder = stack.enter_context(scratch_folder("demo"))
            node = NodeProcess(model, namespace, folder / "node.log")
            stack.callback(node.end)
            camera = DemoCamera(namespace, node.check)
        stack.callback(camera.close)
        camera.wait_ready()
        yield camera


@dataclass(frozen=True)
class Overhead:
    """The samples of a run, ms.

    Attributes:
        overhead_ms: image callback to the return of publish(), less the model call.
        model_ms: the model call.
        node_transport_ms: stamp to callback, of the node.
        bare_transport_ms: stamp to callback, of the bare subscriber.
        sent: images sent to each.
    """

    overhead_ms: list[float]
    model_ms: list[float]
    node_transport_ms: list[float]
    bare_transport_ms: list[float]
    sent: int

    @property
    def lost(self) -> int:
        """Images sent to the node that got no box."""
        return self.sent - len(self.overhead_ms) - (WARM_UP if self.overhead_ms else 0)


def measure_overhead(
    model: ModelChoice,
    size_px: tuple[int, int],
    images: int,
    rate_hz: float,
) -> Overhead:
    """Run camera, tracker node and bare subscriber.

    Args:
        model: what the tracker node runs.
        size_px: width and height of the images.
        images: how many go to each.
        rate_hz: how many go to each in a second.

    Raises:
        ReplayError: a process did not start or died.
    """
    namespace = f"/litetrack_overhead_{os.getpid()}"
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch_folder("overhead"))
        node = NodeProcess(model, namespace, folder / "node.log")
        stack.callback(node.end)
        bare = subprocess.Popen(
            ending_with_us([sys.executable, "-c", _BARE_SUBSCRIBER, f"{namespace}/bare"]),
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(bare.kill)
        camera = _TwoSidedCamera(namespace)
        stack.callback(camera.close)
        wait_ready(
            lambda: camera.is_matched,
            node.check,
            lambda: f"node and bare subscriber not ready in {START_TIMEOUT_S:g} s",
        )
        camera.run(node, size_px, images, rate_hz)
        bare.send_signal(signal.SIGINT)
        output, _ = bare.communicate(timeout=20)
        counted = camera.timings[WARM_UP:]
        return Overhead(
            overhead_ms=[t.total_ms - t.model_ms for t in counted],
            model_ms=[t.model_ms for t in counted],
            node_transport_ms=[t.age_ms - t.total_ms + t.publish_ms for t in counted],
            bare_transport_ms=[float(line) for line in output.split()][WARM_UP:],
            sent=images,
        )


class _TwoSidedCamera(OwnNode):
    """Publishes to both sides and collects the node's timing."""

    def __init__(self, namespace: str) -> None:
        super().__init__("camera", namespace)
        self._publishers = [
            self.node.create_publisher(Image, topic, _SENSOR_QOS) for topic in ("image", "bare")
        ]
        self._inits = self.node.create_publisher(InitBox, f"{NODE_NAME}/init_box", RELIABLE_QOS)
        self.timings: list[Any] = []
        self._subscription = self.node.create_subscription(
            FrameTiming, f"{NODE_NAME}/timing", self.timings.append, RELIABLE_QOS
        )
        self.start()

    @property
    def is_matched(self) -> bool:
        """Whether node and bare subscriber hear the camera."""
        return bool(
            all(publisher.get_subscription_count() for publisher in self._publishers)
            and self._inits.get_subscription_count()
            and self.node.count_publishers(self._subscription.topic_name)
        )

    def run(self, node: NodeProcess, size_px: tuple[int, int], images: int, rate_hz: float) -> None:
        """Send images by turns, the first to either going by turns too."""
        scene = DrawnScene(*size_px, frames=40)
        pictures = [scene.frame(index).tobytes() for index in range(len(scene))]
        x, y, width, height = (float(v) for v in scene.box_xywh(0))
        self._inits.publish(InitBox(x=x, y=y, width=width, height=height))
        message = Image(height=size_px[1], width=size_px[0], encoding="bgr8", step=3 * size_px[0])
        due_s = time.perf_counter()
        half_period_s = 0.5 / rate_hz
        for index in range(images):
            message.data = array.array("B")
            message.data.frombytes(pictures[index % len(pictures)])
            for publisher in self._publishers:
                time.sleep(max(0.0, due_s - time.perf_counter()))
                due_s = max(due_s, time.perf_counter() - half_period_s) + half_period_s
                message.header.stamp = ns_to_stamp(time.time_ns())
                publisher.publish(message)
            node.check()
        time.sleep(1.0)


def measure_receiving(size_px: tuple[int, int], images: int) -> dict[str, list[float]]:
    """Time of taking an image out of DDS, ms: as a message, and raw without decoding anything."""
    own = OwnNode("receiving")
    node = own.node
    try:
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        topic = f"litetrack_receiving_{os.getpid()}"
        publisher = node.create_publisher(Image, topic, qos)
        subscriptions = {
            name: node.create_subscription(Image, topic, _ignore, qos, raw=name == "raw")
            for name in ("message", "raw")
        }
        message = Image(height=size_px[1], width=size_px[0], encoding="bgr8", step=3 * size_px[0])
        message.data = array.array("B", np.zeros(3 * size_px[0] * size_px[1], np.uint8).tobytes())
        taken: dict[str, list[float]] = {name: [] for name in subscriptions}
        while publisher.get_subscription_count() < len(subscriptions):
            time.sleep(0.05)
        for index in range(images):
            publisher.publish(message)
            time.sleep(0.03)
            for name in sorted(subscriptions, reverse=bool(index % 2)):
                handle = subscriptions[name].handle
                with handle:
                    start = time.perf_counter()
                    found = handle.take_message(Image, name == "raw")
                    if found is not None:
                        taken[name].append(1e3 * (time.perf_counter() - start))
        return taken
    finally:
        own.close()


def _ignore(_: Any) -> None:
    """Messages are taken by hand."""


def bare_subscriber() -> None:
    """Print how old each image on a topic is in its callback, ms, after SIGINT.

    The whole program of a process; the topic is its first argument.
    """
    rclpy.init(args=[])
    node = rclpy.create_node("bare_subscriber")
    clock = node.get_clock()
    ages_ms: list[float] = []

    def on_image(message: Image) -> None:
        ages_ms.append(1e-6 * (clock.now().nanoseconds - stamp_to_ns(message.header.stamp)))

    node.create_subscription(Image, sys.argv[1], on_image, _SENSOR_QOS)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    print("\n".join(f"{age:.4f}" for age in ages_ms), flush=True)
