"""Between the image callback and the worker: a slot for one frame, the ring, and the counts.

The callback only stores; a frame that the worker has not taken is replaced by the next one, so
that the worker always gets the newest.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from litetrack_ros.node.frames import Fate, Frame, FrameRing


@dataclass(frozen=True)
class Counts:
    """Frames by fate since the node was configured.

    ``received`` is the sum of the fates; a frame that still waits or is in work counts as
    ``waiting`` only, so that the sum is exact at every moment.
    """

    received: int = 0
    waiting: int = 0
    processed: int = 0
    replaced: int = 0
    caught_up: int = 0
    rejected: int = 0
    ignored: int = 0


class FrameSlot:
    """Hands the newest frame to the worker and knows what became of every frame. Thread-safe.

    Args:
        ring: recent frames; used only under this object's lock.
    """

    def __init__(self, ring: FrameRing) -> None:
        self._ring = ring
        self._slot: Frame | None = None
        self._counts = dict.fromkeys(Fate, 0)
        self._accepting = True
        self._work = threading.Condition()
        self._nudged = False

    def put(self, frame: Frame) -> bool:
        """Store a frame for the worker; counted as ignored while closed.

        Returns:
            Whether its stamp was before the previous frame's.
        """
        with self._work:
            self._counts[frame.fate] += 1
            if not self._accepting:
                self._settle(frame, Fate.IGNORED)
                return False
            jumped = self._ring.append(frame)
            if self._slot is not None:
                self._settle(self._slot, Fate.REPLACED)
            self._slot = frame
            self._work.notify()
            return jumped

    def count_unusable(self) -> None:
        """Count a received image that was refused at sight: rejected, or ignored while closed."""
        with self._work:
            self._counts[Fate.REJECTED if self._accepting else Fate.IGNORED] += 1

    def wait(self, timeout_s: float) -> bool:
        """Return when a frame is there, after :meth:`nudge`, or after the time.

        Returns:
            Whether a frame was there already.
        """
        with self._work:
            was_there = self._slot is not None
            self._work.wait_for(lambda: self._slot is not None or self._nudged, timeout_s)
            self._nudged = False
            return was_there

    def nudge(self) -> None:
        """Wake the worker for something other than a frame."""
        with self._work:
            self._nudged = True
            self._work.notify()

    def take(self) -> Frame | None:
        """The frame in the slot, if any; the taker settles it."""
        with self._work:
            frame, self._slot = self._slot, None
            return frame

    def settle(self, frame: Frame, fate: Fate) -> None:
        """Say what became of a frame. A rejected one leaves the ring."""
        with self._work:
            self._settle(frame, fate)
            if fate is Fate.REJECTED:
                self._ring.remove(frame)

    def frames(self) -> tuple[Frame, ...]:
        """The ring's frames, oldest first."""
        with self._work:
            return self._ring.frames

    def newest(self) -> Frame | None:
        """The newest frame held."""
        with self._work:
            return self._ring.newest

    def passed_since(self, frame: Frame) -> list[Frame]:
        """Frames held that arrived after ``frame``, without the one that waits in the slot."""
        with self._work:
            return [held for held in self._ring.after(frame) if held is not self._slot]

    @property
    def is_open(self) -> bool:
        """Whether frames are accepted."""
        with self._work:
            return self._accepting

    def open(self) -> None:
        """Accept frames from now on."""
        with self._work:
            self._accepting = True

    def close(self) -> None:
        """Ignore frames from now on, those held included."""
        with self._work:
            self._accepting = False
            if self._slot is not None:
                self._settle(self._slot, Fate.IGNORED)
                self._slot = None
            self._ring.clear()

    @property
    def counts(self) -> Counts:
        """The counts at this moment."""
        with self._work:
            by_name = {fate.value: count for fate, count in self._counts.items()}
        received = sum(by_name.values()) - by_name[Fate.WAITING.value]
        return Counts(received=received, **by_name)

    @property
    def held(self) -> tuple[int, int]:
        """Number and bytes of the frames in the ring."""
        with self._work:
            return len(self._ring), self._ring.size_bytes

    def _settle(self, frame: Frame, fate: Fate) -> None:
        self._counts[frame.fate] -= 1
        self._counts[fate] += 1
        frame.fate = fate
