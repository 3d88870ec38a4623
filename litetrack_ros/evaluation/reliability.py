"""Whether a score says how often it is right: ROC area and calibration over weighted sequences."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import FloatArray

BINS = 10


class Reliability(NamedTuple):
    """Scores against shares of right boxes, in bins of equal mass with ties kept together.

    Attributes:
        mean_score, share_right, mass: of each bin that is not empty, ``(B,)``; the masses add up
            to 1.
        brier: mean squared distance of the score from what came true.
        brier_constant: that of the share of right boxes as the score of all.
    """

    mean_score: FloatArray
    share_right: FloatArray
    mass: FloatArray
    brier: float
    brier_constant: float

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of a bin from the diagonal."""
        return float(np.abs(self.mean_score - self.share_right) @ self.mass)


class ScoredFrames:
    """Scores of frames of several sequences, and whether each frame's box is right.

    Args:
        scores: ``(F,)``; frames with NaN are left out.
        right: ``(F,)``.
        owner: the sequence of each frame, ``(F,)``.
    """

    def __init__(
        self, scores: FloatArray, right: npt.NDArray[np.bool_], owner: npt.NDArray[np.int64]
    ) -> None:
        known = np.isfinite(scores)
        self._values, self._rank = np.unique(scores[known], return_inverse=True)
        self._right, self._owner = right[known], owner[known]
        self.size = int(known.sum())

    def _masses(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weight of all frames, and of the right ones, by distinct score."""
        ranks = self._rank[self._right]
        return (
            _sums(self._rank, weights, len(self._values)),
            _sums(ranks, weights[self._right], len(self._values)),
        )

    def roc_area(self, weights: FloatArray) -> float:
        """:func:`litetrack_ros.evaluation.metrics.roc_area`, sequences weighted ``(S,)``."""
        mass, right = self._masses(weights[self._owner])
        wrong = mass - right
        below = np.cumsum(wrong) - 0.5 * wrong
        return ratio(float(right @ below), float(right.sum() * wrong.sum()))

    def reliability(self, weights: FloatArray) -> Reliability | None:
        """Bins over frames whose weights add up to the sequence's, ``(S,)``; None for no frame."""
        frames = np.bincount(self._owner, minlength=len(weights))
        mass, right = self._masses((weights / np.maximum(frames, 1))[self._owner])
        if not mass.sum():
            return None
        mass, right = mass / mass.sum(), right / mass.sum()
        base = min(float(right.sum()), 1.0)  # not above by rounding
        squares = mass * self._values**2 - 2 * right * self._values + right
        # A score goes where the middle of its mass lies; rounding keeps sums on their side.
        middle = np.cumsum(mass) - 0.5 * mass
        bins = np.round(BINS * middle, 9).astype(int).clip(0, BINS - 1)
        of_bin, right, score = (
            _sums(bins, values, BINS) for values in (mass, right, mass * self._values)
        )
        used = of_bin > 0
        of_bin = of_bin[used]
        return Reliability(
            score[used] / of_bin,
            right[used] / of_bin,
            of_bin,
            float(squares.sum()),
            base * (1.0 - base),
        )


def ratio(above: float, below: float) -> float:
    """A quotient; NaN where nothing is below the line."""
    return above / below if below > 0 else math.nan


def _sums(group: npt.NDArray[np.int64], values: FloatArray, groups: int) -> FloatArray:
    return np.bincount(group, values, groups).astype(np.float64)
