"""``litetrack model points``: how often a point becomes the box that was meant; train it anew."""

import argparse
import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.datasets.photos import read_photos
from litetrack_ros.datasets.sequences import AnnotatedSequence, find_sequences
from litetrack_ros.dependencies import require
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation import point_clicks as scoring
from litetrack_ros.images import to_bgr8
from litetrack_ros.opencv import cv2
from litetrack_ros.resources import model_path
from litetrack_ros.tools.arguments import Progress
from litetrack_ros.tracker.point_boxes import propose_boxes
from litetrack_ros.tracker.tracker import Tracker

SIZES_PX = (0.0, 24.0, 48.0, 96.0, 192.0, float("inf"))  # roots of objects' areas
TIMED_CLICKS = 100
TIMED_SIZE = (1280, 720)


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    photos: Path | None
    sequences: tuple[Path, ...]
    track: bool
    tuning: bool
    train: Path | None
    examples: int
    epochs: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "photos", nargs="?", type=Path, metavar="PHOTOS", help="photos and annotations.json (COCO)"
    )
    parser.add_argument(
        "--sequences", nargs="+", type=Path, default=[], metavar="DIR", help="first frames to click"
    )
    parser.add_argument(
        "--track",
        action="store_true",
        help="also track the sequences with the default model, from the true box and the click",
    )
    parser.add_argument(
        "--tuning",
        action="store_true",
        help="click on the photos that watch the training, not on those held out",
    )
    parser.add_argument(
        "--train", type=Path, metavar="OUT.onnx", help="train on the photos that are not held out"
    )
    parser.add_argument("--examples", type=int, default=20000, help="to train on (%(default)s)")
    parser.add_argument("--epochs", type=int, default=16, help="of training (%(default)s)")


def run(request: Request) -> int:
    """Train if asked for, or else click and report."""
    if request.photos is None and (request.train is not None or not request.sequences):
        raise DatasetError("there is nothing to click on: give PHOTOS or --sequences")
    if request.train is not None:
        require("torch")
        require("onnx")
        from litetrack_ros.training.point_network import train

        graph = model_path("litetrack_nano.template.onnx")
        photos = read_photos(request.photos or Path())
        train(photos, graph, request.train, request.examples, request.epochs)
        print(f"written to {request.train}")
        return 0
    if request.photos is not None:
        report("photos", click_photos(request.photos, request.tuning))
    if request.sequences:
        sequences = find_sequences(request.sequences)
        report("first frames", click_sequences(sequences))
        print(time_clicks(sequences))
        if request.track:
            follow_clicks(sequences)
    return 0


def click_photos(folder: Path, tuning: bool) -> list[scoring.Judged]:
    """Clicks on all photos held out, or on those that watch the training."""
    photos = read_photos(folder)
    if tuning:
        from litetrack_ros.training.point_squares import is_for_validation

        photos = [p for p in photos if not p.is_held_out and is_for_validation(p)]
    else:
        photos = [p for p in photos if p.is_held_out]
    judged: list[scoring.Judged] = []
    with Progress(len(photos), "photos") as progress:
        for photo in photos:
            picture = photo.read()
            clicks = scoring.photo_clicks(photo, picture)
            name = photo.path.name
            judged += scoring.judge(picture, name, photo.source, clicks, propose_boxes)
            progress.step()
    return judged


def click_sequences(sequences: Sequence[AnnotatedSequence]) -> list[scoring.Judged]:
    """Clicks on the first frames."""
    judged: list[scoring.Judged] = []
    for sequence in sequences:
        picture = to_bgr8(next(iter(sequence.frames())).image)
        clicks = scoring.first_frame_clicks(sequence, picture)
        judged += scoring.judge(picture, sequence.name, sequence.name, clicks, propose_boxes)
    return judged


def report(title: str, judged: Sequence[scoring.Judged]) -> None:
    """Print the shares, all together, by size and by source."""
    print(f"{title}: 95 % intervals from resampling pictures")
    for kind in ("centre", "anywhere"):
        clicks = [one for one in judged if one.kind == kind]
        print(f"  {kind}: first {scoring.share(clicks, scoring.first_is_right)}")
        print(f"  {kind}: one of three {scoring.share(clicks, scoring.one_is_right)}")
        for low, high in itertools.pairwise(SIZES_PX):
            some = [one for one in clicks if low <= one.size_px < high]
            _print_pair(f"    {low:g} to {high:g} px", some)
        for source in sorted({one.source for one in clicks}):
            _print_pair(f"    {source}", [one for one in clicks if one.source == source])
    plain = [one for one in judged if one.kind == "plain"]
    objects = [one for one in judged if one.kind != "plain"]
    print(f"  refused on plain ground: {scoring.share(plain, scoring.is_refused)}")
    print(f"  refused on objects:      {scoring.share(objects, scoring.is_refused)}")


def follow_clicks(sequences: Sequence[AnnotatedSequence]) -> None:
    """Print what tracking from a click reaches beside tracking from the true box."""
    backend = open_backend(ModelChoice())
    true_aos, click_aos = [], []
    for sequence in sequences:
        found = scoring.follow_click(sequence, lambda: Tracker(backend), propose_boxes)
        print(
            f"  {found.name}: first candidate's overlap {found.first_overlap:.2f}, AO from the "
            f"true box {found.true_ao:.3f}, from the click {found.click_ao:.3f}",
            flush=True,
        )
        if found.first_overlap >= scoring.RIGHT:
            true_aos.append(found.true_ao)
            click_aos.append(found.click_ao)
    true_ao, click_ao = float(np.mean(true_aos)), float(np.mean(click_aos))
    print(
        f"  mean of {len(true_aos)} whose first candidate was right: {true_ao:.3f} from the true "
        f"box, {click_ao:.3f} from the click, {click_ao / true_ao:.3f} of it"
    )


def _print_pair(title: str, clicks: Sequence[scoring.Judged]) -> None:
    if clicks:
        first = scoring.share(clicks, scoring.first_is_right)
        one = scoring.share(clicks, scoring.one_is_right)
        print(f"{title}: first {first}, one of three {100 * one.value:.1f} %")


def time_clicks(sequences: Sequence[AnnotatedSequence]) -> str:
    """How long a click takes on pictures of 1280x720."""
    frames = [to_bgr8(next(iter(sequence.frames())).image) for sequence in sequences]
    pictures = [np.asarray(cv2.resize(frame, TIMED_SIZE), dtype=np.uint8) for frame in frames]
    rng = np.random.default_rng(0)
    wall_ms, cpu_ms = [], []
    for k in range(TIMED_CLICKS + 1):
        x, y = (float(v) for v in rng.uniform(1, np.array(TIMED_SIZE) - 1))
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        scoring.candidates_or_none(propose_boxes, pictures[k % len(pictures)], (x, y))
        wall_ms.append(1e3 * (time.perf_counter() - wall_s))
        cpu_ms.append(1e3 * (time.process_time() - cpu_s))
    wall, cpu = np.median(wall_ms[1:]), np.median(cpu_ms[1:])  # the first reads the network
    width, height = TIMED_SIZE
    return (
        f"a click at {width}x{height}: {wall:.0f} ms (median of {TIMED_CLICKS}), of which "
        f"processor {cpu:.0f} ms; the first {wall_ms[0]:.0f} ms; load average of the machine "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
