"""How sure a figure is, or a difference between two trackers: a bootstrap over sequences.

The interval of a difference belongs to the figure that a table prints: the whole figure, a mean
over sequences or a mean over all frames, is computed anew in every draw.
"""

import functools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray

DRAWS = 10_000
FEWEST_SEQUENCES = 10  # from fewer an interval says little
_ERROR_RATE = 0.05  # an interval of 95 % misses as often


class PairedDifference(NamedTuple):
    """Difference of two trackers' figures and its interval.

    Attributes:
        mean: the first tracker's figure less the second's, as a table prints them.
        low, high: of the 95 % interval; NaN with a single sequence.
        share_above: part of the draws in which the first is better, ties counting half.
        p: chance of a difference as large where there is none; NaN with a single sequence.
        p_holm: the same after Holm's correction for all comparisons made together.
        sequences: how many sequences stand behind it.
    """

    mean: float
    low: float
    high: float
    share_above: float
    p: float
    p_holm: float
    sequences: int


def paired_bootstrap(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    first_weights: npt.ArrayLike | None = None,
    second_weights: npt.ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> PairedDifference:
    """Draw sequences with replacement, both trackers together, and compute both figures anew.

    The interval is Hesterberg's expanded percentile interval: plain percentiles are too narrow by
    what parts the normal distribution from Student's, which shows below about 100 sequences.

    Args:
        first, second: a figure a sequence each, in the same order, ``(S,)``; sequences without a
            figure of both are left out.
        first_weights, second_weights: of the sequences in each tracker's mean, ``(S,)``, such as
            the number of frames where a table pools them; None counts every sequence once.
        draws: how often.
        seed: of the draws.

    Raises:
        ValueError: the two differ in length.
        DatasetError: no sequence has a figure of both.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.size} figures cannot be paired with {b.size}")
    weights = [
        np.ones(a.size) if given is None else np.asarray(given, np.float64)
        for given in (first_weights, second_weights)
    ]
    used = np.isfinite(a) & np.isfinite(b) & (weights[0] > 0) & (weights[1] > 0)
    count = int(used.sum())
    if not count:
        raise DatasetError("no sequence has a figure of both trackers that could be paired")
    a, b, (of_a, of_b) = a[used], b[used], (w[used] for w in weights)
    difference = float(np.average(a, weights=of_a) - np.average(b, weights=of_b))
    drawn = resampled_counts(count, draws, seed)
    found = drawn @ (a * of_a) / (drawn @ of_a) - drawn @ (b * of_b) / (drawn @ of_b)
    above = float((found > 0).mean() + 0.5 * (found == 0).mean())
    if count < 2:
        nothing = math.nan
        return PairedDifference(difference, nothing, nothing, above, nothing, nothing, count)
    tail = _drawn_tail(_ERROR_RATE, count)
    low, high = np.quantile(found, [tail, 1 - tail])
    p = _p_value(found, count)
    return PairedDifference(difference, float(low), float(high), above, p, p, count)


def holm(differences: Sequence[PairedDifference]) -> list[PairedDifference]:
    """The same differences with ``p_holm`` for all of them together.

    Holm (1979): the smallest of N chances is multiplied with N, the next with N - 1, and so on,
    and none becomes less than one before it. A difference without a chance is not counted.
    """
    known = [k for k, difference in enumerate(differences) if math.isfinite(difference.p)]
    order = sorted(known, key=lambda k: differences[k].p)
    corrected, highest = list(differences), 0.0
    for rank, k in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * differences[k].p))
        corrected[k] = differences[k]._replace(p_holm=highest)
    return corrected


def student_tails(t: float, degrees: int) -> float:
    """Chance that Student's t of so many degrees of freedom is at least ``t`` from 0.

    Exact for whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4).
    """
    angle = math.atan(abs(t) / math.sqrt(degrees))
    cos, odd = math.cos(angle), degrees % 2
    term = cos if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= cos * cos * (k - 1) / k
        total += term
    inside = math.sin(angle) * total
    return max(0.0, 1.0 - (2 / math.pi * (angle + inside) if odd else inside))


@functools.lru_cache(maxsize=2)
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


@functools.cache
def _drawn_tail(rate: float, count: int) -> float:
    """Part of the draws to cut off on each side for an interval that misses at this rate."""
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tails(middle, count - 1) > rate else (low, middle)
    return NormalDist().cdf(-high * math.sqrt(count / (count - 1)))


def _p_value(found: FloatArray, count: int) -> float:
    """Chance of a difference as large, by the draws beyond 0; it fits the interval."""
    beyond = min((found <= 0).sum(), (found >= 0).sum())
    share = min(0.5, (int(beyond) + 1) / (found.size + 1))
    t = -NormalDist().inv_cdf(share) * math.sqrt((count - 1) / count)
    return student_tails(t, count - 1)
