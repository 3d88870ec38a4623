"""What a page needs around it in tests: a scene before a camera, a node, the page's own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from litetrack_ros.config import ModelChoice
from litetrack_ros.media.scene import DrawnScene

DATA = "document.getElementById('canvas').dataset"
IS_GREY = "document.getElementById('canvas').classList.contains('stale')"
IS_LIVE = (
    f"{DATA}.stamp && !{IS_GREY} && document.getElementById('link').textContent == 'connected'"
)


class SceneCamera:
    """Publishes the demo's scene from a thread, and can be stopped and started."""

    def __init__(self, namespace: str, size_px: tuple[int, int] = (640, 480), fps: float = 15.0):
        from sensor_msgs.msg import Image

        from litetrack_ros.replay.session import RELIABLE_QOS, OwnNode

        self._own = OwnNode("scene_camera", namespace)
        self._publisher = self._own.node.create_publisher(Image, "image", RELIABLE_QOS)
        self.scene = DrawnScene(*size_px, frames=150)
        self._pictures = [self.scene.frame(index) for index in range(0, 150, 2)]
        self._fps = fps
        self._is_on = threading.Event()
        self._is_on.set()
        self._is_ending = False
        self.is_still = False  # one picture again and again, as of a thing that stands still
        self.stamps: dict[int, int] = {}  # stamp in ns -> index in the scene
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        from std_msgs.msg import Header

        from litetrack_ros.node.messages import bgr8_message, ns_to_stamp

        count, due_s = 0, time.perf_counter()
        while not self._is_ending:
            if not self._is_on.wait(0.1):
                continue
            time.sleep(max(0.0, due_s - time.perf_counter()))
            due_s = max(due_s, time.perf_counter() - 1 / self._fps) + 1 / self._fps
            # There and back again: no jump where the scene ends.
            index = count % (2 * len(self._pictures) - 2)
            index = min(index, 2 * len(self._pictures) - 2 - index)
            count += not self.is_still
            stamp_ns = time.time_ns()
            self.stamps[stamp_ns] = 2 * index
            header = Header(stamp=ns_to_stamp(stamp_ns), frame_id="camera")
            self._publisher.publish(bgr8_message(header, self._pictures[index]))

    def truth(self, stamp_ns: int) -> list[float]:
        """The target's true box ``x y w h`` in the picture with a stamp, px."""
        return [float(v) for v in self.scene.box_xywh(self.stamps[stamp_ns])]

    def stop(self) -> None:
        """No more pictures."""
        self._is_on.clear()

    def go_on(self) -> None:
        """Pictures again."""
        self._is_on.set()

    def close(self) -> None:
        """End it."""
        self._is_ending = True
        self._thread.join(3)
        self._own.close()


class PageProcess:
    """``litetrack page`` in a process of its own; its first address is ``url``."""

    def __init__(self, namespace: str, *arguments: str, port: int = 0) -> None:
        words = [sys.executable, "-m", "litetrack_ros.tools.main", "page", "--port", str(port)]
        words += ["--node", f"{namespace}/litetrack", "--diagnostics", f"{namespace}/diagnostics"]
        self.process = subprocess.Popen(
            [*words, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
            found = re.search(r"https?://\S+", line)
            if found:
                self.url = found[0]
                return
        raise AssertionError(f"the page did not start:\n{self.printed}")

    def end(self) -> str:
        """End it as Ctrl-C does; what it printed."""
        self.process.send_signal(2)
        rest, _ = self.process.communicate(timeout=20)
        return self.printed + rest


def start_tracker(namespace: str, log_path: Path, **parameters: Any) -> Any:
    """A tracker node with the shipped model, in a process of its own."""
    from litetrack_ros.replay.node_process import NodeProcess

    return NodeProcess(ModelChoice(), namespace, log_path, parameters)


def own_namespace() -> str:
    """A namespace that no other test uses."""
    return f"/page_{os.getpid()}_{time.monotonic_ns() % 100000}"


def frame_of(browser: Any, width_px: int = 640) -> tuple[float, float, float]:
    """Left and top edge of the picture in the window, and CSS px to a pixel of the image."""
    browser.evaluate("document.getElementById('canvas').scrollIntoView()")
    left, top, width = browser.evaluate(
        "(r => [r.x, r.y, r.width])(document.getElementById('canvas').getBoundingClientRect())"
    )
    return left, top, width / width_px


def select_target(browser: Any, camera: SceneCamera, name: str = "") -> None:
    """Wait for a live picture, and drag a box around the scene's target."""
    browser.wait(IS_LIVE, 60)
    browser.evaluate(f"document.getElementById('target').value = {name!r}")
    camera.is_still = True
    time.sleep(0.7)  # what is shown now stands still too
    x, y, w, h = camera.truth(int(browser.evaluate(f"{DATA}.stamp")))
    left, top, scale = frame_of(browser, camera.scene.width)
    start, end = (x, y), (x + w, y + h)
    browser.drag(*((left + scale * px, top + scale * py) for px, py in (start, end)))
    camera.is_still = False
