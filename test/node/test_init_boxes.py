"""Which frame a track starts on, and which requests wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litetrack_ros.node.frames import ReceivedFrame
from litetrack_ros.node.init_boxes import InitChoice, choose_frame, name_fault
from litetrack_ros.node.requests import InitRequest

MS = 10**6


def _frames(*stamps_ms: int) -> list[ReceivedFrame]:
    return [
        ReceivedFrame(stamp * MS, None, 1, float(index)) for index, stamp in enumerate(stamps_ms)
    ]


def _request(
    stamp_ms: int, newest: ReceivedFrame | None = None, target_id: str = "a"
) -> InitRequest:
    return InitRequest(target_id, stamp_ms * MS, (0.0, 0.0, 1.0, 1.0), 0.0, newest)


@pytest.mark.parametrize(
    ("stamps_ms", "asked_ms", "waited_ms", "chosen_ms", "refusal"),
    [
        # the frame with the stamp, wherever it is in the ring
        ((100, 133, 166), 133, 0, 133, ""),
        ((100, 133, 166), 100, 0, 100, ""),
        ((100, 133, 166), 166, 0, 166, ""),
        # between two frames: the nearest within the tolerance of 20 ms
        ((100, 133, 166), 140, 0, 133, ""),
        ((100, 133, 166), 160, 0, 166, ""),
        ((100, 300), 200, 0, None, "the nearest is 100.0 ms away, more than init_stamp_tol"),
        # before the oldest
        ((100, 133), 90, 0, 100, ""),
        ((100, 133), 50, 0, None, "its image is gone: the oldest of the 2 held is 50 ms younger"),
        # not there yet: wait, then the nearest, then refuse
        ((100, 133), 140, 0, None, ""),
        ((), 140, 499, None, ""),
        ((100, 133), 140, 501, 133, ""),
        ((100, 133), 999, 501, None, "its stamp is 866 ms after that of the newest image"),
        ((), 140, 501, None, "no image has come within 500 ms"),
    ],
)
def test_the_frame_of_a_stamp(
    stamps_ms: tuple[int, ...], asked_ms: int, waited_ms: float, chosen_ms: int | None, refusal: str
) -> None:
    choice = choose_frame(_request(asked_ms), _frames(*stamps_ms), 20.0, waited_ms, 500.0)
    assert (choice.frame and choice.frame.stamp_ns) == (chosen_ms and chosen_ms * MS)
    assert refusal in choice.refusal
    assert bool(refusal) == bool(choice.refusal)


def test_a_frame_that_was_held_when_it_was_asked_for_may_leave_the_ring() -> None:
    first, *later = _frames(100, 3200, 3400)
    request = _request(100)
    assert "its image is gone" in choose_frame(request, later, 20.0, 900.0, 500.0).refusal
    request.meant = first
    assert choose_frame(request, later, 20.0, 900.0, 500.0).frame is first


def test_stamp_zero_is_the_newest_frame_when_it_was_asked() -> None:
    frames = _frames(100, 133, 166)
    choice = choose_frame(_request(0, newest=frames[1]), frames, 20.0, 0.0, 500.0)
    assert choice.frame is frames[1]


def test_stamp_zero_without_an_image_is_the_next_one_within_the_wait() -> None:
    request = _request(0)
    assert choose_frame(request, [], 20.0, 499.0, 500.0).frame is None
    assert not choose_frame(request, [], 20.0, 499.0, 500.0).refusal
    frames = [ReceivedFrame(stamp * MS, None, 1, 0.1 + 1e-3 * stamp) for stamp in (500, 533)]
    assert choose_frame(request, frames, 20.0, 499.0, 500.0).frame is frames[0]
    assert "no image has come within 500 ms" in choose_frame(request, [], 20.0, 501, 500.0).refusal


def test_stamp_zero_while_the_camera_is_silent_is_not_an_old_image() -> None:
    old = ReceivedFrame(100 * MS, None, 1, arrival_s=4.0)
    request = InitRequest("a", 0, (0.0, 0.0, 1.0, 1.0), 10.0, old)
    assert choose_frame(request, [old], 20.0, 0.0, 500.0) == InitChoice()
    new = ReceivedFrame(6100 * MS, None, 1, arrival_s=10.1)
    assert choose_frame(request, [old, new], 20.0, 100.0, 500.0).frame is new
    assert "the newest is 6.5 s old" in choose_frame(request, [old], 20.0, 501.0, 500.0).refusal


def test_one_image_from_a_wrong_clock_does_not_end_what_waits() -> None:
    request = _request(200)
    odd = ReceivedFrame(3_600_000 * MS, None, 1, 2.0)
    assert choose_frame(request, [*_frames(100, 133), odd], 20.0, 100.0, 500.0) == InitChoice()
    assert choose_frame(request, [odd], 20.0, 100.0, 500.0) == InitChoice()
    right = _frames(200)  # the jump back has cleared the ring
    assert choose_frame(request, right, 20.0, 133.0, 500.0).frame is right[0]
    next_odd = ReceivedFrame(3_600_033 * MS, None, 1, 3.0)
    assert choose_frame(request, [odd, next_odd], 20.0, 133.0, 500.0).refusal
    assert choose_frame(request, [*_frames(100, 133), odd], 20.0, 501.0, 500.0).refusal


def test_of_equal_stamps_the_latest_frame_is_taken() -> None:
    frames = _frames(100, 100)
    assert choose_frame(_request(100), frames, 20.0, 0.0, 500.0).frame is frames[1]


@given(
    stamps_ms=st.lists(st.integers(1, 1000), max_size=20).map(sorted),
    asked_ms=st.integers(1, 1100),
    tolerance_ms=st.floats(0, 100),
    waited_ms=st.floats(0, 1000),
)
def test_a_chosen_frame_is_the_nearest_and_within_the_tolerance(
    stamps_ms: list[int], asked_ms: int, tolerance_ms: float, waited_ms: float
) -> None:
    frames = _frames(*stamps_ms)
    choice = choose_frame(_request(asked_ms), frames, tolerance_ms, waited_ms, 500.0)
    assert not (choice.frame and choice.refusal)
    away_ms = min((abs(stamp - asked_ms) for stamp in stamps_ms), default=None)
    if choice.frame is not None:
        assert abs(choice.frame.stamp_ns / MS - asked_ms) == away_ms
        assert away_ms == 0 or away_ms <= tolerance_ms
    elif choice.refusal:
        assert away_ms is None or away_ms > tolerance_ms
    else:
        assert waited_ms <= 500
        newest_ms = stamps_ms[-1] if stamps_ms else 0
        is_odd = stamps_ms[-2:-1] < [asked_ms] and newest_ms > asked_ms + 500
        assert newest_ms < asked_ms or is_odd


@pytest.mark.parametrize(
    ("target_id", "fault"),
    [
        ("", ""),
        ("the red cup 3", ""),
        ("ü" * 32, ""),
        ("x" * 64, ""),
        ("x" * 65, "longer than 64 bytes"),
        ("ü" * 33, "longer than 64 bytes"),
        ("x" * 10**7, "longer than 64 bytes"),
        ("a\n[ERROR] forged", "control characters"),
        ("a\x1b[31m", "control characters"),
        ("a\u2028b", "control characters"),
        ("a\u202eb", "control characters"),
        ("a\0", "control characters"),
    ],
)
def test_which_ids_a_target_may_have(target_id: str, fault: str) -> None:
    found = name_fault("target id", target_id)
    assert fault in found and bool(found) == bool(fault)
