"""Where a target is at another moment than its last image's: constant velocity in the image.

The constants were chosen on real sequences that are not trained on, and on the drawn scene
(``litetrack node prediction`` scores them). All of them count in sides of the box, so that one set
serves targets of any size.
"""

import math
from dataclasses import dataclass

import numpy as np

from litetrack_ros.control.turning import Turn
from litetrack_ros.geometry import BoxLike, FloatArray, cxcywh_to_xywh, xywh_to_cxcywh

# Standard deviation of a box's centre: so many px, and such shares of its width and of its height,
# which differ in how well people and networks agree on them; and a share that grows with the
# doubt: times the root of the probability that the box is wrong.
_SIGMA_PX = 0.75
_SIGMA_WIDTH, _SIGMA_HEIGHT = 0.01, 0.015
_SIGMA_DOUBT = 0.25
_UNCALIBRATED_DOUBT = 0.1  # of scores that are no probabilities

# Process noise: its density, sides/s^1.5. What shakes is mostly the camera.
_ACCELERATION, _STEADY_ACCELERATION = 40.0, 12.0
_FIRST_SPEED = 1.0  # sides/s, standard deviation before anything is known
_SIZE_SIGMA = 0.05  # of a measured side, as a logarithm
_SIZE_ACCELERATION = 0.2  # density, 1/s^1.5
_FIRST_SIZE_RATE = 0.05  # 1/s

# How much of the predicted motion came true lately, and how large the errors were: forgotten by
# this factor an image. Before there is an experience, half of a small motion is believed.
_MEMORY = 0.95
_ERROR_MEMORY = 0.9
_PRIOR_MOTION = 0.002  # sides^2
_PRIOR_BELIEF = 0.5
_LEAST_SPEED_SIGMA = 0.03  # sides/s
# Of the squared errors of late, how much the next ones are, and what of them is the boxes' noise.
_ERROR_FACTOR = 0.9
_NOISE_SHARE = 0.1
_SURE_IMAGES = 6  # images after which one way of predicting may be preferred to the other
_CLEARLY = 0.8  # of the other's squared error
_FINE = 0.003  # mean square of an error that does no harm, sides^2

_NOTHING = (0.0, 0.0)


@dataclass(frozen=True)
class Prediction:
    """A target at one moment.

    Attributes:
        box_xywh: px, ``(4,)``.
        velocity: of the centre in the image, px/s, ``(2,)``; the camera's own turning is not in
            it where that is known.
        covariance: of the centre and the velocity (x, y, vx, vy), px^2 to px^2/s^2, ``(4, 4)``.
    """

    box_xywh: FloatArray
    velocity: FloatArray
    covariance: FloatArray


def box_sigma(box_xywh: BoxLike, score: float, is_calibrated: bool) -> tuple[float, float]:
    """Standard deviation of a measured box's centre, px, across and down.

    Args:
        box_xywh: px, ``(4,)``.
        score: the tracker's, of this box.
        is_calibrated: whether that is a probability.
    """
    doubt = 1.0 - min(max(score, 0.0), 1.0) if is_calibrated else _UNCALIBRATED_DOUBT
    width, height = float(box_xywh[2]), float(box_xywh[3])
    grown = _SIGMA_DOUBT**2 * doubt
    across = math.sqrt(_SIGMA_PX**2 + width**2 * (_SIGMA_WIDTH**2 + grown))
    down = math.sqrt(_SIGMA_PX**2 + height**2 * (_SIGMA_HEIGHT**2 + grown))
    return across, down


class _Axis:
    """Position and velocity along one axis: a Kalman filter of two numbers, written out."""

    def __init__(self, position: float, sigma: float, speed_sigma: float) -> None:
        self.position, self.velocity = position, 0.0
        self._pp, self._pv, self._vv = sigma**2, 0.0, speed_sigma**2

    def step(self, dt_s: float, shift: float, measured: float, sigma: float, noise: float) -> None:
        """To the next image: moved, and by a known shift, then corrected by what was measured."""
        density = noise**2
        pp = self._pp + dt_s * (2 * self._pv + dt_s * self._vv) + density * dt_s**3 / 3
        pv = self._pv + dt_s * self._vv + density * dt_s**2 / 2
        vv = self._vv + density * dt_s
        predicted = self.position + shift + self.velocity * dt_s
        total = pp + sigma**2
        self.position = predicted + pp / total * (measured - predicted)
        self.velocity += pv / total * (measured - predicted)
        self._pp, self._pv, self._vv = (
            pp - pp * pp / total,
            pv - pp * pv / total,
            vv - pv**2 / total,
        )


