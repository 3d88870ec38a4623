"""The story of a target as events, and how much of it reaches the log."""

from __future__ import annotations

import pytest

from litetrack_ros.node.events import EventKind, LineLimiter, TargetStory
from litetrack_ros.tracker.state import State


@pytest.mark.parametrize(
    ("states", "kinds"),
    [
        ("ITTT", [None, EventKind.TRACKING, None, None]),
        ("ITLLT", [None, EventKind.TRACKING, EventKind.LOST, None, EventKind.FOUND]),
        ("LLT", [EventKind.LOST, None, EventKind.TRACKING]),
        ("TLTL", [EventKind.TRACKING, EventKind.LOST, EventKind.FOUND, EventKind.LOST]),
        ("TLX", [EventKind.TRACKING, EventKind.LOST, EventKind.GIVEN_UP]),
    ],
)
def test_each_change_of_state_is_told_once(states: str, kinds: list[EventKind | None]) -> None:
    letters = {
        "I": State.INITIALISING,
        "T": State.TRACKING,
        "L": State.LOST,
        "X": State.IDLE,
    }
    story = TargetStory()
    assert [story.step(letters[letter], float(i)) for i, letter in enumerate(states)] == kinds


def test_the_log_gets_two_lines_a_second_and_the_count_of_the_others() -> None:
    now_s = 0.0
    limiter = LineLimiter(per_s=2, clock=lambda: now_s)
    lines = []
    for index in range(100):  # twenty a second
        now_s = index * 0.05
        lines.append((now_s, limiter.admit(f"line {index}")))
    logged = [(time_s, line) for time_s, line in lines if line]
    for time_s, _ in logged:
        assert sum(time_s <= other < time_s + 1.0 for other, _ in logged) <= 2
    assert logged[2][1] == "line 20 (18 more left out before)"
    left_out = 100 - len(logged)
    assert limiter.admit("") == ""  # no room yet
    now_s = 6.0
    told = sum(int(line.split("(")[1].split()[0]) for _, line in logged if "(" in line)
    assert limiter.admit("") == f"{left_out - told} lines on targets left out: see ~/events"
    assert limiter.admit("") == ""
