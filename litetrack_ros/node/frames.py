"""Images on their way from the callback to the worker: the ring of recent ones, a slot, the counts.

The callback only stores; a frame that the worker has not taken is replaced by the next one, so
that the worker always gets the newest. Init boxes refer to the frames in the ring.
"""

import enum
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any


class Fate(enum.Enum):
    """What became of an image; each received one has exactly one."""

    WAITING = "waiting"
    PROCESSED = "processed"
    REPLACED = "replaced"
    CAUGHT_UP = "caught_up"
    REJECTED = "rejected"
    IGNORED = "ignored"


@dataclass(eq=False)
class ReceivedFrame:
    """A received image.

    Attributes:
        stamp_ns: of its header.
        message: the message as received, or later what stands in for it; nobody changes it.
        size_bytes: of its data.
        arrival_s: entry of the image callback, ``time.perf_counter``.
        fate: what became of it so far.
        is_small: its data is not to be reduced, or not any more.
    """

    stamp_ns: int
    message: Any
    size_bytes: int
    arrival_s: float
    fate: Fate = field(default=Fate.WAITING)
    is_small: bool = False

    @property
    def header(self) -> Any:
        """The message's header."""
        return getattr(self.message, "header", None)


_LATE_S = 0.25  # a box drawn max_s ago takes a moment to get here
_FULL_SHARE = 0.65  # of the bytes; beyond it old frames are reduced, beyond all of them they go
_SMALL_SHARE = 0.62  # of the bytes, for the reduced ones of all the time
_RATE_AFTER_S = 0.2  # frames of so long tell the rate
_PATIENCE = 0.6  # of the time between frames: so long results come before old frames are reduced
_UNTOUCHED = 2  # newest frames that are never reduced


