"""Storms over the node: junk by the thousand, transitions, signals, stops, clocks that jump."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from junk_messages import Junk
from lifecycle_msgs.srv import ChangeState, GetState
from node_under_test import NodeUnderTest
from rcl_interfaces.srv import SetParameters
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger
from tally import Tally

from litetrack_ros.node.messages import ns_to_stamp
from litetrack_ros.srv import Remove, Select

_RECOVERY_P99_S, _RECOVERY_WORST_S = 0.5, 2.0
_PICTURE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
_BOX = (40.0, 30.0, 50.0, 40.0)
_BATCH = 40
# Twice the bytes of the largest image that is allowed: what OpenCV takes to decode it, as its
# Python binding copies the picture. The rest is the heap's.
_MOST_MB = 1.15 * 2 * 36 * 3
_CHECK_EVERY = 2500  # junk messages between two looks whether a target is still tracked
Deadline = Callable[[], bool]


class Storm:
    """A node, and the numbered images that are sent to it."""

    def __init__(self, tally: Tally, compressed: bool = False, **parameters: Any) -> None:
        self.junk = Junk(tally.seed)
        self.tally = tally
        self.compressed = compressed
        self.index = 0
        self.node = NodeUnderTest(tally, compressed, init_wait_ms=100.0, **parameters)
        self._rounds = 0

    def __enter__(self) -> Storm:
        self.node.wait_until_active()
        self.check_recovery()
        return self

    def __exit__(self, *_: object) -> None:
        self.node.__exit__()

    def send_junk(self) -> None:
        """One image, and now and then a request."""
        stamp_ns = self.junk.stamp(self.index)
        make = self.junk.compressed if self.compressed else self.junk.image
        message, size = make(f"f{self.index}", stamp_ns)
        self._number(stamp_ns, size)
        client = self.node.client
        client.images.publish(message)
        if self.junk.random.random() < 0.05:
            asked = self.junk.request()
            (client.inits if hasattr(asked, "target_id") else client.rois).publish(asked)

    def send_mutated(self) -> None:
        """One message as bytes that were changed."""
        stamp_ns = 10**18 + self.index * 10**6
        topic, content, size = self.junk.serialised(f"f{self.index}", stamp_ns)
        client = self.node.client
        if topic == "image":
            self._number(stamp_ns, size)
            client.images.publish(content)
        else:
            client.inits.publish(content)

    def send_sound(self, picture: Any = _PICTURE) -> int:
        """A sound image; its number."""
        stamp_ns = 10**18 + self.index * 10**6
        height, width = picture.shape[:2]
        index = self.index
        frame_id = self._number(stamp_ns, (width, height))
        if self.compressed:
            message = CompressedImage(format="png")
            message.data = cv2.imencode(".png", picture)[1].tobytes()
        else:
            from sensor_msgs.msg import Image

            message = Image(height=height, width=width, encoding="bgr8", step=3 * width)
            message.data = picture.tobytes()
        message.header.stamp, message.header.frame_id = ns_to_stamp(stamp_ns), frame_id
        self.node.client.images.publish(message)
        return index

    def _number(self, stamp_ns: int, size: tuple[int, int]) -> str:
        self.index += 1
        return self.node.oracle.number(stamp_ns, *size)

    def check_recovery(self, most_s: float = _RECOVERY_WORST_S) -> None:
        """A sound image and a sound box give a box near it, soon."""
        if not self.node.check_alive():
            return
        self._rounds += 1
        name = f"sound{self._rounds}"
        began, first = time.monotonic(), True
        self.node.oracle.latest = None
        while time.monotonic() < began + 20:
            self.send_sound()
            if first or self.index % 10 == 0:
                self.node.client.select(_BOX, target_id=name)
                first = False
            self.node.spin(0.02)
            latest = self.node.oracle.latest
            found = [box for box in latest.boxes if box.target_id == name] if latest else []
            if found:
                # The first look is at a node that starts.
                most_s = most_s if self._rounds > 1 else 60.0
                what = "valid target to its box" if self._rounds > 1 else "first box"
                self.tally.time(what, time.monotonic() - began, most_s)
                return
        self.tally.fault("no box of a valid target within 20 s")


def flood(
    tally: Tally, goal: int, deadline: Deadline, send: Callable[[Storm], None], compressed: bool
) -> None:
    """Send junk until the node's counters say that so many messages entered it."""
    # Else most of what is sent is replaced on the way, before it enters the node.
    topic = "/image/compressed" if compressed else "/image"
    with Storm(tally, compressed, **{f"qos_overrides.{topic}.subscription.depth": 100}) as storm:
        node = storm.node
        idle_mb = node.resident_mb()
        storm.check_recovery()  # the libraries start their threads with the first target
        handles = node.handles()
        next_check = _CHECK_EVERY
        while not deadline() and node.check_alive() and node.is_alive:
            entered = node.counted("received") + node.counted("requested")
            if entered >= goal:
                break
            for _ in range(_BATCH):
                send(storm)
            node.spin(0.002)
            if storm.index > next_check:
                next_check = storm.index + _CHECK_EVERY
                storm.check_recovery()
        node.spin(1.5)  # the last diagnostics
        storm.check_recovery()
        for name in ("received", "rejected", "processed", "requested"):
            tally.counts[name] += node.counted(name)
        tally.counts["sent"] += storm.index
        if node.is_alive:
            tally.counts["peak above idle, MB"] = round(node.peak_mb() - idle_mb)
            peak_mb = tally.counts["peak above idle, MB"]
            tally.check(peak_mb <= _MOST_MB, f"{peak_mb} MB at the peak above idle")
            more = [now - before for now, before in zip(node.handles(), handles, strict=True)]
            tally.check(max(more) <= 3, f"{more} more descriptors and threads than before")
        node.end()
    check_percentile(tally)


