"""Prediction of made motions, whose truth is written down."""

import math

import numpy as np
import pytest

from litetrack_ros.control.camera_model import Calibration, CameraModel
from litetrack_ros.control.motion import TargetMotion, box_sigma
from litetrack_ros.control.turning import Turn

RATE = 30.0
FOCAL = 500.0
K = (FOCAL, 0.0, 319.5, 0.0, FOCAL, 239.5, 0.0, 0.0, 1.0)
CAMERA = CameraModel(Calibration((640, 480), "plumb_bob", (), K, (0.0,) * 12))


def followed(path, frames: int, noise_px: float = 0.0, size: float = 40.0) -> TargetMotion:
    """A motion after ``frames`` boxes, whose centres are ``path(t)`` and a little noise."""
    rng = np.random.default_rng(0)
    sigma = box_sigma((0, 0, size, size), 0.99, True)
    motion = None
    for index in range(frames):
        x, y = np.asarray(path(index / RATE)) + rng.normal(0, noise_px, 2)
        box = (x - size / 2, y - size / 2, size, size)
        if motion is None:
            motion = TargetMotion(box, sigma, 0.0)
        else:
            motion.update(box, sigma, index / RATE)
    assert motion is not None
    return motion


def center(motion: TargetMotion, time_s: float) -> np.ndarray:
    box = motion.at(time_s).box_xywh
    return box[:2] + box[2:] / 2


@pytest.mark.parametrize("velocity", [(120, 0), (-120, 0), (0, 90), (0, -90)])
def test_a_steady_motion_goes_on(velocity: tuple):
    motion = followed(lambda t: np.array([300.0, 200.0]) + t * np.array(velocity), 30, 0.3)
    at = 29 / RATE + 0.05
    truth = np.array([300.0, 200.0]) + at * np.array(velocity)
    assert np.abs(center(motion, at) - truth).max() < 2.0
    prediction = motion.at(at)
    assert np.abs(prediction.velocity - velocity).max() < 35
    assert np.abs(prediction.box_xywh[2:] - 40).max() < 0.5


def test_a_target_that_grows_goes_on_growing():
    motion = TargetMotion((100, 100, 40, 20), (1.0, 1.0), 0.0)
    for index in range(1, 60):
        grown = math.exp(0.5 * index / RATE)
        motion.update((100, 100, 40 * grown, 20 * grown), (1.0, 1.0), index / RATE)
    width, height = motion.at(59 / RATE + 0.1).box_xywh[2:]
    assert width == pytest.approx(40 * math.exp(0.5 * (59 / RATE + 0.1)), rel=0.02)
    assert width / height == pytest.approx(2.0, rel=0.01)


def test_a_shaking_target_is_held_rather_than_thrown():
    """Motion that turns round from image to image says nothing of the next one."""
    rng = np.random.default_rng(1)
    places = np.array([300.0, 200.0]) + rng.uniform(-8, 8, (80, 2))
    motion = TargetMotion((*(places[0] - 20), 40, 40), (1.0, 1.0), 0.0)
    predicted, held = [], []
    for index in range(1, 80):
        at = index / RATE
        if index > 20:
            predicted.append(np.square(center(motion, at) - places[index]).sum())
            held.append(np.square(places[index - 1] - places[index]).sum())
        motion.update((*(places[index] - 20), 40, 40), (1.0, 1.0), at)
    assert np.mean(predicted) < 1.1 * np.mean(held)


def test_the_covariance_grows_and_covers():
    def path(t):
        return np.array([300.0, 200.0]) + 60 * np.array([math.sin(4 * t), math.cos(3 * t)])

    motion = followed(path, 45, 1.0)
    last = 44 / RATE
    traces = [np.trace(motion.at(last + h).covariance[:2, :2]) for h in (0.0, 0.03, 0.1, 0.3, 0.5)]
    assert traces == sorted(traces)
    assert traces[-1] > 10 * traces[0]
    for ahead_s in (0.033, 0.066):
        errors, sigmas = [], []
        for frames in range(15, 150):
            follower = followed(path, frames, 1.0)
            at = (frames - 1) / RATE + ahead_s
            errors.append(center(follower, at) - path(at))
            sigmas.append(np.sqrt(np.diag(follower.at(at).covariance)[:2]))
        errors, sigmas = np.array(errors), np.array(sigmas)
        covered = (np.abs(errors) < 2 * sigmas).mean(axis=0)
        assert (covered > 0.85).all()
        assert (sigmas.mean(axis=0) < 1.5 * np.sqrt((errors**2).mean(axis=0))).all()
    eigenvalues = np.linalg.eigvalsh(motion.at(last + 0.2).covariance)
    assert eigenvalues.min() > 0


