"""The loop closed over real ROS: the made camera follows, and stands still without a target."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.mark.parametrize("way", ["as they come", "predicted"])
def test_it_follows_and_stands_still_when_the_target_is_gone(way: str) -> None:
    from litetrack_ros.config import ModelChoice
    from litetrack_ros.replay.pan_tilt import GONE_PATH, GONE_S, Controller
    from litetrack_ros.replay.pan_tilt_camera import WAYS, pan_tilt_camera

    latency_s = 0.05
    with pan_tilt_camera(ModelChoice(), WAYS[way], latency_s) as camera:
        history = camera.follow(GONE_PATH, Controller(3.0, 0.5), GONE_S + 0.8)
    times, errors, commands = history.T
    # It moves at 0.15 rad/s: a third of that behind it, or less.
    followed = (times > 1.0) & (times < GONE_S)
    assert errors[followed].max() < 0.07
    assert np.median(commands[followed]) == pytest.approx(0.15, abs=0.05)
    # Some pictures pass until the tracker is sure that it is gone, and 0.4 s at most from there.
    assert (commands[times > GONE_S + latency_s + 0.15 + 0.4] == 0).all()
