"""A model that is slow, hangs, kills its thread or answers nonsense: told, and got over."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from litetrack_ros.errors import DeviceFaultError
from litetrack_ros.node.diagnostics import NoticeBoard
from litetrack_ros.node.events import Event, EventKind
from litetrack_ros.node.watchdog import (
    DEATHS_APART_S,
    PAUSES_S,
    SLOW_CALL,
    CallWatch,
    Limits,
    Verdict,
    Watchdog,
)

PICTURE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
FAULTY = Path(__file__).with_name("faulty_node.py")
LIMITS = Limits(slow_s=1.0, stuck_s=10.0)


class Watched:
    """A watchdog with a clock to set."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.events: list[Event] = []
        self.board = NoticeBoard(lambda _: None, lambda: self.now_s)
        self.dog = Watchdog(self.board, self.events.append, lambda: self.now_s)

    def look(self, is_alive: bool | None = True, after_s: float = 0.5) -> Verdict:
        self.now_s += after_s
        return self.dog.look(is_alive, LIMITS)


def test_a_slow_call_is_told_once_while_it_lasts() -> None:
    watched = Watched()
    with watched.dog.calls.call("a model call"):
        assert watched.look() is Verdict.NOTHING
        assert watched.events == []
        for _ in range(4):
            assert watched.look() is Verdict.NOTHING
    assert [event.kind for event in watched.events] == [EventKind.FAULT]
    assert "a model call takes longer than model_call_max_s = 1 s" in watched.events[0].reason
    watched.look()
    assert not watched.board.active(SLOW_CALL)[SLOW_CALL].is_over  # it ended since the last look
    watched.look()
    watched.look(after_s=2.0)
    assert watched.board.active(SLOW_CALL) == {}


def test_a_short_call_that_was_too_long_between_two_looks_is_seen() -> None:
    watched = Watched()
    with watched.dog.calls.call("a model call"):
        watched.now_s += 1.5
    watched.look()
    assert len(watched.events) == 1


def test_a_call_that_does_not_return_ends_the_process() -> None:
    watched = Watched()
    with watched.dog.calls.call("a model call"):
        assert watched.look(after_s=9.9) is Verdict.NOTHING
        assert watched.look(after_s=0.2) is Verdict.STUCK
        forever = Limits(slow_s=1.0, stuck_s=0.0)
        assert watched.dog.look(True, forever) is Verdict.NOTHING


def test_a_device_that_fails_is_told_and_ends_the_process_unless_something_goes_on() -> None:
    watched = Watched()
    watched.dog.calls.moves.append("cuda:0 has failed: the model runs on cpu now")
    assert watched.look() is Verdict.NOTHING
    assert [event.reason for event in watched.events] == [
        "cuda:0 has failed: the model runs on cpu now"
    ]
    with pytest.raises(DeviceFaultError), watched.dog.calls.call("a model call"):
        raise DeviceFaultError("the device failed: CUDA error")
    assert watched.look() is Verdict.STUCK
    assert "the process ends with status 3" in watched.events[-1].reason


def test_deaths_far_apart_only_restart() -> None:
    watched = Watched()
    for _ in range(5):
        assert watched.look(False, DEATHS_APART_S + 1) is Verdict.RESTART
        assert watched.look() is Verdict.NOTHING


def test_a_second_death_gives_up_and_pauses_grow_five_times() -> None:
    watched = Watched()
    waited = []
    for attempt in range(len(PAUSES_S)):
        # After the first time the deaths go on being close to each other.
        if attempt == 0:
            assert watched.look(False) is Verdict.RESTART
        assert watched.look(False) is Verdict.GIVE_UP
        assert f"attempt {attempt + 1} of 5" in watched.dog.plan_start()
        began_s = watched.now_s
        while watched.look(None) is Verdict.NOTHING:
            assert watched.now_s < began_s + 100
        waited.append(watched.now_s - began_s)
        assert watched.look(True) is Verdict.NOTHING
    assert waited == pytest.approx(PAUSES_S, abs=0.5)
    assert watched.look(False) in (Verdict.GIVE_UP, Verdict.RESTART)
    assert "given up after 5" in watched.dog.plan_start()
    assert watched.look(None, 1000.0) is Verdict.NOTHING


def test_somebody_who_starts_the_node_ends_the_waiting() -> None:
    watched = Watched()
    watched.dog.plan_start()
    assert watched.look(True) is Verdict.NOTHING
    assert watched.look(None, 1000.0) is Verdict.NOTHING


def test_calls_of_several_threads_are_apart() -> None:
    import threading

    watch = CallWatch()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with watch.call("other"):
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(5)
    with watch.call("own"):
        pass
    assert watch.at_work().what == "other"
    leave.set()
    thread.join(5)
    assert watch.at_work().seconds == 0
    assert watch.take_longest().what == "other"
    assert watch.take_longest().seconds == 0


