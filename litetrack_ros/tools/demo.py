"""``litetrack demo``: the node on real ROS 2 tracks a moving scene; a video and a latency table."""

import argparse
import contextlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.errors import MissingDependencyError
from litetrack_ros.files import make_folder
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.media.sources import open_source
from litetrack_ros.media.writers import DEFAULT_FPS, VideoWriter, writing_video
from litetrack_ros.node.overlay import DrawnBox, draw_overlay
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import (
    Progress,
    add_json_argument,
    add_model_arguments,
    describe_backend,
    init_box,
)
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

_NODE_STAGES = ("queue_wait", "conversion", "crop", "model", "decode", "publish", "total", "age")
_LIBRARY_STAGES = ("crop", "model", "decode", "total")


class Pictures(NamedTuple):
    """What is played.

    Attributes:
        images: BGR, in order.
        total: how many, where known.
        fps: frames a second.
        init_box_xywh: the target on the first one.
        truth: a true box for each, where known.
    """

    images: Iterator[Uint8Image]
    total: int | None
    fps: float
    init_box_xywh: FloatArray
    truth: list[FloatArray] | None


class DemoFilm:
    """Collects drawn frames and times, from the node or from the library alone.

    Args:
        video: writes the frames.
        truth: true boxes, where known.
    """

    def __init__(self, video: VideoWriter, truth: list[FloatArray] | None) -> None:
        self._video = video
        self._truth = truth
        self.times_ms: dict[str, list[float]] = {}
        self.overlaps: list[float] = []
        self.frames = 0
        self.answered = 0

    def add_time(self, stage: str, value_ms: float) -> None:
        """A duration of a stage."""
        self.times_ms.setdefault(stage, []).append(value_ms)

    def add_frame(self, image: Uint8Image, boxes: list[DrawnBox] | None, caption: str) -> None:
        """Draw and write a frame; None says that there was no answer for it."""
        self._video.write(draw_overlay(image, "bgr", boxes or [], caption))
        if boxes is not None:
            self.answered += 1
        if boxes and self._truth is not None:
            self.overlaps.append(float(overlap(boxes[0].box_xywh, self._truth[self.frames])))
        self.frames += 1

    def figures(self) -> dict[str, Any]:
        """Percentiles by stage, ms; frames; mean overlap with the truth where it is known."""
        latency = {
            stage: dict(zip(("p50", "p95", "p99"), np.percentile(values, [50, 95, 99]).tolist()))  # noqa: B905
            for stage, values in self.times_ms.items()
        }
        figures: dict[str, Any] = {
            "latency_ms": latency,
            "frames": self.frames,
            "frames_with_box_array": self.answered,
        }
        if self.overlaps:
            figures["mean_overlap"] = float(np.mean(self.overlaps))
        return figures


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    src: str | None
    init_box: tuple[float, ...] | None
    frames: int
    fps: float | None
    output: Path
    attach: bool
    no_ros: bool
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "src",
        nargs="?",
        metavar="SRC",
        help="a video, a folder of images or a sequence; without it, a scene drawn here",
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--init-box",
        nargs=4,
        type=float,
        metavar=("X", "Y", "W", "H"),
        help="the target in the first frame, px; without it the sequence's ground truth, else the "
        "middle of the picture",
    )
    parser.add_argument(
        "--frames", type=int, default=300, help="play at most this many (%(default)s)"
    )
    parser.add_argument("--fps", type=float, help="pictures a second (the video's own, or 30)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("runs/demo.mp4"),
        metavar="OUT.mp4",
        help="the video to write (%(default)s)",
    )
    parser.add_argument(
        "--attach",
        action="store_true",
        help="play to a node that runs already, on its topics `image` and `litetrack/...`",
    )
    parser.add_argument("--no-ros", action="store_true", help="track with the library alone")
    add_json_argument(parser)


def run(request: Request) -> int:
    """Play, track, and report."""
    make_folder(request.output.parent)
    with contextlib.ExitStack() as stack:
        pictures = _open_pictures(request, stack)
        video = stack.enter_context(writing_video(request.output, pictures.fps))
        film = DemoFilm(video, pictures.truth)
        reason = "--no-ros was given" if request.no_ros else _why_no_ros()
        if reason:
            print(f"Without ROS 2, with the library alone: {reason}", flush=True)
            _play_to_library(request, pictures, film)
        else:
            _play_to_node(request, pictures, film)
    figures = film.figures()
    _print_table(figures, bool(reason))
    write_json(request.json, {"with_ros": not reason, "fps": pictures.fps, **figures})
    print(f"Video: {request.output.resolve()}")
    return 0


