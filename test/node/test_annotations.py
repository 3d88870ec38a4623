"""~/annotations over DDS, where foxglove_msgs is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros
foxglove = pytest.importorskip("foxglove_msgs.msg", reason="foxglove_msgs is not installed")

PICTURE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
STEP_NS = 33 * 10**6


def test_boxes_go_out_with_the_images_stamp(live_node: Callable[..., Any], client: Any) -> None:
    node = live_node()
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()
    received: list[Any] = []
    topic = f"{client.name}/annotations"
    client.node.create_subscription(foxglove.ImageAnnotations, topic, received.append, 10)
    stamps_ns = (10**9 + index * STEP_NS for index in range(1000))

    def seen(wanted: Callable[[Any], bool]) -> Callable[[], bool]:
        def send_and_look() -> bool:
            client.send(PICTURE, next(stamps_ns))
            client.spin_for(0.05)
            return bool(received) and wanted(received[-1])

        return send_and_look

    client.spin_until(seen(lambda message: not message.points), 20, "an image without a target")
    client.select((40, 30, 50, 40), target_id="a")
    client.spin_until(seen(lambda message: bool(message.points)), 20, "a box")
    message = received[-1]
    (outline,), (text,) = message.points, message.texts
    stamp_ns = outline.timestamp.sec * 10**9 + outline.timestamp.nanosec
    box = client.boxes_for(stamp_ns).boxes[0]
    corners = [(point.x, point.y) for point in outline.points]
    assert corners[0] == (box.x, box.y)
    assert corners[2] == pytest.approx((box.x + box.width, box.y + box.height), abs=1e-3)
    assert outline.type == foxglove.PointsAnnotation.LINE_LOOP
    assert text.text.startswith("a ") and text.timestamp == outline.timestamp
