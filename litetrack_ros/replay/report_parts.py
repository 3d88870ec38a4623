"""The parts of a report: figures as JSON and back, tables, pictures of the worst frames."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros import __version__
from litetrack_ros.errors import ConfigError
from litetrack_ros.files import write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.machine import core_count, cpu_name
from litetrack_ros.media.drawing import GROUND_TRUTH_COLOR, TRACKER_COLORS, draw_box
from litetrack_ros.opencv import cv2
from litetrack_ros.replay.bag_reader import BagMessage
from litetrack_ros.replay.durations import summarise_durations
from litetrack_ros.replay.figures import Measured, format_figure, stage_durations
from litetrack_ros.replay.rows import Rows
from litetrack_ros.report.page import Picture

STAGE_HEADER = ("stage, ms", "p50", "p90", "p95", "p99", "max")
WORST_FRAMES = 6
_THUMBNAIL_WIDTH_PX = 280
_APART = 5  # frames between two of the worst, so that they show more than one event
_ROS_VARIABLES = (
    "ROS_DISTRO",
    "RMW_IMPLEMENTATION",
    "FASTDDS_BUILTIN_TRANSPORTS",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
)


def machine() -> dict[str, str]:
    """What the benchmark ran on."""
    return {
        "cpu": cpu_name(),
        "cores": str(core_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        # Of a file its name will do: reports are passed on.
        **{name: Path(os.environ[name]).name for name in _ROS_VARIABLES if name in os.environ},
    }


def content(
    figures: Mapping[str, float | None],
    metadata: Mapping[str, Any],
    failure: str,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """What the JSON file holds."""
    return {
        "litetrack_version": __version__,
        "metadata": dict(metadata),
        "failure": failure or None,
        "warnings": list(warnings),
        "figures": dict(figures),
    }


def write_report_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write :func:`content`.

    Raises:
        MediaError: it cannot be written.
    """
    write_text(path, json.dumps(report, indent=2, allow_nan=False) + "\n")


def read_figures(path: Path) -> dict[str, float | None]:
    """The figures of a report's JSON file.

    Raises:
        ConfigError: not such a file.
    """
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
        return {str(k): None if v is None else float(v) for k, v in figures.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is no report of litetrack bag replay: {error}") from error


def comparison(
    before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> list[list[str]]:
    """Rows of figure, first, second, difference, and difference in percent of the first."""
    rows = []
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        if a is None and b is None:
            continue
        difference, percent = "-", "-"
        if a is not None and b is not None:
            difference = f"{b - a:+.3f}"
            percent = f"{100 * (b - a) / abs(a):+.1f}" if a else "-"
        rows.append([name, format_figure(a), format_figure(b), difference, percent])
    return rows


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
