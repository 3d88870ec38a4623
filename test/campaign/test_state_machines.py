"""Any order of transitions, services and images: the node's state, counts and answers hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from litetrack_ros.node.frames import Fate, FrameRing, FrameSlot, ReceivedFrame
from litetrack_ros.node.requests import Ending, InitRequest, Outcome, RequestDesk

QUICK = settings(max_examples=60, stateful_step_count=40, deadline=None, database=None)


class Desk(RuleBasedStateMachine):
    """Requests for targets: each has one end, and no more wait than may."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[InitRequest] = []
        self.desk = RequestDesk(self.ended.append)
        self.all: list[InitRequest] = []
        self.taken: list[InitRequest] = []

    @initialize(most=st.integers(1, 3))
    def begin(self, most: int) -> None:
        self.desk.max_targets = most

    @rule(name=st.sampled_from("abcd"), refusal=st.sampled_from(["", "", "", "not now"]))
    def put(self, name: str, refusal: str) -> None:
        request = InitRequest(name, 0, (1.0, 1.0, 5.0, 5.0), 0.0, None)
        self.all.append(request)
        self.desk.put(request, refusal)
        if refusal:
            assert request.ending is not None and request.ending.reason == refusal

    @precondition(lambda self: self.desk.waiting())
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.desk.waiting()))
        assert self.desk.take(request)
        assert not self.desk.take(request)
        self.taken.append(request)

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        request = data.draw(st.sampled_from(self.taken))
        had_ended = request.ending is not None
        assert self.desk.end(request, Ending(outcome)) is not had_ended

    @rule(name=st.sampled_from([None, "a", "b"]))
    def drop(self, name: str | None) -> None:
        self.desk.drop("dropped", name)
        assert not [r for r in self.desk.waiting() if name in (None, r.target_id)]

    @invariant()
    def every_request_has_one_end(self) -> None:
        counts = self.desk.counts
        ends = (counts.accepted, counts.refused, counts.replaced, counts.dropped)
        assert counts.requested == sum(ends) == len(self.ended)
        assert len({id(request) for request in self.ended}) == len(self.ended)
        assert counts.requested + counts.open == len(self.all)
        assert len(self.desk.waiting()) <= self.desk.max_targets


class Slot(RuleBasedStateMachine):
    """Images on their way: each has one fate, and the ring stays within its bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.slot = FrameSlot(FrameRing(3.0, 1000))
        self.put_in = 0
        self.now_s = 0.0
        self.in_work: list[ReceivedFrame] = []

    @rule(stamp=st.integers(0, 10**10), size=st.integers(0, 1200))
    def put(self, stamp: int, size: int) -> None:
        self.now_s += 0.1
        self.put_in += 1
        self.slot.put(ReceivedFrame(stamp, object(), size, self.now_s))

    @rule()
    def put_unusable(self) -> None:
        self.put_in += 1
        self.slot.count_unusable()

    @rule()
    def take(self) -> None:
        frame = self.slot.take()
        if frame is not None:
            assert frame.fate is Fate.WAITING
            self.in_work.append(frame)

    @precondition(lambda self: self.in_work)
    @rule(fate=st.sampled_from([Fate.PROCESSED, Fate.REJECTED, Fate.IGNORED]))
    def settle(self, fate: Fate) -> None:
        self.slot.settle(self.in_work.pop(), fate)

    @rule(opened=st.booleans())
    def open_or_close(self, opened: bool) -> None:
        (self.slot.open if opened else self.slot.close)()
        assert self.slot.is_open is opened
        if not opened:
            assert self.slot.take() is None and self.slot.held == (0, 0)

    @invariant()
    def counts_add_up(self) -> None:
        counts = self.slot.counts
        fates = (counts.processed, counts.replaced, counts.caught_up, counts.rejected)
        assert counts.received == sum(fates) + counts.ignored
        assert counts.received + counts.waiting == self.put_in
        number, size_bytes = self.slot.held
        assert size_bytes == sum(frame.size_bytes for frame in self.slot.frames())
        assert size_bytes <= 1000 or number == 1
        stamps = [frame.stamp_ns for frame in self.slot.frames()]
        assert stamps == sorted(stamps)


TestDesk = Desk.TestCase
TestDesk.settings = QUICK
TestSlot = Slot.TestCase
TestSlot.settings = QUICK

POSSIBLE = {
    "unconfigured": {"configure": "inactive"},
    "inactive": {"activate": "active", "cleanup": "unconfigured"},
    "active": {"deactivate": "inactive"},
}
PICTURE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
BOXES = [(40.0, 30.0, 50.0, 40.0), (0.0, 0.0, 1.0, 1.0), (500.0, 1.0, 5.0, 5.0)]
BOXES += [(math.nan, 0.0, 5.0, 5.0)]


def lifecycle_machine(live_node: Any, client: Any) -> type[RuleBasedStateMachine]:
    """A machine over one node, which each example finds in the state that the last one left."""
    node = live_node()
    stamps = iter(range(10**9, 10**15, 10**7))

    class Lifecycle(RuleBasedStateMachine):
        @rule(label=st.sampled_from(["configure", "activate", "deactivate", "cleanup"]))
        def transition(self, label: str) -> None:
            before = node.state
            wanted = POSSIBLE[before].get(label)
            if wanted is not None:
                assert node.transition(label)
            assert node.state == (wanted or before)

        @rule()
        def send(self) -> None:
            client.send(PICTURE, next(stamps))
            client.spin_for(0.01)

        @rule(box=st.sampled_from(BOXES), name=st.sampled_from(["a", "b", "\n", "x" * 65]))
        def select(self, box: Any, name: str) -> None:
            client.select(box, target_id=name)
            client.spin_for(0.01)

        @rule(service=st.sampled_from(["reset", "enable", "disable", "remove"]))
        def call(self, service: str) -> None:
            answer = call_service(client, service)
            assert answer.success or node.state != "active" or service == "remove"

        @invariant()
        def what_comes_out_is_sound(self) -> None:
            for message in client.boxes:
                for box in message.boxes:
                    assert np.isfinite([box.x, box.y, box.width, box.height, box.score]).all()
                    assert box.target_id in ("a", "b")
            for timing in client.timings:
                names = ("processed", "replaced", "caught_up", "rejected", "ignored")
                assert timing.received == sum(getattr(timing, name) for name in names)
            client.boxes.clear()
            client.timings.clear()

    return Lifecycle


def call_service(client: Any, name: str) -> Any:
    """Call one of the node's services."""
    from std_srvs.srv import SetBool, Trigger

    from litetrack_ros.srv import Remove

    if name == "reset":
        return client.call(Trigger, "reset", Trigger.Request(), timeout_s=20.0, repeat_s=2.0)
    if name == "remove":
        return client.call(
            Remove, "remove", Remove.Request(target_id="a"), timeout_s=20.0, repeat_s=2.0
        )
    request = SetBool.Request(data=name == "enable")
    return client.call(SetBool, "enable", request, timeout_s=20.0, repeat_s=2.0)


@pytest.mark.ros
def test_any_order_of_transitions_and_requests(live_node: Any, client: Any) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        lifecycle_machine(live_node, client),
        settings=settings(
            max_examples=12,
            stateful_step_count=15,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
