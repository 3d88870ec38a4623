"""The ring of recent frames and the one-frame slot: bounds, counts, threads."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litetrack_ros.node.frames import Fate, FrameRing, FrameSlot, ReceivedFrame


def _frame(stamp_ns: int, size_bytes: int = 100, arrival_s: float | None = None) -> ReceivedFrame:
    arrival_s = time.perf_counter() if arrival_s is None else arrival_s
    return ReceivedFrame(stamp_ns, None, size_bytes, arrival_s)


def _slot() -> FrameSlot:
    return FrameSlot(FrameRing(5.0, 10**6))


@pytest.mark.parametrize("by_stamp", [True, False])
def test_the_ring_is_bounded_in_seconds(by_stamp: bool) -> None:
    ring = FrameRing(max_s=3.0, max_bytes=10**6)
    for index in range(150):
        stamp_ns = index * 100_000_000 if by_stamp else index
        ring.append(_frame(stamp_ns, arrival_s=0.0 if by_stamp else index * 0.1))
    assert len(ring) in (32, 33)  # 3 s, and a moment for the box to come


def test_the_ring_is_bounded_in_bytes_but_holds_the_newest() -> None:
    ring = FrameRing(max_s=10.0, max_bytes=250)
    for stamp in range(4):
        ring.append(_frame(stamp))
    assert [frame.stamp_ns for frame in ring.frames] == [2, 3]
    ring.append(_frame(9, size_bytes=10**6))
    assert [frame.stamp_ns for frame in ring.frames] == [9]


def test_a_backward_jump_clears_the_ring_and_equal_stamps_do_not() -> None:
    ring = FrameRing(10.0, 10**6)
    jumps = [ring.append(_frame(stamp)) for stamp in (5, 6, 6, 2, 3)]
    assert jumps == [False, False, False, True, False]
    assert [frame.stamp_ns for frame in ring.frames] == [2, 3]


@given(
    sizes=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 400)), max_size=60),
    max_s=st.floats(0.0, 5.0),
    max_bytes=st.integers(1, 1000),
)
def test_the_ring_never_exceeds_its_bounds(
    sizes: list[tuple[int, int]], max_s: float, max_bytes: int
) -> None:
    ring = FrameRing(max_s, max_bytes)
    for stamp, size in sizes:
        ring.append(_frame(stamp, size, arrival_s=float(stamp)))
        frames = ring.frames
        assert frames[-1].arrival_s - frames[0].arrival_s <= max_s + 0.25
        assert ring.size_bytes == sum(frame.size_bytes for frame in frames)
        assert ring.size_bytes <= max_bytes or len(frames) == 1
        stamps = [frame.stamp_ns for frame in frames]
        assert stamps == sorted(stamps)
        assert frames[-1].stamp_ns == stamp


def test_old_frames_are_reduced_before_they_go() -> None:
    ring = FrameRing(max_s=3.0, max_bytes=10_000)
    for index in range(200):
        frame = _frame(index * 33_333_333, 1000, arrival_s=index / 30)
        ring.append(frame)
        frame.fate = Fate.PROCESSED
        while (old := ring.to_reduce()) is not None:
            assert not old.is_small
            ring.replace(old, "small", 60)
    frames = ring.frames
    assert len(frames) >= 90
    assert ring.size_bytes == sum(frame.size_bytes for frame in frames) <= 10_000
    kinds = [frame.is_small for frame in frames]
    assert kinds == sorted(kinds, reverse=True)  # the old ones are small
    assert not any(kinds[-2:])
    assert 60 <= ring.small_bytes <= 10_000 / 90


def test_whole_frames_never_fill_the_room_of_those_to_come() -> None:
    """Else the process stays as large as it was before the first ones were reduced."""
    ring, whole = FrameRing(max_s=3.0, max_bytes=10_000), []
    for index in range(200):
        frame = _frame(index * 33_333_333, 500, arrival_s=index / 30)
        ring.append(frame)
        frame.fate = Fate.PROCESSED
        while (old := ring.to_reduce()) is not None:
            ring.replace(old, "small", 60)
        whole.append(sum(not held.is_small for held in ring.frames))
    assert max(whole) <= max(whole[100:]) + 4  # what comes before the rate is known
    slow = FrameRing(max_s=3.0, max_bytes=10_000)
    for index in range(30):
        frame = _frame(index * 200_000_000, 300, arrival_s=index / 5)
        slow.append(frame)
        frame.fate = Fate.PROCESSED
        assert slow.to_reduce() is None  # all of the time fit as they are


def test_a_frame_that_waits_or_is_in_work_is_not_reduced() -> None:
    ring = FrameRing(max_s=30.0, max_bytes=1000)
    for index in range(5):
        ring.append(_frame(index, 190))
    assert ring.to_reduce() is None
    ring.frames[1].fate = Fate.PROCESSED
    assert ring.to_reduce() is ring.frames[1]


@pytest.mark.parametrize("is_in_work", [True, False])
def test_results_come_before_old_frames_are_reduced_unless_they_take_long(is_in_work: bool) -> None:
    slot = FrameSlot(FrameRing(max_s=30.0, max_bytes=1000))
    for index in range(5):
        slot.put(_frame(index, 190, arrival_s=0.5 * index))
        frame = slot.take()
        assert frame is not None
        if index < 4 or not is_in_work:
            slot.settle(frame, Fate.PROCESSED)
    start = time.monotonic()
    found = slot.wait_to_reduce(0.0)
    assert found is not None and found[0] is slot.frames()[0]
    assert (time.monotonic() - start >= 0.6 * 0.5) == is_in_work


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
