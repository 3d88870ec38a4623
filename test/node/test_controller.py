"""The controller that doc/control.md shows: it moves, and it stands still when it must."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros

PERIOD_S = 0.03
STILL_WITHIN_S = 0.4


@pytest.fixture
def controller(root: Path, tmp_path: Path) -> Iterator[None]:
    text = (root / "doc" / "control.md").read_text(encoding="utf-8")
    program = tmp_path / "controller.py"
    program.write_text(text.split("```python\n")[1].split("```")[0])
    process = subprocess.Popen([sys.executable, str(program)], cwd=root)
    yield
    process.kill()
    process.wait()


class Tracker:
    """Stands for the node: publishes bearings, and hears what is commanded."""

    def __init__(self, client: Any) -> None:
        from geometry_msgs.msg import Vector3

        from litetrack_ros.msg import TargetBearingArray

        self.client = client
        topic = "litetrack/bearings"
        self.bearings = client.node.create_publisher(TargetBearingArray, topic, 10)
        self.rates: list[tuple[float, Any]] = []
        client.node.create_subscription(
            Vector3, "pan_tilt_rate", lambda m: self.rates.append((time.monotonic(), m)), 10
        )

    def send(self, azimuth: float, elevation: float = 0.0, unseen_s: float = 0.0) -> None:
        """A bearing of a target that was last seen so long ago."""
        from litetrack_ros.msg import TargetBearing, TargetBearingArray
        from litetrack_ros.node.messages import ns_to_stamp

        now_ns = time.time_ns()
        bearing = TargetBearing(azimuth=azimuth, elevation=elevation)
        bearing.last_seen = ns_to_stamp(now_ns - round(1e9 * unseen_s))
        message = TargetBearingArray(time=ns_to_stamp(now_ns), is_predicted=True)
        message.bearings.append(bearing)
        self.bearings.publish(message)
        self.client.spin_for(PERIOD_S)

    def follow(self) -> None:
        """Let the controller move."""
        end = time.monotonic() + 60.0
        while not (self.rates and self.rates[-1][1].z):
            assert time.monotonic() < end, "the controller does not move"
            self.send(0.2, 0.1)

    def still_after(self, begin_s: float) -> float:
        """How long after a moment the last rate that was not 0 was commanded."""
        moving = [at for at, rate in self.rates if rate.z or rate.y]
        return max(moving) - begin_s


def test_it_turns_towards_the_target(controller: None, client: Any) -> None:
    tracker = Tracker(client)
    tracker.follow()
    rate = tracker.rates[-1][1]
    assert rate.z == pytest.approx(0.6)  # to the left, about z which points up
    assert rate.y == pytest.approx(-0.3)  # up: about y, which points left, that is negative


@pytest.mark.parametrize("why", ["silence", "lost", "not finite", "no target"])
def test_it_stands_still(controller: None, client: Any, why: str) -> None:
    from litetrack_ros.msg import TargetBearingArray

    tracker = Tracker(client)
    tracker.follow()
    begin_s = time.monotonic()
    while time.monotonic() < begin_s + 1.0:
        if why == "silence":
            client.spin_for(PERIOD_S)
        elif why == "lost":  # predicted on, but last seen ever longer ago
            tracker.send(0.2, unseen_s=time.monotonic() - begin_s)
        elif why == "not finite":
            tracker.send(math.nan)
        else:
            tracker.bearings.publish(TargetBearingArray())
            client.spin_for(PERIOD_S)
    assert tracker.still_after(begin_s) < STILL_WITHIN_S
    assert tracker.rates[-1][0] > begin_s + 0.8  # it goes on saying so
