"""What a replay prints and writes: tables, report.json, frames.csv, pictures, boxes, a bag."""

from __future__ import annotations

import contextlib
import csv
import datetime
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.datasets.sequences import format_boxes
from litetrack_ros.errors import BagError, MediaError, MissingDependencyError
from litetrack_ros.files import replacing, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.machine import core_count, cpu_name
from litetrack_ros.media.drawing import GROUND_TRUTH_COLOR, TRACKER_COLORS, draw_box
from litetrack_ros.node.conversion import convert_compressed, convert_image
from litetrack_ros.opencv import cv2
from litetrack_ros.replay.bag_reader import COMPRESSED_IMAGE, Bag, BagMessage, decode
from litetrack_ros.replay.bag_writer import FrameResult, copy_with_results
from litetrack_ros.replay.fates import COLUMNS, COUNTS, STAGES, Fates, Rows
from litetrack_ros.replay.measures import (
    Measured,
    format_figure,
    stage_durations,
    stage_figure_names,
    summarise_durations,
)
from litetrack_ros.replay.playlist import Inputs, Playlist
from litetrack_ros.replay.replay_page import page
from litetrack_ros.replay.request import ReplayRequest
from litetrack_ros.report.html_page import Picture
from litetrack_ros.report.tables import format_table, write_json

STAGE_HEADER = ("stage, ms", "p50", "p90", "p95", "p99", "max")
EXTRA_COLUMNS = ("latency_ms", "fate", "truth_x", "truth_y", "truth_width", "truth_height",
                 "overlap")  # fmt: skip
WORST_FRAMES = 6
_THUMBNAIL_WIDTH_PX = 280
_APART = 5  # frames between two of the worst, so that they show more than one event
_ROS_VARIABLES = (
    "ROS_DISTRO",
    "RMW_IMPLEMENTATION",
    "FASTDDS_BUILTIN_TRANSPORTS",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
)


@dataclass(frozen=True)
class ReplayReport:
    """What is told of a replay.

    Attributes:
        figures: by name.
        metadata: of the run, see :func:`describe_run`.
        failure: why it ended early; empty where it did not.
        warnings: a sentence each.
        diagnostics: the node's last ones, by task; None where they were not asked for.
    """

    figures: dict[str, float | None]
    metadata: dict[str, Any]
    failure: str = ""
    warnings: list[str] = field(default_factory=list)
    diagnostics: dict[str, dict[str, str]] | None = None

    def write(self, path: Path) -> None:
        """Write it as JSON.

        Raises:
            MediaError: it cannot be written.
        """
        content: dict[str, Any] = {
            "metadata": self.metadata,
            "failure": self.failure or None,
            "warnings": self.warnings,
            "figures": self.figures,
        }
        if self.diagnostics is not None:
            content["diagnostics"] = self.diagnostics
        write_json(path, content)


@dataclass(frozen=True)
class Finished:
    """A replay with all that is known of it.

    Attributes:
        inputs: what was played.
        measured: what came of it.
        truth_xywh: ground truth of every row, ``(N, 4)``, NaN where there is none.
        report: for JSON.
        raw_path: the rows.
    """

    inputs: Inputs
    measured: Measured
    truth_xywh: FloatArray
    report: ReplayReport
    raw_path: Path


def describe_run(request: ReplayRequest, inputs: Inputs) -> dict[str, Any]:
    """What was played, to which model, on which machine."""
    model, topic = request.model, inputs.playlist.topic
    return {
        "bag": str(request.bag),
        "image_topic": topic.name,
        "image_type": topic.type_name,
        "mode": request.mode,
        "rate": request.rate,
        "loop": request.loop,
        "start": request.start,
        "duration": request.duration,
        "model": model.model,
        "backend": model.backend,
        "device": model.device,
        "precision": model.precision,
        "init_frame": inputs.init_frame,
        "init_box_xywh": [float(v) for v in inputs.init_box_xywh],
        "ground_truth": inputs.truth_name or None,
        "machine": machine(),
    }


