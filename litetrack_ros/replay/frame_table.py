"""The CSV file of a report: the replay's rows with fates, ground truth and overlaps."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from litetrack_ros.errors import MediaError
from litetrack_ros.files import replacing
from litetrack_ros.geometry import FloatArray
from litetrack_ros.replay.fates import Fates
from litetrack_ros.replay.rows import COLUMNS

EXTRA_COLUMNS = ("latency_ms", "fate", "truth_x", "truth_y", "truth_width", "truth_height",
                 "overlap")  # fmt: skip


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
        raw_path: what a :class:`litetrack_ros.replay.rows.RowWriter` wrote.
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
