"""``litetrack data clips``: cut moving objects out of videos from a fixed camera, for training."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.pairs.material_making import evenly, find_moving_objects, read_small, write_clip
from litetrack_ros.tools.arguments import add_clip_arguments


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    videos: tuple[str, ...]
    output: Path
    height: int
    longest: int
    every: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="video files of a fixed camera")
    add_clip_arguments(parser, "folder for the clips, one for each object; give it to --data, then")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="use every N-th frame (%(default)s)"
    )


def run(request: Request) -> int:
    """Write a clip for every object that was followed."""
    for video in request.videos:
        frames, _ = read_small(video, request.height, request.every)
        objects = find_moving_objects(frames)
        for number, moving in enumerate(objects):
            folder = request.output / f"{Path(video).stem}_{number}"
            masks = dict(zip(moving.indices, moving.masks, strict=True))
            kept = evenly(moving.indices, request.longest)
            write_clip(folder, [frames[k] for k in kept], kept, [masks[k] for k in kept])
        print(f"{video}: {len(frames)} frames, {len(objects)} objects")
    return 0
