"""What a detector saw, and which of it an operator means. Knows nothing of ROS.

Detections come later than the image they belong to. They are kept for a while, so that a request
finds those of its image by the stamp, and the ring of recent frames the image.
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from litetrack_ros.errors import BoxError, shown
from litetrack_ros.node.sizes import Box, Size

_NS_PER_MS = 1e6
_MAX_NAMED = 5  # ids or classes that a refusal names
_MAX_NAME = 64  # characters of one of them
_SLACK = 0.02  # part of the image's size that a detection may reach beyond it


class Detected(NamedTuple):
    """One detection.

    Attributes:
        detection_id: empty with many detectors.
        class_id: of the likeliest hypothesis.
        score: of that one.
        box_xywh: px of the detector's image, upright.
    """

    detection_id: str
    class_id: str
    score: float
    box_xywh: Box


@dataclass(frozen=True)
class DetectionSet:
    """All detections in one image.

    Attributes:
        stamp_ns: of that image.
        frame_id: of that image.
        arrival_s: when the set came, ``time.perf_counter``.
        detections: in the detector's order.
    """

    stamp_ns: int
    frame_id: str
    arrival_s: float
    detections: tuple[Detected, ...]

    def check_fits(self, frame_id: str, size: Size) -> None:
        """Raise BoxError, with a sentence, where these are detections in some other image.

        Args:
            frame_id: of the image with their stamp.
            size: width and height of that image, px.
        """
        if self.frame_id != frame_id:
            raise BoxError(
                f"the detections are of frame '{shown(self.frame_id, _MAX_NAME)}', the images of "
                f"'{shown(frame_id, _MAX_NAME)}': let the detector copy the image's header, or "
                "remap `detections` to the detector of this camera"
            )
        corners = [(x + w, y + h) for _, _, _, (x, y, w, h) in self.detections]
        right, bottom = np.array(corners).reshape(-1, 2).max(axis=0, initial=0.0)
        if right > (1 + _SLACK) * size[0] or bottom > (1 + _SLACK) * size[1]:
            raise BoxError(
                f"the detections reach to ({right:.0f}, {bottom:.0f}), the image has "
                f"{size[0]}x{size[1]} px: let the detector give pixels of the image it was sent"
            )


@dataclass(frozen=True)
class DetectionQuery:
    """Which detection an operator means: the one with an id, or the nearest of a class.

    Attributes:
        detection_id: None where the nearest is meant.
        class_id: of the nearest; empty for any.
        point_xy: to which it is the nearest, px.
    """

    detection_id: str | None = None
    class_id: str = ""
    point_xy: tuple[float, float] = (0.0, 0.0)

    def pick(self, detections: Sequence[Detected]) -> Detected:
        """The detection that is meant; of several with one id the likeliest.

        Raises:
            BoxError: there is none; the sentence names those there are.
        """
        if not detections:
            raise BoxError("the detector has found nothing in that image")
        if self.detection_id is None:
            of_class = [d for d in detections if self.class_id in ("", d.class_id)]
            if not of_class:
                raise BoxError(
                    f"no detection is of class '{shown(self.class_id, _MAX_NAME)}'; there are "
                    f"{_named(d.class_id for d in detections)}"
                )
            return min(of_class, key=lambda d: _distances(d.box_xywh, self.point_xy))
        if not any(d.detection_id for d in detections):
            raise BoxError(
                "the detector leaves Detection2D.id empty: select by CLASS_NEAREST, or let it "
                "number its detections"
            )
        of_id = [d for d in detections if d.detection_id == self.detection_id]
        if not of_id:
            raise BoxError(
                f"no detection has the id '{shown(self.detection_id, _MAX_NAME)}'; there are "
                f"{_named(d.detection_id for d in detections)}"
            )
        return max(of_id, key=lambda d: d.score)


class DetectionHistory:
    """The detections of the last images. Thread-safe.

    Args:
        source: where they come from, for messages.
        max_sets: how many images' are kept.
    """

    def __init__(self, source: str, max_sets: int = 200) -> None:
        self._source = source
        self._sets: deque[DetectionSet] = deque(maxlen=max_sets)
        self._lock = threading.Lock()

    def add(self, found: DetectionSet) -> None:
        """Keep the detections of an image. Stamps that jump back clear the earlier ones."""
        with self._lock:
            if self._sets and found.stamp_ns < self._sets[0].stamp_ns:
                self._sets.clear()
            self._sets.append(found)

    def since(self, arrival_s: float) -> list[DetectionSet]:
        """The sets that came after a moment, ``time.perf_counter``, in their order."""
        with self._lock:
            return [found for found in self._sets if found.arrival_s > arrival_s]

    def find(
        self,
        query: DetectionQuery,
        stamp_ns: int,
        arrival_s: float,
        tolerance_ms: float,
        waited_ms: float,
        max_wait_ms: float,
    ) -> tuple[DetectionSet, Detected] | None:
        """The detection that a request means, and those it is among.

        Args:
            query: which it is.
            stamp_ns: of the image that the operator saw; 0 is the newest with detections.
            arrival_s: when the request came, ``time.perf_counter``.
            tolerance_ms: how far the nearest stamp may be where none is equal.
            waited_ms: how long the request has waited.
            max_wait_ms: how long it may wait for detections with its stamp.

        Returns:
            None where it has to wait.

        Raises:
            BoxError: there is none, and will be none.
        """
        with self._lock:
            sets = list(self._sets)
        is_late = waited_ms > max_wait_ms
        found: DetectionSet | None = None
        if stamp_ns == 0:
            begin_s = arrival_s - 1e-3 * max_wait_ms
            found = sets[-1] if sets and sets[-1].arrival_s >= begin_s else None
        elif sets:
            nearest = min(reversed(sets), key=lambda held: abs(held.stamp_ns - stamp_ns))
            away_ns = abs(nearest.stamp_ns - stamp_ns)
            may_come = not is_late and sets[-1].stamp_ns < stamp_ns
            if away_ns == 0 or (away_ns <= tolerance_ms * _NS_PER_MS and not may_come):
                found = nearest
        if found is not None:
            return found, query.pick(found.detections)
        if not is_late:
            return None
        if not sets or stamp_ns == 0:
            raise BoxError(f"no detections have come on {self._source} within {max_wait_ms:g} ms")
        raise BoxError(
            f"no detections on {self._source} have its stamp: the nearest are "
            f"{away_ns / _NS_PER_MS:.0f} ms away"
        )


def _distances(box_xywh: Box, point_xy: tuple[float, float]) -> tuple[float, float]:
    """From a point to a box (0 inside) and to its centre, px."""
    x, y, width, height = box_xywh
    across, down = point_xy[0] - (x + width / 2), point_xy[1] - (y + height / 2)
    outside = max(abs(across) - width / 2, 0.0), max(abs(down) - height / 2, 0.0)
    return float(np.hypot(*outside)), float(np.hypot(across, down))


def _named(names: Iterable[str]) -> str:
    """Names for a sentence, each once, a few of them."""
    different = sorted(set(names))
    listed = ", ".join(f"'{shown(name, _MAX_NAME)}'" for name in different[:_MAX_NAMED])
    rest = len(different) - _MAX_NAMED
    return listed + (f" and {rest} more" if rest > 0 else "")
