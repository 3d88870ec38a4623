"""What is known of a replayed image, and what a player is given. No ROS in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

STAGES = ("queue_wait", "conversion", "crop", "model", "decode", "publish", "total", "age")
COUNTS = ("received", "processed", "replaced", "caught_up", "rejected", "ignored")


@dataclass(frozen=True)
class PlayedMessage:
    """A message to play.

    Attributes:
        index: position in the replay, from 0.
        frame: position in one pass of the bag, from 0.
        recorded_ns: stamp in the bag.
        due_s: when to play it, from the first message on, at the rate asked for.
        data: serialised; its stamp will be replaced.
    """

    index: int
    frame: int
    recorded_ns: int
    due_s: float
    data: bytes


class Box(NamedTuple):
    """The target in an answer. Pixels, top-left origin; the state is that of ``TrackedBox``."""

    x: float
    y: float
    width: float
    height: float
    state: int
    score: float


@dataclass
class ReplayedFrame:
    """A published image and what came back. Times are ``time.perf_counter`` seconds.

    Attributes:
        index, frame, recorded_ns: as of :class:`PlayedMessage`.
        stamp_ns: unique stamp it was played with.
        planned_s: when it was to be published.
        published_s: when publishing began.
        answered_s: when the boxes arrived; None until then.
        box: the target in the answer; None without an answer or without a target.
        stages_ms: durations in the node by stage, from its timing message.
        counts: the node's counts of images after this one, from its timing message.
    """

    index: int
    frame: int
    recorded_ns: int
    stamp_ns: int
    planned_s: float
    published_s: float
    answered_s: float | None = None
    box: Box | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is expected for it."""
        return self.answered_s is not None and bool(self.stages_ms)
