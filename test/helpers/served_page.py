"""The page without a node behind it: a tracker that takes every command, and made pictures."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any

import cv2
import numpy as np

from litetrack_ros.page.feed import Answer, Box, Command, Feed, Picture


class StubTracker:
    """Takes every command."""

    def __init__(self) -> None:
        self.able: tuple[str, ...] = ("box", "reset", "enable")
        self.commands: list[Command] = []
        self.watched: list[bool] = []

    def abilities(self) -> tuple[str, ...]:
        return self.able

    def watch(self, is_watched: bool) -> None:
        self.watched.append(is_watched)

    def ask(self, command: Command) -> Future[Answer]:
        self.commands.append(command)
        answered: Future[Answer] = Future()
        answered.set_result(Answer(True, "done"))
        return answered


def jpeg(width: int = 640, height: int = 480) -> bytes:
    """A picture of nothing."""
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.GaussianBlur(picture, (0, 0), 5))[1])


class Served:
    """A page without a node."""

    def __init__(self, links: Any, feed: Feed, tracker: StubTracker) -> None:
        self.links, self.feed, self.tracker = links, feed, tracker
        self.base = links.control.partition("#")[0]
        self.origin = self.base.rstrip("/")
        self._jpeg = jpeg()

    def show(self, content: bytes = b"", size_px: tuple[int, int] = (1280, 960)) -> int:
        """Hand a picture to the page, with one box; its stamp."""
        stamp = time.time_ns()
        self.feed.add_boxes(stamp, [Box("cup", "TRACKING", (10.0, 20.0, 30.0, 40.0), 0.9)])
        self.feed.add_picture(Picture(stamp, content or self._jpeg, *size_px))
        return stamp


def main() -> None:
    """Serve to those with a token; 15 pictures a second. Prints the links, and at the end of the
    input the names of the targets that were selected."""
    from litetrack_ros.page.server import Address, serving

    feed, tracker = Feed("test"), StubTracker()
    ending = threading.Event()
    with serving(feed, tracker, Address("0.0.0.0", 0, ("127.0.0.1",))) as links:
        print(json.dumps(vars(links)), flush=True)
        served = Served(links, feed, tracker)

        def show() -> None:
            while not ending.wait(1 / 15):
                served.show()

        thread = threading.Thread(target=show)
        thread.start()
        sys.stdin.read()
        ending.set()
        thread.join()
    print(json.dumps([command.target_id for command in tracker.commands]))


if __name__ == "__main__":
    main()
