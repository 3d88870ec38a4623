"""Images on their way through the node, and the ring of recent ones that init boxes refer to."""

from __future__ import annotations

import enum
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
class Frame:
    """A received image.

    Attributes:
        stamp_ns: of its header.
        message: the message as received; nobody changes it.
        size_bytes: of its data.
        arrival_s: entry of the image callback, ``time.perf_counter``.
        fate: what became of it so far.
    """

    stamp_ns: int
    message: Any
    size_bytes: int
    arrival_s: float
    fate: Fate = field(default=Fate.WAITING)


class FrameRing:
    """The latest frames in order of arrival, bounded in number and in bytes.

    Not thread-safe. Stamps never decrease from one frame held to the next: a backward jump (a
    clock that was set, a bag that starts again) clears the ring first.

    Args:
        max_frames: most frames to hold, at least 1.
        max_bytes: most bytes of image data to hold; the newest frame is held whatever its size.
    """

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self.max_frames = max_frames
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._frames: deque[Frame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All frames held, oldest first."""
        return tuple(self._frames)

    @property
    def newest(self) -> Frame | None:
        """The frame that arrived last, None when empty."""
        return self._frames[-1] if self._frames else None

    def append(self, frame: Frame) -> bool:
        """Hold a frame; returns whether its stamp jumped back and cleared the ring."""
        jumped = bool(self._frames) and frame.stamp_ns < self._frames[-1].stamp_ns
        if jumped:
            self.clear()
        self._frames.append(frame)
        self.size_bytes += frame.size_bytes
        while len(self._frames) > 1 and (
            len(self._frames) > self.max_frames or self.size_bytes > self.max_bytes
        ):
            self.size_bytes -= self._frames.popleft().size_bytes
        return jumped

    def remove(self, frame: Frame) -> None:
        """Let go of a frame that turned out to be unusable."""
        if frame in self._frames:
            self._frames.remove(frame)
            self.size_bytes -= frame.size_bytes

    def after(self, frame: Frame) -> list[Frame]:
        """The frames that arrived after another one, which need not be held any more."""
        return [held for held in self._frames if held.arrival_s > frame.arrival_s]

    def clear(self) -> None:
        """Let go of all frames."""
        self._frames.clear()
        self.size_bytes = 0
