"""Runs a tracker node in this process until it is told to end."""

from __future__ import annotations

from collections.abc import Sequence

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn

from litetrack_ros.node.tracker_node import BackendOpener, TrackerNode


def run_node(arguments: Sequence[str] | None, opener: BackendOpener) -> int:
    """Start a node, spin it, and take it apart; returns the exit status."""
    rclpy.init(args=None if arguments is None else list(arguments))
    node: TrackerNode | None = None
    try:
        node = TrackerNode(opener)
        if node.get_parameter("autostart").value and not _start(node):
            return 1
        _spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        if node is not None:
            node.close()
        if rclpy.ok():
            rclpy.shutdown()
    return 0


def _start(node: TrackerNode) -> bool:
    success = TransitionCallbackReturn.SUCCESS
    if node.trigger_configure() != success:
        return not rclpy.ok()
    return node.trigger_activate() == success or not rclpy.ok()


def _spin(node: TrackerNode) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok():
            try:
                executor.spin()
            except RuntimeError as error:
                # rclpy lets a lifecycle transition that is not possible in the present state
                # (say, activate before configure) end the whole program.
                if not rclpy.ok():
                    return
                node.get_logger().error(f"a request failed: {error}")
    finally:
        executor.shutdown(timeout_sec=0)
