"""Selections over DDS: each call is answered, each message has its event, waiting is free."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest
from ros_client import START_TIMEOUT_S, Client

from litetrack_ros.geometry import overlap
from litetrack_ros.media.scene import DrawnScene

pytestmark = pytest.mark.ros

PICTURE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
BOX = (40.0, 30.0, 50.0, 40.0)
# Calls of the long test; `make test` makes fewer of them.
CALLS = int(os.environ.get("LITETRACK_SELECT_CALLS", "120"))


class Operator:
    """Calls ~/select and hears ~/events, beside a camera."""

    def __init__(self, client: Any) -> None:
        from rclpy.qos import DurabilityPolicy, QoSProfile

        from litetrack_ros.msg import TargetEvent
        from litetrack_ros.srv import Select

        self.client = client
        self.events: list[Any] = []
        qos = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        client.node.create_subscription(
            TargetEvent, f"{client.name}/events", self.events.append, qos
        )
        name = f"{client.name}/select"
        self.service = client.node.create_client(Select, name)  # keeps ten answers
        client.spin_until(self.service.service_is_ready, START_TIMEOUT_S, "~/select")

    def call(self, stamp_ns: int = 0, target_id: str = "", box: Any = BOX, mode: int = 0) -> Any:
        """Call the service; the future, with the moments of the call and of its answer."""
        from litetrack_ros.node.messages import ns_to_stamp
        from litetrack_ros.srv import Select

        x, y, width, height = (float(v) for v in box)
        request = Select.Request(mode=mode, target_id=target_id, stamp=ns_to_stamp(stamp_ns))
        request.x, request.y, request.width, request.height = x, y, width, height
        future = self.service.call_async(request)
        future.sent_s, future.answered_s = time.monotonic(), float("inf")

        def note(answered: Any) -> None:
            answered.answered_s = time.monotonic()

        future.add_done_callback(note)
        return future

    def answer(self, future: Any, timeout_s: float = 10.0) -> Any:
        """Wait for an answer."""
        self.client.spin_until(future.done, timeout_s, "an answer")
        return future.result()

    def select(self, *arguments: Any, **options: Any) -> Any:
        """Call and wait."""
        return self.answer(self.call(*arguments, **options))


@pytest.fixture
def operator(client: Any) -> Callable[[], Operator]:
    return lambda: Operator(client)


def _activate(node: Any) -> None:
    assert node.transition("configure") and node.transition("activate")


def _values(client: Any, task: str) -> dict[str, str]:
    client.diagnostics.clear()

    def found() -> bool:
        return any(s.name.endswith(task) for m in client.diagnostics for s in m.status)

    client.spin_until(found, 10, f"diagnostics of {task}")
    message = client.diagnostics[-1]
    status = next(s for s in message.status if s.name.endswith(task))
    return {v.key: v.value for v in status.values}


def test_a_selection_is_answered_with_the_image_and_the_box(
    live_node: Callable[..., Any], client: Any, operator: Callable[[], Operator]
) -> None:
    from litetrack_ros.msg import TargetEvent

    _activate(live_node())
    client.wait_for_node()
    caller = operator()
    for index in range(5):
        client.send(PICTURE, 10**9 + index * 33_000_000)
        client.boxes_for(10**9 + index * 33_000_000)
    answer = caller.select(10**9 + 33_000_000, "cup")
    assert answer.accepted and answer.reason == ""
    assert (answer.stamp.sec, answer.stamp.nanosec) == (1, 33_000_000)
    assert answer.caught_up == 3
    assert (answer.x, answer.y, answer.width, answer.height) == BOX
    client.send(PICTURE, 2 * 10**9)
    client.spin_until(lambda: len(caller.events) >= 2, 5, "two events")
    kinds = [event.event for event in caller.events[:2]]
    assert kinds == [TargetEvent.SELECTED, TargetEvent.TRACKING]
    assert [event.sequence for event in caller.events] == list(range(1, len(caller.events) + 1))
    selected = caller.events[0]
    assert selected.header.frame_id == "camera" and selected.header.stamp == answer.stamp
    assert selected.node_stamp.sec > 10**9
    assert (selected.target_id, selected.x, selected.width) == ("cup", 40.0, 50.0)


@pytest.mark.parametrize(
    ("request_fields", "reason"),
    [
        ({"box": (500, 1, 20, 20)}, "outside the 160x120 image"),
        ({"stamp_ns": 10**6}, "its image is gone"),
        ({"stamp_ns": 10**12}, "no later image has come"),
        ({"mode": 77}, "there is no mode 77"),
    ],
)
def test_a_refusal_is_answered_with_the_reason(
    live_node: Callable[..., Any],
    client: Any,
    operator: Callable[[], Operator],
    request_fields: dict[str, Any],
    reason: str,
) -> None:
    _activate(live_node(init_wait_ms=200.0))
    client.wait_for_node()
    caller = operator()
    for index in range(3):
        client.send(PICTURE, 10**9 + index)
        client.boxes_for(10**9 + index)
    answer = caller.select(**request_fields)
    assert not answer.accepted
    assert reason in answer.reason


def test_every_state_answers_and_refuses_with_the_reason(
    live_node: Callable[..., Any], client: Any, operator: Callable[[], Operator]
) -> None:
    from std_srvs.srv import SetBool, Trigger

    from litetrack_ros.srv import Remove

    node = live_node()
    caller = operator()
    for label, state in (
        (None, "unconfigured"),
        ("configure", "inactive"),
        ("activate", "active"),
        ("deactivate", "inactive"),
        ("cleanup", "unconfigured"),
        ("shutdown", "finalized"),
    ):
        if label is not None:
            assert node.transition(label)
        if state == "active":
            continue
        answer = caller.select()
        assert not answer.accepted and f"the node is {state}, not active" in answer.reason
        for kind, service, request in (
            (Trigger, "reset", Trigger.Request()),
            (SetBool, "enable", SetBool.Request(data=True)),
            (Remove, "remove", Remove.Request(target_id="a")),
        ):
            response = client.call(kind, service, request)
            assert not response.success and state in response.message
        before = len(caller.events)
        client.spin_until(client.inits.get_subscription_count, 10, "the topic")
        client.select(BOX, target_id=state)
        client.spin_until(lambda n=before: len(caller.events) > n, 10, "an event")
        assert state in caller.events[-1].reason


def test_calls_are_answered_while_a_model_is_loaded(
    live_node: Callable[..., Any], client: Any, operator: Callable[[], Operator]
) -> None:
    from litetrack_ros.backends.registry import open_backend

    def slowly(choice: Any) -> Any:
        time.sleep(2.0)
        return open_backend(choice)

    node = live_node(slowly)
    caller = operator()
    task = node.executor.create_task(node.node.trigger_configure)
    client.spin_for(0.5)
    assert not task.done()
    start = time.monotonic()
    answer = caller.select()
    took_s = time.monotonic() - start
    assert "the node is configuring, not active" in answer.reason
    assert took_s < 0.5 and not task.done()
    client.spin_until(task.done, START_TIMEOUT_S, "the model")
    assert node.state == "inactive"
    assert "inactive" in caller.select().reason


@pytest.mark.parametrize("ending", ["deactivate", "reset", "disable", "remove"])
def test_whatever_ends_a_request_answers_it_first(
    live_node: Callable[..., Any], client: Any, operator: Callable[[], Operator], ending: str
) -> None:
    from std_srvs.srv import SetBool, Trigger

    from litetrack_ros.srv import Remove

    node = live_node(init_wait_ms=60_000.0, max_targets=20)
    _activate(node)
    client.wait_for_node()
    caller = operator()
    futures = [caller.call(10**15, "a") for _ in range(1)]
    futures += [caller.call(10**15, "a" if ending == "remove" else str(i)) for i in range(5)]
    client.spin_until(lambda: node.node._desk.counts.open, 5, "requests that wait")
    client.spin_for(0.3)
    if ending == "deactivate":
        assert node.transition("deactivate")
    elif ending == "reset":
        assert client.call(Trigger, "reset", Trigger.Request()).success
    elif ending == "disable":
        assert client.call(SetBool, "enable", SetBool.Request(data=False)).success
    else:
        client.call(Remove, "remove", Remove.Request(target_id="a"))
    client.spin_until(lambda: all(f.done() for f in futures), 1.0, "all answers")
    assert all(not f.result().accepted and f.result().reason for f in futures)
    counts = {k: int(v) for k, v in vars(node.node._desk.counts).items()}
    assert counts["requested"] == 6 == counts["replaced"] + counts["dropped"]
    assert counts["open"] == 0


def test_a_signal_answers_what_waits_before_the_node_ends(
    start_node: Callable[..., Any], client: Any, operator: Callable[[], Operator]
) -> None:
    node = start_node(init_wait_ms=60_000.0, max_targets=5)
    client.wait_for_node()
    caller = operator()
    futures = [caller.call(10**15, str(index)) for index in range(5)]
    client.spin_for(0.5)
    node.process.send_signal(signal.SIGINT)
    client.spin_until(lambda: all(future.done() for future in futures), 5, "all answers")
    assert {future.result().reason for future in futures} == {"the node ended"}
    status, log, _ = node.wait(10)
    assert status == 0, log


def test_a_removed_target_gets_no_more_boxes(
    live_node: Callable[..., Any], client: Any, operator: Callable[[], Operator]
) -> None:
    from litetrack_ros.srv import Remove

    _activate(live_node(max_targets=2))
    client.wait_for_node()
    caller = operator()
    client.send(PICTURE, 10**9)
    client.boxes_for(10**9)
    for name in ("a", "b"):
        assert caller.select(10**9, name).accepted
    client.send(PICTURE, 2 * 10**9)
    assert [b.target_id for b in client.boxes_for(2 * 10**9).boxes] == ["a", "b"]
    response = client.call(Remove, "remove", Remove.Request(target_id="a"))
    assert response.success and "'b'" in response.message
    client.send(PICTURE, 3 * 10**9)
    assert [b.target_id for b in client.boxes_for(3 * 10**9).boxes] == ["b"]
    assert not client.call(Remove, "remove", Remove.Request(target_id="a")).success


def test_events_are_kept_for_who_comes_later(
    live_node: Callable[..., Any], make_client: Callable[..., Any]
) -> None:
    _activate(live_node())
    early = make_client()
    early.wait_for_node()
    for index in range(130):
        early.select((500, 1, 20, 20), target_id=str(index))
        early.spin_for(0.005)
    early.send(PICTURE, 10**9)
    early.spin_for(1.5)
    late = make_client()
    caller = Operator(late)
    late.spin_until(lambda: len(caller.events) >= 100, 10, "the last 100 events")
    late.spin_for(0.2)
    sequences = [event.sequence for event in caller.events]
    assert sequences == list(range(sequences[0], sequences[0] + 100))
    assert sequences[-1] >= 130


def test_every_message_has_one_event(
    live_node: Callable[..., Any], client: Any, operator: Callable[[], Operator]
) -> None:
    from litetrack_ros.msg import TargetEvent

    node = live_node(init_wait_ms=100.0)
    caller = operator()
    client.spin_until(client.inits.get_subscription_count, 30, "the topic")
    count = 60
    for index in range(count):
        if index == 20:
            _activate(node)
        if index == 45:
            assert node.transition("deactivate")
        client.select(BOX, target_id=f"t{index}")
        if index > 20:
            client.send(PICTURE, 10**9 + index * 20_000_000)
        client.spin_for(0.02)
    ends = (TargetEvent.SELECTED, TargetEvent.REFUSED)

    def ended() -> Counter[str]:
        return Counter(event.target_id for event in caller.events if event.event in ends)

    client.spin_until(lambda: sum(ended().values()) >= count, 10, "an event for each message")
    client.spin_for(0.3)
    assert ended() == Counter(f"t{index}" for index in range(count))
    values = {k: int(v) for k, v in vars(node.node._desk.counts).items()}
    assert values["requested"] == count
    assert values["accepted"] > 0


def _wait(condition: Callable[[], bool], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"not within {timeout_s} s"
        time.sleep(0.005)


@pytest.mark.slow
def test_a_thousand_calls_have_a_thousand_answers_in_time(
    start_node: Callable[..., Any], make_client: Callable[..., Any]
) -> None:
    """Over activation, load, a camera that restarts, comes late, or is best effort."""
    from lifecycle_msgs.srv import ChangeState

    pytest.importorskip("onnxruntime")
    wait_ms, catch_up_ms = 300.0, 200.0
    start_node(
        model="litetrack_nano",  # PyTorch's import would keep all threads waiting for a second
        backend="onnx",
        init_wait_ms=wait_ms,
        catch_up_max_ms=catch_up_ms,
        max_targets=4,
        autostart=False,
    )
    operator = make_client(image_topic="unused")
    caller = Operator(operator)
    camera = Client()
    camera_kinds = ["BEST_EFFORT", "RELIABLE"]
    rng = random.Random(7)
    stamps = iter(range(10**9, 10**15, 33_000_000))
    newest = 10**9
    futures: list[Any] = []
    loading: Any = None
    rounds = max(4, CALLS // 30)
    labels = ["configure", "activate", None, None, "deactivate", "activate", None, "deactivate"]
    labels += ["cleanup", None]
    changes = operator.ready_service(ChangeState, "change_state")
    # The operator hears answers while this thread makes and ends cameras.
    threading.Thread(target=operator.executor.spin, daemon=True).start()
    for index in range(rounds):
        label = labels[index % len(labels)]
        if label is not None:
            request = ChangeState.Request()
            request.transition.label = label
            change = changes.call_async(request)
            if label == "configure":
                loading = change
            elif label == "activate":
                _wait(loading.done, START_TIMEOUT_S)
        if index % 7 == 5:  # the camera starts again, maybe of another kind
            camera.close()
            camera = Client(reliability=camera_kinds[index % 2])
        for _ in range(-(-CALLS // rounds)):
            if len(futures) == CALLS:
                break
            newest = next(stamps)
            camera.send(PICTURE, newest)
            stamp = rng.choice([0, newest, newest - 5 * 33_000_000, newest + 66_000_000, 1])
            futures.append(caller.call(stamp, rng.choice("abcdef"), mode=rng.choice([0, 0, 0, 2])))
            time.sleep(0.02)
    _wait(lambda: all(f.answered_s < 1e9 for f in futures), 20)
    camera.close()
    late = []
    for future in futures:
        took_ms = 1e3 * (future.answered_s - future.sent_s)
        if took_ms > wait_ms + catch_up_ms + 200:
            late.append(took_ms)
    outcomes = Counter("accepted" if f.result().accepted else "refused" for f in futures)
    took = np.array([1e3 * (f.answered_s - f.sent_s) for f in futures])
    p50, p99 = np.percentile(took, [50, 99])
    print(f"{len(futures)} calls: {outcomes}, ms {p50:.1f} {p99:.1f} {took.max():.1f}, late {late}")
    assert len(futures) == CALLS
    assert all(f.result().accepted or f.result().reason for f in futures)
    assert outcomes["accepted"] > 0
    assert not late


def test_waiting_requests_cost_no_time_and_a_reset_answers_them(
    start_node: Callable[..., Any], client: Any, operator: Callable[[], Operator]
) -> None:
    from std_srvs.srv import Trigger

    node = start_node(init_wait_ms=60_000.0, max_targets=20)
    client.wait_for_node()
    caller = operator()
    client.ready_service(Trigger, "reset")
    process = psutil.Process(node.process.pid)

    def used_s() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    def share(duration_s: float) -> float:
        before = used_s()
        time.sleep(duration_s)
        return (used_s() - before) / duration_s

    client.spin_for(1.0)
    idle = share(4.0)
    futures = [caller.call(10**15, str(index)) for index in range(20)]
    client.spin_for(0.5)
    waiting = share(4.0)
    assert not any(future.done() for future in futures)
    start = time.monotonic()
    assert client.call(Trigger, "reset", Trigger.Request()).success
    reset_ms = 1e3 * (time.monotonic() - start)
    client.spin_until(lambda: all(f.answered_s < 1e9 for f in futures), 1.0, "all answers")
    answered_ms = 1e3 * (max(f.answered_s for f in futures) - start)
    print(f"CPU idle {idle:.3f}, 20 waiting {waiting:.3f} of a core; reset {reset_ms:.0f} ms, "
          f"last answer {answered_ms:.0f} ms")  # fmt: skip
    assert waiting - idle < 0.05
    assert reset_ms < 200
    assert answered_ms < 250


@pytest.mark.parametrize("stamp_ms", [None, 1033, 0], ids=["point", "stamped", "zero stamp"])
def test_a_point_from_another_tool_selects_what_lies_under_it(
    live_node: Callable[..., Any],
    client: Any,
    operator: Callable[[], Operator],
    stamp_ms: int | None,
) -> None:
    from geometry_msgs.msg import Point, PointStamped

    from litetrack_ros.msg import TargetEvent
    from litetrack_ros.node.messages import ns_to_stamp

    scene = DrawnScene(frames=5, width=320, height=240)
    _activate(live_node())
    client.wait_for_node()
    caller = operator()
    for index in range(5):
        client.send(scene.frame(index), 10**9 + index * 33_000_000)
        client.boxes_for(10**9 + index * 33_000_000)
    x, y, width, height = (float(v) for v in scene.box_xywh(4))
    point = Point(x=float(round(x + width / 2)), y=float(round(y + height / 2)))
    if stamp_ms is None:
        topic = client.node.create_publisher(Point, "litetrack/init_point", 10)
        message: Any = point
    else:
        topic = client.node.create_publisher(PointStamped, "litetrack/init_point_stamped", 10)
        message = PointStamped(point=point)
        message.header.stamp = ns_to_stamp(stamp_ms * 10**6)
    client.spin_until(topic.get_subscription_count, 10, "the node")
    topic.publish(message)
    client.spin_until(lambda: caller.events, 10, "an event")
    told = caller.events[0]
    assert told.event == TargetEvent.SELECTED, told.reason
    assert told.header.stamp.nanosec == (33_000_000 if stamp_ms else 132_000_000)
    assert overlap((told.x, told.y, told.width, told.height), scene.box_xywh(4)) > 0.5
    topic.publish(
        Point(x=0.4, y=0.5) if stamp_ms is None else PointStamped(point=Point(x=0.4, y=0.5))
    )
    client.spin_until(lambda: len(caller.events) > 1, 10, "another event")
    assert "looks like parts of the image's size" in caller.events[-1].reason
