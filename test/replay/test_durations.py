"""Percentiles, jitter and rates against values computed by hand."""

import math

import numpy as np
import pytest

from litetrack_ros.replay.durations import jitter, rate_hz, summarise_durations


def test_percentiles_of_a_hundred_and_one_values() -> None:
    values = np.random.default_rng(0).permutation(np.arange(101.0))
    summary = summarise_durations(np.append(values, np.nan))
    assert summary == pytest.approx((50, 90, 95, 99, 100, 50))


def test_percentiles_between_values_are_interpolated() -> None:
    summary = summarise_durations(np.array([10.0, 20.0]))
    assert summary == pytest.approx((15, 19, 19.5, 19.9, 20, 15))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([5, 5, 5], 0.0), ([1, 4, 2], 2.5), ([1, np.nan, 4, 2], 2.5), ([3], math.nan), ([], math.nan)],
)
def test_jitter_is_the_mean_step(values: list[float], expected: float) -> None:
    assert jitter(np.array(values, np.float64)) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("moments", "expected"),
    [([0, 1, 2, 3], 1.0), ([0, 0.1, np.nan, 0.3], 2 / 0.3), ([1], math.nan), ([1, 1], math.nan)],
)
def test_rate(moments: list[float], expected: float) -> None:
    assert rate_hz(np.array(moments, np.float64)) == pytest.approx(expected, nan_ok=True)


def test_nothing_has_no_summary() -> None:
    assert all(math.isnan(v) for v in summarise_durations(np.array([np.nan])))
