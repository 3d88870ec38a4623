"""``litetrack label``: a clip to train on, from a video and one box."""

from __future__ import annotations

import argparse

from litetrack_ros.tools.arguments import (
    Progress,
    add_clip_arguments,
    add_model_arguments,
    open_model,
)

HELP = "label a video by tracking it forwards and backwards, to train on"


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


def run(args: argparse.Namespace) -> int:
    """Track both ways, write the frames on which both agree."""
    import numpy as np

    from litetrack_ros.datasets.clip_files import read_small, write_clip
    from litetrack_ros.errors import DatasetError
    from litetrack_ros.training.agreed_tracks import ellipse_mask, track_both_ways

    frames, scale = read_small(args.video, args.height)
    if len(frames) < 2:
        raise DatasetError(f"{args.video} has {len(frames)} frames: at least two are needed")
    backend = open_model(args)
    with Progress(2 * len(frames), "label") as progress:
        box = np.array(args.init_box) * scale
        track = track_both_ways(frames, box, backend, progress.step)
    kept = track.kept
    if len(kept) == 0:
        raise DatasetError(f"{args.video}: the directions agree nowhere; try another box or part")
    height, width = frames[0].shape[:2]
    masks = [ellipse_mask(track.boxes_xywh[index], height, width) for index in kept]
    write_clip(args.output, frames, kept.tolist(), masks, args.longest)
    print(
        f"{args.video}: both directions agree in {len(kept)} of {len(frames)} frames, "
        f"mean overlap {track.agreement.mean():.2f}"
    )
    return 0
