"""When a target's recent template is taken, for models that have one beside the first.

Frames are counted, never seconds, so that the same video gives the same result. The crop is cut
when its frame was tracked, and encoded once the frame's result is out.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend
from litetrack_ros.config import TrackerConfig
from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.images import ColorOrder, Image, Uint8Image, to_rgb8
from litetrack_ros.tracker.decode import is_finite_template, template_box_xyxy_norm
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.target import TargetState


class _Taken(NamedTuple):
    """A template that waits to be encoded: ``(S, S, 3)`` uint8 RGB and its box ``(4,)``."""

    target: TargetState
    crop: Uint8Image
    box_xyxy_norm: npt.NDArray[np.float32]


class RecentTemplates:
    """Takes at most one target's recent template a frame.

    Args:
        backend: encodes them.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._taken: _Taken | None = None

    def watch(
        self,
        image: Image,
        color_order: ColorOrder,
        scored: Iterable[tuple[TargetState, float]],
        config: TrackerConfig,
    ) -> None:
        """Count a frame, and cut the template of the target whose turn it is, if any.

        It is the turn of the target that has gone longest without, of those that were certain for
        long enough.

        Args:
            image: the frame, checked.
            color_order: of images with colour.
            scored: the targets after the frame, with the scores of their candidates.
            config: how certain, for how long and how often.
        """
        model = self._backend.model_config
        if model.templates == 1 or config.recent_after_frames == 0:
            return
        due: TargetState | None = None
        for target, score in scored:
            certain = target.machine.state is State.TRACKING and score >= config.recent_score
            target.certain_frames = target.certain_frames + 1 if certain else 0
            target.template_frames += 1
            if (
                target.certain_frames >= config.recent_after_frames
                and target.template_frames >= config.recent_every_frames
                and (due is None or target.template_frames > due.template_frames)
            ):
                due = target
        if due is not None:
            due.template_frames = 0
            region = CropRegion.around(due.box_xywh, model.template_factor, model.template_size)
            crop = to_rgb8(extract_crop(image, region), color_order)
            box = template_box_xyxy_norm(due.box_xywh, region, model.decode)
            self._taken = _Taken(due, crop, box)

    def encode(self) -> TargetState | None:
        """Encode the template that was cut, if any; returns the target that has it now."""
        if self._taken is None:
            return None
        target, crop, box = self._taken
        self._taken = None
        recent = self._backend.encode_template(crop[None], box[None])
        if not is_finite_template(recent):
            return None
        target.template = self._backend.with_recent(target.first_template, recent)
        return target
