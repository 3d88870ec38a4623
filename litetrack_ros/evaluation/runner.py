"""The one-pass protocol: initialised in the first frame, never reset."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from litetrack_ros.backends.base import Backend
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image
from litetrack_ros.tracker.tracker import Tracker


class SequenceTracker(Protocol):
    """Any tracker the protocol can run; a new one for every sequence."""

    def init(self, image: Image, box_xywh: FloatArray) -> None:
        """Start to follow what the box shows in a BGR or grey image."""

    def update(self, image: Image) -> FloatArray:
        """Return the box in the next image, xywh in image pixels, ``(4,)``; the last where lost."""


TrackerFactory = Callable[[], SequenceTracker]


@dataclass(frozen=True)
class SequenceRun:
    """What a tracker did on a sequence.

    Attributes:
        sequence: the sequence.
        boxes_xywh: ``(T, 4)`` float64, the init box first.
        update_s: seconds spent in ``update``, all frames together; reading images is not in it.
    """

    sequence: AnnotatedSequence
    boxes_xywh: FloatArray
    update_s: float

    @property
    def fps(self) -> float:
        """Updates a second."""
        return (len(self.boxes_xywh) - 1) / self.update_s if self.update_s else float("nan")


class LiteTrackSequenceTracker:
    """Our tracker in the protocol, with the settings stored in the model.

    Args:
        backend: runs the network.
    """

    def __init__(self, backend: Backend) -> None:
        self._tracker = Tracker(backend)
        self._box_xywh: FloatArray = np.full(4, np.nan)

    def init(self, image: Image, box_xywh: FloatArray) -> None:
        """See :class:`SequenceTracker`."""
        self._box_xywh = self._tracker.init(image, box_xywh).box_xywh

    def update(self, image: Image) -> FloatArray:
        """See :class:`SequenceTracker`; a target that was given up keeps its last box."""
        result = self._tracker.update(image)
        if result is not None:
            self._box_xywh = result.box_xywh
        return self._box_xywh


def run_sequence(
    sequence: AnnotatedSequence,
    make_tracker: TrackerFactory,
    on_frame: Callable[[], None] | None = None,
    init_box_xywh: FloatArray | None = None,
) -> SequenceRun:
    """Track a sequence once from its first box, or from another box in its first frame.

    Args:
        sequence: frames and ground truth, of which the tracker sees the first box.
        make_tracker: makes a fresh tracker.
        on_frame: called after every frame, for a progress bar.
        init_box_xywh: what the tracker starts from in place of the true box.

    Raises:
        MediaError: a frame cannot be read.
        DatasetError: fewer frames than boxes.
        BoxError: no track can start from the first box.
    """
    tracker = make_tracker()
    init_box = sequence.boxes_xywh[0] if init_box_xywh is None else init_box_xywh
    boxes: list[FloatArray] = []
    update_s = 0.0
    for frame in sequence.frames():
        if not boxes:
            tracker.init(frame.image, init_box)
            boxes.append(init_box)
        else:
            start = time.perf_counter()
            box = tracker.update(frame.image)
            update_s += time.perf_counter() - start
            boxes.append(np.asarray(box, dtype=np.float64))
        if on_frame is not None:
            on_frame()
    return SequenceRun(sequence, np.stack(boxes), update_s)
