"""The ring of recent frames and the one-frame slot: bounds, counts, threads."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litetrack_ros.node.frames import Fate, FrameRing, FrameSlot, ReceivedFrame


def _frame(stamp_ns: int, size_bytes: int = 100) -> ReceivedFrame:
    return ReceivedFrame(stamp_ns, None, size_bytes, time.perf_counter())


def _slot() -> FrameSlot:
    return FrameSlot(FrameRing(5, 10**6))


def test_the_ring_is_bounded_in_number() -> None:
    ring = FrameRing(max_frames=3, max_bytes=10**6)
    for stamp in range(5):
        ring.append(_frame(stamp))
    assert [frame.stamp_ns for frame in ring.frames] == [2, 3, 4]
    assert ring.size_bytes == 300


def test_the_ring_is_bounded_in_bytes_but_holds_the_newest() -> None:
    ring = FrameRing(max_frames=10, max_bytes=250)
    for stamp in range(4):
        ring.append(_frame(stamp))
    assert [frame.stamp_ns for frame in ring.frames] == [2, 3]
    ring.append(_frame(9, size_bytes=10**6))
    assert [frame.stamp_ns for frame in ring.frames] == [9]


def test_a_backward_jump_clears_the_ring_and_equal_stamps_do_not() -> None:
    ring = FrameRing(10, 10**6)
    jumps = [ring.append(_frame(stamp)) for stamp in (5, 6, 6, 2, 3)]
    assert jumps == [False, False, False, True, False]
    assert [frame.stamp_ns for frame in ring.frames] == [2, 3]


@given(
    sizes=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 400)), max_size=60),
    max_frames=st.integers(1, 8),
    max_bytes=st.integers(1, 1000),
)
def test_the_ring_never_exceeds_its_bounds(
    sizes: list[tuple[int, int]], max_frames: int, max_bytes: int
) -> None:
    ring = FrameRing(max_frames, max_bytes)
    for stamp, size in sizes:
        ring.append(_frame(stamp, size))
        frames = ring.frames
        assert len(frames) <= max_frames
        assert ring.size_bytes == sum(frame.size_bytes for frame in frames)
        assert ring.size_bytes <= max_bytes or len(frames) == 1
        stamps = [frame.stamp_ns for frame in frames]
        assert stamps == sorted(stamps)
        assert frames[-1].stamp_ns == stamp


def test_the_newest_frame_wins() -> None:
    slot = _slot()
    frames = [_frame(stamp) for stamp in range(3)]
    for frame in frames:
        slot.put(frame)
    assert slot.take() is frames[2]
    assert slot.take() is None
    slot.settle(frames[2], Fate.PROCESSED)
    counts = slot.counts
    assert (counts.received, counts.replaced, counts.processed, counts.waiting) == (3, 2, 1, 0)


def test_frames_passed_are_those_after_it_without_the_waiting_one() -> None:
    slot = _slot()
    frames = [_frame(stamp) for stamp in range(4)]
    for frame in frames:
        slot.put(frame)
    assert slot.passed_since(frames[0]) == frames[1:3]
    slot.take()
    assert slot.passed_since(frames[0]) == frames[1:]


def test_closing_ignores_what_waits_and_what_comes() -> None:
    slot = _slot()
    slot.put(_frame(1))
    slot.close()
    slot.put(_frame(2))
    slot.count_unusable()
    assert (slot.counts.received, slot.counts.ignored) == (3, 3)
    assert slot.held == (0, 0)
    assert slot.take() is None
    slot.open()
    slot.put(_frame(3))
    slot.count_unusable()
    assert slot.counts.rejected == 1
    assert slot.take() is not None


def test_a_rejected_frame_leaves_the_ring() -> None:
    slot = _slot()
    frame = _frame(1)
    slot.put(frame)
    slot.take()
    slot.settle(frame, Fate.REJECTED)
    assert slot.held == (0, 0)
    assert slot.newest() is None


@pytest.mark.parametrize("what", ["frame", "nudge", "nothing"])
def test_waiting_ends_with_work_or_time(what: str) -> None:
    slot = _slot()
    wake = {
        "frame": lambda: slot.put(_frame(1)),
        "nudge": slot.nudge,
        "nothing": lambda: None,
    }[what]
    timer = threading.Timer(0.05, wake)
    timer.start()
    start = time.monotonic()
    slot.wait(0.4)
    waited_s = time.monotonic() - start
    timer.join()
    assert (waited_s >= 0.4) == (what == "nothing")


def test_every_frame_is_counted_once_with_a_camera_and_a_worker_thread() -> None:
    slot = _slot()
    done = threading.Event()

    def work() -> None:
        while not done.is_set() or slot.counts.waiting:
            slot.wait(0.01)
            frame = slot.take()
            if frame is not None:
                slot.settle(frame, Fate.REJECTED if frame.stamp_ns % 7 == 0 else Fate.PROCESSED)

    thread = threading.Thread(target=work)
    thread.start()
    for stamp in range(2000):
        slot.put(_frame(stamp))
        if stamp == 1500:
            slot.close()
    done.set()
    thread.join()
    counts = slot.counts
    assert counts.received == 2000
    assert counts.ignored >= 499
    assert counts.received == (
        counts.processed + counts.replaced + counts.caught_up + counts.rejected + counts.ignored
    )
