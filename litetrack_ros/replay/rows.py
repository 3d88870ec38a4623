"""A replay's frames as rows of a CSV file: written one by one, read back as arrays."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import FloatArray
from litetrack_ros.replay.records import COUNTS, STAGES, ReplayedFrame

IntArray = npt.NDArray[np.int64]

_WHOLE = ("index", "frame", "recorded_stamp_ns", "replay_stamp_ns")
_TIMES = ("planned_s", "published_s", "answered_s")
_BOX = ("x", "y", "width", "height")
_STAGES = tuple(f"{stage}_ms" for stage in STAGES)
COLUMNS = (*_WHOLE, *_TIMES, *_BOX, "state", "score", *_STAGES, *COUNTS)
NO_STATE = -1


class RowWriter:
    """Appends frames to a file as they are settled.

    Args:
        stream: a text file, opened with ``newline=""``.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._writer = csv.writer(stream)
        self._writer.writerow(COLUMNS)

    def write(self, frame: ReplayedFrame) -> None:
        """Append a frame; what is not known stays empty."""
        box = frame.box
        self._writer.writerow(
            [
                frame.index,
                frame.frame,
                frame.recorded_ns,
                frame.stamp_ns,
                frame.planned_s,
                frame.published_s,
                "" if frame.answered_s is None else frame.answered_s,
                *(("",) * 6 if box is None else box),
                *(frame.stages_ms.get(stage, "") for stage in STAGES),
                *(frame.counts.get(name, "") for name in COUNTS),
            ]
        )


@dataclass(frozen=True)
class Rows:
    """Frames in the order of their publication; N of them.

    Attributes:
        index, frame: position in the replay, and in one pass of the bag, int64 ``(N,)``.
        recorded_ns, stamp_ns: stamp in the bag, and as played, int64 ``(N,)``.
        planned_s, published_s, answered_s: seconds on one clock; NaN without an answer.
        boxes_xywh: ``(N, 4)``, NaN where no box came.
        state: of ``TrackedBox``, :data:`NO_STATE` without a box.
        score: NaN without a box.
        stages_ms: by stage, NaN without a timing message.
        counts: the node's counts after the frame, -1 without a timing message.
    """

    index: IntArray
    frame: IntArray
    recorded_ns: IntArray
    stamp_ns: IntArray
    planned_s: FloatArray
    published_s: FloatArray
    answered_s: FloatArray
    boxes_xywh: FloatArray
    state: IntArray
    score: FloatArray
    stages_ms: dict[str, FloatArray]
    counts: dict[str, IntArray]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def is_answered(self) -> npt.NDArray[np.bool_]:
        """Whether the node's boxes for a frame arrived, ``(N,)``."""
        return np.isfinite(self.answered_s)

    @property
    def latency_ms(self) -> FloatArray:
        """From publication to boxes, NaN without an answer."""
        return 1e3 * (self.answered_s - self.published_s)


def read_rows(path: Path) -> Rows:
    """Read what :class:`RowWriter` wrote; a last line that is cut short is left out."""
    with path.open(newline="", encoding="utf-8") as stream:
        lines = [line for line in csv.reader(stream) if len(line) >= len(COLUMNS)][1:]
    columns = dict(zip(COLUMNS, zip(*lines, strict=True), strict=False)) if lines else {}

    def whole(name: str) -> IntArray:
        values: Iterable[Any] = columns.get(name, ())
        return np.array([int(v) if v else NO_STATE for v in values], dtype=np.int64)

    def real(name: str) -> FloatArray:
        values: Iterable[Any] = columns.get(name, ())
        return np.array([float(v) if v else np.nan for v in values], dtype=np.float64)

    return Rows(
        index=whole("index"),
        frame=whole("frame"),
        recorded_ns=whole("recorded_stamp_ns"),
        stamp_ns=whole("replay_stamp_ns"),
        planned_s=real("planned_s"),
        published_s=real("published_s"),
        answered_s=real("answered_s"),
        boxes_xywh=np.stack([real(name) for name in _BOX], axis=1),
        state=whole("state"),
        score=real("score"),
        stages_ms={stage: real(f"{stage}_ms") for stage in STAGES},
        counts={name: whole(name) for name in COUNTS},
    )
