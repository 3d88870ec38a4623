"""Reads rosbag2 bags: folders with metadata.yaml, or single .mcap and .db3 files.

Message types go by name: those of ROS 2 Jazzy, and this package's own. A message that begins with a
``std_msgs/Header`` has, as CDR, four bytes of encapsulation (the second one tells the byte order),
then the stamp: int32 seconds and uint32 nanoseconds; it is read and replaced without decoding the
rest. rosbags is asked for when a bag is opened: playing other images needs none.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.dependencies import require
from litetrack_ros.errors import BagError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.resources import share_dir

PACKAGE = "litetrack_ros"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
REGION_OF_INTEREST = "sensor_msgs/msg/RegionOfInterest"
INIT_BOX = f"{PACKAGE}/msg/InitBox"
TRACKED_BOX_ARRAY = f"{PACKAGE}/msg/TrackedBoxArray"
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)
BOX_TYPES = (INIT_BOX, TRACKED_BOX_ARRAY, REGION_OF_INTEREST)
GROUND_TRUTH_TOPIC = "/ground_truth"

NS_PER_S = 1_000_000_000
_BEGIN, _END = 4, 12  # of the stamp in a serialised message
_FORMATS = {0: ">iI", 1: "<iI"}  # plain CDR, big and little endian


class BagMessage(NamedTuple):
    """A message of a topic that begins with a header.

    Attributes:
        log_ns: when it was recorded: this paces a replay.
        stamp_ns: of its header.
        data: serialised, plain CDR.
    """

    log_ns: int
    stamp_ns: int
    data: bytes


class Topic(NamedTuple):
    """A topic of a bag."""

    name: str
    type_name: str
    message_count: int


class StampedBox(NamedTuple):
    """A box and the stamp of its image; NaN says that the target is absent."""

    stamp_ns: int
    box_xywh: FloatArray


class Bag:
    """An open bag. Messages are read when iterated over, never all at once.

    Args:
        path: a bag folder, or a ``.mcap`` or ``.db3`` file.

    Raises:
        BagError: missing, truncated, or not a bag.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise BagError(f"there is no bag {path}")
        if path.is_dir() and not (path / "metadata.yaml").is_file():
            raise BagError(
                f"{path} is no bag: it holds no metadata.yaml; give the folder that has one, or "
                "a .mcap or .db3 file in it (`ros2 bag reindex` makes the missing file)"
            )
        require("rosbags")
        with _faults(path):
            self._reader = require("rosbags.rosbag2").Reader(path)
            self._reader.open()
        self.start_ns: int = self._reader.start_time
        self.topics = sorted(
            Topic(c.topic, c.msgtype, c.msgcount) for c in self._reader.connections
        )

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connections(self) -> list[Any]:
        """The connections as ``rosbags`` has them, for copying."""
        return list(self._reader.connections)

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def image_topic(self, name: str | None = None) -> Topic:
        """The topic to track on.

        Args:
            name: as the user gave it; not needed where the bag has one image topic.

        Raises:
            BagError: missing, of another type, empty, or several to choose from.
        """
        images = [topic for topic in self.topics if topic.type_name in IMAGE_TYPES]
        if name is not None:
            topic = self.topic(name, IMAGE_TYPES)
        elif len(images) == 1:
            topic = images[0]
        elif images:
            names = ", ".join(topic.name for topic in images)
            raise BagError(
                f"{self.path} has several image topics: name one with --image-topic: {names}"
            )
        else:
            raise BagError(f"{self.path} has no images; its topics are: {self._listing()}")
        if topic.message_count == 0:
            raise BagError(f"{self.path} holds no message on {topic.name}: the bag is empty")
        return topic

    def topic(self, name: str, type_names: Sequence[str]) -> Topic:
        """A topic by its name.

        Args:
            name: with or without the leading slash.
            type_names: the types that will do.

        Raises:
            BagError: no such topic, or of another type; the message lists what there is.
        """
        for topic in self.topics:
            if topic.name.lstrip("/") == name.lstrip("/"):
                if topic.type_name not in type_names:
                    raise BagError(
                        f"{topic.name} is of type {topic.type_name}, but must be one of "
                        f"{', '.join(type_names)}"
                    )
                return topic
        raise BagError(f"{self.path} has no topic {name}; its topics are: {self._listing()}")

    def has_topic(self, name: str, type_name: str) -> bool:
        """Whether there are messages of a type on a topic."""
        return any(
            t.name == name and t.type_name == type_name and t.message_count for t in self.topics
        )

    def messages(
        self, topic: Topic, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[BagMessage]:
        """A topic's messages in the order of their recording.

        Args:
            topic: its messages begin with a header.
            start_ns: only those recorded then or later.
            stop_ns: only those recorded before.

        Raises:
            BagError: the bag is damaged, or ends before the number of messages it announces.
        """
        count = 0
        with _faults(self.path):
            for _, log_ns, data in self._reader.messages(self._of(topic), start_ns, stop_ns):
                count += 1
                data = bytes(data)
                yield BagMessage(log_ns, read_stamp_ns(data), data)
        if start_ns is None and stop_ns is None and count < topic.message_count:
            raise BagError(
                f"{self.path} is truncated: only {count} of the {topic.message_count} messages on "
                f"{topic.name} can be read"
            )

    def decoded(self, topic: Topic) -> Iterator[tuple[int, Any]]:
        """A topic's messages, decoded, each after the time of its recording in ns.

        Raises:
            BagError: the bag is damaged, or holds another version of the type.
        """
        with _faults(self.path):
            for _, log_ns, data in self._reader.messages(self._of(topic)):
                yield log_ns, decode(bytes(data), topic.type_name)

    def boxes(self, topic: Topic) -> list[StampedBox]:
        """The boxes of a topic, one of :data:`BOX_TYPES`: of an array the first one.

        ``RegionOfInterest`` has no header: the time of recording stands in for the stamp.

        Raises:
            BagError: the bag is damaged.
        """
        boxes = []
        for log_ns, message in self.decoded(topic):
            if topic.type_name == REGION_OF_INTEREST:
                stamp_ns = log_ns
                box = [message.x_offset, message.y_offset, message.width, message.height]
            else:
                stamp_ns = header_stamp_ns(message)
                is_array = topic.type_name == TRACKED_BOX_ARRAY
                found = message.boxes[:1] if is_array else [message]
                box = [v for b in found for v in (b.x, b.y, b.width, b.height)] or [np.nan] * 4
            boxes.append(StampedBox(stamp_ns, np.array(box, np.float64)))
        return boxes

    def all_messages(self) -> Iterator[tuple[Any, int, bytes]]:
        """Every message of every topic, for copying: connection, recording time in ns, data.

        Raises:
            BagError: the bag is damaged.
        """
        with _faults(self.path):
            yield from self._reader.messages()

    def _of(self, topic: Topic) -> list[Any]:
        return [c for c in self._reader.connections if c.topic == topic.name]

    def _listing(self) -> str:
        return ", ".join(f"{t.name} ({t.type_name})" for t in self.topics) or "none"


@cache
def typestore() -> Any:
    """The types that this package reads and writes, made once."""
    typesys = require("rosbags.typesys")
    store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for path in sorted((share_dir() / "msg").glob("*.msg")):
        text = path.read_text(encoding="utf-8")
        types.update(typesys.get_types_from_msg(text, f"{PACKAGE}/msg/{path.stem}"))
    store.register(types)
    return store


def header_stamp_ns(message: Any) -> int:
    """The stamp of a message with a header, ns."""
    return int(message.header.stamp.sec) * NS_PER_S + int(message.header.stamp.nanosec)


def decode(data: bytes, type_name: str) -> Any:
    """A serialised message as an object with its fields.

    Raises:
        BagError: the bytes are not of that type.
    """
    with _faults(None):
        return typestore().deserialize_cdr(data, type_name)


def read_stamp_ns(data: bytes) -> int:
    """The header's stamp of a serialised message, ns.

    Raises:
        BagError: too short, or not plain CDR.
    """
    seconds, nanoseconds = struct.unpack(_format(data), data[_BEGIN:_END])
    return int(seconds) * NS_PER_S + int(nanoseconds)


def replace_stamp(data: bytes, stamp_ns: int) -> bytes:
    """The same serialised message with another stamp; every other byte is kept.

    Raises:
        BagError: too short, or not plain CDR.
    """
    stamp = struct.pack(_format(data), stamp_ns // NS_PER_S, stamp_ns % NS_PER_S)
    return b"".join((data[:_BEGIN], stamp, memoryview(data)[_END:]))


def _format(data: bytes) -> str:
    if len(data) < _END or data[0] != 0 or data[1] not in _FORMATS:
        raise BagError("a message is no plain CDR with a header: the bag is damaged or foreign")
    return _FORMATS[data[1]]


@contextlib.contextmanager
def _faults(path: Path | None) -> Iterator[None]:
    """Any exception of the reading libraries as one sentence.

    Damage shows as anything: rosbags' own errors, SQLite's, zstd's, assertions, wrong lengths.
    """
    try:
        yield
    except (BagError, GeneratorExit):
        raise
    except Exception as error:
        what = f"the bag {path}" if path else "a message of the bag"
        text = " ".join(str(error).split()) or type(error).__name__
        raise BagError(f"cannot read {what}: it is truncated, damaged or foreign ({text})") from (
            error
        )
