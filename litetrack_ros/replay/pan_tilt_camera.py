"""A made pan-tilt camera that follows a target by the node's bearings, over real ROS.

The camera stands in a made scene and turns as it is told. It publishes pictures, camera_info and
its gyroscope; the tracker node answers with bearings, out of which a controller makes rates. The
error is the true angle between the camera's axis and the target.

Time is the scene's own, on the topic clock, as in a simulator: it stands still until the node has
answered. What a busy machine gives is then the same as what a fast one gives, and the age of the
pictures is what was asked for.
"""

import contextlib
import itertools
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, Imu
from std_msgs.msg import Header

from litetrack_ros.config import ModelChoice
from litetrack_ros.control.camera_model import Calibration, CameraModel
from litetrack_ros.files import scratch_folder
from litetrack_ros.geometry import FloatArray
from litetrack_ros.msg import FrameTiming, InitBox, TargetBearingArray
from litetrack_ros.node.dds import stay_on_this_machine, use_image_profile
from litetrack_ros.node.messages import bgr8_message, ns_to_stamp, stamp_to_ns
from litetrack_ros.replay.node_process import NodeProcess
from litetrack_ros.replay.pan_tilt import (
    GAINS,
    PATHS,
    RATE_SHARES,
    TUNING_PATH,
    Controller,
    Follower,
    Unit,
    rms,
    target_at,
)
from litetrack_ros.replay.session import NODE_NAME, RELIABLE_QOS, TARGET_ID, OwnNode, wait_ready
from litetrack_ros.replay.turning_scene import Sight, TurningScene

_SIZE = (320, 240)
_FOCAL = 250.0  # 65 degrees across
_RADIUS = math.radians(6.0)  # of the target
_STEPS_HZ = 300  # of the world; what follows counts in steps
_PICTURE, _TICK, _GYRO = 10, 6, 2  # 30, 50 and 150 Hz
_START = 300  # a picture, a tick and a sample at once
_GYRO_NOISE, _GYRO_BIAS = math.radians(0.1), math.radians(0.3)  # rad/s
_PICTURE_TIMEOUT_S = 5.0  # then it was lost on its way
_TICK_TIMEOUT_S = 0.5

# What the node is started with: directions in the image as they come, or of now.
AS_THEY_COME: Mapping[str, Any] = {"bearing": True}
PREDICTED: Mapping[str, Any] = {
    "bearing": True,
    "predict_ms": 0.0,
    "predict_rate_hz": _STEPS_HZ / _TICK,
    "turning": "imu",
    "turning_rotation": "0,0,0,1",
}
WAYS = {"as they come": AS_THEY_COME, "predicted": PREDICTED}


