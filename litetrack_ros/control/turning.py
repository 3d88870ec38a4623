"""How a camera turns between two moments, out of angular velocities: gyroscope or odometry."""

import bisect
import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.control.camera_model import CameraModel
from litetrack_ros.errors import ConfigError, shown
from litetrack_ros.geometry import FloatArray
from litetrack_ros.opencv import cv2

_KEPT_S = 3.0
_LONGEST_GAP_S = 0.1  # without a sample; the last one holds for so long
_FASTEST_RAD_S = 35.0  # gyroscopes end at 2000 degrees a second


@dataclass(frozen=True)
class Turn:
    """A camera's turning between two moments.

    Attributes:
        camera: that turns.
        rotation: takes directions seen before to the same directions seen afterwards, ``(3, 3)``.
    """

    camera: CameraModel
    rotation: FloatArray

    def move(self, point: tuple[float, float]) -> tuple[float, float]:
        """How far what was seen at a point of the image moves, px; 0 where that is not known."""
        there = self.camera.points(self.camera.rays([point]) @ self.rotation.T)[0]
        if not np.isfinite(there).all():
            return 0.0, 0.0
        return float(there[0] - point[0]), float(there[1] - point[1])


class AngularVelocities:
    """The last seconds of angular velocity of a camera. Thread-safe.

    Args:
        rotation: takes vectors of the sensor's frame into the camera's optical frame, ``(3, 3)``.
        offset_s: added to the sensor's stamps, so that they are on the images' clock.
    """

    def __init__(self, rotation: npt.ArrayLike, offset_s: float = 0.0) -> None:
        self._rotation = np.asarray(rotation, dtype=np.float64)
        self._offset_s = offset_s
        self._times: list[float] = []
        self._values: list[FloatArray] = []
        self._lock = threading.Lock()

    def add(self, time_s: float, velocity: npt.ArrayLike) -> bool:
        """Take a sample; False where it is no use: not finite, or faster than any gyroscope.

        Args:
            time_s: its stamp; one that is older than the last forgets all before.
            velocity: rad/s about the axes of the sensor's frame, ``(3,)``.
        """
        value = np.asarray(velocity, dtype=np.float64)
        if not np.isfinite(value).all() or np.abs(value).max() > _FASTEST_RAD_S:
            return False
        value = self._rotation @ value
        with self._lock:
            at = time_s + self._offset_s
            if self._times and at <= self._times[-1]:
                self._times.clear()
                self._values.clear()
            self._times.append(at)
            self._values.append(value)
            if at - self._times[0] > 2 * _KEPT_S:
                first = bisect.bisect_left(self._times, at - _KEPT_S)
                del self._times[:first], self._values[:first]
        return True

    def rotation(self, begin_s: float, end_s: float) -> FloatArray | None:
        """The rotation of directions from one moment to a later one, ``(3, 3)``.

        None where samples are missing in between.
        """
        with self._lock:
            first = max(0, bisect.bisect_right(self._times, begin_s) - 1)
            last = bisect.bisect_left(self._times, end_s)
            times = np.array(self._times[first : last + 1])
            values = np.array(self._values[first : last + 1])
        if not len(times) or times[0] - begin_s > _LONGEST_GAP_S:
            return None
        bounds = np.clip(np.concatenate([[begin_s], times, [end_s]]), begin_s, end_s)
        if np.diff(np.concatenate([times, [max(end_s, times[-1])]])).max() > _LONGEST_GAP_S:
            return None
        inner = 0.5 * (values[1:] + values[:-1])
        means = np.concatenate([values[:1], inner, values[-1:]])
        total = (means * np.diff(bounds)[:, None]).sum(axis=0)
        # A direction turns the other way than the camera that looks at it.
        return np.asarray(cv2.Rodrigues(-total)[0], dtype=np.float64)


def parse_quaternion(text: str) -> FloatArray:
    """The rotation ``(3, 3)`` of a quaternion written as ``x,y,z,w``.

    Raises:
        ConfigError: not four numbers, or no rotation.
    """
    try:
        x, y, z, w = (float(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(f"'{shown(text)}' is no quaternion: write x,y,z,w") from None
    length = float(np.sqrt(x * x + y * y + z * z + w * w))
    if not abs(length - 1.0) < 0.01:
        raise ConfigError(f"the quaternion '{shown(text)}' is no rotation: its length is not 1")
    return quaternion_matrix(x / length, y / length, z / length, w / length)


def quaternion_matrix(x: float, y: float, z: float, w: float) -> FloatArray:
    """The rotation ``(3, 3)`` of a quaternion of length 1."""
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