@pytest.mark.parametrize(
    ("surer", "less_sure"),
    [((0.99, True), (0.5, True)), ((0.99, True), (0.99, False))],
    ids=["by probability", "uncalibrated"],
)
def test_certainty_is_in_the_covariance(surer: tuple, less_sure: tuple):
    box = (10, 20, 60, 90)
    assert np.all(np.array(box_sigma(box, *surer)) < box_sigma(box, *less_sure))


def sight(yaw: float) -> np.ndarray:
    """Centre of a far target straight ahead of a camera that has turned left by ``yaw``, px.

    Turned to the left, the camera sees what was ahead of it to the right.
    """
    return np.array([320.0 + FOCAL * math.tan(yaw), 240.0])


def turned_left(angle: float) -> np.ndarray:
    """What a turn to the left does to directions: x to the right and z forward change."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def run_turning(claimed: float, ahead_s: float = 0.05) -> tuple[float, float]:
    """RMS errors of a prediction with inertial data and without, px.

    The camera turns to and fro at up to 60 degrees a second, with a bias of half a degree a second
    and noise; ``claimed`` is what the inertial data make of the true turn.
    """
    peak, frequency = math.radians(60), 2 * math.pi * 1.2
    rng = np.random.default_rng(2)

    def yaw(t: float) -> float:
        return peak / frequency * math.sin(frequency * t)

    def turn(begin: float, end: float) -> Turn:
        noise = math.radians(0.5) * (end - begin) + rng.normal(0, math.radians(0.02))
        return Turn(CAMERA, turned_left(claimed * (yaw(end) - yaw(begin)) + noise))

    sigma = box_sigma((0, 0, 40, 40), 0.99, True)
    errors = []
    motions = [TargetMotion((*(sight(0) - 20), 40, 40), sigma, 0.0) for _ in range(2)]
    for index in range(1, 200):
        t = index / RATE
        box = (*(sight(yaw(t)) + rng.normal(0, 0.5, 2) - 20), 40, 40)
        motions[0].update(box, sigma, t, turn((index - 1) / RATE, t))
        motions[1].update(box, sigma, t)
        at = t + ahead_s
        found = [motions[0].at(at, turn(t, at)), motions[1].at(at)]
        errors.append([np.square(f.box_xywh[:2] + 20 - sight(yaw(at))).sum() for f in found])
    with_turn, without = np.sqrt(np.mean(errors, axis=0))
    return float(with_turn), float(without)


def test_the_cameras_own_turning_is_taken_out():
    with_turn, without = run_turning(1.0)
    assert with_turn < 0.5 * without


@pytest.mark.parametrize("claimed", [-1.0, 0.0, 2.5, -0.2], ids=str)
def test_wrong_inertial_data_are_left_aside(claimed: float):
    with_turn, without = run_turning(claimed)
    assert with_turn < 1.1 * without


def test_turning_that_proved_right_is_kept_while_the_camera_follows():
    """A target that is held in the middle of the image has the camera's own rate."""
    rate, rng = 0.3, np.random.default_rng(3)
    sigma = box_sigma((0, 0, 40, 40), 0.99, True)

    def yaw(t: float) -> float:  # it shakes before a target that stands, then follows to the left
        return 0.1 * math.sin(9 * t) if t < 1.5 else rate * (t - 1.5)

    def play(claimed: float) -> TargetMotion:
        motion = TargetMotion((*(sight(yaw(0)) - 20), 40, 40), sigma, 0.0)
        for index in range(1, 90):
            t, before = index / RATE, (index - 1) / RATE
            center = sight(yaw(t)) if t < 1.5 else np.array([320.0, 240.0])
            turn = Turn(CAMERA, turned_left(claimed * (yaw(t) - yaw(before))))
            motion.update((*(center + rng.normal(0, 0.5, 2) - 20), 40, 40), sigma, t, turn)
        return motion

    right = play(1.0)
    assert right.uses_turning
    here = Turn(CAMERA, np.eye(3))
    assert right.at(right.time_s, here).velocity[0] == pytest.approx(-FOCAL * rate, rel=0.2)
    assert not play(-1.0).uses_turning
