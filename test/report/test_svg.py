"""Ticks that people like to read."""

from __future__ import annotations

import pytest

from litetrack_ros.report.svg import round_ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 20.46, [0, 5, 10, 15, 20]),
        (0.0, 9.978, [0, 2, 4, 6, 8]),
        (10.27, 19.49, [12, 14, 16, 18]),
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 600.0, [0, 200, 400, 600]),
        (-3.0, 3.0, [-2, 0, 2]),
        (0.0, 0.0105, [0, 0.002, 0.004, 0.006, 0.008, 0.01]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(expected)
