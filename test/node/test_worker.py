"""The tracking thread without ROS: what goes out, what is counted, what becomes of init boxes."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from litetrack_ros.errors import ImageError
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.events import Event, EventKind
from litetrack_ros.node.frames import FrameRing, FrameSlot, ReceivedFrame
from litetrack_ros.node.requests import InitRequest, Outcome, RequestDesk
from litetrack_ros.node.settings import WorkerSettings
from litetrack_ros.node.tracked import Tracked
from litetrack_ros.node.worker import TrackingWorker
from litetrack_ros.tracker.point_boxes import propose_boxes
from litetrack_ros.tracker.state import State

pytest.importorskip("torch")

from delaying_backend import DelayingBackend

MS = 10**6
SCENE = DrawnScene(320, 240, frames=60)


class Rig:
    """A worker with its inputs, and everything that came out of it."""

    def __init__(self, backend: Any, max_targets: int = 1, **settings: Any) -> None:
        defaults = {
            "tracker_config": backend.tracker_config,
            "catch_up_max_ms": 500.0,
            "init_stamp_tolerance_ms": 20.0,
            "init_wait_ms": 300.0,
        }
        self.backend = backend
        self.slot = FrameSlot(FrameRing(60.0, 10**9))
        self.ended: list[InitRequest] = []
        self.events: list[Event] = []
        self.desk = RequestDesk(self.ended.append)
        self.desk.max_targets = max_targets
        self.sent: list[Tracked] = []
        self.reports: list[tuple[str, str]] = []
        self.worker = TrackingWorker(
            backend,
            WorkerSettings(**{**defaults, **settings}),
            max_targets,
            self.slot,
            self.desk,
            self.convert,
            self,
        )
        self.worker.start()

    @staticmethod
    def convert(message: Any) -> ConvertedImage:
        if message is None:
            raise ImageError("no picture")
        return ConvertedImage(message, "bgr")

    def send(self, tracked: Tracked, settle: Callable[[], None]) -> None:
        settle()
        self.sent.append(tracked)

    def show(self, tracked: Tracked) -> None:
        pass

    def report(self, kind: str, message: str) -> None:
        self.reports.append((kind, message))

    def recovered(self, kind: str) -> None:
        pass

    def tell(self, event: Event) -> None:
        self.events.append(event)

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """Target and reason of the requests refused."""
        refused = [r for r in self.ended if r.ending and r.ending.outcome is Outcome.REFUSED]
        return [(r.target_id, r.ending.reason) for r in refused if r.ending]

    @property
    def accepted(self) -> int:
        return self.desk.counts.accepted

    def put(self, index: int, image: Any = "scene") -> None:
        image = SCENE.frame(index % 60) if isinstance(image, str) else image
        self.slot.put(ReceivedFrame((index + 1) * 33 * MS, image, 100, time.perf_counter()))

    def select(
        self, index: int | None, target_id: str = "", box: Any = None, is_point: bool = False
    ) -> None:
        stamp_ns = 0 if index is None else (index + 1) * 33 * MS
        newest, meant = self.slot.seen(stamp_ns)
        box = tuple(SCENE.box_xywh((index or 0) % 60)) if box is None else box
        request = InitRequest(
            target_id,
            stamp_ns,
            box,
            time.perf_counter(),
            newest,
            meant=meant,
            image_size=self.worker.image_size,
            is_point=is_point,
        )
        self.desk.put(request)
        self.slot.nudge()

    def until(self, condition: Callable[[], Any], timeout_s: float = 10.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"not in time; reports: {self.reports}"
            time.sleep(0.002)

    def step(self, index: int) -> Tracked:
        """Put a frame and wait until it was sent."""
        count = len(self.sent)
        self.put(index)
        self.until(lambda: len(self.sent) > count)
        return self.sent[-1]

    def assert_every_frame_counted(self, received: int) -> None:
        self.until(lambda: self.slot.counts.waiting == 0)
        counts = vars(self.slot.counts).copy()
        assert counts.pop("received") == received == sum(counts.values())
        assert counts["processed"] == len(self.sent)


@pytest.fixture(scope="module")
def backend(tiny_model: Path) -> DelayingBackend:
    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.config import ModelChoice

    return DelayingBackend(open_backend(ModelChoice(str(tiny_model), backend="torch")), 0.0)


@pytest.fixture
def make_rig(backend: DelayingBackend) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(delay_s: float = 0.0, **kwargs: Any) -> Rig:
        backend.delay_s, backend.searches = delay_s, 0
        rigs.append(Rig(backend, **kwargs))
        return rigs[-1]

    yield make
    for rig in rigs:
        assert rig.worker.stop(5.0)


def _library_boxes(backend: Any, first: int, last: int) -> list[np.ndarray]:
    from litetrack_ros.tracker.tracker import Tracker

    tracker = Tracker(backend)
    tracker.init(SCENE.frame(first), SCENE.box_xywh(first))
    results = [tracker.update(SCENE.frame(index)) for index in range(first + 1, last + 1)]
    return [result.box_xywh for result in results if result is not None]


def test_no_target_gives_an_empty_result_for_every_frame(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    assert all(rig.step(index).results == () for index in range(5))
    rig.assert_every_frame_counted(5)


def test_init_on_the_next_image_sends_the_init_box_as_initialising(
    make_rig: Callable[..., Rig], backend: DelayingBackend
) -> None:
    rig = make_rig()
    rig.select(None, "a")
    first = rig.step(0).results[0]
    assert (first.state, first.target_id) == (State.INITIALISING, "a")
    np.testing.assert_array_equal(first.box_xywh, SCENE.box_xywh(0))
    second = rig.step(1).results[0]
    assert second.state is State.TRACKING
    np.testing.assert_allclose(second.box_xywh, _library_boxes(backend, 0, 1)[0])


def test_init_on_an_old_image_catches_up_to_the_librarys_box(
    make_rig: Callable[..., Rig], backend: DelayingBackend
) -> None:
    rig = make_rig(catch_up_max_ms=10_000.0)
    for index in range(8):
        rig.step(index)
    rig.select(2)
    rig.until(lambda: rig.accepted == 1 and rig.worker.targets)
    assert rig.worker.targets[0].state is State.INITIALISING
    result = rig.step(8).results[0]
    np.testing.assert_allclose(result.box_xywh, _library_boxes(backend, 2, 8)[-1])
    assert backend.searches == 6 + 6  # frames 3 to 8: here, and in the library just now
    rig.assert_every_frame_counted(9)
    assert rig.slot.counts.caught_up == 0  # all of them had been sent


def test_images_that_come_while_catching_up_are_counted_apart_and_not_sent(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(delay_s=0.03, catch_up_max_ms=2000.0)
    for index in range(5):
        rig.step(index)
    rig.select(0)
    for index in range(5, 17):
        time.sleep(0.02)
        rig.put(index)
    rig.until(lambda: rig.sent[-1].frame.stamp_ns == 17 * 33 * MS)
    counts = rig.slot.counts
    assert counts.caught_up > 0
    rig.assert_every_frame_counted(17)
    assert rig.sent[-1].results[0].state is State.TRACKING


def test_catching_up_ends_in_time_when_the_model_is_slow(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(delay_s=0.05, catch_up_max_ms=200.0)
    for index in range(40):
        rig.step(index)
    start = time.perf_counter()
    rig.select(0)
    rig.until(lambda: rig.worker.targets)
    took_ms = 1e3 * (time.perf_counter() - start)
    assert 1 <= rig.backend.searches <= 4
    assert took_ms < 200 + 150  # and the template, and a busy machine


def test_requests_at_once_share_the_time_in_which_each_is_answered(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(delay_s=0.03, catch_up_max_ms=400.0, init_wait_ms=300.0, max_targets=10)
    for index in range(40):
        rig.put(index)
        time.sleep(0.002)
    start = time.perf_counter()
    for index in range(10):
        rig.select(0, str(index))
    rig.until(lambda: rig.accepted == 10)
    took_ms = 1e3 * (time.perf_counter() - start)
    caught_up = [r.ending.caught_up for r in rig.ended if r.ending]
    assert took_ms < 300 + 400 + 200  # else 10 times 400
    assert min(caught_up) >= 1


@pytest.mark.parametrize(
    ("index", "box", "reason"),
    [
        (0, (float("nan"), 0, 10, 10), "not finite"),
        (0, (10, 10, 0, 10), "no positive width"),
        (0, (5000, 10, 10, 10), "outside the 320x240 image"),
        (90, None, "no later image has come within 300 ms"),
    ],
)
def test_refused_boxes_say_why_and_leave_the_target_alone(
    make_rig: Callable[..., Rig], index: int, box: Any, reason: str
) -> None:
    rig = make_rig()
    rig.select(None, "kept")
    rig.step(0)
    rig.step(1)
    rig.select(index, "bad", box)
    rig.until(lambda: rig.refusals)
    assert rig.refusals[0][0] == "bad"
    assert reason in rig.refusals[0][1]
    assert [r.target_id for r in rig.step(2).results] == ["kept"]
    assert (rig.accepted, len(rig.refusals)) == (1, 1)


def test_a_stamp_long_gone_is_refused(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    for index in range(100, 103):
        rig.step(index)
    rig.select(3)
    rig.until(lambda: rig.refusals)
    assert "its image is gone" in rig.refusals[0][1]


def test_a_box_that_comes_before_its_image_waits_for_it(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.step(0)
    rig.select(1)
    time.sleep(0.05)
    assert rig.step(1).results[0].state is State.INITIALISING


def test_with_one_target_another_id_replaces_it(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.select(None, "a")
    rig.step(0)
    rig.select(None, "b")
    rig.until(lambda: rig.accepted == 2)
    assert [r.target_id for r in rig.step(1).results] == ["b"]


def test_several_targets_share_one_model_call(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(max_targets=2)
    rig.step(0)
    for name in ("a", "b"):
        rig.select(0, name)
        rig.until(lambda: not rig.desk.waiting())
    rig.select(0, "c")
    rig.until(lambda: rig.refusals)
    assert "max_targets = 2 targets are being tracked" in rig.refusals[0][1]
    searches = rig.backend.searches
    assert [r.target_id for r in rig.step(1).results] == ["a", "b"]
    assert rig.backend.searches == searches + 1
    rig.select(1, "a")  # the same id starts anew
    rig.until(lambda: rig.accepted == 3)
    assert [r.target_id for r in rig.step(2).results] == ["a", "b"]


def test_after_dropping_nothing_old_is_sent_though_the_model_was_at_work(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(delay_s=0.15)
    rig.select(None)
    rig.step(0)
    rig.put(1)
    rig.until(lambda: rig.backend.searches == 1)
    rig.worker.drop_targets("dropped")
    before = len(rig.sent)
    rig.until(lambda: len(rig.sent) > before)
    assert rig.sent[-1].results == ()
    assert rig.step(2).results == ()


def test_nothing_is_sent_while_closed(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(delay_s=0.1)
    rig.select(None)
    rig.step(0)
    rig.put(1)
    rig.until(lambda: rig.backend.searches == 1)
    rig.slot.close()
    rig.worker.drop_targets("dropped")
    rig.put(2)
    rig.until(lambda: rig.slot.counts.waiting == 0)
    assert (len(rig.sent), rig.slot.counts.ignored) == (1, 2)
    rig.slot.open()
    assert rig.step(3).results == ()


def test_damaged_images_and_a_failing_backend_are_reported_and_survived(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    rig.select(None)
    rig.step(0)
    rig.put(1, image=None)
    rig.until(lambda: rig.reports)
    assert rig.reports[-1] == ("image_rejected", "image rejected: no picture")

    def fail(*_: Any) -> Any:
        raise MemoryError("the device\nis full")

    with monkeypatch.context() as patched:
        patched.setattr(rig.backend, "search", fail)
        rig.put(2)
        rig.until(lambda: len(rig.reports) == 2)
    kind, message = rig.reports[-1]
    assert kind == "tracking_failed"
    assert message.startswith("tracking failed: MemoryError: the device is full (")
    assert rig.step(3).results[0].state is State.TRACKING
    rig.assert_every_frame_counted(4)
    assert rig.slot.counts.rejected == 2


def test_a_slow_model_gets_the_newest_image_and_every_image_is_counted(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(delay_s=0.05)
    rig.select(None)
    for index in range(60):
        rig.put(index)
        time.sleep(0.01)
    rig.assert_every_frame_counted(60)
    assert rig.slot.counts.replaced > 20
    assert rig.sent[-1].frame.stamp_ns == 60 * 33 * MS


def test_a_flood_of_init_boxes_does_not_stop_the_boxes(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.step(0)
    done = threading.Event()

    def flood() -> None:
        while not done.is_set():
            rig.select(None)
            time.sleep(0.001)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for index in range(1, 15):
            rig.step(index)
    finally:
        done.set()
        thread.join()
    assert rig.accepted > 5


def test_thresholds_change_while_it_runs(make_rig: Callable[..., Rig]) -> None:
    import dataclasses

    rig = make_rig()
    rig.select(None)
    rig.step(0)
    assert rig.step(1).results[0].state is State.TRACKING
    config = dataclasses.replace(
        rig.backend.tracker_config,
        lost_threshold=1.0,
        found_threshold=1.0,
        lost_after_frames=1,
        idle_after_frames=2,
    )
    rig.worker.change(WorkerSettings(config, 500.0, 20.0, 300.0))
    lost = rig.step(2).results[0]
    assert lost.state is State.LOST
    np.testing.assert_array_equal(rig.step(3).results[0].box_xywh, lost.box_xywh)
    assert rig.step(4).results == ()  # given up


def _kinds(rig: Rig) -> list[tuple[EventKind, str]]:
    return [(event.kind, event.target_id) for event in rig.events]


def test_a_removed_target_goes_and_the_others_stay(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(max_targets=2)
    rig.step(0)
    for name in ("a", "b"):
        rig.select(0, name)
        rig.until(lambda: not rig.desk.counts.open)
    rig.step(1)
    assert rig.worker.drop_target("a", "removed")
    assert not rig.worker.drop_target("a", "removed")
    assert [r.target_id for r in rig.step(2).results] == ["b"]
    rig.select(2, "c")  # there is room again
    rig.until(lambda: rig.accepted == 3)
    assert (EventKind.REMOVED, "a") in _kinds(rig)


def test_a_request_dropped_in_work_is_not_adopted(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(delay_s=0.05, catch_up_max_ms=5000.0)
    for index in range(20):
        rig.step(index)
    rig.select(0)
    rig.until(lambda: rig.backend.searches > 2)
    rig.worker.drop_targets("the node was disabled")
    ending = rig.ended[0].ending
    assert ending is not None and ending.outcome is Outcome.DROPPED
    assert rig.step(20).results == ()
    assert rig.accepted == 0
    assert rig.backend.searches < 10  # catching up ended


@pytest.mark.parametrize("drop", ["drop_targets", "drop_target", ""])
def test_a_tap_after_a_target_was_dropped_is_a_first_one(
    make_rig: Callable[..., Rig], drop: str
) -> None:
    rig = make_rig()
    x, y, width, height = SCENE.box_xywh(0)
    boxes = []
    for index in range(2):
        rig.step(2 * index)
        rig.select(2 * index, "cup", (x + width / 2, y + height / 2, 0.0, 0.0), is_point=True)
        rig.until(lambda wanted=index + 1: rig.accepted == wanted)
        boxes.append(rig.ended[-1].ending.box_xywh)
        if drop == "drop_targets":
            rig.worker.drop_targets("reset")
        elif drop:
            assert rig.worker.drop_target("cup", "removed")
    first = [
        tuple(c.box_xywh) for c in propose_boxes(SCENE.frame(2), (x + width / 2, y + height / 2))
    ]
    assert boxes[1] == pytest.approx(first[0 if drop else 1])


def test_the_end_of_a_request_says_where_the_target_started(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(catch_up_max_ms=10_000.0)
    for index in range(6):
        rig.step(index)
    rig.select(2, "a")
    rig.until(lambda: rig.ended)
    ending = rig.ended[0].ending
    assert ending is not None and ending.outcome is Outcome.ACCEPTED
    assert (ending.stamp_ns, ending.caught_up) == (3 * 33 * MS, 3)
    np.testing.assert_allclose(ending.box_xywh, SCENE.box_xywh(2))
    rig.step(6)
    rig.step(7)
    assert _kinds(rig) == [(EventKind.TRACKING, "a")]


def test_a_backend_that_fails_at_the_start_refuses_the_request(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    rig.step(0)

    def fail(*_: Any) -> Any:
        raise MemoryError("the device is full")

    monkeypatch.setattr(rig.backend, "encode_template", fail)
    rig.select(0)
    rig.until(lambda: rig.refusals)
    assert "MemoryError: the device is full" in rig.refusals[0][1]


def test_a_target_lost_for_too_long_is_given_up_and_frees_its_slot(
    make_rig: Callable[..., Rig],
) -> None:
    import dataclasses

    rig = make_rig(lost_timeout_s=0.2)
    rig.select(None, "a")
    rig.step(0)
    rig.step(1)
    config = dataclasses.replace(
        rig.backend.tracker_config, lost_threshold=1.0, found_threshold=1.0, lost_after_frames=1
    )
    rig.worker.change(WorkerSettings(config, 500.0, 20.0, 300.0, lost_timeout_s=0.2))
    assert rig.step(2).results[0].state is State.LOST
    time.sleep(0.25)
    assert rig.step(3).results == ()
    assert rig.step(4).results == ()
    kinds = [EventKind.TRACKING, EventKind.LOST, EventKind.GIVEN_UP]
    assert _kinds(rig) == [(kind, "a") for kind in kinds]
    assert "lost_timeout_s" in rig.events[-1].reason


def _half(index: int) -> np.ndarray:
    return np.ascontiguousarray(SCENE.frame(index)[::2, ::2])


def test_images_of_another_size_and_the_same_aspect_scale_the_targets(
    make_rig: Callable[..., Rig], backend: DelayingBackend
) -> None:
    from litetrack_ros.tracker.tracker import MultiTracker

    library = MultiTracker(backend)
    library.init(SCENE.frame(0), SCENE.box_xywh(0))
    library.update(SCENE.frame(1))
    library.rescale(0.5, 0.5)
    expected = library.update(_half(2))[0].box_xywh
    rig = make_rig()
    rig.select(None, "a")
    rig.step(0)
    rig.step(1)
    rig.put(2, _half(2))
    rig.until(lambda: len(rig.sent) == 3)
    np.testing.assert_allclose(rig.sent[-1].results[0].box_xywh, expected)
    assert (EventKind.RESCALED, "a") in _kinds(rig)
    assert "from 320x240 to 160x120" in rig.events[-1].reason


def test_images_of_another_aspect_end_the_targets_with_both_sizes(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig()
    rig.select(None, "a")
    rig.step(0)
    rig.step(1)
    rig.put(2, np.zeros((240, 240, 3), np.uint8))
    rig.until(lambda: len(rig.sent) == 3)
    assert rig.sent[-1].results == ()
    assert rig.events[-1].kind is EventKind.GIVEN_UP
    assert "from 320x240 to 240x240" in rig.events[-1].reason
    assert rig.step(3).results == ()


def test_a_waiting_box_is_scaled_to_the_image_that_came(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.step(0)
    rig.select(1, "a", box=tuple(SCENE.box_xywh(1)))
    rig.put(1, _half(1))
    rig.until(lambda: rig.accepted)
    rig.until(lambda: len(rig.sent) == 2)
    expected = np.array(SCENE.box_xywh(1)) / 2
    np.testing.assert_allclose(rig.sent[-1].results[0].box_xywh, expected)
    assert (EventKind.RESCALED, "a") in _kinds(rig)


def test_a_box_that_waits_for_an_image_of_another_aspect_is_refused(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig()
    rig.step(0)
    rig.select(1, "a")
    rig.put(1, np.zeros((240, 240, 3), np.uint8))
    rig.until(lambda: rig.refusals)
    assert "from 320x240 to 240x240" in rig.refusals[0][1]


@pytest.mark.parametrize("size", [(120, 90), (40, 30), (640, 480)])
def test_a_held_box_lies_in_the_image_though_that_changed(
    make_rig: Callable[..., Rig], backend: DelayingBackend, size: tuple[int, int]
) -> None:
    """A score below the threshold holds the box; the image it was in was 320x240."""
    config = dataclasses.replace(
        backend.tracker_config, lost_threshold=1.0, found_threshold=1.0, lost_after_frames=2
    )
    rig = make_rig(tracker_config=config)
    rig.put(0)
    rig.select(0, box=(250.0, 180.0, 50.0, 40.0))
    rig.until(lambda: any(tracked.results for tracked in rig.sent))
    states = set()
    for index in range(1, 5):
        count = len(rig.sent)
        rig.put(index, np.zeros((size[1], size[0], 3), np.uint8))
        rig.until(lambda count=count: len(rig.sent) > count)
        (result,) = rig.sent[-1].results
        x, y, width, height = result.box_xywh
        assert 0 <= x < x + width <= size[0] and 0 <= y < y + height <= size[1]
        states.add(result.state)
    assert State.LOST in states
