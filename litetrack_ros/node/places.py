"""Targets in space, as other packages take them: points, markers, 3D detections, tf frames."""

import math
import re
from collections.abc import Mapping
from typing import Any

from geometry_msgs.msg import Point, PointStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from litetrack_ros.control.bearing import Bearing
from litetrack_ros.msg import TargetRange
from litetrack_ros.node.compat import optional_module
from litetrack_ros.node.diagnostics import NoticeBoard
from litetrack_ros.node.transforms import HERE, Pose, Transforms

_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_MARKER_LIFE_NS = 500_000_000  # a marker whose target is lost goes away by itself
_COLOUR = (0.1, 0.8, 0.2, 0.6)


class PlaceOutput:
    """Publishes the places of targets whose range is known.

    Args:
        node: creates the publishers.
        values: the node's parameters.
        board: takes faults.
        transforms: looks frames up; None where no parameter needs that.
        vision_msgs: the module ``vision_msgs.msg`` to publish ~/detections_3d too, or None.
    """

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Any],
        board: NoticeBoard,
        transforms: Transforms | None,
        vision_msgs: Any,
    ) -> None:
        self._node = node
        self._values = values
        self._board = board
        self._transforms = transforms
        self._vision_msgs = vision_msgs
        self._visualization = optional_module("visualization_msgs.msg")
        self._points = node.create_publisher(PointStamped, "~/position", _QOS)
        self._publishers = [self._points]
        if self._visualization is not None:
            self._markers = node.create_publisher(
                self._visualization.MarkerArray, "~/markers", _QOS
            )
            self._publishers.append(self._markers)
        if vision_msgs is not None:
            self._detections = node.create_publisher(
                vision_msgs.Detection3DArray, "~/detections_3d", _QOS
            )
            self._publishers.append(self._detections)

    def destroy(self) -> None:
        """Take the topics away."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)

    def send(
        self,
        header: Header,
        ranges: list[TargetRange],
        bearings: Mapping[str, Bearing],
        scores: Mapping[str, float],
    ) -> None:
        """Publish the places of an image's targets.

        Args:
            header: of the image.
            ranges: of its targets, in the optical frame.
            bearings: of the same targets.
            scores: of the same targets.
        """
        frame = self._values["target_frame"] or header.frame_id
        pose: Pose | None = HERE
        if frame != header.frame_id and self._transforms is not None:
            pose = self._transforms.look_up(frame, header.frame_id, header.stamp)
        if pose is None:
            self._board.post(
                "target_frame",
                f"tf2 knows no way from '{header.frame_id}' to target_frame '{frame}': no places "
                "in space are published",
            )
            return
        self._board.end("target_frame")
        there = Header(stamp=header.stamp, frame_id=frame)
        places = [(r, place_in(pose, r.position), extent(r, bearings[r.target_id])) for r in ranges]
        for _, point, _ in places[:1]:
            self._points.publish(PointStamped(header=there, point=point))
        if self._values["publish_tf"] and self._transforms is not None:
            for target, point, _ in places:
                self._transforms.send(there, frame_name(target.target_id), point)
        if self._vision_msgs is not None:
            self._detections.publish(self._detection_array(there, pose, places, scores))
        if self._visualization is not None and self._markers.get_subscription_count():
            self._markers.publish(self._marker_array(there, places))

    def _detection_array(
        self, header: Header, pose: Pose, places: list[Any], scores: Mapping[str, float]
    ) -> Any:
        message = self._vision_msgs.Detection3DArray(header=header)
        for target, point, (width, height) in places:
            detection = self._vision_msgs.Detection3D(header=header, id=target.target_id)
            center = detection.bbox.center
            center.position, center.orientation = point, pose.quaternion
            # The box lies across the camera's axis; how deep the target is, nobody has seen.
            detection.bbox.size.x, detection.bbox.size.y = width, height
            hypothesis = self._vision_msgs.ObjectHypothesisWithPose()
            hypothesis.hypothesis.class_id = self._values["default_class"]
            hypothesis.hypothesis.score = scores[target.target_id]
            hypothesis.pose.pose = center
            detection.results.append(hypothesis)
            message.detections.append(detection)
        return message

    def _marker_array(self, header: Header, places: list[Any]) -> Any:
        kinds = self._visualization
        assert kinds is not None  # asked by the caller
        message = kinds.MarkerArray()
        for index, (target, point, (width, height)) in enumerate(places):
            marker = kinds.Marker(header=header, ns="targets", id=index, type=kinds.Marker.SPHERE)
            marker.action = kinds.Marker.ADD
            marker.text = target.target_id
            marker.pose.position = point
            marker.pose.orientation.w = 1.0
            size = max(0.05, math.sqrt(width * height))
            marker.scale.x = marker.scale.y = marker.scale.z = size
            marker.color.r, marker.color.g, marker.color.b, marker.color.a = _COLOUR
            marker.lifetime.nanosec = _MARKER_LIFE_NS
            message.markers.append(marker)
        return message


def place_in(pose: Pose, position: Point) -> Point:
    """A point of the optical frame in the frame that a pose is in, m."""
    x, y, z = pose.rotation @ (position.x, position.y, position.z) + pose.position
    return Point(x=float(x), y=float(y), z=float(z))


def extent(target: TargetRange, bearing: Bearing) -> tuple[float, float]:
    """Width and height of a target at its range, m."""
    sides = (2.0 * target.range * math.tan(0.5 * a) for a in (bearing.width, bearing.height))
    width, height = (side if math.isfinite(side) else 0.0 for side in sides)
    return width, height


def frame_name(target_id: str) -> str:
    """``target_<id>`` with what is no letter, digit or underscore replaced."""
    return f"target_{re.sub(r'[^A-Za-z0-9_]', '_', target_id)}"
