"""OpenCV's own trackers behind the protocol's interface, for comparison.

Which of them exist depends on OpenCV's version and flavour: CSRT, KCF, MOSSE and MedianFlow need a
contrib build. The ones with a network (nano, vit, dasiamrpn) read OpenCV's default file names, such
as ``backbone.onnx``, from the current folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from litetrack_ros.errors import BackendError
from litetrack_ros.geometry import FloatArray, check_init_box
from litetrack_ros.images import Image, to_bgr8
from litetrack_ros.opencv import cv2

CLASSES = {
    "boosting": "TrackerBoosting",
    "csrt": "TrackerCSRT",
    "dasiamrpn": "TrackerDaSiamRPN",
    "kcf": "TrackerKCF",
    "medianflow": "TrackerMedianFlow",
    "mil": "TrackerMIL",
    "mosse": "TrackerMOSSE",
    "nano": "TrackerNano",
    "tld": "TrackerTLD",
    "vit": "TrackerVit",
}


def available_trackers() -> dict[str, Callable[[], Any]]:
    """The trackers of the installed OpenCV: names to their constructors."""
    found: dict[str, Callable[[], Any]] = {}
    for name, class_name in CLASSES.items():
        for module in (cv2, getattr(cv2, "legacy", None)):
            create = getattr(module, f"{class_name}_create", None)
            if create is not None:
                found.setdefault(name, create)
    return found


class OpenCvSequenceTracker:
    """One of OpenCV's trackers; a frame in which it finds nothing keeps the last box.

    Args:
        name: a key of :data:`CLASSES`.

    Raises:
        BackendError: this OpenCV lacks it, or the files of its network are missing.
    """

    def __init__(self, name: str) -> None:
        available = available_trackers()
        if name not in available:
            raise BackendError(
                f"this OpenCV ({cv2.__version__}) has no tracker '{name}'; it has "
                f"{', '.join(available) or 'none'}; a contrib flavour of OpenCV has more"
            )
        try:
            self._tracker = available[name]()
        except cv2.error as error:
            raise BackendError(
                f"OpenCV cannot make its tracker '{name}': {error.err}; one with a network reads "
                "its files from the current folder"
            ) from error
        self._box_xywh: FloatArray = np.full(4, np.nan)

    def init(self, image: Image, box_xywh: FloatArray) -> None:
        """See :class:`litetrack_ros.evaluation.runner.SequenceTracker`."""
        box = check_init_box(box_xywh, image.shape[1], image.shape[0])
        bgr = to_bgr8(image)
        self._box_xywh = box
        try:
            self._tracker.init(bgr, tuple(float(v) for v in box))
        except (TypeError, cv2.error):  # the trackers outside cv2.legacy take whole pixels only
            self._tracker.init(bgr, tuple(round(float(v)) for v in box))

    def update(self, image: Image) -> FloatArray:
        """See :class:`litetrack_ros.evaluation.runner.SequenceTracker`."""
        found, box = self._tracker.update(to_bgr8(image))
        if found:
            self._box_xywh = np.asarray(box, dtype=np.float64)
        return self._box_xywh
