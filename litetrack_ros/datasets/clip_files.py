"""From a video to a clip that training reads: small frames, and a mask of the object in each."""

from __future__ import annotations

import itertools
from pathlib import Path

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


def write_clip_frame(folder: Path, index: int, frame: Uint8Image, mask: Uint8Image) -> None:
    """Add a BGR frame and its mask to a clip's folder, which is made if absent.

    Raises:
        MediaError: the folder cannot be written to.
    """
    for part, image in (("frames", frame), ("masks", mask)):
        make_folder(folder / part)
        write_image(folder / part / f"{index:05d}.png", image)