def _statuses(client: Any, word: str) -> list[tuple[bytes, str]]:
    return [
        (status.level, status.message)
        for message in client.diagnostics
        for status in message.status
        if word in status.message
    ]


def _send_until(client: Any, seen: Callable[[], bool], what: str, timeout_s: float = 90.0) -> None:
    stamps = iter(range(10**9, 10**12, 10**8))
    count = [0]

    def step() -> bool:
        client.send(PICTURE, next(stamps))
        if count[0] % 10 == 0:
            client.select((40, 30, 50, 40), target_id="cup")
        count[0] += 1
        client.spin_for(0.05)
        return seen()

    client.spin_until(step, timeout_s, what)


@pytest.mark.ros
def test_slow_calls_and_answers_without_numbers_are_errors_and_events(
    start_node: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = (
        ("slow", "a model call takes longer than model_call_max_s = 0.2 s"),
        ("nan", "answers for target 'cup' are not finite"),
    )
    for fault, text in cases:
        monkeypatch.setenv("FAULT", fault)
        node = start_node(program=FAULTY, model_call_max_s=0.2)
        client.wait_for_node()
        _send_until(client, lambda text=text: bool(_statuses(client, text)), text)
        assert {level for level, _ in _statuses(client, text)} == {b"\x02"}
        status, log, _ = node.end()
        assert status == 0, log
        assert f"fault: {text[:20]}" in log.replace("the network's ", "")
    for message in client.boxes:
        for box in message.boxes:
            assert np.isfinite([box.x, box.y, box.width, box.height, box.score]).all()


@pytest.mark.ros
@pytest.mark.parametrize("fault", ["hang", "hold"])
def test_a_stuck_call_ends_the_process_with_status_3_and_traces(
    start_node: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("FAULT", fault)
    node = start_node(program=FAULTY, stuck_call_s=2.0)
    client.wait_for_node()
    _send_until(client, lambda: node.process.poll() is not None, "the end of the process")
    status, log, _ = node.wait(5)
    assert status == 3, log
    assert "Thread 0x" in log and "faulty_node.py" in log
    words = "(stuck_call_s): the process ends" if fault == "hang" else "nothing has run for"
    assert words in log


@pytest.mark.ros
@pytest.mark.parametrize("allow_fallback", [False, True])
def test_a_gpu_that_fails_ends_the_process_or_gives_way_to_the_cpu(
    start_node: Callable[..., Any],
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
    allow_fallback: bool,
) -> None:
    monkeypatch.setenv("FAULT", "assert")
    node = start_node(program=FAULTY, allow_fallback=allow_fallback)
    client.wait_for_node()
    if not allow_fallback:
        _send_until(client, lambda: node.process.poll() is not None, "the end of the process")
        status, log, _ = node.wait(5)
        assert status == 3, log
        assert "device-side assert triggered" in log and "the process ends with status 3" in log
        return
    text = "cuda:0 has failed: the model runs on"
    _send_until(client, lambda: bool(_statuses(client, text)) and bool(client.boxes), text)
    status, log, _ = node.end()
    assert status == 0, log
    assert "the device failed: CUDA error: device-side assert" in log or text in log


@pytest.mark.ros
def test_a_node_that_was_stopped_for_long_is_not_stuck(
    start_node: Callable[..., Any], client: Any
) -> None:
    node = start_node(stuck_call_s=1.0)
    client.wait_for_node()
    _send_until(client, lambda: any(m.boxes for m in client.boxes), "a box")
    node.process.send_signal(signal.SIGSTOP)
    time.sleep(9.0)
    node.process.send_signal(signal.SIGCONT)
    client.boxes.clear()
    _send_until(client, lambda: any(m.boxes for m in client.boxes), "a box after the stop")
    status, log, _ = node.end()
    assert status == 0, log


@pytest.mark.ros
def test_a_thread_that_dies_is_started_once_then_the_node_begins_anew(
    start_node: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT", "die")
    from litetrack_ros.msg import TargetEvent

    events: list[Any] = []
    client.node.create_subscription(TargetEvent, "litetrack/events", events.append, 100)
    node = start_node(program=FAULTY)
    client.wait_for_node()
    client.spin_until(lambda: client.node.count_publishers("litetrack/events"), 30.0, "~/events")
    told = "attempt 1 of 5 to start again follows in 2 s"
    _send_until(client, lambda: bool(_statuses(client, told)), told)
    # As a status it may be over before the next diagnostics are due.
    reasons = [event.reason for event in events]
    assert "the tracking thread died: started again, without targets" in reasons
    assert {level for level, _ in _statuses(client, told)} == {b"\x02"}
    told = "attempt 2 of 5"
    _send_until(client, lambda: bool(_statuses(client, told)), told)
    last = client.timings[-1]
    names = ("processed", "replaced", "caught_up", "rejected", "ignored")
    assert last.received == sum(getattr(last, name) for name in names)
    status, log, _ = node.end()
    assert status == 0, log
