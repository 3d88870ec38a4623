"""What ``litetrack bag replay`` prints and writes."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.datasets.sequences import format_boxes
from litetrack_ros.errors import BagError, MissingDependencyError
from litetrack_ros.files import write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.replay.bag_reader import Bag, BagMessage, decode
from litetrack_ros.replay.bag_types import COMPRESSED_IMAGE
from litetrack_ros.replay.choosing import Inputs
from litetrack_ros.replay.copying import FrameResult, copy_with_results
from litetrack_ros.replay.figures import Measured, stage_figure_names, table
from litetrack_ros.replay.frame_table import write_frame_table
from litetrack_ros.replay.page import page
from litetrack_ros.replay.playlist import Playlist
from litetrack_ros.replay.records import COUNTS, STAGES
from litetrack_ros.replay.report_parts import (
    STAGE_HEADER,
    frame_boxes,
    stage_table,
    thumbnails,
    write_report_json,
)
from litetrack_ros.replay.rows import Rows
from litetrack_ros.report.page import Picture
from litetrack_ros.report.tables import format_table


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
    report: dict[str, Any]
    raw_path: Path


def write_results(args: argparse.Namespace, done: Finished) -> None:
    """Print the tables, and write every file asked for.

    Raises:
        MediaError: a file cannot be written.
        BagError: the copy of the bag cannot be written.
    """
    values = done.report["figures"]
    print(format_table(STAGE_HEADER, stage_table(done.measured)))
    print()
    in_stage_table = stage_figure_names(done.measured)
    others = {name: value for name, value in values.items() if name not in in_stage_table}
    print(format_table(("figure", "value"), table(others)))
    for warning in done.report["warnings"]:
        print(f"warning: {warning}")
    if args.json is not None:
        write_report_json(args.json, done.report)
    if args.save_txt is not None:
        boxes = frame_boxes(done.measured.rows, done.inputs.init_frame, done.inputs.init_box_xywh)
        write_text(args.save_txt, format_boxes(boxes))
    if args.report is not None:
        _write_folder(args, done)
    if args.write_boxes is not None:
        topic = done.inputs.playlist.topic.name
        results = _frame_results(done.measured.rows)
        warnings = copy_with_results(args.bag, args.write_boxes, topic, results)
        for warning in warnings:
            print(f"warning: {warning}")
        print(f"bag with boxes: {args.write_boxes}")


def _write_folder(args: argparse.Namespace, done: Finished) -> None:
    measured, report = done.measured, done.report
    folder: Path = args.report
    write_report_json(folder / "report.json", report)
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
    with contextlib.suppress(BagError), Bag(args.bag) as bag:
        again = Playlist(bag, topic, args.start, args.duration)
        pictures = thumbnails(
            measured,
            done.truth_xywh,
            again.pass_messages(),
            lambda message: _to_image(message, topic.type_name),
        )
    notes = [*report["warnings"], *([report["failure"]] if report["failure"] else [])]
    title = f"litetrack bag replay: {args.bag.name}, {args.mode}"
    try:
        text = page(title, measured, report["figures"], report["metadata"], notes, pictures)
    except MissingDependencyError as error:
        print(f"report: {folder / 'report.json'} without a page: {error}")
        return
    write_text(folder / "report.html", text)
    print(f"report: {folder / 'report.html'}")


def _to_image(message: BagMessage, type_name: str) -> Uint8Image:
    from litetrack_ros.node.conversion import convert_compressed, convert_image

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
            timing,
        )
    return results
