"""vision_msgs in and out, over DDS; where it is not installed, the refusals that say so."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ros_client import START_TIMEOUT_S

from litetrack_ros.tracker.state import State

pytestmark = pytest.mark.ros

PICTURE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
MS = 10**6
ID, NEAREST = 2, 3  # modes of ~/select
is_installed = importlib.util.find_spec("vision_msgs") is not None
needs_vision = pytest.mark.skipif(not is_installed, reason="vision_msgs is not installed")


class Detector:
    """Publishes detections, and calls ~/select for them."""

    def __init__(self, client: Any) -> None:
        from vision_msgs.msg import Detection2DArray

        from litetrack_ros.srv import Select

        self.client = client
        self.publisher = client.node.create_publisher(Detection2DArray, "detections", 10)
        self.service = client.node.create_client(Select, f"{client.name}/select")
        client.spin_until(self.service.service_is_ready, START_TIMEOUT_S, "~/select")
        client.spin_until(self.publisher.get_subscription_count, START_TIMEOUT_S, "the node")

    def send(self, stamp_ns: int, *found: tuple[str, str, Any], frame_id: str = "camera") -> None:
        """Publish detections of an image: id, class and box each."""
        from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

        from litetrack_ros.node.messages import ns_to_stamp

        message = Detection2DArray()
        message.header.stamp, message.header.frame_id = ns_to_stamp(stamp_ns), frame_id
        for name, class_id, (x, y, width, height) in found:
            detection = Detection2D(id=name)
            detection.bbox.center.position.x = x + width / 2
            detection.bbox.center.position.y = y + height / 2
            detection.bbox.size_x, detection.bbox.size_y = float(width), float(height)
            for hypothesis, score in ((class_id, 0.8), ("other", 0.1)):
                result = ObjectHypothesisWithPose()
                result.hypothesis.class_id, result.hypothesis.score = hypothesis, score
                detection.results.append(result)
            message.detections.append(detection)
        self.publisher.publish(message)

    def select(
        self, stamp_ns: int = 0, then: Callable[[], None] = lambda: None, **fields: Any
    ) -> Any:
        """Call the service; the answer. ``then`` is done while the call waits."""
        from litetrack_ros.node.messages import ns_to_stamp
        from litetrack_ros.srv import Select

        request = Select.Request(stamp=ns_to_stamp(stamp_ns), **fields)
        future = self.service.call_async(request)
        self.client.spin_for(0.1)
        then()
        self.client.spin_until(future.done, 10, "an answer")
        return future.result()


@pytest.fixture
def detector(live_node: Callable[..., Any], client: Any) -> Detector:
    node = live_node(init_wait_ms=600.0, publish_detections=True, default_class="thing")
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()
    found = Detector(client)
    for index in range(6):
        stamp_ns = 10**9 + index * 33 * MS
        client.send(PICTURE, stamp_ns)
        client.boxes_for(stamp_ns)
    return found


SEEN = (
    ("3", "cup", (40, 30, 50, 40)),
    ("4", "cup", (100, 60, 20, 20)),
    ("5", "dog", (0, 0, 30, 30)),
)


@needs_vision
def test_a_detection_is_selected_on_the_image_it_was_found_in(detector: Detector) -> None:
    from vision_msgs.msg import Detection2DArray

    client, stamp_ns = detector.client, 10**9 + 33 * MS
    received: list[Any] = []
    client.node.create_subscription(Detection2DArray, "litetrack/detections", received.append, 10)
    detector.send(stamp_ns, *SEEN)
    answer = detector.select(mode=ID, detection_id="3", target_id="a")
    assert answer.accepted, answer.reason
    assert (answer.stamp.sec, answer.stamp.nanosec) == (1, 33 * MS)
    assert (answer.x, answer.y, answer.width, answer.height) == (40, 30, 50, 40)
    assert answer.caught_up == 4

    def next_class() -> str:
        def seen() -> bool:
            client.send(PICTURE, 2 * 10**9 + len(client.boxes) * MS)
            client.spin_for(0.05)
            return bool(received) and bool(received[-1].detections)

        received.clear()
        client.spin_until(seen, 20, "a detection")
        (found,) = received[-1].detections
        assert found.id == "a"
        return str(found.results[0].hypothesis.class_id)

    assert next_class() == "cup"
    box = {"x": 40.0, "y": 30.0, "width": 50.0, "height": 40.0, "target_id": "a"}
    assert detector.select(**box, class_id="mug").accepted
    assert next_class() == "mug"
    assert detector.select(**box).accepted
    assert next_class() == "thing"


@needs_vision
def test_the_nearest_of_a_class_and_detections_that_come_late(detector: Detector) -> None:
    stamp_ns = 10**9 + 66 * MS
    answer = detector.select(
        stamp_ns,
        lambda: detector.send(stamp_ns, *SEEN),
        mode=NEAREST,
        class_id="cup",
        x=95.0,
        y=62.0,
    )
    assert answer.accepted, answer.reason
    assert (answer.x, answer.y) == (100, 60) and answer.stamp.nanosec == 66 * MS


@needs_vision
@pytest.mark.parametrize(
    ("fields", "sent", "reason"),
    [
        ({"mode": ID}, {}, "detection_id is empty"),
        ({"mode": ID, "detection_id": "9"}, {}, "no detection has the id '9'"),
        ({"mode": NEAREST, "class_id": "cat"}, {}, "there are 'cup', 'dog'"),
        ({"mode": ID, "detection_id": "3"}, {"frame_id": "rear"}, "of frame 'rear'"),
        ({"mode": ID, "detection_id": "3"}, {"stamp_ns": 10**9 + 800 * MS}, "700 ms away"),
        ({"mode": ID, "detection_id": "3", "class_id": "c" * 65}, {}, "class_id is longer"),
        ({"mode": ID, "detection_id": "3"}, {"ids": ("", "", "")}, "leaves Detection2D.id empty"),
        ({"mode": NEAREST}, {"grow": 9}, "the image has 160x120 px"),
    ],
)
def test_what_cannot_be_selected_is_refused_in_words(
    detector: Detector, fields: dict[str, Any], sent: dict[str, Any], reason: str
) -> None:
    grow, ids = sent.pop("grow", 1), sent.pop("ids", [name for name, _, _ in SEEN])
    found = [
        (name, kind, np.multiply(box, grow)) for name, (_, kind, box) in zip(ids, SEEN, strict=True)
    ]
    stamp_ns = 10**9 + 100 * MS
    detector.send(sent.pop("stamp_ns", stamp_ns - MS), *found, **sent)
    answer = detector.select(stamp_ns, **fields)
    assert not answer.accepted and reason in answer.reason


@pytest.mark.skipif(is_installed, reason="vision_msgs is installed")
@pytest.mark.parametrize("mode", [ID, NEAREST])
def test_without_vision_msgs_its_modes_are_refused_in_words(
    live_node: Callable[..., Any], client: Any, mode: int
) -> None:
    from litetrack_ros.srv import Select

    node = live_node()
    assert node.transition("configure") and node.transition("activate")
    request = Select.Request(mode=mode, detection_id="3")
    answer = client.call(Select, "select", request, repeat_s=5.0)
    assert not answer.accepted and "vision_msgs is not installed: install" in answer.reason


@needs_vision
def test_detections_go_out_with_id_and_class_and_without_lost_targets() -> None:
    from std_msgs.msg import Header

    from litetrack_ros.node.vision import detections, vision_msgs

    results = [
        SimpleNamespace(target_id=name, box_xywh=(10, 20, 4, 6), score=0.5, state=state)
        for name, state in (("a", State.TRACKING), ("b", State.TRACKING), ("gone", State.LOST))
    ]
    header = Header(frame_id="camera")
    found = detections(vision_msgs(), header, results, {"a": "cup"}, "thing").detections
    assert [d.id for d in found] == ["a", "b"]
    assert [d.results[0].hypothesis.class_id for d in found] == ["cup", "thing"]
    assert (found[0].bbox.size_x, found[0].bbox.center.position.x) == (4.0, 12.0)
    assert found[0].header.frame_id == "camera"


@needs_vision
def test_a_turned_box_becomes_the_one_around_it_and_none_is_left_out() -> None:
    from vision_msgs.msg import Detection2D, Detection2DArray

    from litetrack_ros.node.vision import detection_set

    turned, broken = Detection2D(), Detection2D()
    turned.bbox.center.theta = np.pi / 2
    turned.bbox.center.position.x, turned.bbox.center.position.y = 50.0, 40.0
    turned.bbox.size_x, turned.bbox.size_y = 20.0, 10.0
    broken.bbox.size_x = float("nan")
    (found,) = detection_set(Detection2DArray(detections=[turned, broken]), 7).detections
    assert found.box_xywh == pytest.approx((45.0, 30.0, 10.0, 20.0))
    assert (found.detection_id, found.class_id, found.score) == ("", "", 0.0)
