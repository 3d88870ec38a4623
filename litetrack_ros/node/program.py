"""The program `tracker_node`: one tracker node, until SIGINT or SIGTERM."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.errors import LiteTrackError


def main(
    arguments: Sequence[str] | None = None, opener: Callable[[ModelChoice], Backend] = open_backend
) -> int:
    """Run the node.

    Args:
        arguments: command line with ``--ros-args``; None is the program's own.
        opener: opens the backend; tests pass their own.

    Returns:
        Exit status: 1 where ``autostart`` is on and the node cannot be configured or activated,
        2 where ROS is missing, else 0.
    """
    try:
        require("rclpy")
        require("litetrack_ros.msg")
    except LiteTrackError as error:
        print(f"tracker_node: {error}", file=sys.stderr)
        return 2
    from litetrack_ros.node.spin import run_node

    return run_node(arguments, opener)


def run_program(opener: Callable[[ModelChoice], Backend] = open_backend) -> NoReturn:
    """Run the node as this whole process, and leave as soon as it has been taken apart.

    Python's own end would unload PyTorch or the GPU's libraries piece by piece, which takes
    seconds on a busy robot; nothing is left for it to do.
    """
    status = main(opener=opener)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
