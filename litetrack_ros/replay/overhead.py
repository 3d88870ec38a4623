"""Measures the node against the least that a node could do, in one run and on the same machine.

A camera sends images by turns to the tracker node and to a bare subscriber, so that both meet the
same load, and neither waits for the other's copy.
"""

from __future__ import annotations

import array
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from litetrack_ros.errors import ReplayError
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.msg import FrameTiming, InitBox
from litetrack_ros.node.messages import ns_to_stamp
from litetrack_ros.replay.node_process import NodeProcess

READY_TIMEOUT_S = 60.0
WARM_UP = 10  # images of each that are not counted
_SENSOR_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_RELIABLE_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


@dataclass(frozen=True)
class Overhead:
    """The samples of a run, ms.

    Attributes:
        overhead_ms: image callback to the return of publish(), less the model call.
        model_ms: the model call.
        node_transport_ms: stamp to callback, of the node.
        bare_transport_ms: stamp to callback, of the bare subscriber.
        sent: images sent to each.
    """

    overhead_ms: list[float]
    model_ms: list[float]
    node_transport_ms: list[float]
    bare_transport_ms: list[float]
    sent: int


def measure_overhead(
    parameters: Mapping[str, bool | int | float | str],
    size_px: tuple[int, int],
    images: int,
    rate_hz: float,
) -> Overhead:
    """Run camera, tracker node and bare subscriber.

    Args:
        parameters: of the tracker node.
        size_px: width and height of the images.
        images: how many go to each.
        rate_hz: how many go to each in a second.

    Raises:
        ReplayError: a process did not start or died.
    """
    namespace = f"/litetrack_overhead_{os.getpid()}"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = NodeProcess(parameters, namespace, folder / "node.log")
        stack.callback(node.end)
        bare = subprocess.Popen(
            [sys.executable, "-m", "litetrack_ros.replay.bare_subscriber", f"{namespace}/bare"],
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(bare.kill)
        camera = _Camera(namespace)
        stack.callback(camera.close)
        camera.wait_ready(node)
        camera.run(node, size_px, images, rate_hz)
        bare.send_signal(signal.SIGINT)
        output, _ = bare.communicate(timeout=20)
        counted = camera.timings[WARM_UP:]
        return Overhead(
            overhead_ms=[t.total_ms - t.model_ms for t in counted],
            model_ms=[t.model_ms for t in counted],
            node_transport_ms=[t.age_ms - t.total_ms + t.publish_ms for t in counted],
            bare_transport_ms=[float(line) for line in output.split()][WARM_UP:],
            sent=images,
        )


class _Camera:
    """Publishes to both sides and collects the node's timing."""

    def __init__(self, namespace: str) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("camera", namespace=namespace, context=self._context)
        self._publishers = [
            self._node.create_publisher(Image, topic, _SENSOR_QOS) for topic in ("image", "bare")
        ]
        self._inits = self._node.create_publisher(InitBox, "litetrack/init_box", _RELIABLE_QOS)
        self.timings: list[Any] = []
        self._node.create_subscription(
            FrameTiming, "litetrack/timing", self.timings.append, _RELIABLE_QOS
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def wait_ready(self, node: NodeProcess) -> None:
        """Wait until node and bare subscriber hear the camera."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not (
            all(publisher.get_subscription_count() for publisher in self._publishers)
            and self._inits.get_subscription_count()
            and self._node.count_publishers(f"{self._node.get_namespace()}/litetrack/timing")
        ):
            node.check()
            if time.monotonic() > deadline_s:
                raise ReplayError(f"node and bare subscriber not ready in {READY_TIMEOUT_S:g} s")
            time.sleep(0.05)

    def run(self, node: NodeProcess, size_px: tuple[int, int], images: int, rate_hz: float) -> None:
        """Send images by turns, the first to either going by turns too."""
        scene = DrawnScene(*size_px, frames=40)
        pictures = [scene.frame(index).tobytes() for index in range(len(scene))]
        x, y, width, height = (float(v) for v in scene.box_xywh(0))
        self._inits.publish(InitBox(x=x, y=y, width=width, height=height))
        message = Image(height=size_px[1], width=size_px[0], encoding="bgr8", step=3 * size_px[0])
        due_s = time.perf_counter()
        half_period_s = 0.5 / rate_hz
        for index in range(images):
            message.data = array.array("B")
            message.data.frombytes(pictures[index % len(pictures)])
            for publisher in self._publishers:
                time.sleep(max(0.0, due_s - time.perf_counter()))
                due_s = max(due_s, time.perf_counter() - half_period_s) + half_period_s
                message.header.stamp = ns_to_stamp(time.time_ns())
                publisher.publish(message)
            node.check()
        time.sleep(1.0)

    def close(self) -> None:
        """End the participant."""
        self._executor.shutdown(timeout_sec=2)
        self._context.try_shutdown()
        self._thread.join(2)
        self._node.destroy_node()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()


def measure_receiving(size_px: tuple[int, int], images: int) -> dict[str, list[float]]:
    """Time of taking an image out of DDS, ms: as a message, and raw without decoding anything."""
    context = rclpy.Context()
    rclpy.init(context=context, args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("receiving", context=context, start_parameter_services=False)
    try:
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        topic = f"litetrack_receiving_{os.getpid()}"
        publisher = node.create_publisher(Image, topic, qos)
        subscriptions = {
            name: node.create_subscription(Image, topic, _ignore, qos, raw=name == "raw")
            for name in ("message", "raw")
        }
        message = Image(height=size_px[1], width=size_px[0], encoding="bgr8", step=3 * size_px[0])
        message.data = array.array("B", np.zeros(3 * size_px[0] * size_px[1], np.uint8).tobytes())
        taken: dict[str, list[float]] = {name: [] for name in subscriptions}
        while publisher.get_subscription_count() < len(subscriptions):
            time.sleep(0.05)
        for index in range(images):
            publisher.publish(message)
            time.sleep(0.03)
            for name in sorted(subscriptions, reverse=bool(index % 2)):
                handle = subscriptions[name].handle
                with handle:
                    start = time.perf_counter()
                    found = handle.take_message(Image, name == "raw")
                    if found is not None:
                        taken[name].append(1e3 * (time.perf_counter() - start))
        return taken
    finally:
        node.destroy_node()
        context.try_shutdown()


def _ignore(_: Any) -> None:
    """Messages are taken by hand."""