def check_percentile(tally: Tally) -> None:
    """Note a fault where the 99th percentile of the recoveries is too long."""
    times = sorted(tally.times_s.get("valid target to its box", []))
    if len(times) >= 100:
        p99 = times[int(0.99 * len(times))]
        tally.check(
            p99 <= tally.patience * _RECOVERY_P99_S,
            f"p99 of a valid target to its box is {p99:.2f} s",
        )


def raw_images(tally: Tally, goal: int, deadline: Deadline) -> None:
    """Raw images, structure-aware junk."""
    flood(tally, goal, deadline, Storm.send_junk, compressed=False)


def compressed_images(tally: Tally, goal: int, deadline: Deadline) -> None:
    """Compressed images: damaged, forged, bombs."""
    flood(tally, goal, deadline, Storm.send_junk, compressed=True)


def serialised_messages(tally: Tally, goal: int, deadline: Deadline) -> None:
    """Messages as bytes, mutated before they are sent."""
    flood(tally, goal, deadline, Storm.send_mutated, compressed=False)


_TRANSITIONS = ("configure", "activate", "deactivate", "cleanup")
_LOAD_S = 6.0  # of the shipped model on a busy machine, and a second
_SERVICES = (
    *((ChangeState, "change_state"), (GetState, "get_state"), (Trigger, "reset")),
    *((SetBool, "enable"), (Remove, "remove"), (Select, "select")),
    (SetParameters, "set_parameters"),
)
_POSSIBLE = {
    "unconfigured": ("configure",),
    "inactive": ("activate", "cleanup"),
    "active": ("deactivate",),
}


def transitions(tally: Tally, goal: int, deadline: Deadline) -> None:
    """Transitions, possible ones and not, with images and services in between."""
    dice = random.Random(tally.seed)
    with Storm(tally) as storm:
        storm.node.oracle.is_one_session = False
        client = storm.node.client
        for kind, name in _SERVICES:
            client.ready_service(kind, name)
        storm.node.spin(1.0)  # an answer is lost where the node has not met the client
        while tally.counts["transitions"] < goal and not deadline() and storm.node.is_alive:
            state = _ask(storm, GetState, "get_state", GetState.Request(), 3.0)
            if state is None:
                break
            label = state.current_state.label
            possible = _POSSIBLE.get(label, ())
            wanted = dice.choice(possible if dice.random() < 0.8 and possible else _TRANSITIONS)
            request = ChangeState.Request()
            request.transition.label = wanted
            most_s = _LOAD_S if wanted in possible else 1.0
            answer = _ask(storm, ChangeState, "change_state", request, most_s)
            if answer is None:
                break
            tally.counts["transitions"] += 1
            tally.check(
                answer.success == (wanted in possible), f"{wanted} in {label}: {answer.success}"
            )
            for _ in range(dice.randrange(6)):
                dice.choice((storm.send_junk, storm.send_sound))()
                if dice.random() < 0.3:
                    client.select(_BOX, target_id=dice.choice("ab"))
            if dice.random() < 0.3:
                _call_any(storm, dice)
            storm.node.spin(0.01)
        _bring_back(storm)
        storm.check_recovery(5.0)
        storm.node.end()


