"""The program `tracker_node`: one tracker node, until SIGINT or SIGTERM.

ROS is imported when the program runs, so that it can say what is missing of it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.errors import LiteTrackError, shown
from litetrack_ros.node.stderr_filter import bounded_stderr
from litetrack_ros.node.stuck_process import end_on_sigquit, ending_when_stuck

if TYPE_CHECKING:
    from litetrack_ros.node.tracker_node import TrackerNode

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_POLL_S = 0.1  # how late a signal may be noticed
# Python lets a thread run this long while another waits. Its own 5 ms are a sixth of a camera's
# period, by which an image's callback would be late while the worker computes.
_SWITCH_INTERVAL_S = 0.0005


def main(
    arguments: Sequence[str] | None = None,
    opener: Callable[[ModelChoice], Backend] = open_backend,
    beat: Callable[[float], None] = lambda _: None,
) -> int:
    """Run the node: start it, spin it, and take it apart.

    rclpy's own signal handlers shut ROS down in a thread of theirs, while this one takes the node
    apart: that ended in a crash now and then. Here signals only say that it is time to go.

    Args:
        arguments: command line with ``--ros-args``; None is the program's own.
        opener: opens the backend; tests pass their own.
        beat: as of :class:`litetrack_ros.node.tracker_node.TrackerNode`.

    Returns:
        Exit status: 1 where ``autostart`` is on and the node cannot be configured or activated,
        2 where ROS is missing, 3 where a call does not return or a GPU has failed, else 0.
    """
    try:
        rclpy = require("rclpy")
        require("litetrack_ros.msg")
    except LiteTrackError as error:
        print(f"tracker_node: {error}", file=sys.stderr)
        return 2
    from rclpy.signals import SignalHandlerOptions

    from litetrack_ros.node.tracker_node import TrackerNode

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    is_ending = threading.Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: is_ending.set())
    rclpy.init(
        args=None if arguments is None else list(arguments),
        signal_handler_options=SignalHandlerOptions.NO,
    )
    node = TrackerNode(opener, beat)
    try:
        if node.get_parameter("autostart").value and not _start(node, is_ending):
            return 1
        _spin(node, is_ending)
        if node.is_stuck:
            # Nothing is taken apart: what does not return may hold what that takes.
            signal.raise_signal(signal.SIGQUIT)
    finally:
        node.close()
        rclpy.try_shutdown()
    return 0


def run_program(opener: Callable[[ModelChoice], Backend] = open_backend) -> NoReturn:
    """Run the node as this whole process, and leave as soon as it has been taken apart.

    Python's own end would unload PyTorch or the GPU's libraries piece by piece, which takes
    seconds on a busy robot; nothing is left for it to do.
    """
    with bounded_stderr(), ending_when_stuck() as beat:
        end_on_sigquit()
        status = main(opener=opener, beat=beat)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _start(node: TrackerNode, is_ending: threading.Event) -> bool:
    """Configure and activate; False if the node refuses."""
    from rclpy.lifecycle import TransitionCallbackReturn

    for transition in (node.trigger_configure, node.trigger_activate):
        if is_ending.is_set():
            return True
        if transition() != TransitionCallbackReturn.SUCCESS:
            return False
    return True


def _spin(node: TrackerNode, is_ending: threading.Event) -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not is_ending.is_set() and not node.is_stuck:
            try:
                executor.spin_once(timeout_sec=_POLL_S)
            except RuntimeError as error:
                # rclpy lets what a callback of its own raises end the whole program.
                text = shown(f"a request failed: {error}", 500)
                node.get_logger().error(text, throttle_duration_sec=_POLL_S * 50)
    finally:
        executor.shutdown(timeout_sec=0)
