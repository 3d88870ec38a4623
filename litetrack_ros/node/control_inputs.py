"""What comes in beside the images: camera_info, depth and angular velocities, by their stamps."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, Imu

from litetrack_ros.control.camera_model import Calibration, CameraModel
from litetrack_ros.control.turning import AngularVelocities, Turn, parse_quaternion
from litetrack_ros.errors import ConfigError, shown
from litetrack_ros.node.compat import optional_module
from litetrack_ros.node.diagnostics import NoticeBoard
from litetrack_ros.node.messages import stamp_to_ns
from litetrack_ros.node.sizes import Size
from litetrack_ros.node.transforms import Transforms

_DEPTHS_KEPT = 8
_DEPTH_TOLERANCE_NS = 60_000_000  # between an image's stamp and a depth image's
_STALE_NS = 1_000_000_000
_DEPTH_TYPES = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}
# Both kinds of publishers are heard.
_SENSOR_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)

DepthImage = npt.NDArray[np.generic]


class ControlInputs:
    """The subscriptions beside the image's, each only where a parameter asks for it.

    A message that is missing, stale or no use is one notice on the board, which ends when it comes.

    Args:
        node: creates them.
        values: the node's parameters.
        board: takes faults.
        transforms: looks frames up, where a parameter needs that.

    Raises:
        ConfigError: the parameter turning_rotation is no rotation, or a package is missing.
    """

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Any],
        board: NoticeBoard,
        transforms: Transforms | None,
    ) -> None:
        self._node = node
        self._values = values
        self._board = board
        self._transforms = transforms
        self._info: CameraInfo | None = None
        self._model: tuple[CameraInfo, CameraModel | str] | None = None
        self._depths: deque[tuple[int, Any]] = deque(maxlen=_DEPTHS_KEPT)
        self._lock = threading.Lock()
        self._camera: CameraModel | None = None  # of the newest image
        self._velocities: AngularVelocities | None = None
        if values["turning"] != "off" and values["turning_rotation"]:
            self._velocities = self._velocities_in(parse_quaternion(values["turning_rotation"]))
        # Resolved first: one remap of `image` serves both.
        space = node.resolve_topic_name("image").rpartition("/")[0]
        self._subscriptions = [self._subscribe(CameraInfo, f"{space}/camera_info", self._on_info)]
        if values["range_from_depth"]:
            self._subscriptions.append(self._subscribe(Image, "depth", self._on_depth))
        if values["turning"] == "imu":
            self._subscriptions.append(
                self._subscribe(Imu, "imu", lambda m: self._on_turning(m, m.angular_velocity))
            )
        if values["turning"] == "odometry":
            nav_msgs = optional_module("nav_msgs.msg")
            if nav_msgs is None:
                raise ConfigError(
                    "turning is odometry, but nav_msgs is not installed: install "
                    "ros-$ROS_DISTRO-nav-msgs, or take imu"
                )
            self._subscriptions.append(
                self._subscribe(
                    nav_msgs.Odometry,
                    "odometry",
                    lambda m: self._on_turning(m, m.twist.twist.angular),
                )
            )

    def _subscribe(self, kind: Any, topic: str, callback: Callable[[Any], None]) -> Any:
        return self._node.create_subscription(kind, topic, callback, _SENSOR_QOS)

    def destroy(self) -> None:
        """End the subscriptions."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def camera(self, size: Size) -> CameraModel | None:
        """The camera of the newest image, None with a notice where it is not known.

        Args:
            size: of that image, px.
        """
        self._camera, fault = self._camera_or_fault(size)
        self._tell("camera_info", fault)
        return self._camera

    def _camera_or_fault(self, size: Size) -> tuple[CameraModel | None, str]:
        info = self._info
        topic = self._subscriptions[0].topic_name
        if info is None:
            return None, f"no camera_info came on {topic}: no bearing and no range without it"
        if self._model is None or self._model[0] is not info:
            self._model = (info, self._open(info))
        model = self._model[1]
        if isinstance(model, str):
            return None, f"{model} ({topic})"
        wanted = model.calibration.image_size
        if wanted != size:
            return None, (
                f"the camera_info on {topic} is for images of {wanted[0]}x{wanted[1]} px, but "
                f"those that come have {size[0]}x{size[1]} px: remap image and camera_info of one "
                "camera, or set its binning and roi"
            )
        return model, ""

    def _open(self, info: CameraInfo) -> CameraModel | str:
        try:
            return CameraModel(calibration_of(info), self._values["rectified"])
        except ConfigError as error:
            return str(error)

    def depth(self, stamp_ns: int, frame_id: str, size: Size) -> tuple[Any, DepthImage] | None:
        """The depth image nearest to an image, with its message's stamp; None with a notice.

        Args:
            stamp_ns: of the image.
            frame_id: of the image.
            size: of the image, px.
        """
        message, fault = self._nearest_depth(stamp_ns)
        array = None
        if message is not None:
            if (message.width, message.height) != size or message.header.frame_id != frame_id:
                fault = (
                    f"depth images of {message.width}x{message.height} px in "
                    f"'{shown(message.header.frame_id)}' are not aligned with images of "
                    f"{size[0]}x{size[1]} px in '{shown(frame_id)}': take the camera's aligned "
                    "depth topic"
                )
            else:
                array, fault = depth_array(message)
        self._tell("depth", fault)
        return None if message is None or array is None else (message.header.stamp, array)

    def _nearest_depth(self, stamp_ns: int) -> tuple[Any, str]:
        with self._lock:
            kept = list(self._depths)
        if not kept:
            return None, "no depth image came on the topic depth: no range without it"
        at, message = min(kept, key=lambda entry: abs(entry[0] - stamp_ns))
        if abs(at - stamp_ns) > _DEPTH_TOLERANCE_NS:
            return None, (
                f"the depth images are stale: the nearest is {1e-6 * abs(at - stamp_ns):.0f} ms "
                "from its image"
            )
        return message, ""

    def turn(self, begin_s: float, end_s: float) -> Turn | None:
        """How the camera of the newest image turned, None where that is not known."""
        camera, velocities = self._camera, self._velocities
        if camera is None or self._values["turning"] == "off":
            return None
        rotation = None if velocities is None else velocities.rotation(begin_s, end_s)
        self._tell(
            "turning",
            ""
            if rotation is not None
            else f"no angular velocities for this moment on the topic {self._values['turning']} "
            "(none came, they are stale, or tf2 does not know their frame): the camera's turning "
            "is not taken out",
        )
        return None if rotation is None else Turn(camera, rotation)

    def _velocities_in(self, rotation: npt.ArrayLike) -> AngularVelocities:
        return AngularVelocities(rotation, 1e-3 * self._values["turning_offset_ms"])

    def _on_info(self, message: CameraInfo) -> None:
        known = self._info
        # A camera sends the same with every image: the model is made once.
        if known is None or calibration_of(known) != calibration_of(message):
            self._info = message

    def _on_depth(self, message: Image) -> None:
        with self._lock:
            self._depths.append((stamp_to_ns(message.header.stamp), message))

    def _on_turning(self, message: Any, velocity: Any) -> None:
        if self._velocities is None:
            frame = getattr(message, "child_frame_id", "") or message.header.frame_id
            info, transforms = self._info, self._transforms
            if info is None or transforms is None:
                return
            pose = transforms.look_up(info.header.frame_id, frame, message.header.stamp)
            if pose is None:
                return
            self._velocities = self._velocities_in(pose.rotation)
        at_s = 1e-9 * stamp_to_ns(message.header.stamp)
        self._velocities.add(at_s, (velocity.x, velocity.y, velocity.z))

    def _tell(self, kind: str, fault: str) -> None:
        if fault:
            self._board.post(kind, fault)
        else:
            self._board.end(kind)


