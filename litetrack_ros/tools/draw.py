"""``litetrack draw``: saved boxes of several trackers on their video (paper Fig. 7)."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from litetrack_ros.datasets.sequences import GROUND_TRUTH, read_boxes
from litetrack_ros.errors import DatasetError, MediaError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media import drawing
from litetrack_ros.media.sources import open_source
from litetrack_ros.media.writers import writing_video
from litetrack_ros.tools.arguments import Progress

_GROUND_TRUTH_NAME = "ground truth"
_COLUMNS = 3  # panels in a row


class Track(NamedTuple):
    """One tracker's boxes, in the colour they are drawn in."""

    name: str
    color: drawing.Color
    boxes_xywh: FloatArray


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    src: str
    boxes: tuple[str, ...]
    groundtruth: str | None
    side_by_side: bool
    output: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "src", metavar="SRC", help="what was tracked: a sequence, a folder of images or a video"
    )
    parser.add_argument(
        "--boxes",
        nargs="+",
        required=True,
        metavar="NAME=FILE",
        help="x,y,w,h files of `track --save-txt` or `evaluate --out`, with names to show",
    )
    parser.add_argument(
        "--groundtruth",
        nargs="?",
        const="",
        metavar="FILE",
        help="draw the true boxes too; without a FILE the sequence's own",
    )
    parser.add_argument(
        "--side-by-side", action="store_true", help="a panel for each tracker, not one for all"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.mp4", help="the video to write"
    )


def run(request: Request) -> int:
    """Draw every frame that has boxes."""
    tracks, truth = read_tracks(request)
    count = len(tracks[0].boxes_xywh)
    with (
        open_source(request.src) as source,
        writing_video(request.output, source.fps) as video,
        Progress(count, "draw") as progress,
    ):
        frames = iter(source)
        for index in range(count):
            frame = next(frames, None)
            if frame is None:
                raise MediaError(f"{request.src} has {index} frames, but there are {count} boxes")
            image = to_bgr8(frame.image)
            if request.side_by_side:
                drawn = draw_beside(image, tracks, truth, index)
            else:
                drawn = draw_together(image, [*truth, *tracks], index)
            video.write(drawn)
            progress.step()
    print(f"{request.output}: {count} frames")
    return 0


def read_tracks(request: Request) -> tuple[list[Track], list[Track]]:
    """The trackers' boxes, and the ground truth as a list of one or none.

    Raises:
        DatasetError: a file that cannot be read, or files of different lengths.
    """
    tracks = []
    for number, argument in enumerate(request.boxes):
        name, separator, path = argument.partition("=")
        if not separator or not name or not path:
            raise DatasetError(f"--boxes takes NAME=FILE, not '{argument}'")
        color = drawing.TRACKER_COLORS[number % len(drawing.TRACKER_COLORS)]
        tracks.append(Track(name, color, read_boxes(Path(path))))
    truth = []
    if request.groundtruth is not None:
        file = Path(request.groundtruth or Path(request.src) / GROUND_TRUTH)
        truth.append(Track(_GROUND_TRUTH_NAME, drawing.GROUND_TRUTH_COLOR, read_boxes(file)))
    lengths = {track.name: len(track.boxes_xywh) for track in [*tracks, *truth]}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DatasetError(f"the files hold boxes for different numbers of frames: {listed}")
    return tracks, truth


def draw_together(image_bgr: Uint8Image, tracks: Sequence[Track], index: int) -> Uint8Image:
    """A copy of a frame with all boxes and a legend on it."""
    drawn = np.array(image_bgr)
    for track in tracks:
        drawing.draw_box(drawn, track.boxes_xywh[index], track.color)
    drawing.draw_legend(drawn, [drawing.LegendEntry(track.name, track.color) for track in tracks])
    return drawn


def draw_beside(
    image_bgr: Uint8Image, tracks: Sequence[Track], truth: Sequence[Track], index: int
) -> Uint8Image:
    """A panel a tracker, each with the ground truth."""
    panels = [draw_together(image_bgr, [*truth, track], index) for track in tracks]
    return drawing.tile(panels, _COLUMNS)
