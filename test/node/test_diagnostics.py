"""What /diagnostics says: figures while all is well, and the reason when no image comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.node.diagnostics import (
    Level,
    NoticeBoard,
    no_image_message,
    targets_status,
)
from litetrack_ros.node.requests import RequestCounts
from litetrack_ros.node.tracked import TargetStatus
from litetrack_ros.tracker.state import State

OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"


@pytest.mark.parametrize(
    ("publishers", "topics", "wanted"),
    [
        (0, [], "nobody publishes it, or discovery fails: compare ROS_DOMAIN_ID"),
        (0, ["/cam/image_raw"], "images are on /cam/image_raw: remap with image:=TOPIC"),
        (0, [f"/cam{i}" for i in range(9)], "/cam3, /cam4, ...: remap"),
        (1, ["/image"], "it has 1 publisher: is the camera running?"),
        (
            2,
            ["/image"],
            "config/fastdds_images.xml of this package, or use image_transport",
        ),
    ],
)
def test_silence_is_explained(publishers: int, topics: list[str], wanted: str) -> None:
    text = no_image_message("/image", "best_effort, depth 1", 4.2, publishers, topics)
    assert text.startswith("no image on /image for 4 s (QoS asked for: best_effort, depth 1)")
    assert wanted in text


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_warning_that_repeats_grows_rarer() -> None:
    lines: list[str] = []
    clock = Clock()
    board = NoticeBoard(lines.append, clock)
    logged_s = []
    for second in range(200):
        clock.now_s = 100.0 + second
        before = len(lines)
        board.post("dark", "it is dark")
        if len(lines) > before:
            logged_s.append(second)
    assert logged_s == [0, 5, 15, 35, 75, 155]
    clock.now_s += 60  # it was quiet: the next one is news
    board.post("dark", "it is dark")
    assert len(lines) == 7


def test_a_notice_ends_with_its_cause() -> None:
    clock = Clock()
    board = NoticeBoard(lambda _: None, clock)
    board.post("dark", "it is dark")
    board.end("dark")
    clock.now_s += 1.0
    assert board.active()  # diagnostics go out every second: it is seen once
    clock.now_s += 1.0
    assert not board.active()
    board.post("dark", "it is dark")
    clock.now_s += 9.0
    assert board.active()  # nobody said that it is over
    board.end("never posted")


def _targets(*states: State, is_enabled: bool = True) -> Any:
    targets = [TargetStatus(str(i), state, 0.5) for i, state in enumerate(states)]
    return targets_status(targets, is_enabled, RequestCounts(), {})


def test_lost_warns_and_idle_and_disabled_are_well() -> None:
    assert _targets(State.TRACKING, State.LOST).level is Level.WARN
    assert _targets(State.TRACKING).level is Level.OK
    assert _targets().level is Level.OK
    assert _targets(is_enabled=False).level is Level.OK


@pytest.mark.ros
def test_names_outside_the_root_carry_the_full_name(
    live_node: Callable[..., Any], client: Any
) -> None:
    live_node(ros_args=["-r", "__ns:=/front"])

    def told() -> bool:
        names = [status.name for message in client.diagnostics for status in message.status]
        return "/front/litetrack: model" in names

    client.spin_until(told, 15, "a status with the full name")


def _statuses(client: Any) -> dict[str, Any]:
    """The newest diagnostics of the node by task."""
    message = client.diagnostics[-1]
    return {status.name.removeprefix("litetrack: "): status for status in message.status}


@pytest.mark.ros
def test_a_working_node_reports_everything(live_node: Callable[..., Any], client: Any) -> None:
    # The shipped model: a network that was never trained may point outside the image.
    node = live_node(model="litetrack_nano")
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()
    scene = DrawnScene(frames=1)
    picture = scene.frame(0)
    client.select(tuple(map(float, scene.box_xywh(0))), target_id="cup")

    def seen() -> bool:
        client.send(picture, time.time_ns())
        client.spin_for(0.03)
        targets = _statuses(client).get("targets") if client.diagnostics else None
        return targets is not None and "TRACKING" in targets.message

    client.diagnostics.clear()
    client.spin_until(seen, 20, "a tracked target in the diagnostics")
    client.diagnostics.clear()
    client.spin_until(lambda: len(client.diagnostics) >= 3, 10, "further diagnostics")
    arrivals = [m.header.stamp.sec + 1e-9 * m.header.stamp.nanosec for m in client.diagnostics]
    assert np.diff(arrivals).mean() == pytest.approx(1.0, abs=0.3)
    statuses = _statuses(client)
    assert list(statuses) == ["model", "images", "latency", "targets"]
    values = {task: {v.key: v.value for v in s.values} for task, s in statuses.items()}
    assert statuses["model"].level == OK, statuses["model"].message
    assert values["model"]["backend"] == "torch"
    assert values["model"]["execution provider"] == "cpu"
    assert values["model"]["lifecycle"] == "active"
    assert len(values["model"]["sha256"]) == 64
    assert values["images"]["topic"] == "/image"
    counts = {k: int(v) for k, v in values["images"].items() if v.isdigit()}
    assert counts["processed"] >= 1
    for stage in ("stamp to callback", "queue_wait", "model", "total", "age"):
        p50, p95, p99 = (
            float(v) for v in values["latency"][f"{stage} p50/p95/p99 (ms)"].split("/")
        )
        assert 0 <= p50 <= p95 <= p99
    assert "stamp to box" not in values["latency"]
    assert values["targets"]["target 'cup'"].startswith("TRACKING, score 0.")
    assert int(values["targets"]["accepted"]) >= 1


@pytest.mark.ros
def test_sim_time_marks_the_age_as_approximate(live_node: Callable[..., Any], client: Any) -> None:
    node = live_node(use_sim_time=True)
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()
    picture = np.zeros((60, 80, 3), np.uint8)

    def marked() -> bool:
        client.send(picture, 10**9)
        client.spin_for(0.05)
        values = [v for m in client.diagnostics for s in m.status for v in s.values]
        return any(v.key == "stamp to box" and "approximate" in v.value for v in values)

    client.spin_until(marked, 15, "the mark, though no clock is published")


@pytest.mark.ros
@pytest.mark.parametrize("has_publisher", [True, False])
def test_no_image_is_told_with_topic_and_qos(
    live_node: Callable[..., Any], client: Any, has_publisher: bool
) -> None:
    topic = "image" if has_publisher else "elsewhere"
    node = live_node(no_image_timeout_s=0.3, ros_args=["-r", f"image:=/{topic}"])
    assert node.transition("configure") and node.transition("activate")

    def told() -> bool:
        if not client.diagnostics or "images" not in _statuses(client):
            return False
        status = _statuses(client)["images"]
        expected = "1 publisher" if has_publisher else "images are on /image: remap"
        start = f"no image on /{topic} for"
        return status.level == ERROR and start in status.message and expected in status.message

    client.spin_until(told, 15, "an error that names the topic")


@pytest.mark.ros
def test_an_incompatible_qos_is_told(live_node: Callable[..., Any], client: Any) -> None:
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    node = live_node(
        **{"qos_overrides./best/image.subscription.reliability": "reliable"},
        ros_args=["-r", "image:=/best/image"],
    )
    assert node.transition("configure") and node.transition("activate")
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    client.node.create_publisher(Image, "/best/image", best_effort)

    def told() -> bool:
        return any(
            "/best/image offers an incompatible QoS" in status.message
            and "reliable, depth 1" in status.message
            for message in client.diagnostics
            for status in message.status
        )

    client.spin_until(told, 15, "a warning of the QoS")


@pytest.mark.ros
def test_stale_stamps_are_told(live_node: Callable[..., Any], client: Any) -> None:
    node = live_node(stale_stamp_ms=500.0)
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()
    picture = np.zeros((60, 80, 3), np.uint8)

    def told() -> bool:
        client.send(picture, time.time_ns() - 3 * 10**9)
        client.spin_for(0.05)
        return any(
            "images on /image are stamped 3." in status.message and "s old" in status.message
            for message in client.diagnostics
            for status in message.status
        )

    client.spin_until(told, 15, "a warning of the stamps")


@pytest.mark.ros
def test_what_is_refused_is_told_with_the_reason(
    live_node: Callable[..., Any], client: Any
) -> None:
    from std_srvs.srv import SetBool

    node = live_node(init_wait_ms=50.0)
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()
    picture = np.zeros((60, 80, 3), np.uint8)
    stamps = iter(range(10**18, 2 * 10**18, 33 * 10**6))

    def tells(task: str, text: str, fault: Callable[[], Any]) -> None:
        def told() -> bool:
            client.send(picture, next(stamps))
            client.spin_for(0.05)  # the subscription holds one image
            fault()
            client.spin_for(0.05)
            status = _statuses(client).get(task) if client.diagnostics else None
            return status is not None and status.level == WARN and text in status.message

        client.spin_until(told, 15, f"a warning that says: {text}")

    box = (10, 10, 20, 20)
    abacus = "encoding 'abacus' is not supported"
    tells("images", abacus, lambda: client.send(picture, next(stamps), "abacus"))
    tells("images", "jumped back", lambda: client.send(picture, 10**9))
    tells("targets", "its image is gone", lambda: client.select(box, 10**8, "early"))
    tells("targets", "target 'nan' refused", lambda: client.select((np.nan, 1, 2, 3), 0, "nan"))
    tells("targets", "target 'out' refused", lambda: client.select((500, 1, 20, 20), 0, "out"))
    assert client.call(SetBool, "enable", SetBool.Request(data=False), repeat_s=3).success

    def is_well() -> bool:
        status = _statuses(client).get("targets")
        return status is not None and status.level == OK and status.message == "disabled"

    client.spin_until(is_well, 5, "the end of what was refused before")
    tells("targets", "disabled", lambda: client.select(box))
