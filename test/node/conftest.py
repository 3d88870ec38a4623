"""What the tests of the node share: a small model, node processes, and a client on real DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE_PROGRAM = ROOT / "scripts" / "tracker_node"
START_TIMEOUT_S = 40.0


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a small network that was never trained."""
    torch = pytest.importorskip("torch")
    from litetrack_ros.config import ModelConfig, TrackerConfig
    from litetrack_ros.model.checkpoint import save_weights
    from litetrack_ros.model.litetrack import LiteTrack

    torch.manual_seed(0)
    config = ModelConfig(
        name="tiny", embed_dim=64, num_heads=2, fe_layers=1, ai_layers=1, head_channels=16
    )
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_weights(path, LiteTrack(config), TrackerConfig())
    return path


class NodeProcess:
    """A tracker node in a process of its own, with its log."""

    def __init__(self, program: Path, parameters: dict[str, Any], ros_args: list[str]) -> None:
        words = [sys.executable, str(program), "--ros-args", *ros_args]
        for name, value in parameters.items():
            words += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def end(self, number: int = signal.SIGINT, timeout_s: float = 10.0) -> tuple[int, str, float]:
        """Signal the process and wait; exit status, log and seconds. Killed when it hangs."""
        start = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(timeout_s, start)

    def wait(self, timeout_s: float, start: float | None = None) -> tuple[int, str, float]:
        """Wait for the end; as :meth:`end`."""
        start = time.monotonic() if start is None else start
        try:
            log, _ = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            log, _ = self.process.communicate()
            pytest.fail(f"the node did not end within {timeout_s} s:\n{log}")
        return self.process.returncode, log, time.monotonic() - start


