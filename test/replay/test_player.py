"""The player: times kept, stamps unique, bytes as they were. The collector: answers by stamp."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags")

from made_bags import make_bag

from litetrack_ros.errors import BagError
from litetrack_ros.replay.bag_reader import Bag, read_stamp_ns
from litetrack_ros.replay.fates import COUNTS, STAGES, ReplayedFrame
from litetrack_ros.replay.player import (
    PATIENCE_S,
    Collector,
    InitialTarget,
    Player,
    StampSource,
    at_rate,
    preload,
)
from litetrack_ros.replay.playlist import PlayedMessage, Playlist

BODY = b"pixels"
INIT = InitialTarget(1, (1.0, 2.0, 3.0, 4.0))
NEVER = INIT._replace(frame=-1)
TARGET = SimpleNamespace(
    target_id="target",
    **{"x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0},
    **{"state": 2, "score": 0.5, "candidate_score": 0.6, "is_calibrated": True},
)
OTHER = SimpleNamespace(**{**vars(TARGET), "target_id": "other", "x": 9.0})


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

    def _select(self, init: InitialTarget, stamp_ns: int) -> None:
        self.sent.append(("init", stamp_ns))


def test_frames_are_sent_at_their_times_with_unique_stamps() -> None:
    heard = Heard()
    heard.player.play_recorded(_messages(20, 0.01), NEVER, lambda frame: True)
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


def test_what_does_not_fit_into_memory_is_not_loaded(tmp_path: Path) -> None:
    bag = Bag(make_bag(tmp_path / "bag", 6, fps=10.0))
    playlist = Playlist(bag, bag.image_topic())
    assert len(preload(playlist, 10**9)) == 6
    with pytest.raises(BagError, match=r"more than the 0 MB that are free: play a part"):
        preload(playlist, 100_000)


def test_messages_at_a_rate() -> None:
    loaded = [PlayedMessage(i, i, 100 + i, 0.5 * i, bytes([i])) for i in range(3)]
    played = list(at_rate(loaded, 50.0, 0.2, least=4))
    assert [m.index for m in played] == list(range(10))
    assert [m.frame for m in played] == list(range(10))
    assert [m.data[0] for m in played] == [0, 1, 2] * 3 + [0]
    assert [m.due_s for m in played] == pytest.approx([0.02 * i for i in range(10)])
    assert len(list(at_rate(loaded, 1.0, 1.0, least=4))) == 4


def _header(stamp_ns: int) -> Any:
    return SimpleNamespace(stamp=SimpleNamespace(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9))


def _boxes(stamp_ns: int, *boxes: Any) -> Any:
    return SimpleNamespace(header=_header(stamp_ns), boxes=boxes)


def _timing(stamp_ns: int) -> Any:
    values = {**{f"{stage}_ms": 2.0 for stage in STAGES}, **dict.fromkeys(COUNTS, 7)}
    return SimpleNamespace(header=_header(stamp_ns), **values)


def _frame(index: int, published_s: float | None = None) -> ReplayedFrame:
    now_s = time.perf_counter() if published_s is None else published_s
    return ReplayedFrame(index, index, 0, 10**18 + index, now_s, now_s)


def test_answers_are_matched_in_any_order() -> None:
    handed: list[ReplayedFrame] = []
    collector = Collector("target", handed.append)
    for index in range(3):
        collector.add(_frame(index))
    for index in (1, 0, 2):
        collector.on_timing(_timing(10**18 + index))
        collector.on_boxes(_boxes(10**18 + index, OTHER, *([TARGET] if index else [])))
    collector.on_boxes(_boxes(5))
    collector.finish()
    assert [frame.index for frame in handed] == [0, 1, 2]
    assert all(frame.is_complete for frame in handed)
    assert handed[0].box is None  # answered, but without the target
    assert handed[1].box == (1.0, 2.0, 3.0, 4.0, 2, 0.5, 0.6, True)
    assert handed[1].stages_ms["model"] == 2.0
    assert handed[1].counts["received"] == 7


def test_an_unanswered_frame_holds_up_the_others_for_a_time_only() -> None:
    handed: list[ReplayedFrame] = []
    collector = Collector("target", handed.append)
    old_s = time.perf_counter() - PATIENCE_S - 1
    collector.add(_frame(0))
    collector.add(_frame(1))
    collector.on_boxes(_boxes(10**18 + 1))
    collector.on_timing(_timing(10**18 + 1))
    collector.add(_frame(2))
    assert handed == []  # frame 0 may still be answered
    assert collector.waiting == 1
    handed.clear()
    late = Collector("target", handed.append)
    for index in range(500):
        late.add(_frame(index, old_s))
    assert len(handed) >= 499


def test_waiting_ends_with_the_answer() -> None:
    collector = Collector("target", lambda frame: None)
    frame = _frame(0)
    collector.add(frame)
    assert not collector.wait(lambda: frame.is_complete, 0.01)
    collector.on_boxes(_boxes(10**18, TARGET))
    collector.on_timing(_timing(10**18))
    assert collector.wait(lambda: frame.is_complete, 0.0)


def test_diagnostics_give_counts_and_complaints() -> None:
    collector = Collector("target", lambda frame: None)
    assert collector.node_counts() == {}
    values = [SimpleNamespace(key=name, value="4") for name in (*COUNTS, "waiting", "topic")]
    statuses = [
        SimpleNamespace(name="litetrack: images", level=b"\x00", message="fine", values=values),
        SimpleNamespace(name="litetrack: targets", level=b"\x01", message="refused", values=[]),
    ]
    collector.on_diagnostics(SimpleNamespace(status=statuses))
    assert collector.node_counts() == dict.fromkeys((*COUNTS, "waiting"), 4)
    assert collector.complaint("images") == ""
    assert collector.complaint("targets") == "refused"
    assert collector.diagnostics()["images"]["message"] == "fine"