def _why_no_ros() -> str:
    try:
        require("rclpy")
        require("litetrack_ros.msg")
    except MissingDependencyError as error:
        return str(error)
    return ""


def _open_pictures(request: Request, stack: contextlib.ExitStack) -> Pictures:
    if request.src is None:
        scene = DrawnScene(frames=request.frames)
        truth = [scene.box_xywh(index) for index in range(len(scene))]
        box = truth[0] if request.init_box is None else np.array(request.init_box)
        images = (image for image, _ in scene)
        return Pictures(images, len(scene), request.fps or DEFAULT_FPS, box, truth)
    source = stack.enter_context(open_source(request.src))
    frames = (to_bgr8(frame.image) for frame in itertools.islice(source, request.frames))
    first = next(frames)
    total = None if source.frame_count is None else min(source.frame_count, request.frames)
    return Pictures(
        itertools.chain([first], frames),
        total,
        request.fps or source.fps or DEFAULT_FPS,
        _init_box(request.src, request.init_box, first),
        None,
    )


def _init_box(src: str, given_xywh: tuple[float, ...] | None, first: Uint8Image) -> FloatArray:
    box = init_box(src, given_xywh)
    if box is not None:
        return box
    height, width = first.shape[:2]
    print("No --init-box: the middle of the first picture is the target.", flush=True)
    return np.array([0.35 * width, 0.35 * height, 0.3 * width, 0.3 * height])


def _play_to_library(request: Request, pictures: Pictures, film: DemoFilm) -> None:
    backend = open_backend(request.model)
    print(f"model: {describe_backend(backend.info)}", flush=True)
    steps = follow(Tracker(backend), pictures.images, pictures.init_box_xywh)
    with Progress(pictures.total, "tracking") as progress:
        for index, (image, result, _) in enumerate(steps):
            for stage in _LIBRARY_STAGES if index else ():
                film.add_time(stage, getattr(result.timing, f"{stage}_ms"))
            box = DrawnBox(result.target_id, result.box_xywh, result.state, result.score)
            caption = f"library alone, {result.timing.total_ms:.1f} ms"
            film.add_frame(image, [box], caption)
            progress.step()


def _play_to_node(request: Request, pictures: Pictures, film: DemoFilm) -> None:
    from litetrack_ros.replay.camera import demo_camera

    print("Waiting for the tracker node ...", flush=True)
    with demo_camera(None if request.attach else request.model) as camera:
        print(f"Playing pictures at {pictures.fps:g} Hz over DDS.", flush=True)
        start_s = time.perf_counter()
        with Progress(pictures.total, "playing") as progress:
            for frame in camera.play(pictures.images, pictures.init_box_xywh, pictures.fps):
                progress.step()
                if frame.boxes is None:
                    film.add_frame(frame.image, None, "no answer: lost or replaced")
                    continue
                film.add_time("picture to box", frame.answer_ms)
                for stage in _NODE_STAGES if frame.timing is not None else ():
                    film.add_time(stage, getattr(frame.timing, f"{stage}_ms"))
                boxes = [
                    DrawnBox(b.target_id, (b.x, b.y, b.width, b.height), State(b.state), b.score)
                    for b in frame.boxes.boxes
                ]
                film.add_frame(frame.image, boxes, f"picture to box {frame.answer_ms:.1f} ms")
        took_s, last = time.perf_counter() - start_s, camera.last_timing
    received, replaced = (0, 0) if last is None else (last.received, last.replaced)
    print(
        f"{film.frames} pictures in {took_s:.1f} s: {film.frames - received} lost on the way, "
        f"{replaced} replaced by newer ones, {film.answered} with boxes."
    )


def _print_table(figures: dict[str, Any], is_library: bool) -> None:
    rows = [
        [stage.replace("_", " "), *(f"{values[p]:.2f}" for p in ("p50", "p95", "p99"))]
        for stage, values in figures["latency_ms"].items()
    ]
    title = "library" if is_library else "node"
    print(format_table([f"{title}, ms", "p50", "p95", "p99"], rows))
    if "mean_overlap" in figures:
        print(f"mean overlap with the true box: {figures['mean_overlap']:.3f}")
