"""Between the tracker's results and the ROS messages."""

from __future__ import annotations

import array
from collections.abc import Iterable
from typing import Any

from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from litetrack_ros.images import Uint8Image
from litetrack_ros.msg import FrameTiming, TrackedBox, TrackedBoxArray
from litetrack_ros.node.frame_slot import Counts
from litetrack_ros.node.worker import Tracked
from litetrack_ros.tracker.tracker import TrackResult

NS_PER_S = 1_000_000_000


def stamp_to_ns(stamp: Time) -> int:
    """A message's stamp in nanoseconds."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def ns_to_stamp(stamp_ns: int) -> Time:
    """Nanoseconds as a message's stamp."""
    return Time(sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)


def box_array(header: Header, results: Iterable[TrackResult]) -> TrackedBoxArray:
    """The boxes of one image."""
    boxes = []
    for result in results:
        x, y, width, height = (float(v) for v in result.box_xywh)
        boxes.append(
            TrackedBox(
                target_id=result.target_id,
                state=int(result.state),
                x=x,
                y=y,
                width=width,
                height=height,
                score=float(result.score),
            )
        )
    return TrackedBoxArray(header=header, boxes=boxes)


def frame_timing(
    tracked: Tracked, publish_ms: float, total_ms: float, age_ms: float, counts: Counts
) -> FrameTiming:
    """Where the time of one image went.

    Every duration is made a float: an int there aborts the process in the generated C code.
    """
    return FrameTiming(
        header=tracked.frame.message.header,
        queue_wait_ms=float(tracked.queue_wait_ms),
        conversion_ms=float(tracked.conversion_ms),
        crop_ms=float(tracked.timing.crop_ms),
        model_ms=float(tracked.timing.model_ms),
        decode_ms=float(tracked.timing.decode_ms),
        publish_ms=float(publish_ms),
        total_ms=float(total_ms),
        age_ms=float(age_ms),
        received=counts.received,
        processed=counts.processed,
        replaced=counts.replaced,
        caught_up=counts.caught_up,
        rejected=counts.rejected,
        ignored=counts.ignored,
    )


def bgr8_message(header: Header, image: Uint8Image) -> Image:
    """A BGR image ``(H, W, 3)`` as a message.

    The data goes through an ``array.array``: assigning an ndarray checks every byte, in Python.
    """
    height, width = image.shape[:2]
    data = array.array("B")
    data.frombytes(image.tobytes())
    return Image(
        header=header, height=height, width=width, encoding="bgr8", step=3 * width, data=data
    )


def detections(vision_msgs: Any, header: Header, results: Iterable[TrackResult]) -> Any:
    """The boxes of one image as a ``vision_msgs/Detection2DArray``.

    Args:
        vision_msgs: the imported module ``vision_msgs.msg`` (version 4, from Humble on).
        header: of the image.
        results: of the targets.
    """
    array_message = vision_msgs.Detection2DArray(header=header)
    for result in results:
        x, y, width, height = (float(v) for v in result.box_xywh)
        detection = vision_msgs.Detection2D(header=header, id=result.target_id)
        detection.bbox.center.position.x = x + width / 2
        detection.bbox.center.position.y = y + height / 2
        detection.bbox.size_x, detection.bbox.size_y = width, height
        hypothesis = vision_msgs.ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = result.state.name
        hypothesis.hypothesis.score = float(result.score)
        detection.results.append(hypothesis)
        array_message.detections.append(detection)
    return array_message
