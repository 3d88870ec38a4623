"""Subscribes to images; the callback only checks and stores."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CompressedImage, Image

from litetrack_ros.errors import ImageError, shown
from litetrack_ros.node.compat import (
    parameter_override_names,
    subscribe_and_watch_qos,
    with_sequence,
)
from litetrack_ros.node.conversion import (
    ConvertedImage,
    Fallback,
    ImageLimits,
    check_image_message,
    convert_compressed,
    convert_image,
)
from litetrack_ros.node.diagnostics import NoticeBoard, SlidingWindow, no_image_message
from litetrack_ros.node.frames import FrameSlot, ReceivedFrame
from litetrack_ros.node.lost_images import LossCounter
from litetrack_ros.node.messages import stamp_to_ns
from litetrack_ros.node.preview import PREVIEW_TOPIC

_MAX_FRAME_ID_BYTES = 256  # every box carries it on


def image_topic(node: Node, transport: str) -> str:
    """The topic of the images: a remap names the raw topic, the compressed one lies below it."""
    topic: str = node.resolve_topic_name("image")
    return f"{topic}/compressed" if transport == "compressed" else topic


class ImageInput:
    """The image subscription.

    Args:
        node: creates it.
        transport: ``raw`` or ``compressed``.
        slot: takes the frames.
        board: takes faults.
        fallback: converts encodings beyond our own, or None.
        limits: which images are taken.
        stale_ms: asks how far a stamp may be from now.
        window_s: length of the sliding windows.
    """

    def __init__(
        self,
        node: Node,
        transport: str,
        slot: FrameSlot,
        board: NoticeBoard,
        fallback: Fallback | None,
        limits: ImageLimits,
        stale_ms: Callable[[], float],
        window_s: float,
    ) -> None:
        self._node = node
        self._compressed = transport == "compressed"
        self._slot = slot
        self._board = board
        self._fallback = fallback
        self._limits = limits
        self._stale_ms = stale_ms
        self._clock = node.get_clock()
        self.topic = image_topic(node, transport)
        self.transport_window = SlidingWindow(window_s)  # stamp to callback, ms
        self.losses = LossCounter()
        self.last_arrival_s = time.perf_counter()
        name = f"qos_overrides.{self.topic}.subscription.reliability"
        self._is_reliability_given = name in parameter_override_names(node)
        self._subscription = self._subscribe(self._wanted_reliability())
        self._is_destroyed = False

    def _wanted_reliability(self) -> ReliabilityPolicy:
        """Reliable, unless a publisher is known that is not.

        An image that is larger than the DDS's packets arrives more often where lost packets are
        sent again; whether they can be is the publishers' choice. One that comes later and does
        not send again shows as an event of the subscription.
        """
        offers = self._node.get_publishers_info_by_topic(self.topic)
        if any(offer.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT for offer in offers):
            return ReliabilityPolicy.BEST_EFFORT
        return ReliabilityPolicy.RELIABLE

    def _subscribe(self, reliability: ReliabilityPolicy) -> Any:
        policies = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
        if self._is_reliability_given:
            policies.append(QoSPolicyKind.RELIABILITY)
        return subscribe_and_watch_qos(
            self._node,
            CompressedImage if self._compressed else Image,
            self.topic,
            with_sequence(self._on_image),
            QoSProfile(depth=1, reliability=reliability),  # the parameters are written into it
            on_incompatible_qos=self._on_incompatible_qos,
            qos_overriding_options=QoSOverridingOptions(policies),
        )

    @property
    def qos_text(self) -> str:
        """The subscription's QoS in words."""
        profile = self._subscription.qos_profile
        return f"{profile.reliability.name.lower()}, depth {profile.depth}"

    def convert(self, message: Any) -> ConvertedImage:
        """An image message of this input as an array; raises ImageError."""
        if self._compressed:
            return convert_compressed(message, self._limits)
        return convert_image(message, self._fallback, self._limits)

    def check(self, timeout_s: float) -> None:
        """Look after the topic, now and then.

        Reports one on which no image came for so long, with what may be done about it, and one
        whose publishers offer what this node cannot take, for as long as they do.
        """
        offers = self._node.get_publishers_info_by_topic(self.topic)
        self.losses.has_one_publisher = len(offers) <= 1
        if self._is_reliability_given:  # else the subscription follows the publishers
            own = self._subscription.qos_profile.reliability
            offered = [offer.qos_profile.reliability for offer in offers]
            if own is ReliabilityPolicy.RELIABLE and ReliabilityPolicy.BEST_EFFORT in offered:
                self._report_qos("RELIABILITY")
            else:
                self._board.end("incompatible_qos")
        silent_s = time.perf_counter() - self.last_arrival_s
        if silent_s < timeout_s:
            self._board.end("no_images")
            return
        node = self._node
        wanted = f"sensor_msgs/msg/{'CompressedImage' if self._compressed else 'Image'}"
        topics = [
            name
            for name, types in node.get_topic_names_and_types()
            if wanted in types and node.count_publishers(name)
        ]
        own = [node.resolve_topic_name(name) for name in ("~/debug_image", PREVIEW_TOPIC)]
        self._board.post(
            "no_images",
            no_image_message(
                self.topic,
                self.qos_text,
                silent_s,
                node.count_publishers(self.topic),
                [name for name in topics if name not in own],
            ),
        )

    def destroy(self) -> None:
        """End the subscription."""
        self._is_destroyed = True
        self._node.destroy_subscription(self._subscription)

    def _on_image(self, message: Any, sequence: int | None) -> None:
        arrival_s = time.perf_counter()
        self.last_arrival_s = arrival_s
        stamp_ns = stamp_to_ns(message.header.stamp)
        self.losses.take(sequence, stamp_ns)
        transport_ms = 1e-6 * (self._clock.now().nanoseconds - stamp_ns)
        self.transport_window.add(transport_ms)
        if abs(transport_ms) > self._stale_ms():
            self._report_stale(stamp_ns, transport_ms)
        else:
            self._board.end("stale_stamps")
        try:
            self._check(message)
        except ImageError as error:
            self._slot.count_unusable()
            self._board.post("image_rejected", f"image rejected: {error}")
            return
        frame = ReceivedFrame(stamp_ns, message, len(message.data), arrival_s)
        if self._slot.put(frame):
            self._board.post(
                "stamps_jumped",
                f"the stamps on {self.topic} jumped back: init boxes for earlier images are "
                "refused, targets are kept",
            )

    def _check(self, message: Any) -> None:
        """Raise ImageError for what can be refused without touching the pixels."""
        frame_id = message.header.frame_id
        if len(frame_id) > _MAX_FRAME_ID_BYTES or len(frame_id.encode()) > _MAX_FRAME_ID_BYTES:
            raise ImageError(
                f"its frame_id, '{shown(frame_id, 32)}', is longer than {_MAX_FRAME_ID_BYTES} bytes"
            )
        if not self._compressed:
            check_image_message(message, self._fallback, self._limits)

    def _report_stale(self, stamp_ns: int, transport_ms: float) -> None:
        where = "in the future" if transport_ms < 0 else "old"
        what = f"stamped {abs(transport_ms) / 1e3:.1f} s {where}" if stamp_ns else "without a stamp"
        self._board.post(
            "stale_stamps",
            f"images on {self.topic} are {what}: check the clocks' synchronisation and, for a bag "
            "or a simulation, use_sim_time",
        )

    def _on_incompatible_qos(self, policy: str) -> None:
        executor = self._node.executor
        if policy == "RELIABILITY" and not self._is_reliability_given and executor is not None:
            # Not here: this is a callback of the subscription that goes.
            executor.create_task(self._take_best_effort)
            return
        self._report_qos(policy)

    def _report_qos(self, policy: str) -> None:
        self._board.post(
            "incompatible_qos",
            f"a publisher on {self.topic} offers an incompatible QoS ({policy}); this node asks "
            f"for {self.qos_text}: change either side's QoS (here: parameters "
            f"qos_overrides.{self.topic}.subscription.*)",
        )

    def _take_best_effort(self) -> None:
        """A best-effort publisher has come: only a best-effort subscription hears it, and all."""
        if self._is_destroyed:
            return
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribe(ReliabilityPolicy.BEST_EFFORT)
        self._node.get_logger().info(f"{self.topic} has a best-effort publisher: so is this node")
