"""Nothing that comes over the topics ends the node: thousands of random messages, and floods."""

from __future__ import annotations

import array
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litetrack_ros.node.conversion import ENCODINGS

pytestmark = pytest.mark.ros

UINT32 = st.integers(0, 2**32 - 1)
NUMBERS = st.one_of(
    st.floats(-200, 400), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e308, 1e-300, 1e-9])
)
STAMPS = st.one_of(st.integers(0, 10**9), st.integers(0, 2**31 - 1).map(lambda s: s * 10**9))
NAMES = st.one_of(st.sampled_from(["", "a", "b"]), st.text(max_size=8))
SIDES = st.one_of(st.integers(0, 64), UINT32)

IMAGES = st.fixed_dictionaries(
    {
        "kind": st.just("image"),
        "stamp_ns": STAMPS,
        "encoding": st.one_of(st.sampled_from([*ENCODINGS, "32FC1", "16UC1"]), NAMES),
        "height": SIDES,
        "width": SIDES,
        "step": st.one_of(st.integers(0, 256), UINT32),
        "is_bigendian": st.integers(0, 255),
        "size": st.integers(0, 20000),
    }
)
SOUND_IMAGES = st.fixed_dictionaries(
    {
        "kind": st.just("image"),
        "stamp_ns": STAMPS,
        "encoding": st.sampled_from(["bgr8", "rgb8", "8UC3"]),
        "height": st.integers(1, 80),
        "width": st.integers(1, 80),
        "step": st.just(240),
        "is_bigendian": st.just(0),
        "size": st.just(240 * 80),
    }
)
INITS = st.fixed_dictionaries(
    {
        "kind": st.just("init"),
        "stamp_ns": STAMPS,
        "target_id": NAMES,
        "box": st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    }
)
ROIS = st.fixed_dictionaries(
    {"kind": st.just("roi"), "box": st.tuples(UINT32, UINT32, UINT32, UINT32)}
)
MESSAGES = st.lists(st.one_of(IMAGES, SOUND_IMAGES, INITS, ROIS), min_size=20, max_size=60)


def _publish(client: Any, message: dict[str, Any]) -> None:
    from sensor_msgs.msg import Image, RegionOfInterest

    from litetrack_ros.node.messages import ns_to_stamp

    if message["kind"] == "init":
        client.select(message["box"], message["stamp_ns"], message["target_id"])
    elif message["kind"] == "roi":
        x, y, width, height = message["box"]
        client.rois.publish(RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height))
    else:
        fields = ("encoding", "height", "width", "step", "is_bigendian")
        image = Image(**{name: message[name] for name in fields})
        image.header.stamp = ns_to_stamp(message["stamp_ns"])
        image.data = array.array("B", bytes(message["size"]))
        client.images.publish(image)


def _assert_it_tracks(client: Any) -> None:
    """A sound image and a sound box give a tracked box."""
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    count = [0]

    def tracks() -> bool:
        # Images may be lost on the way, and requests still wait: go on until it works.
        count[0] += 1
        client.send(picture, 4 * 10**18 + count[0] * 10**7)
        if count[0] % 10 == 1:
            client.select((40, 30, 50, 40), target_id="sound")
        client.spin_for(0.05)
        boxes = client.boxes[-1].boxes if client.boxes else []
        return any(box.target_id == "sound" for box in boxes)

    client.spin_until(tracks, 20.0, "a box after the storm")


def _assert_counts_add_up(client: Any) -> None:
    last = client.timings[-1]
    names = ("processed", "replaced", "caught_up", "rejected", "ignored")
    assert last.received == sum(getattr(last, name) for name in names)


def test_thousands_of_random_messages(start_node: Callable[..., Any], client: Any) -> None:
    node = start_node(init_wait_ms=100.0)
    client.wait_for_node()
    sent = [0]

    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(messages=MESSAGES)
    def storm(messages: list[dict[str, Any]]) -> None:
        for message in messages:
            _publish(client, message)
            client.executor.spin_once(timeout_sec=0.001)
        sent[0] += len(messages)
        assert node.process.poll() is None, node.end()[1]

    storm()
    assert sent[0] >= 3000
    _assert_it_tracks(client)
    _assert_counts_add_up(client)
    assert client.timings[-1].rejected > 0
    for message in client.boxes:
        for box in message.boxes:
            assert np.isfinite([box.x, box.y, box.width, box.height, box.score]).all()
    status, log, _ = node.end()
    assert status == 0, log
    assert "Traceback" not in log
    assert "tracking failed" not in log
    # Throttled: some tens of lines, not one for each of thousands of messages.
    assert len(log.splitlines()) < 200
    assert "image rejected: " in log
    assert "refused: " in log


def test_hundreds_of_inits_a_second_and_a_changing_stream(
    start_node: Callable[..., Any], client: Any
) -> None:
    node = start_node()
    client.wait_for_node()
    rng = np.random.default_rng(0)
    for index in range(60):
        # Resolution, encoding and the direction of time change in mid-stream.
        height, width = (120, 160) if index % 20 < 10 else (96, 100)
        channels, encoding = ((3, "bgr8"), (4, "rgba8"))[index % 3 == 0]
        picture = rng.integers(0, 255, (height, width, channels), dtype=np.uint8)
        stamp_ns = (10**6 if index < 30 else 10**3) * (index + 1) * 33
        client.send(picture, stamp_ns, encoding)
        for _ in range(10):
            client.select((20, 20, 40, 30), stamp_ns)
        client.spin_for(0.02)
    _assert_it_tracks(client)
    _assert_counts_add_up(client)
    status, log, _ = node.end()
    assert status == 0, log
    assert "jumped back" in log
    assert "tracking failed" not in log