class FrameRing:
    """The frames of the last seconds in order of arrival, bounded in bytes.

    Not thread-safe. Stamps never decrease from one frame held to the next: a backward jump (a
    clock that was set, a bag that starts again) clears the ring first.

    Args:
        max_s: how long a frame is held, by its stamp and by its arrival.
        max_bytes: most bytes of image data to hold; the newest frame is held whatever its size.
    """

    def __init__(self, max_s: float, max_bytes: int) -> None:
        self.max_s = max_s
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._frames: deque[ReceivedFrame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> tuple[ReceivedFrame, ...]:
        """All frames held, oldest first."""
        return tuple(self._frames)

    @property
    def newest(self) -> ReceivedFrame | None:
        """The frame that arrived last, None when empty."""
        return self._frames[-1] if self._frames else None

    def append(self, frame: ReceivedFrame) -> bool:
        """Hold a frame; returns whether its stamp jumped back and cleared the ring."""
        jumped = bool(self._frames) and frame.stamp_ns < self._frames[-1].stamp_ns
        if jumped:
            self.clear()
        self._frames.append(frame)
        self.size_bytes += frame.size_bytes
        while len(self._frames) > 1 and (
            self._is_old(self._frames[0], frame) or self.size_bytes > self.max_bytes
        ):
            self.size_bytes -= self._frames.popleft().size_bytes
        return jumped

    def _is_old(self, frame: ReceivedFrame, newest: ReceivedFrame) -> bool:
        stamp_s = 1e-9 * (newest.stamp_ns - frame.stamp_ns)
        return max(stamp_s, newest.arrival_s - frame.arrival_s) > self.max_s + _LATE_S

    def to_reduce(self) -> ReceivedFrame | None:
        """The oldest frame that should be made small now, None where there is room.

        Room for those that are still to come is kept free from the start: whole images that fill it
        until then would leave holes in the heap, and the process as large as if they were there.
        """
        expected_bytes = float(self.size_bytes)
        if self._span_s >= _RATE_AFTER_S:
            to_come = max(0.0, self._wanted_frames - len(self._frames))
            expected_bytes += to_come * self._reduced_bytes
        if expected_bytes <= _FULL_SHARE * self.max_bytes:
            return None
        # One that waits or is in work is needed as it is.
        for frame in list(self._frames)[:-_UNTOUCHED]:
            if not frame.is_small and frame.fate is not Fate.WAITING:
                return frame
        return None

    @property
    def small_bytes(self) -> float:
        """How large a reduced frame may be, so that those of all the time fit."""
        return _SMALL_SHARE * self.max_bytes / max(1.0, self._wanted_frames)

    @property
    def period_s(self) -> float:
        """The mean time from one frame to the next, 0 where there are not two."""
        return self._span_s / max(1, len(self._frames) - 1)

    @property
    def _span_s(self) -> float:
        return self._frames[-1].arrival_s - self._frames[0].arrival_s if self._frames else 0.0

    @property
    def _wanted_frames(self) -> float:
        """How many frames of this rate all the time has."""
        return self.max_s / (self.period_s or 1.0)

    @property
    def _reduced_bytes(self) -> float:
        """How large a frame is, or will be, once it is reduced; there is one."""
        oldest = self._frames[0]
        return oldest.size_bytes if oldest.is_small else min(self.small_bytes, oldest.size_bytes)

    def replace(self, frame: ReceivedFrame, message: Any, size_bytes: int) -> None:
        """Put something smaller in the place of a frame's message."""
        if frame in self._frames:
            self.size_bytes += size_bytes - frame.size_bytes
        frame.message, frame.size_bytes, frame.is_small = message, size_bytes, True

    def remove(self, frame: ReceivedFrame) -> None:
        """Let go of a frame that turned out to be unusable."""
        if frame in self._frames:
            self._frames.remove(frame)
            self.size_bytes -= frame.size_bytes

    def after(self, frame: ReceivedFrame) -> list[ReceivedFrame]:
        """The frames that arrived after another one, which need not be held any more."""
        return [held for held in self._frames if held.arrival_s > frame.arrival_s]

    def clear(self) -> None:
        """Let go of all frames."""
        self._frames.clear()
        self.size_bytes = 0


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
        self._slot: ReceivedFrame | None = None
        self._counts = dict.fromkeys(Fate, 0)
        self._accepting = True
        lock = threading.RLock()
        self._work = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._nudged = False

    def put(self, frame: ReceivedFrame) -> bool:
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
            self._room.notify()
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

    def take(self) -> ReceivedFrame | None:
        """The frame in the slot, if any; the taker settles it."""
        with self._work:
            frame, self._slot = self._slot, None
            return frame

    def settle(self, frame: ReceivedFrame, fate: Fate) -> None:
        """Say what became of a frame. A rejected one leaves the ring."""
        with self._work:
            self._settle(frame, fate)
            if fate is Fate.REJECTED:
                self._ring.remove(frame)

    def frames(self) -> tuple[ReceivedFrame, ...]:
        """The ring's frames, oldest first."""
        with self._work:
            return self._ring.frames

    def newest(self) -> ReceivedFrame | None:
        """The newest frame held."""
        with self._work:
            return self._ring.newest

    def seen(self, stamp_ns: int) -> tuple[ReceivedFrame | None, ReceivedFrame | None]:
        """The newest frame held, and the newest of those with this very stamp."""
        with self._work:
            frames = reversed(self._ring.frames)
            meant = next((frame for frame in frames if frame.stamp_ns == stamp_ns), None)
            return self._ring.newest, meant

    def passed_since(self, frame: ReceivedFrame) -> list[ReceivedFrame]:
        """Frames held that arrived after ``frame``, without the one that waits in the slot."""
        with self._work:
            return [held for held in self._ring.after(frame) if held is not self._slot]

    def wait_to_reduce(self, timeout_s: float) -> tuple[ReceivedFrame, float] | None:
        """A frame to be made small and how many bytes it may have then; None after the time.

        While a frame waits or is in work its results come first, unless that lasts: all frames
        have to become small in time.
        """
        with self._room:
            if self._ring.to_reduce() is None:
                self._room.wait(timeout_s)
            if self._ring.to_reduce() is not None:
                patience_s = _PATIENCE * self._ring.period_s
                self._room.wait_for(lambda: not self._counts[Fate.WAITING], patience_s)
            frame = self._ring.to_reduce()
            return None if frame is None else (frame, self._ring.small_bytes)

    def replace(self, frame: ReceivedFrame, message: Any, size_bytes: int) -> None:
        """Put something smaller in the place of a frame's message."""
        with self._work:
            self._ring.replace(frame, message, size_bytes)

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

    def _settle(self, frame: ReceivedFrame, fate: Fate) -> None:
        self._counts[frame.fate] -= 1
        self._counts[fate] += 1
        frame.fate = fate
        self._room.notify()
