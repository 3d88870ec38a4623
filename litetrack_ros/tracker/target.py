"""One target between frames: its boxes, its template and its state."""

from collections.abc import Sequence

import numpy as np

from litetrack_ros.backends.base import TemplateFeatures
from litetrack_ros.config import TrackerConfig
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image
from litetrack_ros.tracker.camera_motion import ReducedPicture, camera_shift, reduce_picture
from litetrack_ros.tracker.state import State, StateMachine


class TargetState:
    """What is kept of a target between frames.

    Args:
        target_id: names the target.
        box_xywh: the init box, px, ``(4,)``.
        template: what the backend made of it.
        config: thresholds of the state machine.
    """

    def __init__(
        self,
        target_id: str,
        box_xywh: FloatArray,
        template: TemplateFeatures,
        config: TrackerConfig,
    ) -> None:
        self.target_id = target_id
        self.box_xywh = box_xywh
        self.trusted_box_xywh = box_xywh
        self.untrusted_frames = 0
        self.no_answers = 0
        self.first_template = self.template = template
        self.certain_frames = self.template_frames = 0
        self.machine = StateMachine(config)
        self.picture: ReducedPicture | None = None  # in which the boxes lie, if that is followed

    def move_with(self, picture: ReducedPicture, shift_xy: FloatArray) -> None:
        """Take the boxes into a later picture that has moved by so many px as a whole, ``(2,)``."""
        across = np.concatenate([shift_xy, np.zeros(2)])
        self.box_xywh = self.box_xywh + across
        self.trusted_box_xywh = self.trusted_box_xywh + across
        self.picture = picture

    def follow(self, candidate_xywh: FloatArray, score: float, is_answer: bool = True) -> State:
        """Take a frame's candidate and its score; return the state after it.

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
            if not self.machine.is_miss:
                self.trusted_box_xywh, self.untrusted_frames = candidate_xywh, 0
        elif before is State.TRACKING:
            # The boxes of the misses that led here were guesses: fall back to the last trusted one.
            self.box_xywh = self.trusted_box_xywh
        return state


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