class _Path:
    """The centre's motion, with the camera's turning taken out or left in."""

    def __init__(
        self,
        center: tuple[float, float],
        sigma: tuple[float, float],
        size: float,
        acceleration: float,
    ) -> None:
        self._acceleration = acceleration
        self.axes = [_Axis(c, s, _FIRST_SPEED * size) for c, s in zip(center, sigma, strict=True)]
        self._true, self._predicted = 0.0, 0.0  # sums of products, sides^2
        self._speed_variance = [(_FIRST_SPEED * size) ** 2] * 2
        self._interval_s = 0.0
        self.error = 0.0  # mean square, sides^2
        self.images = 0

    @property
    def belief(self) -> float:
        """Which share of a predicted motion came true lately, 0 to 1."""
        true = self._true + _PRIOR_MOTION * _PRIOR_BELIEF
        return min(max(true / (self._predicted + _PRIOR_MOTION), 0.0), 1.0)

    @property
    def center(self) -> tuple[float, float]:
        return self.axes[0].position, self.axes[1].position

    def velocity(self, ahead_s: float) -> list[float]:
        """What of the velocity is to be believed so long after the last image, px/s."""
        belief = self.belief
        if self._interval_s > 0:  # it was learnt over one interval, and decays with each more
            belief **= max(1.0, ahead_s / self._interval_s)
        return [belief * axis.velocity for axis in self.axes]

    def speed_variance(self, ahead_s: float, size: float) -> list[float]:
        """Of the velocity along both axes until then, px^2/s^2, out of the errors of late."""
        least = (_LEAST_SPEED_SIGMA * size) ** 2
        growth = _ERROR_FACTOR
        if self._interval_s > 0:
            growth *= math.sqrt(max(1.0, ahead_s / self._interval_s))
        return [growth * max(value, least) for value in self._speed_variance]

    def step(
        self,
        dt_s: float,
        turned: tuple[float, float],
        measured: tuple[float, float],
        sigma: tuple[float, float],
        last_sigma: tuple[float, float],
        size: float,
    ) -> None:
        """Take an image's centre; ``turned`` is how far the camera's turning moved the last."""
        belief = self.belief
        memory = 0.0 if self.images == 0 else _ERROR_MEMORY
        moved, expected, error = 0.0, 0.0, 0.0
        for k, axis in enumerate(self.axes):
            motion = measured[k] - axis.position - turned[k]
            step = axis.velocity * dt_s
            moved += motion * step
            expected += step * step
            missed = motion - belief * step
            error += missed**2
            excess = (missed**2 - _NOISE_SHARE * (sigma[k] ** 2 + last_sigma[k] ** 2)) / dt_s**2
            kept = self._speed_variance[k]
            self._speed_variance[k] = _ERROR_MEMORY * kept + (1 - _ERROR_MEMORY) * excess
            axis.step(dt_s, turned[k], measured[k], sigma[k], self._acceleration * size)
        self._true = _MEMORY * self._true + moved / size**2
        self._predicted = _MEMORY * self._predicted + expected / size**2
        self.error = memory * self.error + (1 - memory) * error / size**2
        self._interval_s = dt_s
        self.images += 1


