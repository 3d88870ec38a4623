"""What directions, predictions and ranges add to the node's own share: two nodes, side by side.

One node has all of it on, with depth images and a gyroscope, the other none. A camera sends to
both by turns, so that both meet the same load.
"""

import array
import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import CameraInfo, Image, Imu
from std_msgs.msg import Header

from litetrack_ros.config import ModelChoice
from litetrack_ros.files import scratch_folder
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.msg import FrameTiming, InitBox
from litetrack_ros.node.dds import stay_on_this_machine, use_image_profile
from litetrack_ros.node.messages import bgr8_message, ns_to_stamp, stamp_to_ns
from litetrack_ros.replay.camera import WARM_UP
from litetrack_ros.replay.node_process import NodeProcess
from litetrack_ros.replay.session import NODE_NAME, RELIABLE_QOS, TARGET_ID, OwnNode, wait_ready

# Everything that needs no tf2 and no vision_msgs.
ALL_ON: Mapping[str, Any] = {
    "bearing": True,
    "predict_ms": 0.0,
    "predict_rate_hz": 50.0,
    "range_from_depth": True,
    "turning": "imu",
    "turning_rotation": "0,0,0,1",
}
SIDES = ("off", "on")
_FRAMES = 40  # of the scene, played forwards and backwards
_DEPTH_M, _TARGET_M = 8.0, 3.0
_FOCAL = 500.0


class ControlOverhead:
    """The samples of a run, ms, by side.

    Attributes:
        until_boxes: image callback to the return of publish() of the boxes, less the model call.
        until_all: publishing of the image to the arrival of the last message that follows from
            it, less the model call: its timing, or the target's position.
        unanswered: images without that message.
    """

    def __init__(self) -> None:
        self.until_boxes: dict[str, list[float]] = {side: [] for side in SIDES}
        self.until_all: dict[str, list[float]] = {side: [] for side in SIDES}
        self.unanswered = dict.fromkeys(SIDES, 0)

    def growth(self, percentile: float) -> tuple[float, float]:
        """What the side that is on has more at a percentile, ms: until boxes, until all."""
        until_boxes, until_all = (
            float(np.percentile(found["on"], percentile) - np.percentile(found["off"], percentile))
            if all(found.values())
            else float("nan")
            for found in (self.until_boxes, self.until_all)
        )
        return until_boxes, until_all


def measure_control(
    model: ModelChoice, size_px: tuple[int, int], images: int, rate_hz: float
) -> ControlOverhead:
    """Run a camera with depth and both nodes.

    Args:
        model: what the nodes run.
        size_px: width and height of the images.
        images: how many go to each.
        rate_hz: how many go to each in a second.

    Raises:
        ReplayError: a node did not start or died.
    """
    use_image_profile()
    stay_on_this_machine()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch_folder("control_overhead"))
        nodes, sides = [], {}
        for name in SIDES:
            namespace = f"/control_{name}_{os.getpid()}"
            parameters = ALL_ON if name == "on" else {}
            nodes.append(NodeProcess(model, namespace, folder / f"{name}.log", parameters))
            stack.callback(nodes[-1].end)
            sides[name] = _Side(namespace, size_px, is_on=name == "on")
            stack.callback(sides[name].close)
        for side, node in zip(sides.values(), nodes, strict=True):
            wait_ready(side.is_heard, node.check, lambda: "the tracker node is not heard")
        _play(sides, nodes, images, rate_hz, DrawnScene(*size_px, frames=_FRAMES))
        return _summed(sides)


