"""Message types by name: those of ROS 2 Jazzy, and this package's own."""

from __future__ import annotations

from functools import cache
from typing import Any

from litetrack_ros.dependencies import require
from litetrack_ros.resources import share_dir

require("rosbags")
from rosbags.typesys import Stores, get_types_from_msg, get_typestore  # noqa: E402

PACKAGE = "litetrack_ros"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
REGION_OF_INTEREST = "sensor_msgs/msg/RegionOfInterest"
INIT_BOX = f"{PACKAGE}/msg/InitBox"
TRACKED_BOX = f"{PACKAGE}/msg/TrackedBox"
TRACKED_BOX_ARRAY = f"{PACKAGE}/msg/TrackedBoxArray"
FRAME_TIMING = f"{PACKAGE}/msg/FrameTiming"
IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)
BOX_TYPES = (INIT_BOX, TRACKED_BOX_ARRAY, REGION_OF_INTEREST)


@cache
def typestore() -> Any:
    """The types that this package reads and writes, made once."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for path in sorted((share_dir() / "msg").glob("*.msg")):
        text = path.read_text(encoding="utf-8")
        types.update(get_types_from_msg(text, f"{PACKAGE}/msg/{path.stem}"))
    store.register(types)
    return store


def make(type_name: str, **fields: Any) -> Any:
    """A message of a type; all fields must be given."""
    return typestore().types[type_name](**fields)


def make_header(stamp_ns: int, frame_id: str) -> Any:
    """A ``std_msgs/Header``."""
    stamp = make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return make("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


def header_stamp_ns(message: Any) -> int:
    """The stamp of a message with a header, ns."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def serialise(message: Any, type_name: str) -> bytes:
    """A message as CDR bytes."""
    return bytes(typestore().serialize_cdr(message, type_name))