@pytest.fixture
def start_node(tiny_model: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Starts tracker nodes; those still running at the end of the test are killed."""
    started: list[NodeProcess] = []

    def start(
        program: Path = NODE_PROGRAM, ros_args: tuple[str, ...] = (), **parameters: Any
    ) -> NodeProcess:
        node = NodeProcess(
            program, {"model": tiny_model, "backend": "torch", **parameters}, list(ros_args)
        )
        started.append(node)
        return node

    yield start
    for node in started:
        if node.process.poll() is None:
            node.process.kill()
        node.process.communicate()


class Client:
    """Publishes images and init boxes, collects boxes, timing and diagnostics."""

    def __init__(self, image_topic: str = "image", name: str = "litetrack") -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

        from litetrack_ros.msg import FrameTiming, InitBox, TrackedBoxArray

        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        self.node = rclpy.create_node("client", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.name = name
        self._service_clients: dict[str, Any] = {}
        reliable = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
        image_type = CompressedImage if image_topic.endswith("/compressed") else Image
        self.images = self.node.create_publisher(image_type, image_topic, reliable)
        self.inits = self.node.create_publisher(InitBox, f"{name}/init_box", reliable)
        self.rois = self.node.create_publisher(RegionOfInterest, f"{name}/init_roi", reliable)
        self.boxes: list[Any] = []
        self.timings: list[Any] = []
        self.diagnostics: list[Any] = []
        for kind, topic, messages in (
            (TrackedBoxArray, f"{name}/tracked_boxes", self.boxes),
            (FrameTiming, f"{name}/timing", self.timings),
            (DiagnosticArray, "/diagnostics", self.diagnostics),
        ):
            self.node.create_subscription(kind, topic, messages.append, reliable)

    def close(self) -> None:
        """End this participant."""
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.shutdown()

    def spin_until(self, condition: Callable[[], Any], timeout_s: float, what: str) -> None:
        """Handle messages until a condition holds; fails after the time."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {timeout_s} s"
            self.executor.spin_once(timeout_sec=0.02)

    def spin_for(self, duration_s: float) -> None:
        """Handle messages for some time."""
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.01)

    def wait_for_node(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the node is active and all topics are matched in both directions."""
        self.spin_until(
            lambda: (
                self.images.get_subscription_count()
                and self.inits.get_subscription_count()
                and self.rois.get_subscription_count()
                and self.node.count_publishers(f"{self.name}/tracked_boxes")
                and self.node.count_publishers(f"{self.name}/timing")
            ),
            timeout_s,
            "the node's topics",
        )

    def send(self, image: np.ndarray, stamp_ns: int, encoding: str = "bgr8") -> None:
        """Publish an array as an image."""
        import array

        from sensor_msgs.msg import Image

        from litetrack_ros.node.messages import ns_to_stamp

        message = Image(height=image.shape[0], width=image.shape[1], encoding=encoding)
        message.header.stamp = ns_to_stamp(stamp_ns)
        message.header.frame_id = "camera"
        message.step = image.strides[0]
        message.data = array.array("B", image.tobytes())
        self.images.publish(message)

    def select(self, box: Any, stamp_ns: int = 0, target_id: str = "") -> None:
        """Publish an init box."""
        from litetrack_ros.msg import InitBox
        from litetrack_ros.node.messages import ns_to_stamp

        x, y, width, height = (float(v) for v in box)
        message = InitBox(target_id=target_id, x=x, y=y, width=width, height=height)
        message.header.stamp = ns_to_stamp(stamp_ns)
        self.inits.publish(message)

    def call(
        self,
        kind: Any,
        service: str,
        request: Any,
        timeout_s: float = START_TIMEOUT_S,
        repeat_s: float | None = None,
    ) -> Any:
        """Call a service of the node.

        A response is lost where the node has not discovered the client yet; a request that may
        safely be made twice is repeated after ``repeat_s``.
        """
        if service not in self._service_clients:
            self._service_clients[service] = self.node.create_client(kind, f"{self.name}/{service}")
        client = self._service_clients[service]
        self.spin_until(client.service_is_ready, timeout_s, service)
        end = time.monotonic() + timeout_s
        while True:
            future = client.call_async(request)
            sent = time.monotonic()
            while not future.done() and (repeat_s is None or time.monotonic() < sent + repeat_s):
                assert time.monotonic() < end, f"{service}: no answer within {timeout_s} s"
                self.executor.spin_once(timeout_sec=0.02)
            if future.done():
                return future.result()

    def boxes_for(self, stamp_ns: int, timeout_s: float = 10.0) -> Any:
        """Wait for the array of an image."""
        found: list[Any] = []

        def arrived() -> bool:
            found[:] = [m for m in self.boxes if stamp_of(m) == stamp_ns]
            return bool(found)

        self.spin_until(arrived, timeout_s, f"boxes of the image stamped {stamp_ns}")
        return found[0]


def stamp_of(message: Any) -> int:
    """The stamp of a message's header, ns."""
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


class LiveNode:
    """A tracker node in this process, spun by a thread, to look into and to call."""

    def __init__(self, parameters: dict[str, Any], opener: Any = None) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.parameter import Parameter

        from litetrack_ros.backends.registry import open_backend
        from litetrack_ros.node.tracker_node import TrackerNode

        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.node = TrackerNode(
            opener or open_backend, context=self.context, parameter_overrides=overrides
        )
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._thread = threading.Thread(target=self.executor.spin, daemon=True)
        self._thread.start()

    def transition(self, label: str) -> bool:
        """Make a transition in the node's own thread; whether it succeeded."""
        from rclpy.lifecycle import TransitionCallbackReturn

        task = self.executor.create_task(getattr(self.node, f"trigger_{label}"))
        end = time.monotonic() + START_TIMEOUT_S
        while not task.done():
            assert time.monotonic() < end, f"{label} took more than {START_TIMEOUT_S} s"
            time.sleep(0.005)
        return bool(task.result() == TransitionCallbackReturn.SUCCESS)

    @property
    def state(self) -> str:
        """The lifecycle state."""
        return self.node.lifecycle_state

    def set(self, name: str, value: Any) -> Any:
        """Set a parameter as the service does; the result."""
        from rclpy.parameter import Parameter

        return self.node.set_parameters([Parameter(name, value=value)])[0]

    def close(self) -> None:
        """End the node and its thread."""
        self.executor.shutdown()
        self._thread.join(5)
        self.node.close()
        self.context.shutdown()


@pytest.fixture
def live_node(tiny_model: Path) -> Iterator[Callable[..., LiveNode]]:
    """Makes nodes in this process."""
    nodes: list[LiveNode] = []

    def make(opener: Any = None, **parameters: Any) -> LiveNode:
        nodes.append(LiveNode({"model": str(tiny_model), "backend": "torch", **parameters}, opener))
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()


@pytest.fixture
def make_client() -> Iterator[Callable[..., Client]]:
    """Makes clients with contexts of their own."""
    clients: list[Client] = []

    def make(**kwargs: Any) -> Client:
        clients.append(Client(**kwargs))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    """A client on the topic ``image``."""
    return make_client()