class _Side(OwnNode):
    """A camera before one node."""

    def __init__(self, namespace: str, size_px: tuple[int, int], is_on: bool) -> None:
        super().__init__("robot", namespace)
        self.is_on = is_on
        kinds = {"image": Image, "camera_info": CameraInfo, "depth": Image, "imu": Imu}
        self._publishers = {
            topic: self.node.create_publisher(kind, topic, RELIABLE_QOS)
            for topic, kind in kinds.items()
            if is_on or topic == "image"
        }
        self._inits = self.node.create_publisher(InitBox, f"{NODE_NAME}/init_box", RELIABLE_QOS)
        self.sent_s: dict[int, float] = {}
        self.timings: dict[int, Any] = {}
        self.arrived_s: dict[int, float] = {}
        kind, topic = (PointStamped, "position") if is_on else (FrameTiming, "timing")
        self._subscriptions = [
            self.node.create_subscription(
                FrameTiming, f"{NODE_NAME}/timing", self._on_timing, RELIABLE_QOS
            ),
            self.node.create_subscription(
                kind, f"{NODE_NAME}/{topic}", self._on_last, RELIABLE_QOS
            ),
        ]
        (width, height), self._k = size_px, [_FOCAL, 0.0, 0.0, 0.0, _FOCAL, 0.0, 0.0, 0.0, 1.0]
        self._k[2], self._k[5] = width / 2 - 0.5, height / 2 - 0.5
        self._depth_m = np.full((height, width), _DEPTH_M, np.float32)
        self.start()

    def is_heard(self) -> bool:
        """Whether the node hears us, and we hear it."""
        publishers = (*self._publishers.values(), self._inits)
        return all(p.get_subscription_count() for p in publishers) and all(
            self.node.count_publishers(s.topic_name) for s in self._subscriptions
        )

    def send(self, picture: Any, box_xywh: tuple[float, ...], is_first: bool) -> None:
        """A picture, and what comes beside it."""
        header = Header(stamp=ns_to_stamp(time.time_ns()), frame_id="camera")
        x, y, width, height = box_xywh
        if is_first:
            self._inits.publish(
                InitBox(header=header, target_id=TARGET_ID, x=x, y=y, width=width, height=height)
            )
        if self.is_on:
            self._send_beside(header, [max(0, round(v)) for v in (x, y, x + width, y + height)])
        message = bgr8_message(header, picture)
        self.sent_s[stamp_to_ns(header.stamp)] = time.perf_counter()
        self._publishers["image"].publish(message)

    def _send_beside(self, header: Header, corners: list[int]) -> None:
        left, top, right, bottom = corners
        depth_m = self._depth_m.copy()
        depth_m[top:bottom, left:right] = _TARGET_M
        rows, columns = depth_m.shape
        info = CameraInfo(header=header, width=columns, height=rows, k=self._k)
        info.distortion_model, info.d = "plumb_bob", [-0.1, 0.01, 0.0, 0.0, 0.0]
        self._publishers["camera_info"].publish(info)
        self._publishers["imu"].publish(Imu(header=header))
        message = Image(header=header, width=columns, height=rows, encoding="32FC1")
        message.step = 4 * columns
        message.data = array.array("B", depth_m.tobytes())
        self._publishers["depth"].publish(message)

    def _on_timing(self, message: Any) -> None:
        self.timings[stamp_to_ns(message.header.stamp)] = message

    def _on_last(self, message: Any) -> None:
        self.arrived_s[stamp_to_ns(message.header.stamp)] = time.perf_counter()


def _play(
    sides: Mapping[str, _Side],
    nodes: list[NodeProcess],
    images: int,
    rate_hz: float,
    scene: DrawnScene,
) -> None:
    pictures = [scene.frame(index) for index in range(_FRAMES)]
    boxes = [tuple(float(v) for v in scene.box_xywh(index)) for index in range(_FRAMES)]
    due_s = time.perf_counter()
    for number in range(images):
        index = number % (2 * _FRAMES - 2)
        index = min(index, 2 * _FRAMES - 2 - index)  # to and fro: the target never jumps
        for side in sides.values():
            time.sleep(max(0.0, due_s - time.perf_counter()))
            due_s = max(due_s, time.perf_counter() - 0.5 / rate_hz) + 0.5 / rate_hz
            side.send(pictures[index], boxes[index], number == 0)
        for node in nodes:
            node.check()
    time.sleep(1.0)


def _summed(sides: Mapping[str, _Side]) -> ControlOverhead:
    found = ControlOverhead()
    for name, side in sides.items():
        for stamp in list(side.sent_s)[WARM_UP:]:
            timing, arrived_s = side.timings.get(stamp), side.arrived_s.get(stamp)
            if timing is None or arrived_s is None:
                found.unanswered[name] += 1
                continue
            found.until_boxes[name].append(timing.total_ms - timing.model_ms)
            found.until_all[name].append(1e3 * (arrived_s - side.sent_s[stamp]) - timing.model_ms)
    return found
