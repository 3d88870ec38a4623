"""Brings the node's answers together with the images they belong to, by their stamps."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from litetrack_ros.replay.records import COUNTS, STAGES, Box, ReplayedFrame

PATIENCE_S = 5.0  # an image without an answer is handed on after this long
_NS_PER_S = 1_000_000_000


class Collector:
    """Matches answers; hands frames on in order, each once. Thread-safe.

    Holds only the frames of the last :data:`PATIENCE_S` seconds at most, so that a replay may be of
    any length.

    Args:
        target_id: whose boxes to take.
        hand_on: takes a frame when nothing more is expected for it.
    """

    def __init__(self, target_id: str, hand_on: Callable[[ReplayedFrame], None]) -> None:
        self._target_id = target_id
        self._hand_on = hand_on
        self._open: OrderedDict[int, ReplayedFrame] = OrderedDict()
        self._changed = threading.Condition()
        self._statuses: dict[str, Any] = {}
        self.unmatched = 0
        self.diagnostics_s = 0.0

    def add(self, frame: ReplayedFrame) -> None:
        """A frame is about to be published."""
        with self._changed:
            self._open[frame.stamp_ns] = frame
            self._flush(time.perf_counter() - PATIENCE_S)

    def forget(self, frame: ReplayedFrame) -> None:
        """Drop a frame that is to be sent again; it is not handed on."""
        with self._changed:
            self._open.pop(frame.stamp_ns, None)

    def on_boxes(self, message: Any) -> None:
        """Take a ``TrackedBoxArray``."""
        arrived_s = time.perf_counter()
        with self._changed:
            frame = self._open.get(_stamp_ns(message))
            if frame is None:
                self.unmatched += 1
                return
            frame.answered_s = arrived_s
            for box in message.boxes:
                if box.target_id == self._target_id:
                    frame.box = Box(box.x, box.y, box.width, box.height, box.state, box.score)
            self._changed.notify_all()

    def on_timing(self, message: Any) -> None:
        """Take a ``FrameTiming``."""
        with self._changed:
            frame = self._open.get(_stamp_ns(message))
            if frame is not None:
                frame.stages_ms = {stage: getattr(message, f"{stage}_ms") for stage in STAGES}
                frame.counts = {name: getattr(message, name) for name in COUNTS}
                self._changed.notify_all()

    def on_diagnostics(self, message: Any) -> None:
        """Take a ``DiagnosticArray``: the newest of each task is kept."""
        with self._changed:
            self.diagnostics_s = time.perf_counter()
            for status in message.status:
                self._statuses[status.name.partition(": ")[2]] = status
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition holds, looked at whenever a message came."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def values(self, task: str) -> dict[str, str]:
        """The values of a diagnostics task; empty before its first message."""
        with self._changed:
            status = self._statuses.get(task)
            return {} if status is None else {v.key: v.value for v in status.values}

    def complaint(self, task: str) -> str:
        """What a task complains of; empty when all is well."""
        with self._changed:
            status = self._statuses.get(task)
            return "" if status is None or status.level == b"\x00" else str(status.message)

    def diagnostics(self) -> dict[str, dict[str, str]]:
        """All tasks: message and values."""
        with self._changed:
            return {
                task: {"message": status.message, **{v.key: v.value for v in status.values}}
                for task, status in self._statuses.items()
            }

    def node_counts(self) -> dict[str, int]:
        """The node's counts of images from its newest diagnostics; empty before them."""
        values = self.values("images")
        names = (*COUNTS, "waiting")
        return {name: int(values[name]) for name in names if name in values}

    @property
    def waiting(self) -> int:
        """Published frames after the last complete one."""
        with self._changed:
            count = 0
            for frame in reversed(self._open.values()):
                if frame.is_complete:
                    break
                count += 1
            return count

    def finish(self) -> None:
        """Hand on every frame that is still held."""
        with self._changed:
            self._flush(float("inf"))

    def _flush(self, before_s: float) -> None:
        """Hand on frames from the oldest, up to one that may still be answered."""
        while self._open:
            frame = next(iter(self._open.values()))
            if not frame.is_complete and frame.published_s > before_s:
                return
            self._open.popitem(last=False)
            self._hand_on(frame)


def _stamp_ns(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * _NS_PER_S + int(stamp.nanosec)