class PanTiltCamera(OwnNode):
    """The camera, its gyroscope and its controller, as one node beside the tracker's.

    Args:
        namespace: of the tracker node, with a leading slash.
        latency_s: from a picture's stamp until its bearing is there.
        is_predicted: whether the node predicts, by its timer.
        check: raises where the tracker node has ended.
    """

    def __init__(
        self, namespace: str, latency_s: float, is_predicted: bool, check: Callable[[], None]
    ) -> None:
        super().__init__("pan_tilt", namespace)
        k = (_FOCAL, 0.0, _SIZE[0] / 2 - 0.5, 0.0, _FOCAL, _SIZE[1] / 2 - 0.5, 0.0, 0.0, 1.0)
        calibration = Calibration(_SIZE, "plumb_bob", (0.0,) * 5, k, (0.0,) * 12)
        self._info = CameraInfo(width=_SIZE[0], height=_SIZE[1], distortion_model="plumb_bob", k=k)
        self._scene = TurningScene(CameraModel(calibration))
        self._latency = round(latency_s * _STEPS_HZ)
        self._is_predicted = is_predicted
        self._check = check
        self._clock, self._images, self._infos, self._gyro, self._inits = (
            self.node.create_publisher(kind, topic, RELIABLE_QOS)
            for kind, topic in (
                (Clock, "clock"),
                (Image, "image"),
                (CameraInfo, "camera_info"),
                (Imu, "imu"),
                (InitBox, f"{NODE_NAME}/init_box"),
            )
        )
        self._subscriptions = [
            self.node.create_subscription(kind, f"{NODE_NAME}/{topic}", callback, RELIABLE_QOS)
            for kind, topic, callback in (
                (TargetBearingArray, "bearings", self._on_bearings),
                (FrameTiming, "timing", self._on_timing),
            )
        ]
        self._rng = np.random.default_rng(0)
        self._step = _START
        self._follower = Follower(Controller(0.0, 0.0))
        self._heard = threading.Condition()
        # The newest image that was processed, that has bearings; the moment of the last bearings.
        self._processed_ns = self._sent_ns = self._held_ns = 0
        self._sees = False
        self.start()

    @property
    def is_matched(self) -> bool:
        """Whether the tracker node hears this, and is heard. It is told the time meanwhile."""
        self._send_clock()
        publishers = [self._clock, self._images, self._infos, self._inits]
        if self._is_predicted:
            publishers.append(self._gyro)
        heard = all(publisher.get_subscription_count() for publisher in publishers)
        return heard and all(self.node.count_publishers(s.topic_name) for s in self._subscriptions)

    def follow(self, path: str, controller: Controller, duration_s: float) -> FloatArray:
        """Follow a path.

        Args:
            path: as of :func:`litetrack_ros.replay.pan_tilt.target_at`.
            controller: the law.
            duration_s: of the scene's time.

        Returns:
            Times, s, true errors, rad, and the commanded rate, rad/s, a row a picture, ``(N, 3)``.

        Raises:
            ReplayError: the tracker node has ended.
        """
        # Late enough that nothing of the last path is predicted any more.
        begin = self._step = (self._step // _START + 2) * _START
        unit = Unit()
        self._follower, self._sees = Follower(controller), False
        on_their_way: deque[tuple[int, Sight]] = deque()
        history = []
        for self._step in range(begin, begin + round(duration_s * _STEPS_HZ)):
            at_s = (self._step - begin) / _STEPS_HZ
            command = self._follower.rates(self._step / _STEPS_HZ)
            unit.step(command, 1 / _STEPS_HZ)
            if self._step % _GYRO == 0:
                self._send_gyro(unit)
            if self._step % _PICTURE == 0:
                azimuth, elevation = target_at(path, at_s)
                error = math.hypot(*(unit.angles - (azimuth, elevation)))
                history.append((at_s, error, math.hypot(*command)))
                pan, tilt = (float(angle) for angle in unit.angles)
                on_their_way.append((self._step, Sight(azimuth, elevation, _RADIUS, pan, tilt)))
            if on_their_way and on_their_way[0][0] + self._latency <= self._step:
                taken, sight = on_their_way.popleft()
                self._show(taken, sight, is_first=taken == begin)
            if self._step % _TICK == 0:
                self._tick()
        return np.array(history)

    def _show(self, taken: int, sight: Sight, is_first: bool) -> None:
        """Publish the picture that was taken at a step, and wait for what comes of it."""
        stamp_ns = _moment_ns(taken)
        header = Header(stamp=ns_to_stamp(stamp_ns), frame_id="camera")
        self._send_clock()
        if is_first:
            x, y, width, height = (float(v) for v in self._scene.box_xywh(sight))
            init = InitBox(header=header, target_id=TARGET_ID, x=x, y=y, width=width, height=height)
            self._inits.publish(init)
        self._info.header = header
        self._infos.publish(self._info)
        self._images.publish(bgr8_message(header, self._scene.frame(sight)))

        def is_answered() -> bool:
            is_sent = self._is_predicted or self._sent_ns >= stamp_ns
            return is_sent and self._processed_ns >= stamp_ns

        self._wait(is_answered, _PICTURE_TIMEOUT_S)

    def _tick(self) -> None:
        """Let the node's timer come, and wait for its bearings, where there are to be any."""
        self._send_clock()
        if self._is_predicted and self._sees:
            now_ns = _moment_ns(self._step)
            self._wait(lambda: self._held_ns >= now_ns, _TICK_TIMEOUT_S)

    def _wait(self, is_there: Callable[[], bool], timeout_s: float) -> None:
        with self._heard:
            is_in_time = self._heard.wait_for(is_there, timeout_s)
        if not is_in_time:
            self._check()

    def _on_bearings(self, message: Any) -> None:
        with self._heard:
            self._follower.take(message, self._step / _STEPS_HZ)
            self._sent_ns = stamp_to_ns(message.header.stamp)
            self._held_ns = stamp_to_ns(message.time)
            self._sees = bool(message.bearings)
            self._heard.notify_all()

    def _on_timing(self, message: Any) -> None:
        with self._heard:
            self._processed_ns = stamp_to_ns(message.header.stamp)
            self._heard.notify_all()

    def _send_clock(self) -> None:
        self._clock.publish(Clock(clock=ns_to_stamp(_moment_ns(self._step))))

    def _send_gyro(self, unit: Unit) -> None:
        # Pan is positive to the left, about -y; tilt is positive up, about x.
        pan, tilt = unit.rates
        angle = unit.angles[1]
        turning = np.array([tilt, -pan * math.cos(angle), pan * math.sin(angle)])
        turning += self._rng.normal(0.0, _GYRO_NOISE, 3) + _GYRO_BIAS
        stamp = ns_to_stamp(_moment_ns(self._step))
        message = Imu(header=Header(stamp=stamp, frame_id="camera"))
        velocity = message.angular_velocity
        velocity.x, velocity.y, velocity.z = (float(v) for v in turning)
        self._gyro.publish(message)


def _moment_ns(step: int) -> int:
    return step * 1_000_000_000 // _STEPS_HZ


@contextlib.contextmanager
def pan_tilt_camera(
    model: ModelChoice, parameters: Mapping[str, Any], latency_s: float
) -> Iterator[PanTiltCamera]:
    """A camera before a tracker node that is started for it.

    Args:
        model: what the node runs.
        parameters: of the node: a value of :data:`WAYS`.
        latency_s: from a picture's stamp until its bearing is there.

    Raises:
        ReplayError: the node did not start.
    """
    use_image_profile()
    stay_on_this_machine()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch_folder("pan_tilt"))
        namespace = f"/pan_tilt_{os.getpid()}"
        log_path = folder / "node.log"
        started_with = {**parameters, "use_sim_time": True}
        node = NodeProcess(model, namespace, log_path, started_with)
        stack.callback(node.end)
        camera = PanTiltCamera(namespace, latency_s, "predict_ms" in parameters, node.check)
        stack.callback(camera.close)
        wait_ready(lambda: camera.is_matched, node.check, lambda: "the tracker node is not heard")
        time.sleep(0.1)  # the other side may hear a little later than it is heard
        yield camera


