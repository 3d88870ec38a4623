"""On which image does a new track start? Init boxes are drawn on images that are already old.

An init box names its image by the stamp. The ring of recent frames is searched for that stamp; a
box for an image that has not come yet waits for it, one for an image that has gone is refused.
From the image it starts on, a track is brought up to the newest one in bounded time.
"""

import math
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from litetrack_ros.node.frames import ReceivedFrame
from litetrack_ros.node.requests import InitRequest

_NS_PER_MS = 1e6
MAX_ID_BYTES = 64


def name_fault(what: str, name: str) -> str:
    """Why a target cannot have this id or class, as a sentence; empty where it can.

    They come from the network and go out with every box, and into logs.

    Args:
        what: ``"target id"`` or ``"class_id"``.
        name: the id or the class.
    """
    if len(name) > MAX_ID_BYTES or len(name.encode()) > MAX_ID_BYTES:
        return f"its {what} is longer than {MAX_ID_BYTES} bytes"
    kinds = [unicodedata.category(character) for character in name]
    if any(kind[0] == "C" or kind in ("Zl", "Zp") for kind in kinds):
        return f"its {what} holds control characters"
    return ""


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
        return _choose_newest(request, frames, waited_ms, max_wait_ms)
    if request.meant is not None:
        return InitChoice(request.meant)
    for frame in reversed(frames):
        if frame.stamp_ns == request.stamp_ns:
            return InitChoice(frame)
    later = [frame.stamp_ns - request.stamp_ns for frame in frames[-2:]]
    may_still_come = not frames or later[-1] < 0
    # One image far ahead may come from a wrong clock: the next one shows whether it does.
    is_far_ahead = bool(later) and later[-1] > max_wait_ms * _NS_PER_MS
    is_odd = is_far_ahead and (len(later) < 2 or later[-2] < 0)
    if (may_still_come or is_odd) and waited_ms <= max_wait_ms:
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
            "younger; draw sooner, or raise ring_s and ring_mb"
        )
    return InitChoice(
        refusal=f"no image held has its stamp: the nearest is {away_ms:.1f} ms away, more than "
        f"init_stamp_tolerance_ms = {tolerance_ms:g}"
    )


def _choose_newest(
    request: InitRequest, frames: Sequence[ReceivedFrame], waited_ms: float, max_wait_ms: float
) -> InitChoice:
    """The newest frame when it was asked, or the next one where the camera was silent by then."""
    newest = request.newest
    if newest is not None and 1e3 * (request.arrival_s - newest.arrival_s) <= max_wait_ms:
        return InitChoice(newest)
    for frame in frames:
        if frame.arrival_s > request.arrival_s:
            return InitChoice(frame)
    if waited_ms <= max_wait_ms:
        return InitChoice()
    silent = ""
    if newest is not None:
        silent = (
            f"; the newest is {request.arrival_s + 1e-3 * waited_ms - newest.arrival_s:.1f} s old"
        )
    return InitChoice(refusal=f"no image has come within {max_wait_ms:g} ms{silent}")


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
