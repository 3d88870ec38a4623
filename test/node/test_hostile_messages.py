"""Messages made to take memory, time or the log: refused in a line, and tracking goes on."""

from __future__ import annotations

import random
import signal
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros

PICTURE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)


def _grey_png(side: int) -> bytes:
    """A black picture that takes side * side bytes when it is decoded."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))


def test_a_decompression_bomb_takes_neither_time_nor_memory(
    start_node: Callable[..., Any], make_client: Callable[..., Any]
) -> None:
    import cv2
    from sensor_msgs.msg import CompressedImage

    from litetrack_ros.node.messages import ns_to_stamp

    node = start_node(image_transport="compressed")
    client = make_client(image_topic="image/compressed")
    client.wait_for_node()
    before_mb = _peak_mb(node.process.pid)

    def publish(data: bytes, stamp_ns: int) -> None:
        message = CompressedImage(format="png", data=data)
        message.header.stamp = ns_to_stamp(stamp_ns)
        client.images.publish(message)

    for index in range(3):
        publish(_grey_png(12000), index + 1)
        client.spin_for(0.1)
    client.select((40, 30, 50, 40), target_id="cup")
    good = cv2.imencode(".png", PICTURE)[1].tobytes()
    stamps = iter(range(10**9, 10**12, 10**8))
    started = time.monotonic()

    def tracked() -> bool:
        publish(good, next(stamps))
        client.spin_for(0.05)
        return any(message.boxes for message in client.boxes)

    client.spin_until(tracked, 10, "a box after the bombs")
    assert time.monotonic() - started < 5
    assert _peak_mb(node.process.pid) - before_mb < 60  # 144 grey, 432 in colour
    status, log, _ = node.end()
    assert status == 0
    assert "12000x12000 pixels are more than max_image_pixels = 36000000; send smaller" in log
    assert log.count("image rejected") <= 2


def test_text_from_the_network_goes_nowhere_whole(
    start_node: Callable[..., Any], client: Any
) -> None:
    from sensor_msgs.msg import Image

    node = start_node()
    client.wait_for_node()
    forged = "x\n[ERROR] [1.0] [litetrack]: forged \x1b[31m"
    for text in (forged, "y" * 10**7):
        client.select((40, 30, 50, 40), target_id=text)
        image = Image(height=4, width=4, encoding=text, step=12, data=bytes(48))
        client.images.publish(image)
        image = Image(height=4, width=4, encoding="bgr8", step=12, data=bytes(48))
        image.header.frame_id = text * 8
        client.images.publish(image)
        client.spin_for(0.5)

    def told() -> bool:
        texts = [s.message for message in client.diagnostics for s in message.status]
        return any("longer than 64 bytes" in t for t in texts)

    client.spin_until(told, 10, "the refusal in the diagnostics")
    assert all(not message.boxes for message in client.boxes)
    longest = max(
        len(text)
        for message in client.diagnostics
        for status in message.status
        for text in (status.message, *(value.value for value in status.values))
    )
    assert longest < 4000
    status, log, _ = node.end()
    assert status == 0
    assert "\n[ERROR]" not in log and "\x1b[31m" not in log
    assert max(len(line) for line in log.splitlines()) < 2000
    assert "its frame_id, " in log or "encoding '" in log


def test_messages_that_cannot_be_deserialised_leave_the_log_short(
    start_node: Callable[..., Any], client: Any
) -> None:
    """Native libraries write up to six lines for each, some of them past every logger."""
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image

    from litetrack_ros.msg import InitBox

    node = start_node()
    client.wait_for_node()
    rng = random.Random(0)
    image = Image(height=24, width=24, encoding="bgr8", step=72, data=bytes(72 * 24))
    sources = (
        (client.images, bytes(serialize_message(image))),
        (client.inits, bytes(serialize_message(InitBox(target_id="abc", width=3.0, height=4.0)))),
    )
    started = time.monotonic()
    while time.monotonic() < started + 5.0:
        for publisher, content in sources:
            cut = bytearray(content[: rng.randrange(4, len(content))])
            cut[12:16] = rng.choice([b"\xff\xff\xff\xff", bytes(cut[12:16])])
            publisher.publish(bytes(cut))
        client.spin_for(0.01)
    client.select((40, 30, 50, 40), target_id="cup")
    stamps = iter(range(10**9, 10**12, 10**8))

    def tracked() -> bool:
        client.send(PICTURE, next(stamps))
        client.spin_for(0.05)
        return any(message.boxes for message in client.boxes)

    client.spin_until(tracked, 10, "a box after the corrupt messages")
    seconds = time.monotonic() - started
    status, log, _ = node.end()
    assert status == 0
    assert len(log.splitlines()) <= 50 + 5 * seconds
    assert "lines of native libraries left out" in log


def test_a_crash_still_leaves_its_trace(start_node: Callable[..., Any], client: Any) -> None:
    node = start_node()
    client.wait_for_node()
    status, log, _ = node.end(signal.SIGABRT)
    assert status == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in log and "program.py" in log
