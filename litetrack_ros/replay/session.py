"""A node process and our side of the DDS traffic for one replay: started, used and ended."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image

from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import ReplayError
from litetrack_ros.msg import FrameTiming, InitBox, TrackedBoxArray
from litetrack_ros.replay.fates import ReplayedFrame
from litetrack_ros.replay.node_process import DEFAULT_COMMAND, NodeProcess
from litetrack_ros.replay.player import Collector, InitialTarget, Player
from litetrack_ros.replay.playlist import PlayedMessage

NODE_NAME = "litetrack"
TARGET_ID = "target"
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
RELIABLE_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
# Offered as reliable, the images suit every subscription; the node's decides.
_IMAGES_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_DRAIN_TIMEOUT_S = 4.0
_LAST_ANSWER_TIMEOUT_S = 0.5
_INIT_TIMEOUT_S = 1.5  # longer than the slowest of models takes on the first frame
_MAX_INIT_ATTEMPTS = 5
_POLL_S = 0.2


class OwnNode:
    """A ROS node of our own, in a context of its own.

    Args:
        name: of the node.
        namespace: its relative topics lie there.
    """

    def __init__(self, name: str, namespace: str = "") -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(
            name,
            namespace=namespace,
            context=self._context,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name="collector", daemon=True)

    def start(self) -> None:
        """Take messages from now on, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """End the node and its thread."""
        self._executor.shutdown(timeout_sec=2)
        self._context.try_shutdown()
        if self._thread.is_alive():
            self._thread.join(2)
        self.node.destroy_node()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):  # close() may be faster
            self._executor.spin()