def calibration_of(info: CameraInfo) -> Calibration:
    """What of a message says where a pixel looks."""
    roi = info.roi
    return Calibration(
        size=(info.width, info.height),
        model=info.distortion_model,
        distortion=tuple(info.d),
        k=tuple(info.k),
        p=tuple(info.p),
        binning=(max(1, info.binning_x), max(1, info.binning_y)),
        offset=(roi.x_offset, roi.y_offset),
        region=(roi.width, roi.height),
    )


def depth_array(message: Image) -> tuple[DepthImage | None, str]:
    """A depth message as an array ``(H, W)`` over its own data, or why it is none."""
    kind = _DEPTH_TYPES.get(message.encoding)
    if kind is None:
        known = ", ".join(_DEPTH_TYPES)
        return None, f"depth images of encoding '{shown(message.encoding)}' are no use: {known} are"
    dtype = np.dtype(f"{'>' if message.is_bigendian else '<'}{kind}")
    row, size = message.width * dtype.itemsize, message.step * message.height
    if message.step < row or not size or len(message.data) < size or message.step % dtype.itemsize:
        return None, "the depth images' rows do not fit their data: check the publisher"
    flat = np.frombuffer(message.data, np.uint8, size)
    rows = flat.reshape(message.height, message.step)[:, :row]
    return rows.view(dtype), ""
