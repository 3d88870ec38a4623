"""How sure a figure is, or a difference between two trackers: a bootstrap over sequences."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray


class PairedDifference(NamedTuple):
    """Mean difference of two trackers and its interval.

    Attributes:
        mean: of the first less the second.
        low, high: of the 95 % interval.
        share_above: part of the resamples in which the first is better, ties counting half.
    """

    mean: float
    low: float
    high: float
    share_above: float


def paired_bootstrap(
    first: npt.ArrayLike, second: npt.ArrayLike, resamples: int = 10_000, seed: int = 0
) -> PairedDifference:
    """Resample sequences, both trackers together.

    Args:
        first, second: a figure a sequence each, in the same order, ``(S,)``; sequences without a
            figure of both are left out.
        resamples: how often.
        seed: of the resampling.

    Raises:
        ValueError: the two differ in length.
        DatasetError: no sequence has a figure of both.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.size} figures cannot be paired with {b.size}")
    difference = a - b
    difference = difference[np.isfinite(difference)]
    if not difference.size:
        raise DatasetError("no sequence has a figure of both trackers that could be paired")
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for k in range(resamples):
        means[k] = difference[rng.integers(0, difference.size, difference.size)].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    above = (means > 0).mean() + 0.5 * (means == 0).mean()
    return PairedDifference(float(difference.mean()), float(low), float(high), float(above))


def resampled_counts(sequences: int, resamples: int, seed: int = 0) -> FloatArray:
    """How often each sequence is drawn in each resample, ``(resamples, sequences)``."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(sequences, np.full(sequences, 1.0 / sequences), resamples)
    return drawn.astype(np.float64)


def interval(values: Sequence[float], sequences: int) -> tuple[float, float]:
    """The 95 % interval of a figure of all resamples; NaN where one sequence is all there is.

    Resamples in which the figure is not defined are left out.
    """
    known = np.array([value for value in values if not math.isnan(value)])
    if sequences < 2 or not known.size:
        return math.nan, math.nan
    low, high = np.quantile(known, [0.025, 0.975], method="nearest")
    return float(low), float(high)
