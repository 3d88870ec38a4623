"""From a video to a clip that training reads: small frames, and a mask of the object in each."""

from __future__ import annotations

import itertools
import math
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from litetrack_ros.errors import DatasetError
from litetrack_ros.files import make_folder
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.sources import open_source
from litetrack_ros.media.writers import write_image
from litetrack_ros.opencv import cv2

MAX_FRAMES = 2000  # of a video, all held in memory


def read_small(video: str, height_px: int, every: int = 1) -> tuple[list[Uint8Image], float]:
    """The first :data:`MAX_FRAMES` frames of a source.

    Args:
        video: a video file or a folder of images.
        height_px: of the frames returned.
        every: take every n-th frame.

    Returns:
        BGR frames, and the factor by which the last one was scaled.

    Raises:
        MediaError: the source cannot be read.
    """
    frames, scale = [], 1.0
    with open_source(video) as source:
        for frame in itertools.islice(source, 0, MAX_FRAMES * every, every):
            scale = height_px / frame.image.shape[0]
            small = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            frames.append(to_bgr8(small))
    return frames, scale


def write_clip(
    folder: Path,
    frames: Sequence[Uint8Image],
    indices: Sequence[int],
    masks: Sequence[Uint8Image],
    longest: int,
) -> None:
    """Write a clip's folder, whole or not at all.

    Args:
        folder: to make.
        frames: all of the video, BGR.
        indices: of those that show the object, at least one.
        masks: ``(H, W)`` uint8 0 or 255, one for each index.
        longest: of more frames, this many at most are written, evenly spread.

    Raises:
        DatasetError: the folder exists, or ``longest`` is below 1.
        MediaError: it cannot be written.
    """
    if longest < 1:
        raise DatasetError(f"a clip has at least 1 frame, not {longest}")
    if folder.exists():
        raise DatasetError(f"{folder} exists: give another name, or take it away first")
    stride = math.ceil(len(indices) / longest)
    parts = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    try:
        for part in ("frames", "masks"):
            make_folder(parts / part)
        for index, mask in list(zip(indices, masks, strict=True))[::stride]:
            write_image(parts / "frames" / f"{index:05d}.png", frames[index])
            write_image(parts / "masks" / f"{index:05d}.png", mask)
        parts.rename(folder)
    finally:
        shutil.rmtree(parts, ignore_errors=True)
