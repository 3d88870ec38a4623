"""``litetrack evaluate``: the one-pass protocol over annotated sequences."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litetrack_ros.tools.arguments import (
    Progress,
    add_model_arguments,
    describe_backend,
    open_model,
)
from litetrack_ros.tools.tables import add_json_argument, format_table, write_json

if TYPE_CHECKING:
    from litetrack_ros.evaluation.runner import TrackerFactory

HELP = "track annotated sequences once each and score the overlap (AO, SR50, SR75, fps)"
LITETRACK = "litetrack"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "dirs",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="a sequence (frames and groundtruth.txt), or a folder of sequences",
    )
    parser.add_argument(
        "--tracker",
        default=LITETRACK,
        metavar="NAME",
        help="%(default)s (the default), or one of OpenCV's: csrt, kcf, mil, medianflow, mosse ...",
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--save-dir", type=Path, metavar="DIR", help="write the boxes to DIR/SEQUENCE.txt"
    )
    parser.add_argument(
        "--perturbed",
        type=int,
        default=0,
        metavar="N",
        help="run N more times from first boxes that are up to 5 %% off",
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Run the protocol, print the table, save what was asked for."""
    from litetrack_ros.datasets.sequences import find_sequences, format_boxes
    from litetrack_ros.errors import ConfigError
    from litetrack_ros.evaluation import perturbation
    from litetrack_ros.evaluation.report import HEADER, Report
    from litetrack_ros.evaluation.runner import run_sequence
    from litetrack_ros.files import make_folder, write_text

    if args.perturbed < 0:
        raise ConfigError(f"--perturbed is {args.perturbed}, but must be at least 0")
    sequences = find_sequences(args.dirs)
    make_tracker, about = _open_tracker(args)
    if args.save_dir is not None:
        make_folder(args.save_dir)
    runs, perturbed_runs = [], []
    frames = sum(len(s) for s in sequences) * (1 + args.perturbed)
    with Progress(frames, "evaluate") as progress:
        for sequence in sequences:
            done = run_sequence(sequence, make_tracker, progress.step)
            runs.append(done)
            if args.save_dir is not None:
                text = format_boxes(done.boxes_xywh)
                write_text(args.save_dir / f"{sequence.name}.txt", text)
            first_box = sequence.boxes_xywh[0]
            boxes = [perturbation.perturb_box(first_box, seed) for seed in range(args.perturbed)]
            perturbed_runs.append(
                [run_sequence(sequence, make_tracker, progress.step, box) for box in boxes]
            )
    report = Report(runs)
    print(format_table(HEADER, report.table()))
    figures = {**about, **report.figures()}
    if args.perturbed:
        perturbed = perturbation.PerturbedRuns(perturbed_runs)
        print(f"\nfrom {args.perturbed} first boxes, up to {perturbation.AMOUNT:.0%} off:")
        print(format_table(perturbation.HEADER, perturbed.table()))
        figures["perturbed"] = perturbed.figures()
    write_json(args.json, figures)
    return 0


def _open_tracker(args: argparse.Namespace) -> tuple[TrackerFactory, dict[str, Any]]:
    """What makes a tracker for each sequence, and what the report says of it."""
    if args.tracker == LITETRACK:
        import dataclasses

        from litetrack_ros.evaluation.runner import LiteTrackSequenceTracker

        backend = open_model(args)
        print(f"tracker: {describe_backend(backend.info)}", flush=True)
        about = {"tracker": LITETRACK, "backend": dataclasses.asdict(backend.info)}
        return (lambda: LiteTrackSequenceTracker(backend)), about
    from litetrack_ros.evaluation.opencv_trackers import OpenCvSequenceTracker
    from litetrack_ros.opencv import cv2

    OpenCvSequenceTracker(args.tracker)  # an unknown name ends here, before the first frame
    print(f"tracker: {args.tracker} of OpenCV {cv2.__version__}", flush=True)
    about = {"tracker": args.tracker, "opencv_version": cv2.__version__}
    return (lambda: OpenCvSequenceTracker(args.tracker)), about
