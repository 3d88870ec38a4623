"""``litetrack page``: the operator's page for a running tracker node, in a browser."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.dependencies import require
from litetrack_ros.tools.arguments import add_page_arguments


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    node: str
    diagnostics: str
    use_sim_time: bool
    host: str
    port: int
    name: tuple[str, ...]
    cert: Path | None
    key: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "--node", default="/litetrack", metavar="NAME", help="of the tracker node (%(default)s)"
    )
    parser.add_argument(
        "--diagnostics", default="/diagnostics", metavar="TOPIC", help="(%(default)s)"
    )
    parser.add_argument("--use-sim-time", action="store_true", help="take the time from /clock")
    add_page_arguments(parser)


def run(request: Request) -> int:
    """Serve until Ctrl-C."""
    require("rclpy")
    require("litetrack_ros.msg")
    require("aiohttp")
    from litetrack_ros.page.bridge import Bridge
    from litetrack_ros.page.server import Address, announce, serving

    address = Address(request.host, request.port, request.name, request.cert, request.key)
    bridge = Bridge(request.node, request.diagnostics, request.use_sim_time)
    try:
        with serving(bridge.feed, bridge, address) as links:
            print(announce(links), flush=True)
            bridge.spin()
    finally:
        bridge.close()
    return 0
