"""A lost target comes back through a detection, in the tracking thread; no ROS, no torch."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.geometry import overlap
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.detections import Detected, DetectionHistory, DetectionSet
from litetrack_ros.node.events import Event, EventKind
from litetrack_ros.node.frames import FrameRing, FrameSlot, ReceivedFrame
from litetrack_ros.node.requests import InitRequest, RequestDesk
from litetrack_ros.node.settings import WorkerSettings
from litetrack_ros.node.tracked import Tracked
from litetrack_ros.node.worker import TrackingWorker
from litetrack_ros.tracker.state import State

pytest.importorskip("onnxruntime")

MS = 10**6
SCENE = DrawnScene(frames=1)
FRAME, BOX = SCENE.frame(0), SCENE.box_xywh(0)
EMPTY = np.roll(FRAME, 240, axis=0)[:, ::-1].copy()
EMPTY[:] = EMPTY.mean(axis=(0, 1))  # nothing to be seen


class Camera:
    """A worker, the images and detections it gets, and all that comes out."""

    def __init__(self, reselect: bool) -> None:
        backend = open_backend(ModelChoice(backend="onnx", threads=1))
        config = dataclasses.replace(
            backend.tracker_config, lost_after_frames=2, max_search_scale=1.0, search_crops=0
        )
        self.slot = FrameSlot(FrameRing(60.0, 10**9))
        self.history = DetectionHistory("/detections")
        self.events: list[Event] = []
        self.sent: list[Tracked] = []
        desk = RequestDesk()
        self.worker = TrackingWorker(
            backend,
            WorkerSettings(config, 200.0, 50.0, 1000.0, reselect=reselect),
            1,
            self.slot,
            desk,
            lambda message: ConvertedImage(message.picture, "bgr"),
            self,
            self.history,
        )
        self.worker.start()
        self._stamp_ns = 0
        self.show_picture(FRAME)
        x, y, width, height = (float(v) for v in BOX)
        request = InitRequest(
            "cup", 0, (x, y, width, height), time.perf_counter(), self.slot.newest()
        )
        desk.put(request)
        self.slot.nudge()
        self.until(lambda: request.ending)

    def send(self, tracked: Tracked, settle: Callable[[], None]) -> None:
        settle()
        self.sent.append(tracked)

    def show(self, tracked: Tracked) -> None:
        pass

    def report(self, kind: str, message: str) -> None:
        raise AssertionError(message)

    def recovered(self, kind: str) -> None:
        pass

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.002)

    def show_picture(self, picture: np.ndarray) -> int:
        """The camera's next image; its stamp, once it was processed."""
        self._stamp_ns += 33 * MS
        header = SimpleNamespace(frame_id="camera")
        message = SimpleNamespace(header=header, picture=picture)
        count = len(self.sent)
        self.slot.put(ReceivedFrame(self._stamp_ns, message, 100, time.perf_counter()))
        self.until(lambda: len(self.sent) > count)
        return self._stamp_ns

    def detect(self, stamp_ns: int, *boxes: Any) -> None:
        found = tuple(Detected("", "cup", 0.9, tuple(map(float, box))) for box in boxes)
        self.history.add(DetectionSet(stamp_ns, "camera", time.perf_counter(), found))
        self.slot.nudge()
        time.sleep(0.05)

    @property
    def state(self) -> State:
        return self.worker.targets[0].state


@pytest.mark.parametrize("case", ["found", "off", "another", "another frame"])
def test_a_lost_target_is_followed_again_where_a_detection_shows_it(case: str) -> None:
    # The target is far from where it was: the tracker alone doesn't look there.
    shift = 320 if BOX[0] + BOX[2] / 2 < 320 else -320
    elsewhere = np.roll(FRAME, shift, axis=1)
    there = BOX + np.array([shift, 0.0, 0.0, 0.0])
    camera = Camera(reselect=case != "off")
    try:
        for _ in range(3):
            stamp_ns = camera.show_picture(FRAME)
        other = (20.0, 20.0, 60.0, 50.0)
        camera.detect(stamp_ns, BOX, other)
        assert camera.state is State.TRACKING
        while camera.state is not State.LOST:
            camera.show_picture(EMPTY)
        stamp_ns = camera.show_picture(elsewhere)
        camera.show_picture(elsewhere)
        assert camera.state is State.LOST
        if case == "another frame":
            camera.detect(stamp_ns + MS, there)
        elif case == "another":
            camera.detect(stamp_ns, other)
        else:
            camera.detect(stamp_ns, there, other)
        camera.show_picture(elsewhere)
        camera.show_picture(elsewhere)
        if case != "found":
            assert camera.state is State.LOST
            return
        assert camera.state is State.TRACKING
        assert overlap(camera.sent[-1].results[0].box_xywh, there) > 0.6
        assert camera.events[-1].kind is EventKind.FOUND
        assert camera.events[-1].reason == "a detection looks like it"
    finally:
        camera.worker.stop(5)
