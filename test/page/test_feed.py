"""Pictures with the boxes of their own stamp, and what is wrong, in words."""

from __future__ import annotations

import time
from typing import Any

import pytest

from litetrack_ros.page import feed as feed_module
from litetrack_ros.page.feed import STAGES, Answer, Box, Command, Feed, Minute, Picture

CUP = Box("cup", "TRACKING", (1.0, 2.0, 3.0, 4.0), 0.5)


def _picture(stamp: int) -> Picture:
    return Picture(stamp, b"jpeg", 640, 480)


def _words(feed: Feed) -> str:
    return " | ".join(str(word["text"]) for word in feed.summary()["words"])


def test_a_picture_goes_out_with_the_boxes_of_its_stamp_whichever_comes_first() -> None:
    feed = Feed("test")
    told: list[int] = []
    feed.listen(lambda: told.append(1))
    feed.add_boxes(1, [CUP])
    assert feed.shown is None
    feed.add_picture(_picture(1))
    assert feed.shown is not None and feed.shown.boxes == (CUP,)
    feed.add_picture(_picture(2))
    assert feed.shown.number == 1  # it waits
    feed.add_boxes(2, [])
    assert feed.shown.picture.stamp_ns == 2 and feed.shown.boxes == ()
    assert len(told) == 2
    assert feed.is_of_a_picture(1) and not feed.is_of_a_picture(3)


def test_a_picture_whose_boxes_do_not_come_goes_out_alone() -> None:
    feed = Feed("test")
    feed.add_boxes(1, [CUP])
    feed.add_picture(_picture(2))
    end = time.monotonic() + 2
    while feed.shown is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert feed.shown.boxes is None


def test_words_say_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed("test")
    feed.add_diagnostics({"model": (0, "not configured")}, is_enabled=False)
    assert "The model is not loaded" in _words(feed) and "tracker is off" in _words(feed)
    assert "No picture yet" in _words(feed) and not feed.summary()["enabled"]
    feed.add_diagnostics({"model": (2, "cannot configure: no file"), "targets": (0, "IDLE")})
    feed.set_notice("qos", "cannot be heard")
    assert feed.summary()["words"][0]["level"] == 2
    assert "model: cannot configure: no file" in _words(feed) and "cannot be heard" in _words(feed)
    feed.set_notice("qos", "")
    feed.add_diagnostics({"model": (0, "nano on onnx")})
    feed.add_picture(_picture(1))
    assert _words(feed) == ""
    now = time.monotonic()
    monkeypatch.setattr(feed_module.time, "monotonic", lambda: now + 2.0)
    assert "No new picture for 2 s" in _words(feed)
    monkeypatch.setattr(feed_module.time, "monotonic", lambda: now + 5.0)
    assert _words(feed).startswith("The tracker node is gone: nothing heard of it for 5 s")


def test_events_are_told_from_states_unless_the_node_tells_them() -> None:
    feed = Feed("test")
    feed.add_boxes(1, [CUP])
    feed.add_boxes(2, [CUP])
    feed.add_boxes(3, [CUP._replace(state="LOST")])
    feed.add_boxes(4, [])
    texts = [event["text"] for event in feed.summary()["events"]]
    assert texts == ["target 'cup' is TRACKING", "target 'cup' is LOST", "target 'cup' is gone"]
    feed.has_own_events = True
    feed.add_boxes(5, [CUP])
    feed.add_event("target 'cup' found", 7_000_000)
    assert feed.summary()["events"][-1] == {"at": 7.0, "text": "target 'cup' found"}
    feed.note_choice("phone", Command("box", "cup", 1), Answer(True, "sent"))
    assert feed.summary()["last"]["who"] == "phone"
    feed.note_choice("laptop", Command("box", "cup", 1), Answer(False, "no"))
    assert feed.summary()["last"]["who"] == "phone"


def test_a_minute_is_kept_in_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(feed_module.time, "monotonic", lambda: now)
    minute = Minute()
    times: dict[str, Any] = dict.fromkeys(STAGES, 2.0)
    minute.add(times, 5)
    minute.add({**times, "model": 4.0}, 7)
    assert minute.bins(10) == [[2000, 2, 2, 2.0, 2.0, 2.0, 2.0, 3.0, 2.0, 2.0]]
    now = 1090.0
    minute.add(times, 1)  # the node began again: nothing was dropped
    assert minute.bins(10) == [[2180, 1, 0, *[2.0] * 7]]
