"""What the tests of the node share: nodes in and out of this process, clients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ros_client import START_TIMEOUT_S, Client

ROOT = Path(__file__).resolve().parents[2]
NODE_PROGRAM = ROOT / "scripts" / "tracker_node"


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


class LiveNode:
    """A tracker node in this process, spun by a thread, to look into and to call."""

    def __init__(
        self, parameters: dict[str, Any], opener: Any = None, ros_args: Sequence[str] = ()
    ) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.parameter import Parameter

        from litetrack_ros.backends.registry import open_backend
        from litetrack_ros.node.tracker_node import TrackerNode

        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=["test", "--ros-args", *ros_args])
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
        """End the node and its thread; once is enough."""
        if not self.context.ok():
            return
        self.executor.shutdown()
        self._thread.join(5)
        self.node.close()
        self.context.shutdown()


@pytest.fixture
def live_node(tiny_model: Path) -> Iterator[Callable[..., LiveNode]]:
    """Makes nodes in this process."""
    nodes: list[LiveNode] = []

    def make(opener: Any = None, ros_args: Sequence[str] = (), **parameters: Any) -> LiveNode:
        parameters = {"model": str(tiny_model), "backend": "torch", **parameters}
        nodes.append(LiveNode(parameters, opener, ros_args))
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
