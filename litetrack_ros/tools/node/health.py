"""``litetrack node health``: is a running node active and without an ERROR? For health checks."""

import argparse
from dataclasses import dataclass

from litetrack_ros.dependencies import require

EXIT_UNHEALTHY = 1


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    node: str
    listen: float
    timeout: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "--node", default="/litetrack", metavar="NAME", help="full name (%(default)s)"
    )
    parser.add_argument(
        "--listen",
        type=float,
        default=3.0,
        metavar="S",
        help="listen to its diagnostics so long (%(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=5.0,
        metavar="S",
        help="wait for its state so long (%(default)s)",
    )


def run(request: Request) -> int:
    """Ask, say what was found, and end with status 1 where the node is not healthy."""
    require("rclpy")
    from litetrack_ros.node.health import check

    health = check(request.node, request.listen, request.timeout)
    print(f"{'healthy' if health.is_healthy else 'unhealthy'}: {health.reason}")
    return 0 if health.is_healthy else EXIT_UNHEALTHY
