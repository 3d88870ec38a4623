"""Angular velocities to rotations: signs, gaps, offsets, frames."""

import math

import numpy as np
import pytest

from litetrack_ros.control.camera_model import Calibration, CameraModel
from litetrack_ros.control.turning import AngularVelocities, Turn, parse_quaternion
from litetrack_ros.errors import ConfigError

K = (500.0, 0.0, 319.5, 0.0, 500.0, 239.5, 0.0, 0.0, 1.0)
CAMERA = CameraModel(Calibration((640, 480), "plumb_bob", (), K, (0.0,) * 12))


def filled(velocity, rotation=None, offset_s: float = 0.0, rate: float = 200.0):
    samples = AngularVelocities(np.eye(3) if rotation is None else rotation, offset_s)
    for index in range(int(rate)):
        assert samples.add(index / rate, velocity)
    return samples


# About the optical axes x (right), y (down), z (forward), by the rule of the right hand: about y
# the camera turns to the right, about x it looks up, about z it rolls clockwise.
@pytest.mark.parametrize(
    ("axis", "point", "moved"),
    [
        (1, (320.0, 240.0), (-1, 0)),  # turns right: what is ahead moves left
        (0, (320.0, 240.0), (0, 1)),  # looks up: what is ahead moves down
        (2, (420.0, 240.0), (0, -1)),  # rolls clockwise: what is on the right moves up
    ],
    ids=["yaw", "pitch", "roll"],
)
def test_what_stands_still_moves_the_other_way(axis: int, point: tuple, moved: tuple):
    velocity = np.zeros(3)
    velocity[axis] = 0.5
    rotation = filled(velocity).rotation(0.2, 0.3)
    assert rotation is not None
    distance = 500 * math.tan(0.05) if axis < 2 else 100 * math.sin(0.05)
    found = Turn(CAMERA, rotation).move(point)
    expected = np.array(moved) * distance
    along = int(np.argmax(np.abs(moved)))
    assert found[along] == pytest.approx(expected[along], rel=1e-3)
    # For the other two axes nothing moves across; in a roll the point comes a little nearer.
    assert abs(found[1 - along]) < 0.3


def test_changing_velocities_are_summed_up():
    samples = AngularVelocities(np.eye(3))
    for index in range(300):
        t = index / 200
        samples.add(t, (0.0, math.sin(6 * t), 0.0))
    angle = (math.cos(6 * 0.51) - math.cos(6 * 1.13)) / 6
    rotation = samples.rotation(0.51, 1.13)
    assert rotation is not None
    assert math.atan2(rotation[2, 0], rotation[0, 0]) == pytest.approx(angle, abs=2e-3)


def test_the_last_sample_holds_for_a_moment_only():
    samples = filled((0.0, 1.0, 0.0))
    assert samples.rotation(0.9, 1.05) is not None
    assert samples.rotation(0.9, 1.2) is None
    assert samples.rotation(-1.0, 0.5) is None
    assert AngularVelocities(np.eye(3)).rotation(0.0, 0.1) is None


def test_gaps_are_not_bridged():
    samples = AngularVelocities(np.eye(3))
    for t in (0.0, 0.05, 0.3, 0.35):
        samples.add(t, (0.0, 1.0, 0.0))
    assert samples.rotation(0.0, 0.32) is None
    assert samples.rotation(0.3, 0.36) is not None


def test_the_offset_is_added_to_the_sensors_stamps():
    samples = AngularVelocities(np.eye(3), offset_s=10.0)
    samples.add(0.0, (0.0, 0.0, 0.0))
    samples.add(0.05, (0.0, 0.0, 0.0))
    assert samples.rotation(10.0, 10.05) is not None
    assert samples.rotation(0.0, 0.05) is None


@pytest.mark.parametrize("value", [(math.nan, 0, 0), (0, math.inf, 0), (0, 0, 40.0)])
def test_impossible_samples_are_refused(value: tuple):
    assert not AngularVelocities(np.eye(3)).add(0.0, value)


def test_a_body_frame_is_turned_into_the_optical_one():
    """Body: x forward, y left, z up. Its z is the optical frame's -y."""
    body_to_optical = parse_quaternion("0.5,-0.5,0.5,0.5")
    assert body_to_optical @ (1, 0, 0) == pytest.approx([0, 0, 1])  # forward
    assert body_to_optical @ (0, 1, 0) == pytest.approx([-1, 0, 0])  # left
    assert body_to_optical @ (0, 0, 1) == pytest.approx([0, -1, 0])  # up
    # Positive about up turns to the left: what is ahead moves to the right.
    rotation = filled((0.0, 0.0, 0.5), body_to_optical).rotation(0.2, 0.3)
    assert rotation is not None
    assert Turn(CAMERA, rotation).move((320.0, 240.0))[0] > 20


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "1,1,1,1", "nan,0,0,1"])
def test_what_is_no_rotation_is_said(text: str):
    with pytest.raises(ConfigError, match="quaternion"):
        parse_quaternion(text)
