"""Catching up: all frames where there is time, evenly fewer where there is not, always in time."""

from __future__ import annotations

import pytest

from litetrack_ros.node.frames import ReceivedFrame
from litetrack_ros.node.init_boxes import catch_up


class Camera:
    """Frames that arrive with time, which passes when a step is taken."""

    def __init__(self, backlog: int, period_ms: float, step_ms: float) -> None:
        self.now_ms = 0.0
        self.step_ms = step_ms
        self._period_ms = period_ms
        self._backlog = backlog
        self.used: list[int] = []

    def frame(self, index: int) -> ReceivedFrame:
        return ReceivedFrame(index, None, 1, float(index))

    @property
    def newest(self) -> int:
        return self._backlog + int(self.now_ms / self._period_ms)

    def passed_since(self, frame: ReceivedFrame) -> list[ReceivedFrame]:
        return [self.frame(index) for index in range(frame.stamp_ns + 1, self.newest + 1)]

    def step(self, frame: ReceivedFrame) -> bool:
        self.used.append(frame.stamp_ns)
        self.now_ms += self.step_ms
        return True

    def run(self, max_ms: float, expected_step_ms: float) -> int:
        return catch_up(
            self.frame(0),
            self.passed_since,
            self.step,
            max_ms,
            expected_step_ms,
            clock=lambda: self.now_ms / 1e3,
        )


def test_with_time_enough_every_frame_is_used() -> None:
    camera = Camera(backlog=10, period_ms=33, step_ms=5)
    assert camera.run(max_ms=1000, expected_step_ms=5) == len(camera.used)
    assert camera.used == list(range(1, camera.newest + 1))


@pytest.mark.parametrize("expected_step_ms", [1, 20, 60])
@pytest.mark.parametrize("backlog", [5, 30, 90])
def test_with_little_time_frames_are_left_out_evenly(backlog: int, expected_step_ms: float) -> None:
    camera = Camera(backlog, period_ms=33, step_ms=20)
    camera.run(max_ms=200, expected_step_ms=expected_step_ms)
    assert camera.now_ms <= 200
    gaps = [b - a for a, b in zip([0, *camera.used], camera.used, strict=False)]
    assert camera.newest - camera.used[-1] <= max(gaps)
    if expected_step_ms == camera.step_ms:
        assert max(gaps) <= min(gaps) + 2


def test_a_step_too_slow_for_the_time_is_not_begun() -> None:
    camera = Camera(backlog=10, period_ms=33, step_ms=300)
    assert camera.run(max_ms=200, expected_step_ms=300) == 0
    assert camera.run(max_ms=0, expected_step_ms=0) == 0


def test_nothing_to_catch_up() -> None:
    camera = Camera(backlog=0, period_ms=1e9, step_ms=1)
    assert camera.run(max_ms=200, expected_step_ms=1) == 0


def test_a_step_can_end_it() -> None:
    camera = Camera(backlog=10, period_ms=1e9, step_ms=1)
    steps = catch_up(
        camera.frame(0), camera.passed_since, lambda _: False, 200, 1, lambda: camera.now_ms / 1e3
    )
    assert steps == 1
