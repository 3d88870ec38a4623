"""Accuracy of a replay: of each box for its own frame, and of the newest box at every moment.

The second is streaming accuracy (Li, Wang and Ramanan, "Towards Streaming Perception", ECCV 2020):
at the time of a ground-truth frame only boxes that have arrived count, so that a late box is
compared with where the target is by then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.evaluation.metrics import OverlapScores, summarise
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.replay.rows import IntArray, Rows


@dataclass(frozen=True)
class Accuracy:
    """Overlaps with the ground truth.

    Attributes:
        offline: of the answered frames; a frame in which the node had no target counts as 0.
        offline_frames: how many those are.
        streaming: of all frames; before the first box there is the init box.
        streaming_frames: how many those are.
        overlaps: of each frame's own box, ``(N,)``, NaN where it is not scored.
    """

    offline: OverlapScores
    offline_frames: int
    streaming: OverlapScores
    streaming_frames: int
    overlaps: FloatArray


def score(
    rows: Rows, truth_xywh: FloatArray, init_frame: int, init_box_xywh: FloatArray
) -> Accuracy:
    """Compare boxes with the ground truth.

    The init frame, frames before it, and frames without ground truth are not scored.

    Args:
        rows: the replay.
        truth_xywh: ground truth of every row, ``(N, 4)``, NaN where there is none.
        init_frame: position of the init box's frame in a pass.
        init_box_xywh: ``(4,)``.
    """
    scored = np.isfinite(truth_xywh).all(axis=1) & (rows.frame > init_frame)
    own = np.nan_to_num(overlap(rows.boxes_xywh, truth_xywh), nan=0.0)
    answered = scored & rows.is_answered
    newest = newest_boxes(
        rows.published_s, *_answers(rows, rows.frame == init_frame, init_box_xywh)
    )
    streaming = np.nan_to_num(overlap(newest, truth_xywh), nan=0.0)
    return Accuracy(
        offline=summarise(own[answered]),
        offline_frames=int(answered.sum()),
        streaming=summarise(streaming[scored]),
        streaming_frames=int(scored.sum()),
        overlaps=np.where(answered, own, np.nan),
    )


def newest_boxes(
    moments_s: FloatArray, arrived_s: FloatArray, index: IntArray, boxes_xywh: FloatArray
) -> FloatArray:
    """The box of the newest frame among those that have arrived, at every moment.

    Args:
        moments_s: ``(N,)``.
        arrived_s: arrival of every box, ``(M,)``; one that arrives at a moment counts there.
        index: of the frame each box belongs to, ``(M,)``; the larger the newer.
        boxes_xywh: ``(M, 4)``; NaN says that there is no target.

    Returns:
        ``(N, 4)``, NaN before the first arrival.
    """
    order = np.lexsort((index, arrived_s))
    newest_so_far = np.maximum.accumulate(index[order])
    row_of = {int(number): row for row, number in enumerate(index)}
    upto = np.searchsorted(arrived_s[order], moments_s, side="right") - 1
    result = np.full((len(moments_s), 4), np.nan)
    for at, last in enumerate(upto):
        if last >= 0:
            result[at] = boxes_xywh[row_of[int(newest_so_far[last])]]
    return result


def _answers(
    rows: Rows, is_init: npt.NDArray[np.bool_], init_box_xywh: FloatArray
) -> tuple[FloatArray, IntArray, FloatArray]:
    """All boxes with their arrival; an init box is known from its frame's publication on."""
    arrived_s = np.where(is_init, rows.published_s, rows.answered_s)
    boxes = np.where(is_init[:, None], init_box_xywh, rows.boxes_xywh)
    known = np.isfinite(arrived_s)
    return arrived_s[known], rows.index[known], boxes[known]
