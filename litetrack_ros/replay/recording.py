"""Makes a bag of images: with stamps, camera info and, where there is one, the ground truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.errors import BagError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image
from litetrack_ros.media.sources import Frame
from litetrack_ros.replay.bag_types import (
    CAMERA_INFO,
    IMAGE,
    REGION_OF_INTEREST,
    TRACKED_BOX,
    TRACKED_BOX_ARRAY,
    make,
    make_header,
)
from litetrack_ros.replay.bag_writer import writing_bag
from litetrack_ros.tracker.state import State

IMAGE_TOPIC = "/camera/image_raw"
CAMERA_INFO_TOPIC = "/camera/camera_info"
GROUND_TRUTH_TOPIC = "/ground_truth"
FRAME_ID = "camera"
TARGET_ID = "target"

_ENCODINGS = {
    (np.dtype(np.uint8), 1): "mono8",
    (np.dtype(np.uint16), 1): "mono16",
    (np.dtype(np.uint8), 3): "bgr8",
    (np.dtype(np.uint16), 3): "bgr16",
}


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
            bag.write(CAMERA_INFO_TOPIC, CAMERA_INFO, stamp_ns, info)
            if ground_truth_xywh is not None:
                boxes = box_array(header, ground_truth_xywh[index])
                bag.write(GROUND_TRUTH_TOPIC, TRACKED_BOX_ARRAY, stamp_ns, boxes)
            count += 1
        if count == 0:
            raise BagError(f"no frames: the bag {path} was not written")
    return count


def box_array(
    header: Any, box_xywh: FloatArray, state: int = State.TRACKING, score: float = 1.0
) -> Any:
    """A ``TrackedBoxArray`` of one box, or of none where the box is NaN."""
    boxes = []
    if np.isfinite(box_xywh).all():
        x, y, width, height = (float(v) for v in box_xywh)
        boxes.append(
            make(
                TRACKED_BOX,
                target_id=TARGET_ID,
                state=int(state),
                x=x,
                y=y,
                width=width,
                height=height,
                score=score,
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
        CAMERA_INFO,
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
