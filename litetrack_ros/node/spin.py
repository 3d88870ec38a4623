"""Runs a tracker node in this process until it is told to end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from litetrack_ros.node.tracker_node import BackendOpener, TrackerNode

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_POLL_S = 0.1  # how late a signal may be noticed
# Python lets a thread run this long while another waits. Its own 5 ms are a sixth of a camera's
# period, by which an image's callback would be late while the worker computes.
_SWITCH_INTERVAL_S = 0.0005


def run_node(arguments: Sequence[str] | None, opener: BackendOpener) -> int:
    """Start a node, spin it, and take it apart; returns the exit status.

    rclpy's own signal handlers shut ROS down in a thread of theirs, while this one takes the node
    apart: that ended in a crash now and then. Here signals only say that it is time to go.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    is_ending = threading.Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: is_ending.set())
    rclpy.init(
        args=None if arguments is None else list(arguments),
        signal_handler_options=SignalHandlerOptions.NO,
    )
    node = TrackerNode(opener)
    try:
        if node.get_parameter("autostart").value and not _start(node, is_ending):
            return 1
        _spin(node, is_ending)
    finally:
        node.close()
        rclpy.try_shutdown()
    return 0


def _start(node: TrackerNode, is_ending: threading.Event) -> bool:
    """Configure and activate; False if the node refuses."""
    for transition in (node.trigger_configure, node.trigger_activate):
        if is_ending.is_set():
            return True
        if transition() != TransitionCallbackReturn.SUCCESS:
            return False
    return True


def _spin(node: TrackerNode, is_ending: threading.Event) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not is_ending.is_set():
            try:
                executor.spin_once(timeout_sec=_POLL_S)
            except RuntimeError as error:
                # rclpy lets a lifecycle transition that is not possible in the present state
                # (say, activate before configure) end the whole program.
                node.get_logger().error(f"a request failed: {error}")
    finally:
        executor.shutdown(timeout_sec=0)
