"""``litetrack clips``: cut moving objects out of videos from a fixed camera, for training."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "cut moving objects out of videos from a fixed camera, to train on"


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
    from litetrack_ros.datasets.clip_files import read_small, write_clip_frame
    from litetrack_ros.datasets.moving_objects import find_moving_objects

    for video in args.videos:
        frames, _ = read_small(video, args.height, args.every)
        objects = find_moving_objects(frames)
        for number, moving in enumerate(objects):
            stride = -(-len(moving.indices) // args.longest)
            folder = args.output / f"{Path(video).stem}_{number}"
            for k in range(0, len(moving.indices), stride):
                index = moving.indices[k]
                write_clip_frame(folder, index, frames[index], moving.masks[k])
        print(f"{video}: {len(frames)} frames, {len(objects)} objects")
    return 0
