"""``litetrack bag record``: make a bag from a video, a folder of images or a sequence."""

import argparse
import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from litetrack_ros.datasets.sequences import GROUND_TRUTH, read_sequence
from litetrack_ros.errors import ConfigError, MediaError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.media.sources import Frame, open_source
from litetrack_ros.media.writers import DEFAULT_FPS
from litetrack_ros.replay.bag_reader import Bag
from litetrack_ros.replay.bag_writer import record
from litetrack_ros.tools.arguments import Progress

DEMO = "demo"
DEMO_FRAMES = 300


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    src: str
    output: Path
    fps: float | None
    storage: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "src",
        metavar="SRC",
        help="a video, a folder of images, one with a groundtruth.txt, or `demo`: a scene that is "
        "drawn, with its ground truth",
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


def run(request: Request) -> int:
    """Write the bag."""
    if request.fps is not None and not 0 < request.fps <= 1000:
        raise ConfigError(f"--fps must be above 0 and at most 1000, not {request.fps:g}")
    with contextlib.ExitStack() as stack:
        images = _drawn() if request.src == DEMO else _read(request.src, stack)
        fps = request.fps or images.fps
        with Progress(images.frame_count, images.name) as progress:
            frames = _counted(images.frames, progress)
            start_ns = time.time_ns()
            count = record(
                frames, request.output, fps, start_ns, images.truth_xywh, request.storage
            )
    with Bag(request.output) as bag:
        topics = ", ".join(topic.name for topic in bag.topics)
    print(f"{request.output}: {count} frames at {fps:g} Hz; topics {topics}")
    return 0


class _Images(NamedTuple):
    """What to record; the ground truth is None where there is none."""

    name: str
    frames: Iterable[Frame]
    frame_count: int | None
    fps: float
    truth_xywh: FloatArray | None


def _read(src: str, stack: contextlib.ExitStack) -> _Images:
    source = stack.enter_context(open_source(src))
    if source.is_live:
        raise MediaError(f"{source.name} has no end: record it with ros2 bag record")
    fps = source.fps or DEFAULT_FPS
    if not (Path(src) / GROUND_TRUTH).is_file():
        return _Images(source.name, source, source.frame_count, fps, None)
    sequence = read_sequence(Path(src))
    return _Images(sequence.name, sequence.frames(), len(sequence), fps, sequence.boxes_xywh)


def _drawn() -> _Images:
    scene = DrawnScene(frames=DEMO_FRAMES)
    frames = (Frame(str(index), scene.frame(index)) for index in range(len(scene)))
    boxes = np.stack([scene.box_xywh(index) for index in range(len(scene))])
    return _Images(DEMO, frames, len(scene), DEFAULT_FPS, boxes)


def _counted(frames: Iterable[Frame], progress: Progress) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        progress.step()
