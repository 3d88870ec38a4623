"""Writes rosbag2 bags that appear whole or not at all: of images, or a copy with the results."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.dependencies import require
from litetrack_ros.errors import BagError
from litetrack_ros.files import hidden_beside, make_folder
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image
from litetrack_ros.media.sources import Frame
from litetrack_ros.replay.bag_reader import (
    GROUND_TRUTH_TOPIC,
    IMAGE,
    NS_PER_S,
    PACKAGE,
    REGION_OF_INTEREST,
    TRACKED_BOX_ARRAY,
    Bag,
    read_stamp_ns,
    typestore,
)
from litetrack_ros.tracker.state import State

IMAGE_TOPIC = "/camera/image_raw"
CAMERA_INFO_TOPIC = "/camera/camera_info"
BOXES_TOPIC = "/litetrack/tracked_boxes"
TIMING_TOPIC = "/litetrack/timing"
FRAME_ID = "camera"
TARGET_ID = "target"

_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_TRACKED_BOX = f"{PACKAGE}/msg/TrackedBox"
_FRAME_TIMING = f"{PACKAGE}/msg/FrameTiming"
_ENCODINGS = {
    (np.dtype(np.uint8), 1): "mono8",
    (np.dtype(np.uint16), 1): "mono16",
    (np.dtype(np.uint8), 3): "bgr8",
    (np.dtype(np.uint16), 3): "bgr16",
}


def make(type_name: str, **fields: Any) -> Any:
    """A message of a type; all fields must be given."""
    return typestore().types[type_name](**fields)


def make_header(stamp_ns: int, frame_id: str) -> Any:
    """A ``std_msgs/Header``."""
    stamp = make(
        "builtin_interfaces/msg/Time", sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S
    )
    return make("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


class BagWriter:
    """Appends messages to a new bag."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._connections: dict[str, Any] = {}
        self._copies: dict[int, Any] = {}

    def write(self, topic: str, type_name: str, log_ns: int, message: Any) -> None:
        """Append a message.

        Args:
            topic: its name; a new one is added.
            type_name: one of :func:`litetrack_ros.replay.bag_reader.typestore`'s.
            log_ns: time of recording.
            message: as :func:`make` makes it.
        """
        connection = self._connections.get(topic)
        if connection is None:
            connection = self._writer.add_connection(topic, type_name, typestore=typestore())
            self._connections[topic] = connection
        data = bytes(typestore().serialize_cdr(message, type_name))
        self._writer.write(connection, log_ns, data)

    def copy_topic(self, source: Any) -> bool:
        """Prepare for messages of another bag's connection; False where its type is unknown.

        Old bags hold no definitions; for those only the types known here can be written.
        """
        formats = require("rosbags.interfaces").MessageDefinitionFormat
        has_definition = source.msgdef.format != formats.NONE
        if not has_definition and source.msgtype not in typestore().types:
            return False
        own = has_definition and source.digest
        self._copies[source.id] = self._writer.add_connection(
            source.topic,
            source.msgtype,
            typestore=None if own else typestore(),
            msgdef=source.msgdef.data if own else None,
            rihs01=source.digest if own else None,
            serialization_format=source.ext.serialization_format,
            offered_qos_profiles=source.ext.offered_qos_profiles,
        )
        return True

    def copy(self, source: Any, log_ns: int, data: bytes) -> None:
        """Append another bag's message as it is; nothing for a topic that was not prepared."""
        connection = self._copies.get(source.id)
        if connection is not None:
            self._writer.write(connection, log_ns, data)


