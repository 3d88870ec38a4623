"""Overlap measures of the one-pass protocol: AO, SR50, SR75.

The names and definitions are GOT-10k's (paper Sec. IV-B): AO is the mean overlap of the scored
frames, SR the share of them whose overlap exceeds a threshold. The first frame, which was given,
and frames where the target is absent are not scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import FloatArray, overlap


@dataclass(frozen=True)
class OverlapScores:
    """Overlap measures of one sequence, or of several together.

    Attributes:
        ao: average overlap, [0, 1].
        sr50: share of frames with an overlap above 0.5.
        sr75: share of frames with an overlap above 0.75.
    """

    ao: float
    sr50: float
    sr75: float


def scored_overlaps(boxes_xywh: npt.ArrayLike, ground_truth_xywh: npt.ArrayLike) -> FloatArray:
    """Overlaps of the frames that count.

    Args:
        boxes_xywh: what a tracker said, ``(T, 4)``, the init box first; NaN counts as a miss.
        ground_truth_xywh: ``(T, 4)``, NaN where the target is absent.

    Returns:
        ``(F,)`` overlaps with F <= T - 1.

    Raises:
        ValueError: the two differ in length.
    """
    boxes, truth = np.asarray(boxes_xywh, np.float64), np.asarray(ground_truth_xywh, np.float64)
    if boxes.shape != truth.shape:
        raise ValueError(f"{len(boxes)} boxes cannot be scored against {len(truth)}")
    overlaps = np.nan_to_num(overlap(boxes, truth)[1:], nan=0.0)
    return np.asarray(overlaps[np.isfinite(truth[1:]).all(axis=1)], dtype=np.float64)


def summarise(overlaps: FloatArray) -> OverlapScores:
    """The measures over frames; NaN for no frames."""
    if overlaps.size == 0:
        return OverlapScores(np.nan, np.nan, np.nan)
    return OverlapScores(
        float(overlaps.mean()), float((overlaps > 0.5).mean()), float((overlaps > 0.75).mean())
    )


def mean_over_sequences(scores: Sequence[OverlapScores]) -> OverlapScores:
    """Every sequence counts once, however long; sequences without a scored frame are left out."""
    rows = np.array([(s.ao, s.sr50, s.sr75) for s in scores if np.isfinite(s.ao)])
    if rows.size == 0:
        return OverlapScores(np.nan, np.nan, np.nan)
    return OverlapScores(*(float(v) for v in rows.mean(axis=0)))