class TargetMotion:
    """The motion of one target, from its boxes in the images in which it was TRACKING.

    Where the camera's turning is known, it is followed twice, with the turning taken out of the
    motion and without; what predicted the last images clearly better is used. Inertial data that
    are wrong are thereby left aside.

    Args:
        box_xywh: the first box, px, ``(4,)``.
        sigma: of its centre, px, as :func:`box_sigma` gives it.
        time_s: when, on any clock that goes on steadily.
    """

    def __init__(self, box_xywh: BoxLike, sigma: tuple[float, float], time_s: float) -> None:
        x, y, width, height = (float(v) for v in xywh_to_cxcywh(box_xywh))
        self.time_s = time_s
        self._sigma = sigma
        self._plain = _Path((x, y), sigma, math.sqrt(width * height), _ACCELERATION)
        self._steady: _Path | None = None  # with the turning taken out
        self._prefers_steady = False
        self._sides = [
            _Axis(math.log(side), _SIZE_SIGMA, _FIRST_SIZE_RATE) for side in (width, height)
        ]

    @property
    def uses_turning(self) -> bool:
        """Whether the camera's turning is taken out at present."""
        return self._steady is not None and self._prefers_steady

    @property
    def center(self) -> tuple[float, float]:
        """The target's centre in its last image, px."""
        return self._plain.center

    def update(
        self, box_xywh: BoxLike, sigma: tuple[float, float], time_s: float, turn: Turn | None = None
    ) -> None:
        """Take the target's box in a later image.

        Args:
            box_xywh: px, ``(4,)``.
            sigma: as :func:`box_sigma` gives it.
            time_s: of the image, later than the last one's.
            turn: how the camera has turned since the last image, None where that is not known.
        """
        dt_s = time_s - self.time_s
        x, y, width, height = (float(v) for v in xywh_to_cxcywh(box_xywh))
        size = self._size()
        if turn is None:
            self._steady, self._prefers_steady = None, False
        else:
            if self._steady is None:
                self._steady = _Path(self._plain.center, self._sigma, size, _STEADY_ACCELERATION)
            moved = turn.move(self._steady.center)
            self._steady.step(dt_s, moved, (x, y), sigma, self._sigma, size)
        self._plain.step(dt_s, _NOTHING, (x, y), sigma, self._sigma, size)
        self._choose()
        for axis, side in zip(self._sides, (width, height), strict=True):
            axis.step(dt_s, 0.0, math.log(side), _SIZE_SIGMA, _SIZE_ACCELERATION)
        self.time_s = time_s
        self._sigma = sigma

    def _choose(self) -> None:
        """Take to the turning where it predicts clearly better, and leave it where that ends.

        A camera that follows its target holds it still in the image. Nothing predicts better there
        than standing still, and says less: turning that has proved right is kept to while its
        errors do no harm, else velocities with and without it would come by turns.
        """
        steady, plain = self._steady, self._plain
        if steady is None or steady.images < _SURE_IMAGES:
            return
        if steady.error < _CLEARLY * plain.error:
            self._prefers_steady = True
        elif steady.error > max(_FINE, _CLEARLY * plain.error):
            self._prefers_steady = False

    def at(self, time_s: float, turn: Turn | None = None) -> Prediction:
        """The target at a moment.

        Args:
            time_s: when; before the last image it is taken for that.
            turn: how the camera turns from the last image until then, None where not known.
        """
        ahead_s = max(0.0, time_s - self.time_s)
        steady = self._steady if turn is not None and self.uses_turning else None
        path = self._plain if steady is None else steady
        turned = _NOTHING if steady is None or turn is None else turn.move(path.center)
        velocity = path.velocity(ahead_s)
        center = [
            c + t + v * ahead_s for c, t, v in zip(path.center, turned, velocity, strict=True)
        ]
        sides = [math.exp(side.position + side.velocity * ahead_s) for side in self._sides]
        covariance = np.zeros((4, 4))
        for k, variance in enumerate(path.speed_variance(ahead_s, self._size())):
            covariance[k, k] = self._sigma[k] ** 2 + ahead_s**2 * variance
            covariance[k, k + 2] = covariance[k + 2, k] = ahead_s * variance
            covariance[k + 2, k + 2] = variance
        box = cxcywh_to_xywh(np.array([*center, *sides]))
        return Prediction(box, np.array(velocity), covariance)

    def _size(self) -> float:
        return math.exp(0.5 * (self._sides[0].position + self._sides[1].position))
