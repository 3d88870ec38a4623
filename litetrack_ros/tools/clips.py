"""``litetrack clips``: cut moving objects out of videos from a fixed camera, for training."""

from __future__ import annotations

import argparse
from pathlib import Path

from litetrack_ros.tools.arguments import add_clip_arguments

HELP = "cut moving objects out of videos from a fixed camera, to train on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="video files of a fixed camera")
    add_clip_arguments(parser, "folder for the clips, one for each object; give it to --data, then")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="use every N-th frame (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Write a clip for every object that was followed."""
    from litetrack_ros.datasets.clip_files import read_small, write_clip
    from litetrack_ros.datasets.moving_objects import find_moving_objects

    for video in args.videos:
        frames, _ = read_small(video, args.height, args.every)
        objects = find_moving_objects(frames)
        for number, moving in enumerate(objects):
            folder = args.output / f"{Path(video).stem}_{number}"
            write_clip(folder, frames, moving.indices, moving.masks, args.longest)
        print(f"{video}: {len(frames)} frames, {len(objects)} objects")
    return 0