class Participant(OwnNode):
    """Publishes images and init boxes, and hears the tracker node. All topics lie in one namespace.

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
        super().__init__("replay", namespace)
        kind, topic = (CompressedImage, "image/compressed") if compressed else (Image, "image")
        self._images = self.node.create_publisher(kind, topic, _IMAGES_QOS)
        self._inits = self.node.create_publisher(InitBox, f"{NODE_NAME}/init_box", RELIABLE_QOS)
        self._subscriptions = [
            self.node.create_subscription(type_, name, callback, RELIABLE_QOS)
            for type_, name, callback in (
                (TrackedBoxArray, f"{NODE_NAME}/tracked_boxes", on_boxes),
                (FrameTiming, f"{NODE_NAME}/timing", on_timing),
                (DiagnosticArray, "diagnostics", on_diagnostics),
            )
        ]
        self.start()

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
            and all(self.node.count_publishers(s.topic_name) for s in self._subscriptions)
        )


def wait_ready(
    is_ready: Callable[[], bool], check: Callable[[], None], complaint: Callable[[], str]
) -> None:
    """Wait until all sides of a conversation hear each other.

    Args:
        is_ready: whether they do.
        check: raises when one of them has ended.
        complaint: what to say when the time is over.

    Raises:
        ReplayError: not within :data:`START_TIMEOUT_S`.
    """
    deadline_s = time.perf_counter() + START_TIMEOUT_S
    while not is_ready():
        check()
        if time.perf_counter() > deadline_s:
            raise ReplayError(complaint())
        time.sleep(0.05)


@dataclass(frozen=True)
class NodeSettings:
    """How the node is started.

    Attributes:
        model: what it runs.
        compressed: whether the images are compressed.
        log_path: takes what the node prints.
        reliable: images are never dropped on their way; for lockstep only, since a robot's
            cameras send best effort.
        command: the node's program.
    """

    model: ModelChoice
    compressed: bool
    log_path: Path
    reliable: bool = False
    command: Sequence[str] = DEFAULT_COMMAND


class ReplaySession:
    """A node that is ready for images.

    Args:
        node: its process.
        participant: our side.
        collector: takes its answers.
    """

    def __init__(self, node: NodeProcess, participant: Participant, collector: Collector) -> None:
        self.node = node
        self.collector = collector
        self._init_attempts = 0
        self._player = Player(
            participant.publish_image,
            lambda init, stamp: participant.publish_init(TARGET_ID, init.box_xywh, stamp),
            collector.add,
            node.check,
        )

    def play_recorded(self, messages: Iterable[PlayedMessage], init: InitialTarget) -> None:
        """Play messages at their times, and wait for what is still to come.

        Raises:
            ReplayError: the node died, or does not answer the init box's frame.
        """
        self._player.play_recorded(messages, init, self._init_arrived)
        self._drain()

    def play_at_rate(self, messages: Iterable[PlayedMessage], init: InitialTarget) -> None:
        """As :meth:`play_recorded`, but without waiting for the node's final counts.

        Raises:
            ReplayError: the node died, or does not answer the init box's frame.
        """
        self._player.play_recorded(messages, init, self._init_arrived)
        self.collector.wait(lambda: self.collector.waiting == 0, _LAST_ANSWER_TIMEOUT_S)
        self.collector.finish()

    def play_lockstep(self, messages: Iterable[PlayedMessage], init: InitialTarget) -> None:
        """Play each message after the last one's answer.

        Raises:
            ReplayError: the node died, refused the init box, or does not answer.
        """
        self._player.play_lockstep(messages, init, self._wait_answered, self._wait_selected)
        self._drain()

    def check_selected(self) -> None:
        """Raise ReplayError if the node refused an init box."""
        if int(self.collector.values("targets").get("refused", 0)):
            raise ReplayError(
                self.collector.complaint("targets") or "the node refused the init box"
            )

    def _init_arrived(self, frame: ReplayedFrame) -> bool:
        self._init_attempts += 1
        if self.collector.wait(lambda: frame.is_complete, _INIT_TIMEOUT_S):
            self._init_attempts = 0
            return True
        if self._init_attempts == _MAX_INIT_ATTEMPTS:
            raise ReplayError(
                f"the node has not answered frame {frame.index}, which the target is to be "
                f"selected in, though it was sent {_MAX_INIT_ATTEMPTS} times{self._complaints()}"
            )
        self.collector.forget(frame)
        return False

    def _wait_answered(self, frame: ReplayedFrame) -> None:
        rejected = self.collector.node_counts().get("rejected", 0)

        def done() -> bool:
            return frame.is_complete or self.collector.node_counts().get("rejected", 0) > rejected

        deadline_s = time.perf_counter() + ANSWER_TIMEOUT_S
        while not self.collector.wait(done, _POLL_S):
            self.node.check()
            if time.perf_counter() > deadline_s:
                raise ReplayError(
                    f"the node has not answered frame {frame.index} within "
                    f"{ANSWER_TIMEOUT_S:g} s{self._complaints()}"
                )

    def _wait_selected(self, frame: ReplayedFrame) -> None:
        """The init box may reach the node after its image: the next one must not be faster."""
        if frame.box is not None:
            return
        before = int(self.collector.values("targets").get("accepted", 0))

        def decided() -> bool:
            values = self.collector.values("targets")
            accepted = int(values.get("accepted", 0)) > before
            return accepted or int(values.get("refused", 0)) > 0

        deadline_s = time.perf_counter() + ANSWER_TIMEOUT_S
        while not self.collector.wait(decided, _POLL_S):
            self.node.check()
            if time.perf_counter() > deadline_s:
                raise ReplayError(f"the node has not taken the init box{self._complaints()}")
        self.check_selected()

    def _drain(self) -> None:
        """Wait until the node's counts say that no image is waiting or in work."""
        end_s = time.perf_counter()

        def settled() -> bool:
            is_new = self.collector.diagnostics_s > end_s + 0.1
            return is_new and self.collector.node_counts().get("waiting", 1) == 0

        deadline_s = end_s + _DRAIN_TIMEOUT_S
        while not self.collector.wait(settled, _POLL_S) and time.perf_counter() < deadline_s:
            self.node.check()

    def _complaints(self) -> str:
        tasks = ("model", "images", "targets")
        found = [text for task in tasks if (text := self.collector.complaint(task))]
        return f": {'; '.join(found)}" if found else ""


@contextlib.contextmanager
def replaying(
    settings: NodeSettings, hand_on: Callable[[ReplayedFrame], None]
) -> Iterator[ReplaySession]:
    """Start a node and wait until it is ready; end it in any case.

    Args:
        settings: of the node.
        hand_on: takes every frame when all is known of it; those still open come at the end.

    Raises:
        ReplayError: the node ended, or was not ready in time.
    """
    # A namespace of our own: nothing is played to another node, and none of its answers is taken.
    namespace = f"/litetrack_bag_{os.getpid()}"
    parameters = {}
    if settings.compressed:
        parameters["image_transport"] = "compressed"
    if settings.reliable:
        topic = f"{namespace}/image{'/compressed' if settings.compressed else ''}"
        parameters[f"qos_overrides.{topic}.subscription.reliability"] = "reliable"
    collector = Collector(TARGET_ID, hand_on)
    node = NodeProcess(settings.model, namespace, settings.log_path, parameters, settings.command)
    try:
        participant = Participant(
            namespace,
            settings.compressed,
            collector.on_boxes,
            collector.on_timing,
            collector.on_diagnostics,
        )
        try:
            wait_ready(
                lambda: participant.is_matched,
                node.check,
                lambda: f"the node was not ready within {START_TIMEOUT_S:g} s: {node.log_tail()}",
            )
            yield ReplaySession(node, participant, collector)
        finally:
            participant.close()
            collector.finish()
    finally:
        node.end()
