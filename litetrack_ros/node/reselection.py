"""Lost targets found again among the boxes of a detector. In the worker's thread; no ROS."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from litetrack_ros.errors import BoxError, ImageError
from litetrack_ros.geometry import overlap
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.detections import DetectionHistory, DetectionSet
from litetrack_ros.node.frames import Fate, ReceivedFrame
from litetrack_ros.node.sizes import Box, Size
from litetrack_ros.tracker.appearance import Appearance, Recogniser
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State

_SETS_AT_ONCE = 2  # the newest; looking at a detection takes about a millisecond
_BOXES = 20  # of a set, the likeliest
_SMALLEST_PX = 8.0  # side of a box that can be recognised
_APART = 0.2  # overlap below which a detection is not the target that is tracked
_LEARN_EVERY_S = 0.5
_KEPT_RESULTS = 200  # images


class Recognised(NamedTuple):
    """A lost target in one of the detections."""

    target_id: str
    frame: ReceivedFrame
    box_xywh: Box


class Reselector:
    """Looks for lost targets among the detections that come.

    Args:
        detections: of a detector.
        frames: asks for the frames held.
        image_of: makes an array of a frame; raises ImageError.
    """

    def __init__(
        self,
        detections: DetectionHistory,
        frames: Callable[[], Iterable[ReceivedFrame]],
        image_of: Callable[[ReceivedFrame], ConvertedImage],
    ) -> None:
        self._detections = detections
        self._frames = frames
        self._image_of = image_of
        self._known: dict[str, Recogniser] = {}
        self._tracked: OrderedDict[int, dict[str, Box]] = OrderedDict()
        self._seen_s = 0.0
        self._learnt_s = float("-inf")

    def begin(self, target_id: str, look: Appearance) -> None:
        """A target was selected."""
        self._known[target_id] = Recogniser(look)
        for boxes in self._tracked.values():
            boxes.pop(target_id, None)  # of another target with this id

    def note(self, stamp_ns: int, results: Iterable[TrackResult]) -> None:
        """The results of an image went out."""
        self._tracked[stamp_ns] = {
            r.target_id: (r.box_xywh[0], r.box_xywh[1], r.box_xywh[2], r.box_xywh[3])
            for r in results
            if r.state is State.TRACKING
        }
        while len(self._tracked) > _KEPT_RESULTS:
            self._tracked.popitem(last=False)

    def look(self, lost: Iterable[str], classes: Mapping[str, str]) -> Iterator[Recognised]:
        """Go through the detections that have come since the last time.

        Args:
            lost: the targets to look for.
            classes: of the targets that have one: a detection of another class is not looked at.
        """
        sets = self._detections.since(self._seen_s)
        if not sets:
            return
        self._seen_s = sets[-1].arrival_s
        wanted = [target_id for target_id in lost if target_id in self._known]
        passed = (frame for frame in self._frames() if frame.fate is not Fate.WAITING)
        by_stamp = {frame.stamp_ns: frame for frame in passed}
        for found in sets[-_SETS_AT_ONCE:]:
            frame = by_stamp.get(found.stamp_ns)
            may_learn = found.arrival_s - self._learnt_s >= _LEARN_EVERY_S
            if frame is None or not (wanted or may_learn):
                continue
            try:
                image = self._image_of(frame)
                frame_id = "" if frame.header is None else frame.header.frame_id
                found.check_fits(frame_id, image.size)
            except (BoxError, ImageError):
                continue  # told where somebody selects one of them
            if may_learn:
                self._learn(found, image)
            recognised = []
            for target_id in wanted:
                boxes = _boxes(found, image.size, classes.get(target_id, ""))
                index = self._known[target_id].recognise(image.image, boxes, image.color_order)
                if index is not None:
                    recognised.append(Recognised(target_id, frame, boxes[index]))
            yield from recognised

    def _learn(self, found: DetectionSet, image: ConvertedImage) -> None:
        """See what is beside the targets that are tracked in this image."""
        self._learnt_s = found.arrival_s
        boxes = _boxes(found, image.size, "")
        for target_id, own in self._tracked.get(found.stamp_ns, {}).items():
            known = self._known.get(target_id)
            others = [box for box in boxes if float(overlap(box, own)) < _APART]
            if known is not None:
                known.learn(image.image, others, image.color_order)


def _boxes(found: DetectionSet, size: Size, class_id: str) -> list[Box]:
    """The detections of a class, of any with an empty one, that can be looked at."""
    usable = []
    for detected in sorted(found.detections, key=lambda d: -d.score)[:_BOXES]:
        x, y, width, height = detected.box_xywh
        is_class = class_id in ("", detected.class_id) or not detected.class_id
        is_inside = 0 <= x + width / 2 < size[0] and 0 <= y + height / 2 < size[1]
        if is_class and is_inside and min(width, height) >= _SMALLEST_PX:
            usable.append(detected.box_xywh)
    return usable
