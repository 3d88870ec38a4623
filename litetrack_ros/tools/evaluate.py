"""``litetrack evaluate``: the one-pass protocol over annotated sequences."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import (
    Progress,
    add_json_argument,
    add_model_arguments,
    describe_backend,
)

if TYPE_CHECKING:
    from litetrack_ros.evaluation.runner import TrackerFactory

LITETRACK = "litetrack"


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    dirs: tuple[Path, ...]
    tracker: str
    save_dir: Path | None
    perturbed: int
    json: Path | None


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


def run(request: Request) -> int:
    """Run the protocol, print the table, save what was asked for."""
    from litetrack_ros.datasets.sequences import find_sequences, format_boxes
    from litetrack_ros.errors import ConfigError
    from litetrack_ros.evaluation import perturbation
    from litetrack_ros.evaluation.report import HEADER, Report
    from litetrack_ros.evaluation.runner import run_sequence
    from litetrack_ros.files import make_folder, write_text

    if request.perturbed < 0:
        raise ConfigError(f"--perturbed is {request.perturbed}, but must be at least 0")
    sequences = find_sequences(request.dirs)
    make_tracker, about = _open_tracker(request)
    if request.save_dir is not None:
        make_folder(request.save_dir)
    runs, perturbed_runs = [], []
    frames = sum(len(s) for s in sequences) * (1 + request.perturbed)
    with Progress(frames, "evaluate") as progress:
        for sequence in sequences:
            done = run_sequence(sequence, make_tracker, progress.step)
            runs.append(done)
            if request.save_dir is not None:
                text = format_boxes(done.boxes_xywh)
                write_text(request.save_dir / f"{sequence.name}.txt", text)
            first_box = sequence.boxes_xywh[0]
            boxes = [perturbation.perturb_box(first_box, seed) for seed in range(request.perturbed)]
            perturbed_runs.append(
                [run_sequence(sequence, make_tracker, progress.step, box) for box in boxes]
            )
    report = Report(runs)
    print(format_table(HEADER, report.table()))
    figures = {**about, **report.figures()}
    if request.perturbed:
        perturbed = perturbation.PerturbedRuns(perturbed_runs)
        print(f"\nfrom {request.perturbed} first boxes, up to {perturbation.AMOUNT:.0%} off:")
        print(format_table(perturbation.HEADER, perturbed.table()))
        figures["perturbed"] = perturbed.figures()
    write_json(request.json, figures)
    return 0


def _open_tracker(request: Request) -> tuple[TrackerFactory, dict[str, Any]]:
    """What makes a tracker for each sequence, and what the report says of it."""
    if request.tracker == LITETRACK:
        import dataclasses

        from litetrack_ros.evaluation.runner import LiteTrackSequenceTracker

        backend = open_backend(request.model)
        print(f"tracker: {describe_backend(backend.info)}", flush=True)
        about = {"tracker": LITETRACK, "backend": dataclasses.asdict(backend.info)}
        return (lambda: LiteTrackSequenceTracker(backend)), about
    from litetrack_ros.evaluation.opencv_trackers import OpenCvSequenceTracker
    from litetrack_ros.opencv import cv2

    OpenCvSequenceTracker(request.tracker)  # an unknown name ends here, before the first frame
    print(f"tracker: {request.tracker} of OpenCV {cv2.__version__}", flush=True)
    about = {"tracker": request.tracker, "opencv_version": cv2.__version__}
    return (lambda: OpenCvSequenceTracker(request.tracker)), about
