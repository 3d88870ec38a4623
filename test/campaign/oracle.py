"""Sees every message that the node publishes, and knows what may never be in one.

Each image that is sent has a number in its ``frame_id``, which every box of it carries: so that a
box is known to belong to an image that was sent, and to be in order.
"""

from __future__ import annotations

import array
import math
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_client import Client, stamp_of
from tally import Tally

from litetrack_ros.msg import TargetEvent, TrackedBox
from litetrack_ros.node.events import EventKind

_STATES = (TrackedBox.INITIALISING, TrackedBox.TRACKING, TrackedBox.LOST)
_FATES = ("processed", "replaced", "caught_up", "rejected", "ignored")
# What a target must have been for an event of it: "" is not followed.
_BEFORE = {
    EventKind.TRACKING: ("selected", "lost"),
    EventKind.LOST: ("selected", "tracking"),
    EventKind.FOUND: ("lost",),
    EventKind.REMOVED: ("selected", "tracking", "lost"),
    EventKind.GIVEN_UP: ("selected", "tracking", "lost"),
}
_AFTER = {
    EventKind.SELECTED: "selected",
    EventKind.TRACKING: "tracking",
    EventKind.FOUND: "tracking",
    EventKind.LOST: "lost",
    EventKind.REMOVED: "",
    EventKind.GIVEN_UP: "",
}


class Oracle:
    """Checks what comes out against what went in.

    Args:
        client: whose messages to look at; they are taken from its lists.
        tally: takes faults.
    """

    def __init__(self, client: Client, tally: Tally) -> None:
        self._client = client
        self._tally = tally
        self._stamps = array.array("q")
        self._widths = array.array("L")
        self._heights = array.array("L")
        self._last = -1
        self._received = 0
        self._sequence = 0
        self._targets: dict[str, str | None] = {}  # None where an event was missed
        self._events: list[Any] = []
        self._diagnostics: list[Any] = []
        self.latest: Any = None  # the newest array of boxes
        self.is_one_session = True  # counts begin anew when the node is configured again
        qos = QoSProfile(
            depth=1000,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL,
        )
        self._subscription = client.node.create_subscription(
            TargetEvent, f"{client.name}/events", self._events.append, qos
        )

    def close(self) -> None:
        """Look no more."""
        self._client.node.destroy_subscription(self._subscription)

    def number(self, stamp_ns: int, width: int, height: int) -> str:
        """The ``frame_id`` of the next image, whose stamp and size are remembered."""
        self._stamps.append(stamp_ns)
        self._widths.append(width)
        self._heights.append(height)
        return f"f{len(self._stamps) - 1}"

    def forget_session(self) -> None:
        """The node is another one now: its counts begin anew."""
        self._received = self._sequence = 0
        self._targets.clear()

    def take_diagnostics(self) -> list[Any]:
        """The diagnostics since the last call."""
        taken, self._diagnostics = self._diagnostics, []
        return taken

    def look(self) -> None:
        """Check all messages that have come, and let go of them."""
        client = self._client
        for message in client.boxes:
            self._look_at_boxes(message)
        for message in client.timings:
            self._look_at_timing(message)
        for message in self._events:
            self._look_at_event(message)
        for message in client.diagnostics:
            self._look_at_diagnostics(message)
        self._diagnostics += client.diagnostics
        for messages in (client.boxes, client.timings, client.diagnostics, self._events):
            messages.clear()

    def _look_at_boxes(self, message: Any) -> None:
        tally = self._tally
        tally.counts["box messages"] += 1
        name = message.header.frame_id
        index = int(name[1:]) if name[:1] == "f" and name[1:].isdecimal() else -1
        if not 0 <= index < len(self._stamps):
            tally.fault(f"boxes of an image that was never sent: frame_id {name!r}")
            return
        tally.check(
            stamp_of(message) == self._stamps[index], f"boxes of {name} with a stamp not its"
        )
        tally.check(index > self._last, f"boxes of {name} after those of f{self._last}")
        self._last = index
        self.latest = message
        size = (self._widths[index], self._heights[index])
        for box in message.boxes:
            tally.counts["boxes"] += 1
            self._look_at_box(box, size)

    def _look_at_box(self, box: Any, size: tuple[int, int]) -> None:
        tally = self._tally
        numbers = (box.x, box.y, box.width, box.height, box.score, box.candidate_score)
        tally.check(all(map(math.isfinite, numbers)), f"a box that is not finite: {box}")
        tally.check(box.state in _STATES, f"a box of state {box.state}")
        tally.check(box.width > 0 and box.height > 0, f"a box without a size: {box}")
        tally.check(
            0 <= box.score <= 1 and 0 <= box.candidate_score <= 1, f"a score beyond 1: {box}"
        )
        tally.check(
            len(box.target_id.encode()) <= 64 and box.target_id.isprintable(),
            f"a target id that is not refused: {box.target_id[:80]!r}",
        )
        if box.state != TrackedBox.INITIALISING:
            inside = (
                min(box.x, box.y) >= -1e-6
                and box.x + box.width <= size[0] + 1e-6
                and box.y + box.height <= size[1] + 1e-6
            )
            tally.check(inside, f"a box outside its image of {size}: {box}")

    def _look_at_timing(self, message: Any) -> None:
        counts = [getattr(message, name) for name in _FATES]
        self._tally.check(message.received == sum(counts), f"counts do not add up: {counts}")
        self._tally.check(
            message.received > self._received or not self.is_one_session,
            f"received {message.received} images after {self._received}",
        )
        self._received = message.received

    def _look_at_event(self, message: Any) -> None:
        tally = self._tally
        tally.counts["events"] += 1
        if message.sequence <= self._sequence:
            return  # sent once more to who came later
        if message.sequence != self._sequence + 1:
            self._targets.clear()  # some were lost on the way
            tally.counts["events missed"] += message.sequence - self._sequence - 1
        is_gap = message.sequence != self._sequence + 1
        self._sequence = message.sequence
        if message.event not in {int(kind) for kind in EventKind}:
            tally.fault(f"an event {message.event}")
            return
        kind, target = EventKind(message.event), message.target_id
        was = self._targets.get(target, None if is_gap else "")
        if kind in _BEFORE and was is not None and target in self._targets:
            tally.check(
                was in _BEFORE[kind], f"event {kind.name} of '{target[:64]}', which was '{was}'"
            )
        if kind in _AFTER:
            self._targets[target] = _AFTER[kind]

    def _look_at_diagnostics(self, message: Any) -> None:
        size = sum(
            len(status.message) + sum(len(v.key) + len(v.value) for v in status.values)
            for status in message.status
        )
        self._tally.check(size < 60_000, f"diagnostics of {size} characters")
        for status in message.status:
            values = {entry.key: entry.value for entry in status.values}
            if status.name.endswith(": images") and "litetrack" in status.name:
                counts = [int(values[name]) for name in _FATES]
                self._tally.check(
                    int(values["received"]) == sum(counts), f"counts do not add up: {values}"
                )
