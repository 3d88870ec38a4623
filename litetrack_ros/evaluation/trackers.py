"""The trackers that are evaluated by name: this package's, and OpenCV's own for comparison.

Which of OpenCV's exist depends on its version and flavour: CSRT, KCF, MOSSE and MedianFlow need a
contrib build. The ones with a network (nano, vit, dasiamrpn) read OpenCV's default file names, such
as ``backbone.onnx``, from the current folder.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.backends.base import Backend, BackendInfo
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import BackendError
from litetrack_ros.evaluation.runner import MakeTracker
from litetrack_ros.geometry import BoxLike, FloatArray, check_init_box
from litetrack_ros.images import Image, to_bgr8
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

LITETRACK = "litetrack"
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


class OpenedTracker(NamedTuple):
    """A tracker that is ready to run.

    Attributes:
        make: makes a fresh one.
        info: what runs its network; None for OpenCV's.
        is_calibrated: whether its scores are probabilities.
    """

    make: MakeTracker
    info: BackendInfo | None
    is_calibrated: bool = False


@dataclass(frozen=True)
class TrackerChoice:
    """A tracker by its name; picklable, so that every process opens its own.

    Attributes:
        name: :data:`LITETRACK`, or a key of :data:`CLASSES`.
        model: the network of the former; its device counts where no other is given.
        stateless: run the former without its state machine: TRACKING, whatever the score.
        sha256: of the network, see :func:`open_same`.
    """

    name: str
    model: ModelChoice
    stateless: bool = False
    sha256: str = ""

    def open(self) -> OpenedTracker:
        """Open it on the model's device.

        Raises:
            WeightsError, BackendError, MissingDependencyError: it cannot be opened.
        """
        if self.name != LITETRACK:
            OpenCvTracker(self.name)  # an unknown name ends here, before the first frame
            return OpenedTracker(lambda: OpenCvTracker(self.name), None)
        backend = open_same(self.model, self.sha256)
        config = backend.tracker_config
        if self.stateless:
            config = dataclasses.replace(config, lost_threshold=0.0)
        is_calibrated = config.calibration is not None
        return OpenedTracker(lambda: Tracker(backend, config), backend.info, is_calibrated)

    def open_on(self, device: str) -> MakeTracker:
        """Open it on another device; see :meth:`open`."""
        model = dataclasses.replace(self.model, device=device)
        return dataclasses.replace(self, model=model).open().make


def open_same(choice: ModelChoice, sha256: str = "") -> Backend:
    """Open a model, which may have to be the one that is open elsewhere.

    Args:
        choice: the model, and what runs it.
        sha256: the hash that it must have; empty takes any.

    Raises:
        BackendError: it has another hash.
        WeightsError, MissingDependencyError: it cannot be opened.
    """
    backend = open_backend(choice)
    found = backend.info.model_sha256
    if sha256 not in ("", found):
        raise BackendError(
            f"the model '{choice.model}' is another one here ({found[:8]}, not {sha256[:8]}): "
            "copy the right file there"
        )
    return backend


def open_same_on(choice: ModelChoice, sha256: str, device: str) -> Backend:
    """As :func:`open_same`, on another device."""
    return open_same(dataclasses.replace(choice, device=device), sha256)


def available_trackers() -> dict[str, Callable[[], Any]]:
    """The trackers of the installed OpenCV: names to their constructors."""
    found: dict[str, Callable[[], Any]] = {}
    for name, class_name in CLASSES.items():
        for module in (cv2, getattr(cv2, "legacy", None)):
            create = getattr(module, f"{class_name}_create", None)
            if create is not None:
                found.setdefault(name, create)
    return found


class OpenCvTracker:
    """One of OpenCV's trackers; a frame in which it finds nothing is LOST and keeps the last box.

    It gives no score.

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

    def init(self, image: Image, box_xywh: BoxLike) -> TrackResult:
        """See :class:`litetrack_ros.tracker.following.OneTargetTracker`."""
        start_s = time.perf_counter()
        box = check_init_box(box_xywh, image.shape[1], image.shape[0])
        bgr = to_bgr8(image)
        try:
            self._tracker.init(bgr, tuple(float(v) for v in box))
        except (TypeError, cv2.error):  # the trackers outside cv2.legacy take whole pixels only
            self._tracker.init(bgr, tuple(round(float(v)) for v in box))
        self._box_xywh = box
        return self._result(State.TRACKING, start_s)

    def update(self, image: Image) -> TrackResult:
        """See :class:`litetrack_ros.tracker.following.OneTargetTracker`."""
        start_s = time.perf_counter()
        found, box = self._tracker.update(to_bgr8(image))
        if found:
            self._box_xywh = np.asarray(box, dtype=np.float64)
        return self._result(State.TRACKING if found else State.LOST, start_s)

    def _result(self, state: State, start_s: float) -> TrackResult:
        nothing = float("nan")
        timing = StageTiming(0.0, 1e3 * (time.perf_counter() - start_s), 0.0)
        box = self._box_xywh
        return TrackResult(
            "", box.copy(), box.copy(), nothing, nothing, False, nothing, state, timing
        )
