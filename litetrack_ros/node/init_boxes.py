"""On which image does a new track start? Init boxes are drawn on images that are already old.

An init box names its image by the stamp. The ring of recent frames is searched for that stamp; a
box for an image that has not come yet waits for it, one for an image that has gone is refused.
From the image it starts on, a track is brought up to the newest one in bounded time.
"""

import math
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from litetrack_ros.node.frames import ReceivedFrame

_NS_PER_MS = 1e6
_MAX_ID_BYTES = 64


def id_fault(target_id: str) -> str:
    """Why a target cannot have this id, as a sentence; empty where it can.

    Ids come from the network and go out with every box, and into logs.
    """
    if len(target_id) > _MAX_ID_BYTES or len(target_id.encode()) > _MAX_ID_BYTES:
        return f"its target id is longer than {_MAX_ID_BYTES} bytes"
    kinds = [unicodedata.category(character) for character in target_id]
    if any(kind[0] == "C" or kind in ("Zl", "Zp") for kind in kinds):
        return "its target id holds control characters"
    return ""


@dataclass(frozen=True)
class InitRequest:
    """A box to start a track from.

    Attributes:
        target_id: names the target.
        stamp_ns: of the image the box was drawn on; 0 is the newest.
        box_xywh: pixels of that image.
        arrival_s: when the request came, ``time.perf_counter``.
        newest: the newest frame held at that moment, None when there was none.
    """

    target_id: str
    stamp_ns: int
    box_xywh: tuple[float, float, float, float]
    arrival_s: float
    newest: ReceivedFrame | None


@dataclass(frozen=True)
class InitChoice:
    """The frame for a request; or no frame, and why; or neither: wait.

    Attributes:
        frame: start on this one.
        refusal: a sentence that says why there is none and will be none.
    """

    frame: ReceivedFrame | None = None
    refusal: str = ""


def choose_frame(
    request: InitRequest,
    frames: Sequence[ReceivedFrame],
    tolerance_ms: float,
    waited_ms: float,
    max_wait_ms: float,
) -> InitChoice:
    """Find the frame a box was drawn on.

    Args:
        request: what was asked.
        frames: the frames held, oldest first, stamps not decreasing.
        tolerance_ms: how far the nearest stamp may be where none is equal.
        waited_ms: how long the request has waited.
        max_wait_ms: how long it may wait for an image with its stamp.
    """
    if request.stamp_ns == 0:
        if request.newest is not None:
            return InitChoice(request.newest)
        return InitChoice(frames[0]) if frames else InitChoice()
    for frame in reversed(frames):
        if frame.stamp_ns == request.stamp_ns:
            return InitChoice(frame)
    may_still_come = not frames or frames[-1].stamp_ns < request.stamp_ns
    if may_still_come and waited_ms <= max_wait_ms:
        return InitChoice()
    if not frames:
        return InitChoice(refusal=f"no image has come within {max_wait_ms:g} ms")
    nearest = min(frames, key=lambda frame: abs(frame.stamp_ns - request.stamp_ns))
    away_ms = abs(nearest.stamp_ns - request.stamp_ns) / _NS_PER_MS
    if away_ms <= tolerance_ms:
        return InitChoice(nearest)
    if may_still_come:
        return InitChoice(
            refusal=f"its stamp is {away_ms:.0f} ms after that of the newest image, and no later "
            f"image has come within {max_wait_ms:g} ms"
        )
    if request.stamp_ns < frames[0].stamp_ns:
        return InitChoice(
            refusal=f"its image is gone: the oldest of the {len(frames)} held is {away_ms:.0f} ms "
            "younger; draw sooner, or raise ring_frames and ring_mb"
        )
    return InitChoice(
        refusal=f"no image held has its stamp: the nearest is {away_ms:.1f} ms away, more than "
        f"init_stamp_tolerance_ms = {tolerance_ms:g}"
    )


class InitQueue:
    """Init requests on their way to the worker: the latest of each target. Thread-safe.

    Args:
        max_targets: how many targets may wait; with 1 a new target replaces the one that waits.
    """

    def __init__(self, max_targets: int) -> None:
        self._max_targets = max_targets
        self._pending: dict[str, InitRequest] = {}
        self._lock = threading.Lock()

    def put(self, request: InitRequest) -> bool:
        """Take a request in place of an earlier one of the target; False where there is no room."""
        with self._lock:
            if self._max_targets == 1:
                self._pending.clear()
            full = len(self._pending) >= self._max_targets
            if full and request.target_id not in self._pending:
                return False
            self._pending[request.target_id] = request
            return True

    def pending(self) -> list[InitRequest]:
        """The requests that wait, in order of their targets' first request."""
        with self._lock:
            return list(self._pending.values())

    def remove(self, request: InitRequest) -> bool:
        """Take a request out; False if it is not there any more (replaced or cleared)."""
        with self._lock:
            if self._pending.get(request.target_id) is not request:
                return False
            del self._pending[request.target_id]
            return True

    def clear(self) -> None:
        """Drop all requests."""
        with self._lock:
            self._pending.clear()


def catch_up(
    start: ReceivedFrame,
    passed_since: Callable[[ReceivedFrame], Sequence[ReceivedFrame]],
    step: Callable[[ReceivedFrame], bool],
    max_ms: float,
    step_ms: float,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """Step through the frames after ``start``, leaving some out where time is short.

    Frames that arrive meanwhile are included. Before each step the rest is spread evenly over the
    steps that the time still allows.

    Args:
        start: the frame of the init box.
        passed_since: the frames after another one that are there to be used, oldest first.
        step: uses a frame; returns False to end early.
        max_ms: time for all steps; none is begun that is not expected to end within it.
        step_ms: expected time of a step, until the first one was measured.
        clock: monotonic seconds.

    Returns:
        The number of steps.
    """
    begin = clock()
    position, steps = start, 0
    while True:
        waiting = passed_since(position)
        elapsed_ms = 1e3 * (clock() - begin)
        if steps:
            step_ms = elapsed_ms / steps
        affordable = int((max_ms - elapsed_ms) / max(step_ms, 1e-3))
        if not waiting or affordable < 1:
            return steps
        stride = math.ceil(len(waiting) / affordable)
        position = waiting[stride - 1]
        steps += 1
        if not step(position):
            return steps
