"""What goes out for robots to drive by: predicted boxes, bearings, ranges, places in space."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Vector3
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from litetrack_ros.control.bearing import Bearing, bearing_of
from litetrack_ros.control.camera_model import CameraModel
from litetrack_ros.control.distance import DepthFollower, depth_from_height, look_at
from litetrack_ros.control.targets import PredictedTarget, TargetMotions
from litetrack_ros.geometry import BoxLike, FloatArray
from litetrack_ros.msg import (
    PredictedBox,
    PredictedBoxArray,
    TargetBearing,
    TargetBearingArray,
    TargetRange,
    TargetRangeArray,
)
from litetrack_ros.node.control_inputs import ControlInputs
from litetrack_ros.node.diagnostics import NoticeBoard
from litetrack_ros.node.events import Event, EventKind
from litetrack_ros.node.messages import ns_to_stamp, stamp_to_ns
from litetrack_ros.node.places import PlaceOutput
from litetrack_ros.node.sizes import Size
from litetrack_ros.node.tracked import Tracked
from litetrack_ros.node.transforms import Transforms
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State

QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


def open_control(
    node: Node, values: Mapping[str, Any], board: NoticeBoard, vision_msgs: Any
) -> "ControlOutputs | None":
    """The outputs that the parameters ask for; None where they ask for none.

    Args:
        node: creates topics.
        values: the node's parameters.
        board: takes faults.
        vision_msgs: the module ``vision_msgs.msg`` to publish ~/detections_3d too, or None.

    Raises:
        ConfigError: a package that the parameters need is missing, or one of them is no use.
    """
    has_range = values["range_from_depth"] or values["target_height_m"] > 0
    if not (values["bearing"] or values["predict_ms"] >= 0 or has_range):
        return None
    transforms = None
    by_frames = values["turning"] != "off" and not values["turning_rotation"]
    if by_frames or (has_range and (values["target_frame"] or values["publish_tf"])):
        transforms = Transforms(node)
    inputs = ControlInputs(node, values, board, transforms)
    places = PlaceOutput(node, values, board, transforms, vision_msgs) if has_range else None
    return ControlOutputs(node, values, inputs, places, transforms)


class ControlOutputs:
    """Publishes what follows from each image's boxes. Thread-safe.

    Args:
        node: creates the publishers and the timer.
        values: the node's parameters.
        inputs: what comes in beside the images.
        places: takes places in space; None without range.
        transforms: to be ended with this.
    """

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Any],
        inputs: ControlInputs,
        places: PlaceOutput | None,
        transforms: Transforms | None,
    ) -> None:
        self._node = node
        self._values = values
        self._inputs = inputs
        self._places = places
        self._transforms = transforms
        self._clock = node.get_clock()
        self._motions = TargetMotions(inputs.turn)
        self._surfaces: dict[str, DepthFollower] = {}
        self._size: Size | None = None
        self._camera: CameraModel | None = None
        self._header: Header | None = None
        self._was_empty = True
        self._lock = threading.Lock()  # the timer runs in another thread than the images
        self._predicts = values["predict_ms"] >= 0
        self._publishers: list[Any] = []
        if self._predicts:
            self._predicted = self._create(PredictedBoxArray, "~/predicted_boxes")
        if values["bearing"]:
            self._bearings = self._create(TargetBearingArray, "~/bearings")
        if places is not None:
            self._ranges = self._create(TargetRangeArray, "~/ranges")
        self._timer = None
        if self._predicts and values["predict_rate_hz"] > 0:
            self._timer = node.create_timer(1.0 / values["predict_rate_hz"], self._on_timer)

    def _create(self, kind: Any, topic: str) -> Any:
        self._publishers.append(self._node.create_publisher(kind, topic, QOS))
        return self._publishers[-1]

    def destroy(self) -> None:
        """Take topics, subscriptions and the timer away."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
        self._inputs.destroy()
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
        if self._places is not None:
            self._places.destroy()
        if self._transforms is not None:
            self._transforms.destroy()

    def take(self, event: Event) -> None:
        """Nothing more goes out of a target that was removed or given up."""
        if event.kind not in (EventKind.REMOVED, EventKind.GIVEN_UP):
            return
        self._motions.forget(event.target_id)
        with self._lock:
            self._surfaces.pop(event.target_id, None)

    def send(self, tracked: Tracked) -> None:
        """Publish what follows from an image's boxes; called by the tracking thread."""
        frame = tracked.frame
        header: Header = frame.message.header
        if tracked.image.size != self._size:
            self._motions.clear()
            self._size = tracked.image.size
        seen = [r for r in tracked.results if r.state is State.TRACKING]
        needs_camera = self._values["bearing"] or self._places or self._values["turning"] != "off"
        camera = self._inputs.camera(self._size) if needs_camera else None
        self._motions.take(tracked.results, 1e-9 * frame.stamp_ns)
        with self._lock:
            self._header, self._camera = header, camera
        if self._predicts:
            if self._timer is None:
                self._send_predictions()
        elif self._values["bearing"]:
            self._send_bearings(header, camera, seen, 1e-9 * frame.stamp_ns)
        if self._places is not None:
            self._send_ranges(header, camera, seen, frame.stamp_ns)

    def _on_timer(self) -> None:
        with self._lock:
            if self._header is None:
                return
        self._send_predictions(is_sparing=True)

    def _send_predictions(self, is_sparing: bool = False) -> None:
        """Predict to now, or ahead; ``is_sparing`` leaves out an empty message after another."""
        with self._lock:
            header, camera = self._header, self._camera
            now_ns = self._clock.now().nanoseconds
            at_ns = now_ns + round(1e6 * self._values["predict_ms"])
            since_s = 1e-9 * now_ns - 1e-3 * self._values["predict_max_ms"]
            targets = self._motions.at(1e-9 * at_ns, since_s)
            if is_sparing and not targets and self._was_empty:
                return
            self._was_empty = not targets
            self._predicted.publish(
                PredictedBoxArray(
                    header=header,
                    predicted_time=ns_to_stamp(at_ns),
                    boxes=[predicted_box(target) for target in targets],
                )
            )
            if not self._values["bearing"]:
                return
            message = TargetBearingArray(header=header, time=ns_to_stamp(at_ns), is_predicted=True)
            for target in targets if camera is not None else ():
                assert camera is not None  # else there are no targets here
                self._add_bearing(message, camera, target, target.prediction.box_xywh)
            self._bearings.publish(message)

    def _send_bearings(
        self, header: Header, camera: CameraModel | None, seen: list[TrackResult], at_s: float
    ) -> None:
        """The directions in the image itself: of its own boxes, with the velocities of late."""
        message = TargetBearingArray(header=header, time=header.stamp)
        boxes = {result.target_id: result.box_xywh for result in seen}
        for target in self._motions.at(at_s, at_s) if camera is not None else ():
            if target.target_id in boxes and camera is not None:
                self._add_bearing(message, camera, target, boxes[target.target_id])
        self._bearings.publish(message)

    @staticmethod
    def _add_bearing(
        message: TargetBearingArray, camera: CameraModel, target: PredictedTarget, box: BoxLike
    ) -> None:
        prediction = target.prediction
        found = bearing_of(camera, box, prediction.velocity, prediction.covariance)
        if found is not None:
            message.bearings.append(target_bearing(target, found))

    def _send_ranges(
        self, header: Header, camera: CameraModel | None, seen: list[TrackResult], stamp_ns: int
    ) -> None:
        assert self._places is not None and self._size is not None  # asked for, by the caller
        message = TargetRangeArray(header=header)
        bearings: dict[str, Bearing] = {}
        depth = None
        if seen and self._values["range_from_depth"]:
            depth = self._inputs.depth(stamp_ns, header.frame_id, self._size)
            if depth is not None:
                message.depth_stamp = depth[0]
        for result in seen if camera is not None else ():
            assert camera is not None  # else there is nothing to go through
            bearing = bearing_of(camera, result.box_xywh, np.zeros(2), np.zeros((4, 4)))
            if bearing is None or bearing.ray[2] <= 0:
                continue
            found = None
            if depth is not None:
                found = self._range_in(depth, result, bearing)
            elif self._values["target_height_m"] > 0:
                found = self._range_by_height(result, bearing)
            if found is not None:
                message.ranges.append(found)
                bearings[result.target_id] = bearing
        self._ranges.publish(message)
        scores = {result.target_id: float(result.score) for result in seen}
        self._places.send(header, message.ranges, bearings, scores)

    def _range_in(
        self, depth: tuple[Any, Any], result: TrackResult, bearing: Bearing
    ) -> TargetRange | None:
        with self._lock:
            follower = self._surfaces.setdefault(result.target_id, DepthFollower())
        view = look_at(depth[1], result.box_xywh)
        surface = follower.choose(view, 1e-9 * stamp_to_ns(depth[0]))
        if surface is None:
            return None
        return target_range(
            result.target_id,
            TargetRange.DEPTH,
            surface.depth_m,
            surface.sigma_m,
            view.valid_share,
            bearing.ray,
        )

    def _range_by_height(self, result: TrackResult, bearing: Bearing) -> TargetRange | None:
        assert self._size is not None  # there was an image
        y, height = float(result.box_xywh[1]), float(result.box_xywh[3])
        if y <= 0 or y + height >= self._size[1]:
            return None  # cut off by the image's edge: it is higher than the box
        found = depth_from_height(bearing, self._values["target_height_m"])
        if found is None:
            return None
        return target_range(result.target_id, TargetRange.KNOWN_HEIGHT, *found, 0.0, bearing.ray)


