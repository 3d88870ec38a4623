"""From the frame a box was drawn on to the newest one, in bounded time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from litetrack_ros.node.frames import Frame


def catch_up(
    start: Frame,
    passed_since: Callable[[Frame], Sequence[Frame]],
    step: Callable[[Frame], bool],
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