def _ask(storm: Storm, kind: Any, name: str, request: Any, most_s: float) -> Any:
    """Call a service in time, or note a fault and give nothing."""
    client = storm.node.client
    began = time.monotonic()
    try:
        answer = client.call(kind, name, request, timeout_s=30.0)
    except AssertionError as error:
        storm.tally.fault(f"{name}: {error}")
        storm.node.check_alive()
        return None
    storm.tally.time(f"answer of {name}", time.monotonic() - began, most_s)
    return answer


def _call_any(storm: Storm, dice: random.Random) -> None:
    from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue

    which = dice.randrange(5)
    if which == 0:
        _ask(storm, Trigger, "reset", Trigger.Request(), 1.0)
    elif which == 1:
        for enabled in (False, True):
            _ask(storm, SetBool, "enable", SetBool.Request(data=enabled), 1.0)
    elif which == 2:
        _ask(storm, Remove, "remove", Remove.Request(target_id=dice.choice("ab")), 1.0)
    elif which == 3:
        request = Select.Request(x=40.0, y=30.0, width=50.0, height=40.0)
        request.mode, request.target_id = dice.randrange(6), dice.choice("ab")
        _ask(storm, Select, "select", request, 2.0)
    else:
        value = ParameterValue(
            type=ParameterType.PARAMETER_DOUBLE, double_value=dice.uniform(-2, 2)
        )
        name = dice.choice(("lost_threshold", "catch_up_max_ms", "no_such_parameter"))
        request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
        _ask(storm, SetParameters, "set_parameters", request, 1.0)


def _bring_back(storm: Storm) -> None:
    for label in ("configure", "activate"):
        request = ChangeState.Request()
        request.transition.label = label
        _ask(storm, ChangeState, "change_state", request, 6.0)
    storm.node.wait_until_active()


def signals(tally: Tally, goal: int, deadline: Deadline) -> None:
    """SIGINT and SIGTERM at any moment of a node's life, the start included."""
    dice = random.Random(tally.seed)
    while tally.counts["signals"] < goal and not deadline():
        number = dice.choice((signal.SIGINT, signal.SIGTERM))
        with NodeUnderTest(tally) as node:
            when = dice.random()
            if when < 0.5:
                node.wait_until_active()
                node.spin(dice.uniform(0.0, 0.3))
                node.end(number)
            else:
                # Python itself, and what it imports, may not have got to our handlers yet.
                time.sleep(dice.uniform(0.6, 3.0))
                is_ours = any("litetrack" in line for _, line in node.lines)
                if is_ours:
                    node.end(number)
                else:
                    node.process.send_signal(number)
                    node.process.wait(30)
            tally.counts["signals"] += 1


def stops(tally: Tally, goal: int, deadline: Deadline) -> None:
    """SIGSTOP for some time, then SIGCONT: tracking goes on."""
    dice = random.Random(tally.seed)
    with Storm(tally) as storm:
        while tally.counts["stops"] < goal and not deadline() and storm.node.is_alive:
            storm.node.process.send_signal(signal.SIGSTOP)
            end = time.monotonic() + dice.uniform(0.1, 3.0)
            while time.monotonic() < end:
                storm.send_sound()
                storm.node.spin(0.03)
            storm.node.process.send_signal(signal.SIGCONT)
            storm.check_recovery(3.0)
            tally.counts["stops"] += 1
        storm.node.end()


def clock_jumps(tally: Tally, goal: int, deadline: Deadline) -> None:
    """``/clock`` that runs fast, jumps on and back, and stands still."""
    dice = random.Random(tally.seed)
    with Storm(tally, use_sim_time=True) as storm:
        clock = storm.node.client.node.create_publisher(Clock, "/clock", 10)
        now_ns = 10**18
        while tally.counts["clock jumps"] < goal and not deadline() and storm.node.is_alive:
            jump_s = dice.choice((0.0, 0.1, 10.0, 3600.0, 86400.0, -10.0, -3600.0))
            now_ns = max(0, now_ns + int(jump_s * 1e9))
            for _ in range(20):
                now_ns += int(dice.choice((0.01, 0.1, 1.0)) * 1e9)
                clock.publish(Clock(clock=ns_to_stamp(now_ns)))
                storm.send_sound()
                storm.node.spin(0.01)
            tally.counts["clock jumps"] += 1
            if tally.counts["clock jumps"] % 10 == 0:
                storm.check_recovery()
        storm.check_recovery()
        storm.node.end()
