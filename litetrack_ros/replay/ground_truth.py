"""Boxes that come with a bag: init boxes and ground truth, from a topic or from a file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.datasets.sequences import read_boxes
from litetrack_ros.errors import BagError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.replay.bag_reader import Bag, Topic
from litetrack_ros.replay.bag_types import (
    BOX_TYPES,
    REGION_OF_INTEREST,
    TRACKED_BOX_ARRAY,
    header_stamp_ns,
)

CSV_COLUMNS = ("stamp_ns", "x", "y", "width", "height")
_HALF_FRAME = 0.5  # a box belongs to the nearest frame, at most this much of a period away


class StampedBox(NamedTuple):
    """A box and the stamp of its image; NaN says that the target is absent."""

    stamp_ns: int
    box_xywh: FloatArray


def read_box_topic(bag: Bag, topic: Topic) -> list[StampedBox]:
    """The boxes of a topic: of an array the first one.

    ``RegionOfInterest`` has no header: the time of recording stands in for the stamp.

    Raises:
        BagError: damaged.
    """
    boxes = []
    for log_ns, message in bag.decoded(topic):
        if topic.type_name == REGION_OF_INTEREST:
            box = [message.x_offset, message.y_offset, message.width, message.height]
            boxes.append(StampedBox(log_ns, np.array(box, np.float64)))
            continue
        stamp_ns = header_stamp_ns(message)
        source: Any = message
        if topic.type_name == TRACKED_BOX_ARRAY:
            source = message.boxes[0] if message.boxes else None
        box = [np.nan] * 4
        if source is not None:
            box = [source.x, source.y, source.width, source.height]
        boxes.append(StampedBox(stamp_ns, np.array(box, np.float64)))
    return boxes


def read_init_topic(bag: Bag, name: str) -> StampedBox:
    """The first box on a topic.

    Raises:
        BagError: no such topic, of a type without boxes, or without a box.
    """
    topic = bag.topic(name, BOX_TYPES)
    for boxed in read_box_topic(bag, topic):
        if np.isfinite(boxed.box_xywh).all():
            return boxed
    raise BagError(f"{bag.path} holds no box on {topic.name}: give one with --init-box X Y W H")


def read_box_file(path: Path) -> list[StampedBox] | FloatArray:
    """Ground truth from a file.

    Returns:
        Boxes with stamps, of a CSV file with the columns :data:`CSV_COLUMNS`; or ``(T, 4)``, one a
        frame, of ``x,y,w,h`` lines.

    Raises:
        BagError: a CSV file without these columns or with a line that is not numbers.
        DatasetError: lines that are not four numbers.
    """
    if path.suffix.lower() != ".csv":
        return read_boxes(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in CSV_COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise BagError(
                    f"{path} lacks the columns {', '.join(missing)}; its first line must name "
                    f"{','.join(CSV_COLUMNS)}"
                )
            return [
                StampedBox(
                    int(line["stamp_ns"]), np.array([float(line[n]) for n in CSV_COLUMNS[1:]])
                )
                for line in reader
            ]
    except (ValueError, TypeError, OSError) as error:
        if isinstance(error, BagError):
            raise
        raise BagError(f"cannot read the boxes {path}: {error}") from error


def boxes_by_frame(
    boxes: Sequence[StampedBox], frame_stamps_ns: Sequence[int]
) -> tuple[FloatArray, int]:
    """Give every box to the frame whose stamp is nearest, within half a period.

    Args:
        boxes: in any order.
        frame_stamps_ns: ``F`` of them.

    Returns:
        ``(F, 4)``, NaN for frames without a box; and the number of boxes without a frame.
    """
    stamps = np.asarray(frame_stamps_ns, dtype=np.int64)
    result = np.full((len(stamps), 4), np.nan)
    steps = np.abs(np.diff(stamps))
    tolerance_ns = _HALF_FRAME * float(np.median(steps)) if steps.size else 0.0
    unused = 0
    for stamp_ns, box in boxes:
        distance = np.abs(stamps - stamp_ns)
        nearest = int(np.argmin(distance)) if len(stamps) else -1
        if nearest < 0 or distance[nearest] > tolerance_ns:
            unused += 1
        else:
            result[nearest] = box
    return result, unused
