"""What needs tf2, which has no wheels: the one file behind its import."""

from typing import Any, NamedTuple

import numpy as np
from geometry_msgs.msg import Quaternion, TransformStamped
from rclpy.node import Node
from rclpy.time import Time as RosTime

from litetrack_ros.control.turning import quaternion_matrix
from litetrack_ros.errors import ConfigError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.node.compat import optional_module


class Pose(NamedTuple):
    """A frame in another.

    Attributes:
        rotation: takes vectors of the one into the other, ``(3, 3)``.
        quaternion: the same as a message.
        position: of its origin, m, ``(3,)``.
    """

    rotation: FloatArray
    quaternion: Any
    position: FloatArray


HERE = Pose(np.eye(3), Quaternion(w=1.0), np.zeros(3))


class Transforms:
    """Look-ups that never wait, and frames sent.

    Args:
        node: subscribes to and publishes on /tf.

    Raises:
        ConfigError: tf2 is not installed.
    """

    def __init__(self, node: Node) -> None:
        tf2_ros = optional_module("tf2_ros")
        if tf2_ros is None:
            raise ConfigError(
                "target_frame, publish_tf, and turning without turning_rotation need tf2, which "
                "is not installed: install ros-$ROS_DISTRO-tf2-ros-py, or leave them empty and off"
            )
        self._error = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._broadcaster = tf2_ros.TransformBroadcaster(node)

    def look_up(self, target: str, source: str, stamp: Any) -> Pose | None:
        """The source's frame in the target's at a stamp, else the newest known; None without any.

        Args:
            target: name of a frame.
            source: name of a frame.
            stamp: a message's.
        """
        if target == source:
            return HERE
        for moment in (RosTime.from_msg(stamp), RosTime()):
            try:
                found = self._buffer.lookup_transform(target, source, moment).transform
            except self._error:
                continue
            turn, place = found.rotation, found.translation
            matrix = quaternion_matrix(turn.x, turn.y, turn.z, turn.w)
            return Pose(matrix, turn, np.array([place.x, place.y, place.z]))
        return None

    def send(self, header: Any, child: str, position: Any) -> None:
        """Publish a frame without a rotation of its own.

        Args:
            header: of the frame that the position is in.
            child: name of the new frame.
            position: a ``geometry_msgs/Point``, m.
        """
        message = TransformStamped(header=header, child_frame_id=child)
        place = message.transform.translation
        place.x, place.y, place.z = position.x, position.y, position.z
        message.transform.rotation.w = 1.0
        self._broadcaster.sendTransform(message)

    def destroy(self) -> None:
        """End the subscriptions and take the topic away."""
        self._listener.unregister()