@contextlib.contextmanager
def writing_bag(path: Path, storage: str = "mcap") -> Iterator[BagWriter]:
    """Write a bag; its folder appears under its name when the block succeeds.

    Args:
        path: the folder to make; must not exist.
        storage: ``mcap`` or ``sqlite3``.

    Raises:
        BagError: it exists, or cannot be written.
    """
    rosbag2 = require("rosbags.rosbag2")
    plugin = rosbag2.StoragePlugin[storage.upper()]
    if path.exists():
        raise BagError(f"{path} exists: give another name, or take it away first")
    # The files in the folder are called after it, so that the name must be right from the start.
    hidden = hidden_beside(path)
    make_folder(hidden)
    temporary = hidden / path.name
    try:
        # Version 9 of the format is Jazzy's.
        with rosbag2.Writer(temporary, version=9, storage_plugin=plugin) as writer:
            yield BagWriter(writer)
        temporary.rename(path)
    except sqlite3.Error as error:
        raise BagError(f"cannot write the bag {path}: {error}") from error
    except OSError as error:
        if isinstance(error, BagError):
            raise
        raise BagError(f"cannot write the bag {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def record(
    frames: Iterable[Frame],
    path: Path,
    fps: float,
    start_ns: int,
    ground_truth_xywh: FloatArray | None = None,
    storage: str = "mcap",
) -> int:
    """Write frames as a bag, every pixel as it is.

    Args:
        frames: grey or BGR, uint8 or uint16.
        path: the bag's folder; must not exist.
        fps: frames a second, for the stamps.
        start_ns: stamp of the first frame.
        ground_truth_xywh: ``(T, 4)``, NaN where the target is absent: an empty array of boxes.
        storage: ``mcap`` or ``sqlite3``.

    Returns:
        The number of frames.

    Raises:
        BagError: the bag cannot be written, or there are no frames.
        MediaError: a frame cannot be read.
    """
    count = 0
    with writing_bag(path, storage) as bag:
        for index, frame in enumerate(frames):
            stamp_ns = start_ns + round(index * 1e9 / fps)
            header = make_header(stamp_ns, FRAME_ID)
            image = frame.image
            bag.write(IMAGE_TOPIC, IMAGE, stamp_ns, _image(header, image))
            info = _camera_info(header, image.shape[1], image.shape[0])
            bag.write(CAMERA_INFO_TOPIC, _CAMERA_INFO, stamp_ns, info)
            if ground_truth_xywh is not None:
                boxes = box_array(header, ground_truth_xywh[index])
                bag.write(GROUND_TRUTH_TOPIC, TRACKED_BOX_ARRAY, stamp_ns, boxes)
            count += 1
        if count == 0:
            raise BagError(f"no frames: the bag {path} was not written")
    return count


def box_array(
    header: Any,
    box_xywh: FloatArray,
    state: int = State.TRACKING,
    score: float = 1.0,
    candidate_score: float = 1.0,
    is_calibrated: bool = False,
) -> Any:
    """A ``TrackedBoxArray`` of one box, or of none where the box is NaN."""
    boxes = []
    if np.isfinite(box_xywh).all():
        x, y, width, height = (float(v) for v in box_xywh)
        boxes.append(
            make(
                _TRACKED_BOX,
                target_id=TARGET_ID,
                state=int(state),
                x=x,
                y=y,
                width=width,
                height=height,
                score=score,
                candidate_score=candidate_score,
                is_calibrated=is_calibrated,
            )
        )
    return make(TRACKED_BOX_ARRAY, header=header, boxes=boxes)


def _image(header: Any, image: Image) -> Any:
    channels = 1 if image.ndim == 2 else image.shape[2]
    height, width = image.shape[:2]
    return make(
        IMAGE,
        header=header,
        height=height,
        width=width,
        encoding=_ENCODINGS[image.dtype, channels],
        is_bigendian=0,
        step=width * channels * image.itemsize,
        data=np.ascontiguousarray(image).view(np.uint8).reshape(-1),
    )


def _camera_info(header: Any, width: int, height: int) -> Any:
    """Of a camera that was never calibrated: k is 0, as ROS has it."""
    region = make(REGION_OF_INTEREST, x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return make(
        _CAMERA_INFO,
        header=header,
        height=height,
        width=width,
        distortion_model="",
        d=np.zeros(0),
        k=np.zeros(9),
        r=np.zeros(9),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


@dataclass(frozen=True)
class FrameResult:
    """What the tracker said of an image.

    Attributes:
        latency_ns: from the image to its boxes.
        box_xywh: px, ``(4,)``, NaN without a target.
        state, score, candidate_score, is_calibrated: of ``TrackedBox``.
        timing: the fields of ``FrameTiming`` besides its header; empty where it did not come.
    """

    latency_ns: int
    box_xywh: FloatArray
    state: int
    score: float
    candidate_score: float
    is_calibrated: bool
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
    boxes = box_array(
        header,
        result.box_xywh,
        result.state,
        result.score,
        result.candidate_score,
        result.is_calibrated,
    )
    writer.write(BOXES_TOPIC, TRACKED_BOX_ARRAY, arrival_ns, boxes)
    if result.timing:
        timing = make(_FRAME_TIMING, header=header, **result.timing)
        writer.write(TIMING_TOPIC, _FRAME_TIMING, arrival_ns, timing)
