"""``litetrack record``: make a bag from a video, a folder of images or a sequence."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from litetrack_ros.tools.arguments import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from litetrack_ros.media.sources import Frame

HELP = "make a bag from a video, a folder of images or a sequence with its ground truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "src", metavar="SRC", help="a video, a folder of images, or one with a groundtruth.txt"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="BAG", help="the folder to make"
    )
    parser.add_argument(
        "--fps", type=float, help="frames a second; without it, the video's own, or 30"
    )
    parser.add_argument(
        "--storage", choices=("mcap", "sqlite3"), default="mcap", help="file format (%(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the bag."""
    from litetrack_ros.bags.reader import Bag
    from litetrack_ros.bags.recording import record
    from litetrack_ros.datasets.sequences import GROUND_TRUTH, read_sequence
    from litetrack_ros.errors import ConfigError, MediaError
    from litetrack_ros.media.sources import open_source
    from litetrack_ros.media.writers import DEFAULT_FPS

    if args.fps is not None and not 0 < args.fps <= 1000:
        raise ConfigError(f"--fps must be above 0 and at most 1000, not {args.fps:g}")
    with open_source(args.src) as source:
        if source.is_live:
            raise MediaError(f"{source.name} has no end: record it with ros2 bag record")
        truth, frames, total = None, iter(source), source.frame_count
        if (Path(args.src) / GROUND_TRUTH).is_file():
            sequence = read_sequence(Path(args.src))
            truth, frames, total = sequence.boxes_xywh, sequence.frames(), len(sequence)
        fps = args.fps or source.fps or DEFAULT_FPS
        with Progress(total, source.name) as progress:
            count = record(
                _counted(frames, progress), args.output, fps, time.time_ns(), truth, args.storage
            )
    with Bag(args.output) as bag:
        topics = ", ".join(topic.name for topic in bag.topics)
    print(f"{args.output}: {count} frames at {fps:g} Hz; topics {topics}")
    return 0


def _counted(frames: Iterable[Frame], progress: Progress) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        progress.step()
