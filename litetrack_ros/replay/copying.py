"""A copy of a bag with the tracker's results as further topics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.errors import BagError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.replay.bag_reader import Bag
from litetrack_ros.replay.bag_types import FRAME_TIMING, TRACKED_BOX_ARRAY, make, make_header
from litetrack_ros.replay.bag_writer import BagWriter, writing_bag
from litetrack_ros.replay.recording import box_array
from litetrack_ros.replay.stamps import read_stamp_ns

BOXES_TOPIC = "/litetrack/tracked_boxes"
TIMING_TOPIC = "/litetrack/timing"


@dataclass(frozen=True)
class FrameResult:
    """What the tracker said of an image.

    Attributes:
        latency_ns: from the image to its boxes.
        box_xywh: px, ``(4,)``, NaN without a target.
        state, score: of ``TrackedBox``.
        timing: the fields of ``FrameTiming`` besides its header; empty where it did not come.
    """

    latency_ns: int
    box_xywh: FloatArray
    state: int
    score: float
    timing: Mapping[str, float | int]


def copy_with_results(
    source: Path, path: Path, image_topic: str, results: Mapping[int, FrameResult]
) -> list[str]:
    """Copy a bag message by message; after each image come its boxes and timing.

    They have the image's stamp, and lie as much later in the bag as they came.

    Args:
        source: the bag to copy.
        path: the folder to make; must not exist.
        image_topic: its images are those the results belong to.
        results: by the image's stamp in ns.

    Returns:
        Warnings: a sentence for each topic that could not be copied.

    Raises:
        BagError: the copy cannot be written, or the bag holds such topics already.
    """
    warnings = []
    with Bag(source) as bag:
        taken = {topic.name for topic in bag.topics} & {BOXES_TOPIC, TIMING_TOPIC}
        if taken:
            raise BagError(f"{source} holds {', '.join(sorted(taken))} already: copy the original")
        storage = "sqlite3" if any(source.rglob("*.db3*")) or source.suffix == ".db3" else "mcap"
        with writing_bag(path, storage) as writer:
            for connection in bag.connections:
                if not writer.copy_topic(connection):
                    warnings.append(
                        f"{connection.topic} was left out of {path}: the bag does not define its "
                        f"type {connection.msgtype}"
                    )
            for connection, log_ns, data in bag.all_messages():
                writer.copy(connection, log_ns, data)
                if connection.topic == image_topic:
                    stamp_ns = read_stamp_ns(data)
                    if stamp_ns in results:
                        _write(writer, log_ns, stamp_ns, results[stamp_ns])
    return warnings


def _write(writer: BagWriter, log_ns: int, stamp_ns: int, result: FrameResult) -> None:
    arrival_ns = log_ns + result.latency_ns
    header = make_header(stamp_ns, "")
    boxes = box_array(header, result.box_xywh, result.state, result.score)
    writer.write(BOXES_TOPIC, TRACKED_BOX_ARRAY, arrival_ns, boxes)
    if result.timing:
        timing = make(FRAME_TIMING, header=header, **result.timing)
        writer.write(TIMING_TOPIC, FRAME_TIMING, arrival_ns, timing)
