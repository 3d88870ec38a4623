"""Summaries of durations, rates and irregularity."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from litetrack_ros.geometry import FloatArray


class Summary(NamedTuple):
    """Percentiles (linear interpolation), mean and maximum of a sample; NaN for none."""

    p50: float
    p90: float
    p95: float
    p99: float
    maximum: float
    mean: float


def summarise_durations(values: FloatArray) -> Summary:
    """The summary of the values that are not NaN."""
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Summary(*[math.nan] * 6)
    p50, p90, p95, p99 = (float(v) for v in np.percentile(values, [50, 90, 95, 99]))
    return Summary(p50, p90, p95, p99, float(values.max()), float(values.mean()))


def jitter(values: FloatArray) -> float:
    """Mean absolute difference between successive values, NaN left out (as of RFC 3550).

    NaN for fewer than two.
    """
    values = values[np.isfinite(values)]
    return float(np.abs(np.diff(values)).mean()) if values.size > 1 else math.nan


def rate_hz(moments_s: FloatArray) -> float:
    """Events a second, from the first to the last; NaN for fewer than two."""
    moments = moments_s[np.isfinite(moments_s)]
    if moments.size < 2 or moments.max() == moments.min():
        return math.nan
    return float((moments.size - 1) / (moments.max() - moments.min()))
