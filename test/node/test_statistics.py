"""Sliding windows and throttled notices, with a clock that the test moves."""

from __future__ import annotations

import math

import pytest

from litetrack_ros.node.diagnostics import ACTIVE_S, LOG_PERIOD_S, NoticeBoard, SlidingWindow


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_percentiles_of_the_last_seconds_only() -> None:
    clock = Clock()
    window = SlidingWindow(10.0, clock)
    window.add(1000.0)
    clock.now_s += 11
    for value in range(101):
        window.add(float(value))
    assert window.percentiles() == (50.0, 95.0, 99.0, 101)
    clock.now_s += 11
    assert window.percentiles().samples == 0
    assert math.isnan(window.percentiles().p50)


def test_the_rate_of_a_steady_stream() -> None:
    clock = Clock()
    window = SlidingWindow(10.0, clock)
    for _ in range(600):
        clock.now_s += 1 / 30
        window.add()
    assert window.rate_hz() == pytest.approx(30, rel=0.01)


def test_the_rate_falls_when_the_stream_stops() -> None:
    clock = Clock()
    window = SlidingWindow(10.0, clock)
    assert window.rate_hz() == 0
    for _ in range(31):
        window.add()
        clock.now_s += 0.1
    running = window.rate_hz()
    clock.now_s += 3
    assert window.rate_hz() < 0.6 * running
    clock.now_s += 10
    assert window.rate_hz() == 0


def test_a_window_is_bounded() -> None:
    window = SlidingWindow(1e9)
    for _ in range(10000):
        window.add()
    assert len(window.values()) == 4096


def test_a_repeated_fault_is_logged_now_and_then_with_its_number() -> None:
    clock, log = Clock(), []
    board = NoticeBoard(log.append, clock)
    for index in range(1000):
        board.post("rejected", f"image {index} rejected")
        clock.now_s += 0.01
    board.post("other", "something else")
    assert len(log) == 1 + math.floor(10 / LOG_PERIOD_S - 1e-9) + 1
    assert log[0] == "image 0 rejected"
    assert log[1] == "image 500 rejected (499 more like it before)"
    assert board.active("rejected")["rejected"].count == 1000
    assert board.active("never") == {}


def test_faults_stay_active_for_a_while() -> None:
    clock = Clock()
    board = NoticeBoard(lambda _: None, clock)
    board.post("a", "first")
    clock.now_s += 1
    board.post("a", "second")
    board.post("b", "third")
    assert {kind: n.message for kind, n in board.active().items()} == {"a": "second", "b": "third"}
    assert list(board.active("b", "c")) == ["b"]
    clock.now_s += ACTIVE_S + 1
    assert board.active() == {}
    board.clear()
    board.post("a", "fourth")
    assert board.active("a")["a"].count == 1
