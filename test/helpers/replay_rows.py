"""Rows of a replay as a test states them, written and read back as a replay does."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litetrack_ros.replay.fates import (
    COUNTS,
    STAGES,
    Box,
    ReplayedFrame,
    Rows,
    RowWriter,
    read_rows,
)

TRACKING = 2


def frame(
    index: int,
    latency_s: float | None = 0.0,
    box: Sequence[float] | None = None,
    period_s: float = 0.1,
    counts: dict[str, int] | None = None,
    **changes: Any,
) -> ReplayedFrame:
    """A frame published at ``index * period_s``; without a latency it was not answered."""
    published_s = index * period_s
    made = ReplayedFrame(
        index,
        frame=changes.pop("frame", index),
        recorded_ns=10**18 + round(1e9 * published_s),
        stamp_ns=2 * 10**18 + round(1e9 * published_s),
        planned_s=published_s,
        published_s=published_s,
        answered_s=None if latency_s is None else published_s + latency_s,
        box=None if box is None else Box(*box, TRACKING, 0.9, 0.8, True),
        counts={} if counts is None else {**dict.fromkeys(COUNTS, 0), **counts},
        stages_ms={} if counts is None else dict.fromkeys(STAGES, 1.0),
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def rows_of(frames: Sequence[ReplayedFrame], folder: Path) -> Rows:
    """Through the file, as in a replay."""
    stream = io.StringIO()
    writer = RowWriter(stream)
    for row in frames:
        writer.write(row)
    path = folder / "rows.csv"
    path.write_text(stream.getvalue(), newline="")
    return read_rows(path)
