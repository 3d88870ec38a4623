"""``vision_msgs`` in and out: the only place that imports it, and it need not be installed."""

import math
import time
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from std_msgs.msg import Header

from litetrack_ros.errors import shown
from litetrack_ros.node.compat import optional_module
from litetrack_ros.node.detections import Detected, DetectionSet
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State

_MAX_DETECTIONS = 300  # of one image that are read
_MAX_NAME = 64  # characters of an id or a class that are kept

NOT_INSTALLED = "vision_msgs is not installed: install ros-$ROS_DISTRO-vision-msgs"


def vision_msgs() -> ModuleType | None:
    """The module ``vision_msgs.msg`` (version 4, from Humble on), None where it is missing."""
    return optional_module("vision_msgs.msg")


def detection_set(message: Any, stamp_ns: int) -> DetectionSet:
    """A ``Detection2DArray`` as plain values, without boxes that are none.

    A box that is turned becomes the upright one around it.

    Args:
        message: has come now.
        stamp_ns: of its header.
    """
    found = []
    for detection in message.detections[:_MAX_DETECTIONS]:
        center, bbox = detection.bbox.center, detection.bbox
        cos, sin = abs(math.cos(center.theta)), abs(math.sin(center.theta))
        width = cos * bbox.size_x + sin * bbox.size_y
        height = sin * bbox.size_x + cos * bbox.size_y
        x, y = center.position.x - width / 2, center.position.y - height / 2
        if not all(map(math.isfinite, (x, y, width, height))):
            continue
        hypotheses = [result.hypothesis for result in detection.results]
        best = max(hypotheses, key=lambda h: h.score, default=None)
        class_id, score = (best.class_id, best.score) if best is not None else ("", 0.0)
        name, class_id = shown(detection.id, _MAX_NAME), shown(class_id, _MAX_NAME)
        found.append(Detected(name, class_id, score, (x, y, width, height)))
    return DetectionSet(stamp_ns, message.header.frame_id, time.perf_counter(), tuple(found))


def detections(
    module: Any,
    header: Header,
    results: Iterable[TrackResult],
    classes: Mapping[str, str],
    default_class: str,
) -> Any:
    """The boxes of one image as a ``Detection2DArray``; of LOST targets none.

    Args:
        module: of :func:`vision_msgs`.
        header: of the image.
        results: of the targets.
        classes: of the targets that have one, by id.
        default_class: of the others.
    """
    array_message = module.Detection2DArray(header=header)
    for result in results:
        if result.state is State.LOST:  # its box is where it was seen last, not where it is
            continue
        x, y, width, height = (float(v) for v in result.box_xywh)
        detection = module.Detection2D(header=header, id=result.target_id)
        detection.bbox.center.position.x = x + width / 2
        detection.bbox.center.position.y = y + height / 2
        detection.bbox.size_x, detection.bbox.size_y = width, height
        hypothesis = module.ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = classes.get(result.target_id) or default_class
        hypothesis.hypothesis.score = float(result.score)
        detection.results.append(hypothesis)
        array_message.detections.append(detection)
    return array_message
