"""Figures over frames and sequences: overlap, and how well a score can be trusted.

AO, SR50 and SR75 bear GOT-10k's names (paper Sec. IV-B): AO is the mean overlap of the scored
frames, SR the share of them whose overlap exceeds a threshold. Which frames are scored, and how
boxes that leave the image count, is a matter of :mod:`litetrack_ros.evaluation.conventions`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import FloatArray

FOUND_PRECISION = 0.9  # of the frames that score at least the found threshold


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


def summarise(overlaps: FloatArray) -> OverlapScores:
    """The measures over frames, ``(F,)``; NaN for no frames."""
    if overlaps.size == 0:
        return OverlapScores(np.nan, np.nan, np.nan)
    return OverlapScores(
        float(overlaps.mean()), float((overlaps > 0.5).mean()), float((overlaps > 0.75).mean())
    )


def roc_area(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> float:
    """Chance that a positive scores above a negative, ties counting half.

    Args:
        positives, negatives: scores, ``(N,)`` and ``(M,)``.

    Returns:
        The area under the ROC curve, [0, 1]; NaN where a class is empty.
    """
    wanted, others = np.asarray(positives), np.sort(np.asarray(negatives))
    if not wanted.size or not others.size:
        return float("nan")
    below = np.searchsorted(others, wanted, "left") + np.searchsorted(others, wanted, "right")
    return float(0.5 * below.sum() / (wanted.size * others.size))


class ScoreReport(NamedTuple):
    """How well a tracker's score tells right frames from the rest.

    Attributes:
        roc_area: pooled over all frames.
        right, wrong: how many frames of each class there were.
        lost_threshold: the score that parts the classes best (largest Youden index).
        found_threshold: the lowest score from which on nine of ten frames are right.
    """

    roc_area: float
    right: int
    wrong: int
    lost_threshold: float
    found_threshold: float


def score_report(scores: FloatArray, right: npt.NDArray[np.bool_]) -> ScoreReport:
    """Area and thresholds of scores; they are 0 where a class is empty.

    Args:
        scores: of frames, ``(F,)``; NaN counts as 0.
        right: whether each frame's box was right, ``(F,)``.
    """
    count, others = int(right.sum()), int((~right).sum())
    if not count or not others:
        return ScoreReport(0.0, count, others, 0.0, 0.0)
    scores = np.nan_to_num(scores, nan=0.0)
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], right[order]
    true_rate, false_rate = np.cumsum(hits) / count, np.cumsum(~hits) / others
    last = np.append(ranked[1:] != ranked[:-1], True)  # ties are taken together
    true_rate, false_rate, ranked = true_rate[last], false_rate[last], ranked[last]
    lost = float(ranked[np.argmax(true_rate - false_rate)])
    precision = true_rate * count / (true_rate * count + false_rate * others)
    precise = ranked[precision >= FOUND_PRECISION]
    found = float(precise[-1]) if precise.size else float(ranked[0])
    area = roc_area(scores[right], scores[~right])
    return ScoreReport(area, count, others, lost, max(lost, found))
