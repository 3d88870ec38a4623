"""Labels real video by tracking it forwards and backwards; kept where both agree."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.tracker import Tracker

MIN_AGREEMENT = 0.6  # overlap of both boxes


class AgreedTrack(NamedTuple):
    """Boxes on which a tracker agrees with itself in reverse.

    Attributes:
        boxes_xywh: ``(T, 4)`` float64, the mean of both directions' boxes.
        agreement: ``(T,)`` float64, overlap of both.
    """

    boxes_xywh: FloatArray
    agreement: FloatArray

    @property
    def kept(self) -> npt.NDArray[np.intp]:
        """Indices of the frames in which both agree."""
        return np.flatnonzero(self.agreement >= MIN_AGREEMENT)


def track_both_ways(
    frames: Sequence[Uint8Image],
    init_box_xywh: FloatArray,
    backend: Backend,
    on_frame: Callable[[], None] = lambda: None,
) -> AgreedTrack:
    """Track to the last frame, and from the box found there back to the first.

    Args:
        frames: BGR, at least two.
        init_box_xywh: the object in the first one, px.
        backend: runs the network.
        on_frame: called after every frame of either direction, for a progress bar.

    Raises:
        BoxError: no track can start from the first or the last box.
    """
    forwards = _track(frames, init_box_xywh, backend, on_frame)
    backwards = _track(frames[::-1], forwards[-1], backend, on_frame)[::-1]
    agreement = overlap(forwards, backwards)
    return AgreedTrack(0.5 * (forwards + backwards), np.asarray(agreement, dtype=np.float64))


def ellipse_mask(box_xywh: FloatArray, height: int, width: int) -> Uint8Image:
    """A mask for an object of which only the box is known, ``(height, width)`` 0 or 255."""
    x, y, w, h = (float(v) for v in box_xywh)
    mask = np.zeros((height, width), dtype=np.uint8)
    cv2.ellipse(mask, ((x + 0.5 * w, y + 0.5 * h), (w, h), 0.0), 255, -1)
    return mask


def _track(
    frames: Sequence[Uint8Image],
    init_box_xywh: FloatArray,
    backend: Backend,
    on_frame: Callable[[], None],
) -> FloatArray:
    boxes = []
    # A target that was given up stays where it was: the other direction will not agree.
    for step in follow(Tracker(backend), frames, init_box_xywh):
        boxes.append(step.result.box_xywh)
        on_frame()
    return np.stack(boxes)
