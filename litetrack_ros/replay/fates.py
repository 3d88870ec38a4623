"""What became of every published image: what came back for it, its row in a table, its fate.

The node counts images by fate, and sends the counts with every answer. Where no image is waiting
or in work, every image published so far has its final fate: between two such moments the counts
tell how many images never reached the node, how many a newer one replaced there, and so on. Which
image had which fate is certain where all unanswered ones between two moments had the same.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import FloatArray

IntArray = npt.NDArray[np.int64]

STAGES = ("queue_wait", "conversion", "crop", "model", "decode", "publish", "total", "age")
COUNTS = ("received", "processed", "replaced", "caught_up", "rejected", "ignored")

_WHOLE = ("index", "frame", "recorded_stamp_ns", "replay_stamp_ns")
_TIMES = ("planned_s", "published_s", "answered_s")
_BOX = ("x", "y", "width", "height")
_STAGES = tuple(f"{stage}_ms" for stage in STAGES)
_SCORES = ("score", "candidate_score", "is_calibrated")
COLUMNS = (*_WHOLE, *_TIMES, *_BOX, "state", *_SCORES, *_STAGES, *COUNTS)
NO_STATE = -1

ANSWERED = "answered"
LOST_IN_TRANSPORT = "lost_in_transport"
NEVER_ANSWERED = "never_answered"
IN_NODE = ("replaced", "caught_up", "rejected", "ignored")
KINDS = (LOST_IN_TRANSPORT, *IN_NODE, NEVER_ANSWERED)
MISSED = "missed"  # one of several kinds: the counts do not tell which
_SETTLED = ("processed", *IN_NODE)


class Box(NamedTuple):
    """The target in an answer. Pixels, top-left origin; the rest is that of ``TrackedBox``."""

    x: float
    y: float
    width: float
    height: float
    state: int
    score: float
    candidate_score: float
    is_calibrated: bool


@dataclass
class ReplayedFrame:
    """A published image and what came back. Times are ``time.perf_counter`` seconds.

    Attributes:
        index, frame, recorded_ns: as of :class:`~litetrack_ros.replay.playlist.PlayedMessage`.
        stamp_ns: unique stamp it was played with.
        planned_s: when it was to be published.
        published_s: when publishing began.
        answered_s: when the boxes arrived; None until then.
        box: the target in the answer; None without an answer or without a target.
        stages_ms: durations in the node by stage, from its timing message.
        counts: the node's counts of images after this one, from its timing message.
    """

    index: int
    frame: int
    recorded_ns: int
    stamp_ns: int
    planned_s: float
    published_s: float
    answered_s: float | None = None
    box: Box | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is expected for it."""
        return self.answered_s is not None and bool(self.stages_ms)


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
                *(("",) * len(Box._fields) if box is None else (*box[:-1], int(box.is_calibrated))),
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
        score, candidate_score: NaN without a box.
        is_calibrated: 0 or 1, :data:`NO_STATE` without a box.
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
    candidate_score: FloatArray
    is_calibrated: IntArray
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
        candidate_score=real("candidate_score"),
        is_calibrated=whole("is_calibrated"),
        stages_ms={stage: real(f"{stage}_ms") for stage in STAGES},
        counts={name: whole(name) for name in COUNTS},
    )


@dataclass(frozen=True)
class Fates:
    """Fates of N images.

    Attributes:
        totals: number of images of each of :data:`KINDS`, and of :data:`ANSWERED`.
        by_frame: :data:`ANSWERED`, one of :data:`KINDS`, or :data:`MISSED`.
    """

    totals: dict[str, int]
    by_frame: list[str]


def attribute_fates(rows: Rows, final_counts: Mapping[str, int]) -> Fates:
    """Tell the fates apart.

    Args:
        rows: the published frames.
        final_counts: the node's counts when nothing was in work any more; empty where it died.
    """
    answered = rows.is_answered
    by_frame = np.where(answered, ANSWERED, NEVER_ANSWERED).astype(object)
    totals = dict.fromkeys(KINDS, 0)
    begin, before = 0, dict.fromkeys(COUNTS, 0)
    for end, counts in _moments(rows, final_counts):
        unanswered = np.flatnonzero(~answered[begin:end]) + begin
        found = _kinds(end - begin, len(unanswered), before, counts)
        for kind, number in found.items():
            totals[kind] += number
            if number and number == len(unanswered):
                by_frame[unanswered] = kind
                break
        else:
            by_frame[unanswered] = MISSED
        begin, before = end, dict(counts)
    totals[NEVER_ANSWERED] += int((~answered[begin:]).sum())
    return Fates({ANSWERED: int(answered.sum()), **totals}, list(by_frame))


def _moments(rows: Rows, final_counts: Mapping[str, int]) -> list[tuple[int, Mapping[str, int]]]:
    """Moments without an image in work: number of frames published before, and the counts."""
    settled = np.sum([rows.counts[name] for name in _SETTLED], axis=0)
    quiet: npt.NDArray[np.bool_] = (rows.counts["received"] >= 0) & (
        rows.counts["received"] == settled
    )
    moments: list[tuple[int, Mapping[str, int]]] = [
        (int(at) + 1, {name: int(rows.counts[name][at]) for name in COUNTS})
        for at in np.flatnonzero(quiet)
    ]
    if final_counts:
        moments = [moment for moment in moments if moment[0] < len(rows)]
        moments.append((len(rows), final_counts))
    return moments


def _kinds(
    published: int, unanswered: int, before: Mapping[str, int], after: Mapping[str, int]
) -> dict[str, int]:
    """Number of each kind between two moments."""
    growth = {name: after[name] - before[name] for name in COUNTS}
    lost = published - growth["received"]
    in_node = {name: growth[name] for name in IN_NODE}
    return {
        LOST_IN_TRANSPORT: lost,
        **in_node,
        NEVER_ANSWERED: unanswered - lost - sum(in_node.values()),
    }