@dataclass(frozen=True)
class Followed:
    """What one way of following gave.

    Attributes:
        controller: the best of the grid.
        tuned_rms: its RMS error where it was chosen, rad.
        histories: by path, as of :meth:`PanTiltCamera.follow`.
    """

    controller: Controller
    tuned_rms: float
    histories: dict[str, FloatArray]


def tune_and_follow(
    model: ModelChoice,
    parameters: Mapping[str, Any],
    latency_s: float,
    tune_s: float,
    follow_s: float,
    step: Callable[[], None],
) -> Followed:
    """Choose a controller for a node with these parameters, and follow every path with it.

    Args:
        model: what the node runs.
        parameters: of the node: a value of :data:`WAYS`.
        latency_s: from a picture's stamp until its bearing is there.
        tune_s: how long each controller of the grid is tried, of the scene's time.
        follow_s: how long each path is followed.
        step: called after each, :data:`FOLLOWED` times.

    Raises:
        ReplayError: the node did not start, or ended.
    """
    with pan_tilt_camera(model, parameters, latency_s) as camera:

        def follow(path: str, controller: Controller, duration_s: float) -> FloatArray:
            history = camera.follow(path, controller, duration_s)
            step()
            return history

        scores = {
            controller: rms(follow(TUNING_PATH, controller, tune_s))
            for controller in itertools.starmap(Controller, itertools.product(GAINS, RATE_SHARES))
        }
        best = min(scores, key=lambda controller: scores[controller])
        histories = {path: follow(path, best, follow_s) for path in PATHS}
    return Followed(best, scores[best], histories)


FOLLOWED = len(GAINS) * len(RATE_SHARES) + len(PATHS)
