"""Small pictures for people: made while somebody listens, beside the tracking thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros

PICTURE = np.full((400, 1000, 3), (40, 90, 200), np.uint8)


def _decode(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_only_while_somebody_listens_and_no_faster_than_asked(
    live_node: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sensor_msgs.msg import CompressedImage

    from litetrack_ros.node import preview

    encoded: list[float] = []
    original = preview.encode_preview

    def counted(*arguments: Any) -> bytes:
        encoded.append(time.perf_counter())
        return original(*arguments)

    monkeypatch.setattr(preview, "encode_preview", counted)
    node = live_node(preview_rate_hz=10.0, preview_size_px=320)
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()

    def play(images: int) -> None:
        for _ in range(images):
            client.send(PICTURE, time.time_ns())
            client.spin_for(0.02)

    play(10)
    assert encoded == []
    received: list[Any] = []
    subscription = client.node.create_subscription(
        CompressedImage, "litetrack/preview/compressed", received.append, 1
    )
    client.spin_until(lambda: play(1) or received, 20, "a preview")
    encoded.clear()
    start_s = time.perf_counter()
    play(50)
    assert 3 <= len(encoded) <= 10 * (time.perf_counter() - start_s) + 2
    assert received[-1].format == "jpeg"
    assert _decode(bytes(received[-1].data)).shape == (128, 320, 3)
    stamps = {(m.header.stamp.sec, m.header.stamp.nanosec) for m in client.boxes}
    last = received[-1].header.stamp
    assert (last.sec, last.nanosec) in stamps

    assert node.set("preview_size_px", 160).successful
    client.spin_until(
        lambda: play(1) or _decode(bytes(received[-1].data)).shape == (64, 160, 3), 10, "smaller"
    )
    client.node.destroy_subscription(subscription)
    client.spin_until(
        lambda: not node.node._session.outputs._preview.publisher.get_subscription_count(),
        10,
        "the end of the subscription",
    )
    play(2)
    encoded.clear()
    play(10)
    assert encoded == []


def test_an_encoder_that_fails_is_reported_and_tracking_goes_on(
    live_node: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sensor_msgs.msg import CompressedImage

    from litetrack_ros.node import preview

    def failing(*_: Any) -> bytes:
        raise MemoryError("no memory for a picture")

    monkeypatch.setattr(preview, "encode_preview", failing)
    node = live_node()
    assert node.transition("configure") and node.transition("activate")
    client.wait_for_node()
    client.node.create_subscription(
        CompressedImage, "litetrack/preview/compressed", lambda _: None, 1
    )

    def told() -> bool:
        client.send(PICTURE, time.time_ns())
        client.spin_for(0.05)
        texts = [s.message for m in client.diagnostics for s in m.status]
        return any("no preview: MemoryError: no memory for a picture" in text for text in texts)

    client.spin_until(told, 20, "the fault in the diagnostics")
    before = len(client.boxes)
    client.spin_until(lambda: told() and len(client.boxes) > before, 10, "boxes")
