"""One target between frames: its boxes, its template and its state."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from litetrack_ros.backends.base import TemplateFeatures
from litetrack_ros.config import TrackerConfig
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image
from litetrack_ros.tracker.camera_motion import ReducedPicture, camera_shift, reduce_picture
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
        self.no_answers = 0
        self.first_template = self.template = template
        self.certain_frames = self.template_frames = 0
        self.glimpse = glimpse
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
        self.picture: ReducedPicture | None = None  # in which the boxes lie, if that is followed

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

    def move_with(self, picture: ReducedPicture, shift_xy: FloatArray) -> None:
        """Take the boxes into a later picture that has moved by so many px as a whole, ``(2,)``."""
        across = np.concatenate([shift_xy, np.zeros(2)])
        self.box_xywh = self.box_xywh + across
        self.trusted_box_xywh = self.trusted_box_xywh + across
        self.undoubted_box_xywh = self.undoubted_box_xywh + across
        if self.hunt is not None:
            self.hunt.move(across)
        self.picture = picture

    def follow(self, candidate_xywh: FloatArray, score: float, is_answer: bool = True) -> None:
        """Take a frame's candidate and its score.

        Args:
            candidate_xywh: px, ``(4,)``.
            score: of the candidate.
            is_answer: False where the network's answer was none.
        """
        self.no_answers = 0 if is_answer else self.no_answers + 1
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

    def lose(self) -> None:
        """Take the target for LOST, and for where it was before its score went down."""
        self.machine.lose()
        self.box_xywh = self.trusted_box_xywh = self.undoubted_box_xywh


def follow_camera(targets: Sequence[TargetState], image: Image) -> None:
    """Move the targets' boxes with the picture; those last seen in one picture move alike."""
    picture = reduce_picture(image)
    shifts: dict[int, FloatArray] = {}
    for target in targets:
        before = target.picture
        if before is None:
            target.picture = picture
            continue
        if id(before) not in shifts:
            shifts[id(before)] = camera_shift(before, picture)
        target.move_with(picture, shifts[id(before)])
