"""``litetrack data label``: a clip to train on, from a video and one box."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.tools.arguments import (
    Progress,
    add_clip_arguments,
    add_model_arguments,
)


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    video: str
    init_box: tuple[float, ...]
    output: Path
    height: int
    longest: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("video", metavar="VIDEO", help="a video file or a folder of images")
    parser.add_argument(
        "--init-box",
        nargs=4,
        type=float,
        required=True,
        metavar=("X", "Y", "W", "H"),
        help="the object in the first frame, px",
    )
    add_clip_arguments(
        parser, "the clip's folder; give it, or the one that holds several, to --data, then"
    )
    add_model_arguments(parser)


def run(request: Request) -> int:
    """Track both ways, write the frames on which both agree."""
    import numpy as np

    from litetrack_ros.errors import DatasetError
    from litetrack_ros.pairs.material_making import read_small, write_clip
    from litetrack_ros.training.agreed_tracks import ellipse_mask, track_both_ways

    frames, scale = read_small(request.video, request.height)
    if len(frames) < 2:
        raise DatasetError(f"{request.video} has {len(frames)} frames: at least two are needed")
    backend = open_backend(request.model)
    with Progress(2 * len(frames), "label") as progress:
        box = np.array(request.init_box) * scale
        track = track_both_ways(frames, box, backend, progress.step)
    kept = track.kept
    if len(kept) == 0:
        raise DatasetError(
            f"{request.video}: the directions agree nowhere; try another box or part"
        )
    height, width = frames[0].shape[:2]
    masks = [ellipse_mask(track.boxes_xywh[index], height, width) for index in kept]
    write_clip(request.output, frames, kept.tolist(), masks, request.longest)
    print(
        f"{request.video}: both directions agree in {len(kept)} of {len(frames)} frames, "
        f"mean overlap {track.agreement.mean():.2f}"
    )
    return 0
