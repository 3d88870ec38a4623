"""What is followed and what follows it: a target's path, the law, and the unit that turns.

Angles are those of bearings: azimuth and pan positive to the left, elevation and tilt positive up,
rad. No ROS in here but the messages that the law reads.
"""

import functools
import math
import threading
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.geometry import FloatArray

SILENCE_S = 0.3  # without a bearing, or since the target was last seen: then it stands still
SETTLE_S = 1.0  # at the beginning, not scored
PATHS = ("step", "ramp", "sine", "random")
TUNING_PATH = "tuning"  # like the random one, of other numbers
GONE_PATH = "gone"  # the target is not there any more after GONE_S
GONE_S = 2.0
GAINS = (4.5, 6.5, 9.5, 14.0, 20.0)  # 1/s, of the angle
RATE_SHARES = (0.0, 0.5, 1.0)

_SEEDS = {"random": 1, TUNING_PATH: 2}
_RAMP_RATE = 0.4  # rad/s
_LAG_S = 0.05  # of the unit behind its command
_FASTEST = math.radians(150.0)  # rad/s


class Controller(NamedTuple):
    """A law: so many times the angle, and so much of its rate."""

    gain: float
    rate_share: float


class Follower:
    """Makes rates of bearings; it stands still when it does not know. Thread-safe.

    Args:
        controller: the law.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._rates = (0.0, 0.0)
        self._heard_s = -math.inf
        self._lock = threading.Lock()

    def take(self, message: Any, now_s: float) -> None:
        """Take a ``TargetBearingArray`` that arrived at a moment of a steady clock."""
        gain, share = self._controller
        rates = (0.0, 0.0)
        for bearing in message.bearings[:1]:
            if _seconds(message.time) - _seconds(bearing.last_seen) < SILENCE_S:
                rates = (
                    gain * bearing.azimuth + share * bearing.azimuth_rate,
                    gain * bearing.elevation + share * bearing.elevation_rate,
                )
        if not all(map(math.isfinite, rates)):
            rates = (0.0, 0.0)
        with self._lock:
            self._rates, self._heard_s = rates, now_s

    def rates(self, now_s: float) -> tuple[float, float]:
        """The commanded rates of pan and tilt at a moment, rad/s."""
        with self._lock:
            return self._rates if now_s - self._heard_s < SILENCE_S else (0.0, 0.0)


class Unit:
    """A pan-tilt unit that follows its command with a lag.

    Attributes:
        angles: of pan and tilt, rad, ``(2,)``.
        rates: rad/s, ``(2,)``.
    """

    def __init__(self) -> None:
        self.angles = np.zeros(2)
        self.rates = np.zeros(2)

    def step(self, command: tuple[float, float], dt_s: float) -> None:
        """Let it turn for a moment."""
        wanted = np.clip(command, -_FASTEST, _FASTEST)
        self.rates += (wanted - self.rates) * (1 - math.exp(-dt_s / _LAG_S))
        self.angles += self.rates * dt_s


def target_at(path: str, time_s: float) -> tuple[float, float]:
    """Azimuth and elevation of the target on a path at a moment.

    On a ``ramp`` it stands, goes on at a rate, stands, and comes back.
    """
    if path == "ramp":
        gone_s = min(max(time_s - 1.5, 0.0), 2.0) - min(max(time_s - 4.5, 0.0), 2.0)
        return _RAMP_RATE * gone_s, 0.0
    if path == "step":
        return (0.0 if time_s < 2.0 else 0.22 if time_s < 5.0 else -0.12), 0.0
    if path == "sine":
        turn = 2 * math.pi * time_s
        return 0.35 * math.sin(0.3 * turn), 0.12 * math.sin(0.45 * turn)
    if path == GONE_PATH:
        return (0.15 * time_s if time_s < GONE_S else math.pi), 0.0
    azimuth, elevation = (
        sum(math.sin(2 * math.pi * f * time_s + p) - math.sin(p) for f, p in waves)
        for waves in _waves(_SEEDS[path])
    )
    return 0.12 * azimuth, 0.05 * elevation


@functools.cache
def _waves(seed: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Frequencies, Hz, and phases of both axes."""
    rng = np.random.default_rng(seed)
    across, down = (
        [(float(rng.uniform(0.1, 0.6)), float(rng.uniform(0.0, 2 * math.pi))) for _ in range(5)]
        for _ in range(2)
    )
    return across, down


def rms(history: FloatArray) -> float:
    """Root mean square of the errors after the start.

    Args:
        history: times, s, and errors, rad, in the first two columns.
    """
    scored = history[history[:, 0] >= SETTLE_S, 1]
    return float(np.sqrt((scored**2).mean())) if len(scored) else math.nan


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + 1e-9 * float(stamp.nanosec)