def predicted_box(target: PredictedTarget) -> PredictedBox:
    """A predicted target as a message."""
    prediction = target.prediction
    x, y, width, height = (float(v) for v in prediction.box_xywh)
    return PredictedBox(
        target_id=target.target_id,
        x=x,
        y=y,
        width=width,
        height=height,
        velocity_x=float(prediction.velocity[0]),
        velocity_y=float(prediction.velocity[1]),
        is_turning_removed=target.is_turning_removed,
        covariance=prediction.covariance.ravel(),
        last_seen=ns_to_stamp(round(1e9 * target.seen_s)),
    )


def target_bearing(target: PredictedTarget, bearing: Bearing) -> TargetBearing:
    """A direction as a message."""
    x, y, z = (float(v) for v in bearing.ray)
    return TargetBearing(
        target_id=target.target_id,
        ray=Vector3(x=x, y=y, z=z),
        azimuth=bearing.azimuth,
        elevation=bearing.elevation,
        azimuth_rate=float(bearing.rates[0]),
        elevation_rate=float(bearing.rates[1]),
        is_turning_removed=target.is_turning_removed,
        covariance=bearing.covariance.ravel(),
        width=bearing.width,
        height=bearing.height,
        last_seen=ns_to_stamp(round(1e9 * target.seen_s)),
    )


def target_range(
    target_id: str,
    source: int,
    depth_m: float,
    sigma_m: float,
    valid_share: float,
    ray: FloatArray,
) -> TargetRange:
    """A range as a message; the ray points forward."""
    x, y, z = (float(v) for v in ray * (depth_m / ray[2]))
    return TargetRange(
        target_id=target_id,
        source=source,
        depth=float(depth_m),
        range=float(depth_m / ray[2]),
        sigma=float(sigma_m),
        valid_share=float(valid_share),
        position=Point(x=x, y=y, z=z),
    )
