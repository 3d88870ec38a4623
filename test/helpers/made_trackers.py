"""Trackers that follow a rule instead of the image."""

from collections.abc import Callable

import numpy as np

from litetrack_ros.geometry import BoxLike
from litetrack_ros.images import Image
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State


class Drifting:
    """Repeats the init box, a pixel further with every frame; the score falls by a hundredth."""

    step_px = 1.0

    def __init__(self) -> None:
        self.images: list[Image] = []

    def init(self, image: Image, box_xywh: BoxLike) -> TrackResult:
        self.box = np.array(box_xywh, dtype=np.float64)
        return self._result(image)

    def update(self, image: Image) -> TrackResult:
        self.box = self.box + np.array([self.step_px, 0, 0, 0])
        return self._result(image)

    def _result(self, image: Image) -> TrackResult:
        self.images.append(image)
        score = 1.01 - 0.01 * len(self.images)
        state = State.TRACKING if len(self.images) < 4 else State.LOST
        timing = StageTiming(0.0, 0.0, 0.0)
        box = self.box
        return TrackResult("", box, box + 0.25, score, score, False, score, state, timing)


class Repeater(Drifting):
    """Answers the init box for ever."""

    step_px = 0.0


def open_drifting(device: str) -> Callable[[], Drifting]:
    """At module level, so that worker processes find it."""
    return Drifting
