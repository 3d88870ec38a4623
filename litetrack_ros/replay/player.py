"""Publishes recorded images: at their times, by turns, or from memory; and takes the answers.

The player sends each image with a stamp of its own; the collector brings the node's answers
together with the images by these stamps. Nothing here imports ROS.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from litetrack_ros.errors import BagError
from litetrack_ros.replay.bag_reader import header_stamp_ns, replace_stamp
from litetrack_ros.replay.fates import COUNTS, STAGES, Box, ReplayedFrame
from litetrack_ros.replay.playlist import PlayedMessage, Playlist

INIT_LEAD_S = 0.1  # an init box goes out this long before its image, and waits for it in the node
START_LEAD_S = 0.2
PATIENCE_S = 5.0  # an image without an answer is handed on after this long
_SWITCH_INTERVAL_S = 0.0002


class InitialTarget(NamedTuple):
    """What selects the target in every pass.

    Attributes:
        frame: position in a pass.
        box_xywh: pixels.
    """

    frame: int
    box_xywh: tuple[float, float, float, float]


class StampSource:
    """Unique wall-clock stamps, increasing."""

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._last_ns = 0

    def next_ns(self, ahead_s: float = 0.0) -> int:
        """A stamp of now, or of a moment that lies ahead."""
        self._last_ns = max(self._clock_ns() + round(1e9 * ahead_s), self._last_ns + 1)
        return self._last_ns


class Player:
    """Sends messages with new stamps, and notes when.

    Args:
        publish: sends a serialised image.
        select: sends an init box for the image with a stamp.
        note: takes each frame just before it is published.
        check: called before every message; raises to end the replay.
    """

    def __init__(
        self,
        publish: Callable[[bytes], None],
        select: Callable[[InitialTarget, int], None],
        note: Callable[[ReplayedFrame], None],
        check: Callable[[], None],
    ) -> None:
        self._publish = publish
        self._select = select
        self._note = note
        self._check = check
        self._stamps = StampSource()

    def play_recorded(
        self,
        messages: Iterable[PlayedMessage],
        init: InitialTarget,
        arrived: Callable[[ReplayedFrame], bool],
    ) -> None:
        """Publish each message when it is due; one that is late goes out at once.

        The init box's frame must not be lost, or there is no target: time stands still until the
        node has answered it, and it is sent again where no answer comes.

        Args:
            messages: what to play.
            init: selects the target.
            arrived: waits for the answer of an init box's frame; False when it seems lost and is
                to be sent again; raises to end the replay.
        """
        start_s: float | None = None
        with _quick_thread_switches():
            for message in messages:
                if start_s is None:
                    start_s = time.perf_counter() + START_LEAD_S - message.due_s
                self._check()
                planned_s = start_s + message.due_s
                if message.frame != init.frame:
                    _sleep_until(planned_s)
                    self._send(message, planned_s, self._stamps.next_ns())
                    continue
                sent_s = self._send_selecting(message, planned_s, init, arrived)
                start_s += time.perf_counter() - sent_s

    def play_lockstep(
        self,
        messages: Iterable[PlayedMessage],
        init: InitialTarget,
        wait: Callable[[ReplayedFrame], None],
        wait_selected: Callable[[ReplayedFrame], None],
    ) -> None:
        """Publish each message when the one before it was answered.

        Args:
            messages: what to play; their times do not matter.
            init: selects the target.
            wait: returns when a frame was answered; raises to end the replay.
            wait_selected: returns when the init box of an answered frame was accepted.
        """
        for message in messages:
            self._check()
            is_init = message.frame == init.frame
            stamp_ns = self._stamps.next_ns()
            if is_init:
                self._select(init, stamp_ns)
            frame = self._send(message, time.perf_counter(), stamp_ns)
            wait(frame)
            if is_init:
                wait_selected(frame)

    def _send_selecting(
        self,
        message: PlayedMessage,
        planned_s: float,
        init: InitialTarget,
        arrived: Callable[[ReplayedFrame], bool],
    ) -> float:
        """Send the init box and its frame until they are answered; when that began."""
        sent_s = planned_s
        while True:
            _sleep_until(planned_s - INIT_LEAD_S)
            stamp_ns = self._stamps.next_ns(max(0.0, planned_s - time.perf_counter()))
            self._select(init, stamp_ns)
            _sleep_until(planned_s)
            frame = self._send(message, planned_s, stamp_ns)
            if arrived(frame):
                return sent_s
            self._check()
            planned_s = time.perf_counter() + INIT_LEAD_S

    def _send(self, message: PlayedMessage, planned_s: float, stamp_ns: int) -> ReplayedFrame:
        data = replace_stamp(message.data, stamp_ns)
        frame = ReplayedFrame(
            message.index,
            message.frame,
            message.recorded_ns,
            stamp_ns,
            planned_s,
            published_s=time.perf_counter(),
        )
        self._note(frame)
        self._publish(data)
        return frame


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
            frame = self._open.get(header_stamp_ns(message))
            if frame is None:
                return  # another player's image
            frame.answered_s = arrived_s
            for box in message.boxes:
                if box.target_id == self._target_id:
                    frame.box = Box(
                        *(box.x, box.y, box.width, box.height),
                        *(box.state, box.score, box.candidate_score, box.is_calibrated),
                    )
            self._changed.notify_all()

    def on_timing(self, message: Any) -> None:
        """Take a ``FrameTiming``."""
        with self._changed:
            frame = self._open.get(header_stamp_ns(message))
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


def preload(playlist: Playlist, available_bytes: int) -> list[PlayedMessage]:
    """All messages in memory.

    Args:
        playlist: what to load.
        available_bytes: memory that may be taken.

    Raises:
        BagError: it does not fit.
    """
    loaded: list[PlayedMessage] = []
    size = 0
    for message in playlist.messages():
        size += len(message.data)
        if size > available_bytes:
            raise BagError(
                f"the frames take more than the {available_bytes / 1e6:.0f} MB that are free: "
                "play a part of the bag with --duration"
            )
        loaded.append(message)
    return loaded


def available_memory_bytes() -> int:
    """Memory that can be taken without swapping, from /proc/meminfo."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    raise BagError("this system does not tell how much memory is free (/proc/meminfo)")


def at_rate(
    loaded: Sequence[PlayedMessage], rate_hz: float, duration_s: float, least: int
) -> Iterator[PlayedMessage]:
    """Messages over and over at a constant rate.

    Args:
        loaded: one pass.
        rate_hz: how many a second.
        duration_s: for how long.
        least: how many to play at least.
    """
    count = max(least, round(rate_hz * duration_s))
    for index, message in enumerate(itertools.islice(itertools.cycle(loaded), count)):
        # Counted on, so that the target is selected once: selecting makes the player wait.
        yield PlayedMessage(index, index, message.recorded_ns, index / rate_hz, message.data)


@contextlib.contextmanager
def _quick_thread_switches() -> Iterator[None]:
    """Let a thread that wakes up run soon.

    By default the threads that read the bag and take answers may keep Python for 5 ms.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


def _sleep_until(moment_s: float) -> None:
    """Sleep without spinning: the kernel's timer is precise to some 0.1 ms."""
    remaining_s = moment_s - time.perf_counter()
    if remaining_s > 0:
        time.sleep(remaining_s)
