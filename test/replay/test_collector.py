"""Answers are matched by stamp; frames are handed on in order, and never pile up."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from litetrack_ros.replay.collector import PATIENCE_S, Collector
from litetrack_ros.replay.records import COUNTS, STAGES, ReplayedFrame

TARGET = SimpleNamespace(
    target_id="target", x=1.0, y=2.0, width=3.0, height=4.0, state=2, score=0.5
)
OTHER = SimpleNamespace(**{**vars(TARGET), "target_id": "other", "x": 9.0})


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
    assert handed[1].box == (1.0, 2.0, 3.0, 4.0, 2, 0.5)
    assert handed[1].stages_ms["model"] == 2.0
    assert handed[1].counts["received"] == 7
    assert collector.unmatched == 1


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
