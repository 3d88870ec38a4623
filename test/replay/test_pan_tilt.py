"""The made pan-tilt camera's world: the scene, its signs, the unit and the law."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from litetrack_ros.control.camera_model import Calibration, CameraModel
from litetrack_ros.replay.pan_tilt import (
    GONE_PATH,
    PATHS,
    TUNING_PATH,
    Controller,
    Follower,
    Unit,
    rms,
    target_at,
)
from litetrack_ros.replay.turning_scene import Sight, TurningScene


def test_a_camera_that_points_at_the_target_has_it_in_the_middle() -> None:
    k = (250.0, 0.0, 159.5, 0.0, 250.0, 119.5, 0.0, 0.0, 1.0)
    scene = TurningScene(CameraModel(Calibration((320, 240), "plumb_bob", (), k, (0.0,) * 12)))
    for pan, tilt in ((0.0, 0.0), (0.7, 0.0), (0.0, -0.5), (-1.2, 0.4)):
        x, y, width, height = scene.box_xywh(Sight(pan, tilt, 0.1, pan, tilt))
        assert (x + width / 2, y + height / 2) == pytest.approx((160, 120), abs=1e-6)
        assert (width, height) == pytest.approx((500 * math.tan(0.1),) * 2, rel=1e-3)
    # The camera turned left sees it to the right; tilted up, below.
    x, y, width, height = scene.box_xywh(Sight(0.0, 0.0, 0.05, 0.2, 0.0))
    assert x + width / 2 > 200
    x, y, width, height = scene.box_xywh(Sight(0.0, 0.0, 0.05, 0.0, 0.2))
    assert y + height / 2 > 160
    # What is drawn lies where the box is.
    sight = Sight(0.1, -0.1, 0.1)
    bare = scene.frame(Sight(3.0, 0.0, 0.1)).astype(int)
    changed = np.argwhere(np.abs(scene.frame(sight) - bare).max(axis=2) > 20)
    x, y, width, height = scene.box_xywh(sight)
    assert changed.min(axis=0)[::-1] == pytest.approx((x, y), abs=2)
    assert changed.max(axis=0)[::-1] == pytest.approx((x + width, y + height), abs=2)


def message(azimuth: float = 0.2, rate: float = 0.5, unseen_s: float = 0.0) -> Any:
    """A ``TargetBearingArray`` with one bearing, by its fields."""
    seen_ns = 10**18 - round(1e9 * unseen_s)
    bearing = SimpleNamespace(
        azimuth=azimuth,
        elevation=-0.1,
        azimuth_rate=rate,
        elevation_rate=0.0,
        last_seen=SimpleNamespace(sec=seen_ns // 10**9, nanosec=seen_ns % 10**9),
    )
    return SimpleNamespace(time=SimpleNamespace(sec=10**9, nanosec=0), bearings=[bearing])


NO_TARGET = SimpleNamespace(time=SimpleNamespace(sec=10**9, nanosec=0), bearings=[])


@pytest.mark.parametrize(
    ("heard", "later_s", "moves"),
    [
        (message(), 0.05, True),
        (message(), 0.29, True),
        (message(), 0.31, False),
        (message(unseen_s=0.25), 0.0, True),
        (message(unseen_s=0.35), 0.0, False),
        (NO_TARGET, 0.0, False),
        (message(azimuth=math.nan), 0.0, False),
        (message(azimuth=math.inf), 0.0, False),
        (message(rate=-math.inf), 0.0, False),
    ],
    ids=["seen", "held", "silence", "unseen", "lost", "none", "nan", "infinite", "rate"],
)
def test_the_law_stands_still_when_it_does_not_know(
    heard: Any, later_s: float, moves: bool
) -> None:
    follower = Follower(Controller(3.0, 0.5))
    assert follower.rates(0.0) == (0.0, 0.0)
    follower.take(message(0.4), 99.9)
    follower.take(heard, 100.0)
    expected = (3.0 * 0.2 + 0.5 * 0.5, -0.3) if moves else (0.0, 0.0)
    assert follower.rates(100.0 + later_s) == pytest.approx(expected)


def test_the_unit_lags_and_has_a_fastest_rate() -> None:
    unit = Unit()
    for _ in range(100):
        unit.step((1.0, -9.0), 0.01)
    assert unit.rates == pytest.approx((1.0, -math.radians(150)), rel=1e-3)
    # A lag of 50 ms costs 50 ms of the way.
    assert unit.angles[0] == pytest.approx(1.0 - 0.05, abs=0.01)


@pytest.mark.parametrize("path", [*(p for p in PATHS if p != "step"), TUNING_PATH])
def test_paths_begin_before_the_camera_and_do_not_jump(path: str) -> None:
    places = np.array([target_at(path, t) for t in np.arange(0, 8, 0.01)])
    assert places[0] == pytest.approx((0, 0))
    assert 0.1 < np.abs(places).max() < 1.0
    assert np.abs(np.diff(places, axis=0)).max() < 0.02


def test_what_jumps_or_goes_does() -> None:
    assert target_at("step", 2.01)[0] - target_at("step", 1.99)[0] > 0.2
    assert target_at(GONE_PATH, 2.01)[0] > 3.0
    assert target_at("random", 5.0) != target_at(TUNING_PATH, 5.0)


def test_the_start_is_not_scored() -> None:
    history = np.array([(0.0, 9.0, 0.0), (1.0, 3.0, 0.0), (2.0, 4.0, 0.0)])
    assert rms(history) == pytest.approx(math.sqrt(12.5))
    assert math.isnan(rms(history[:1]))
