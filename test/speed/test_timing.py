"""Measures take turns, and ratios are of the same round."""

from __future__ import annotations

import time

import pytest

from litetrack_ros.speed.timing import interleave, median_ratio


def test_measures_take_turns_each_after_a_call_that_does_not_count():
    calls: list[str] = []
    rounds: list[int] = []
    measures = {name: lambda name=name: calls.append(name) for name in ("a", "b")}
    times = interleave(measures, 3, lambda: rounds.append(len(calls)))
    assert "".join(calls) == "aabb" * 3
    assert rounds == [4, 8, 12]
    assert all(len(t.wall) == len(t.cpu) == 3 for t in times.values())


def test_waiting_is_not_working():
    def work() -> None:
        while time.process_time() < end:
            pass

    end = time.process_time() + 0.2
    times = interleave({"sleep": lambda: time.sleep(0.02)}, 2)
    assert min(times["sleep"].wall) >= 20
    assert max(times["sleep"].cpu) < 10
    assert interleave({"work": work}, 1)["work"].cpu[0] >= 0


def test_ratios_are_of_the_same_round():
    assert median_ratio([1.0, 10.0, 3.0], [2.0, 20.0, 3.0]) == pytest.approx(0.5)
