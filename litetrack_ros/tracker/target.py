"""One target between frames: its boxes, its template and its state."""

from collections import deque

import numpy as np

from litetrack_ros.backends.base import TemplateFeatures
from litetrack_ros.config import TrackerConfig
from litetrack_ros.geometry import FloatArray
from litetrack_ros.tracker.hunt import Hunt
from litetrack_ros.tracker.looks import Glimpse, Look
from litetrack_ros.tracker.state import State, StateMachine

_MOST_OTHERS, _MOST_BESIDE, _MOST_SEEN = 12, 4, 3
_STEADY = 0.8  # of the motion from frame to frame, kept
_FURTHEST_FRAMES = 15  # how far a motion is thought to go on
_HUNT_SCALE = 1.25  # most growth of the search region while it is not the only one


class TargetState:
    """What is kept of a target between frames.

    Args:
        target_id: names the target.
        box_xywh: the init box, px, ``(4,)``.
        template: what the backend made of it.
        glimpse: what it made it of.
        config: thresholds of the state machine.
    """

    def __init__(
        self,
        target_id: str,
        box_xywh: FloatArray,
        template: TemplateFeatures,
        glimpse: Glimpse,
        config: TrackerConfig,
    ) -> None:
        self.target_id = target_id
        self.box_xywh = box_xywh
        self.trusted_box_xywh = box_xywh
        self.untrusted_frames = 0
        self.template, self.glimpse = template, glimpse
        self.motion_px = np.zeros(2)
        self.tracked_frames = 0
        self.is_doubtful = False
        self.undoubted_box_xywh = box_xywh
        self.hunt: Hunt | None = None
        self.look: Look | None = None
        self.others: deque[Look] = deque(maxlen=_MOST_OTHERS)
        self.beside: deque[Glimpse] = deque(maxlen=_MOST_BESIDE)
        self.seen: deque[Glimpse] = deque(maxlen=_MOST_SEEN)
        self.own_likenesses: deque[float] = deque(maxlen=_MOST_SEEN)
        self.machine = StateMachine(config)

    @property
    def search_box_xywh(self) -> FloatArray:
        """Around what to search in the next frame."""
        hunt = self.hunt
        if hunt is None:
            return self.box_xywh
        if hunt.suspect is not None:
            return hunt.suspect.box_xywh
        if hunt.window_xywh is not None:
            return hunt.window_xywh
        if not hunt.is_ahead:
            return self.box_xywh
        way = self.motion_px * min(self.machine.lost_frames, _FURTHEST_FRAMES)
        return np.concatenate([self.box_xywh[:2] + way, self.box_xywh[2:]])

    @property
    def search_scale(self) -> float:
        """What to multiply the search factor by in the next frame."""
        scale = self.machine.search_scale
        if self.hunt is None:
            return scale
        return 1.0 if self.hunt.suspect is not None else min(scale, _HUNT_SCALE)

    def follow(self, candidate_xywh: FloatArray, score: float) -> State:
        """Take a frame's candidate and its score; return the state after it."""
        before = self.machine.state
        state = self.machine.update(score)
        self.untrusted_frames += 1
        if state is State.TRACKING:
            self.box_xywh = candidate_xywh
            self.hunt = None
            if self.machine.is_miss and not self.is_doubtful:
                self.is_doubtful, self.undoubted_box_xywh = True, self.trusted_box_xywh
            if not self.machine.is_miss:
                if self.untrusted_frames == 1:
                    step = candidate_xywh - self.trusted_box_xywh
                    moved = step[:2] + 0.5 * step[2:]
                    self.motion_px = _STEADY * self.motion_px + (1.0 - _STEADY) * moved
                self.trusted_box_xywh, self.untrusted_frames = candidate_xywh, 0
        elif before is State.TRACKING:
            self.is_doubtful = False
            # The boxes of the misses that led here were guesses: fall back to the last trusted one.
            self.box_xywh = self.trusted_box_xywh
        return state

    def lose(self) -> None:
        """Take the target for LOST, and for where it was before its score went down."""
        self.machine.lose()
        self.box_xywh = self.trusted_box_xywh = self.undoubted_box_xywh
