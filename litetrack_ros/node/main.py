"""The program `tracker_node`: one tracker node, until SIGINT or SIGTERM."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.dependencies import require
from litetrack_ros.errors import LiteTrackError


def main(
    arguments: Sequence[str] | None = None, opener: Callable[..., Backend] = open_backend
) -> int:
    """Run the node.

    Args:
        arguments: command line with ``--ros-args``; None is the program's own.
        opener: opens the backend; tests pass their own.

    Returns:
        Exit status: 1 where ``autostart`` is on and the node cannot be configured or activated,
        else 0.
    """
    try:
        require("rclpy")
        require("litetrack_ros.msg")
    except LiteTrackError as error:
        print(f"tracker_node: {error}", file=sys.stderr)
        return 2
    from litetrack_ros.node.spin import run_node

    return run_node(arguments, opener)