def machine() -> dict[str, str]:
    """What a replay ran on."""
    return {
        "cpu": cpu_name(),
        "cores": str(core_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        # Of a file its name will do: reports are passed on.
        **{name: Path(os.environ[name]).name for name in _ROS_VARIABLES if name in os.environ},
    }


def write_results(request: ReplayRequest, done: Finished) -> None:
    """Print the tables, and write every file asked for.

    Raises:
        MediaError: a file cannot be written.
        BagError: the copy of the bag cannot be written.
    """
    values = done.report.figures
    print(format_table(STAGE_HEADER, stage_table(done.measured)))
    print()
    in_stage_table = stage_figure_names(done.measured)
    others = [
        [name, format_figure(value)]
        for name, value in values.items()
        if name not in in_stage_table and value is not None
    ]
    print(format_table(("figure", "value"), others))
    for warning in done.report.warnings:
        print(f"warning: {warning}")
    if request.json is not None:
        done.report.write(request.json)
    if request.save_txt is not None:
        boxes = frame_boxes(done.measured.rows, done.inputs.init_frame, done.inputs.init_box_xywh)
        write_text(request.save_txt, format_boxes(boxes))
    if request.report is not None:
        _write_folder(request, done, request.report)
    if request.write_boxes is not None:
        topic = done.inputs.playlist.topic.name
        results = _frame_results(done.measured.rows)
        warnings = copy_with_results(request.bag, request.write_boxes, topic, results)
        for warning in warnings:
            print(f"warning: {warning}")
        print(f"bag with boxes: {request.write_boxes}")


def _write_folder(request: ReplayRequest, done: Finished, folder: Path) -> None:
    measured, report = done.measured, done.report
    report.write(folder / "report.json")
    overlaps = np.full(len(measured.rows), np.nan)
    if measured.accuracy is not None:
        overlaps = measured.accuracy.overlaps
    write_frame_table(
        done.raw_path,
        folder / "frames.csv",
        measured.rows.latency_ms,
        measured.fates,
        done.truth_xywh,
        overlaps,
    )
    topic = done.inputs.playlist.topic
    pictures: list[Picture] = []
    # A bag that turned out to be damaged has been reported: the page comes without pictures.
    with contextlib.suppress(BagError), Bag(request.bag) as bag:
        again = Playlist(bag, topic, request.start, request.duration)
        pictures = thumbnails(
            measured,
            done.truth_xywh,
            again.pass_messages(),
            lambda message: _to_image(message, topic.type_name),
        )
    notes = [*report.warnings, *([report.failure] if report.failure else [])]
    title = f"litetrack bag replay: {request.bag.name}, {request.mode}"
    try:
        text = page(title, measured, report.figures, report.metadata, notes, pictures)
    except MissingDependencyError as error:
        print(f"report: {folder / 'report.json'} without a page: {error}")
        return
    write_text(folder / "report.html", text)
    print(f"report: {folder / 'report.html'}")


def _to_image(message: BagMessage, type_name: str) -> Uint8Image:
    decoded = decode(message.data, type_name)
    convert = convert_compressed if type_name == COMPRESSED_IMAGE else convert_image
    converted = convert(decoded)
    return to_bgr8(np.ascontiguousarray(converted.image), converted.color_order)


def _frame_results(rows: Rows) -> dict[int, FrameResult]:
    """The answered frames of the first pass by their stamp in the bag."""
    results: dict[int, FrameResult] = {}
    for at in np.flatnonzero(rows.is_answered & (rows.index == rows.frame)):
        timing: dict[str, float | int] = {}
        if rows.counts["received"][at] >= 0:
            timing = {f"{stage}_ms": float(rows.stages_ms[stage][at]) for stage in STAGES}
            timing |= {name: int(rows.counts[name][at]) for name in COUNTS}
        results[int(rows.recorded_ns[at])] = FrameResult(
            round(1e6 * rows.latency_ms[at]),
            rows.boxes_xywh[at],
            max(int(rows.state[at]), 0),
            float(np.nan_to_num(rows.score[at])),
            float(np.nan_to_num(rows.candidate_score[at])),
            bool(rows.is_calibrated[at] > 0),
            timing,
        )
    return results


def write_frame_table(
    raw_path: Path,
    path: Path,
    latency_ms: FloatArray,
    fates: Fates,
    truth_xywh: FloatArray,
    overlaps: FloatArray,
) -> None:
    """Copy rows line by line, each with what was found out after the replay.

    Args:
        raw_path: what a :class:`litetrack_ros.replay.fates.RowWriter` wrote.
        path: the file to make.
        latency_ms: ``(N,)``.
        fates: of the rows.
        truth_xywh: ``(N, 4)``, NaN where there is none.
        overlaps: ``(N,)``, NaN where there is none.

    Raises:
        MediaError: it cannot be written.
    """
    with replacing(path) as temporary:
        try:
            with (
                raw_path.open(newline="", encoding="utf-8") as source,
                temporary.open("w", newline="", encoding="utf-8") as stream,
            ):
                reader, writer = csv.reader(source), csv.writer(stream)
                next(reader)
                writer.writerow((*COLUMNS, *EXTRA_COLUMNS))
                for at, (line, fate) in enumerate(zip(reader, fates.by_frame, strict=False)):
                    numbers = (latency_ms[at], *truth_xywh[at], overlaps[at])
                    latency, *others = [f"{v:.6g}" if np.isfinite(v) else "" for v in numbers]
                    writer.writerow([*line, latency, fate, *others])
        except OSError as error:
            raise MediaError(f"cannot write {path}: {error.strerror or error}") from error


def stage_table(measured: Measured) -> list[list[str]]:
    """Rows under :data:`STAGE_HEADER`: the latency, then its stages."""
    skip = measured.warm_up_frames
    stages = {"latency": measured.rows.latency_ms, **stage_durations(measured.rows)}
    rows = []
    for name, values in stages.items():
        p50, p90, p95, p99, maximum, _ = summarise_durations(values[skip:])
        rows.append([name, *(f"{v:.2f}" for v in (p50, p90, p95, p99, maximum))])
    return rows


def frame_boxes(rows: Rows, init_frame: int, init_box_xywh: FloatArray) -> FloatArray:
    """A box for every frame of the first pass: the init box on its frame, NaN where none came."""
    boxes = np.array(rows.boxes_xywh[rows.index == rows.frame])
    if init_frame < len(boxes):
        boxes[init_frame] = init_box_xywh
    return boxes


def worst_frames(measured: Measured) -> list[int]:
    """Rows to show: least overlap where there is ground truth, else greatest latency."""
    if measured.accuracy is not None:
        badness = -measured.accuracy.overlaps
    else:
        badness = measured.rows.latency_ms
    chosen: list[int] = []
    for at in np.argsort(-np.nan_to_num(badness, nan=-np.inf), kind="stable"):
        if not np.isfinite(badness[at]) or len(chosen) == WORST_FRAMES:
            break
        if all(abs(int(at) - other) >= _APART for other in chosen):
            chosen.append(int(at))
    return chosen


def thumbnails(
    measured: Measured,
    truth_xywh: FloatArray,
    messages: Iterable[BagMessage],
    to_image: Callable[[BagMessage], Uint8Image],
) -> list[Picture]:
    """Pictures of the worst frames with their boxes.

    Args:
        measured: the replay.
        truth_xywh: of every row, ``(N, 4)``.
        messages: one pass of the bag.
        to_image: makes a BGR image ``(H, W, 3)`` of a message.
    """
    chosen = worst_frames(measured)
    by_frame: dict[int, list[int]] = {}
    for at in chosen:
        by_frame.setdefault(int(measured.rows.frame[at]), []).append(at)
    found: dict[int, Picture] = {}
    for frame, message in enumerate(messages):
        for at in by_frame.pop(frame, []):
            found[at] = _thumbnail(measured, at, truth_xywh[at], to_image(message))
        if not by_frame:
            break
    return [found[at] for at in chosen if at in found]


def _thumbnail(measured: Measured, at: int, truth: FloatArray, image: Uint8Image) -> Picture:
    rows = measured.rows
    scale = _THUMBNAIL_WIDTH_PX / image.shape[1]
    size = (_THUMBNAIL_WIDTH_PX, max(1, round(scale * image.shape[0])))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    draw_box(small, scale * truth, GROUND_TRUTH_COLOR)
    draw_box(small, scale * rows.boxes_xywh[at], TRACKER_COLORS[0])
    caption = f"frame {rows.frame[at]}: latency {rows.latency_ms[at]:.1f} ms"
    if measured.accuracy is not None:
        caption += f", overlap {measured.accuracy.overlaps[at]:.2f} (green: ground truth)"
    return Picture(bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]), caption)
