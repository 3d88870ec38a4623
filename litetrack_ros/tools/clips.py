"""``litetrack clips``: cut moving objects out of videos from a fixed camera, for training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litetrack_ros.images import Uint8Image

HELP = "cut moving objects out of videos from a fixed camera, to train on"

_MAX_FRAMES = 2000  # of a video, all held in memory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="video files of a fixed camera")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the clips, one for each object; give it to --data, then",
    )
    parser.add_argument("--height", type=int, default=270, help="of the clips, px (%(default)s)")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="use every N-th frame (%(default)s)"
    )
    parser.add_argument(
        "--longest", type=int, default=40, help="frames kept of an object (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Write a clip for every object that was followed."""
    import itertools

    from litetrack_ros.datasets.moving_objects import find_moving_objects
    from litetrack_ros.images import to_bgr8
    from litetrack_ros.media.sources import open_source
    from litetrack_ros.opencv import cv2

    for video in args.videos:
        frames = []
        with open_source(video) as source:
            for frame in itertools.islice(source, 0, _MAX_FRAMES * args.every, args.every):
                scale = args.height / frame.image.shape[0]
                small = cv2.resize(
                    frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
                )
                frames.append(to_bgr8(small))
        objects = find_moving_objects(frames)
        for number, moving in enumerate(objects):
            stride = -(-len(moving.indices) // args.longest)
            folder = args.output / f"{Path(video).stem}_{number}"
            for k in range(0, len(moving.indices), stride):
                _write_frame(folder, moving.indices[k], frames, moving.masks[k])
        print(f"{video}: {len(frames)} frames, {len(objects)} objects")
    return 0


def _write_frame(folder: Path, index: int, frames: list[Uint8Image], mask: Uint8Image) -> None:
    from litetrack_ros.files import make_folder
    from litetrack_ros.media.writers import write_image

    for part, image in (("frames", frames[index]), ("masks", mask)):
        make_folder(folder / part)
        write_image(folder / part / f"{index:05d}.png", image)
