"""The player: times kept, stamps unique, bytes as they were."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rosbags")

from litetrack_ros.replay.player import InitBox, Player, StampSource
from litetrack_ros.replay.records import PlayedMessage, ReplayedFrame
from litetrack_ros.replay.stamps import read_stamp_ns

BODY = b"pixels"
INIT = InitBox(1, (1.0, 2.0, 3.0, 4.0))


def _messages(count: int, period_s: float) -> Iterator[PlayedMessage]:
    for index in range(count):
        data = b"\x00\x01\x00\x00" + struct.pack("<iI", 5, index) + BODY
        yield PlayedMessage(index, index, 5 * 10**9 + index, index * period_s, data)


class Heard:
    """What a player did, in order."""

    def __init__(self) -> None:
        self.frames: list[ReplayedFrame] = []
        self.sent: list[tuple[str, int]] = []
        self.bodies: set[bytes] = set()
        self.player = Player(self._publish, self._select, self.frames.append, lambda: None)

    def _publish(self, data: bytes) -> None:
        self.sent.append(("image", read_stamp_ns(data)))
        self.bodies.add(data[12:])

    def _select(self, init: InitBox, stamp_ns: int) -> None:
        self.sent.append(("init", stamp_ns))


def test_frames_are_sent_at_their_times_with_unique_stamps() -> None:
    heard = Heard()
    heard.player.play_recorded(_messages(20, 0.01), None, lambda frame: True)
    planned = np.array([frame.planned_s for frame in heard.frames])
    published = np.array([frame.published_s for frame in heard.frames])
    assert np.diff(planned) == pytest.approx(0.01)
    assert (published >= planned).all()
    stamps = [stamp for what, stamp in heard.sent if what == "image"]
    assert len(set(stamps)) == 20
    assert abs(stamps[-1] - time.time_ns()) < 5e9
    assert heard.bodies == {BODY}
    assert [frame.stamp_ns for frame in heard.frames] == stamps
    assert [frame.recorded_ns for frame in heard.frames] == [5 * 10**9 + i for i in range(20)]


@pytest.mark.parametrize("period_s", [0.01, 0.15])
def test_the_init_box_goes_before_its_image_with_the_same_stamp(period_s: float) -> None:
    heard = Heard()
    heard.player.play_recorded(_messages(3, period_s), INIT, lambda frame: True)
    assert [what for what, _ in heard.sent] == ["image", "init", "image", "image"]
    assert heard.sent[1][1] == heard.sent[2][1]
    assert sorted(stamp for _, stamp in heard.sent) == [stamp for _, stamp in heard.sent]


def test_an_init_frame_that_was_lost_is_sent_again_and_time_stands_still() -> None:
    heard = Heard()
    answers = iter([False, True])
    heard.player.play_recorded(_messages(3, 0.05), INIT, lambda frame: next(answers))
    assert [what for what, _ in heard.sent] == ["image", "init", "image", "init", "image", "image"]
    assert heard.sent[1][1] == heard.sent[2][1] != heard.sent[3][1] == heard.sent[4][1]
    last, again = heard.frames[-1], heard.frames[-2]
    assert last.planned_s - again.planned_s == pytest.approx(0.05, abs=0.02)
    assert last.published_s >= last.planned_s


def test_lockstep_waits_for_every_frame() -> None:
    heard = Heard()
    waited: list[tuple[str, int]] = []
    heard.player.play_lockstep(
        _messages(3, 0.0),
        INIT,
        lambda frame: waited.append(("answer", frame.index)),
        lambda frame: waited.append(("selection", frame.index)),
    )
    assert waited == [("answer", 0), ("answer", 1), ("selection", 1), ("answer", 2)]


def test_stamps_increase_whatever_the_clock_does() -> None:
    times = iter([100, 100, 90, 500])
    source = StampSource(lambda: next(times))
    assert [source.next_ns() for _ in range(4)] == [100, 101, 102, 500]
