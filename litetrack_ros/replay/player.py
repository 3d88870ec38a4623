"""Publishes recorded messages, at their recorded times or each after the last one's answer."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from litetrack_ros.replay.records import PlayedMessage, ReplayedFrame
from litetrack_ros.replay.stamps import replace_stamp

INIT_LEAD_S = 0.1  # an init box goes out this long before its image, and waits for it in the node
START_LEAD_S = 0.2
_SWITCH_INTERVAL_S = 0.0002


class InitBox(NamedTuple):
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
        select: Callable[[InitBox, int], None],
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
        init: InitBox | None,
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
                if init is None or message.frame != init.frame:
                    _sleep_until(planned_s)
                    self._send(message, planned_s, self._stamps.next_ns())
                    continue
                sent_s = self._send_selecting(message, planned_s, init, arrived)
                start_s += time.perf_counter() - sent_s

    def play_lockstep(
        self,
        messages: Iterable[PlayedMessage],
        init: InitBox | None,
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
            is_init = init is not None and message.frame == init.frame
            stamp_ns = self._stamps.next_ns()
            if init is not None and is_init:
                self._select(init, stamp_ns)
            frame = self._send(message, time.perf_counter(), stamp_ns)
            wait(frame)
            if is_init:
                wait_selected(frame)

    def _send_selecting(
        self,
        message: PlayedMessage,
        planned_s: float,
        init: InitBox,
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
