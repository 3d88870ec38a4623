"""``litetrack node select``: drag a box on a live camera topic; the node tracks what is in it."""

import argparse
from dataclasses import dataclass
from typing import Any

from litetrack_ros.dependencies import require

_WINDOW = "litetrack node select"
_WAIT_S = 0.03


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    image: str
    node: str
    compressed: bool
    target_id: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("--image", default="image", metavar="TOPIC", help="of the images")
    parser.add_argument(
        "--node", default="litetrack", metavar="NAME", help="of the tracker node (%(default)s)"
    )
    parser.add_argument(
        "--compressed", action="store_true", help="take the compressed images below TOPIC"
    )
    parser.add_argument("--target-id", default="", metavar="ID", help="name of the target")


def run(request: Request) -> int:
    """Show the window until q, Esc, Ctrl-C or its end."""
    from litetrack_ros.media.windows import check_display, close_windows

    require("rclpy")
    require("litetrack_ros.msg")
    check_display()
    from litetrack_ros.node.select_client import SelectClient
    from litetrack_ros.node.select_view import SelectView

    view = SelectView()
    client = SelectClient(view, request.image, request.node, request.compressed, request.target_id)
    print(f"Waiting for images on {request.image} ...", flush=True)
    try:
        _watch(view, client)
    except KeyboardInterrupt:
        pass
    finally:
        close_windows()
        client.close()
    return 0


def _watch(view: Any, client: Any) -> None:
    """Images and boxes in, mouse and keys out."""
    from litetrack_ros.media.windows import show
    from litetrack_ros.opencv import cv2

    def on_mouse(event: int, x: int, y: int, *_: Any) -> None:
        selection = view.on_mouse(event, x, y)
        if selection is not None and not client.send(selection):
            view.hint = f"there is no tracker node with the service {client.service_name}"
            print(view.hint, flush=True)

    has_window = False
    while client.is_running:
        client.spin(_WAIT_S)
        for line in client.take_answers():
            print(line, flush=True)
        canvas = view.canvas()
        if canvas is None:
            continue
        if not has_window:
            # Without Qt's toolbar, whose tools would take the mouse from the drag.
            cv2.namedWindow(_WINDOW, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
            cv2.setMouseCallback(_WINDOW, on_mouse)
            has_window = True
        if not show(_WINDOW, canvas):
            return
